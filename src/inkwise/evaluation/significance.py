"""Significance tests: whether chance alone would explain what was counted.

The tests are exact. For multiple comparisons, p values are adjusted by Holm's method, which keeps
the family-wise error rate, the chance of at least one false finding, at or below the level.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.05
"""Level of significance: a p value below it is called significant."""

_SMALLEST = 0.0001  # the smallest p value that is written out


def more_often(
    hits: ArrayLike, draws: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> NDArray[np.float64]:
    """Return the one-sided p value of Fisher's exact test: the chance of so many hits or more.

    Of `total` images, `marked` have a property. Of the `draws` images that belong to a group,
    `hits` have it. The arguments are integers or arrays of integers, which are broadcast.

    References
    ----------
    R. A. Fisher, "On the interpretation of χ² from contingency tables, and the calculation of P",
    Journal of the Royal Statistical Society 85 (1922) 87–94.
    """
    return np.vectorize(_hypergeometric_tail, otypes=[np.float64])(hits, draws, marked, total)


def _hypergeometric_tail(hits: int, draws: int, marked: int, total: int) -> float:
    """Return the chance of at least `hits` hits in the hypergeometric distribution."""
    fewest, most = max(0, draws + marked - total), min(draws, marked)
    before = np.arange(fewest, most, dtype=np.float64)
    # The ratios of successive probabilities give the probabilities up to a common factor.
    ratios = (marked - before) * (draws - before)
    ratios /= (before + 1) * (total - marked - draws + before + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    chances = np.exp(logs - logs.max())
    # Rounding can take the sum above 1.
    return min(1.0, float(chances[max(0, hits - fewest) :].sum() / chances.sum()))


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided p value of McNemar's exact test for two models on the same images.

    Parameters
    ----------
    first_only, second_only : int
        Numbers of images that only the first or only the second model classified correctly.

    Returns
    -------
    float
        The p value; 1 if there are no such images.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947) 153–157.
    """
    from scipy import special

    # Twice the chance of at most so few heads of a fair coin; above 1 if both are equal.
    fewer, differ = min(first_only, second_only), first_only + second_only
    return min(1.0, 2 * float(special.bdtr(fewer, differ, 0.5)))


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p values, float64 (M,), for multiple comparisons by Holm's method, in their order.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979) 65–70.
    """
    given = np.asarray(p_values, np.float64)
    order = given.argsort(kind="stable")
    raised = given[order] * np.arange(len(given), 0, -1)
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return corrected


def format_p(p: float) -> str:
    """Format a p value for a sentence, such as ``p = 0.012``."""
    return f"p = {p:.2g}" if p >= _SMALLEST else f"p < {_SMALLEST}"


def format_p_alone(p: float) -> str:
    """Format a p value for a table, such as ``0.012``."""
    return f"{p:.2g}" if p >= _SMALLEST else f"< {_SMALLEST}"
