"""95% intervals: how far a figure would move with other test images from the same source."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 2_000

_Z = 1.959963984540054  # the 97.5% point of the standard normal distribution
_CHUNK_CELLS = 1 << 22
_SEED = 0  # the same predictions always get the same interval


class Estimate(NamedTuple):
    """A figure and its 95% interval; all three are NaN where the figure is undefined."""

    value: float
    low: float
    high: float

    @property
    def defined(self) -> bool:
        """Whether there is a figure at all."""
        return not math.isnan(self.value)


UNDEFINED = Estimate(math.nan, math.nan, math.nan)


def wilson(successes: int, trials: int) -> Estimate:
    """Return a proportion with Wilson's score interval.

    Parameters
    ----------
    successes, trials : int
        0 ≤ `successes` ≤ `trials`. With no trials the proportion is undefined.

    Returns
    -------
    Estimate
        In [0, 1].

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927) 209–212.
    """
    if trials == 0:
        return UNDEFINED
    share = successes / trials
    shrink = 1 + _Z**2 / trials
    centre = (share + _Z**2 / (2 * trials)) / shrink
    half = _Z / shrink * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    # At 0 and 1 one end is the proportion itself, but for rounding.
    return Estimate(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def bootstrap_confusion(
    confusion: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> list[Estimate]:
    """Return figures of a confusion matrix with percentile bootstrap intervals.

    Drawing N images with replacement from N is drawing the matrix's cells from a multinomial
    distribution, so whole resamples cost one draw each.

    Parameters
    ----------
    confusion : ndarray of int64, shape (K, K)
    statistic : callable
        From matrices, int64 (R, K, K), to F figures of each, float64 (R, F); NaN is undefined.

    Returns
    -------
    list of Estimate
        F figures. Resamples in which a figure is undefined do not count for its interval.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993,
    chapter 13.
    """
    values = statistic(confusion[None])[0]
    generator = np.random.default_rng(_SEED)
    total = int(confusion.sum())
    shares = confusion.ravel() / total
    chunk = max(1, _CHUNK_CELLS // confusion.size)  # many classes must not fill the memory
    drawn = []
    for start in range(0, RESAMPLES, chunk):
        cells = generator.multinomial(total, shares, size=min(chunk, RESAMPLES - start))
        drawn.append(statistic(cells.reshape(-1, *confusion.shape)))
    resamples = np.concatenate(drawn)
    return [_percentile(value, sample) for value, sample in zip(values, resamples.T, strict=True)]


def wilson_f1(hits: int, mistakes: int) -> Estimate:
    """Return F1 with the interval that Wilson's gives the share it depends on.

    F1 = 2J / (1 + J) grows with J = hits / (hits + mistakes), the share of right answers among all
    images that are of the class or were labelled as it. It serves where a bootstrap cannot: where
    every such answer is right, or every one wrong, all resamples are alike.

    Parameters
    ----------
    hits, mistakes : int
        True positives; false positives and false negatives together.
    """
    return Estimate(*(2 * share / (1 + share) for share in wilson(hits, hits + mistakes)))


def bootstrap_mean(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of values, float64 (N,), N ≥ 1, with a percentile bootstrap interval."""
    generator = np.random.default_rng(_SEED)
    means = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        means[resample] = values[generator.integers(len(values), size=len(values))].mean()
    return _percentile(float(values.mean()), means)


def _percentile(value: float, resamples: NDArray[np.float64]) -> Estimate:
    resamples = resamples[~np.isnan(resamples)]
    if math.isnan(value) or resamples.size == 0:
        return UNDEFINED
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resamples, [tail, 1 - tail])
    # A rare class that most resamples miss, or rounding, can put the value itself just outside.
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))
