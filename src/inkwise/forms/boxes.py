"""Boxes: cells that lines close all around, each found by itself, and how they stand side by side.

A row of boxes may bend as it likes, because each box is only compared with its neighbours. What
lines do not close is put where its neighbours say.
"""

import heapq
import itertools
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.forms.ruled_lines import Points
from inkwise.ink.components import Components
from inkwise.ink.levels import Levels

SMALLEST = 14.0
"""Least length of a box's shorter side, in pixels."""

FLATTEST = 8.0
"""Greatest ratio of a box's sides."""

STRAIGHT = 0.1
"""Greatest difference of a box from what is between its four corners, as a share of its area."""

ALIKE = 1.5
"""Greatest ratio of the heights of neighbours in a row, or of the widths of those in a column."""

OFF = 0.3
"""How far a neighbour may be out of line, as a share of a box's side."""

APART = 1.0
"""Greatest gap between neighbours, as a share of a box's side."""

FOUND = 0.6
"""Least share of a grid's boxes that are found."""

THICKEST, THICKER, WIDEST = 16, 3, 0.12
"""Greatest width of a box's lines: in pixels, relative to most lines, as a share of its side."""

SHARED = 0.1
"""Greatest distance between corners of neighbours that are one, as a share of a box's side."""

UNUSUAL = 1.25
"""Ratio of a box's width to that of those above and below it from which on it is none."""

UNEVEN = 0.12
"""Greatest distance of a corner from where its neighbours say, as a share of a box's side."""

INNER = 0.35
"""Greatest area of what is only a part of the box around it, such as the inside of a 0."""


def find_boxes(mask: Levels) -> Points:
    """Return the corners of what is closed by lines and has four sides.

    Parameters
    ----------
    mask : ndarray of uint8, shape (H, W)
        Where ink is: 1.

    Returns
    -------
    ndarray of float64, shape (N, 4, 2)
        Clockwise from the top left, in the middle of the lines.
    """
    inside = Components.of(1 - cv2.dilate(mask, np.ones((3, 3), np.uint8)))
    wide, high = inside.right - inside.left, inside.bottom - inside.top
    large = (np.minimum(wide, high) >= SMALLEST) & (inside.area >= SMALLEST**2 / 2)
    large[0] = False
    found = []
    for one in np.flatnonzero(large & ~inside.at_border).tolist():
        rows = slice(inside.top[one], inside.bottom[one])
        columns = slice(inside.left[one], inside.right[one])
        own = (inside.labels[rows, columns] == one).astype(np.uint8)
        outlines, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        corners = _corners(np.concatenate(outlines)[:, 0].astype(np.float64))
        if corners is not None:
            found.append(corners + np.array([columns.start, rows.start]))
    if not found:
        return np.empty((0, 4, 2))
    return _in_lines(mask, _separate(np.array(found)))


def _separate(boxes: Points) -> Points:
    """Leave out boxes in others, and those that others are in as cells are in a frame."""
    areas = np.array([cv2.contourArea(box.astype(np.float32)) for box in boxes])
    middles = boxes.mean(1)
    ways = (np.roll(boxes, -1, axis=1) - boxes)[:, None]
    to = middles[None, :, None] - boxes[:, None]
    inside = (ways[..., 0] * to[..., 1] - ways[..., 1] * to[..., 0] > 0).all(2)
    inside &= areas[None] < areas[:, None]
    around = inside.sum(1) > 2
    small = (inside & ~around[:, None] & (areas[None] < INNER * areas[:, None])).any(0)
    return boxes[~around & ~small]


def _corners(outline: Points) -> Points | None:
    """Return the four corners of an outline, clockwise from the top left; None if it is no box."""
    hull = cv2.convexHull(outline.astype(np.float32))
    _, sizes, angle = cv2.minAreaRect(hull)
    if min(sizes) < SMALLEST or max(sizes) > FLATTEST * min(sizes):
        return None
    angle = np.radians((angle + 45) % 90 - 45)
    along = np.array([np.cos(angle), np.sin(angle)])
    down = np.array([-along[1], along[0]])
    points = hull[:, 0].astype(np.float64)
    # A corner is what is farthest in its direction, if both sides of the box were as long.
    x, y = points @ along, points @ down
    x, y = x / np.ptp(x), y / np.ptp(y)
    corners = points[[(-x - y).argmax(), (x - y).argmax(), (x + y).argmax(), (y - x).argmax()]]
    between = cv2.contourArea(corners.astype(np.float32))
    if abs(cv2.contourArea(hull) / max(between, 1) - 1) > STRAIGHT:
        return None
    return corners


def _in_lines(mask: Levels, boxes: Points) -> Points:
    """Move the corners of boxes from the inner edges of their lines to the lines' middles."""
    after = np.roll(boxes, -1, axis=1)
    ways = after - boxes
    ways /= np.maximum(np.linalg.norm(ways, axis=2, keepdims=True), 1e-9)
    outwards = np.stack([ways[..., 1], -ways[..., 0]], -1)
    shares = np.linspace(0.15, 0.85, 15)[:, None]
    steps = np.arange(1, THICKEST + 2)
    sides = boxes[:, :, None] + (after - boxes)[:, :, None] * shares
    places = sides[..., None, :] + outwards[:, :, None, None] * steps[:, None]
    x, y = np.rint(places).astype(int).transpose(4, 0, 1, 2, 3)
    height, width = mask.shape
    dark = mask[y.clip(0, height - 1), x.clip(0, width - 1)].mean(2) >= 0.5
    # The first two steps may be paper: what is closed was looked for among dilated lines.
    dark[..., :2] = True
    thick = np.where(dark.all(2), 0, dark.argmin(2))
    thick = np.minimum(thick, THICKER * np.median(thick))
    side = np.linalg.norm(after - boxes, axis=2).min(1, keepdims=True)
    thick = np.minimum(thick, WIDEST * side)
    moved = outwards * ((thick + 1) / 2)[..., None]
    # A corner moves with both of its sides.
    return boxes + moved + np.roll(moved, 1, axis=1)


def grids_of(boxes: Points) -> Iterator[tuple[Points, float]]:
    """Return the grids that boxes make: corners, (R, C, 4, 2), and which share of them was found.

    Parameters
    ----------
    boxes : ndarray of float64, shape (N, 4, 2)
        Their corners.
    """
    if not len(boxes):
        return
    right, below = _neighbours(boxes)
    steps = [(one, other, gap, 0, 1) for one, other, gap in right]
    steps += [(one, other, gap, 1, 0) for one, other, gap in below]
    ways: list[list[tuple[float, int, int, int]]] = [[] for _ in boxes]
    for one, other, gap, down, along in steps:
        ways[one].append((gap, other, down, along))
        ways[other].append((gap, one, -down, -along))
    free = set(range(len(boxes)))
    while free:
        first = min(free)
        places: dict[int, tuple[int, int]] = {}
        # Over the narrowest gaps first: in a wide one, a box may be missing.
        waiting = [(0.0, first, 0, 0)]
        while waiting:
            _, one, row, column = heapq.heappop(waiting)
            if one in places:
                continue
            places[one] = row, column
            for gap, other, down, along in ways[one]:
                heapq.heappush(waiting, (gap, other, row + down, column + along))
        free -= places.keys()
        taken: dict[tuple[int, int], int] = {}
        for one, place in places.items():
            taken.setdefault(place, one)
        yield from _grid(boxes, taken)


def _neighbours(
    boxes: Points,
) -> tuple[list[tuple[int, int, float]], list[tuple[int, int, float]]]:
    """Return which box is to the right of which, and which below; and the gaps between them."""
    middles = boxes.mean(1)
    along = (boxes[:, 1] + boxes[:, 2] - boxes[:, 0] - boxes[:, 3]) / 2
    down = (boxes[:, 2] + boxes[:, 3] - boxes[:, 0] - boxes[:, 1]) / 2
    # Where the middle of each box is, in the widths and heights of each other.
    axes = np.linalg.inv(np.stack([along, down], 2))
    places = np.einsum("nij,nmj->nmi", axes, middles[None] - middles[:, None])
    sizes = np.linalg.norm(along, axis=1), np.linalg.norm(down, axis=1)
    found = []
    for way in (0, 1):
        ahead, aside = places[..., way], places[..., 1 - way]
        shares = sizes[way][None] / sizes[way][:, None]
        heights = sizes[1 - way][None] / sizes[1 - way][:, None]
        gaps = ahead - (1 + shares) / 2
        fits = (np.abs(aside) < OFF) & (heights < ALIKE) & (heights > 1 / ALIKE)
        fits &= (gaps > -0.2) & (gaps < APART * np.maximum(1, shares)) & (ahead > 0.3)
        nearest = np.where(fits, ahead, np.inf).argmin(1)
        back = np.where(fits, ahead, np.inf).argmin(0)
        found.append(
            [
                (one, other, float(gaps[one, other]))
                for one, other in enumerate(nearest.tolist())
                if fits[one, other] and back[other] == one
            ]
        )
    return found[0], found[1]


def _grid(boxes: Points, taken: dict[tuple[int, int], int]) -> Iterator[tuple[Points, float]]:
    """Return the grid of boxes whose rows and columns are known, without what sticks out."""
    at = np.array([*taken])
    rows, columns = (np.ptp(at, axis=0) + 1).tolist()
    if rows * columns > 4 * len(boxes):
        return
    own = np.full((rows, columns), -1)
    own[tuple((at - at.min(0)).T)] = [*taken.values()]
    own = own[(own >= 0).any(1)][:, (own >= 0).any(0)]
    while own.size:
        shares = [(own >= 0).mean(1 - axis) for axis in (0, 1)]
        ends = [(shares[axis][end], axis, end) for axis in (0, 1) for end in (0, -1)]
        share, axis, end = min(ends)
        if share >= 0.5:
            break
        own = np.delete(own, end, axis)
    if not own.size or (own >= 0).mean() < FOUND:
        return
    for kept in (_usual(boxes, own), own):
        # Too few of the usual ones may be left to say where the others are.
        corners = _filled(boxes, kept)
        if corners is not None:
            yield _joined(corners), float((own >= 0).mean())
            return


def _usual(boxes: Points, own: NDArray[np.int_]) -> NDArray[np.int_]:
    """Leave out boxes that are not as wide or as high as those around them in their line.

    A stroke from one side to the other divides a cell, and a part of it is no box.
    """
    sides = np.linalg.norm(np.roll(boxes, -1, axis=1) - boxes, axis=2)
    usual = own >= 0
    for axis in (0, 1):
        lengths = np.where(own >= 0, (sides[:, axis] + sides[:, axis + 2])[own] / 2, np.nan)
        if min(own.shape) < 2 or own.shape[axis] < 3:
            continue
        width = [(0, 0), (0, 0)]
        width[axis] = (2, 2)
        padded = np.pad(lengths, width, constant_values=np.nan)
        near = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=axis)
        shares = lengths / np.nanmedian(np.where(own[..., None] >= 0, near, 1.0), axis=2)
        usual &= ~((shares < 1 / UNUSUAL) | (shares > UNUSUAL))
    # A whole line of them is as it is.
    for axis in (0, 1):
        usual |= ~np.any(usual, axis=axis, keepdims=True)
    return np.where(usual, own, -1)


def _filled(boxes: Points, own: NDArray[np.int_]) -> Points | None:
    """Return the corners of all cells; those of a missing one complete a parallelogram.

    None if too few are known for that.
    """
    known = own >= 0
    corners = np.where(known[..., None, None], boxes[own], 0.0)
    rows, columns = np.indices(own.shape)
    while not known.all():
        before = known.copy()
        for row, column in np.argwhere(~before).tolist():
            others = before & before[:, column, None] & before[row]
            away = np.where(others, abs(rows - row) + abs(columns - column), np.inf)
            if not others.any():
                continue
            near, by = np.unravel_index(away.argmin(), own.shape)
            corners[row, column] = corners[near, column] + corners[row, by] - corners[near, by]
            known[row, column] = True
        if (known == before).all():
            # A single row or column: what is missing is between others, since it does not end so.
            between = _between(known)
            if between is None:
                return None
            place, low, high, share = between
            corners[place] = corners[low] * (1 - share) + corners[high] * share
            known[place] = True
    return corners


_Place = tuple[int, int]


def _between(known: NDArray[np.bool_]) -> tuple[_Place, _Place, _Place, float] | None:
    """Return a missing cell, two known ones of its line around it, and its share of their way."""
    for row, column in np.argwhere(~known).tolist():
        for line, at, along in ((known[row], column, True), (known[:, column], row, False)):
            before, after = np.flatnonzero(line[:at]), np.flatnonzero(line[at:])
            if before.size and after.size:
                low, high = int(before[-1]), at + int(after[0])
                ends = [(row, end) if along else (end, column) for end in (low, high)]
                return (row, column), ends[0], ends[1], (at - low) / (high - low)
    return None


def _joined(corners: Points) -> Points:
    """Let neighbours that share a line share their corners: the median of what each of them says.

    Where a stroke covers the corner of a cell, the other three know better.
    """
    rows, columns = corners.shape[:2]
    says = np.full((rows + 1, columns + 1, 4, 2), np.nan)
    for corner, (down, along) in enumerate(((0, 0), (0, 1), (1, 1), (1, 0))):
        says[down : rows + down, along : columns + along, corner] = corners[:, :, corner]
    apart = np.linalg.norm(says[:, 1:-1, 0] - says[:, 1:-1, 1], axis=2).ravel()
    apart = np.concatenate(
        [apart, np.linalg.norm(says[1:-1, :, 0] - says[1:-1, :, 3], axis=2).ravel()]
    )
    apart = apart[~np.isnan(apart)]
    sides = np.linalg.norm(np.roll(corners, -1, axis=2) - corners, axis=3)
    if not len(apart) or np.median(apart) > SHARED * np.median(sides):
        return np.stack([_even(corners[:, :, corner]) for corner in range(4)], axis=2)
    nodes = _even(np.nanmedian(says, axis=2))
    return np.stack([nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]], axis=2)


def _even(nodes: Points) -> Points:
    """Move places that are far from where their neighbours say, the farthest first.

    Each neighbour across a corner completes a parallelogram with those beside it.
    """
    rows, columns = nodes.shape[:2]
    if min(rows, columns) < 2:
        return nodes
    nodes = nodes.copy()
    for _ in range(rows * columns // 4):
        around = np.pad(nodes, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
        middle = slice(1, -1)
        beside = slice(0, -2), slice(2, None)
        says = [
            around[down, middle] + around[middle, along] - around[down, along]
            for down, along in itertools.product(beside, beside)
        ]
        expected = np.nanmedian(says, axis=0)
        steps = [np.linalg.norm(np.diff(nodes, axis=axis), axis=2) for axis in (0, 1)]
        side = min(float(np.median(one)) for one in steps)
        off = np.linalg.norm(nodes - expected, axis=2)
        if off.max() <= UNEVEN * side:
            break
        worst = np.unravel_index(off.argmax(), off.shape)
        nodes[worst] = expected[worst]
    return nodes


def goes_on(mask: Levels, corners: Points) -> bool:
    """Tell whether lines of a grid go on beyond it, as if it had cells that nothing closes.

    Parameters
    ----------
    mask : ndarray of uint8, shape (H, W)
        Where ink is: 1.
    corners : ndarray of float64, shape (R, C, 4, 2)
        Corners of the cells that were found.
    """
    wide = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    height, width = mask.shape
    shares = np.linspace(0.1, 0.3, 9)[:, None]
    for turn in range(4):
        turned = np.roll(np.rot90(corners, turn), -turn, axis=2)
        last = turned[:, -1]
        inner, outer = last[:, [0, 3]], last[:, [1, 2]]
        places = outer[:, :, None] + (outer - inner)[:, :, None] * shares
        x, y = np.rint(places).astype(int).transpose(3, 0, 1, 2)
        within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        dark = wide[y.clip(0, height - 1), x.clip(0, width - 1)] & within
        if (dark.mean(2) >= 0.7).mean() > 0.5:
            return True
    return False
