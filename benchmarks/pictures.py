"""A picture's road to its answer: where its time goes, and how it compares with another commit.

Two kinds of pictures are drawn from MNIST's test images: PNGs as MNIST has them, and digits
somewhere on a small sheet, which have to be searched for their ink. Both states answer the same
pictures in turn, each in a process of its own on one thread, and must give the same answers. The
time is that of the processor, so that other work on the machine matters less.
"""

import argparse
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from kills import encode
from record import write_record

import inkwise
from inkwise.batches import jobs
from inkwise.ink.decoding import decode
from inkwise.model.answers import answer_chunk, judge_each, preprocess, stack_readings
from inkwise.networks.as_onnx import PROBABILITIES, SCORE

SHEET = 48, 60
"""Height and width of a small sheet, in pixels."""

CHUNK = 40

_Result = TypeVar("_Result")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", metavar="COMMIT", help="the state to compare with")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", action="store_true", help="measure this state once, as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        drawn = draw(arguments.pictures)
        print(json.dumps({kind: _measure(contents) for kind, contents in drawn.items()}))
        return

    with tempfile.TemporaryDirectory() as scratch:
        states = {"now": Path(inkwise.__file__).parents[1]}
        if arguments.before:
            command = ["git", "archive", arguments.before, "src"]
            content = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                tar.extractall(scratch, filter="data")
            states = {"before": Path(scratch, "src"), **states}
        rounds = []
        for _ in range(arguments.rounds):
            rounds.append({name: _run(src, arguments.pictures) for name, src in states.items()})
            print(rounds[-1])
    kinds = rounds[0]["now"]
    figures = {
        kind: {
            state: {
                part: statistics.median(each[state][kind][part] for each in rounds)
                for part in kinds[kind]
                if part != "answers"
            }
            for state in states
        }
        for kind in kinds
    }
    same = all(
        len({each[state][kind]["answers"] for each in rounds for state in states}) == 1
        for kind in kinds
    )
    path = write_record(
        "pictures",
        {
            "what": "microseconds of one core's time for a picture, medians of the rounds; `all` "
            "is measured by itself, and the parts one after another",
            "before": arguments.before,
            "pictures": arguments.pictures,
            "same_answers": same,
            "medians": figures,
            "rounds": rounds,
        },
    )
    print(f"wrote {path}")


def _run(src: Path, pictures: int) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", "--pictures", str(pictures)],
        env={**os.environ, "PYTHONPATH": str(src), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return figures


def draw(pictures: int) -> dict[str, list[bytes]]:
    """Return PNGs of both kinds."""
    images = inkwise.load_dataset("mnist").test.images[:pictures]
    random = np.random.default_rng(0)
    sheets = []
    for image in images:
        sheet = np.full(SHEET, 230, np.uint8)
        down, aside = (int(random.integers(side - 27)) for side in SHEET)
        place = sheet[down : down + 28, aside : aside + 28]
        np.minimum(place, 255 - image, out=place)
        sheets.append(encode(sheet))
    return {"like MNIST": [encode(image) for image in images], "small sheets": sheets}


def _measure(contents: list[bytes]) -> dict[str, Any]:
    """Return the microseconds of each part for a picture, and a hash of the answers."""
    if hasattr(jobs, "one_thread_a_picture"):  # what a job does
        cv2.setNumThreads(1)
    model = inkwise.load_pretrained()
    size = model.network.image_size
    answer_chunk(model, contents[:CHUNK], "any")
    chunks = [contents[first : first + CHUNK] for first in range(0, len(contents), CHUNK)]
    whole, answers = _time(lambda: [answer_chunk(model, chunk, "any") for chunk in chunks])
    decoded, _ = _time(lambda: [decode(content) for content in contents])
    prepared, inks = _time(
        lambda: [[preprocess(content, size) for content in chunk] for chunk in chunks]
    )
    networked, outputs = _time(
        lambda: [model.run(stack_readings(some, size), PROBABILITIES, SCORE) for some in inks]
    )
    judged, _ = _time(
        lambda: [
            [*judge_each(model, some, probabilities, scores)]
            for some, (probabilities, scores) in zip(inks, outputs, strict=True)
        ]
    )
    parts = {
        "all": whole,
        "decode": decoded,
        "ink": prepared - decoded,
        "network": networked,
        "judge": judged,
    }
    told = repr([_told(answer) for some in answers for answer in some])
    return {
        **{part: seconds / len(contents) * 1e6 for part, seconds in parts.items()},
        "answers": hashlib.sha256(told.encode()).hexdigest(),
    }


def _told(answer: inkwise.Answer | inkwise.InkwiseError) -> object:
    if isinstance(answer, inkwise.InkwiseError):
        return str(answer)
    ink = answer.ink and (answer.ink.box, answer.ink.dropped, answer.ink.image.tobytes())
    return answer.verdict, answer.label, answer.probability, answer.top, answer.score, ink


def _time(work: Callable[[], _Result]) -> tuple[float, _Result]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
