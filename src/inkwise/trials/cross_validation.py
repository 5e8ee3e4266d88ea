"""Cross-validation: a recipe trained as often as there are folds, each tested on what it lacks."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from inkwise.data.catalogue import load_either, refuse_two
from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, RunError, counted
from inkwise.runs.directory import COMPLETE, DEFAULT_PARENT, Run
from inkwise.system.extras import require_training
from inkwise.system.folders import file_name
from inkwise.system.progress import SILENT, Progress
from inkwise.training.named_recipes import UsualEpochs, get_recipe, scale_epochs
from inkwise.training.recipe import Recipe
from inkwise.training.value_checks import check_seed
from inkwise.trials.fold_results import (
    CrossValidation,
    FoldResult,
    compare,
    summarise,
    write_table,
)
from inkwise.trials.folder import claim_series
from inkwise.trials.folds import divide, pool, read_writers
from inkwise.trials.running_jobs import run_jobs
from inkwise.trials.trainings import Fold, Job, Workshop

SCHEMA = "inkwise-cross-validation/1"

_MOST_REPEATS = 100


def cross_validate(
    *recipes: str | Recipe,
    dataset: str | Dataset | None = None,
    folds: int = 10,
    repeats: int = 1,
    writers: ArrayLike | str | os.PathLike[str] | None = None,
    seed: int = 0,
    at_once: int | None = None,
    engine: str = "here",
    address: str | None = None,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
    on_fold: Callable[[FoldResult], object] | None = None,
) -> CrossValidation:
    """Train recipes on all folds of the training images but one, and test them on that one.

    The folds have the classes in the same shares and, where the writers are known, no writer in
    common. All recipes have the same folds, and are compared by the corrected resampled t-test of
    Nadeau and Bengio. The test images of the data set stay closed. Every training is a run. The
    same call goes on with what was interrupted or killed; with more recipes or `repeats` it adds to
    what is there.

    Parameters
    ----------
    *recipes : str or Recipe
        At least one recipe, or the name of one.
    dataset, data, data_dir, device, progress
        As for `inkwise.train`. Validation images of the data set's own are among the folds.
    folds, repeats : int
        Into how many parts the images are divided, at least two; and how often, each time anew,
        from 1 to 100.
    writers : array-like of shape (N,), or path-like, optional
        Who wrote each training image, in their order: names or numbers, or a CSV table with a
        column ``writer``. Of QMNIST it is known.
    seed : int
        Seed of the division, from 0 to 2³² − 1.
    at_once, engine, address
        As for `inkwise.sweep`.
    output : path-like, optional
        The folder, by default ``runs/folds-`` and the name of the data set.
    on_fold : callable, optional
        Called with every `FoldResult`, and those that were there.

    Returns
    -------
    CrossValidation
        With `results`, `pairs` and `conclusions`.

    Raises
    ------
    ArgumentError
        There are too few images of a class, or writers, for so many folds; two recipes have the
        same name; the folder holds other folds.
    RunError
        Another process is at work in the folder.
    InkwiseError
        As from `inkwise.train`.

    Examples
    --------
    >>> import inkwise
    >>> checked = inkwise.cross_validate(
    ...     inkwise.get_recipe("perceptron", epochs=1),
    ...     dataset="optdigits",
    ...     folds=3,
    ...     at_once=1,
    ...     output="runs/folds",
    ... )
    >>> checked.results[0].accuracy
    Estimate(value=0..., low=..., high=...)
    >>> len(checked.results[0].folds)
    3
    """
    require_training("a cross-validation")
    workshop = Workshop(at_once, data_dir, device, engine, address)
    if folds < 2 or not 1 <= repeats <= _MOST_REPEATS:
        raise ArgumentError(
            f"{counted(folds, 'fold')}, {counted(repeats, 'time')}: there are at least two folds, "
            f"once to {_MOST_REPEATS} times"
        )
    check_seed("seed of the division", seed)
    refuse_two(dataset, data)
    loaded = load_either(dataset or "auto", data, data_dir, progress)
    by_whom = read_writers(writers, loaded)
    images = pool(loaded)
    described, notices = _describe(recipes, images, folds)
    for notice in filter(None, (loaded.notice, *notices)):
        progress.notice(notice)
    divisions = [
        divide(images, by_whom, folds, (seed + repeat) % 2**32) for repeat in range(repeats)
    ]
    folder = DEFAULT_PARENT / f"folds-{file_name(images.name)}" if output is None else Path(output)
    question = {
        "schema": SCHEMA,
        "folds": folds,
        "seed": seed,
        "writers": None if by_whom is None else hashlib.sha256(by_whom.tobytes()).hexdigest(),
        "dataset": {"name": loaded.name, "sha256": loaded.sha256},
    }
    with claim_series(folder, "cross-validation", question):
        jobs = {
            (recipe.name, repeat + 1, number + 1): Job(
                "evaluated",
                dataclasses.replace(recipe, seed=recipe.seed + repeat * folds + number),
                folder / file_name(recipe.name) / f"repeat-{repeat + 1}-fold-{number + 1:02}",
                Fold(
                    f"{images.name}, fold {number + 1} of {folds}, repeat {repeat + 1}",
                    tuple(train.tolist()),
                    tuple(test.tolist()),
                ),
            )
            for repeat, division in enumerate(divisions)
            for number, (train, test) in enumerate(division)
            for recipe in described
        }
        places = {job.output: place for place, job in jobs.items()}
        results: dict[tuple[str, int, int], FoldResult] = {}

        def tell(job: Job) -> None:
            place, run = places[job.output], Run(job.output)
            results[place] = FoldResult(*place, run, run.evaluation.accuracy.value)
            progress.step("folds", len(results), len(jobs))
            if on_fold is not None:
                on_fold(results[place])

        todo = []
        for job in jobs.values():
            if _is_complete(job):
                tell(job)
            else:
                todo.append(job)
        run_jobs(todo, images, workshop, tell)
        found = tuple(summarise(recipe.name, results, folds) for recipe in described)
        write_table(folder, found)
    count = 0 if by_whom is None else len(np.unique(by_whom))
    return CrossValidation(folder, found, compare(found, folds), count)


def _describe(
    recipes: Sequence[str | Recipe], images: Dataset, folds: int
) -> tuple[list[Recipe], list[str | None]]:
    """Return the recipes, and notices of epochs that were changed."""
    if not recipes:
        raise ArgumentError("a cross-validation takes at least one recipe: name one")
    described, notices = [], list[str | None]()
    for given in recipes:
        recipe = get_recipe(given)
        if isinstance(given, str | UsualEpochs):
            recipe, notice = scale_epochs(recipe, len(images.train) * (folds - 1) // folds)
            notices.append(notice and f"{recipe.name}: {notice}")
        task = recipe.task(images)
        recipe.describe_network(task.image_size, len(task.class_names))
        described.append(recipe)
    names = [file_name(recipe.name) for recipe in described]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(
                f"two recipes are called {name}: rename one, with name = in its file"
            )
    if len({recipe.positive for recipe in described}) > 1:
        raise ArgumentError(
            "the recipes have different tasks, by their positive class: compare recipes of one task"
        )
    return described, notices


def _is_complete(job: Job) -> bool:
    try:
        run = Run(job.output)
    except RunError:
        return False
    if run.recipe != job.recipe:
        raise ArgumentError(
            f"{job.output} was trained by another recipe {job.recipe.name}: rename one, with "
            "name = in its file, or choose another --output"
        )
    return run.status == COMPLETE
