"""Ruled lines: telling those of ruled or squared paper from handwriting, and erasing them."""

import dataclasses
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.levels import Levels, sample

STEEPEST = 6
"""Greatest tilt of ruled lines, in degrees."""


def erase_lines(ink: Levels, floor: float) -> bool:
    """Erase ruled lines, horizontal or vertical and tilted by a few degrees at most.

    One or two lines are erased only if they are fainter than the strongest ink, because others can
    be strokes of a digit that fills the picture. Where a stroke crosses a line, it is stronger than
    the line or goes on at both sides, and is kept.

    Parameters
    ----------
    ink : ndarray of uint8, shape (H, W)
        Levels of the ink above the background; changed in place.
    floor : float
        The level up to which ink is noise.

    Returns
    -------
    bool
        Whether there were ruled lines.
    """
    mask = cv2.compare(ink, floor, cv2.CMP_GT) & 1
    turned = np.ascontiguousarray(mask.T), np.ascontiguousarray(ink.T)
    level, upright = _level_lines(mask, ink), _level_lines(*turned)
    if len(level) + len(upright) < 3:
        strongest = float(sample(ink).max())
        level, upright = (
            [line for line in lines if line.level < 0.6 * strongest] for lines in (level, upright)
        )
    if not level and not upright:
        return False
    bands = np.zeros((2, *ink.shape), np.uint8)
    for line in level:
        bands[0, line.across, line.along] = 1
    for line in upright:
        bands[1, line.along, line.across] = 1
    without = mask & ~(bands[0] | bands[1])
    length = 2 * _thickest(mask) + 3
    straight, slant = np.ones((length, 1), np.uint8), np.eye(length, dtype=np.uint8)
    slants = slant, np.ascontiguousarray(slant[::-1])
    for band, kernels in zip(bands, ((straight, *slants), (straight.T, *slants)), strict=True):
        crossed = [cv2.morphologyEx(without, cv2.MORPH_CLOSE, kernel) for kernel in kernels]
        ink[(band & ~np.bitwise_or.reduce(crossed)).astype(bool)] = 0
    return True


@dataclasses.dataclass(frozen=True, eq=False)
class _Line:
    """A ruled line: places of its pixels along and across it, and the level of its ink."""

    along: NDArray[np.intp]
    across: NDArray[np.intp]
    level: float


def _level_lines(mask: Levels, ink: Levels) -> list[_Line]:
    """Return the lines that run from the left of the picture to its right.

    Lines are made of runs of ink that are long and thin. All have the same slope: the one at which
    the runs fall on the fewest lines, found by a Hough transform over few angles.
    """
    height, width = mask.shape
    rows, columns = _thin_runs(mask)
    edge = max(1, width // 8)
    if (columns < edge).sum() < edge / 2 or (columns >= width - edge).sum() < edge / 2:
        return []
    slope = _common_slope(rows, columns - width / 2)
    # A line is identified by its row in the middle column, which may lie outside the picture.
    margin = math.ceil(abs(slope) * width / 2) + 2
    line_of = np.rint(rows - slope * (columns - width / 2)).astype(int) + margin
    middle = np.arange(height + 2 * margin) - margin
    left, right = middle - slope * width / 2, middle + slope * width / 2
    low, high = np.minimum(left, right), np.maximum(left, right)
    # The share of each possible line that lies inside the picture, (lines,).
    inside = (np.minimum(high, height) - np.maximum(low, 0)).clip(0) / (high - low).clip(1e-9)
    inside = np.where(high - low < 1e-6, (middle >= 0) & (middle < height), inside)

    def covered(where: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        counts = np.bincount(line_of[where], minlength=len(middle))
        return np.convolve(counts, np.ones(3), "same")

    # A ruled line covers half of its length, and reaches both sides or leaves the picture before.
    long = (inside * width >= edge) & (covered(slice(None)) >= 0.5 * width * inside)
    long &= (covered(columns < edge) >= 0.5 * edge) | (left < 0) | (left >= height)
    long &= (covered(columns >= width - edge) >= 0.5 * edge) | (right < 0) | (right >= height)

    lines = []
    for first, last in np.flatnonzero(np.diff(long, prepend=False, append=False)).reshape(-1, 2):
        near = (line_of >= first - 2) & (line_of < last + 2)
        its_rows, its_columns = rows[near], columns[near]
        darkness = float(np.quantile(ink[its_rows, its_columns], 0.85))
        half = math.ceil(len(its_rows) / len(np.unique(its_columns)) / 2) + 1
        # Paper bends, so a parabola is fitted to the line.
        centre = np.poly1d(np.polyfit(its_columns, its_rows, 2))(np.arange(width))
        across = np.rint(centre + np.arange(-half, half + 1)[:, None]).astype(int)
        along = np.broadcast_to(np.arange(width), across.shape)
        there = (across >= 0) & (across < height)
        along, across = along[there], across[there]
        faint = ink[across, along] < 1.5 * darkness
        lines.append(_Line(along[faint], across[faint], darkness))
    return lines


def _thin_runs(mask: Levels) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the pixels in long, thin runs from left to right."""
    run, thick = max(9, mask.shape[1] // 30), _thickest(mask) + 2
    # With a pixel more above and below, a tilted line has runs as long as a level one.
    joined = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))
    runs = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    bodies = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((thick + 1, 1), np.uint8))
    rows, columns = np.nonzero(runs & mask & ~bodies)
    return rows, columns


def _thickest(picture: Levels) -> int:
    """Return the greatest thickness of a ruled line, in pixels."""
    return max(4, max(picture.shape) // 80)


def _common_slope(rows: NDArray[np.intp], columns: NDArray[np.float64]) -> float:
    """Return the slope at which pixels of parallel lines fall on the fewest rows."""
    some = slice(None, None, max(1, len(rows) // 4000))
    rows, columns = rows[some], columns[some]

    def crowding(slope: float) -> float:
        fallen = np.rint(rows - slope * columns).astype(int)
        return float(np.square(np.bincount(fallen - fallen.min())).sum())

    degrees = np.linspace(-STEEPEST, STEEPEST, 20 * STEEPEST + 1)
    return max(np.tan(np.radians(degrees)).tolist(), key=crowding)
