"""Ink: from a picture of a digit to an array in MNIST's geometry."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkwise.errors import DataError

CANVAS = 28
"""Side of the array that the networks expect, in pixels."""

BOX = 20
"""Side of the square that the ink is scaled to fit, in pixels."""


def fit_and_centre(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring light ink on a black ground to MNIST's geometry.

    The ink is cropped, scaled to fit a 20×20 box with its aspect ratio kept and antialiased, and
    pasted on a 28×28 canvas so that its centre of mass falls on pixel (14, 14), to half a pixel and
    as far as the canvas holds all of it. A digit of MNIST comes out as it went in.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W)
        Grey levels; 0 is no ink, 255 is full ink.

    Returns
    -------
    ndarray of uint8, shape (28, 28)

    Raises
    ------
    DataError
        The picture holds no ink at all, or ink too faint to survive scaling.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section on
    the original images: "size normalized to fit in a 20x20 pixel box while preserving their aspect
    ratio [...] centered in a 28x28 image by computing the center of mass of the pixels".
    """
    rows, columns = np.nonzero(picture)
    if rows.size == 0:
        raise DataError("the picture is blank: there is no ink to fit and centre")
    ink = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    # Where it shrinks, Pillow widens the kernel by as much: that is the antialiasing.
    scaled = Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(scaled)

    mass = pixels.astype(np.float64)
    if not mass.any():
        raise DataError("the picture's ink is too faint to survive scaling: raise its contrast")
    centre_row = np.average(np.arange(height), weights=mass.sum(axis=1))
    centre_column = np.average(np.arange(width), weights=mass.sum(axis=0))
    middle = CANVAS / 2  # pixel 14, not 13.5: so are all of MNIST's digits, to half a pixel
    top = int(np.clip(round(middle - centre_row), 0, CANVAS - height))
    left = int(np.clip(round(middle - centre_column), 0, CANVAS - width))
    canvas = np.zeros((CANVAS, CANVAS), dtype=np.uint8)
    canvas[top : top + height, left : left + width] = pixels
    return canvas
