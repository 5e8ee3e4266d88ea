"""Measure accuracy on digits of few pixels: averaged in cells, stretched, or as in optdigits.

The digits that scikit-learn bundles were preprocessed by NIST's form reader. It stretches every
digit to 20×32 pixels, makes its strokes thinner or thicker until it has about as much ink as the
others, and slants it until its left edge is upright. Then the ink was counted in 4×4 cells. The
same is done here to the images that each model was validated on, which are then preprocessed as a
user's pictures are. The benchmark is for development; it is not a test. Prints a Markdown table.

References
----------
M. D. Garris et al., "NIST form-based handprint recognition system", NISTIR 5469, 1994, for the
reader; E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning
Repository, 1998, for the cells.
"""

import argparse
from collections.abc import Callable

import cv2
import numpy as np
from augmentation import count_in_cells
from handwriting import name_and_path
from numpy.typing import NDArray
from record import write_record

import inkwise
from inkwise.data.dataset import Split
from inkwise.data.splits import split_dataset
from inkwise.ink import CANVAS, Ink
from inkwise.ink.fitting import bounds
from inkwise.model import Model
from inkwise.model.answers import chosen_logits, preprocess_all
from inkwise.runs.models import find_model
from inkwise.training.recipe import Recipe

SIDE, WIDTH = 32, 20
"""Side of the form reader's bitmap, and width of the digit in it, in pixels."""

CELL = 4
"""Side of a cell, in pixels of the bitmap."""

THIN, THICK = (108, 256), (560, 412)
"""Amounts of ink, in pixels, below which strokes are dilated and above which they are eroded."""

FINE = 8
"""Factor by which MNIST's images are enlarged before they are made black and white."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=name_and_path, metavar="NAME=MODEL")
    arguments = parser.parse_args()
    models = {name: find_model(path) for name, path in arguments.models}
    models["in the package"] = inkwise.load_pretrained()
    figures = {name: measure(model) for name, model in models.items()}
    print(f"| | {' | '.join(models)} |\n|---{'|---:' * len(models)}|")
    for way in WAYS:
        print(f"| {way} | {' | '.join(f'{figures[name][way]:.2%}' for name in models)} |")
    print(f"wrote {write_record('coarse', {'figures': figures})}")


def measure(model: Model) -> dict[str, float]:
    """Return the accuracy on the model's validation images, by the kind of change."""
    digits = validated_on(model)
    figures = {}
    for way, change in WAYS.items():
        inks = preprocess_all(map(change, digits.images), (CANVAS, CANVAS))
        found = np.array([isinstance(ink, Ink) for ink in inks])
        logits = chosen_logits(model, [ink for ink in inks if isinstance(ink, Ink)])
        right = logits.argmax(axis=1) == digits.labels[found]
        figures[way] = int(right.sum()) / len(digits)
    return figures


def validated_on(model: Model) -> Split:
    """Return the validation images that were held out in the model's training."""
    recipe = Recipe.from_dict(model.provenance["recipe"])
    return split_dataset(inkwise.load_dataset("mnist"), recipe.holdout, recipe.seed)["validation"]


def read_form(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert an MNIST digit to 8×8 counts of ink from 0 to 16, as in optdigits."""
    digit = cv2.resize(black_and_white(image), (WIDTH, SIDE), interpolation=cv2.INTER_NEAREST)
    bitmap = upright(even_ink(np.pad(digit, ((0, 0), ((SIDE - WIDTH) // 2,) * 2))))
    cells = bitmap.reshape(SIDE // CELL, CELL, SIDE // CELL, CELL)
    return cells.sum(axis=(1, 3), dtype=np.uint8)


def black_and_white(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a digit enlarged, as 0 and 1, cropped to the bounding box of its ink."""
    fine = cv2.resize(image, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC)
    black = np.uint8(1) * (fine > fine.max() // 2)
    top, left, bottom, right = bounds(black)
    return black[top:bottom, left:right]


def even_ink(bitmap: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dilate or erode strokes by one pixel on every side, up to twice."""
    ink = int(bitmap.sum())
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    if ink < max(THIN):
        return cv2.dilate(bitmap, cross, iterations=sum(ink < limit for limit in THIN))
    return cv2.erode(bitmap, cross, iterations=sum(ink > limit for limit in THICK))


def upright(bitmap: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shift rows until the left edges two rows below the top and above the bottom are aligned."""
    rows = np.flatnonzero(bitmap.any(axis=1))
    top, bottom = rows[0] + 2, rows[-1] - 2
    if top >= bottom or not (bitmap[top].any() and bitmap[bottom].any()):
        return bitmap
    slant = (bitmap[top].argmax() - bitmap[bottom].argmax()) / (bottom - top)
    shifted = np.zeros_like(bitmap)
    for row, pixels in enumerate(bitmap):
        columns = np.flatnonzero(pixels) + round((row - SIDE // 2) * slant)
        shifted[row, columns[(columns >= 0) & (columns < SIDE)]] = 1
    return shifted


def in_a_square(image: NDArray[np.uint8], cells: int) -> NDArray[np.uint8]:
    """Average a digit in cells, keeping its proportions, in the middle of a square picture."""
    small = count_in_cells(image, cells)
    before = [(cells - side) // 2 for side in small.shape]
    margins = [(cells - side - first) for side, first in zip(small.shape, before, strict=True)]
    return np.pad(small, list(zip(before, margins, strict=True)))


def stretch(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch a digit to 16×16 pixels, which are black or white."""
    fine = black_and_white(image) * np.float32(1)
    return np.uint8(255) * (cv2.resize(fine, (16, 16), interpolation=cv2.INTER_AREA) >= 0.5)


WAYS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "as they are": lambda image: image,
    "in 20×20 cells": lambda image: in_a_square(image, 20),
    "in 16×16 cells": lambda image: in_a_square(image, 16),
    "in 12×12 cells": lambda image: in_a_square(image, 12),
    "in 8×8 cells": lambda image: in_a_square(image, 8),
    "stretched to 16×16, black and white": stretch,
    "in 8×8 cells, by way of the form reader": read_form,
}

if __name__ == "__main__":
    main()
