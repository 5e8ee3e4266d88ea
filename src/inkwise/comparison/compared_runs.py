"""Runs side by side: which of them answers the same images better, and what may be concluded."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Sequence

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
from inkwise.runs.directory import Run
from inkwise.system.extras import require_training
from inkwise.training.recipe import Recipe

SIGNIFICANT = 0.05

CAUTION = (
    "It says nothing of another training of the same recipe, nor of images from another source. "
    "If a model is chosen on these images, its figures on them flatter it: choose on validation "
    "images."
)
"""What may not be concluded from a comparison of two models on the same images."""

SEEDS_CAUTION = (
    "Spread over seeds is another kind of luck than an interval over images: it says how trainings "
    "of one recipe differ on these very images, and nothing of other images."
)
"""What may not be concluded from a spread over seeds."""


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """A run that takes part in a comparison.

    Parameters
    ----------
    name : str
        The directory's name, or its path where two have the same.
    run : Run
    recipe : Recipe
    engine : str
    evaluation : Evaluation
        Of its own test split.
    """

    name: str
    run: Run
    recipe: Recipe
    engine: str
    evaluation: Evaluation

    @functools.cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image was labelled right, bool (N,)."""
        return self.evaluation.predicted == self.evaluation.labels

    @property
    def errors(self) -> int:
        """How many images were labelled wrong."""
        return len(self.evaluation) - self.evaluation.correct


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two runs on the same images.

    Parameters
    ----------
    first, second : str
        Names; the first makes no more errors than the second.
    paired : Paired
    p_holm : float
        The p-value after Holm's correction for all pairs of the comparison.
    tests : int
        How many pairs that are.
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
            sentence += " That may be luck with the images: they do not tell which is better."
        return sentence


@dataclasses.dataclass(frozen=True)
class RecipeGroup:
    """Runs of one recipe that differ in nothing but the seed.

    Parameters
    ----------
    name : str
        The recipe's; with the first run's where two groups would have the same.
    members : tuple of str
        Names of the runs.
    accuracy : SeedSpread
        Of one run a seed.
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
            f"standard deviation {100 * spread.deviation:.2f} points, "
            f"{min(spread.values):.2%} to {max(spread.values):.2%}; the mean over all seeds may "
            f"lie in {100 * mean.low:.2f}–{100 * mean.high:.2f}% (95%, Student's t)."
        )


@dataclasses.dataclass(frozen=True)
class RecipePair:
    """Two recipes over several seeds each.

    Parameters
    ----------
    first, second : str
        Names of the groups; the first has the higher mean.
    difference : Estimate
        Of the mean accuracies, with Welch's interval.
    p_value : float
        Of Welch's test.
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
            f"Over seeds, {self.first} is {points:.2f} points above {self.second} on these images "
            f"(95%: {low:+.2f} to {high:+.2f}; Welch's t-test {format_p(self.p_value)})."
        )
        if self.p_value >= SIGNIFICANT:
            sentence += " That may be luck with the seeds."
        return sentence


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Runs compared on the same images.

    Parameters
    ----------
    runs : tuple of Compared
        In the order given, at least two.
    pairs : tuple of Pair
        All of them.
    groups : tuple of RecipeGroup
        Recipes of which there are several seeds.
    recipe_pairs : tuple of RecipePair
        All pairs of these, but for those without any spread.
    """

    runs: tuple[Compared, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[RecipeGroup, ...]
    recipe_pairs: tuple[RecipePair, ...]

    @property
    def images(self) -> int:
        """How many images the runs were compared on."""
        return len(self.runs[0].evaluation)

    @functools.cached_property
    def disagreements(self) -> NDArray[np.intp]:
        """Indices of the images that not all runs gave the same label, intp (M,)."""
        answers = np.stack([compared.evaluation.predicted for compared in self.runs])
        return np.flatnonzero((answers != answers[0]).any(axis=0))

    @property
    def conclusions(self) -> list[str]:
        """What may be concluded, and what not: a sentence or two each."""
        of_seeds = [it.conclusion for it in self.groups] + [
            it.conclusion for it in self.recipe_pairs
        ]
        return [
            *(pair.conclusion for pair in self.pairs),
            CAUTION,
            *of_seeds,
            *([SEEDS_CAUTION] if of_seeds else []),
        ]


def compare(*runs: Run | str | os.PathLike[str]) -> Comparison:
    """Compare runs on the images of the test split that all of them were evaluated on.

    Answers are paired image by image: McNemar's exact test, a paired bootstrap interval for the
    difference, Holm's correction where there are more than two runs. Runs that differ in nothing
    but the seed are summed up as a recipe, with the spread over its seeds. Everything comes from
    the runs' own files; the data set is not needed.

    Parameters
    ----------
    *runs : Run or path-like
        At least two.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentError
        There are fewer than two runs, or one of them twice.
    RunError
        There is no such run, it was not evaluated yet, its files are damaged, or it was evaluated
        on other images than the first.

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
        raise ArgumentError(f"a comparison takes at least two runs, not {len(opened)}: name others")
    places = [run.path.resolve() for run in opened]
    for place in places:
        if places.count(place) > 1:
            raise ArgumentError(f"{place} is named twice: compare different runs")
    names = [place.name for place in places]
    compared = tuple(
        Compared(
            name if names.count(name) == 1 else str(run.path),
            run,
            run.recipe,
            run.record["engine"],
            run.evaluation,
        )
        for name, run in zip(names, opened, strict=True)
    )
    for other in compared[1:]:
        _check_same_images(compared[0], other)
    groups = _recipe_groups(compared)
    return Comparison(compared, _pairs(compared), groups, _recipe_pairs(groups))


def _check_same_images(first: Compared, other: Compared) -> None:
    ours, theirs = (compared.run.record["dataset"] for compared in (first, other))
    # Runs of an earlier version say only what the whole data set was.
    key = "test_sha256" if "test_sha256" in ours and "test_sha256" in theirs else "sha256"
    if ours[key] != theirs[key] or ours["class_names"] != theirs["class_names"]:
        raise RunError(
            f"{other.run.path} was evaluated on {theirs['name']}, and not on the images of "
            f"{ours['name']} that {first.run.path} was evaluated on: compare runs on the same data"
        )
    if not np.array_equal(first.evaluation.labels, other.evaluation.labels):
        raise RunError(
            f"the true labels in {other.run.path / 'predictions.csv'} are not those of "
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
    by_recipe: dict[tuple[str, str], list[Compared]] = {}
    for it in compared:
        recipe = repr(dataclasses.replace(it.recipe, seed=0))
        by_recipe.setdefault((it.engine, recipe), []).append(it)
    # The same seed again is the same training again, and no further luck.
    seeds = [{it.recipe.seed: it for it in reversed(members)} for members in by_recipe.values()]
    several = [list(reversed(chosen.values())) for chosen in seeds if len(chosen) > 1]
    names = [members[0].recipe.name for members in several]
    return tuple(
        RecipeGroup(
            name if names.count(name) == 1 else f"{name} like {members[0].name}",
            tuple(it.name for it in members),
            spread_over_seeds([it.evaluation.accuracy.value for it in members]),
        )
        for name, members in zip(names, several, strict=True)
    )


def _recipe_pairs(groups: Sequence[RecipeGroup]) -> tuple[RecipePair, ...]:
    pairs = []
    for two in itertools.combinations(groups, 2):
        first, second = sorted(two, key=lambda group: -group.accuracy.mean.value)
        difference, p_value = compare_over_seeds(first.accuracy.values, second.accuracy.values)
        if difference.defined:
            pairs.append(RecipePair(first.name, second.name, difference, p_value))
    return tuple(pairs)


def _range(fewer: Estimate) -> str:
    """Say from how many to how many errors fewer, where less than none are more."""
    low, high = int(fewer.low), int(fewer.high)
    if low >= 0:
        return f"{low:,} to {high:,}"
    return f"{-low:,} more to {high:,} fewer"
