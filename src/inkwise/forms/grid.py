"""The grid of a form: where each of its cells is in a photograph.

The ruled lines show how the paper is turned and tilted, by their two vanishing points. In the plane
in which they are level and upright, each line is followed by itself, so that the paper may be bent.
A cell is what has a line at each of its four sides. Rows and columns between which there are no
such cells, such as the gaps between separate boxes, are no part of the grid.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError
from inkwise.forms.lines import (
    Line,
    Points,
    find_segments,
    noise_level,
    steady_darkness,
    straighten,
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

SUPPORTED = 0.6
"""Least share of a cell's sides along which there are lines."""

NARROW = 0.3
"""Least height of a row or width of a column, as a share of their median."""

DOUBLE = 0.1
"""The same of the space between the two lines that are one line, ruled twice."""

STEADY = 0.8
"""Least share of a line's sides along which it is there, relative to that of other lines."""

SURE = 0.75
"""Least share of all sides of a grid's cells along which there are lines."""

CLEAR, CLEAR_AREA = 0.9, 0.1
"""Support and share of the picture of a grid beside which no other is searched."""

MOST = 100
"""Greatest number of rows and of columns."""


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
        return dataclasses.replace(self, corners=corners)


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
    if scale < 1:
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found: list[Grid] = []
    for levels in (small, 255 - small):
        for grid in _candidates(levels, shape):
            found.append(dataclasses.replace(grid, corners=(grid.corners + 0.5) / scale - 0.5))
        if found:
            break
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
        if grid.support > CLEAR and grid.area > CLEAR_AREA and (
            shape is None or grid.shape in (shape, shape[::-1])
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
    factor = SIDE / size
    margin = 12
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
    cells = _cells_of(plane, level, upright, shape)
    if cells is None:
        return None
    corners, support = cells
    back = np.linalg.inv(matrix)
    places = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), back).reshape(corners.shape)
    area = sum(cv2.contourArea(cell.astype(np.float32)) for cell in places.reshape(-1, 4, 2))
    return Grid(places, support, area / darkness.size)


def _cells_of(
    plane: Levels, level: list[Line], upright: list[Line], shape: tuple[int, int] | None
) -> tuple[Points, float] | None:
    """Return the corners of the cells between lines, (R, C, 4, 2), and how well they are ruled."""
    height, width = plane.shape
    level, upright = _without_doubles(level, width), _without_doubles(upright, height)
    level, upright = (
        _with_ends(level, upright, height),
        _with_ends(upright, level, width),
    )
    if not (2 <= len(level) <= MOST and 2 <= len(upright) <= MOST):
        return None
    while True:
        crossings = _crossings(level, upright, width)
        along, down = _sides(plane, crossings, level, upright)
        kept = _steady(along), _steady(down)
        if all(map(all, kept)):
            break
        level = list(itertools.compress(level, kept[0]))
        upright = list(itertools.compress(upright, kept[1]))
        if min(len(level), len(upright)) < 2:
            return None
    four = np.stack([along[:-1], along[1:], down.T[:, :-1], down.T[:, 1:]])
    support = (four.sum(0) + four.min(0)) / 5  # the worst side counts twice
    valid = support >= SUPPORTED
    rows, columns = _choose(valid)
    rows = _without_narrow(rows, crossings[..., 1].mean(1))
    columns = _without_narrow(columns, crossings[..., 0].mean(0))
    if len(rows) * len(columns) < (3 if shape is None else 1):
        return None
    quality = float(support[np.ix_(rows, columns)].mean())
    if quality < SURE:
        return None
    corners = np.stack(
        [crossings[:-1, :-1], crossings[:-1, 1:], crossings[1:, 1:], crossings[1:, :-1]], axis=2
    )
    return corners[np.ix_(rows, columns)], quality


def _without_doubles(lines: list[Line], length: int) -> list[Line]:
    """Leave out the fainter of two lines that are much nearer to each other than the others."""
    while len(lines) > 3:
        places = np.array([float(line.at(length / 2)) for line in lines])
        gaps = np.diff(places)
        place = int(gaps.argmin())
        if gaps[place] >= DOUBLE * np.median(gaps) and gaps[place] > 5:
            break
        one, other = lines[place], lines[place + 1]
        weaker = place + (len(one.places) * one.strength > len(other.places) * other.strength)
        lines = lines[:weaker] + lines[weaker + 1 :]
    return lines


def _without_narrow(bands: list[int], places: NDArray[np.float64]) -> list[int]:
    """Leave out rows or columns that are much narrower than the others."""
    sizes = np.diff(places)[bands]
    return [band for band, size in zip(bands, sizes, strict=True) if size > NARROW * np.median(sizes)]


def _with_ends(lines: list[Line], across: list[Line], length: int) -> list[Line]:
    """Add lines where those across begin and end, if these go on beyond the outermost."""
    if len(lines) < 2 or len(across) < 3:
        return lines
    starts = np.median([line.places[0, 0] for line in across])
    stops = np.median([line.places[-1, 0] for line in across])
    middle = float(np.median([line.at(line.places[:, 0]).mean() for line in across]))
    places = np.array([float(line.at(middle)) for line in lines])
    gap = float(np.median(np.diff(places)))
    longer = []
    if places[0] - starts > 0.5 * gap:
        longer.append(dataclasses.replace(lines[0].moved(float(starts - places[0])), strength=0.0))
    longer += lines
    if stops - places[-1] > 0.5 * gap:
        longer.append(dataclasses.replace(lines[-1].moved(float(stops - places[-1])), strength=0.0))
    return longer


def _crossings(level: list[Line], upright: list[Line], width: int) -> Points:
    """Return where lines cross, float64 (len(level), len(upright), 2)."""
    x = np.full((len(level), len(upright)), width / 2)
    y = np.zeros_like(x)
    for _ in range(6):
        y = np.stack([line.at(row) for line, row in zip(level, x, strict=True)])
        x = np.stack([line.at(column) for line, column in zip(upright, y.T, strict=True)], 1)
    return np.stack([x, y], -1)


def _steady(sides: NDArray[np.float64]) -> list[bool]:
    """Tell which lines are there along as many sides as most: a stroke of a digit is not."""
    shares = sides.mean(1)
    return (shares >= STEADY * np.quantile(shares, 0.75)).tolist()


def _sides(
    plane: Levels, crossings: Points, level: list[Line], upright: list[Line]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return along which share of each side, between neighbouring crossings, there is its line.

    Returns
    -------
    ndarray of float64, shape (level, upright - 1)
        Of the level lines' sides.
    ndarray of float64, shape (upright, level - 1)
        Of the upright lines' sides.
    """
    turned = np.ascontiguousarray(plane.T)
    flipped = crossings.transpose(1, 0, 2)[..., ::-1]
    return (
        _sides_along(plane, crossings, [line.strength for line in level]),
        _sides_along(turned, flipped, [line.strength for line in upright]),
    )


def _sides_along(plane: Levels, crossings: Points, strengths: list[float]) -> NDArray[np.float64]:
    wide = cv2.dilate(steady_darkness(plane), np.ones((7, 1), np.uint8))
    shares = np.linspace(0.04, 0.96, 30)[:, None]
    x, y = np.rint(
        crossings[:, :-1, None] + shares * (crossings[:, 1:] - crossings[:, :-1])[:, :, None]
    ).astype(int).transpose(3, 0, 1, 2)
    inside = (x >= 0) & (y >= 0) & (x < plane.shape[1]) & (y < plane.shape[0])
    dark = wide[y.clip(0, plane.shape[0] - 1), x.clip(0, plane.shape[1] - 1)]
    least = 0.4 * np.array(strengths)[:, None, None]
    sides = ((dark >= least) & inside).mean(2)
    sides[np.array(strengths) == 0] = 1.0  # where the lines across end
    return sides


def _choose(valid: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Choose the rows and columns between which most cells are valid."""
    rows, columns = list(range(valid.shape[0])), list(range(valid.shape[1]))
    while rows and columns:
        part = valid[np.ix_(rows, columns)]
        by_row, by_column = part.mean(1), part.mean(0)
        worst = min(by_row.min(), by_column.min())
        if worst >= 0.5:
            break
        if by_row.min() <= by_column.min():
            rows.pop(int(by_row.argmin()))
        else:
            columns.pop(int(by_column.argmin()))
    return rows, columns
