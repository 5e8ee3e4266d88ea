"""Learning-rate schedules."""

import dataclasses
import math
from collections.abc import Sequence

from inkwise.training.value_checks import check, check_count, check_factor, check_share


@dataclasses.dataclass(frozen=True)
class OneCycle:
    """A learning-rate schedule: a linear warm-up to the optimiser's rate, then a linear decay.

    Parameters
    ----------
    start, end : float
        Factors of the learning rate at the first step and after the last, from 0 to 1.
    peak : float
        Share of the steps after which the factor is 1, in (0, 1).

    References
    ----------
    L. N. Smith, "A disciplined approach to neural network hyper-parameters: part 1", 2018,
    arXiv:1803.09820.
    """

    start: float = 0.5
    peak: float = 0.2
    end: float = 0.01

    def __post_init__(self) -> None:
        check_factor("start of a cycle", self.start)
        check_factor("end of a cycle", self.end)
        check(
            "peak of a cycle", self.peak, int | float, lambda share: 0 < share < 1, "lie in (0, 1)"
        )

    def __call__(self, done: float) -> float:
        """Return the factor of the learning rate after this share of the steps, from 0 to 1."""
        if done < self.peak:
            return self.start + (1 - self.start) * done / self.peak
        return self.end + (1 - self.end) * (1 - done) / (1 - self.peak)

    def __str__(self) -> str:
        """Return what happens to the learning rate, as a clause of a sentence."""
        return f"which is reached after {self.peak:.0%} of the steps and decreases from there"


@dataclasses.dataclass(frozen=True)
class Cosine:
    """A learning-rate schedule: a linear warm-up, then a decay along half a cosine.

    Parameters
    ----------
    warm_up : float
        Share of the steps in which the learning rate rises from 0 to its value, in [0, 1).
    end : float
        Factor of the learning rate after the last step, from 0 to 1.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    arXiv:1608.03983.
    """

    warm_up: float = 0.0
    end: float = 0.0

    def __post_init__(self) -> None:
        check_share("warm-up of a cosine", self.warm_up)
        check_factor("end of a cosine", self.end)

    def __call__(self, done: float) -> float:
        """Return the factor of the learning rate after this share of the steps, from 0 to 1."""
        if done < self.warm_up:
            return done / self.warm_up
        way = (done - self.warm_up) / (1 - self.warm_up)
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * way)) / 2

    def __str__(self) -> str:
        """Return what happens to the learning rate, as a clause of a sentence."""
        reached = f"is reached after {self.warm_up:.0%} of the steps and " if self.warm_up else ""
        return f"which {reached}decreases along a cosine to {self.end:.3g} of it"


@dataclasses.dataclass(frozen=True)
class Plateau:
    """A learning-rate schedule: a lower rate whenever the validation loss no longer falls.

    It is what Keras calls ``ReduceLROnPlateau``.

    Parameters
    ----------
    factor : float
        Number by which the learning rate is multiplied, in (0, 1).
    patience : int
        Number of epochs in a row without a lower validation loss after which that happens.
    least : float
        Factor of the learning rate below which it does not go, from 0 to 1.
    """

    factor: float = 0.5
    patience: int = 2
    least: float = 0.01

    def __post_init__(self) -> None:
        check(
            "factor of a plateau",
            self.factor,
            int | float,
            lambda factor: 0 < factor < 1,
            "lie in (0, 1)",
        )
        check_count("patience of a plateau", self.patience)
        check_factor("least of a plateau", self.least)

    def after(self, losses: Sequence[float]) -> float:
        """Return the factor of the learning rate after epochs with these validation losses."""
        factor, best, waited = 1.0, math.inf, 0
        for loss in losses:
            if loss < best - _GAIN:
                best, waited = loss, 0
                continue
            waited += 1
            if waited >= self.patience:
                factor, waited = max(factor * self.factor, self.least), 0
        return factor

    def __str__(self) -> str:
        """Return what happens to the learning rate, as a clause of a sentence."""
        epochs = "an epoch" if self.patience == 1 else f"{self.patience} epochs in a row"
        return (
            f"which is multiplied by {self.factor:.3g} after {epochs} without a lower validation "
            f"loss, down to {self.least:.3g} of it"
        )


_GAIN = 1e-4
"""What a validation loss has to fall by to count as lower, as in Keras."""


Schedule = OneCycle | Cosine | Plateau

SCHEDULES: dict[str, type[Schedule]] = {"one_cycle": OneCycle, "cosine": Cosine, "plateau": Plateau}
"""Schedules by name; constructed without arguments, each has its default values."""


def rate_factor(schedule: Schedule | None, done: float, losses: Sequence[float]) -> float:
    """Return the factor of the learning rate of the next step.

    Parameters
    ----------
    schedule : OneCycle, Cosine, Plateau or None
        The schedule; None keeps the learning rate constant.
    done : float
        Share of the steps that are done, from 0 to 1.
    losses : sequence of float
        Validation losses of the epochs that are over.
    """
    match schedule:
        case None:
            return 1.0
        case Plateau():
            return schedule.after(losses)
        case _:
            return schedule(done)
