"""The cells between ruled lines: which of the lines are a grid's, and where they cross.

A cell is what has a line at each of its four sides. Rows and columns between which there are no
such cells, such as the gaps between separate boxes, are no part of the grid.
"""

import dataclasses
import functools
import itertools
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.forms.ruled_lines import Line, Points, steady_darkness
from inkwise.ink.levels import Levels

SUPPORTED = 0.6
"""Least share of a cell's sides along which there are lines."""

NARROW = 0.3
"""Least height of a row or width of a column, as a share of their median."""

DOUBLE = 0.1
"""The same of the space between the two lines that are one line, ruled twice."""

STEADY = 0.88
"""Least share of a line's sides along which it is there, relative to that of other lines."""

SURE = 0.75
"""Least share of all sides of a grid's cells along which there are lines."""

BETWEEN = 0.4
"""Greatest share of the lines through the cells' middles that is dark, relative to `support`."""

LEAST_SIDE = 0.08
"""Least length of lines on both sides of the only line across them, as a share of the picture."""

OUTER = 5
"""Greatest width of an outermost column that is open, relative to the median of the others."""

NO_LINE = 0.1
"""Least distance of a line from where those across it end beside which it is none of the grid's."""

BREAK = 25
"""Length of which half may be missing of a line that goes on, in pixels."""

FEWEST = 3
"""Least number of cells of a grid whose rows and columns are not given."""

MOST = 100
"""Greatest number of rows and of columns."""


def find_cells(
    plane: Levels, level: list[Line], upright: list[Line], shape: tuple[int, int] | None
) -> tuple[Points, float] | None:
    """Find the cells of the grid that some of the lines are.

    Parameters
    ----------
    plane : ndarray of uint8, shape (H, W)
        Darkness of thin things, where the lines are level and upright.
    level, upright : list of Line
        The lines, from the top and, of the plane turned over, from the left.
    shape : tuple of int, optional
        Numbers of rows and columns, or of columns and rows. Without it, they are found.

    Returns
    -------
    tuple of ndarray and float, optional
        Corners of the cells in the plane, float64 (R, C, 4, 2), clockwise from the top left, and
        along which share of their sides there are lines. None if there is no grid.
    """
    height, width = plane.shape
    turned = np.ascontiguousarray(plane.T)
    seen, seen_turned = (_Seen(steady_darkness(one)) for one in (plane, turned))
    level, upright = _without_doubles(level, width), _without_doubles(upright, height)
    ended = False
    while True:
        if not (1 <= len(level) <= MOST and 1 <= len(upright) <= MOST):
            return None
        crossings = cross(level, upright, width)
        along = seen.sides(crossings, level)
        down = seen_turned.sides(crossings.transpose(1, 0, 2)[..., ::-1], upright)
        four = np.stack([along[:-1], along[1:], down.T[:, :-1], down.T[:, 1:]])
        support = (four.sum(0) + four.min(0)) / 5  # the worst side counts twice
        rows, columns = _choose(support >= SUPPORTED)
        if not rows or not columns:
            if ended:
                return None
            ended = True
            bounded = _between_ends(level, upright, seen, width)
            if bounded is not None:
                level, upright = bounded
                continue
            bounded = _between_ends(upright, level, seen_turned, height)
            if bounded is None:
                return None
            upright, level = bounded
            continue
        wanted = _nearer(shape, (len(rows), len(columns)))
        kept = (
            _steady(along[:, columns], rows, crossings[..., 1].mean(1), wanted[0]),
            _steady(down[:, rows], columns, crossings[..., 0].mean(0), wanted[1]),
        )
        if not all(map(all, kept)):
            level = list(itertools.compress(level, kept[0]))
            upright = list(itertools.compress(upright, kept[1]))
        elif not ended:
            ended = True
            level, upright = (
                _with_ends(level, rows, upright, columns, seen_turned),
                _with_ends(upright, columns, level, rows, seen),
            )
        else:
            break
    if len(rows) * len(columns) < (FEWEST if shape is None else 1):
        return None
    quality = float(support[np.ix_(rows, columns)].mean())
    halfway = (
        (crossings[:-1] + crossings[1:]) / 2,
        ((crossings[:, :-1] + crossings[:, 1:]) / 2).transpose(1, 0, 2)[..., ::-1],
    )
    between = (
        seen.sides(halfway[0], _stronger(level))[np.ix_(rows, columns)],
        seen_turned.sides(halfway[1], _stronger(upright))[np.ix_(columns, rows)],
    )
    # Text and textures are as dark between the lines.
    if quality < SURE or max(sides.mean() for sides in between) > BETWEEN * quality:
        return None
    return cells_between(crossings)[np.ix_(rows, columns)], quality


def _stronger(lines: list[Line]) -> list[Line]:
    """Return the stronger one of each two neighbouring lines."""
    return [max(pair, key=lambda line: line.strength) for pair in itertools.pairwise(lines)]


def _between_ends(
    lines: list[Line], across: list[Line], seen: "_Seen", length: int
) -> tuple[list[Line], list[Line]] | None:
    """Return lines that begin and end alike, and those across with their ends: an open table.

    Parameters
    ----------
    lines, across : list of Line
        Level lines, and those across them, of which none may be at the lines' ends.
    seen : _Seen
        Where the level lines are dark.
    length : int
        How far level lines can go, in pixels.
    """
    best: tuple[list[Line], list[Line]] | None = None
    for one in across:
        inside = np.array([float(one.at(line.at(length / 2))) for line in lines])
        ends = np.array([seen.ends(line, at) for line, at in zip(lines, inside, strict=True)])
        off = ends - inside[:, None]
        crossed = (off[:, 0] < -LEAST_SIDE * length) & (off[:, 1] > LEAST_SIDE * length)
        if np.count_nonzero(crossed) < FEWEST:
            continue
        usual = np.median(off[crossed], axis=0)
        alike = crossed & (np.abs(off - usual).max(1) < 0.15 * np.ptp(usual))
        own = list(itertools.compress(lines, alike))
        if len(own) >= FEWEST and (best is None or len(own) > len(best[0])):
            best = own, [_ending(one, usual[0]), one, _ending(one, usual[1])]
    return best


def _nearer(shape: tuple[int, int] | None, found: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns that are wanted, turned if that is nearer to what was found."""
    if shape is None:
        return MOST, MOST
    both = shape, shape[::-1]
    return min(both, key=lambda one: abs(one[0] - found[0]) + abs(one[1] - found[1]))


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


def _with_ends(
    lines: list[Line], bands: list[int], across: list[Line], others: list[int], seen: "_Seen"
) -> list[Line]:
    """Add lines where those across the grid begin and end, if these go on beyond it.

    Parameters
    ----------
    lines, bands : list of Line, list of int
        The lines of which the outermost may be missing, and the bands of the grid between them.
    across, others : list of Line, list of int
        The lines across, and the bands of the grid between those.
    seen : _Seen
        Where the lines across are dark.
    """
    bounds = sorted({*others, *(band + 1 for band in others)})
    bounds = [bound for bound in bounds if across[bound].strength > 0]
    first, last = bands[0], bands[-1] + 1
    beside = lines[first], lines[last]
    middle = float(np.mean([across[bound].at(beside[0].at(0.0)) for bound in bounds]))
    inside = float(np.mean([line.at(middle) for line in beside]))
    ends = np.array([seen.ends(across[bound], inside) for bound in bounds])
    start, stop = np.median(ends, axis=0)
    places = np.array([float(line.at(middle)) for line in lines])
    gap = float(np.median(np.diff(places)[bands]))
    agreed = np.mean(np.abs(ends - [start, stop]) < 0.2 * gap, axis=0) >= 0.6
    kept = lines[first : last + 1]
    # Lines that end before the outermost line do not belong to it: it is an edge of the paper.
    if agreed[0] and (
        NO_LINE * gap < start - places[first] or 0.4 * gap < places[first] - start < OUTER * gap
    ):
        beyond = start < places[first]
        kept = [_ending(lines[first], start - places[first]), *kept[0 if beyond else 1 :]]
    if agreed[1] and (
        NO_LINE * gap < places[last] - stop or 0.4 * gap < stop - places[last] < OUTER * gap
    ):
        beyond = stop > places[last]
        kept = [*kept[: None if beyond else -1], _ending(lines[last], stop - places[last])]
    if kept == lines[first : last + 1]:
        return lines
    # What else is beyond the grid is no line of it.
    return kept


def _ending(line: Line, by: float) -> Line:
    """Return the line, unseen, in which those across end: beside one that is seen."""
    return replace(line.moved(by), strength=0.0)


def cells_between(crossings: Points) -> Points:
    """Return the corners of the cells between crossings, (R, C, 4, 2), clockwise."""
    return np.stack(
        [crossings[:-1, :-1], crossings[:-1, 1:], crossings[1:, 1:], crossings[1:, :-1]], axis=2
    )


def cross(level: list[Line], upright: list[Line], width: int) -> Points:
    """Return where lines cross, float64 (len(level), len(upright), 2)."""
    x = np.full((len(level), len(upright)), width / 2)
    y = np.zeros_like(x)
    for _ in range(6):
        y = np.stack([line.at(row) for line, row in zip(level, x, strict=True)])
        x = np.stack([line.at(column) for line, column in zip(upright, y.T, strict=True)], 1)
    return np.stack([x, y], -1)


def _steady(
    sides: NDArray[np.float64], bands: list[int], places: NDArray[np.float64], wanted: int
) -> list[bool]:
    """Tell which lines to keep: a stroke of a digit in the grid is there along fewer sides.

    Parameters
    ----------
    sides : ndarray of float64, shape (L, N)
        Along which share of the grid's N sides each line is there.
    bands : list of int
        The rows or columns of the grid, each after the line of the same number.
    places : ndarray of float64, shape (L,)
        Where the lines are, in pixels.
    wanted : int
        If there are more rows or columns than this, the line that is there least is not kept.
    """
    shares = sides.mean(1)
    inner = np.zeros(len(sides), bool)
    inner[bands[0] + 1 : bands[-1] + 1] = True
    bounds = sorted({*bands, *(band + 1 for band in bands)})
    usual = float(np.quantile(shares[bounds], 0.75))
    kept = ~inner | (shares >= STEADY * usual)
    if not kept.all():
        return kept.tolist()
    sizes = np.diff(places)[bands]
    narrowest = int(sizes.argmin())
    if len(bands) > 1 and sizes[narrowest] < NARROW * np.median(sizes):
        # One of the two lines beside it is a stroke, or the other half of a doubled line.
        pair = bands[narrowest], bands[narrowest] + 1
        kept[min(pair, key=lambda line: (shares[line], not inner[line]))] = False
    elif len(bands) > wanted and inner.any():
        worst = int(np.where(inner, shares, 2).argmin())
        kept[worst] = shares[worst] > 0.97 * usual
    return kept.tolist()


@dataclasses.dataclass(frozen=True)
class _Seen:
    """Where there is a level line, in a picture that shows them alone."""

    steady: Levels

    def sides(self, crossings: Points, lines: list[Line]) -> NDArray[np.float64]:
        """Return along which share of each side, between neighbouring crossings, there is a line.

        Parameters
        ----------
        crossings : ndarray of float64, shape (L, N + 1, 2)
            Crossings along each of the lines.
        lines : list of Line
            The lines.

        Returns
        -------
        ndarray of float64, shape (L, N)
        """
        shares = np.linspace(0.04, 0.96, 30)[:, None]
        steps = (crossings[:, 1:] - crossings[:, :-1])[:, :, None]
        x, y = (crossings[:, :-1, None] + shares * steps).transpose(3, 0, 1, 2)
        strengths = np.array([line.strength for line in lines])
        dark = self._dark(x, y, strengths[:, None, None])
        # A line reaches those across; most strokes of a digit do not.
        reaches = dark[..., 1:4].any(2) & dark[..., -4:-1].any(2)
        sides = dark.mean(2) * np.where(reaches, 1, 0.6)
        sides[strengths == 0] = 1.0  # where the lines across end
        return sides

    def ends(self, line: Line, inside: float) -> tuple[float, float]:
        """Return x where a line begins and ends, around a place inside it."""
        x = np.arange(self.steady.shape[1], dtype=np.float64)
        dark = self._dark(x, line.at(x), line.strength).astype(np.float64)
        none = np.flatnonzero(np.convolve(dark, np.ones(BREAK) / BREAK, "same") < 0.5)
        before, after = none[none < inside], none[none > inside]
        return (
            float(before[-1]) if len(before) else 0.0,
            float(after[0]) if len(after) else float(len(x) - 1),
        )

    def _dark(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        strength: NDArray[np.float64] | float,
    ) -> NDArray[np.bool_]:
        across, down = np.rint(x).astype(int), np.rint(y).astype(int)
        height, width = self.steady.shape
        inside = (across >= 0) & (down >= 0) & (across < width) & (down < height)
        levels = self._wide[down.clip(0, height - 1), across.clip(0, width - 1)]
        return (levels >= 0.4 * np.asarray(strength)) & inside

    @functools.cached_property
    def _wide(self) -> Levels:
        return cv2.dilate(self.steady, np.ones((7, 1), np.uint8))


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
