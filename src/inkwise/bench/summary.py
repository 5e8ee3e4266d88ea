"""What the rounds come to: medians, ratios, and how cost grows."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np

from inkwise.bench.measurement import Measurement

TARGETS = {"seconds_to_98.84%": 0.9884, "seconds_to_99%": 0.99}
"""Test accuracies whose time is told: what the case study's own program prints, and 99%."""

_PLAIN = (
    "training_images",
    "startup_seconds",
    "training_seconds",
    "test_accuracy",
    "evaluation_seconds",
    "whole_seconds",
    "images_per_second",
    "single_seconds",
    "training_memory",
    "prediction_memory",
    "model_bytes",
)
FIGURES: dict[str, Callable[[Measurement], float | None]] = {
    **{name: attrgetter(name) for name in _PLAIN},
    **{name: methodcaller("seconds_to", accuracy) for name, accuracy in TARGETS.items()},
}
"""Figures of the summary, each from a measurement."""

COMPARED = ("training_seconds", "whole_seconds", "batch_seconds", "single_seconds")
"""Durations that are compared between contenders, round by round."""


@dataclasses.dataclass(frozen=True)
class Spread:
    """A figure over the rounds; infinite where a target was never reached.

    Parameters
    ----------
    median, least, most : float
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def to_dict(self) -> dict[str, float | None]:
        """Return the spread as JSON values; infinite is None."""
        return {
            name: value if math.isfinite(value) else None
            for name, value in dataclasses.asdict(self).items()
        }


def summarise(measurements: Sequence[Measurement]) -> dict[str, dict[str, Spread]]:
    """Summarise every figure over the rounds.

    Returns
    -------
    dict
        By contender, then by figure; a figure that a contender does not measure is left out.
    """
    summary: dict[str, dict[str, Spread]] = {}
    for contender, rounds in _by_contender(measurements).items():
        summary[contender] = {}
        for name, figure in FIGURES.items():
            values = [value for m in rounds.values() if (value := figure(m)) is not None]
            if values:
                summary[contender][name] = Spread.of(values)
    return summary


def compare(measurements: Sequence[Measurement], reference: str) -> dict[str, dict[str, Spread]]:
    """Divide every other contender's durations by those of one, round by round.

    A ratio within a round is worth more than one of medians: a machine that slows down slows both.

    Parameters
    ----------
    measurements : sequence of Measurement
    reference : str
        A contender.

    Returns
    -------
    dict
        By contender, then by figure of `COMPARED`; above 1 where the contender takes longer. Only
        rounds that both finished count; who shares none with the reference is left out.
    """
    contenders = _by_contender(measurements)
    own = contenders.pop(reference, {})
    ratios: dict[str, dict[str, Spread]] = {}
    for contender, rounds in contenders.items():
        pairs = [(rounds[number], own[number]) for number in rounds if number in own]
        if pairs:
            ratios[contender] = {
                name: Spread.of([getattr(a, name) / getattr(b, name) for a, b in pairs])
                for name in COMPARED
            }
    return ratios


@dataclasses.dataclass(frozen=True)
class Growth:
    """How a duration grows with a size.

    Parameters
    ----------
    title : str
        What was timed.
    unit : str
        What its size counts.
    fitted_from : int
        The exponent is that of sizes from here on; below, what every call costs hides it.
    seconds : dict of int to list of float
        The durations of all rounds, by size.
    """

    title: str
    unit: str
    fitted_from: int = 0
    seconds: dict[int, list[float]] = dataclasses.field(default_factory=dict)

    @property
    def medians(self) -> dict[int, float]:
        """The median duration by size, ascending."""
        return {size: statistics.median(self.seconds[size]) for size in sorted(self.seconds)}

    @property
    def fit(self) -> "PowerLaw | None":
        """The law fitted to the medians; None where there are fewer than two sizes to fit."""
        points = {size: m for size, m in self.medians.items() if size >= self.fitted_from}
        return fit_power_law(points) if len(points) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return the measurements and the fit as JSON values."""
        return {
            "title": self.title,
            "unit": self.unit,
            "points": [
                {"size": size, "rounds": self.seconds[size], "median": median}
                for size, median in self.medians.items()
            ],
            "fit": None if self.fit is None else dataclasses.asdict(self.fit),
        }


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """``seconds = factor * size ** exponent``, fitted between two sizes.

    Parameters
    ----------
    exponent, factor : float
    smallest, largest : int
    """

    exponent: float
    factor: float
    smallest: int
    largest: int

    def __call__(self, size: float) -> float:
        """Return the duration at a size."""
        return self.factor * size**self.exponent


def fit_power_law(seconds: Mapping[int, float]) -> PowerLaw:
    """Fit a power law by least squares between the logarithms.

    Parameters
    ----------
    seconds : mapping of int to float
        Durations, above 0, by size; at least two.
    """
    sizes = np.array(list(seconds), dtype=np.float64)
    exponent, logarithm = np.polyfit(np.log(sizes), np.log(list(seconds.values())), 1)
    return PowerLaw(float(exponent), float(np.exp(logarithm)), min(seconds), max(seconds))


def _by_contender(measurements: Sequence[Measurement]) -> dict[str, dict[int, Measurement]]:
    """Sort measurements by contender, in the order of their first appearance, and by round."""
    contenders: dict[str, dict[int, Measurement]] = {}
    for measurement in measurements:
        contenders.setdefault(measurement.contender, {})[measurement.round] = measurement
    return contenders
