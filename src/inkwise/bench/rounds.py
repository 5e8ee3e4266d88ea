"""Running the bench: all contenders in interleaved rounds, and the growth of time with size."""

import contextlib
import dataclasses
import datetime
import importlib.metadata
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inkwise.bench.contenders import BATCHES, CONTENDERS, GROWN, Contender
from inkwise.bench.measurement import Failure, Measurement, measure, run_program
from inkwise.bench.plots import draw_accuracy, draw_growth
from inkwise.bench.programs.task import write_data
from inkwise.bench.summary import Growth, Spread, compare, summarise
from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset, Split
from inkwise.data.splits import stratified_draw
from inkwise.errors import ArgumentError, BenchError
from inkwise.pages.drawing import to_bytes
from inkwise.runs.directory import COMPLETE, INTERRUPTED, UNFINISHED
from inkwise.system.extras import require_training
from inkwise.system.files import write_bytes, write_json
from inkwise.system.folders import claim_folder, claim_next
from inkwise.system.machine import describe_machine, library_versions
from inkwise.system.progress import SILENT, Progress

SCHEMA = "inkwise-bench/1"
DEFAULT_PARENT = Path("bench")
ROUNDS = 3
MOST_ROUNDS = 100
TIME_LIMIT = 1800.0
"""Time that one program of a contender may take, in seconds."""

BUSY = 0.5
"""Load average before the bench above which the machine counts as busy."""

SHARES = (0.1, 0.25, 0.5, 1, 4)
"""Shares of the training images at which training is timed; above 1 images are repeated."""
SMALLEST_BATCH = 100
"""Batch size from which on the images, not the call, dominate the time of a prediction."""


@dataclasses.dataclass
class Bench:
    """The results of a bench so far.

    Parameters
    ----------
    path : Path
        The bench's directory.
    about : dict
        Description of what was run, where and when, as JSON values.
    notices : list of str
        Notices that the user got: which contenders are left out, and what a quick bench omits.
    contenders : list of Contender
        The contenders that take part.
    status : str
        A status as in `inkwise.runs.directory`.
    measurements : list of Measurement
        The measurements of all rounds, in the order in which they were made.
    failures : list of Failure
        The failures, likewise.
    growth : dict of str to Growth
        The growth of the times of ``training`` and ``prediction``, if they were measured.
    """

    path: Path
    about: dict[str, Any]
    notices: list[str]
    contenders: list[Contender]
    status: str = UNFINISHED
    measurements: list[Measurement] = dataclasses.field(default_factory=list)
    failures: list[Failure] = dataclasses.field(default_factory=list)
    growth: dict[str, Growth] = dataclasses.field(default_factory=dict)

    @property
    def summary(self) -> dict[str, dict[str, Spread]]:
        """Every value summarised over the rounds; see `summarise`."""
        return summarise(self.measurements)

    @property
    def ratios(self) -> dict[str, dict[str, dict[str, Spread]]]:
        """The ratios of every contender to every other; see `compare`."""
        return {name: compare(self.measurements, name) for name in self.summary}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "schema": SCHEMA,
            "status": self.status,
            **self.about,
            "notices": self.notices,
            "contenders": {contender.name: contender.title for contender in self.contenders},
            "measurements": [dataclasses.asdict(m) for m in self.measurements],
            "failures": [dataclasses.asdict(failure) for failure in self.failures],
            "summary": {
                contender: {name: spread.to_dict() for name, spread in figures.items()}
                for contender, figures in self.summary.items()
            },
            "ratios": {
                reference: {
                    contender: {name: spread.to_dict() for name, spread in figures.items()}
                    for contender, figures in contenders.items()
                }
                for reference, contenders in self.ratios.items()
            },
            "growth": {name: growth.to_dict() for name, growth in self.growth.items()},
        }

    def save(self) -> None:
        """Write the results so far to ``bench.json``."""
        write_json(self.path / "bench.json", self.to_dict())

    def save_figures(self) -> None:
        """Draw the figures, each as PNG and SVG."""
        figures = {
            f"{name}-growth": draw_growth(growth)
            for name, growth in self.growth.items()
            if growth.seconds
        }
        if self.measurements:
            titles = {
                c.name: f"{c.title}, {c.images:,} images" if c.images else c.title
                for c in self.contenders
            }
            figures["accuracy"] = draw_accuracy(self.measurements, titles)
        for name, figure in figures.items():
            write_bytes(self.path / f"{name}.png", to_bytes(figure, "png"))
            write_bytes(self.path / f"{name}.svg", to_bytes(figure, "svg"))


def run_bench(
    dataset: Dataset | None = None,
    *,
    only: Sequence[str] = (),
    rounds: int | None = None,
    quick: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
    on_outcome: Callable[[Measurement | Failure], object] | None = None,
) -> Bench:
    """Run the contenders, each in a fresh process, one process at a time.

    The rounds are interleaved: every contender runs once before any runs again, so that a machine
    that becomes slower affects all of them. A contender that fails is left out of later rounds.

    Parameters
    ----------
    dataset : Dataset, optional
        The data set; by default MNIST.
    only : sequence of str
        Names in `CONTENDERS`; if empty, all contenders run, or all of the quick bench.
    rounds : int, optional
        Number of rounds; by default 3, or 1 for the quick bench.
    quick : bool
        Whether to run fewer contenders and rounds, and not to measure the growth of time.
    data_dir : path-like, optional
        Where the data set's files are.
    output : path-like, optional
        A directory, new or empty; by default the next free one under ``bench/``.
    progress : Progress, optional
        Receives notices, downloads and steps.
    on_outcome : callable, optional
        Called with the `Measurement` or `Failure` of each contender in each round.

    Returns
    -------
    Bench
        The results, complete; or interrupted, if the user pressed Ctrl-C: then they are those that
        were finished.

    Raises
    ------
    ArgumentError
        A contender is unknown, the number of rounds is out of range, or the directory is not empty.
    BenchError
        No contender is left to run.
    DataError, StorageError
        MNIST cannot be obtained, or the directory cannot be written.
    LibraryError
        The libraries of the extra ``train`` are not installed.
    """
    if unknown := [name for name in only if name not in CONTENDERS]:
        raise ArgumentError(f"unknown contender {unknown[0]!r}: use {', '.join(CONTENDERS)}")
    rounds = (1 if quick else ROUNDS) if rounds is None else rounds
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ArgumentError(f"the number of rounds must be from 1 to {MOST_ROUNDS}, not {rounds}")
    require_training("the bench")
    chosen = [c for c in CONTENDERS.values() if (c.name in only if only else c.quick or not quick)]
    contenders = [c for c in chosen if c.obstacle is None]
    notices = [c.obstacle for c in chosen if c.obstacle is not None]
    if not contenders:
        raise BenchError(notices[0])
    if quick:
        notices.append(_quick_notice(contenders, rounds))
    load = _load_average()
    if load is not None and load > BUSY:
        notices.append(
            f"This machine is busy (load average {load:.1f} before the start): the times are not "
            "reliable, since threads that wait for a core can be many times slower"
        )
    dataset = dataset or load_dataset("mnist", data_dir, progress)
    bench = Bench(
        claim_next(DEFAULT_PARENT, "bench") if output is None else claim_folder(output),
        _describe(dataset, rounds, quick, load),
        notices,
        contenders,
    )
    with tempfile.TemporaryDirectory(prefix="inkwise-bench-") as folder:
        try:
            for notice in notices:
                progress.notice(notice)
            _compete(bench, dataset, rounds, Path(folder), progress, on_outcome or _ignore)
            if not quick and GROWN.name in bench.summary:
                _grow(bench, dataset, rounds, Path(folder), progress)
            bench.status = COMPLETE
        except KeyboardInterrupt:
            bench.status = INTERRUPTED
    bench.save()
    bench.save_figures()
    return bench


def _ignore(_: object) -> None:
    pass


def _compete(
    bench: Bench,
    dataset: Dataset,
    rounds: int,
    folder: Path,
    progress: Progress,
    on_outcome: Callable[[Measurement | Failure], object],
) -> None:
    running = list(bench.contenders)
    everything = len(dataset.train)
    given: dict[str, Path] = {}
    for contender in running:
        images = min(contender.images or everything, everything)
        given[contender.name] = folder / f"{images}-images"
        if not given[contender.name].exists():
            write_data(given[contender.name], _resize(dataset.train, images), dataset.test)
    for number in range(1, rounds + 1):
        for contender in tuple(running):
            progress.step(f"round {number} of {rounds}: {contender.title}")
            work = folder / contender.name
            work.mkdir(exist_ok=True)
            outcome = measure(contender, number, given[contender.name], work, TIME_LIMIT)
            if isinstance(outcome, Measurement):
                bench.measurements.append(outcome)
            else:
                bench.failures.append(outcome)
                running.remove(contender)
            bench.save()
            on_outcome(outcome)


def _grow(bench: Bench, dataset: Dataset, rounds: int, folder: Path, progress: Progress) -> None:
    training = Growth(
        f"Training {GROWN.title}",
        f"training images; the largest size is all of them, repeated {SHARES[-1]} times",
    )
    prediction = Growth(f"Prediction by {GROWN.title}", "images in a batch", SMALLEST_BATCH)
    bench.growth = {"training": training, "prediction": prediction}
    sizes = [round(share * len(dataset.train)) for share in SHARES]
    data = [
        write_data(folder / f"growth-{size}", _resize(dataset.train, size), dataset.test)
        for size in sizes
    ]
    program, _ = GROWN.programs
    try:
        for number in range(1, rounds + 1):
            for size, images in zip(sizes, data, strict=True):
                progress.step(f"growth, round {number} of {rounds}: training on {size:,} images")
                figures = run_program(program, GROWN.name, number, images, images, TIME_LIMIT)
                seconds, _ = figures["history"][-1]
                training.seconds.setdefault(figures["training_images"], []).append(seconds)
                bench.save()
            progress.step(f"growth, round {number} of {rounds}: prediction by batch size")
            figures = run_program(BATCHES, GROWN.name, number, data[0], data[0], TIME_LIMIT)
            for size, seconds in figures["batches"]:
                prediction.seconds.setdefault(size, []).append(seconds)
            bench.save()
    except BenchError as error:
        bench.failures.append(Failure("growth", number, str(error)))


def _resize(split: Split, images: int) -> Split:
    """Return `images` images of a split: drawn by class, or repeated if there are not enough."""
    if images >= len(split):
        return split.take(np.resize(np.arange(len(split)), images))
    _, drawn = stratified_draw(split.labels, images, seed=0)
    return split.take(drawn)


def _describe(dataset: Dataset, rounds: int, quick: bool, load: float | None) -> dict[str, Any]:
    versions = library_versions()
    for name in ("keras", "tensorflow", "tensorflow-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "rounds": rounds,
        "machine": {**describe_machine(), "load": load, "versions": versions},
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "train": len(dataset.train),
            "test": len(dataset.test),
        },
    }


def _load_average() -> float | None:
    """Return the load average of the last minute; None if the system does not have one."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _quick_notice(contenders: Sequence[Contender], rounds: int) -> str:
    missing = [c.title for c in CONTENDERS.values() if c not in contenders]
    often = "one round" if rounds == 1 else f"{rounds} rounds"
    return f"This is the quick bench: {often}, without the growth of time, {', '.join(missing)}"
