"""Measure what a few pictures of one hand teach a model: pens of pendigits, writer by writer.

For each writer, some pictures of each digit are learned by `inkwise train --from`, and all others
are read before and after, as are MNIST's test images. The hyperparameters were chosen on the
writers `CHOSEN_ON` and on images that MNIST has for training; the first ten others are measured.
Of a model that has learned from pendigits itself, the writers that were kept aside are. Prints a
Markdown table.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from handwriting import name_and_path
from pens import draw
from record import write_record

import inkwise
from inkwise import Dataset, Split
from inkwise.data.catalogue import place_of_files
from inkwise.data.pendigits import KEPT_ASIDE, PenDigit, load_pendigits
from inkwise.evaluation.significance import LEVEL
from inkwise.ink import normalise
from inkwise.runs.models import PRETRAINED
from inkwise.runs.starts import find_start
from inkwise.training.going_on import trained_by

CHOSEN_ON = frozenset({1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 18, 19, 22, 26, 28})
"""Writers on whose digits hyperparameters were chosen, or who were looked at meanwhile."""

MEASURED = 10
"""Number of writers to measure."""

PICTURES = (10, 5)
"""Numbers of pictures of each digit to learn from."""

NAMES = tuple("0123456789")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=name_and_path, metavar="NAME=MODEL")
    parser.add_argument(
        "--data-dir", type=Path, help="where pendigits and MNIST are; by default as for a training"
    )
    arguments = parser.parse_args()
    digits = load_pendigits(place_of_files(arguments.data_dir))
    models = arguments.models or [("in the package", PRETRAINED)]
    generator = np.random.default_rng(0)
    images = np.stack([normalise(draw(digit, generator)).image for digit in digits])
    figures: dict[str, Any] = {}
    for name, place in models:
        recipe = trained_by(find_start(place))
        unseen = recipe is None or not recipe.pens
        others = sorted({*range(1, 31)} - CHOSEN_ON if unseen else KEPT_ASIDE)
        writers = others[:MEASURED]
        for pictures in PICTURES:
            rows = [
                measure(str(place), divide(digits, images, writer, pictures), arguments.data_dir)
                for writer in writers
            ]
            figures[f"{name}, {pictures} of each"] = {
                "writers": dict(zip(writers, rows, strict=True)),
                **summarise(rows),
            }
    shown = ["errors before", "errors after", "MNIST before", "MNIST after", "worse", "seconds"]
    print(f"| | writers | {' | '.join(shown)} |\n|---{'|---:' * (len(shown) + 1)}|")
    for name, each in figures.items():
        values = " | ".join(f"{each[key]:.4g}" for key in shown)
        print(f"| {name} | {len(each['writers'])} | {values} |")
    print(f"wrote {write_record('own-hand', {'figures': figures})}")


def divide(digits: list[PenDigit], images: np.ndarray, writer: int, pictures: int) -> Dataset:
    """Return a writer's digits: the first few of each to learn from, the others to test on."""
    parts: dict[bool, list[int]] = {True: [], False: []}
    for label in NAMES:
        own = [
            place
            for place, digit in enumerate(digits)
            if digit.writer == writer and digit.label == label
        ]
        parts[True] += own[:pictures]
        parts[False] += own[pictures:]
    labels = np.array([int(digit.label) for digit in digits])
    learned, tested = (Split(images[part], labels[part]) for part in parts.values())
    return Dataset("hand", f"writer {writer}", NAMES, learned, tested, "pendigits")


def measure(place: str, hand: Dataset, data_dir: Path | None) -> dict[str, float]:
    """Go on from a model with this hand, and return what has changed."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = inkwise.train(start=place, dataset=hand, data_dir=data_dir, output=f"{folder}/run")
        own, mnist = run.gains
        seconds = sum(epoch.seconds for epoch in run.history)
    row = {
        "images": own.images,
        "errors before": len(own.wrong_before),
        "errors after": len(own.wrong_after),
        "p": own.p_value,
        "MNIST before": len(mnist.wrong_before),
        "MNIST after": len(mnist.wrong_after),
        "seconds": seconds,
        "seconds in all": time.perf_counter() - start,
    }
    print(hand.title, row, flush=True)
    return row


def summarise(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return means over writers, and how many got worse by more than luck."""
    rows = [*rows]
    return {
        **{key: statistics.mean(row[key] for row in rows) for key in rows[0]},
        "worse": sum(
            row["errors after"] > row["errors before"] and row["p"] < LEVEL for row in rows
        ),
    }


if __name__ == "__main__":
    main()
