"""Calibration on validation images: choosing a model's temperature, and when it abstains."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError
from inkwise.model import Model
from inkwise.model.calibration import Calibration, energy_score, softmax

REFUSED = 0.01
"""Share of the validation images, all of them of a class, on which a calibrated model abstains."""

_TEMPERATURES = (0.05, 20.0)


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature under which the labels are likeliest (temperature scaling).

    The logits are divided by it before the softmax, which changes no predicted class.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        Logits of validation images, before temperature scaling.
    labels : ndarray of int64, shape (N,)
        True labels, as indices of the classes.

    Returns
    -------
    float
        From 0.05 to 20. It is one of these bounds if the likelihood grows beyond it, for instance
        because every prediction is right.

    Raises
    ------
    ArgumentError
        The arrays do not fit together, hold no image or values that are not finite.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML
    2017: the minimum of the negative log-likelihood.
    """
    from scipy import optimize, special

    _check(logits, labels)
    exact = logits.astype(np.float64)
    true = exact[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        beta = math.exp(-log_temperature)
        return float(np.mean(special.logsumexp(beta * exact, axis=1) - beta * true))

    # The loss is convex in the inverse temperature, so that it has one minimum.
    low, high = map(math.log, _TEMPERATURES)
    found = optimize.minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-5}
    )
    # The search comes close to a bound, but does not reach it.
    log_temperature = min((float(found.x), low, high), key=loss)
    return math.exp(log_temperature)


def fit_calibration(
    logits: NDArray[np.float32], labels: NDArray[np.int64], refused: float = REFUSED
) -> Calibration:
    """Choose the temperature, and the limits below which the model abstains.

    The lowest energy score is chosen so that half of the images to refuse are below it; their
    verdict is "not a digit". The lowest probability, after temperature scaling, is chosen so that
    the share is refused in all; the verdict of these further images is "unsure". No images are
    needed that are not of a class.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        Logits of validation images, before temperature scaling.
    labels : ndarray of int64, shape (N,)
        True labels, as indices of the classes.
    refused : float
        Share of these images on which the model abstains, in [0, 1). Fewer images are refused if
        several have the same score or probability.

    Returns
    -------
    Calibration

    Raises
    ------
    ArgumentError
        `refused` is out of range; or as for `fit_temperature`.
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
    """Return the model with the temperature and limits that `fit_calibration` chooses."""
    calibration = fit_calibration(model.logits(validation.images), validation.labels)
    return dataclasses.replace(model, calibration=calibration)


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
