"""Comparison: whether two models differ on the same images, and trainings of a recipe in luck.

Two kinds of luck are kept apart. Tests and intervals over images say how two *trained models* would
compare on other images from the same source; spreads over seeds say how trainings of one *recipe*
differ on the same images. Neither says anything about the other.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError
from inkwise.evaluation.intervals import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    UNDEFINED,
    Estimate,
    wilson,
)
from inkwise.evaluation.significance import mcnemar


@dataclasses.dataclass(frozen=True)
class Paired:
    """Two models' answers about the same images.

    Parameters
    ----------
    both_wrong, only_first_wrong, only_second_wrong, both_right : int
        Images.
    difference : Estimate
        By how much the first model's accuracy is above the second's, from −1 to 1, with a paired
        bootstrap interval.
    p_value : float
        Of McNemar's exact test, two-sided: the chance that as one-sided a split of the images that
        only one model has wrong, or a more one-sided one, comes of equally good models.
    """

    both_wrong: int
    only_first_wrong: int
    only_second_wrong: int
    both_right: int
    difference: Estimate
    p_value: float

    @property
    def images(self) -> int:
        """How many images there are."""
        one_wrong = self.only_first_wrong + self.only_second_wrong
        return self.both_wrong + one_wrong + self.both_right

    @property
    def fewer_errors(self) -> Estimate:
        """How many errors fewer the first model makes on these images, with the interval."""
        return Estimate(*(round(end * self.images) for end in self.difference))


def compare_paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Compare two models' answers about the same images.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Whether each image was answered right; N ≥ 1.

    Returns
    -------
    Paired

    Raises
    ------
    ArgumentError
        There is no image, or not as many of one as of the other.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947) 153–157; T. G. Dietterich, "Approximate statistical tests
    for comparing supervised classification learning algorithms", Neural Computation 10 (1998)
    1895–1923; B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993,
    chapter 8, for resampling pairs.
    """
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise ArgumentError(
            "answers to compare must be of one shape (N,), with at least one image, not "
            f"{first.shape} and {second.shape}"
        )
    both_wrong, only_first, only_second, both_right = (
        int(np.sum(cell))
        for cell in (~first & ~second, ~first & second, first & ~second, first & second)
    )
    total, differ = len(first), only_first + only_second
    value = (only_second - only_first) / total
    if differ == 0:  # all resamples are alike; Wilson's says how many images might tell them apart
        most = wilson(0, total).high
        difference = Estimate(0.0, -most, most)
    elif abs(value) == 1:  # alike again; as many as Wilson's says might be the other way round
        least = 1 - 2 * wilson(0, total).high
        difference = Estimate(value, *sorted((value, value * least)))
    else:
        generator = np.random.default_rng(SEED)
        # An image and both answers about it are drawn together: that is drawing the table's cells.
        shares = np.array([only_first, only_second, total - differ]) / total
        drawn = generator.multinomial(total, shares, size=RESAMPLES)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / total, [tail, 1 - tail])
        difference = Estimate(value, min(value, float(low)), max(value, float(high)))
    return Paired(
        both_wrong,
        only_first,
        only_second,
        both_right,
        difference,
        mcnemar(only_first, only_second),
    )


@dataclasses.dataclass(frozen=True)
class SeedSpread:
    """A figure over trainings that differ in nothing but the seed.

    Parameters
    ----------
    values : tuple of float
        One a training.
    mean : Estimate
        With Student's t interval: where the mean over all seeds may lie, on these very images.
    deviation : float
        Standard deviation of a single training, with n − 1; NaN of one training.
    """

    values: tuple[float, ...]
    mean: Estimate
    deviation: float


def spread_over_seeds(values: Sequence[float]) -> SeedSpread:
    """Summarise a figure over trainings with different seeds.

    Parameters
    ----------
    values : sequence of float
        One a training, at least one. One alone has a mean without an interval: NaN.

    Returns
    -------
    SeedSpread

    Raises
    ------
    ArgumentError
        There is no value.
    """
    from scipy import stats

    if not len(values):
        raise ArgumentError("there is no spread of no values: pass one a training")
    mean = float(np.mean(values))
    if len(values) == 1:
        return SeedSpread((float(values[0]),), Estimate(mean, math.nan, math.nan), math.nan)
    deviation = float(np.std(values, ddof=1))
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, len(values) - 1)) * deviation
    half /= math.sqrt(len(values))
    return SeedSpread(
        tuple(map(float, values)), Estimate(mean, mean - half, mean + half), deviation
    )


def compare_over_seeds(first: Sequence[float], second: Sequence[float]) -> tuple[Estimate, float]:
    """Compare two recipes by a figure of several trainings each.

    Parameters
    ----------
    first, second : sequence of float
        One value a training, each with a seed of its own.

    Returns
    -------
    difference : Estimate
        The first mean minus the second, with Welch's t interval.
    p_value : float
        Of Welch's test. Both are undefined, NaN, unless either recipe has two trainings and one of
        them some spread.

    References
    ----------
    B. L. Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34 (1947) 28–35.
    """
    from scipy import stats

    if min(len(first), len(second)) < 2 or not (np.ptp(first) or np.ptp(second)):
        return UNDEFINED, math.nan
    test = stats.ttest_ind(first, second, equal_var=False)
    interval = test.confidence_interval(CONFIDENCE)
    value = float(np.mean(first) - np.mean(second))
    return Estimate(value, float(interval.low), float(interval.high)), float(test.pvalue)
