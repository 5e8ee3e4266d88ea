"""Trackers by name, and telling one of them about a run while it is trained."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from inkwise.errors import ArgumentError
from inkwise.runs.directory import COMPLETE, INTERRUPTED, UNFINISHED, Run
from inkwise.system.extras import require_mlflow, require_tensorboard
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe


class Tracker(Protocol):
    """A program that keeps track of a run, from its start or from where it was resumed.

    Attributes
    ----------
    epochs : int
        How many epochs of the run it has kept.
    """

    epochs: int

    def epoch(self, epoch: Epoch) -> None:
        """Keep the losses and accuracies of an epoch."""

    def finish(self, run: Run) -> None:
        """Keep what a complete run has: metrics, figures, the model."""

    def close(self, status: str) -> None:
        """End, with the status of the run: complete, interrupted, or unfinished, as it failed."""


def _tensorboard(run: Run, recipe: Recipe) -> Tracker:
    from inkwise.tracking.tensorboard import TensorBoard

    return TensorBoard(run, recipe)


def _mlflow(run: Run, recipe: Recipe) -> Tracker:
    from inkwise.tracking.mlflow import MLflow

    return MLflow(run, recipe)


_REQUIRE = {"tensorboard": require_tensorboard, "mlflow": require_mlflow}
_OPEN: dict[str, Callable[[Run, Recipe], Tracker]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}

TRACKERS = tuple(_OPEN)
"""The names of the trackers."""


def require_tracker(name: str | None) -> None:
    """Make sure that there is a tracker of this name, if one is given, and that it is installed.

    Raises
    ------
    ArgumentError
        There is no such tracker.
    LibraryError
        Its library is not installed.
    """
    if name is None:
        return
    if name not in _OPEN:
        raise ArgumentError(f"unknown tracker {name!r}: use {' or '.join(TRACKERS)}")
    _REQUIRE[name](f"tracking with {name}")


@contextlib.contextmanager
def tracked(
    name: str | None, run: Run, recipe: Recipe, on_epoch: Callable[[Epoch], object] | None
) -> Iterator[Callable[[Epoch], object] | None]:
    """Tell a tracker about a run, from its start to its end.

    Of a run that is resumed, it is first told the epochs that it does not know.

    Parameters
    ----------
    name : str or None
        The tracker; None tells nobody.
    run : Run
        The run, which is trained within the context.
    recipe : Recipe
        The recipe that it is trained by, which may have more epochs than it began with.
    on_epoch : callable or None
        Called with every epoch as well.

    Yields
    ------
    callable or None
        To be called with every finished epoch.
    """
    if name is None:
        yield on_epoch
        return
    tracker = _OPEN[name](run, recipe)

    def tell(epoch: Epoch) -> None:
        tracker.epoch(epoch)
        if on_epoch is not None:
            on_epoch(epoch)

    status = UNFINISHED
    try:
        for epoch in run.history[tracker.epochs :]:
            tracker.epoch(epoch)
        yield tell
        tracker.finish(run)
        status = COMPLETE
    except KeyboardInterrupt:
        status = INTERRUPTED
        raise
    finally:
        tracker.close(status)
