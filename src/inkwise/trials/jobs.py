"""Trainings one after another in this process, or several at a time in processes of their own.

Run as a program, this module is such a process.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inkwise import errors
from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError, InkwiseError, RunError
from inkwise.study import train_one_of_many
from inkwise.system.files import write_json
from inkwise.system.machine import available_cores
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe

MOST_AT_ONCE = 8
"""Most trainings at a time that nobody asked for: each holds the images and PyTorch in memory."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """A part of the training images that takes the place of the test images.

    Parameters
    ----------
    name : str
        Name of the data set that comes of it.
    train, test : tuple of int
        Indices of training images.
    """

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]

    def of(self, data: Dataset) -> Dataset:
        """Return the data set of the fold. The images of `data` for testing are not among it."""
        return dataclasses.replace(
            data,
            name=self.name,
            train=data.train.take(np.array(self.train)),
            test=data.train.take(np.array(self.test)),
            validation=None,
        )


@dataclasses.dataclass(frozen=True)
class Job:
    """A training.

    Parameters
    ----------
    until : {"validated", "evaluated"}
        As for `inkwise.study.train_one_of_many`.
    recipe : Recipe
    output : Path
        The run directory.
    fold : Fold or None
        The part of the training images that is tested on, in place of the test images.
    """

    until: Literal["validated", "evaluated"]
    recipe: Recipe
    output: Path
    fold: Fold | None = None


OnEpoch = Callable[[Epoch], bool]
"""Told of every epoch of a training; returns whether it goes on."""

Train = Callable[[Job, OnEpoch], None]
"""Does a job. What it raises is what the training raised."""


class _Ended(Exception):  # noqa: N818 - no error
    """Somebody wants no more epochs."""


def train_here(
    job: Job, on_epoch: OnEpoch, data: Dataset, data_dir: str | None, device: str
) -> None:
    """Do a job in this process."""

    def tell(epoch: Epoch) -> None:
        if not on_epoch(epoch):
            raise _Ended

    with contextlib.suppress(_Ended):
        train_one_of_many(
            job.until,
            job.recipe,
            job.recipe.task(data) if job.fold is None else job.fold.of(job.recipe.task(data)),
            job.output,
            data_dir=data_dir,
            device=device,
            on_epoch=tell,
        )


def choose_at_once(asked: int | None) -> int:
    """Return how many trainings there are at a time: as many as cores, if nobody asked.

    Raises
    ------
    ArgumentError
        It is less than one.
    """
    if asked is None:
        return min(available_cores(), MOST_AT_ONCE)
    if asked < 1:
        raise ArgumentError(f"at least one training at a time, not {asked}: leave out --at-once")
    return asked


def do_all(
    work: Callable[[Train], None],
    at_once: int,
    data: Dataset,
    data_dir: str | os.PathLike[str] | None,
    device: str,
) -> None:
    """Let one or several do work, each with its own way to train, until all have returned.

    Parameters
    ----------
    work : callable
        Takes what does a job, and returns when no job is left. With several at a time, it is called
        in several threads.
    at_once : int
        How many trainings there are at a time. A single one takes place in this process, on all of
        its threads; of several, each in a process of its own, which has its share of the cores.
    data, data_dir, device
        As for `inkwise.train`.
    """
    place = None if data_dir is None else os.fspath(data_dir)
    if at_once == 1:
        work(lambda job, on_epoch: train_here(job, on_epoch, data, place, device))
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="inkwise-"))
        _store(data, Path(folder))
        threads = max(1, available_cores() // at_once)
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(at_once))
        trainers = [
            stack.enter_context(_Process(Path(folder), number, threads, place, device))
            for number in range(at_once)
        ]
        futures = [pool.submit(work, trainer.train) for trainer in trainers]
        # Processes are ended before their threads are waited for, whatever happens.
        for future in concurrent.futures.as_completed(futures):
            future.result()


class _Process:
    """A process that trains, for as long as this one lives."""

    def __init__(
        self, folder: Path, number: int, threads: int, data_dir: str | None, device: str
    ) -> None:
        self._log = folder / f"{number}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                # -P: a file in the working directory must not stand in for a library.
                [sys.executable, "-P", "-m", __name__, folder],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "OMP_NUM_THREADS": str(threads),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._place = {"data_dir": data_dir, "device": device}

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:
            pass

    def train(self, job: Job, on_epoch: OnEpoch) -> None:
        """Do a job."""
        self._write(
            {
                **self._place,
                "until": job.until,
                "recipe": job.recipe.to_dict(),
                "output": str(job.output.resolve()),
                "fold": job.fold and dataclasses.asdict(job.fold),
            }
        )
        while "done" not in (told := self._read()):
            if "error" in told:
                kind = getattr(errors, told["error"])
                raise kind(told["message"])
            self._write({"go_on": on_epoch(Epoch(**told["epoch"]))})

    def _write(self, document: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(json.dumps(document).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        document: dict[str, Any] = json.loads(line)
        return document

    def _died(self) -> RunError:
        lines = self._log.read_text(errors="replace").splitlines() or ["it said nothing"]
        return RunError(
            f"a process that trains has ended: {lines[-1]}; run the same command again to go on, "
            "with fewer at a time if memory is short"
        )


def _store(data: Dataset, folder: Path) -> None:
    """Write a data set for the processes that train; they share the pages of these files."""
    for name, split in _parts(data).items():
        np.save(folder / f"{name}-images.npy", split.images)
        np.save(folder / f"{name}-labels.npy", split.labels)
    described = {
        field.name: getattr(data, field.name)
        for field in dataclasses.fields(data)
        if field.name not in ("train", "test", "validation")
    }
    write_json(folder / "dataset.json", {**described, "parts": [*_parts(data)]})


def _parts(data: Dataset) -> dict[str, Split]:
    parts = {"train": data.train, "test": data.test}
    return parts if data.validation is None else {**parts, "validation": data.validation}


def _load(folder: Path) -> Dataset:
    document = json.loads((folder / "dataset.json").read_bytes())

    def load(name: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    for name in document.pop("parts"):
        document[name] = Split(load(f"{name}-images"), load(f"{name}-labels"))
    return Dataset(**document)


def _be_a_process(folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this one decides what Ctrl-C does
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    data = _load(folder)
    heard = _hear()

    def tell(document: Any) -> None:
        pipe.write(f"{json.dumps(document)}\n")
        pipe.flush()

    def on_epoch(epoch: Epoch) -> bool:
        tell({"epoch": dataclasses.asdict(epoch)})
        return bool(next(heard)["go_on"])

    for told in heard:
        fold = told["fold"]
        try:
            job = Job(
                told["until"],
                Recipe.from_dict(told["recipe"]),
                Path(told["output"]),
                fold and Fold(**fold),
            )
            train_here(job, on_epoch, data, told["data_dir"], told["device"])
        except InkwiseError as error:
            tell({"error": type(error).__name__, "message": str(error)})
        else:
            tell({"done": True})


def _hear() -> Iterator[Any]:
    """Yield what this process is told; it ends at once when the other one is no more."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        collections.deque(map(lines.put, sys.stdin.buffer), 0)
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield json.loads(lines.get())


def run_jobs(
    jobs: Sequence[Job],
    at_once: int,
    data: Dataset,
    data_dir: str | os.PathLike[str] | None,
    device: str,
    on_done: Callable[[Job], object],
) -> None:
    """Do jobs of which the number is known; tell, in this process, when one is done."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    lock = threading.Lock()

    def work(train: Train) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                job = waiting.get_nowait()
                train(job, lambda _: True)
                with lock:
                    on_done(job)

    if jobs:
        do_all(work, min(at_once, len(jobs)), data, data_dir, device)


if __name__ == "__main__":
    _be_a_process(Path(sys.argv[1]))
