"""Cuts: paths from the top of a line to its bottom along which it may be cut into digits.

A path goes down a row at a time, straight or to a pixel beside, and costs as much as the ink that
it crosses. Gaps cost nothing, overlapping slants little, a touch about the width of a stroke.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inkwise.ink.levels import Levels
from inkwise.reading.lines import ABOVE, HEIGHT

ASIDE = 0.03
"""Cost of a step aside, in pixels of full ink."""

AT = (0.15, 0.35, 0.5, 0.65, 0.85)
"""Where cuts are looked for, as shares of the digits' height."""

DEAREST = 3.2
"""Greatest cost of a cut, in widths of a stroke."""

SAME = 0.12
"""Greatest ink between two cuts that are the same one, in strokes of a digit's height."""

NEAREST = 3
"""Least distance between two cuts through ink at the same height, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cuts:
    """Cuts of a line, from left to right; the first lies before all ink, the last behind it.

    Parameters
    ----------
    paths : ndarray of int64, shape (C, H)
        The first column behind each cut, in each row.
    costs : ndarray of float64, shape (C,)
        The ink that each cut crosses, in widths of a stroke.
    stroke : float
        Width of the line's strokes, in pixels.
    """

    paths: NDArray[np.int64]
    costs: NDArray[np.float64]
    stroke: float


def find_cuts(levels: Levels, stroke: float) -> Cuts:
    """Find the cuts of a line.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W)
        The line, as `Line.levels`.
    stroke : float
        The width of its strokes, in pixels.
    """
    height, width = levels.shape
    cost = levels.astype(np.float32) / np.float32(255)
    down, up = _reach(cost), _reach(cost[::-1])[::-1]
    total = down + up - cost
    limit = DEAREST * stroke
    middles = [ABOVE + round(share * (HEIGHT - 1)) for share in AT]
    columns = [_minima(total[row], limit) for row in middles]
    at = np.repeat(middles, [len(one) for one in columns])
    through = np.concatenate(columns).astype(np.int64)
    traced = _trace(down, up, at, through)
    prices = total[at, through]
    ends = np.zeros(height, np.int64), np.full(height, width, np.int64)
    ink = np.concatenate([np.zeros((height, 1), np.float32), np.cumsum(cost, axis=1)], axis=1)
    rows = np.arange(height)
    whole = float(ink[:, -1].sum())
    least = SAME * stroke * HEIGHT
    kept: list[tuple[float, NDArray[np.int64], NDArray[np.float32]]] = []
    for place in np.argsort(prices, kind="stable").tolist():
        price, path = float(prices[place]), traced[place]
        left = ink[rows, path]
        mass = float(left.sum())
        if mass < least or mass > whole - least:
            continue
        if all(np.abs(left - other).sum() > least for _, _, other in kept):
            kept.append((price, path, left))
    kept.sort(key=lambda one: float(one[2].sum()))
    paths = np.array([ends[0], *(path for _, path, _ in kept), ends[1]])
    costs = np.array([0.0, *(price for price, _, _ in kept), 0.0]) / stroke
    return Cuts(paths, costs, stroke)


def _reach(cost: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cost of the cheapest path from the top to each pixel, it included, (H, W)."""
    reach = np.empty_like(cost)
    reach[0] = cost[0]
    aside = np.float32(ASIDE)
    for row in range(1, len(cost)):
        above = reach[row - 1]
        best = above.copy()
        np.minimum(best[1:], above[:-1] + aside, out=best[1:])
        np.minimum(best[:-1], above[1:] + aside, out=best[:-1])
        np.add(best, cost[row], out=reach[row])
    return reach


def _minima(total: NDArray[np.float32], limit: float) -> list[int]:
    """Return the columns of local minima, the middle one of a plateau."""
    rounded = np.rint(total * 20)
    change = np.flatnonzero(np.diff(rounded)) + 1
    starts = np.concatenate([[0], change])
    stops = np.concatenate([change, [len(total)]])
    values = rounded[starts]
    lower_than_before = np.concatenate([[True], values[1:] < values[:-1]])
    lower_than_after = np.concatenate([values[:-1] < values[1:], [True]])
    chosen = lower_than_before & lower_than_after & (values <= limit * 20)
    return ((starts[chosen] + stops[chosen] - 1) // 2).tolist()


def _trace(
    down: NDArray[np.float32],
    up: NDArray[np.float32],
    at: NDArray[np.int64],
    through: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the cheapest path through each pixel, given by row and column, int64 (P, H)."""
    height, width = down.shape
    paths = np.repeat(through[:, None], height, axis=1)
    aside = np.array([ASIDE, 0.0, ASIDE], np.float32)
    for reach, rows, back in (
        (down, range(height - 2, -1, -1), 1),
        (up, range(1, height), -1),
    ):
        for row in rows:
            beyond = at > row if back == 1 else at < row
            if not beyond.any():
                continue
            around = paths[beyond, row + back][:, None] + np.arange(-1, 2)
            inside = (around >= 0) & (around < width)
            prices = np.where(inside, reach[row][around.clip(0, width - 1)] + aside, np.inf)
            best = prices.argmin(1)
            paths[beyond, row] = around[np.arange(len(around)), best]
    return paths
