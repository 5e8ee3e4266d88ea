"""Calibration: whether a model is as sure as it is right, and when it rather gives no answer.

Everything that is chosen here is chosen on validation images. What is chosen, a `Calibration`, is
part of the model.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.calibration import Calibration
from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError
from inkwise.evaluation.intervals import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    UNDEFINED,
    Estimate,
)
from inkwise.model import Model

BINS = 15
REFUSED = 0.01
"""The share of the classes' own validation images that a calibrated model refuses to name."""

_TEMPERATURES = (0.05, 20.0)
_MOST_ERRORS = 8.0  # standard errors by which a gap could be off


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities that logits (N, K) mean at a temperature, float64 (N, K)."""
    from scipy import special

    return special.softmax(logits.astype(np.float64) / temperature, axis=1)


def at_another_temperature(
    probabilities: NDArray[np.floating], factor: float
) -> NDArray[np.float64]:
    """Return what probabilities (N, K) would be at a temperature divided by `factor`.

    The factor is their own temperature to see them as they were before it.
    """
    powers = probabilities.astype(np.float64) ** factor
    return powers / powers.sum(axis=1, keepdims=True)


def energy_score(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much each image looks like any of the classes: the logsumexp of its logits.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        Before temperature.

    Returns
    -------
    ndarray of float64, shape (N,)
        The negative energy; the more, the more like one.

    References
    ----------
    W. Liu, X. Wang, J. D. Owens, Y. Li, "Energy-based out-of-distribution detection", NeurIPS
    2020, arXiv:2010.03759.
    """
    from scipy import special

    return special.logsumexp(logits.astype(np.float64), axis=1)


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


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature under which the labels are likeliest.

    It moves no answer: the logits are divided by it before the softmax.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        Of validation images.
    labels : ndarray of int64, shape (N,)

    Returns
    -------
    float
        From 0.05 to 20; one of these where the images would have more yet, for instance because
        every answer is right.

    Raises
    ------
    ArgumentError
        The arrays do not fit together, hold no image or values that are not finite.

    References
    ----------
    Guo et al. 2017, as for `expected_calibration_error`: the minimum of the negative
    log-likelihood.
    """
    from scipy import optimize, special

    _check(logits, labels)
    exact = logits.astype(np.float64)
    true = exact[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        beta = math.exp(-log_temperature)
        return float(np.mean(special.logsumexp(beta * exact, axis=1) - beta * true))

    # Of the inverse temperature the loss is convex, so that it has one minimum.
    low, high = map(math.log, _TEMPERATURES)
    found = optimize.minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-5}
    )
    # The search comes close to a bound, but not on it.
    log_temperature = min((float(found.x), low, high), key=loss)
    return math.exp(log_temperature)


def fit_calibration(
    logits: NDArray[np.float32], labels: NDArray[np.int64], refused: float = REFUSED
) -> Calibration:
    """Choose the temperature, and when the model rather gives no answer.

    Half of the images that may be refused fall below the lowest score: "not a digit". Of the
    others, as many more fall below the lowest probability, after temperature, that in all the share
    is refused: "unsure". No image that is not of a class is needed.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        Of validation images, before temperature.
    labels : ndarray of int64, shape (N,)
    refused : float
        The share of these images to refuse, at least 0 and below 1; with equal values, less is.

    Returns
    -------
    Calibration

    Raises
    ------
    ArgumentError
        The share is out of range; or as for `fit_temperature`.
    """
    if not 0 <= refused < 1:
        raise ArgumentError(f"the share refused must be at least 0 and below 1, not {refused}")
    temperature = fit_temperature(logits, labels)
    scores, probabilities = energy_score(logits), softmax(logits, temperature).max(axis=1)
    strange, doubtful = int(refused / 2 * len(labels)), int(refused * len(labels))
    if doubtful == 0:
        return Calibration(temperature)
    lowest_score = float(np.sort(scores)[strange]) if strange else -math.inf
    named = np.sort(probabilities[scores >= lowest_score])
    lowest_probability = float(named[doubtful - (len(labels) - len(named))])
    return Calibration(temperature, lowest_score, lowest_probability)


def calibrate(model: Model, validation: Split) -> Model:
    """Return the model with temperature and limits that fit the validation images."""
    calibration = fit_calibration(model.logits(validation.images), validation.labels)
    return dataclasses.replace(model, calibration=calibration)


def auroc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> float:
    """Return how well a score tells what is of the classes from what is not.

    Parameters
    ----------
    inside, outside : ndarray of float, shapes (N,) and (M,)
        Scores of images that are of the classes, and of some that are not.

    Returns
    -------
    float
        The area under the receiver operating characteristic: the chance that one from inside
        scores above one from outside, ties counting half. NaN where a side has none.
    """
    from sklearn import metrics

    if len(inside) == 0 or len(outside) == 0:
        return math.nan
    truth = np.repeat([True, False], [len(inside), len(outside)])
    return float(metrics.roc_auc_score(truth, np.concatenate([inside, outside])))


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


def _check(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or logits.size == 0:
        raise ArgumentError(
            "a calibration takes logits of shape (N, K) and labels of shape (N,), at least one of "
            f"each, not {logits.shape} and {labels.shape}"
        )
    if not np.isfinite(logits).all():
        raise ArgumentError("a calibration takes finite logits: some are infinite or NaN")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ArgumentError(
            f"labels must be indices of the {logits.shape[1]} classes, but go from {labels.min()} "
            f"to {labels.max()}"
        )
