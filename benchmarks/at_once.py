"""Measure whether trials go faster one after another on all cores, or one on each core at a time.

Both ways train the same trials, in turn; the ratio of the two is what counts on a machine that
others use as well. Reading the images and starting processes, which happens once, is left out: the
clock runs from the first trials that are finished to the last.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from record import write_record

import inkwise
from inkwise.system.machine import available_cores


def measure(recipe: inkwise.Recipe, dataset: inkwise.Dataset, trials: int, at_once: int) -> float:
    """Return the trials a minute."""
    finished: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        inkwise.sweep(
            recipe,
            dataset,
            vary={"optimiser.learning_rate": [0.01 + number / 1000 for number in range(trials)]},
            sampler="grid",
            pruning=False,
            best=0,
            at_once=at_once,
            output=Path(folder) / "sweep",
            on_trial=lambda _: finished.append(time.perf_counter()),
        )
    return 60 * (trials - at_once) / (finished[-1] - finished[at_once - 1])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--images", type=int, default=60_000, help="training images of MNIST")
    arguments = parser.parse_args()
    cores = available_cores()
    mnist = inkwise.load_dataset("mnist")
    images = mnist.train.take(np.arange(arguments.images))
    dataset = dataclasses.replace(mnist, train=images)
    figures = {}
    for name, epochs in (("swift", 2), ("case-study", 1)):
        recipe, load = inkwise.get_recipe(name, epochs=epochs), os.getloadavg()[0]
        rates: dict[int, list[float]] = {1: [], cores: []}
        for _ in range(arguments.rounds):
            for at_once, found in rates.items():
                found.append(measure(recipe, dataset, arguments.trials, at_once))
        ratios = [each / one for one, each in zip(*rates.values(), strict=True)]
        print(f"{name}: one on each core is {statistics.median(ratios):.2f} times as fast", ratios)
        figures[name] = {
            "epochs": epochs,
            "load_before": round(load, 1),
            "trials_a_minute": {
                f"{at_once} at a time": [round(each, 1) for each in found]
                for at_once, found in rates.items()
            },
            "times_as_fast_one_on_each_core": [round(ratio, 2) for ratio in ratios],
        }
        record = write_record(
            "at-once",
            {"trials": arguments.trials, "images": arguments.images, "recipes": figures},
        )
        print(f"wrote {record}", flush=True)


if __name__ == "__main__":
    main()
