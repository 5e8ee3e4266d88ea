"""The grid of a form: where each of its cells is in a photograph.

Boxes that lines close all around are found first, each by itself. Where there are none, or lines go
on beyond them, the ruled lines show how the paper is turned and tilted, by their two vanishing
points. In the plane in which they are level and upright, each line is followed by itself, so that
the paper may be bent, and the cells between them are the grid's.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError
from inkwise.forms.boxes import SMALLEST, find_boxes, goes_on, grids_of
from inkwise.forms.ruled_cells import FEWEST, find_cells
from inkwise.forms.ruled_lines import (
    Points,
    find_segments,
    noise_level,
    straighten,
    streaks,
    thin_darkness,
    trace_lines,
)
from inkwise.ink.components import Components
from inkwise.ink.levels import Levels

SIDE = 1200
"""Longest side of the picture in which lines are searched, in pixels."""

CANDIDATES = 5
"""Number of connected things in the picture that may be a grid; all together are one as well."""

LARGE = 0.12
"""Least longer side of a grid, as a share of the picture's longer side."""

BEYOND = 0.08
"""What is searched around the lines that hang together, as a share of their extent."""

CLEAR, CLEAR_AREA = 0.9, 0.1
"""Support and share of the picture of a grid beside which no other is searched."""

LEVELS, FAINT = (1.7, 1.0, 3.0, 0.6, 0.45), 0.8
"""Darkness of the lines of boxes, relative to the level of noise; tried one after the other.

What is fainter than `FAINT` is only dark enough along a line.
"""

WIDE = 0.4
"""Length of a grid of complete boxes beside which none is searched, as a share of the picture's."""

COMPLETE = 0.95
"""Share of a grid's boxes that are found beside which no other grid is searched."""


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """Where the cells of a grid are.

    Parameters
    ----------
    corners : ndarray of float64, shape (R, C, 4, 2)
        Corners of each cell in the picture, x and y, clockwise from the top left.
    support : float
        Share of the cells' sides along which there are lines.
    area : float
        Share of the picture that the cells cover.
    """

    corners: Points
    support: float
    area: float

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.corners.shape[0], self.corners.shape[1]

    def turned(self, quarters: int) -> "Grid":
        """Return the same grid as it is seen when the picture is turned to the left."""
        corners = np.roll(np.rot90(self.corners, quarters), -quarters, axis=2)
        return replace(self, corners=corners)


def find_grid(grey: Levels, shape: tuple[int, int] | None = None) -> Grid:
    """Find the grid of a form.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        A photograph of the form, at any angle up to 45°, and seen from any side.
    shape : tuple of int, optional
        Numbers of rows and columns. Without it, they are found.

    Returns
    -------
    Grid
        The largest that is found; of the given shape, or of the same turned by 90°.

    Raises
    ------
    DataError
        There is no grid, or none of this shape.
    """
    scale = min(1.0, SIDE / max(grey.shape))
    small = grey
    found = []
    # A picture may be too narrow for a single box, and even for a pixel of the reduced one.
    if scale * min(grey.shape) >= SMALLEST:
        if scale < 1:
            small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = [*_candidates(small, shape)] or [*_candidates(255 - small, shape)]
    found = [replace(grid, corners=(grid.corners + 0.5) / scale - 0.5) for grid in found]
    if not found:
        raise DataError(
            "no grid was found: ruled lines must be around each cell, and all of them in the "
            "picture"
        )
    best = max(found, key=lambda grid: grid.area * grid.support)
    if shape is None:
        return best
    fitting = [grid for grid in found if grid.shape in (shape, shape[::-1])]
    if not fitting:
        rows, columns = best.shape
        raise DataError(
            f"the grid that was found has {rows} rows and {columns} columns, not {shape[0]} and "
            f"{shape[1]}"
        )
    return max(fitting, key=lambda grid: grid.area * grid.support)


def _candidates(grey: Levels, shape: tuple[int, int] | None) -> Iterator[Grid]:
    darkness = thin_darkness(grey)
    floor = noise_level(darkness)
    fits = [None] if shape is None else [shape, shape[::-1]]
    for share in LEVELS:
        seen = darkness if share > FAINT else streaks(darkness)
        mask = cv2.compare(seen, share * floor, cv2.CMP_GT) & 1
        for corners, found in grids_of(find_boxes(mask)):
            length = np.ptp(corners, axis=(0, 1, 2)).max() / max(grey.shape)
            if length < LARGE:
                continue
            if shape is None and corners.shape[0] * corners.shape[1] < FEWEST:
                continue
            boxes = Grid(corners, found, _area(corners) / darkness.size)
            yield boxes
            if found >= COMPLETE and (
                boxes.shape in fits
                or (shape is None and length >= WIDE and not goes_on(mask, corners))
            ):
                return
    segments = find_segments(darkness)
    if len(segments) < 4:
        return
    mask = cv2.compare(darkness, floor, cv2.CMP_GT) & 1
    components = Components.of(cv2.dilate(mask, np.ones((3, 3), np.uint8)))
    middles = np.rint((segments[:, :2] + segments[:, 2:]) / 2).astype(int)
    x, y = middles.T.clip(0, np.array(grey.shape[::-1])[:, None] - 1)
    owners = components.labels[y, x]
    spans = (components.bottom - components.top) * (components.right - components.left)
    spans[0] = 0
    chosen = [
        one
        for one in np.argsort(-spans)[:CANDIDATES].tolist()
        if components.longest[one] >= LARGE * max(grey.shape)
    ]
    for own in [*(owners == one for one in chosen), np.ones(len(segments), bool)]:
        grid = _grid_of(darkness, segments[own], shape)
        if grid is None:
            continue
        yield grid
        if (
            grid.support > CLEAR
            and grid.area > CLEAR_AREA
            and (shape is None or grid.shape in (shape, shape[::-1]))
        ):
            return


def _grid_of(
    darkness: Levels,
    segments: NDArray[np.float64],
    shape: tuple[int, int] | None,
) -> Grid | None:
    """Find the grid that some of the segments are the lines of."""
    to_plane = straighten(segments)
    if to_plane is None:
        return None
    ends = segments.reshape(-1, 1, 2)
    nearness = (np.column_stack([ends[:, 0], np.ones(len(ends))]) @ to_plane[2]) > 0.2
    if not nearness.all():
        ends = ends[nearness]
        if len(ends) < 8:
            return None
    flat = cv2.perspectiveTransform(ends, to_plane)[:, 0]
    # What few segments reach is not worth the pixels.
    low, high = flat.min(0), flat.max(0)
    size = float((high - low).max())
    if not 0 < size < 8 * max(darkness.shape):
        return None
    factor = SIDE / (size * (1 + 2 * BEYOND))
    margin = max(12, round(BEYOND * SIDE))
    shift = np.array(
        [[factor, 0, margin - factor * low[0]], [0, factor, margin - factor * low[1]], [0, 0, 1]]
    )
    matrix = shift @ to_plane
    width, height = np.ceil((high - low) * factor).astype(int) + 2 * margin
    if min(width, height) < 24:
        return None
    plane = cv2.warpPerspective(darkness, matrix, (int(width), int(height)), flags=cv2.INTER_LINEAR)
    level = trace_lines(plane)
    upright = trace_lines(np.ascontiguousarray(plane.T))
    cells = find_cells(plane, level, upright, shape)
    if cells is None:
        return None
    corners, support = cells
    back = np.linalg.inv(matrix)
    places = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), back).reshape(corners.shape)
    return Grid(places, support, _area(places) / darkness.size)


def _area(corners: Points) -> float:
    """Return the area of all cells together, in pixels."""
    return sum(cv2.contourArea(cell.astype(np.float32)) for cell in corners.reshape(-1, 4, 2))
