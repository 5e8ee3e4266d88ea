"""A sweep: many trainings of a recipe with other values, judged on the validation images."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inkwise.comparison.statistics import spread_over_seeds
from inkwise.data.catalogue import load_either, refuse_two
from inkwise.data.dataset import Dataset
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.networks.words import nearest
from inkwise.runs.directory import COMPLETE, DEFAULT_PARENT, RECIPE_SCHEMA, Run
from inkwise.system.extras import require_sweeping, require_training
from inkwise.system.folders import file_name
from inkwise.system.progress import SILENT, Progress
from inkwise.training.history import validation_losses
from inkwise.training.named_recipes import UsualEpochs, get_recipe, scale_epochs
from inkwise.training.recipe import Recipe
from inkwise.training.value_checks import check_seed
from inkwise.trials.folder import claim_series
from inkwise.trials.outcome import METRICS, Design, Sweep, Trial
from inkwise.trials.ranges import check_space, grid_of, read_space
from inkwise.trials.running_jobs import run_jobs, run_workers
from inkwise.trials.search import Search, open_journal
from inkwise.trials.sweep_page import write_sweep_page
from inkwise.trials.trainings import Job, Workshop

SCHEMA = "inkwise-sweep/1"
SAMPLERS = ("tpe", "random", "grid")

_MOST_TRIALS, _MOST_SEEDS = 10_000, 100


def sweep(
    recipe: str | Recipe = "case-study",
    dataset: str | Dataset | None = None,
    *,
    vary: Mapping[str, str | Sequence[Any]],
    trials: int | None = None,
    metric: str = "validation.accuracy",
    sampler: str = "tpe",
    pruning: bool = True,
    best: int = 3,
    seeds: int = 3,
    seed: int = 0,
    at_once: int | None = None,
    engine: str = "here",
    address: str | None = None,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
    on_trial: Callable[[Trial], object] | None = None,
) -> Sweep:
    """Train a recipe with many other values, and the best of them anew on fresh seeds.

    Trials are judged on the validation images; the test images stay closed until the best designs
    are evaluated on them, once each. Every trial is a run. The same call goes on with a sweep that
    was interrupted or killed, in the middle of a trial too, and with more `trials` adds to one that
    is complete. With one training at a time, what comes of it is what would have come without the
    interruption.

    Parameters
    ----------
    recipe : str or Recipe
        The recipe to vary, or the name of one.
    dataset : str or Dataset, optional
        As for `inkwise.train`.
    vary : mapping of str to str or sequence
        What is varied, by its place in the recipe, such as ``optimiser.learning_rate`` or
        ``network.2.filters``; layers are counted from 0. ``0.1..0.5`` is a range,
        ``log:1e-4..1e-1`` one of orders of magnitude, ``int:16..64`` one of whole numbers,
        ``16,32,64`` a list, as is ``[16, 32, 64]``.
    trials : int, optional
        Number of trials in all, from 1 to 10,000; by default 20 or, of a grid, all.
    metric : {"validation.accuracy", "validation.loss"}
        What trials are judged by.
    sampler : {"tpe", "random", "grid"}
        What chooses the values: the tree-structured Parzen estimator, which learns from the trials
        before; chance; or every combination in a random order.
    pruning : bool
        Whether trials that are behind others are ended early, by successive halving.
    best, seeds : int
        How many of the best designs are trained anew, and on how many fresh seeds each, from 1 to
        100. With 0 designs the test images stay closed.
    seed : int
        Seed of the sampler, from 0 to 2³² − 1.
    at_once : int, optional
        Number of trainings at a time, each on its share of the cores; by default one for each core,
        eight at most.
    engine : {"here", "ray"}
        What trains: this machine, or Ray, whose cluster may have many. There, a training has a core
        and its share of the GPUs, and one whose machine is lost goes on elsewhere, if all machines
        see the folder.
    address : str, optional
        Of Ray's cluster; by default Ray is started on this machine.
    data, data_dir, device, progress
        As for `inkwise.train`.
    output : path-like, optional
        The folder of the sweep, by default ``runs/sweep-`` and the names of recipe and data set.
    on_trial : callable, optional
        Called with every finished `Trial`.

    Returns
    -------
    Sweep
        With `trials`, `designs`, `conclusions` and `page_path`.

    Raises
    ------
    ArgumentError
        The recipe has no such place, or does not take such a value; the folder holds another sweep.
    RunError
        Another process is at work in the folder.
    LibraryError
        The libraries of the extra ``sweep`` are not installed.
    InkwiseError
        As from `inkwise.train`.

    References
    ----------
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019;
    L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020.

    Examples
    --------
    >>> import inkwise
    >>> swept = inkwise.sweep(
    ...     inkwise.get_recipe("case-study", epochs=1),
    ...     "optdigits",
    ...     vary={"batch_size": [64, 128]},
    ...     sampler="grid",
    ...     best=0,
    ...     at_once=1,
    ...     output="runs/swept",
    ... )
    >>> len(swept.trials), swept.ranked[0].values
    (2, {'batch_size': 64})
    >>> swept.conclusions[-1]
    'The test images were not opened.'
    """
    require_training("a sweep")
    require_sweeping("a sweep")
    _check(metric, sampler, trials, best, seeds, seed)
    workshop = Workshop(at_once, data_dir, device, engine, address)
    refuse_two(dataset, data)
    space = read_space(vary)
    usual = isinstance(recipe, str | UsualEpochs)
    described = get_recipe(recipe)
    images = load_either(dataset or "auto", data, data_dir, progress)
    task = described.task(images)
    splits = split_dataset(task, described.holdout, described.seed)
    notices = [images.notice]
    if usual and "epochs" not in space:
        described, notice = scale_epochs(described, len(splits.train))
        notices.append(notice)
    check_space(space, described, task.image_size, len(task.class_names))
    grid = grid_of(space) if sampler == "grid" else None
    count = (20 if grid is None else len(grid)) if trials is None else trials
    count = count if grid is None else min(count, len(grid))
    folder = (
        DEFAULT_PARENT / f"sweep-{file_name(described.name)}-{file_name(images.name)}"
        if output is None
        else Path(output)
    )
    for notice in filter(None, notices):
        progress.notice(notice)
    question = {
        "schema": SCHEMA,
        "recipe": {"schema": RECIPE_SCHEMA, **described.to_dict()},
        "vary": {place: dataclasses.asdict(values) for place, values in space.items()},
        "metric": metric,
        "sampler": sampler,
        "pruning": pruning,
        "seed": seed,
        "dataset": {"name": images.name, "sha256": images.sha256},
    }
    with claim_series(folder, "sweep", question), open_journal(folder) as study:
        search = Search(
            study,
            folder,
            described,
            space,
            metric,
            count,
            sampler,
            grid,
            seed,
            pruning,
            workshop.parallel,
            progress,
            on_trial,
        )
        if left := search.left:
            run_workers(search.work, left, images, workshop)
        search.report()
        swept = Sweep(
            folder,
            described,
            space,
            metric,
            tuple(search.trials()),
            (),
            len(splits.validation),
            images.validation is not None or described.holdout.method == "last",
            search.importances(),
            task.image_size,
            len(task.class_names),
        )
        jobs = _jobs_of_best(swept, best, seeds)
        todo = [job for job in jobs if not _is_complete(job.output)]
        done = len(jobs) - len(todo)

        def tell(_: Job) -> None:
            nonlocal done
            done += 1
            progress.step("the best designs, on fresh seeds", done, len(jobs))

        run_jobs(todo, images, workshop, tell)
        swept = dataclasses.replace(swept, designs=tuple(_read_designs(swept, jobs, seeds)))
        write_sweep_page(swept)
    return swept


def _check(metric: str, sampler: str, trials: int | None, best: int, seeds: int, seed: int) -> None:
    if metric not in METRICS:
        raise ArgumentError(
            f"unknown metric {metric!r}{nearest(metric, METRICS)}: use {' or '.join(METRICS)}; a "
            "sweep does not open the test images"
        )
    if sampler not in SAMPLERS:
        raise ArgumentError(
            f"unknown sampler {sampler!r}{nearest(sampler, SAMPLERS)}: use {', '.join(SAMPLERS)}"
        )
    if trials is not None and not 1 <= trials <= _MOST_TRIALS:
        raise ArgumentError(f"a sweep has from one to {_MOST_TRIALS:,} trials, not {trials:,}")
    if best < 0 or not 1 <= seeds <= _MOST_SEEDS:
        raise ArgumentError(
            f"{best:,} designs on {seeds:,} seeds cannot be trained: use 0 or more designs and "
            f"from one to {_MOST_SEEDS} seeds"
        )
    check_seed("seed of the sampler", seed)


def _jobs_of_best(swept: Sweep, best: int, seeds: int) -> list[Job]:
    return [
        Job(
            "evaluated",
            dataclasses.replace(swept.recipe_of(trial), seed=swept.recipe.seed + number),
            swept.path / "best" / f"trial-{trial.number:03}-seed-{swept.recipe.seed + number}",
        )
        for trial in swept.ranked[:best]
        for number in range(1, seeds + 1)
    ]


def _is_complete(path: Path) -> bool:
    try:
        return Run(path).status == COMPLETE
    except RunError:
        return False


def _read_designs(swept: Sweep, jobs: Sequence[Job], seeds: int) -> Iterator[Design]:
    field = METRICS[swept.metric]
    for place in range(0, len(jobs), seeds):
        runs = tuple(Run(job.output) for job in jobs[place : place + seeds])
        kept = [run.history[run.recipe.keeps(validation_losses(run.history)) - 1] for run in runs]
        yield Design(
            swept.ranked[place // seeds],
            runs,
            spread_over_seeds([getattr(epoch, field) for epoch in kept]),
            spread_over_seeds([run.evaluation.accuracy.value for run in runs]),
        )
