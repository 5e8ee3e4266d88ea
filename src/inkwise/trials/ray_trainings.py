"""Trainings by Ray: one on each core of a machine or a cluster, on its share of the GPUs."""

import contextlib
import dataclasses
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inkwise.data.dataset import Dataset
from inkwise.errors import InkwiseError, RunError
from inkwise.system.ray_cluster import open_ray
from inkwise.training.history import Epoch
from inkwise.trials.trainings import Job, OnEpoch, Train, Workshop, train_here

TRIES = 3
"""So often a training is begun or goes on, if the machine that it is on is lost."""


class Worker:
    """A training in a process of Ray's, an epoch at a time.

    Each method returns what comes next: an `Epoch`, an exception or, at the end, None.
    """

    def __init__(self, data: Dataset, workshop: Workshop) -> None:
        self._data, self._workshop = data, workshop
        self._told: queue.SimpleQueue[Epoch | Exception | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def begin(self, job: Job) -> Epoch | Exception | None:
        """Begin a job."""
        threading.Thread(target=self._train, args=(job,), daemon=True).start()
        return self._told.get()

    def answer(self, go_on: bool) -> Epoch | Exception | None:
        """Go on after an epoch, or not."""
        self._answers.put(go_on)
        return self._told.get()

    def _train(self, job: Job) -> None:
        def on_epoch(epoch: Epoch) -> bool:
            self._told.put(epoch)
            return self._answers.get()

        workshop = self._workshop
        try:
            train_here(job, on_epoch, self._data, workshop.data_dir, workshop.device)
        except InkwiseError as error:
            self._told.put(error)
        except Exception as error:  # or the other process would wait for ever
            self._told.put(RunError(f"{job.output}: {type(error).__name__}: {error}"))
        else:
            self._told.put(None)


@contextlib.contextmanager
def train_on_ray(most: int, data: Dataset, workshop: Workshop) -> Iterator[list[Train]]:
    """Connect to Ray, or start it on this machine, and give ways to train by it.

    Parameters
    ----------
    most : int
        So many trainings are left, and there are no more at a time.
    data : Dataset
        It is sent to each machine once.
    workshop : Workshop

    Raises
    ------
    RunError
        There is no cluster at the address.
    """
    with open_ray(workshop.address) as ray:
        there = ray.cluster_resources()
        at_once = min(most, workshop.at_once or max(1, int(there.get("CPU", 1))))
        share = min(1.0, there.get("GPU", 0) / at_once)
        stored = ray.put(data)
        elsewhere = dataclasses.replace(workshop, engine="here", address=None)
        with contextlib.ExitStack() as stack:
            trainers = [_RayTrainer(ray, share, stored, elsewhere) for _ in range(at_once)]
            for trainer in trainers:
                stack.callback(trainer.close)
            yield [trainer.train for trainer in trainers]


class _RayTrainer:
    """A way to train that outlives the machine that it is on."""

    def __init__(self, ray: Any, gpus: float, data: Any, workshop: Workshop) -> None:
        self._ray = ray
        self._kind = ray.remote(num_cpus=1, num_gpus=gpus)(Worker)
        self._arguments = data, workshop
        self._worker = self._kind.remote(*self._arguments)
        self._closed = False

    def close(self) -> None:
        """End the process, and whatever it does."""
        self._closed = True
        self._ray.kill(self._worker)

    def train(self, job: Job, on_epoch: OnEpoch) -> None:
        """Do a job; on another machine, if the first one is lost."""
        job = dataclasses.replace(job, output=Path(job.output).resolve())
        for left in reversed(range(TRIES)):
            try:
                self._train(job, on_epoch)
            except self._ray.exceptions.RayActorError as error:
                if not left or self._closed:
                    raise RunError(
                        f"{job.output} was begun {TRIES} times, and each time the process or the "
                        "machine was lost: is there enough memory?"
                    ) from error
                self._worker = self._kind.remote(*self._arguments)
            else:
                return

    def _train(self, job: Job, on_epoch: OnEpoch) -> None:
        told = self._ray.get(self._worker.begin.remote(job))
        while isinstance(told, Epoch):
            told = self._ray.get(self._worker.answer.remote(on_epoch(told)))
        if told is not None:
            raise told
