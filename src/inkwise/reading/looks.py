"""Test-time augmentation: a line is read in several sizes and slants, and readings are combined."""

from collections import defaultdict

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.reading.ctc import Reading, decode
from inkwise.reading.line_model import LineModel
from inkwise.reading.text_lines import ROWS

_LOOKS = (
    (1.1, 1.1, 0.0),
    (0.88, 1.0, 0.0),
    (1.12, 1.0, 0.0),
    (0.9, 0.9, 0.0),
    (1.0, 1.0, -0.12),
    (1.0, 1.0, 0.12),
)
"""Width and height of a line as shares of its own, and pixels to the right for a pixel up."""

_CERTAIN = 0.98
"""Probability of a reading after two looks from which on there are no more."""


def look(
    model: LineModel, levels: NDArray[np.uint8], beams: int
) -> tuple[list[Reading], NDArray[np.float32]]:
    """Read a line, and look again where it is unsure.

    Parameters
    ----------
    model : LineModel
    levels : ndarray of uint8, shape (32, W)
        A line as `inkwise.reading.text_lines.find_lines` returns it.
    beams : int
        As for `inkwise.reading.ctc.decode`.

    Returns
    -------
    readings : list of Reading
        The likeliest first, with the means of their probabilities over all looks.
    probabilities : ndarray of float32, shape (T, 17)
        Of the first look, along the line.
    """
    first = model.run(levels)
    sums: defaultdict[str, float] = defaultdict(float)
    for reading in decode(first, beams):
        sums[reading.text] += reading.probability
    for done, (wide, high, slant) in enumerate(_LOOKS, 1):
        if done == 2 and max(sums.values()) >= done * _CERTAIN:
            break
        for reading in decode(model.run(_changed(levels, wide, high, slant)), beams):
            sums[reading.text] += reading.probability
    else:
        done += 1
    ranked = sorted(sums.items(), key=lambda one: -one[1])[:beams]
    return [Reading(text, total / done) for text, total in ranked], first


def _changed(
    levels: NDArray[np.uint8], wide: float, high: float, slant: float
) -> NDArray[np.uint8]:
    """Scale and slant a line about its middle row."""
    middle = ROWS / 2
    width = round(levels.shape[1] * wide + 2 * abs(slant) * middle)
    matrix = np.array(
        [[wide, -slant, (slant + abs(slant)) * middle], [0.0, high, middle * (1 - high)]]
    )
    return cv2.warpAffine(levels, matrix, (width, ROWS), flags=cv2.INTER_LINEAR)
