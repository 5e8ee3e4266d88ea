"""Trainings to be done: what each is, where they take place, and how one is done here."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError
from inkwise.networks.words import nearest
from inkwise.study import train_one_of_many
from inkwise.system.extras import require_ray
from inkwise.system.machine import available_cores
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe

ENGINES = ("here", "ray")

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


@dataclasses.dataclass(frozen=True)
class Workshop:
    """Where trainings take place.

    Parameters
    ----------
    at_once : int or None
        How many there are at a time; by default as many as there are cores. On this machine there
        are `MOST_AT_ONCE` at most. A single one takes place in this process, on all of its threads;
        of several, each in a process of its own, which has its share of the cores.
    data_dir, device
        As for `inkwise.train`.
    engine : {"here", "ray"}
        On this machine, or by Ray.
    address : str or None
        Of Ray's cluster; by default one of this machine's own.

    Raises
    ------
    ArgumentError
        There is no such engine, or less than one training at a time.
    LibraryError
        Ray is not installed.
    """

    at_once: int | None = None
    data_dir: str | os.PathLike[str] | None = None
    device: str = "auto"
    engine: str = "here"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.at_once is not None and self.at_once < 1:
            raise ArgumentError(
                f"at least one training at a time, not {self.at_once}: leave out --at-once"
            )
        if self.engine not in ENGINES:
            raise ArgumentError(
                f"unknown engine {self.engine!r}{nearest(self.engine, ENGINES)}: use "
                f"{' or '.join(ENGINES)}"
            )
        if self.engine == "ray":
            require_ray("the engine ray")
        elif self.address is not None:
            raise ArgumentError(f"the address {self.address} is one of Ray's: add --engine ray")

    @property
    def here(self) -> int:
        """How many trainings there are at a time on this machine."""
        return self.at_once or min(available_cores(), MOST_AT_ONCE)

    @property
    def parallel(self) -> bool:
        """Whether there may be several at a time."""
        return self.here > 1 or self.engine == "ray"


OnEpoch = Callable[[Epoch], bool]
"""Told of every epoch of a training; returns whether it goes on."""

Train = Callable[[Job, OnEpoch], None]
"""Does a job. What it raises is what the training raised."""


class _Ended(Exception):  # noqa: N818 - no error
    """Somebody wants no more epochs."""


def train_here(
    job: Job,
    on_epoch: OnEpoch,
    data: Dataset,
    data_dir: str | os.PathLike[str] | None,
    device: str,
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
