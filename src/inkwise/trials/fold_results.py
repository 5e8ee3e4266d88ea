"""What came of a cross-validation: every fold, every recipe, and what may be concluded."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from inkwise.comparison.statistics import over_folds
from inkwise.errors import counted
from inkwise.evaluation.intervals import Estimate
from inkwise.evaluation.significance import LEVEL, format_p, holm
from inkwise.pages.number_formats import interval, percent
from inkwise.runs.directory import Run
from inkwise.system.tables import write_csv

CAUTION = (
    "The test images were not opened. If you choose among recipes by these figures, those of the "
    "best are too optimistic: train it anew, and open the test images once."
)
"""What may not be concluded from a cross-validation."""


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


def summarise(
    name: str, results: Mapping[tuple[str, int, int], FoldResult], folds: int
) -> Validated:
    """Return what came of a recipe, from the results by recipe, repeat and fold."""
    own = tuple(results[place] for place in sorted(results) if place[0] == name)
    mean, _ = over_folds([fold.accuracy for fold in own], 1 / (folds - 1))
    return Validated(name, own, mean)


def compare(found: Sequence[Validated], folds: int) -> tuple[FoldPair, ...]:
    """Compare all pairs of recipes by the corrected resampled t-test, with Holm's correction."""
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


def write_table(folder: Path, found: Sequence[Validated]) -> None:
    """Write a table of all folds, which spreadsheets read."""

    def rows() -> Iterator[tuple[object, ...]]:
        for result in found:
            for fold in result.folds:
                evaluation = fold.run.evaluation
                errors = len(evaluation) - evaluation.correct
                place = fold.run.path.relative_to(folder).as_posix()
                yield fold.recipe, fold.repeat, fold.fold, len(evaluation), errors, place

    write_csv(folder / "folds.csv", ["recipe", "repeat", "fold", "images", "errors", "run"], rows())
