"""How a model's outputs become an answer: how sure it is, and when it rather gives none."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, ModelError

Verdict = Literal["digit", "unsure", "not a digit"]

_TEMPERATURES = (0.01, 100.0)  # beyond, every answer is certain, or none is


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What stands between a model's logits and its verdicts, chosen on validation images.

    The default changes nothing and refuses nothing.

    Parameters
    ----------
    temperature : float
        The logits are divided by it before the softmax, from 0.01 to 100; it makes probabilities
        the shares of right answers, and moves no answer to another class.
    lowest_score : float
        A picture whose score, the logsumexp of its logits, is less does not look like any of the
        classes; minus infinity where every picture does.
    lowest_probability : float
        An answer that is less probable is unsure; from 0, where none is, to 1.

    Raises
    ------
    ArgumentError
        A value out of its range.

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
        if not self.lowest_score < math.inf:  # nor is NaN
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
            Of the likeliest class.
        score : ndarray of float, shape (N,)
        """
        # NumPy would round the limits to float32, and one image get another verdict than it did.
        unsure = probability.astype(np.float64) < self.lowest_probability
        foreign = score.astype(np.float64) < self.lowest_score
        return np.where(foreign, "not a digit", np.where(unsure, "unsure", "digit")).tolist()

    def to_dict(self) -> dict[str, float | None]:
        """Return the values as strict JSON has them: minus infinity is None."""
        values: dict[str, float | None] = dataclasses.asdict(self)
        if self.lowest_score == -math.inf:
            values["lowest_score"] = None
        return values

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Calibration":
        """Make a calibration of what `to_dict` returned.

        Raises
        ------
        ModelError
            A value is missing, no number, or out of its range.
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
