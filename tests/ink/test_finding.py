"""What is found in drawn pictures is what was found when it was last looked at and approved of.

The rules by which ink is found hold many constants, and each of them moves some pixels of some
pictures, which no rule that is worth stating would notice. So the images, the boxes and what else
is told of them are on file; ``python -m tests.ink.test_finding`` writes the file anew after a
change that is meant.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset
from inkwise.errors import NoInkError
from inkwise.ink import CANVAS, normalise
from tests.ink import pictures
from tests.ink.pictures import Draw, Generator, Levels

APPROVED = Path(__file__).parent / "approved.npz"
DIGITS = slice(50_100, 50_104)
ROUNDING = 2  # levels, between one version of OpenCV or of Pillow and the next


def thumbnail(digit: Levels, generator: Generator) -> Levels:
    side = int(generator.integers(9, 24))
    return 255 - cv2.resize(digit, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


def large_photo(digit: Levels, generator: Generator) -> Levels:
    """Of more pixels than are looked at, and twice as wide as it is high."""
    sheet = 900, 1800
    shape = pictures.draw(digit, sheet, 400, centre=(450, generator.uniform(400, 1400)))
    light = pictures.uneven_light(sheet, 0.45, generator)
    return pictures.noisy(pictures.lay(shape, 60, 225) * light, 6, generator)


def strip(digit: Levels, generator: Generator) -> Levels:
    """Three times as high as it is wide, with a finger that reaches into it."""
    levels = pictures.lay(pictures.draw(digit, (360, 120), 80), 40, 230)
    levels[300:, : generator.integers(30, 90)] = 90
    return pictures.noisy(levels, 3, generator)


def underlined(digit: Levels, generator: Generator) -> Levels:
    """A line or two below the digit, as of a form, of any darkness."""
    levels = pictures.lay(pictures.draw(digit, (300, 300), 160), 40, 230)
    for row in (250, 280)[: generator.integers(1, 3)]:
        levels[row : row + 3] = generator.uniform(40, 180)
    return pictures.noisy(levels, 3, generator)


def without_digit(draw: Callable[[Generator], Levels | bytes]) -> Draw:
    return lambda _, generator: draw(generator)


KINDS: dict[str, Draw] = {
    **{kind.__name__: kind for kind in pictures.KINDS},
    **{kind.__name__: kind for kind in (thumbnail, large_photo, strip, underlined)},
    **{kind.__name__: without_digit(kind) for kind in pictures.EMPTY},
}


def look(kind: Draw, digits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the images found in drawings of digits, and the rest of what is told of them."""
    generator = np.random.default_rng(3)
    images, told = [], []
    for digit in digits:
        try:
            ink = normalise(kind(digit, generator))
        except NoInkError:
            images.append(np.zeros((CANVAS, CANVAS), np.uint8))
            told.append("no ink")
        else:
            images.append(ink.image)
            told.append(f"{ink.polarity} {ink.box} {' '.join(ink.dropped)}")
    return np.array(images), told


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_what_was_approved_of(kind: str, mnist: Dataset) -> None:
    images, told = look(KINDS[kind], mnist.train.images[DIGITS])
    with np.load(APPROVED) as approved:
        assert told == approved[f"{kind} told"].tolist()
        np.testing.assert_allclose(images.astype(int), approved[kind].astype(int), atol=ROUNDING)


def main() -> None:
    """Write what is found now."""
    digits = load_dataset("mnist").train.images[DIGITS]
    arrays: dict[str, NDArray[np.generic]] = {}
    for kind, draw in KINDS.items():
        images, told = look(draw, digits)
        arrays |= {kind: images, f"{kind} told": np.array(told)}
    np.savez_compressed(APPROVED, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
