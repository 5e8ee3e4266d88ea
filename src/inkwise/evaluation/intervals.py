"""95% confidence intervals: how much a metric depends on which test images were drawn.

Bootstrap resamples are stratified: each has as many images of each class as the split, because test
sets, MNIST's among them, are composed by class.
"""

import math
import statistics
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.ranking import roc_curve

CONFIDENCE = 0.95
RESAMPLES = 2_000

_Z = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

_CHUNK_CELLS = 1 << 22
SEED = 0  # so that the same predictions always get the same interval


class Estimate(NamedTuple):
    """A metric and its 95% confidence interval; all three are NaN if the metric is undefined."""

    value: float
    low: float
    high: float

    @property
    def defined(self) -> bool:
        """Whether the metric is defined."""
        return not math.isnan(self.value)


UNDEFINED = Estimate(math.nan, math.nan, math.nan)


def wilson(successes: int, trials: int) -> Estimate:
    """Return a proportion with Wilson's score interval.

    Parameters
    ----------
    successes, trials : int
        Counts, 0 ≤ `successes` ≤ `trials`. Without trials the proportion is undefined.

    Returns
    -------
    Estimate
        The proportion and its interval, in [0, 1].

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927) 209–212.
    """
    if trials == 0:
        return UNDEFINED
    share = successes / trials
    middle = (2 * successes + _Z**2) / (2 * (trials + _Z**2))
    half = _Z * math.sqrt(4 * successes * (1 - share) + _Z**2) / (2 * (trials + _Z**2))
    # At 0 and 1 one end is the proportion itself, which rounding would miss.
    low = middle - half if successes > 0 else 0.0
    high = middle + half if successes < trials else 1.0
    return Estimate(share, min(share, low), max(share, high))


def bootstrap_confusion(
    confusion: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> list[Estimate]:
    """Return metrics of a confusion matrix with percentile bootstrap intervals.

    Resampling the images of a class with replacement is the same as drawing its row of the matrix
    from a multinomial distribution, so the cost of a resample does not grow with the images.

    Parameters
    ----------
    confusion : ndarray of int64, shape (K, K)
    statistic : callable
        Function from matrices, int64 (R, K, K), to F metrics of each, float64 (R, F); undefined
        metrics are NaN.

    Returns
    -------
    list of Estimate
        F metrics. The interval of a metric leaves out resamples in which it is undefined.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993,
    chapter 13; strata as in A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their
    Application", Cambridge University Press, 1997, section 3.2.
    """
    values = statistic(confusion[None])[0]
    generator = np.random.default_rng(SEED)
    support = confusion.sum(axis=1)
    shares = confusion / np.maximum(support, 1)[:, None]
    if (confusion.max(axis=1) == support).all():
        # All images of each class got one label, so stratified resamples would all be the same:
        # resample the classes as well.
        support, shares = confusion.sum()[None], confusion.reshape(1, -1) / confusion.sum()
    chunk = max(1, _CHUNK_CELLS // confusion.size)  # bounds the memory for many classes
    drawn = []
    for start in range(0, RESAMPLES, chunk):
        size = min(chunk, RESAMPLES - start), len(support)
        cells = generator.multinomial(support, shares, size=size)
        drawn.append(statistic(cells.reshape(-1, *confusion.shape)))
    resamples = np.concatenate(drawn)
    return [_percentile(value, sample) for value, sample in zip(values, resamples.T, strict=True)]


def wilson_f1(hits: int, mistakes: int) -> Estimate:
    """Return F1 with an interval that follows from Wilson's.

    F1 = 2J / (1 + J) increases with J = hits / (hits + mistakes), the share of correct predictions
    among all images that are of the class or were predicted as it (the Jaccard index). This
    interval is for the cases where the bootstrap fails: if all of these predictions are correct, or
    all are wrong, all resamples are the same.

    Parameters
    ----------
    hits : int
        Number of true positives.
    mistakes : int
        Number of false positives and false negatives together.
    """
    return Estimate(*(2 * share / (1 + share) for share in wilson(hits, hits + mistakes)))


def bootstrap_means(values: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Estimate]:
    """Return means over the images with percentile bootstrap intervals.

    Parameters
    ----------
    values : ndarray of float64, shape (N, F)
        F values for each image, N ≥ 1.
    labels : ndarray of int64, shape (N,)
        The strata: the images of each class are resampled separately.

    Returns
    -------
    list of Estimate
        The F means.
    """
    generator = np.random.default_rng(SEED)
    count = len(values)
    ordered = values[np.argsort(labels, kind="stable")]
    sizes = np.unique(labels, return_counts=True)[1]
    ends = np.cumsum(sizes)
    chunk = max(1, _CHUNK_CELLS // count)
    drawn = []
    for start in range(0, RESAMPLES, chunk):
        rows = min(chunk, RESAMPLES - start)
        # Indices into the ordered images, (rows, N). The counts of how often each image was drawn,
        # (N,), give all means of a resample as a product, (F,): row by row, which fits the cache.
        places = np.concatenate(
            [
                generator.integers(end - size, end, size=(rows, size))
                for size, end in zip(sizes, ends, strict=True)
            ],
            axis=1,
        )
        drawn += [np.bincount(row, minlength=count) @ ordered / count for row in places]
    resamples = np.array(drawn)
    return [
        _percentile(float(value), sample)
        for value, sample in zip(values.mean(axis=0), resamples.T, strict=True)
    ]


def delong(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Estimate:
    """Return the area under the receiver operating characteristic with DeLong's interval.

    The interval is symmetric on the logit scale. This keeps it within 0 and 1, and close to these
    its coverage is better than that of the untransformed interval or of a percentile bootstrap. If
    every positive scores above every negative, DeLong's variance is zero. The lower end is then
    the product of Wilson's lower ends for the sensitivity and the specificity of a threshold
    between them, which bounds the area from below.

    Parameters
    ----------
    positive : ndarray of bool, shape (N,)
        Whether each image belongs to the class.
    scores : ndarray of float, shape (N,)
        Scores of the images; a higher score means that the class is more likely.

    Returns
    -------
    Estimate
        In [0, 1]; undefined if there are no positive or no negative images. With only one positive
        or one negative image the interval is from 0 to 1.

    References
    ----------
    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more
    correlated receiver operating characteristic curves", Biometrics 44 (1988) 837–845; by ranks as
    in X. Sun, W. Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing Letters 21
    (2014) 1389–1393; the scale after M. S. Pepe, "The Statistical Evaluation of Medical Tests for
    Classification and Prediction", Oxford University Press, 2003, section 5.2.
    """
    sides = scores[positive], scores[~positive]
    hits, misses = map(len, sides)
    if not hits or not misses:
        return UNDEFINED
    # For each image, the share of the images of the other kind that it is ranked correctly against.
    ranks = _ranks(np.concatenate(sides))
    above = (ranks[:hits] - _ranks(sides[0])) / misses
    below = (ranks[hits:] - _ranks(sides[1])) / hits
    area = roc_curve(positive, scores).area
    if min(hits, misses) == 1:
        return Estimate(area, 0.0, 1.0)
    if area in (0, 1):
        bound = wilson(hits, hits).low * wilson(misses, misses).low
        return Estimate(area, bound, 1.0) if area else Estimate(area, 0.0, 1 - bound)
    error = math.sqrt(above.var(ddof=1) / hits + below.var(ddof=1) / misses)
    half = _Z * error / (area * (1 - area))
    odds = area / (1 - area)
    low, high = (1 / (1 + math.exp(shift) / odds) for shift in (half, -half))
    return Estimate(area, min(area, low), max(area, high))


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the rank of every value, from 1; equal values get the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[place]


def _percentile(value: float, resamples: NDArray[np.float64]) -> Estimate:
    resamples = resamples[~np.isnan(resamples)]
    if math.isnan(value) or resamples.size == 0:
        return UNDEFINED
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resamples, [tail, 1 - tail])
    # Rounding, or a rare class that most resamples miss, can put the value just outside.
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))
