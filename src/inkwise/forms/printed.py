"""Print and handwriting: how probable it is that what is in a cell was printed.

A printed digit has the same shape as its like in another cell. Beside digits that do, what is as
high, as bold, as dark and in the same place was printed too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inkwise.forms.cells import Marks

ALIKE = 0.72
"""Least likeness, as intersection over union, of two digits that show how a form is printed."""

SCALES = np.array([0.04, 0.02, 0.04, 0.1])
"""Differences between printed digits that are usual: height, width, middle and darkness."""

WEIGHTS = np.array([-5.7, 9.6, -0.485])
"""Of 1, the likeness, and the difference from printed digits: a logistic regression's.

It was fitted on fifteen sudokus that `benchmarks/sheets.py` draws.
"""


def printed_probabilities(marks: Sequence[Marks]) -> list[float]:
    """Return how probable it is that each cell's ink was printed.

    Parameters
    ----------
    marks : sequence of Marks
        How the ink of each cell that is not empty looks.
    """
    return (1 / (1 + np.exp(-(printed_features(marks) @ WEIGHTS)))).tolist()


def printed_features(marks: Sequence[Marks]) -> NDArray[np.float64]:
    """Return what the probabilities are computed from, float64 (N, 3), see `WEIGHTS`."""
    if not marks:
        return np.empty((0, len(WEIGHTS)))
    likeness = _likeness(np.stack([one.shape for one in marks]))
    looks = np.array([(one.height, one.width, one.middle, one.darkness) for one in marks])
    seeds = likeness >= ALIKE
    if np.count_nonzero(seeds) < 2:
        away = np.full(len(marks), 9.0)
    else:
        typical = np.median(looks[seeds], axis=0)
        away = np.minimum((((looks - typical) / SCALES) ** 2).mean(1), 9.0)
    return np.column_stack([np.ones(len(marks)), likeness, away])


def _likeness(shapes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the greatest intersection over union of each mask with any other one."""
    count = len(shapes)
    flat = shapes.reshape(count, -1).astype(np.float32)
    areas = flat.sum(1)
    best = np.zeros((count, count))
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            moved = np.roll(shapes, (down, right), (1, 2)).reshape(count, -1).astype(np.float32)
            both = flat @ moved.T
            best = np.maximum(best, both / np.maximum(areas[:, None] + areas[None] - both, 1))
    np.fill_diagonal(best, 0)
    return best.max(1) if count > 1 else np.zeros(1)
