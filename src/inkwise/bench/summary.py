"""Summaries of the rounds: medians, ratios, and the growth of time with size."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np

from inkwise.bench.measurement import Measurement

TARGETS = {"seconds_to_98.84%": 0.9884, "seconds_to_99%": 0.99}
"""Test accuracies to which the training is timed: the original case study's, and 99%."""

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
"""The values of the summary, each with the function that takes it from a measurement."""

COMPARED = ("training_seconds", "whole_seconds", "batch_seconds", "single_seconds")
"""Durations that are compared between contenders, round by round."""


@dataclasses.dataclass(frozen=True)
class Spread:
    """A value over the rounds; infinite if a target was never reached.

    Parameters
    ----------
    median, least, most : float
        Median, smallest and largest value.
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise one or more values."""
        return cls(statistics.median(values), min(values), max(values))

    def to_dict(self) -> dict[str, float | None]:
        """Return the spread as JSON values; infinite is None."""
        return {
            name: value if math.isfinite(value) else None
            for name, value in dataclasses.asdict(self).items()
        }


def summarise(measurements: Sequence[Measurement]) -> dict[str, dict[str, Spread]]:
    """Summarise every value over the rounds.

    Returns
    -------
    dict
        Spreads by contender, then by value; values that a contender does not measure are left out.
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
    """Divide the durations of every other contender by those of one, round by round.

    Ratios within a round are more reliable than ratios of medians, because a machine that becomes
    slower affects both durations of a round.

    Parameters
    ----------
    measurements : sequence of Measurement
        Measurements of all contenders.
    reference : str
        Name of the contender to compare with.

    Returns
    -------
    dict
        Ratios by contender, then by duration in `COMPARED`; above 1 if the contender takes longer
        than the reference. Only rounds that both finished count; a contender without such rounds is
        left out.
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
        Title: what was timed.
    unit : str
        What the size counts.
    fitted_from : int
        Smallest size that the fit uses; below it, the fixed cost of a call hides the growth.
    seconds : dict of int to list of float
        Durations of all rounds, by size.
    """

    title: str
    unit: str
    fitted_from: int = 0
    seconds: dict[int, list[float]] = dataclasses.field(default_factory=dict)

    @property
    def medians(self) -> dict[int, float]:
        """The median durations, by ascending size."""
        return {size: statistics.median(self.seconds[size]) for size in sorted(self.seconds)}

    @property
    def fit(self) -> "PowerLaw | None":
        """The power law fitted to the medians; None if there are fewer than two sizes to fit."""
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
        The fitted parameters; `factor` is in seconds.
    smallest, largest : int
        Smallest and largest of the sizes that were fitted.
    """

    exponent: float
    factor: float
    smallest: int
    largest: int

    def __call__(self, size: float) -> float:
        """Return the duration at a size, in seconds."""
        return self.factor * size**self.exponent


def fit_power_law(seconds: Mapping[int, float]) -> PowerLaw:
    """Fit a power law by least squares between the logarithms.

    Parameters
    ----------
    seconds : mapping of int to float
        Durations, above 0, by size; at least two sizes.

    Returns
    -------
    PowerLaw
    """
    sizes = np.array(list(seconds), dtype=np.float64)
    exponent, logarithm = np.polyfit(np.log(sizes), np.log(list(seconds.values())), 1)
    return PowerLaw(float(exponent), float(np.exp(logarithm)), min(seconds), max(seconds))


def _by_contender(measurements: Sequence[Measurement]) -> dict[str, dict[int, Measurement]]:
    """Group measurements by contender, in the order of first appearance, and by round."""
    contenders: dict[str, dict[int, Measurement]] = {}
    for measurement in measurements:
        contenders.setdefault(measurement.contender, {})[measurement.round] = measurement
    return contenders
