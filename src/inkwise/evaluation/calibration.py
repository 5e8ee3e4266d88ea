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
from inkwise.model import Model

BINS = 15
REFUSED = 0.01
"""The share of the classes' own validation images that a calibrated model refuses to name."""

_TEMPERATURES = (0.05, 20.0)


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


def expected_calibration_error(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], bins: int = BINS
) -> float:
    """Return by how much the confidence and the accuracy differ, on average over the images.

    Images go to bins of equal width by the probability of their most probable class; in each bin,
    the mean of these probabilities is compared with the share of right answers.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    probabilities : ndarray of float, shape (N, K)
    bins : int

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
    if len(labels) == 0:
        return math.nan
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Bins are closed at their upper ends, as in the papers, so that certainty has a bin.
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


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
