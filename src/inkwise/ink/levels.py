"""Levels: grey pictures, and what is quickly known of them."""

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
"""Grey levels, uint8 (H, W)."""


def quantiles(values: NDArray[np.integer], *shares: float) -> list[float]:
    """Return the values that these shares of all are less than; NumPy's takes far longer."""
    ordered = np.sort(values, axis=None)
    return [float(ordered[int(share * (ordered.size - 1))]) for share in shares]


def sample(levels: Levels) -> Levels:
    """Return pixels enough for a quantile."""
    step = max(1, max(levels.shape) // 128)
    return levels[::step, ::step]
