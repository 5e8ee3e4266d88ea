"""Measurements of handwriting: stroke width, slant, size, ink and loops of every image.

Ink is the foreground of a picture of handwriting: here the light pixels on a black background.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

_CHUNK = 256
"""Number of images measured at a time, so that they fit in the processor's cache."""


@dataclasses.dataclass(frozen=True, eq=False)
class Handwriting:
    """Measurements of images. An image without ink has no loops, and NaN for everything else.

    Parameters
    ----------
    stroke_width : ndarray of float64, shape (N,)
        Mean width of the strokes, in pixels.
    slant : ndarray of float64, shape (N,)
        Angle by which upright strokes lean to the right, in degrees from -90 to 90.
    height, width : ndarray of float64, shape (N,)
        Size of the bounding box of the pixels that have at least half the grey level of the
        image's lightest pixel, in pixels.
    ink : ndarray of float64, shape (N,)
        Amount of ink: the sum of the grey levels, divided by 255.
    level : ndarray of float64, shape (N,)
        Mean grey level of the ink, from 0 to 255; each pixel is weighted by its own level.
    loops : ndarray of int64, shape (N,)
        Number of regions of the background that are enclosed by ink, taking as ink the pixels with
        at least half the grey level of the lightest.
    """

    stroke_width: NDArray[np.float64]
    slant: NDArray[np.float64]
    height: NDArray[np.float64]
    width: NDArray[np.float64]
    ink: NDArray[np.float64]
    level: NDArray[np.float64]
    loops: NDArray[np.int64]


def measure_handwriting(images: NDArray[np.uint8]) -> Handwriting:
    """Measure every image.

    A stroke of width w and length l has the area wl and the perimeter 2(w + l). Blurred edges
    change neither of them: the area is the sum of the grey levels, the perimeter the sum of the
    gradients' magnitudes, both divided by the level of the lightest pixel. The slant is that of the
    shear which would make the digit upright: the covariance of columns and rows divided by the
    variance of rows, weighted by the levels.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
        Light ink on a black background.

    Returns
    -------
    Handwriting
    """
    starts = range(0, max(1, len(images)), _CHUNK)
    parts = [vars(_measure(images[start : start + _CHUNK])) for start in starts]
    return Handwriting(
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )


def _measure(images: NDArray[np.uint8]) -> Handwriting:
    count, height, width = images.shape
    levels = images.astype(np.float32)  # (N, H, W)
    peak = levels.max(axis=(1, 2))
    bright = images >= np.maximum(peak / 2, 1)[:, None, None]
    rows, columns = bright.any(axis=2), bright.any(axis=1)  # (N, H), (N, W)

    flat = levels.reshape(count, height * width)
    y, x = (part.ravel() for part in np.mgrid[:height, :width])
    # The sums of 1, x, y, xy and y² weighted by the levels, (N, 5).
    moments = flat @ np.stack([np.ones_like(x), x, y, x * y, y * y], 1).astype(np.float32)
    moments = moments.astype(np.float64)
    squares = np.einsum("np,np->n", flat, flat).astype(np.float64)
    # An image without ink has neither a centre nor a stroke width: NaN.
    with np.errstate(invalid="ignore", divide="ignore"):
        mass = np.where(moments[:, 0] > 0, moments[:, 0], np.nan)
        middle_x, middle_y = moments[:, 1] / mass, moments[:, 2] / mass
        covariance = moments[:, 3] / mass - middle_x * middle_y
        variance = moments[:, 4] / mass - middle_y**2
        # The shorter side of the rectangle with this area and perimeter.
        area, quarter = mass / peak, _perimeters(levels) / peak / 4
        stroke_width = quarter - np.sqrt(np.maximum(quarter**2 - area, 0))
    return Handwriting(
        stroke_width,
        np.degrees(np.arctan2(-covariance, variance)),
        np.where(peak > 0, _extent(rows), np.nan),
        np.where(peak > 0, _extent(columns), np.nan),
        mass / 255,
        squares / mass,
        _count_loops(bright),
    )


def _perimeters(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum of the gradient magnitudes between every four pixels, float64 (N,)."""
    padded = np.pad(levels, ((0, 0), (1, 1), (1, 1)))
    one = padded[:, 1:, 1:] - padded[:, :-1, :-1]
    other = padded[:, 1:, :-1] - padded[:, :-1, 1:]
    # The differences are along the two diagonals, which are √2 pixels long.
    return np.sqrt((one**2 + other**2) / 2).sum(axis=(1, 2), dtype=np.float64)


def _extent(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the length from the first to the last True of each row, both included, int64 (N,)."""
    last = lines.shape[1] - lines[:, ::-1].argmax(axis=1)
    return last - lines.argmax(axis=1)


def _count_loops(bright: NDArray[np.bool_]) -> NDArray[np.int64]:
    import cv2

    # A frame of background connects everything outside the digit. Background pixels are connected
    # by their edges (4-connectivity), not by their corners.
    ground = np.pad(~bright, ((0, 0), (1, 1), (1, 1)), constant_values=True).view(np.uint8)
    patches = [cv2.connectedComponents(image, connectivity=4)[0] for image in ground]
    return np.array(patches, np.int64) - 2  # without the labels of the ink and of the outside
