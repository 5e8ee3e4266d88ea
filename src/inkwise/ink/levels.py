"""Grey levels: pictures of one channel, boxes in them, and fast quantiles of their levels."""

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
"""Grey levels, uint8 (H, W)."""

Box = tuple[int, int, int, int]
"""Top, left, bottom and right of a box, in pixels; the last two are exclusive."""


def quantiles(values: NDArray[np.integer], *shares: float) -> list[float]:
    """Return the quantiles of these shares, without interpolation and much faster than NumPy's."""
    places = [int(share * (values.size - 1)) for share in shares]
    # NumPy selects among many equal numbers of 16 bits more slowly than it sorts them.
    few = values.itemsize == 1
    ordered = np.partition(values, places, axis=None) if few else np.sort(values, axis=None)
    return [float(ordered[place]) for place in places]


def sample(levels: Levels) -> Levels:
    """Return every n-th pixel along each axis, at most 255: enough for a quantile.

    Of a long strip there are more along it, so that there are two of them across.
    """
    step = max(1, min(max(levels.shape) // 128, min(levels.shape) // 2))
    return levels[::step, ::step]
