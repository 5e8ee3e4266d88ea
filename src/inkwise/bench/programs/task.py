"""The contender's side of the bench: the task, the clock, and the line of results."""

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.system.files import storage

PATIENCE = 2.0
"""Total time of a measurement, in seconds, after which it is not repeated any more."""


@dataclasses.dataclass(frozen=True)
class Task:
    """The task of a contender's process.

    Parameters
    ----------
    name : str
        Name of the contender, which tells programs that serve several which recipe or estimator
        to train.
    data : str
        A folder that `write_data` filled.
    work : str
        A folder to leave the trained model in.
    seed : int
        Seed, which differs from round to round.
    asked : float
        Time by ``time.monotonic()`` at which the process was started; all processes share this
        clock.
    """

    name: str
    data: str
    work: str
    seed: int
    asked: float

    @classmethod
    def read(cls) -> "Task":
        """Return the task that this process was started with."""
        return cls(**json.loads(sys.argv[1]))

    def load(self) -> tuple[Split, Split]:
        """Return the training and the test images."""
        train, test = (
            Split(*(np.load(Path(self.data) / f"{part}-{kind}.npy") for kind in ARRAYS))
            for part in PARTS
        )
        return train, test

    def ready(self) -> "Clock":
        """Start the clock once everything is imported and loaded."""
        return Clock(time.monotonic() - self.asked)


PARTS = ("train", "test")
ARRAYS = ("images", "labels")


def write_data(folder: Path, train: Split, test: Split) -> Path:
    """Write images and labels for `Task.load`, and return the folder."""
    with storage(folder, "write to"):
        folder.mkdir()
        for part, split in zip(PARTS, (train, test), strict=True):
            for kind in ARRAYS:
                np.save(folder / f"{part}-{kind}.npy", getattr(split, kind))
    return folder


class Clock:
    """The clock of one training, which is stopped while the test accuracy is computed."""

    def __init__(self, startup_seconds: float) -> None:
        self.startup_seconds = startup_seconds
        self.epochs: list[float] = []
        self.memory: int | None = None
        self._trained = 0.0
        self.start()

    def start(self) -> None:
        """Start or continue."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stop at the end of an epoch, or of the whole training."""
        self._trained += time.perf_counter() - self._since
        self.epochs.append(self._trained)
        self.memory = peak_memory()

    def report(self, accuracies: list[float], **figures: Any) -> None:
        """Report the results to the bench.

        Parameters
        ----------
        accuracies : list of float
            Accuracy on the test images each time that the clock was stopped.
        **figures
            Further values of an `inkwise.bench.measurement.Measurement`.
        """
        answer(
            startup_seconds=self.startup_seconds,
            history=[*zip(self.epochs, accuracies, strict=True)],
            training_memory=self.memory,
            **figures,
        )


def answer(**figures: Any) -> None:
    """Write results as the last line of the output, which is the line that the bench reads."""
    sys.stdout.write(f"\n{json.dumps(figures)}\n")


def peak_memory() -> int | None:
    """Return the peak memory of this process, in bytes; None if the system does not tell."""
    status = Path("/proc/self/status")
    if status.is_file():  # On Linux, ru_maxrss starts from the parent's size
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def seconds_of(work: Callable[[], object], repeats: int) -> float:
    """Return the median duration of a call.

    Parameters
    ----------
    work : callable
        The call to time.
    repeats : int
        Number of timed calls, fewer if `PATIENCE` runs out. The first call is a warm-up, and counts
        only if there was no time for another.
    """
    durations: list[float] = []
    while len(durations) <= repeats and sum(durations) < PATIENCE:
        durations.append(timed(work))
    return statistics.median(durations[1:] or durations)


def time_predictions(
    predict: Callable[[NDArray[Any]], object], images: NDArray[Any]
) -> dict[str, Any]:
    """Time the prediction of all test images at once, and of a single one.

    Parameters
    ----------
    predict : callable
        The contender's usual call to predict.
    images : ndarray, shape (N, ...)
        The test images.

    Returns
    -------
    dict
        ``test_images``, their number; and the medians ``batch_seconds``, for all of them, and
        ``single_seconds``, for one.
    """
    return {
        "test_images": len(images),
        "batch_seconds": seconds_of(lambda: predict(images), 5),
        "single_seconds": seconds_of(lambda: predict(images[:1]), 500),
    }


def timed(work: Callable[[], object]) -> float:
    """Return the duration of a call, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
