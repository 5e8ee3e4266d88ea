"""Scaling ink, with Pillow's results and without the detour through its objects.

For a digit's few pixels that detour takes longer than Pillow's work, which is two products of
matrices with a rounding to levels after each.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from inkwise.ink.levels import Levels

_ONE = 1 << 22  # Pillow's weights are whole multiples of its inverse


def scale_levels(levels: Levels, height: int, width: int) -> Levels:
    """Scale grey levels as Pillow's ``resize`` with ``BICUBIC`` does, to the level.

    The kernel is widened by the factor by which the picture shrinks, which is antialiasing.
    """
    rows, columns = levels.shape
    scaled = levels.astype(np.float64)  # in which all sums are exact
    # Pillow scales the height first where that loses more than twice as many pixels.
    if height_first := rows > height and rows - height > 2 * (columns - width):
        scaled = _scale_height(scaled, height)
    if width != columns:
        scaled = _round(scaled @ _weights(columns, width).T)
    if not height_first:
        scaled = _scale_height(scaled, height)
    return scaled.astype(np.uint8)


def _scale_height(levels: NDArray[np.float64], height: int) -> NDArray[np.float64]:
    return levels if height == len(levels) else _round(_weights(len(levels), height) @ levels)


def _round(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to levels, halves upwards; in place."""
    sums += 0.5
    return np.floor(sums, out=sums).clip(0, 255, out=sums)


@functools.lru_cache(256)
def _weights(before: int, after: int) -> NDArray[np.float64]:
    """Return the weight of each old pixel in each new one, float64 (after, before)."""
    step = before / after
    wide = max(step, 1.0)
    centres = (np.arange(after)[:, None] + 0.5) * step
    first = np.trunc(centres - 2 * wide + 0.5)
    last = np.trunc(centres + 2 * wide + 0.5)
    places = np.arange(before)
    weights = np.where(
        (places >= first) & (places < last), _bicubic((places - centres + 0.5) * (1 / wide)), 0
    )
    weights *= _ONE / weights.sum(1, keepdims=True)
    return np.trunc(weights + np.copysign(0.5, weights)) / _ONE


def _bicubic(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(places)
    near = (1.5 * x - 2.5) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1, near, np.where(x < 2, far, 0))
