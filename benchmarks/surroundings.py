"""Measure what is answered about digits among other things: numbers, labels, boxes, figures.

Prints a Markdown table with a row for each kind of picture. Digits inside something are drawn a
second time without it.
"""

import argparse
import dataclasses
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import scenes
from numpy.typing import NDArray
from record import write_record

import inkwise
from inkwise.data.dataset import Split
from inkwise.model import Answer
from inkwise.runs.models import find_model

Levels = NDArray[np.uint8]
Draw = Callable[[Levels, np.random.Generator], Levels]
DrawAround = Callable[[scenes.Shape, float, np.random.Generator], scenes.Shape]

OUTCOMES = ("right", "surely wrong", "unsure", "several", "not a digit")

SEVERAL: dict[str, Draw] = {
    "numbers, touching or overlapping": partial(scenes.number, least=-0.06, most=0.0),
    "numbers, close": partial(scenes.number, least=0.02, most=0.1),
    "numbers, apart": partial(scenes.number, least=0.1, most=0.3),
    "numbers, wide apart": partial(scenes.number, least=0.3, most=1.2),
    "numbers, images of 28×28 in a row": scenes.tiles,
    "two digits on a canvas": scenes.two_in_a_square,
    "a digit beside a letter": partial(scenes.beside, scenes.LETTERS, 0.6, 1.1),
    "a digit beside an operator": partial(scenes.beside, scenes.OPERATORS, 0.5, 1.1),
    "a digit beside a unit": partial(scenes.beside, scenes.UNITS, 0.4, 0.9),
    "a digit beside a printed label": partial(scenes.beside, scenes.LABELS, 0.2, 0.6),
}
"""Pictures of which a single digit is no answer."""

AROUND: dict[str, DrawAround] = {
    "in a printed box": scenes.box,
    "in a box by hand": scenes.box_by_hand,
    "in a ring": scenes.ring,
    "in brackets": scenes.brackets,
    "in a table": scenes.cells,
    "in a comb": scenes.comb,
}
"""What is drawn around single digits."""

SINGLE: dict[str, tuple[Draw, int | None]] = {
    "among specks": (scenes.specks, None),
    "with a dot of dirt": (scenes.dirt, None),
    "broken in two": (scenes.broken, None),
    "a 5 with a loose flag": (scenes.flag, 5),
    "a thick 0": (scenes.thick_zero, 0),
    "a 0 drawn twice": (scenes.double_zero, 0),
    "in a figure of matplotlib": (scenes.figure, None),
}
"""Other pictures of single digits, of any class or of one."""


RARER_AROUND: dict[str, DrawAround] = {
    "in a box of dashes": partial(scenes.dashed, scenes.square),
    "in a ring of dashes": partial(scenes.dashed, scenes.circle),
    "in corner marks": scenes.corner_marks,
    "in curly brackets": scenes.curly_brackets,
    "in a large table": scenes.large_table,
}
RARER_SEVERAL: dict[str, Draw] = {
    "a digit with an index": scenes.index,
    "a digit and a colon by hand": scenes.colon,
    "a second digit cut by the border": scenes.cut_by_the_border,
    "one digit above the other": scenes.one_above_the_other,
}
"""Kinds that the rules were not made for, and that are rarer."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of picture: how it is drawn, and of which digits.

    Parameters
    ----------
    draw : callable
        Draws a picture from images of digits.
    single : bool
        Whether the picture shows a single digit, which is given as the only image.
    of : int or None
        The class of the digits; None for any.
    """

    draw: Draw
    single: bool
    of: int | None = None


def list_kinds() -> dict[str, Kind]:
    """Return all kinds by name."""
    kinds = {name: Kind(draw, single=False) for name, draw in SEVERAL.items()}
    for name, around in AROUND.items():
        kinds[name] = Kind(partial(scenes.framed, around), single=True)
        kinds[f"{name}: without it"] = Kind(
            partial(scenes.framed, around, without=True), single=True
        )
    kinds |= {name: Kind(draw, single=True, of=of) for name, (draw, of) in SINGLE.items()}
    for name, around in RARER_AROUND.items():
        kinds[name] = Kind(partial(scenes.framed, around), single=True)
    return kinds | {name: Kind(draw, single=False) for name, draw in RARER_SEVERAL.items()}


def draw_pictures(
    kind: Kind, digits: Split, count: int, seed: list[int]
) -> tuple[list[Levels], list[int | None]]:
    """Draw pictures of a kind, and return the classes of single digits."""
    some = digits
    if kind.of is not None:
        some = digits.take(np.flatnonzero(digits.labels == kind.of))
    pictures: list[Levels] = []
    labels: list[int | None] = []
    for place, index in enumerate(np.random.default_rng(seed).integers(len(some), size=count)):
        images = some.images[[index]] if kind.single else some.images
        try:
            pictures.append(kind.draw(images, np.random.default_rng([*seed, place])))
        except scenes.NotPossibleError:
            continue
        labels.append(int(some.labels[index]) if kind.single else None)
    return pictures, labels


def judge(answer: Answer, label: int | None) -> str:
    """Return the outcome of an answer: right, surely wrong, or its verdict."""
    if answer.verdict != "digit":
        return answer.verdict
    return "right" if answer.label == str(label) else "surely wrong"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a run or model; by default the package's")
    parser.add_argument("--count", type=int, default=1_000, help="pictures of each kind")
    parser.add_argument(
        "--split",
        choices=("validation", "test"),
        default="test",
        help="MNIST's test images (default), or its last 3,000 training images",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only kinds whose name contains this")
    parser.add_argument("--mistakes", type=Path, help="write pictures with other answers here")
    arguments = parser.parse_args()
    model = find_model(arguments.model) if arguments.model else inkwise.load_pretrained()
    mnist = inkwise.load_dataset("mnist")
    digits = (
        mnist.test if arguments.split == "test" else mnist.train.take(np.arange(57_000, 60_000))
    )
    figures: dict[str, dict[str, float]] = {}
    print(f"| | {' | '.join(OUTCOMES)} |\n|---{'|---:' * len(OUTCOMES)}|")
    for place, (name, kind) in enumerate(list_kinds().items()):
        if arguments.only not in name:
            continue
        # The second drawing of a digit inside something has the same digits in the same places.
        seed = [arguments.seed, place - name.endswith(": without it")]
        pictures, labels = draw_pictures(kind, digits, arguments.count, seed)
        answers = model.classify(pictures)
        outcomes = [judge(answer, label) for answer, label in zip(answers, labels, strict=True)]
        counts = Counter(outcomes)
        figures[name] = {outcome: counts[outcome] / len(pictures) for outcome in OUTCOMES}
        cells = [f"{figures[name][outcome]:.1%}" for outcome in OUTCOMES]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        if arguments.mistakes:
            arguments.mistakes.mkdir(parents=True, exist_ok=True)
            for number, (picture, outcome) in enumerate(zip(pictures, outcomes, strict=True)):
                if outcome == "surely wrong" or (kind.single and outcome != "right"):
                    file = arguments.mistakes / f"{name} - {outcome} - {number}.png"
                    cv2.imwrite(str(file), picture[..., ::-1] if picture.ndim == 3 else picture)
    if not arguments.only:
        suffix = "" if arguments.split == "test" else f"-{arguments.split}"
        record = {
            "split": arguments.split,
            "count": arguments.count,
            "seed": arguments.seed,
            "kinds": figures,
        }
        print(f"wrote {write_record(f'surroundings{suffix}', record)}")


if __name__ == "__main__":
    main()
