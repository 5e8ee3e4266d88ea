"""Statistics for comparisons: of two models on the same images, and of recipes over seeds.

Two sources of chance are kept apart. Tests and intervals over images say how two *trained models*
would compare on other images from the same source; spreads over seeds say how trainings of one
*recipe* differ on the same images. Neither says anything about the other.
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
    """A paired comparison of two models on the same images.

    Parameters
    ----------
    both_wrong, only_first_wrong, only_second_wrong, both_right : int
        Numbers of images that both models, only the first, only the second or neither
        misclassified.
    difference : Estimate
        Accuracy of the first model minus that of the second, from −1 to 1, with a paired bootstrap
        interval.
    p_value : float
        Two-sided p value of McNemar's exact test: the probability that two equally good models
        would split the images that only one of them misclassified at least as unevenly.
    """

    both_wrong: int
    only_first_wrong: int
    only_second_wrong: int
    both_right: int
    difference: Estimate
    p_value: float

    @property
    def images(self) -> int:
        """Number of images."""
        one_wrong = self.only_first_wrong + self.only_second_wrong
        return self.both_wrong + one_wrong + self.both_right

    @property
    def fewer_errors(self) -> Estimate:
        """The number of errors by which the first model has fewer, with its interval."""
        return Estimate(*(round(end * self.images) for end in self.difference))


def compare_paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Compare the predictions of two models on the same images.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Whether each model classified each image correctly; N ≥ 1.

    Returns
    -------
    Paired

    Raises
    ------
    ArgumentError
        There is no image, or the arrays differ in length.

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
            "arrays to compare must have the same shape (N,), with at least one image, not "
            f"{first.shape} and {second.shape}"
        )
    both_wrong, only_first, only_second, both_right = (
        int(np.sum(cell))
        for cell in (~first & ~second, ~first & second, first & ~second, first & second)
    )
    total, differ = len(first), only_first + only_second
    value = (only_second - only_first) / total
    if differ == 0:  # all resamples are the same: Wilson's bounds the share that could differ
        most = wilson(0, total).high
        difference = Estimate(0.0, -most, most)
    elif abs(value) == 1:  # the same again: Wilson's bounds the share the other way round
        least = 1 - 2 * wilson(0, total).high
        difference = Estimate(value, *sorted((value, value * least)))
    else:
        generator = np.random.default_rng(SEED)
        # Resampling images with both predictions is the same as drawing the cells of the table.
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
    """A metric over trainings that differ in nothing but the seed.

    Parameters
    ----------
    values : tuple of float
        One value for each training.
    mean : Estimate
        Mean, with Student's t interval for the mean over all seeds on these very images.
    deviation : float
        Sample standard deviation (with n − 1); NaN for a single training.
    """

    values: tuple[float, ...]
    mean: Estimate
    deviation: float


def spread_over_seeds(values: Sequence[float]) -> SeedSpread:
    """Summarise a metric over trainings with different seeds.

    Parameters
    ----------
    values : sequence of float
        One value for each training, at least one. The interval of a single value is NaN.

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
        raise ArgumentError("there are no values to summarise: pass one for each training")
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
    """Compare two recipes by a metric over several trainings each.

    Parameters
    ----------
    first, second : sequence of float
        One value for each training, all with different seeds.

    Returns
    -------
    difference : Estimate
        The first mean minus the second, with Welch's t interval.
    p_value : float
        The p value of Welch's t-test. Both are undefined (NaN) unless each recipe has at least two
        trainings and at least one of the recipes has some spread.

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


def over_folds(values: Sequence[float], ratio: float) -> tuple[Estimate, float]:
    """Return the mean over the folds of a cross-validation, and whether it differs from zero.

    Trainings on folds share most of their images, and so vary together: an interval that takes them
    as independent is far too narrow. Nadeau and Bengio correct the variance of the mean for it.

    Parameters
    ----------
    values : sequence of float
        One value for each fold, of all repeats: a metric, or its difference between two recipes.
    ratio : float
        Number of images that a fold was tested on, divided by the number that it was trained on.

    Returns
    -------
    mean : Estimate
        With the 95% interval for the mean over other images and seeds; its ends are NaN if there
        are fewer than two values, or if all are equal.
    p_value : float
        Two-sided p value of the corrected resampled t-test for a mean of zero; NaN in these cases.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003)
    239–281; for repeated folds R. R. Bouckaert, E. Frank, "Evaluating the replicability of
    significance tests for comparing learning algorithms", PAKDD 2004.
    """
    from scipy import stats

    count, mean = len(values), float(np.mean(values))
    if count < 2 or np.ptp(values) == 0:
        return Estimate(mean, math.nan, math.nan), math.nan
    error = math.sqrt((1 / count + ratio) * float(np.var(values, ddof=1)))
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, count - 1)) * error
    p_value = 2 * float(stats.t.sf(abs(mean) / error, count - 1))
    return Estimate(mean, mean - half, mean + half), p_value
