"""Reliability: whether a model is as sure as it is right, and what abstaining gains."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError
from inkwise.evaluation.intervals import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    UNDEFINED,
    Estimate,
)

BINS = 15
_MOST_ERRORS = 8.0  # standard errors by which a gap could be off


class ReliabilityBins(NamedTuple):
    """How sure a model was and how often it was right, in bins by how sure it was.

    One entry a bin that holds images; arrays of shape (B,).

    Parameters
    ----------
    low, high : ndarray of float64
        The bin's ends: above `low`, at most `high`.
    counts : ndarray of int64
        Images in it.
    right : ndarray of int64
        Those of them that were labelled right.
    confidence : ndarray of float64
        The mean probability of their most probable classes.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counts: NDArray[np.int64]
    right: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """The share of right answers in each bin, float64 (B,)."""
        return self.right / self.counts

    @property
    def error(self) -> float:
        """The expected calibration error; NaN without images."""
        if len(self.counts) == 0:
            return math.nan
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.counts))


def reliability_bins(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    bins: int = BINS,
    *,
    adaptive: bool = False,
) -> ReliabilityBins:
    """Sort images into bins by the probability of their most probable class.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    probabilities : ndarray of float, shape (N, K)
    bins : int
        How many.
    adaptive : bool
        Whether the bins hold about equally many images rather than being equally wide. Images of
        one confidence stay together, so that there are fewer bins where many are alike.

    Returns
    -------
    ReliabilityBins
        Those bins that hold images.

    References
    ----------
    As for `expected_calibration_error`; with equal counts, K. Nguyen, B. O'Connor, "Posterior
    calibration and exploratory analysis for natural language processing models", EMNLP 2015.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Bins are closed at their upper ends, as in the papers, so that certainty has a bin.
    if adaptive and len(labels):
        edges = np.quantile(confidence, np.linspace(0, 1, bins + 1))
        edges = np.unique([0.0, *edges[1:]])
    else:
        edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    held = counts > 0
    with np.errstate(invalid="ignore"):
        means = np.bincount(place, weights=confidence, minlength=len(counts)) / counts
    return ReliabilityBins(
        edges[:-1][held],
        edges[1:][held],
        counts[held],
        np.bincount(place[right], minlength=len(counts))[held],
        means[held],
    )


def expected_calibration_error(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    bins: int = BINS,
    *,
    adaptive: bool = False,
) -> float:
    """Return by how much the confidence and the accuracy differ, on average over the images.

    In each bin, the mean probability of the most probable classes is compared with the share of
    right answers.

    Parameters
    ----------
    labels, probabilities, bins, adaptive
        As for `reliability_bins`.

    Returns
    -------
    float
        From 0 to 1; NaN without images.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015; C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of
    modern neural networks", ICML 2017, arXiv:1706.04599, with 15 bins.
    """
    return reliability_bins(labels, probabilities, bins, adaptive=adaptive).error


def calibration_error_interval(bins: ReliabilityBins) -> Estimate:
    """Return the expected calibration error with an interval by inverting a test.

    Luck makes the error of any sample larger, and that of a resample larger yet: percentile
    intervals of a well calibrated model do not even hold its true error, 0. So this asks which true
    errors would make the one found an unlikely one. Of the gaps in the bins, each grown or shrunk
    by the same number of its standard errors, images and right answers are drawn anew; the interval
    goes from the gaps under which 2.5% of the drawn errors are as large, to those under which 2.5%
    are as small.

    Parameters
    ----------
    bins : ReliabilityBins

    Returns
    -------
    Estimate
        In [0, 1]; its lower end is 0 where a calibrated model could have shown as large an error.

    References
    ----------
    J. Carpenter, "Test inversion bootstrap confidence intervals", Journal of the Royal Statistical
    Society B 61 (1999) 159–172; drawing answers at the stated confidence as in J. Bröcker,
    L. A. Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22
    (2007) 651–661.
    """
    from scipy import optimize

    found = bins.error
    if math.isnan(found):
        return UNDEFINED
    total = bins.counts.sum()
    gaps = bins.confidence - bins.accuracy
    # Where every answer is right, or every one stated as certain, one of the two variances is 0.
    variance = np.maximum(
        bins.confidence * (1 - bins.confidence), bins.accuracy * (1 - bins.accuracy)
    )
    error = np.sqrt(variance / bins.counts)

    counts = np.random.default_rng(SEED).multinomial(total, bins.counts / total, size=RESAMPLES)

    def chance(step: float) -> NDArray[np.float64]:
        """Return the chance of a right answer in each bin, with gaps so many errors larger."""
        size = np.maximum(np.abs(gaps) + step * error, 0.0)
        return np.clip(bins.confidence - np.where(gaps < 0, -size, size), 0.0, 1.0)

    def true_error(step: float) -> float:
        return float(np.average(np.abs(bins.confidence - chance(step)), weights=bins.counts))

    def excess(step: float, point: float) -> float:
        # The same luck at every step, so that the errors drawn rise with it.
        right = np.random.default_rng([SEED, 1]).binomial(counts, chance(step))
        drawn = np.abs(counts * bins.confidence - right).sum(axis=1) / total
        return float(np.quantile(drawn, point)) - found

    def solve(point: float) -> float:
        low, high = -_MOST_ERRORS, _MOST_ERRORS
        if excess(low, point) >= 0:
            return true_error(low)
        if excess(high, point) <= 0:
            return true_error(high)
        return true_error(optimize.bisect(excess, low, high, args=(point,), xtol=0.02))

    tail = (1 - CONFIDENCE) / 2
    return Estimate(found, min(found, solve(1 - tail)), max(found, solve(tail)))


class SelectiveAccuracy(NamedTuple):
    """How right the answers are if only those above a threshold are given.

    One point a threshold, from the one that answers least to the one that answers all; arrays of
    float64, shape (T,).

    Parameters
    ----------
    thresholds : ndarray
        An image is answered where its score is at least this; descending.
    answered : ndarray
        The share of the images that are.
    accuracy : ndarray
        The share of right answers among these.
    """

    thresholds: NDArray[np.float64]
    answered: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def at(self, share: float) -> float:
        """Return the accuracy where at least this share of the images, up to 1, is answered."""
        # A share that is a whole number of images must not miss it by rounding.
        return float(self.accuracy[np.searchsorted(self.answered, share - 1e-12)])


def selective_accuracy(right: NDArray[np.bool_], scores: NDArray[np.floating]) -> SelectiveAccuracy:
    """Return the accuracy against the share answered, for every threshold on a score.

    Parameters
    ----------
    right : ndarray of bool, shape (N,)
        Whether each answer is right; at least one image.
    scores : ndarray of float, shape (N,)
        How sure each is, not NaN. Images of one score are answered together.

    Returns
    -------
    SelectiveAccuracy

    Raises
    ------
    ArgumentError
        There is no image, or not one score an answer.

    References
    ----------
    Y. Geifman, R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017,
    arXiv:1705.08500.
    """
    if right.shape != scores.shape or right.ndim != 1 or len(right) == 0:
        raise ArgumentError(
            f"answers and scores must be of one shape (N,), not {right.shape} and {scores.shape}"
        )
    surest_first = np.argsort(-scores, kind="stable")
    ordered = scores[surest_first].astype(np.float64)
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each score
    hits = np.cumsum(right[surest_first])[last]
    return SelectiveAccuracy(ordered[last], (last + 1) / len(right), hits / (last + 1))
