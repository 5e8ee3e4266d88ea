"""Running jobs: one after another in this process, or several at a time elsewhere."""

import concurrent.futures
import contextlib
import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from inkwise.data.dataset import Dataset
from inkwise.system.machine import available_cores
from inkwise.trials.processes import Process, store_data
from inkwise.trials.ray_trainings import train_on_ray
from inkwise.trials.trainings import Job, Train, Workshop, train_here


def run_workers(
    work: Callable[[Train], None], most: int, data: Dataset, workshop: Workshop
) -> None:
    """Let one or several do work, each with its own way to train, until all have returned.

    Parameters
    ----------
    work : callable
        Takes what does a job, and returns when no job is left. With several at a time, it is called
        in several threads.
    most : int
        So many jobs are left; there are no more at a time.
    data : Dataset
    workshop : Workshop
    """
    data_dir, device = workshop.data_dir, workshop.device
    with contextlib.ExitStack() as stack:
        # Its threads are waited for when what they wait for has been ended, whatever happens.
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(most))
        trainers: list[Train]
        if workshop.engine == "ray":
            trainers = stack.enter_context(train_on_ray(most, data, workshop))
        elif (at_once := min(workshop.here, most)) == 1:
            work(lambda job, on_epoch: train_here(job, on_epoch, data, data_dir, device))
            return
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inkwise-")))
            store_data(data, folder)
            threads = max(1, available_cores() // at_once)
            trainers = [
                stack.enter_context(Process(folder, number, threads, data_dir, device)).train
                for number in range(at_once)
            ]
        futures = [pool.submit(work, train) for train in trainers]
        for future in concurrent.futures.as_completed(futures):
            future.result()


def run_jobs(
    jobs: Sequence[Job], data: Dataset, workshop: Workshop, on_done: Callable[[Job], object]
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
        run_workers(work, len(jobs), data, workshop)
