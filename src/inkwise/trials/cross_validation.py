"""Cross-validation: a recipe trained as often as there are folds, each tested on what it lacks."""

import contextlib
import dataclasses
import hashlib
import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkwise.comparison.statistics import over_folds
from inkwise.data.catalogue import load_either, refuse_two
from inkwise.data.dataset import Dataset, Split
from inkwise.data.idx import read_idx
from inkwise.errors import ArgumentError, DataError, RunError, counted
from inkwise.evaluation.intervals import Estimate
from inkwise.evaluation.significance import LEVEL, format_p, holm
from inkwise.pages.formats import interval, percent
from inkwise.runs.directory import COMPLETE, DEFAULT_PARENT, Run
from inkwise.system.extras import require_training
from inkwise.system.folders import file_name
from inkwise.system.progress import SILENT, Progress
from inkwise.system.tables import read_csv, write_csv
from inkwise.training.named_recipes import get_recipe, scale_epochs
from inkwise.training.recipe import Recipe
from inkwise.trials.doing import run_jobs
from inkwise.trials.folder import claim_series
from inkwise.trials.trainings import Fold, Job, Workshop

SCHEMA = "inkwise-cross-validation/1"

CAUTION = (
    "The test images were not opened. If you choose among recipes by these figures, those of the "
    "best are too optimistic: train it anew, and open the test images once."
)
"""What may not be concluded from a cross-validation."""

_WRITER = 2  # the column of QMNIST's labels with who wrote the digit


@dataclasses.dataclass(frozen=True)
class FoldResult:
    """A training on all folds but one, and its test on that one.

    Parameters
    ----------
    recipe : str
        Name of the recipe.
    repeat, fold : int
        Numbers, from 1.
    run : Run
    accuracy : float
        On the images of the fold.
    """

    recipe: str
    repeat: int
    fold: int
    run: Run
    accuracy: float

    def __str__(self) -> str:
        count = len(self.run.evaluation)
        return (
            f"{self.recipe}, repeat {self.repeat}, fold {self.fold}: {percent(self.accuracy)} of "
            f"{counted(count, 'image')}"
        )


@dataclasses.dataclass(frozen=True)
class Validated:
    """A recipe, cross-validated.

    Parameters
    ----------
    name : str
        Name of the recipe.
    folds : tuple of FoldResult
        All folds of the first repeat, then of the next.
    accuracy : Estimate
        Mean accuracy over the folds, with an interval that allows for what folds share.
    """

    name: str
    folds: tuple[FoldResult, ...]
    accuracy: Estimate

    @property
    def deviation(self) -> float:
        """Sample standard deviation of the accuracy over the folds."""
        return float(np.std([fold.accuracy for fold in self.folds], ddof=1))

    @property
    def conclusion(self) -> str:
        """What was found, in a sentence."""
        within = Estimate(self.accuracy.value, *np.clip(self.accuracy[1:], 0, 1).tolist())
        told = f" (95%: {interval(within)})" if not math.isnan(within.low) else ""
        return (
            f"{self.name}: mean accuracy {percent(self.accuracy)} over "
            f"{counted(len(self.folds), 'fold')}{told}."
        )


@dataclasses.dataclass(frozen=True)
class FoldPair:
    """Two recipes on the same folds.

    Parameters
    ----------
    first, second : str
        Names of the recipes; the first has the higher mean.
    difference : Estimate
        Difference of the mean accuracies, with the interval of the corrected resampled t-test.
    p_value, p_holm : float
        Its p value, and that after Holm's correction for all pairs.
    tests : int
        Number of these pairs.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float
    p_holm: float
    tests: int

    @property
    def conclusion(self) -> str:
        """What may be concluded, in a sentence or two."""
        points, low, high = (100 * end for end in self.difference)
        claim = (
            f"On the same folds, {self.first} is {points:.2f} percentage points above {self.second}"
        )
        if math.isnan(self.p_value):
            return f"{claim}; the folds do not differ, and so nothing can be concluded."
        test = f"corrected resampled t-test {format_p(self.p_value)}"
        if self.tests > 1:
            test += f", {format_p(self.p_holm)} with Holm's correction for {self.tests} comparisons"
        sentence = f"{claim} (95%: {low:+.2f} to {high:+.2f}; {test})."
        if self.p_holm >= LEVEL:
            sentence += " This may be due to chance: these folds do not show which is better."
        return sentence


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """What came of a cross-validation.

    Parameters
    ----------
    path : Path
        Its folder.
    results : tuple of Validated
        One for each recipe.
    pairs : tuple of FoldPair
        All pairs of recipes.
    writers : int
        Number of writers, whose images are in one fold each; 0 if they are not known.
    """

    path: Path
    results: tuple[Validated, ...]
    pairs: tuple[FoldPair, ...]
    writers: int

    @property
    def conclusions(self) -> list[str]:
        """What was found, and what may not be concluded: a sentence or two for each statement."""
        told = (
            f"All images of each of the {self.writers:,} writers are in one fold: the figures hold "
            "for people whose writing was not learned."
            if self.writers
            else "Who wrote the images is not known: where one person wrote several, the figures "
            "are too good for people whose writing was not learned."
        )
        return [
            *(result.conclusion for result in self.results),
            *(pair.conclusion for pair in self.pairs),
            told,
            CAUTION,
        ]


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
        Into how many parts the images are divided, at least two; and how often, each time anew.
    writers : array-like of shape (N,), or path-like, optional
        Who wrote each training image, in their order: names or numbers, or a CSV table with a
        column ``writer``. Of QMNIST it is known.
    seed : int
        Seed of the division.
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
    if folds < 2 or repeats < 1:
        raise ArgumentError(
            f"{counted(folds, 'fold')}, {counted(repeats, 'time')}: there are at least two folds, "
            "at least once"
        )
    refuse_two(dataset, data)
    loaded = load_either(dataset or "auto", data, data_dir, progress)
    by_whom = _read_writers(writers, loaded)
    images = _pool(loaded)
    described, notices = _describe(recipes, images, folds)
    for notice in filter(None, (loaded.notice, *notices)):
        progress.notice(notice)
    divisions = [divide(images, by_whom, folds, seed + repeat) for repeat in range(repeats)]
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
        found = tuple(_summarise(recipe.name, results, folds) for recipe in described)
        _write_table(folder, found)
    count = 0 if by_whom is None else len(np.unique(by_whom))
    return CrossValidation(folder, found, _compare(found, folds), count)


def _pool(data: Dataset) -> Dataset:
    """Return a data set whose validation images are among the training images."""
    if data.validation is None:
        return data
    parts = data.train, data.validation
    return dataclasses.replace(
        data,
        train=Split(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
        ),
        validation=None,
    )


def _describe(
    recipes: Sequence[str | Recipe], images: Dataset, folds: int
) -> tuple[list[Recipe], list[str | None]]:
    """Return the recipes, and notices of epochs that were changed."""
    if not recipes:
        raise ArgumentError("a cross-validation takes at least one recipe: name one")
    described, notices = [], list[str | None]()
    for given in recipes:
        recipe = get_recipe(given)
        if isinstance(given, str):
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


def _read_writers(
    writers: ArrayLike | str | os.PathLike[str] | None, data: Dataset
) -> NDArray[np.int64] | None:
    """Return a number for the writer of each training image, int64 (N,), if they are known."""
    if writers is None and data.name == "qmnist":
        for path in sorted(Path(data.source).rglob("qmnist-train-labels-idx2-int*")):
            with contextlib.suppress(DataError):
                columns = read_idx(path)
                if columns.ndim == 2 and columns.shape[1] > _WRITER:
                    writers = columns[:, _WRITER]
                    break
    if writers is None:
        return None
    if isinstance(writers, str | os.PathLike):
        table = read_csv(writers, ["writer"], "a list of writers")
        writers = [row[table.header.index("writer")] for row in table.rows]
    named = np.asarray(writers)
    count = len(data.train) + (0 if data.validation is None else len(data.validation))
    if named.shape != (count,):
        raise ArgumentError(
            f"there are {counted(count, 'training image')}, and writers of shape {named.shape}: "
            "name the writer of each, in their order"
        )
    return np.unique(named, return_inverse=True)[1].astype(np.int64)


def divide(
    images: Dataset, writers: NDArray[np.int64] | None, folds: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Divide the training images by class and, if they are known, by writers.

    Returns
    -------
    list of tuple of ndarray of intp
        For each fold, the indices of the images to train and to test on, ascending.

    Raises
    ------
    ArgumentError
        There are too few images of a class, or writers.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels = images.train.labels
    counts = np.bincount(labels, minlength=len(images.class_names))
    rarest = int(np.where(counts > 0, counts, counts.max()).argmin())
    if counts[rarest] < folds:
        raise ArgumentError(
            f"{folds} folds are too many: there are {counted(int(counts[rarest]), 'image')} of "
            f"{images.class_names[rarest]}, and each fold needs one"
        )
    if writers is None:
        split = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(split.split(labels, labels))
    if (count := len(np.unique(writers))) < folds:
        raise ArgumentError(
            f"{folds} folds are too many: there are {counted(count, 'writer')}, and each fold "
            "needs one"
        )
    grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a writer may have written few classes
        found = list(grouped.split(labels, labels, writers))
    if any(len(test) == 0 for _, test in found):
        raise ArgumentError(f"{folds} folds are too many for these writers: use fewer")
    return found


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


def _summarise(name: str, results: dict[tuple[str, int, int], FoldResult], folds: int) -> Validated:
    own = tuple(results[place] for place in sorted(results) if place[0] == name)
    mean, _ = over_folds([fold.accuracy for fold in own], 1 / (folds - 1))
    return Validated(name, own, mean)


def _compare(found: Sequence[Validated], folds: int) -> tuple[FoldPair, ...]:
    tested = []
    for two in itertools.combinations(found, 2):
        first, second = sorted(two, key=lambda each: -each.accuracy.value)
        pairs = zip(first.folds, second.folds, strict=True)
        differences = [one.accuracy - other.accuracy for one, other in pairs]
        tested.append((first.name, second.name, *over_folds(differences, 1 / (folds - 1))))
    corrected = holm([1.0 if math.isnan(p) else p for *_, p in tested])
    return tuple(
        FoldPair(*each, p, len(tested)) for each, p in zip(tested, corrected.tolist(), strict=True)
    )


def _write_table(folder: Path, found: Sequence[Validated]) -> None:
    def rows() -> Iterator[tuple[object, ...]]:
        for result in found:
            for fold in result.folds:
                evaluation = fold.run.evaluation
                errors = len(evaluation) - evaluation.correct
                place = fold.run.path.relative_to(folder).as_posix()
                yield fold.recipe, fold.repeat, fold.fold, len(evaluation), errors, place

    write_csv(folder / "folds.csv", ["recipe", "repeat", "fold", "images", "errors", "run"], rows())
