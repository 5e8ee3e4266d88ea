"""Segments: what lies between two cuts of a line, as an image for the network and as figures."""

import dataclasses
import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.components import stroke_width
from inkwise.ink.fitting import BOX, CANVAS
from inkwise.ink.levels import Box, Levels
from inkwise.reading.cuts import Cuts, find_cuts
from inkwise.reading.lines import ABOVE, HEIGHT, Line

WIDEST = 1.4
"""Greatest width of a segment, as a multiple of the digits' height."""

MOST_CUTS = 6
"""Greatest number of neighbouring pieces that are put together."""

INK = 60
"""Least level of a pixel that shows where the ink of a segment is."""

CRUMB = 0.05
"""Greatest share of a segment's ink in a piece that the next digit left behind."""

THINNEST, THIN, THICKEST, THICK = 1.5, 2.0, 4.2, 3.6
"""Widths of strokes as in `inkwise.ink.finding`, where the digits' height is 20 pixels."""

FIGURES = 16
"""Number of figures about a segment."""

LEAST_CHANCE = math.log(0.015)
"""Least logarithm of the chance, from a segment's rough figures alone, that it is looked at."""

Weights = dict[str, NDArray[np.float32]]
"""Arrays by their names, see `inkwise.reading.lattice.load_weights`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a line that may be one thing.

    Parameters
    ----------
    starts, stops : ndarray of int64, shape (S,)
        Indices of the cuts at the left and at the right; the first cut is 0.
    images : ndarray of uint8, shape (S, 28, 28)
        What the network is shown.
    figures : ndarray of float32, shape (S, `FIGURES`)
        Sizes and places in the line, and what the cuts cost.
    rough : ndarray of float32, shape (S, `FIGURES`)
        The same before the crumbs of neighbours were erased.
    boxes : list of Box
        Where the ink of each lies in the line.
    cuts : int
        Number of cuts.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    images: NDArray[np.uint8]
    figures: NDArray[np.float32]
    rough: NDArray[np.float32]
    boxes: list[Box]
    cuts: int


def find_segments(line: Line, weights: Weights | None) -> Segments:
    """Find the segments of a line.

    Parameters
    ----------
    line : Line
        The line.
    weights : dict or None
        Weights that sieve out what is unlikely by its rough figures; None keeps all.
    """
    levels = line.levels
    body = (levels > 127).astype(np.uint8)
    stroke = stroke_width(body) if body.any() else 3.0
    cuts = find_cuts(levels, stroke)
    # The ink right of each cut, (C, H, W) of booleans.
    behind = np.arange(levels.shape[1]) >= cuts.paths[:, :, None]
    pieces = _Pieces.of(levels, behind, cuts)
    pairs = pieces.pairs()
    rough = np.array([pieces.rough(*pair) for pair in pairs], np.float32).reshape(-1, FIGURES)
    if weights is not None and len(pairs):
        kept = chances(rough, weights) >= LEAST_CHANCE
        # A way through the line is left whatever the sieve says of a piece.
        kept |= np.array([stop - start == 1 for start, stop in pairs])
        pairs = [pair for pair, keep in zip(pairs, kept.tolist(), strict=True) if keep]
        rough = rough[kept]
    images, figures, boxes, there = [], [], [], []
    for place, (start, stop) in enumerate(pairs):
        box = pieces.union(start, stop)
        if box is None:
            continue
        _, left, _, right = box
        window = slice(max(0, left - 2), right + 2)
        inside = behind[start][:, window] & ~behind[stop][:, window]
        piece = _without_crumbs(levels[:, window] * inside.astype(np.uint8))
        own = _box_of(piece)
        if own is None:
            continue
        top, near, bottom, far = own
        images.append(_fit(piece[top:bottom, near:far], stroke))
        box = (top, near + window.start, bottom, far + window.start)
        figures.append(pieces.figures(start, stop, box, float(piece.sum()) / 255))
        boxes.append(box)
        there.append(place)
    starts_and_stops = np.array(pairs, np.int64).reshape(-1, 2)[there]
    return Segments(
        starts_and_stops[:, 0],
        starts_and_stops[:, 1],
        np.array(images, np.uint8).reshape(-1, CANVAS, CANVAS),
        np.array(figures, np.float32).reshape(-1, FIGURES),
        rough[there],
        boxes,
        len(cuts.paths),
    )


def chances(rough: NDArray[np.float32], weights: Weights) -> NDArray[np.float32]:
    """Return logarithms of the chances that segments are one thing, by their rough figures."""
    values = ((rough - weights["rough_mean"]) / weights["rough_spread"]).clip(-6, 6)
    hidden = np.tanh(values @ weights["sieve"] + weights["sieve_bias"])
    odds = hidden @ weights["sieve_out"] + weights["sieve_out_bias"]
    return -np.logaddexp(0, -odds)


@dataclasses.dataclass(frozen=True, eq=False)
class _Pieces:
    """What lies between each cut and the next: its box, None if that is nothing, and its ink."""

    boxes: list[Box | None]
    masses: list[float]
    before: list[float]  # where the ink left of each cut ends
    after: list[float]  # where the ink right of each cut starts
    cuts: Cuts

    @classmethod
    def of(cls, levels: Levels, behind: NDArray[np.bool_], cuts: Cuts) -> "_Pieces":
        boxes, masses = [], []
        for place in range(len(behind) - 1):
            left = max(0, int(cuts.paths[place].min()))
            window = slice(left, max(left + 1, int(cuts.paths[place + 1].max())))
            inside = behind[place][:, window] & ~behind[place + 1][:, window]
            piece = levels[:, window] * inside.astype(np.uint8)
            box = _box_of(piece)
            if box is not None:
                box = (box[0], box[1] + left, box[2], box[3] + left)
            boxes.append(box)
            masses.append(float(piece.sum()) / 255)
        ends = [-math.inf if box is None else box[3] for box in boxes]
        starts = [math.inf if box is None else box[1] for box in boxes]
        before = [-math.inf, *itertools.accumulate(ends, max)]
        after = [*itertools.accumulate([math.inf, *reversed(starts)], min)][::-1]
        return cls(boxes, masses, before, after, cuts)

    def union(self, start: int, stop: int) -> Box | None:
        """Return the box of all pieces between two cuts; None if there is no ink."""
        known = [box for box in self.boxes[start:stop] if box is not None]
        if not known:
            return None
        tops, lefts, bottoms, rights = zip(*known, strict=True)
        return min(tops), min(lefts), max(bottoms), max(rights)

    def pairs(self) -> list[tuple[int, int]]:
        """Return the cuts, left and right, between which a segment may lie."""
        count = len(self.boxes)
        pairs = []
        for start in range(count):
            for stop in range(start + 1, min(count, start + MOST_CUTS) + 1):
                box = self.union(start, stop)
                if box is not None:
                    if stop > start + 1 and box[3] - box[1] > WIDEST * HEIGHT:
                        break
                    pairs.append((start, stop))
        return pairs

    def rough(self, start: int, stop: int) -> tuple[float, ...]:
        """Return the figures of all ink between two cuts, crumbs and all."""
        box = self.union(start, stop)
        return self.figures(start, stop, box or (0, 0, 1, 1), sum(self.masses[start:stop]))

    def figures(self, start: int, stop: int, box: Box, mass: float) -> tuple[float, ...]:
        """Return the figures of a segment with a box and so much ink."""
        top, left, bottom, right = box
        costs, stroke = self.cuts.costs, self.cuts.stroke
        gap, end = -10.0, None
        for other in self.boxes[start:stop]:
            if other is not None:
                if end is not None:
                    gap = max(gap, other[1] - end)
                end = other[3] if end is None else max(end, other[3])
        before, after = self.before[start], self.after[stop]
        return (
            math.log((bottom - top) / HEIGHT),
            math.log((right - left) / HEIGHT),
            (top - ABOVE) / HEIGHT,
            (bottom - ABOVE) / HEIGHT - 1,
            float(costs[start]),
            float(costs[stop]),
            min(3.0, costs[start + 1 : stop].min()) if stop > start + 1 else 3.0,
            gap / HEIGHT,
            math.log(max(mass, 1e-3) / stroke / HEIGHT),
            stop - start - 1,
            min(1.0, (left - before) / HEIGHT),
            min(1.0, (after - right) / HEIGHT),
            float(before == -math.inf),
            float(after == math.inf),
            stroke / HEIGHT * 10,
            mass / ((bottom - top) * (right - left)),
        )


def _box_of(levels: Levels) -> Box | None:
    left, top, width, height = cv2.boundingRect(cv2.compare(levels, INK, cv2.CMP_GT))
    return (top, left, top + height, left + width) if width and height else None


def _without_crumbs(piece: Levels) -> Levels:
    """Erase small pieces at the sides that a cut left behind."""
    mask = cv2.compare(piece, INK, cv2.CMP_GT) & 1
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 2:
        return piece
    area = stats[1:, 4]
    crumbs = area < CRUMB * area.sum()
    if not crumbs.any():
        return piece
    small = np.concatenate([[False], crumbs])[labels]
    around = cv2.dilate(small.astype(np.uint8), np.ones((3, 3), np.uint8))
    kept = np.concatenate([[False], ~crumbs])[labels]
    return piece * (1 - (around & ~kept))


def _fit(ink: Levels, stroke: float) -> NDArray[np.uint8]:
    """Fit ink into MNIST's box, with its centre of mass in the middle; as `fit_and_centre` does."""
    longest = max(ink.shape)
    scale = BOX / longest
    width = stroke * scale
    if longest > HEIGHT / 3 and not THINNEST <= width <= THICKEST:
        ink = _adjust(ink, width, scale)
        scale = BOX / max(ink.shape)
    size = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
    small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    moments = cv2.moments(small)
    total = max(moments["m00"], 1.0)
    top = min(max(0, round(CANVAS / 2 - moments["m01"] / total)), CANVAS - size[1])
    left = min(max(0, round(CANVAS / 2 - moments["m10"] / total)), CANVAS - size[0])
    image = np.zeros((CANVAS, CANVAS), np.uint8)
    image[top : top + size[1], left : left + size[0]] = small
    return image


def _adjust(ink: Levels, width: float, scale: float) -> Levels:
    """Widen strokes that are too thin for the network, and narrow those that are too thick."""
    if width < THINNEST:
        by = round((THIN - width) / scale)
        if by < 1:
            return ink
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1))
        return cv2.dilate(cv2.copyMakeBorder(ink, by, by, by, by, cv2.BORDER_CONSTANT), kernel)
    by = round((width - THICK) / scale)
    if by < 1:
        return ink
    thinner = cv2.erode(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1)))
    return thinner if thinner.any() else ink
