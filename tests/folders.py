"""Folders of pictures, as someone may have them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def write_pictures(folder: Path, counts: Mapping[str, int]) -> Path:
    """Draw strokes of as many slants as are asked for, a class a length."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = Image.new("L", (90, 90), 235)
            line = (20 + number, 10, 60 - number, 80)
            ImageDraw.Draw(picture).line(line, 30, width=5 + 3 * place)
            picture.save(folder / name / f"{number}.png")
    return folder


SYMBOLS: dict[str, list[list[tuple[float, float]]]] = {
    "cross": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "square": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
    "triangle": [[(0.5, 0), (1, 1), (0, 1), (0.5, 0)]],
    "arrow": [[(0, 0.5), (1, 0.5)], [(0.6, 0.1), (1, 0.5), (0.6, 0.9)]],
    "house": [[(0, 0.45), (0.5, 0), (1, 0.45), (1, 1), (0, 1), (0, 0.45)]],
    "hash": [
        [(0.3, 0), (0.3, 1)],
        [(0.7, 0), (0.7, 1)],
        [(0, 0.3), (1, 0.3)],
        [(0, 0.7), (1, 0.7)],
    ],
    "hourglass": [[(0, 0), (1, 0), (0, 1), (1, 1), (0, 0)]],
    "tee": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
    "tick": [[(0, 0.6), (0.35, 1), (1, 0)]],
    "steps": [[(0, 1), (0, 0.66), (0.33, 0.66), (0.33, 0.33), (0.66, 0.33), (0.66, 0), (1, 0)]],
}
"""Ten symbols that nobody has trained a model for, as the corners of their strokes."""

IN_PIECES: dict[str, list[list[tuple[float, float]]]] = {
    "equals": [[(0, 0.2), (1, 0.2)], [(0, 0.8), (1, 0.8)]],
    "divided": [[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 0.07)], [(0.5, 0.93), (0.5, 1)]],
    "i": [[(0.5, 0.35), (0.5, 1)], [(0.5, 0), (0.5, 0.07)]],
    "exclaimed": [[(0.5, 0), (0.5, 0.65)], [(0.5, 0.93), (0.5, 1)]],
    "dieresis": [
        [(0.1, 0.35), (0.1, 1), (0.9, 1), (0.9, 0.35)],
        [(0.25, 0), (0.25, 0.07)],
        [(0.75, 0), (0.75, 0.07)],
    ],
    "identical": [[(0, 0), (1, 0)], [(0, 0.5), (1, 0.5)], [(0, 1), (1, 1)]],
    "percent": [
        [(1, 0), (0, 1)],
        [(0, 0), (0.25, 0), (0.25, 0.25), (0, 0.25), (0, 0)],
        [(1, 1), (0.75, 1), (0.75, 0.75), (1, 0.75), (1, 1)],
    ],
    "double": [[(0.1, 0), (0.1, 1)], [(0.9, 0), (0.9, 1)]],
}
"""Symbols of several pieces, in the same form."""


def write_symbols(folder: Path, classes: Mapping[str, str], count: int, seed: int = 0) -> Path:
    """Draw so many pictures of each class by hand, as it were: no two are alike.

    `classes` are names of `SYMBOLS` and `IN_PIECES` by the names of the classes.
    """
    generator = np.random.default_rng(seed)
    for name, symbol in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.new("L", (120, 120), 235)
            turn = np.eye(2) + generator.normal(0, 0.08, (2, 2))
            for stroke in (SYMBOLS | IN_PIECES)[symbol]:
                corners = np.array(stroke) + generator.normal(0, 0.03, (len(stroke), 2))
                line = (60 + 70 * (corners - 0.5) @ turn).flatten().tolist()
                ImageDraw.Draw(picture).line(line, 30, width=int(generator.integers(4, 9)))
            picture.save(folder / name / f"{seed}-{number}.png")
    return folder
