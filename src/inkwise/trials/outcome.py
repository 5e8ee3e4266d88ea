"""What came of a sweep: its trials, and the best designs, trained anew."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from inkwise.comparison.statistics import SeedSpread
from inkwise.errors import counted
from inkwise.evaluation.intervals import Estimate
from inkwise.pages.number_formats import interval, number, percent
from inkwise.runs.directory import Run
from inkwise.training.recipe import Recipe
from inkwise.trials.optimism import expected_optimism
from inkwise.trials.ranges import Space, Value, vary_recipe

ACCURACY = "validation.accuracy"

METRICS = {ACCURACY: "validation_accuracy", "validation.loss": "validation_loss"}
"""What trials are judged by, and what the history calls it."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Parameters
    ----------
    number : int
        Its number, from 0.
    values : mapping of str to value
        What was varied, by its place in the recipe; a list of a recipe is its JSON.
    state : {"complete", "pruned", "failed", "running"}
        ``pruned`` trials were ended early; ``failed`` ones could not be trained, as `error` says.
    value : float or None
        The metric, of the epoch that the recipe keeps; None unless complete.
    curve : tuple of float
        The metric after each epoch.
    path : Path
        The run directory.
    error : str
        Why it failed.
    """

    number: int
    values: Mapping[str, Value]
    state: str
    value: float | None
    curve: tuple[float, ...]
    path: Path
    error: str = ""

    def __str__(self) -> str:
        values = ", ".join(f"{key} {show_value(value)}" for key, value in self.values.items())
        told = self.error if self.state == "failed" else f"{values}; {self.state}"
        reached = f", {number(self.curve[-1])} after {counted(len(self.curve), 'epoch')}"
        return f"trial {self.number}: {told}{reached if self.curve else ''}"


@dataclasses.dataclass(frozen=True)
class Design:
    """One of the best trials, trained anew on fresh seeds and evaluated on the test split.

    Parameters
    ----------
    trial : Trial
    runs : tuple of Run
        One for each seed.
    validation, accuracy : SeedSpread
        The sweep's metric, and the test accuracy, over these runs.
    """

    trial: Trial
    runs: tuple[Run, ...]
    validation: SeedSpread
    accuracy: SeedSpread

    @property
    def conclusion(self) -> str:
        """What was found of it, in a sentence."""
        spread = self.accuracy
        told = f"mean test accuracy {percent(spread.mean)} over {len(self.runs)} fresh seeds"
        if len(self.runs) == 1:
            accuracy = self.runs[0].evaluation.accuracy
            told = (
                f"test accuracy {percent(accuracy)} on a fresh seed (95%, over images: "
                f"{interval(accuracy)})"
            )
        elif spread.deviation > 0:
            within = Estimate(spread.mean.value, *np.clip(spread.mean[1:], 0, 1).tolist())
            told += f" (95%, over seeds: {interval(within)})"
        return f"Trial {self.trial.number}: {told}."


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What came of a sweep.

    Parameters
    ----------
    path : Path
        Its folder.
    recipe : Recipe
        The recipe that was varied.
    space : mapping
        What was varied.
    metric : str
        What trials were judged by.
    trials : tuple of Trial
        In the order in which they began.
    designs : tuple of Design
        The best trials, trained anew; the best by the metric first.
    validation_images : int
        Number of images that trials were judged on.
    fixed : bool
        Whether these are the same whatever the seed.
    importances : mapping of str to float
        By fANOVA, the share of the metric's variance that each varied value alone explains among
        the trials that were trained to the end; empty if there are too few.
    image_size, classes
        Of the data.
    """

    path: Path
    recipe: Recipe
    space: Space
    metric: str
    trials: tuple[Trial, ...]
    designs: tuple[Design, ...]
    validation_images: int
    fixed: bool
    importances: Mapping[str, float]
    image_size: tuple[int, int]
    classes: int

    @property
    def maximises(self) -> bool:
        """Whether a larger value of the metric is better."""
        return self.metric == ACCURACY

    @property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials that were trained to the end, the best first, none with the same values."""
        sign = -1 if self.maximises else 1
        done = [trial for trial in self.trials if trial.value is not None]
        by_values: dict[str, Trial] = {}
        for trial in sorted(done, key=lambda each: (sign * (each.value or 0.0), each.number)):
            by_values.setdefault(repr(sorted(trial.values.items())), trial)
        return tuple(by_values.values())

    @property
    def page_path(self) -> Path:
        """Path of the page about it."""
        return self.path / "sweep.html"

    def recipe_of(self, trial: Trial) -> Recipe:
        """Return the recipe that a trial was trained by."""
        return vary_recipe(self.recipe, trial.values)

    @functools.cached_property
    def noise(self) -> float | None:
        """Standard deviation of the metric around the truth, as far as it is known.

        Of an accuracy, it comes from the draw of the validation images (binomial) and, with at
        least two seeds, from the spread of the best designs over them. Of a loss, only the latter
        is known.
        """
        pooled = [design.validation.deviation**2 for design in self.designs if len(design.runs) > 1]
        of_seeds = float(np.mean(pooled)) if pooled else None
        if not self.maximises:
            return None if of_seeds is None else math.sqrt(of_seeds)
        best = self.ranked[0].value if self.ranked else None
        if best is None:
            return None
        # By Laplace's rule of succession: an accuracy of 100% would seem free of noise.
        images = self.validation_images
        likely = (best * images + 1) / (images + 2)
        of_images = likely * (1 - likely) / images
        if self.fixed:
            return math.sqrt(of_images + (of_seeds or 0.0))
        return math.sqrt(max(of_images, of_seeds or 0.0))  # another seed draws other images

    @functools.cached_property
    def optimism(self) -> float | None:
        """By how much the best trial is expected to look better than it is, by simulation.

        It is at least 0, in the unit of the metric; None if the noise is not known. See
        `inkwise.trials.optimism`.
        """
        if self.noise is None:
            return None
        sign = 1 if self.maximises else -1
        values = [sign * trial.value for trial in self.ranked if trial.value is not None]
        return expected_optimism(values, self.noise)

    @property
    def conclusions(self) -> list[str]:
        """What was found, and what may not be concluded: a sentence or two for each statement."""
        states = [trial.state for trial in self.trials]
        told = [f"{states.count('complete')} trained to the end"]
        told += [f"{n} ended early" for n in [states.count("pruned")] if n]
        told += [f"{n} failed" for n in [states.count("failed")] if n]
        told += [f"{n} not finished" for n in [states.count("running")] if n]
        lines = [f"{counted(len(states), 'trial')}: {', '.join(told)}."]
        if not self.ranked:
            return lines
        best = self.ranked[0]
        lines.append(
            f"The best by {self.metric.replace('.', ' ')} is trial {best.number}, with "
            f"{self.show(best.value)}: "
            f"{', '.join(f'{key} {show_value(value)}' for key, value in best.values.items())}."
        )
        if self.optimism is not None:
            unit = "percentage points " if self.maximises else ""
            scale = 100 if self.maximises else 1
            lines.append(
                f"It is the best of {len(self.ranked)}, and the best of many is partly lucky: it "
                f"is expected to look {scale * self.optimism:.2g} {unit}better than it is (by "
                f"simulation, with a noise of {scale * (self.noise or 0.0):.2g} {unit}in every "
                "trial)."
            )
        lines += [design.conclusion for design in self.designs]
        # More trials may have other designs among the best, and earlier ones were evaluated, too.
        if opened := len([*self.path.glob("best/*/metrics.json")]):
            lines.append(
                f"The test images were opened for {counted(opened, 'training')} alone, once each."
            )
        else:
            lines.append("The test images were not opened.")
        if len(self.designs) > 1:
            lines.append(
                "Whoever chooses among the designs by these figures chooses on the test images."
            )
        return lines

    def show(self, value: float | None) -> str:
        """Format a value of the metric."""
        if value is None:
            return "–"
        return percent(value) if self.maximises else number(value)


def show_value(value: Value) -> str:
    """Format what was varied."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
