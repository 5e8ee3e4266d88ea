"""Fitting: from ink (the foreground) on a black background to MNIST's geometry."""

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.scaling import scale_levels

CANVAS = 28
"""Side of the array that the networks expect, in pixels."""

BOX = 20
"""Side of the square that the ink is scaled to fit, in pixels."""


def fit_and_centre(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring light ink on a black background to MNIST's geometry.

    The ink is cropped, scaled with antialiasing to fit a 20×20 box with its aspect ratio kept, and
    pasted on a 28×28 canvas. Its centre of mass then lies on pixel (14, 14), to half a pixel, or
    as near as the canvas allows. A digit of MNIST comes out as it went in.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W)
        Grey levels; 0 is no ink, 255 is full ink.

    Returns
    -------
    ndarray of uint8, shape (28, 28)

    Raises
    ------
    NoInkError
        The picture holds no ink at all, or ink too faint to survive scaling.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section on
    the original images: "size normalized to fit in a 20x20 pixel box while preserving their aspect
    ratio [...] centered in a 28x28 image by computing the center of mass of the pixels".
    """
    rows, columns = _sums(picture)
    if not rows.any():
        raise NoInkError("the picture is blank: there is no ink to fit and centre")
    (top, bottom), (left, right) = _ends(rows), _ends(columns)
    ink = picture[top:bottom, left:right]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    pixels = scale_levels(ink, height, width)
    rows, columns = _sums(pixels)
    mass = int(rows.sum())
    if not mass:
        raise NoInkError("the picture's ink is too faint to survive scaling: raise its contrast")

    middle = CANVAS / 2  # not 13.5: MNIST's digits have their centre on pixel 14, to half a pixel
    centre_row, centre_column = _centre(rows, mass), _centre(columns, mass)
    top = min(max(0, round(middle - centre_row)), CANVAS - height)
    left = min(max(0, round(middle - centre_column)), CANVAS - width)
    canvas = np.zeros((CANVAS, CANVAS), dtype=np.uint8)
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def is_fitted(picture: NDArray[np.uint8]) -> bool:
    """Tell whether light ink on a black background has MNIST's geometry, see `fit_and_centre`.

    Its longer side may be up to two pixels shorter than the box's 20, because antialiasing can
    leave them empty. Its centre of mass may be off by a pixel, because rounding has moved some of
    MNIST's own digits as far.
    """
    if picture.shape != (CANVAS, CANVAS):
        return False
    rows, columns = _sums(picture)
    if not rows.any():
        return False
    (top, bottom), (left, right) = _ends(rows), _ends(columns)
    if not BOX - 2 <= max(bottom - top, right - left) <= BOX:
        return False
    mass = int(rows.sum())
    return all(abs(_centre(sums, mass) - CANVAS / 2) <= 1 for sums in (rows, columns))


def bounds(picture: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of the pixels that are not 0, the last two exclusive."""
    # The sums are of levels from 0, and faster than asking whether any is not 0.
    (top, bottom), (left, right) = map(_ends, _sums(picture))
    return top, left, bottom, right


def _sums(picture: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.add.reduce(picture, 1, np.int64), np.add.reduce(picture, 0, np.int64)


def _ends(sums: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first place that is not 0, and the one behind the last."""
    (places,) = sums.nonzero()
    return int(places[0]), int(places[-1]) + 1


def _centre(sums: NDArray[np.int64], mass: int) -> float:
    return float(sums @ np.arange(len(sums)) / mass)
