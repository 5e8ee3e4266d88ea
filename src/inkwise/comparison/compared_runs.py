"""Comparing runs on the same test images: which is more accurate, and what may be concluded."""

import dataclasses
import functools
import itertools
import json
import operator
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.comparison.statistics import (
    Paired,
    SeedSpread,
    compare_over_seeds,
    compare_paired,
    spread_over_seeds,
)
from inkwise.errors import ArgumentError, RunError
from inkwise.evaluation.intervals import Estimate
from inkwise.evaluation.results import Evaluation
from inkwise.evaluation.significance import format_p, holm
from inkwise.pages.number_formats import interval
from inkwise.runs.directory import Run
from inkwise.system.extras import require_training
from inkwise.training.recipe import Recipe

SIGNIFICANT = 0.05

CAUTION = (
    "A comparison of two models on these images says nothing about another training of the same "
    "recipe, nor about images from another source. If you choose a model by its results on these "
    "images, the results are too optimistic: choose on validation images."
)
"""What may not be concluded from a comparison of two models on the same images."""

SEEDS_CAUTION = (
    "The spread over seeds measures how trainings of one recipe differ on these very images. "
    "Unlike an interval over images, it says nothing about other images."
)
"""What may not be concluded from a spread over seeds."""


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """A run that takes part in a comparison.

    Parameters
    ----------
    name : str
        Name of the directory, or its path if two directories have the same name.
    run : Run
        The run itself.
    recipe : Recipe or None
        The recipe that it was trained by; None of a model that was trained elsewhere.
    engine : str
        What trained it: ``torch``, ``keras`` or, elsewhere, ``none``.
    evaluation : Evaluation
        Its evaluation on its own test split. Beside runs that were trained for a binary task, the
        answers of one with more classes are read as those of that task.
    """

    name: str
    run: Run
    recipe: Recipe | None
    engine: str
    evaluation: Evaluation

    @functools.cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image was classified correctly, bool (N,)."""
        return self.evaluation.predicted == self.evaluation.labels

    @property
    def errors(self) -> int:
        """Number of misclassified images."""
        return len(self.evaluation) - self.evaluation.correct


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two runs on the same images.

    Parameters
    ----------
    first, second : str
        Names of the runs; the first makes no more errors than the second.
    paired : Paired
        Their paired comparison.
    p_holm : float
        The p value after Holm's correction for all pairs of the comparison.
    tests : int
        Number of these pairs.
    """

    first: str
    second: str
    paired: Paired
    p_holm: float
    tests: int

    @property
    def conclusion(self) -> str:
        """What may be concluded, in a sentence or two."""
        fewer, images = self.paired.fewer_errors, f"these {self.paired.images:,} images"
        errors = self.paired.both_wrong + self.paired.only_first_wrong
        if fewer.value:
            plural = "s" if fewer.value > 1 else ""
            claim = f"{self.first} makes {fewer.value:,} fewer error{plural} than {self.second}"
        else:
            claim = f"{self.first} and {self.second} make equally many errors, {errors:,},"
        test = f"exact McNemar {format_p(self.paired.p_value)}"
        if self.tests > 1:
            test += f", {format_p(self.p_holm)} with Holm's correction for {self.tests} comparisons"
        sentence = f"{claim} on {images} (95%: {_range(fewer)}; {test})."
        if self.p_holm >= SIGNIFICANT:
            sentence += (
                " This may be due to chance: these images do not show which of the two is better."
            )
        return sentence


@dataclasses.dataclass(frozen=True)
class RecipeGroup:
    """Runs of one recipe that differ in nothing but the seed.

    Parameters
    ----------
    name : str
        Name of the recipe, followed by that of its first run if two groups share it.
    members : tuple of str
        Names of the runs.
    accuracy : SeedSpread
        Test accuracy of one run for each seed.
    """

    name: str
    members: tuple[str, ...]
    accuracy: SeedSpread

    @property
    def conclusion(self) -> str:
        """What may be concluded, in a sentence."""
        spread, mean = self.accuracy, self.accuracy.mean
        return (
            f"{self.name}, {len(spread.values)} seeds: mean accuracy {mean.value:.2%}, "
            f"standard deviation {100 * spread.deviation:.2f} percentage points, "
            f"range {min(spread.values):.2%} to {max(spread.values):.2%}; 95% interval of the mean "
            f"over all seeds: {interval(mean)} (Student's t)."
        )


@dataclasses.dataclass(frozen=True)
class RecipePair:
    """Two recipes with several seeds each.

    Parameters
    ----------
    first, second : str
        Names of the groups; the first has the higher mean.
    difference : Estimate
        Difference of the mean accuracies, with the interval of Welch's t-test.
    p_value : float
        The p value of Welch's t-test.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float

    @property
    def conclusion(self) -> str:
        """What may be concluded, in a sentence or two."""
        points, low, high = (100 * end for end in self.difference)
        sentence = (
            f"Over the seeds, the mean accuracy of {self.first} on these images is {points:.2f} "
            f"percentage points above that of {self.second} "
            f"(95%: {low:+.2f} to {high:+.2f}; Welch's t-test {format_p(self.p_value)})."
        )
        if self.p_value >= SIGNIFICANT:
            sentence += " This may be due to chance in the choice of seeds."
        return sentence


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Runs compared on the same images.

    Parameters
    ----------
    runs : tuple of Compared
        At least two runs, in the order given.
    pairs : tuple of Pair
        All pairs of runs.
    groups : tuple of RecipeGroup
        Recipes with runs from several seeds.
    recipe_pairs : tuple of RecipePair
        All pairs of groups, except those in which neither group has any spread.
    positive : str
        The positive class, if a run was trained for a binary task, which all are then compared by.
    """

    runs: tuple[Compared, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[RecipeGroup, ...]
    recipe_pairs: tuple[RecipePair, ...]
    positive: str = ""

    @property
    def task(self) -> str:
        """What the answers are read as, in a sentence; none if as those to all classes."""
        if not self.positive:
            return ""
        return (
            f"All answers are read as those to a binary question, is it {self.positive}: yes where "
            "the probability of this class is above ½."
        )

    @property
    def images(self) -> int:
        """Number of images that the runs were compared on."""
        return len(self.runs[0].evaluation)

    @functools.cached_property
    def disagreements(self) -> NDArray[np.intp]:
        """Indices of the images to which the runs gave different labels, intp (M,)."""
        answers = np.stack([compared.evaluation.predicted for compared in self.runs])
        return np.flatnonzero((answers != answers[0]).any(axis=0))

    @property
    def conclusions(self) -> list[str]:
        """What may be concluded and what may not: a sentence or two for each statement."""
        of_seeds = [it.conclusion for it in self.groups] + [
            it.conclusion for it in self.recipe_pairs
        ]
        return [
            *([self.task] if self.task else []),
            *(pair.conclusion for pair in self.pairs),
            CAUTION,
            *of_seeds,
            *([SEEDS_CAUTION] if of_seeds else []),
        ]


def compare(*runs: Run | str | os.PathLike[str]) -> Comparison:
    """Compare runs on the images of the test split that all of them were evaluated on.

    Predictions are paired image by image: the comparison makes McNemar's exact test and a paired
    bootstrap interval for the difference, with Holm's correction if there are more than two runs.
    Runs that differ in nothing but the seed are summarised as a recipe, with the spread over its
    seeds. Everything comes from the runs' own files; the data set is not needed. A run that was
    trained for the binary task of a class is compared with others by that task alone.

    Parameters
    ----------
    *runs : Run or path-like
        At least two runs.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentError
        There are fewer than two runs, or one of them is given twice.
    RunError
        A run does not exist, has not been evaluated yet, has damaged files, or was evaluated on
        other images than the first.

    Examples
    --------
    >>> import inkwise
    >>> comparison = inkwise.compare("runs/small", "runs/stopped")  # one epoch, two epochs
    >>> comparison.images
    359
    >>> comparison.conclusions[0]
    '...McNemar...'
    """
    require_training("a comparison")
    opened = [run if isinstance(run, Run) else Run(run) for run in runs]
    if len(opened) < 2:
        raise ArgumentError(
            f"a comparison takes at least two runs, not {len(opened)}: name more runs"
        )
    places = [run.path.resolve() for run in opened]
    for place in places:
        if places.count(place) > 1:
            raise ArgumentError(f"{place} is named twice: compare different runs")
    tasks = sorted({run.positive for run in opened} - {""})
    if len(tasks) > 1:
        raise ArgumentError(
            f"the runs were trained for different binary tasks, {' and '.join(tasks)}: compare "
            "runs of one task"
        )
    positive = tasks[0] if tasks else ""
    names = [place.name for place in places]
    compared = tuple(
        Compared(
            name if names.count(name) == 1 else str(run.path),
            run,
            run.recipe if run.trained else None,
            run.record["engine"],
            _read_as(positive, run),
        )
        for name, run in zip(names, opened, strict=True)
    )
    for other in compared[1:]:
        _check_same_images(compared[0], other)
    groups = _recipe_groups(compared)
    return Comparison(compared, _pairs(compared), groups, _recipe_pairs(groups), positive)


def _read_as(positive: str, run: Run) -> Evaluation:
    """Return the evaluation of a run, read as that of a binary task if there is one."""
    evaluation = run.evaluation
    if positive in evaluation.class_names:
        return evaluation.as_binary(positive)
    return evaluation


def _check_same_images(first: Compared, other: Compared) -> None:
    ours, theirs = (compared.run.record["dataset"] for compared in (first, other))
    # Runs of earlier versions recorded only the hash of the whole data set.
    key = "test_sha256" if "test_sha256" in ours and "test_sha256" in theirs else "sha256"
    if ours["class_names"] != theirs["class_names"]:
        key = "test_images_sha256"  # a binary task has other labels
        for compared in (first, other):
            if key not in compared.run.record["dataset"]:
                raise RunError(
                    f"{compared.run.path} was trained by an earlier version, which did not record "
                    "its test images without their labels: train it again to compare it with a "
                    "run of another task"
                )
    names = (compared.evaluation.class_names for compared in (first, other))
    if ours[key] != theirs[key] or operator.ne(*names):
        raise RunError(
            f"{other.run.path} was evaluated on {theirs['name']}, and not on the images of "
            f"{ours['name']} that {first.run.path} was evaluated on: compare runs on the same data"
        )
    if not np.array_equal(first.evaluation.labels, other.evaluation.labels):
        raise RunError(
            f"the true labels in {other.run.path / 'predictions.csv'} differ from those of "
            f"{first.run.path}: run `inkwise evaluate` on both again"
        )


def _pairs(compared: Sequence[Compared]) -> tuple[Pair, ...]:
    ordered = [sorted(two, key=lambda it: it.errors) for two in itertools.combinations(compared, 2)]
    paired = [compare_paired(first.right, second.right) for first, second in ordered]
    corrected = holm([it.p_value for it in paired])
    return tuple(
        Pair(first.name, second.name, it, p, len(ordered))
        for (first, second), it, p in zip(ordered, paired, corrected, strict=True)
    )


def _recipe_groups(compared: Sequence[Compared]) -> tuple[RecipeGroup, ...]:
    by_recipe: dict[tuple[str, ...], dict[int, Compared]] = {}
    for it in compared:
        if it.recipe is not None:
            recipe = repr(dataclasses.replace(it.recipe, seed=0))
            alike = it.engine, recipe, _learned_from(it.run.record)
            # The same seed again is the same training again, not an independent one.
            by_recipe.setdefault(alike, {}).setdefault(it.recipe.seed, it)
    several = [[*seeds.values()] for seeds in by_recipe.values() if len(seeds) > 1]
    names = [members[0].run.origin for members in several]
    return tuple(
        RecipeGroup(
            name if names.count(name) == 1 else f"{name} like {members[0].name}",
            tuple(it.name for it in members),
            spread_over_seeds([it.evaluation.accuracy.value for it in members]),
        )
        for name, members in zip(names, several, strict=True)
    )


def _learned_from(record: Mapping[str, Any]) -> str:
    """Describe the images and labels that a run learned from, but for what its seed has drawn."""
    labels, start, drawn = (record.get(key) for key in ("labels", "start", "drawn"))
    own = record["dataset"]["sha256"] if start is None else [start["sha256"], start["own_images"]]
    return json.dumps([own, labels and labels["sha256"], drawn and drawn["train"]])


def _recipe_pairs(groups: Sequence[RecipeGroup]) -> tuple[RecipePair, ...]:
    pairs = []
    for two in itertools.combinations(groups, 2):
        first, second = sorted(two, key=lambda group: -group.accuracy.mean.value)
        difference, p_value = compare_over_seeds(first.accuracy.values, second.accuracy.values)
        if difference.defined:
            pairs.append(RecipePair(first.name, second.name, difference, p_value))
    return tuple(pairs)


def _range(fewer: Estimate) -> str:
    """Format an interval of fewer errors; negative numbers are formatted as more errors."""
    low, high = int(fewer.low), int(fewer.high)
    if low >= 0:
        return f"{low:,} to {high:,}"
    return f"{-low:,} more to {high:,} fewer"
