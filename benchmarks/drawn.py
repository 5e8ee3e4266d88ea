"""Measure accuracy on drawn styles of digits: ones with flags and feet, sevens with bars.

MNIST was written in the United States and contains hardly any examples of some of these styles.
Every style is drawn many times with random slants, stroke widths and proportions, and classified as
`inkwise predict` does. The benchmark is for development; it is not a test. Prints a Markdown table.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from handwriting import name_and_path
from numpy.typing import NDArray
from record import write_record

import inkwise
from inkwise.model import Model
from inkwise.runs.models import find_model

SIDE, FINE = 112, 4
"""Side of a picture, in pixels, and the factor by which it is drawn larger and then averaged."""

Points = NDArray[np.float64]
"""Points of a stroke, float64 (M, 2): x to the right and y down, from 0 to 1."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=name_and_path, metavar="NAME=MODEL")
    parser.add_argument("--count", type=int, default=300, help="number of pictures of each style")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="write some pictures of each style to this file",
    )
    arguments = parser.parse_args()
    pictures = {name: draw(name, arguments.count) for name in WAYS}
    if arguments.picture:
        rows = [np.hstack(each[:16]) for each in pictures.values()]
        cv2.imwrite(str(arguments.picture), np.vstack(rows))
    models = {name: find_model(path) for name, path in arguments.models}
    models["in the package"] = inkwise.load_pretrained()
    figures = {
        name: {way: measure(model, each, WAYS[way][0]) for way, each in pictures.items()}
        for name, model in models.items()
    }
    print(f"| | {' | '.join(models)} |\n|---{'|---:' * len(models)}|")
    for way in WAYS:
        cells = [
            f"{figures[name][way]['right']:.1%}; {figures[name][way]['surely_wrong']:.1%}"
            for name in models
        ]
        print(f"| {way} | {' | '.join(cells)} |")
    record = {"count": arguments.count, "figures": figures}
    print(f"wrote {write_record('drawn', record)}")


def measure(model: Model, pictures: list[NDArray[np.uint8]], digit: str) -> dict[str, float]:
    """Return the share classified correctly, and the share with a wrong digit and no abstention."""
    answers = model.classify(pictures)
    wrong = [answer.verdict == "digit" and answer.label != digit for answer in answers]
    return {
        "right": float(np.mean([answer.label == digit for answer in answers])),
        "surely_wrong": float(np.mean(wrong)),
    }


def draw(way: str, count: int) -> list[NDArray[np.uint8]]:
    """Draw many pictures of one style, dark on light, uint8 (SIDE, SIDE) each."""
    generator = np.random.default_rng(0)
    pictures = []
    for _ in range(count):
        strokes = WAYS[way][1](generator)
        angle, slant = np.radians(generator.uniform(-8, 8)), generator.uniform(-0.3, 0.15)
        turn = np.array([[np.cos(angle), slant - np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        width = generator.uniform(0.035, 0.1)
        fine = np.full((SIDE * FINE, SIDE * FINE), 255, np.uint8)
        for stroke in strokes:
            points = (stroke - 0.5) @ turn.T + 0.5 + generator.normal(0, 0.006, stroke.shape)
            corners = np.round(points * len(fine)).astype(np.int32)
            cv2.polylines(fine, [corners], False, 0, round(width * len(fine)), cv2.LINE_AA)
        pictures.append(cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return pictures


def _arc(
    x: float, y: float, width: float, height: float, start: float, end: float
) -> list[tuple[float, float]]:
    """Return points of an ellipse with given half axes between two angles, in degrees."""
    turn = np.radians(np.linspace(start, end, 28))
    return list(zip(x + width * np.cos(turn), y + height * np.sin(turn), strict=True))


def _strokes(*strokes: list[tuple[float, float]]) -> list[Points]:
    return [np.array(stroke) for stroke in strokes]


def _zero(draw: np.random.Generator, *, slash: bool = False) -> list[Points]:
    width, height = draw.uniform(0.13, 0.22), draw.uniform(0.25, 0.32)
    ring = _arc(0.5, 0.5, width, height, -90, 270)
    across = [(0.5 - 0.7 * width, 0.5 + 0.7 * height), (0.5 + 0.7 * width, 0.5 - 0.7 * height)]
    return _strokes(ring, across) if slash else _strokes(ring)


def _one(draw: np.random.Generator, *, flag: bool = False, foot: bool = False) -> list[Points]:
    strokes = [[(0.5, 0.18), (0.5, 0.82)]]
    if flag:
        angle, length = np.radians(draw.uniform(25, 60)), draw.uniform(0.1, 0.32)
        strokes[0].insert(0, (0.5 - length * np.sin(angle), 0.18 + length * np.cos(angle)))
    if foot:
        half = draw.uniform(0.08, 0.18)
        strokes.append([(0.5 - half, 0.82), (0.5 + half, 0.82)])
    return _strokes(*strokes)


def _seven(draw: np.random.Generator, *, hook: bool = False, bar: bool = False) -> list[Points]:
    half, end = draw.uniform(0.15, 0.24), draw.uniform(0.35, 0.55)
    left, right = 0.5 - half, 0.5 + half
    stroke = [(left, 0.2 + draw.uniform(-0.03, 0.03)), (right, 0.2), (end, 0.82)]
    if hook:
        stroke.insert(0, (left + draw.uniform(-0.01, 0.02), 0.2 + draw.uniform(0.05, 0.12)))
    middle, across = (right + end) / 2, draw.uniform(0.08, 0.15)
    bars = [[(middle - across, 0.51), (middle + across, 0.51)]] if bar else []
    return _strokes(stroke, *bars)


def _two(draw: np.random.Generator, *, loop: bool = False) -> list[Points]:
    width = draw.uniform(0.14, 0.19)
    top = _arc(0.5, 0.36, width, 0.16, -160, 50)
    if not loop:
        return _strokes([*top, (0.32, 0.8), (0.7, 0.8)])
    curl = _arc(0.38, 0.74, 0.06, 0.05, 0, -300)
    return _strokes([*top, (0.42, 0.74), *curl, (0.45, 0.74), (0.72, 0.82)])


def _three(draw: np.random.Generator, *, flat: bool = False) -> list[Points]:
    width = draw.uniform(0.14, 0.18)
    below = _arc(0.48, 0.63, width + 0.02, 0.18, -80, 145)
    if flat:
        return _strokes([(0.34, 0.2), (0.66, 0.2), (0.48, 0.42), *below])
    return _strokes([*_arc(0.47, 0.33, width, 0.14, -150, 80), *below])


def _four(draw: np.random.Generator, *, closed: bool = False) -> list[Points]:
    bar, left = draw.uniform(0.52, 0.64), draw.uniform(0.28, 0.34)
    if closed:
        return _strokes([(0.58, 0.82), (0.58, 0.18), (left, bar), (0.74, bar)])
    return _strokes([(left + 0.05, 0.2), (left, bar), (0.72, bar)], [(0.62, 0.3), (0.6, 0.82)])


def _five(draw: np.random.Generator) -> list[Points]:
    right = draw.uniform(0.6, 0.7)
    return _strokes(
        [(right, 0.2), (0.4, 0.2), (0.37, 0.47), *_arc(0.48, 0.63, 0.18, 0.18, -120, 140)]
    )


def _six(draw: np.random.Generator) -> list[Points]:
    width = draw.uniform(0.12, 0.18)
    return _strokes([(0.5, 0.18), (0.5 - width, 0.5), *_arc(0.5, 0.66, width, 0.15, 180, -180)])


def _eight(draw: np.random.Generator) -> list[Points]:
    width = draw.uniform(0.1, 0.15)
    above = _arc(0.5, 0.34, width, 0.14, 90, -270)
    return _strokes(above, _arc(0.5, 0.66, width + 0.03, 0.17, -90, 270))


def _nine(draw: np.random.Generator, *, hook: bool = False) -> list[Points]:
    width = draw.uniform(0.12, 0.18)
    ring = _arc(0.5, 0.36, width, 0.14, 0, -360)
    tail = _arc(0.5, 0.66, width, 0.16, 0, 130) if hook else [(0.5 + width, 0.82)]
    return _strokes([*ring, *tail])


WAYS: dict[str, tuple[str, Callable[[np.random.Generator], list[Points]]]] = {
    "0": ("0", _zero),
    "0, slashed": ("0", lambda draw: _zero(draw, slash=True)),
    "1": ("1", _one),
    "1 with a flag": ("1", lambda draw: _one(draw, flag=True)),
    "1 with a foot": ("1", lambda draw: _one(draw, foot=True)),
    "1 with both": ("1", lambda draw: _one(draw, flag=True, foot=True)),
    "2": ("2", _two),
    "2 with a loop": ("2", lambda draw: _two(draw, loop=True)),
    "3": ("3", _three),
    "3 with a flat top": ("3", lambda draw: _three(draw, flat=True)),
    "4": ("4", _four),
    "4, closed": ("4", lambda draw: _four(draw, closed=True)),
    "5": ("5", _five),
    "6": ("6", _six),
    "7": ("7", _seven),
    "7 with a hook": ("7", lambda draw: _seven(draw, hook=True)),
    "7 with a bar": ("7", lambda draw: _seven(draw, bar=True)),
    "8": ("8", _eight),
    "9 with a straight stem": ("9", _nine),
    "9 with a curved stem": ("9", lambda draw: _nine(draw, hook=True)),
}
"""Styles of digits by name: the digit, and the function that draws its strokes."""

if __name__ == "__main__":
    main()
