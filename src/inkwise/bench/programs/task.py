"""A contender's side of the bench: what it is asked, its clock, and its answer of one line."""

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
"""Seconds after which a prediction is timed no more often."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What a contender's process is asked to do.

    Parameters
    ----------
    name : str
        The contender: a recipe or an estimator, where one program serves several.
    data : str
        A folder that `write_data` filled.
    work : str
        A folder to leave the trained model in.
    seed : int
        Another one in each round.
    asked : float
        ``time.monotonic()`` when the process was started; that clock is the whole system's.
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
        """Start the clock: all is imported and loaded."""
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
    """The time of one training. It stands still while the test accuracy is looked at."""

    def __init__(self, startup_seconds: float) -> None:
        self.startup_seconds = startup_seconds
        self.epochs: list[float] = []
        self.memory: int | None = None
        self._trained = 0.0
        self.start()

    def start(self) -> None:
        """Go on."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stand still: an epoch, or the whole training, has ended."""
        self._trained += time.perf_counter() - self._since
        self.epochs.append(self._trained)
        self.memory = peak_memory()

    def report(self, accuracies: list[float], **figures: Any) -> None:
        """Answer the bench.

        Parameters
        ----------
        accuracies : list of float
            On the test images, each time that the clock stopped.
        **figures
            More of what `inkwise.bench.measurement.Measurement` holds.
        """
        answer(
            startup_seconds=self.startup_seconds,
            history=[*zip(self.epochs, accuracies, strict=True)],
            training_memory=self.memory,
            **figures,
        )


def answer(**figures: Any) -> None:
    """Write figures as the last line of the output, which is what the bench reads."""
    sys.stdout.write(f"\n{json.dumps(figures)}\n")


def peak_memory() -> int | None:
    """Return the most memory that this process has held, in bytes; None where it is not known."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux' ru_maxrss begins with the size of the process that started us
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
    repeats : int
        How often it is timed, unless `PATIENCE` ends first. The first call, which may have to
        warm something up, counts only if there was time for no other.
    """
    durations: list[float] = []
    while len(durations) <= repeats and sum(durations) < PATIENCE:
        durations.append(timed(work))
    return statistics.median(durations[1:] or durations)


def time_predictions(
    predict: Callable[[NDArray[Any]], object], images: NDArray[Any]
) -> dict[str, Any]:
    """Time a contender's prediction of the test images, all at once and a single one.

    Parameters
    ----------
    predict : callable
        Its natural call.
    images : ndarray, shape (N, ...)

    Returns
    -------
    dict
        ``test_images``; ``batch_seconds``, for all of them, and ``single_seconds``: medians.
    """
    return {
        "test_images": len(images),
        "batch_seconds": seconds_of(lambda: predict(images), 5),
        "single_seconds": seconds_of(lambda: predict(images[:1]), 500),
    }


def timed(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
