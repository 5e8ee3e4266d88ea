"""Significance: whether luck alone would explain what was counted.

Tests are exact. Where many statements are tried, p values are Holm's, so that the chance of a
single false one among all of them is at most the level they are held against.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.05
"""A p value below it is called significant."""

_SMALLEST = 0.0001  # that is written


def more_often(
    hits: ArrayLike, draws: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> NDArray[np.float64]:
    """Return Fisher's exact p value, one-sided: that of so many hits or more, by luck.

    Of `total` images `marked` have a property; `draws` of all were picked, and `hits` of those have
    it. Arguments are whole numbers or arrays of them, as in NumPy's arithmetic.

    References
    ----------
    R. A. Fisher, "On the interpretation of χ² from contingency tables, and the calculation of P",
    Journal of the Royal Statistical Society 85 (1922) 87–94.
    """
    return np.vectorize(_hypergeometric_tail, otypes=[np.float64])(hits, draws, marked, total)


def _hypergeometric_tail(hits: int, draws: int, marked: int, total: int) -> float:
    """Return the chance of so many hits or more."""
    fewest, most = max(0, draws + marked - total), min(draws, marked)
    before = np.arange(fewest, most, dtype=np.float64)
    # By what one hit more changes the chance; the chances follow, up to a common factor.
    ratios = (marked - before) * (draws - before)
    ratios /= (before + 1) * (total - marked - draws + before + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    chances = np.exp(logs - logs.max())
    # Rounding can go beyond 1.
    return min(1.0, float(chances[max(0, hits - fewest) :].sum() / chances.sum()))


def mcnemar(first_only: int, second_only: int) -> float:
    """Return McNemar's exact p value, two-sided, for two models on the same images.

    Parameters
    ----------
    first_only, second_only : int
        Images that only the one and only the other model got right.

    Returns
    -------
    float
        1 where they never differ.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947) 153–157.
    """
    from scipy import special

    # Twice the chance of so few heads of a fair coin, which is more than 1 where both are equal.
    fewer, differ = min(first_only, second_only), first_only + second_only
    return min(1.0, 2 * float(special.bdtr(fewer, differ, 0.5)))


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p values, float64 (M,), for their number; they stay in their order.

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
    """Write a p value as sentences do."""
    return f"p = {p:.2g}" if p >= _SMALLEST else f"p < {_SMALLEST}"


def format_p_alone(p: float) -> str:
    """Write a p value as tables do, whose column is called p."""
    return f"{p:.2g}" if p >= _SMALLEST else f"< {_SMALLEST}"
