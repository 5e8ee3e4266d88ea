"""Reliability: whether the confidence of a model matches its accuracy; what abstaining gains."""

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
_MOST_ERRORS = 8.0  # bound on how far a gap may be off, in standard errors
_STEP = 0.02  # precision of the solution, in standard errors


class ReliabilityBins(NamedTuple):
    """The confidence and the accuracy of a model, in bins by its confidence.

    The confidence is the probability of the most probable class. The arrays have shape (B,), with
    one entry for each bin that contains images.

    Parameters
    ----------
    low, high : ndarray of float64
        Ends of each bin: above `low`, at most `high`.
    counts : ndarray of int64
        Number of images in each bin.
    right : ndarray of int64
        Number of these that were classified correctly.
    confidence : ndarray of float64
        Mean confidence in each bin.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counts: NDArray[np.int64]
    right: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """The share of correct predictions in each bin, float64 (B,)."""
        return self.right / self.counts

    @property
    def error(self) -> float:
        """The expected calibration error; NaN if there are no images."""
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
    """Sort images into bins by their confidence, the probability of their most probable class.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        The true classes.
    probabilities : ndarray of float, shape (N, K)
    bins : int
        Number of bins.
    adaptive : bool
        Whether the bins contain about equally many images rather than being equally wide. Images of
        equal confidence stay together, so there are fewer bins if many are equal.

    Returns
    -------
    ReliabilityBins
        The bins that contain images.

    References
    ----------
    As for `expected_calibration_error`; for equal counts, K. Nguyen, B. O'Connor, "Posterior
    calibration and exploratory analysis for natural language processing models", EMNLP 2015.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Bins include their upper ends, as in the papers, so that a confidence of 1 has a bin.
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
    """Return the difference between confidence and accuracy, averaged over the images.

    In each bin, the mean confidence is compared with the share of correct predictions.

    Parameters
    ----------
    labels, probabilities, bins, adaptive
        As for `reliability_bins`.

    Returns
    -------
    float
        From 0 to 1; NaN if there are no images.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015; C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of
    modern neural networks", ICML 2017, arXiv:1706.04599, with 15 bins.
    """
    return reliability_bins(labels, probabilities, bins, adaptive=adaptive).error


def calibration_error_interval(bins: ReliabilityBins) -> Estimate:
    """Return the expected calibration error with an interval found by inverting a test.

    The calibration error of a sample is biased upwards, and that of a resample even more: the
    percentile interval of a calibrated model does not contain its true error, 0. So this finds the
    true errors under which the observed one would not be unlikely. The gaps between confidence and
    accuracy are widened or narrowed by a common number of their standard errors; images and
    correct predictions are then simulated. At the lower end of the interval, 2.5% of the simulated
    errors are at least as large as the observed one; at the upper end, 2.5% are at most as large.

    Parameters
    ----------
    bins : ReliabilityBins

    Returns
    -------
    Estimate
        In [0, 1]; the lower end is 0 if a calibrated model could have shown as large an error.

    References
    ----------
    J. Carpenter, "Test inversion bootstrap confidence intervals", Journal of the Royal Statistical
    Society B 61 (1999) 159–172; for drawing answers at the stated confidence, J. Bröcker,
    L. A. Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22
    (2007) 651–661.
    """
    found = bins.error
    if math.isnan(found):
        return UNDEFINED
    total = bins.counts.sum()
    gaps = bins.confidence - bins.accuracy
    # One of the two variances is 0 if all predictions are correct or all have a confidence of 1.
    variance = np.maximum(
        bins.confidence * (1 - bins.confidence), bins.accuracy * (1 - bins.accuracy)
    )
    error = np.sqrt(variance / bins.counts)

    counts = np.random.default_rng(SEED).multinomial(total, bins.counts / total, size=RESAMPLES)

    def chance(step: float) -> NDArray[np.float64]:
        """Return the chance of a correct prediction in each bin, gaps widened by `step` errors."""
        size = np.maximum(np.abs(gaps) + step * error, 0.0)
        return np.clip(bins.confidence - np.where(gaps < 0, -size, size), 0.0, 1.0)

    def true_error(step: float) -> float:
        return float(np.average(np.abs(bins.confidence - chance(step)), weights=bins.counts))

    def excess(step: float, point: float) -> float:
        # The same random numbers at every step, so that the simulated errors increase with it.
        right = np.random.default_rng([SEED, 1]).binomial(counts, chance(step))
        drawn = np.abs(counts * bins.confidence - right).sum(axis=1) / total
        return float(np.quantile(drawn, point)) - found

    def solve(point: float) -> float:
        low, high = -_MOST_ERRORS, _MOST_ERRORS
        if excess(low, point) >= 0:
            return true_error(low)
        if excess(high, point) <= 0:
            return true_error(high)
        while high - low > _STEP:
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle, point) < 0 else (low, middle)
        return true_error(middle)

    tail = (1 - CONFIDENCE) / 2
    return Estimate(found, min(found, solve(1 - tail)), max(found, solve(tail)))


class SelectiveAccuracy(NamedTuple):
    """The accuracy of a model that abstains on images whose score is below a threshold.

    The arrays are float64 of shape (T,), with one entry for each threshold, from the one that
    answers the fewest images to the one that answers all.

    Parameters
    ----------
    thresholds : ndarray
        Thresholds, descending; an image is answered if its score is at least the threshold.
    answered : ndarray
        Share of the images that are answered (the coverage).
    accuracy : ndarray
        Share of correct answers among these.
    """

    thresholds: NDArray[np.float64]
    answered: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def at(self, share: float) -> float:
        """Return the accuracy if at least this share of the images, up to 1, is answered."""
        # Rounding must not miss a share that is a whole number of images.
        return float(self.accuracy[np.searchsorted(self.answered, share - 1e-12)])


def selective_accuracy(right: NDArray[np.bool_], scores: NDArray[np.floating]) -> SelectiveAccuracy:
    """Return the accuracy and the share of images answered for every threshold on a score.

    Parameters
    ----------
    right : ndarray of bool, shape (N,)
        Whether the answer about each image is correct; N ≥ 1.
    scores : ndarray of float, shape (N,)
        Confidence of each answer, not NaN. Images of equal score are answered together.

    Returns
    -------
    SelectiveAccuracy

    Raises
    ------
    ArgumentError
        There is no image, or the shapes of the two arrays differ.

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
