"""Calibration: temperature scaling, and the thresholds below which a model abstains."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, ModelError

Verdict = Literal["digit", "unsure", "not a digit"]

# Below this range every probability would be 0 or 1; above it, all classes equally probable.
_TEMPERATURES = (0.01, 100.0)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A temperature and two thresholds, chosen on validation images.

    They turn a model's logits into calibrated probabilities and into verdicts: the verdict on an
    image is ``digit``, or the model abstains with ``unsure`` or ``not a digit``. The default
    leaves the probabilities as they are, and never abstains.

    Parameters
    ----------
    temperature : float
        The divisor of the logits before the softmax (temperature scaling), from 0.01 to 100. It
        makes a probability of 0.9 mean that about 90% of such answers are right, and never
        changes which class is the most probable.
    lowest_score : float
        The threshold of the score, which is the logsumexp of an image's logits. An image with a
        lower score is out-of-distribution: it looks like none of the classes. Minus infinity
        accepts every image.
    lowest_probability : float
        The threshold of the confidence, which is the probability of the likeliest class, from 0
        to 1. An answer with a lower confidence is unsure; 0 accepts every answer.

    Raises
    ------
    ArgumentError
        A value lies outside its range.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML
    2017, arXiv:1706.04599, for the temperature; W. Liu, X. Wang, J. D. Owens, Y. Li, "Energy-based
    out-of-distribution detection", NeurIPS 2020, arXiv:2010.03759, for the score, which is the
    negative of their energy at temperature 1.
    """

    temperature: float = 1.0
    lowest_score: float = -math.inf
    lowest_probability: float = 0.0

    def __post_init__(self) -> None:
        least, most = _TEMPERATURES
        if not least <= self.temperature <= most:
            raise ArgumentError(
                f"the temperature must lie in [{least:g}, {most:g}], not {self.temperature}"
            )
        if not self.lowest_score < math.inf:  # NaN fails this test, too
            raise ArgumentError(
                f"the lowest score must be a number or minus infinity, not {self.lowest_score}"
            )
        if not 0 <= self.lowest_probability <= 1:
            raise ArgumentError(
                f"the lowest probability must lie in [0, 1], not {self.lowest_probability}"
            )

    def verdicts(
        self, probability: NDArray[np.floating[Any]], score: NDArray[np.floating[Any]]
    ) -> list[Verdict]:
        """Return the verdicts on images.

        Parameters
        ----------
        probability : ndarray of float, shape (N,)
            Probability of each image's likeliest class, from 0 to 1.
        score : ndarray of float, shape (N,)
            Score of each image; see `energy_score`.
        """
        # Compared as float32, the thresholds would be rounded, and a verdict could change.
        unsure = probability.astype(np.float64) < self.lowest_probability
        foreign = score.astype(np.float64) < self.lowest_score
        return np.where(foreign, "not a digit", np.where(unsure, "unsure", "digit")).tolist()

    def to_dict(self) -> dict[str, float | None]:
        """Return the values for strict JSON, which has no infinity: minus infinity is None."""
        values: dict[str, float | None] = dataclasses.asdict(self)
        if self.lowest_score == -math.inf:
            values["lowest_score"] = None
        return values

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Calibration":
        """Make a calibration from the values that `to_dict` returned.

        Raises
        ------
        ModelError
            A value is missing, is not a number, or lies outside its range.
        """
        try:
            score = document["lowest_score"]
            values = [
                document["temperature"],
                -math.inf if score is None else score,
                document["lowest_probability"],
            ]
            if not all(type(value) in (int, float) for value in values):
                raise ModelError(f"the calibration is damaged: {values} are not three numbers")
            return cls(*map(float, values))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelError(f"the calibration is damaged: {reason}") from error


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the softmax of logits (N, K) divided by a temperature, float64 (N, K)."""
    from scipy import special

    return special.softmax(logits.astype(np.float64) / temperature, axis=1)


def at_another_temperature(
    probabilities: NDArray[np.floating], factor: float
) -> NDArray[np.float64]:
    """Return the probabilities (N, K) that the same logits give at another temperature.

    The new temperature is the old one divided by `factor`. With the old temperature as the
    factor, the result is the probabilities before temperature scaling.
    """
    powers = probabilities.astype(np.float64) ** factor
    return powers / powers.sum(axis=1, keepdims=True)


def energy_score(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the energy score of each image, which is the logsumexp of its logits.

    It tells images of the classes from out-of-distribution ones.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        Logits before temperature scaling.

    Returns
    -------
    ndarray of float64, shape (N,)
        The negative energy. The higher it is, the more the image looks like one of the classes.

    References
    ----------
    W. Liu, X. Wang, J. D. Owens, Y. Li, "Energy-based out-of-distribution detection", NeurIPS
    2020, arXiv:2010.03759.
    """
    from scipy import special

    return special.logsumexp(logits.astype(np.float64), axis=1)
