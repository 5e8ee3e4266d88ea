"""Trainings in processes of their own, on this machine.

Run as a program, this module is such a process.
"""

import collections
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise import errors
from inkwise.data.dataset import Dataset, Split
from inkwise.errors import InkwiseError, RunError
from inkwise.system.files import write_json
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe
from inkwise.trials.trainings import Fold, Job, OnEpoch, train_here


class Process:
    """A process that trains, for as long as this one lives."""

    def __init__(
        self,
        folder: Path,
        number: int,
        threads: int,
        data_dir: str | os.PathLike[str] | None,
        device: str,
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
        place = None if data_dir is None else os.fspath(data_dir)
        self._place = {"data_dir": place, "device": device}

    def __enter__(self) -> "Process":
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


def store_data(data: Dataset, folder: Path) -> None:
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


if __name__ == "__main__":
    _be_a_process(Path(sys.argv[1]))
