"""The cells of a form: cut out of the photograph, without ruled lines, neighbours and dirt."""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.forms.grid import Grid
from inkwise.forms.ruled_lines import Points
from inkwise.ink.components import Components, stroke_width
from inkwise.ink.levels import Box, Levels, sample

SMALLEST, LARGEST = 48, 128
"""Least and greatest length of a cell's shorter side after it is cut out, in pixels."""

AROUND = 0.16
"""What is cut out around a cell, as a share of its shorter side: writing crosses lines."""

SHORTEST = 0.22
"""Least length of what is written, as a share of the cell's shorter side."""

SPECK = 0.07
"""Least length of a part of what is written, as a share of the cell's shorter side.

What has half of it may be a decimal point, and is told; smaller things are dust.
"""

DOTTED = 0.01
"""Least area of a row of dots that was a stroke, as a share of the square of that side."""

EDGE = 0.1
"""Width of the band along a cell's sides where a flat thing is the rest of a line."""

FAINTEST = 0.18
"""Least darkness of what is written, as a share of that in most of the form's cells."""

NOISY = 5
"""Least darkness of ink, in standard deviations of the noise."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cut:
    """A cell that was cut out.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W)
        The cell as it is, turned upright.
    ink : ndarray of uint8, shape (H, W), or None
        Dark ink on white, without lines and what belongs to neighbours; None if nothing is written.
    box : tuple of int
        Top, left, bottom and right of the cell in the picture, the last two exclusive.
    marks : Marks or None
        How the ink looks; None if nothing is written.
    specks : bool
        Whether there is something else in the cell that is too small to be written, and no dust.
    """

    picture: Levels
    ink: Levels | None
    box: Box
    marks: "Marks | None"
    specks: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Marks:
    """How the ink of a cell looks, in shares of the cell's shorter side.

    Parameters
    ----------
    shape : ndarray of uint8, shape (S, S)
        Its mask, scaled like the cell, its box in the middle.
    height, middle, width : float
        The height of its box, where its middle is below the cell's, and its strokes' width.
    darkness : float
        Its median level, 0 to 1.
    """

    shape: Levels
    height: float
    middle: float
    width: float
    darkness: float


def cut_cells(grey: Levels, grid: Grid) -> list[list[Cut]]:
    """Cut the cells of a grid out of a picture.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The picture that the grid was found in.
    grid : Grid
        The grid.

    Returns
    -------
    list of list of Cut
        The rows from top to bottom, and in each the cells from left to right.
    """
    shorter = _shorter(grid.corners.reshape(-1, 4, 2))
    darkness = _darkness(grey, float(np.median(shorter)))
    patches = [[_Patch.cut(darkness, grey, cell) for cell in row] for row in grid.corners]
    inside = np.concatenate([sample(patch.inside).ravel() for row in patches for patch in row])
    low, quiet = np.quantile(inside, [0.1, 0.25])
    noise = max(1.5, float(quiet - low) / 0.61)
    paper = float(quiet) + 0.67 * noise
    floors = [[paper + NOISY * max(noise, patch.noise) for patch in row] for row in patches]
    levels = [
        (patch.level(floor), floor)
        for row, own in zip(patches, floors, strict=True)
        for patch, floor in zip(row, own, strict=True)
    ]
    written = [level for level, floor in levels if level > floor]
    faintest = FAINTEST * float(np.median(written)) if written else 0.0
    return [
        [patch.clean(max(floor, faintest)) for patch, floor in zip(row, own, strict=True)]
        for row, own in zip(patches, floors, strict=True)
    ]


def _shorter(cells: Points) -> NDArray[np.float64]:
    """Return the length of the shorter side of each cell, (N, 4, 2), in pixels."""
    sides = np.linalg.norm(np.roll(cells, -1, 1) - cells, axis=2)
    return np.minimum((sides[:, 0] + sides[:, 2]) / 2, (sides[:, 1] + sides[:, 3]) / 2)


def _darkness(grey: Levels, shorter: float) -> NDArray[np.float32]:
    """Return how much darker each pixel is than the paper around it, in shares of 255."""
    step = max(1, round(shorter / 24))
    height, width = grey.shape
    size = -(-width // step), -(-height // step)
    coarse = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    side = max(3, round(0.45 * shorter / step)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # The median of the closing is the paper rather than its lightest grain.
    paper = cv2.medianBlur(cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, kernel), 5)
    fine = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return (fine.astype(np.float32) - grey) * (255 / np.maximum(fine, 16).astype(np.float32))


@dataclasses.dataclass(frozen=True, eq=False)
class _Patch:
    """A cell and what is around it: its darkness, and it as it is; the margin is in pixels."""

    dark: Levels
    noise: float
    grey: Levels
    margin: int
    box: Box

    @classmethod
    def cut(cls, darkness: NDArray[np.float32], grey: Levels, corners: Points) -> "_Patch":
        sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
        wide, high = (sides[0] + sides[2]) / 2, (sides[1] + sides[3]) / 2
        shorter = max(1.0, float(min(wide, high)))
        scale = min(max(SMALLEST / shorter, 1.0), LARGEST / shorter)
        width = max(8, min(round(wide * scale), 12 * LARGEST))
        height = max(8, min(round(high * scale), 12 * LARGEST))
        margin = round(AROUND * min(width, height))
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) + margin
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
        size = width + 2 * margin, height + 2 * margin
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        low, top_ = np.floor(corners.min(0)), np.ceil(corners.max(0))
        box = (
            max(0, int(low[1])),
            max(0, int(low[0])),
            min(grey.shape[0], int(top_[1])),
            min(grey.shape[1], int(top_[0])),
        )
        dark = cv2.warpPerspective(darkness, matrix, size, flags=way)
        # Ink has few pixels beside which it begins or ends.
        noise = float(np.median(np.abs(dark[:, 3:] - dark[:, :-3]))) / 0.954
        return cls(
            dark.clip(0, 255).astype(np.uint8),
            noise,
            cv2.warpPerspective(grey, matrix, size, flags=way, borderMode=cv2.BORDER_REPLICATE),
            margin,
            box,
        )

    @property
    def side(self) -> int:
        """The cell's shorter side, in pixels."""
        return min(self.dark.shape) - 2 * self.margin

    @property
    def inside(self) -> Levels:
        """The darkness of the cell, away from its lines."""
        edge = self.margin + round(1.5 * EDGE * self.side)
        return self.dark[edge:-edge, edge:-edge]

    def level(self, floor: float) -> float:
        """Return how dark the ink inside is: the level of its darker half."""
        dark = self.inside[self.inside > floor]
        if dark.size < 0.004 * self.inside.size:
            return 0.0
        return float(np.quantile(dark, 0.6))

    def clean(self, floor: float) -> Cut:
        """Remove lines, what belongs to neighbours, and dirt."""
        margin = self.margin
        inner = (slice(margin, -margin), slice(margin, -margin))
        level = self.level(floor)
        empty = Cut(np.ascontiguousarray(self.grey[inner]), None, self.box, None)
        if level <= floor:
            return empty
        mask = cv2.compare(self.dark, max(floor, 0.42 * level), cv2.CMP_GT) & 1
        lines = self._lines(mask)
        ink = self._without(mask, lines)
        components = Components.of(ink)
        kept, specks = self._belonging(components)
        if not kept.any():
            return dataclasses.replace(empty, specks=specks)
        chosen = kept[components.labels].astype(np.uint8)
        around = cv2.dilate(chosen, np.ones((3, 3), np.uint8)) & ~(lines & ~chosen)
        levels = cv2.multiply(self.dark, around)
        dark = 255 - cv2.convertScaleAbs(levels, alpha=255 / max(level, 1.0))
        top, left, bottom, right = components.box(kept)
        height, width = ink.shape
        rows = slice(min(margin, max(0, top - 4)), max(height - margin, min(height, bottom + 4)))
        columns = slice(min(margin, max(0, left - 4)), max(width - margin, min(width, right + 4)))
        return Cut(
            empty.picture,
            np.ascontiguousarray(dark[rows, columns]),
            self.box,
            self._marks(chosen, (top, left, bottom, right)),
            specks,
        )

    def _lines(self, mask: Levels) -> Levels:
        """Return where the cell's ruled lines are: long straight ink near its sides."""
        height, width = mask.shape
        reach = self.margin + max(2, round(EDGE * self.side))
        band = np.ones_like(mask)
        band[reach:-reach, reach:-reach] = 0
        found = np.zeros_like(mask)
        for length, kernel in (
            (round(0.45 * (width - 2 * self.margin)), (1, -1)),
            (round(0.45 * (height - 2 * self.margin)), (-1, 1)),
        ):
            across = np.ones((3, 1) if kernel[0] == 1 else (1, 3), np.uint8)
            along = np.ones((1, length) if kernel[0] == 1 else (length, 1), np.uint8)
            own = band.copy()
            if kernel[0] == 1:
                own[reach:-reach] = 0
            else:
                own[:, reach:-reach] = 0
            long = cv2.morphologyEx(cv2.dilate(mask, across), cv2.MORPH_OPEN, along)
            found |= cv2.dilate(long & own, across) & own
        return found

    def _without(self, mask: Levels, lines: Levels) -> Levels:
        """Return the mask without lines; what crosses a line goes on at both of its sides."""
        rest = mask & ~lines
        length = 2 * max(2, round(0.06 * self.side)) + 3
        straight, slant = np.ones((length, 1), np.uint8), np.eye(length, dtype=np.uint8)
        kernels = straight, straight.T, slant, np.ascontiguousarray(slant[::-1])
        crossed = np.zeros_like(mask)
        for kernel in kernels:
            crossed |= cv2.morphologyEx(rest, cv2.MORPH_CLOSE, kernel)
        return rest | (crossed & lines & mask)

    def _belonging(self, components: Components) -> tuple[NDArray[np.bool_], bool]:
        """Tell which components are written in this cell, and whether specks are left out."""
        height, width = components.labels.shape
        margin, side = self.margin, self.side
        band = margin + EDGE * side
        x, y = components.centres.T
        top, left = components.top, components.left
        bottom, right = components.bottom, components.right
        high, wide = bottom - top, right - left
        here = (x > margin) & (x < width - margin) & (y > margin) & (y < height - margin)
        flat = (bottom <= band) | (top >= height - band) | (right <= band) | (left >= width - band)
        rest_of_line = ((wide > 0.8 * (width - 2 * margin)) & (high < EDGE * side)) | (
            (high > 0.8 * (height - 2 * margin)) & (wide < 0.6 * EDGE * side) & (left < band)
        )
        # Lines go on around the cell, and neighbours reach into it.
        inner = components.labels[margin + 3 : height - margin - 3, margin + 3 : width - margin - 3]
        inside = np.bincount(inner.ravel(), minlength=len(components)) / components.area
        likely = here & ~flat & ~rest_of_line & (inside >= 0.5)
        likely[0] = False
        kept = likely & (components.longest >= SPECK * side)
        dots = likely & (components.longest >= SPECK * side / 2)
        if (kept & (components.longest >= SHORTEST * side)).any():
            return kept, bool((dots & ~kept).any())
        # A stroke that is too faint in places is left as a row of dots.
        if np.count_nonzero(dots) >= 3 and components.area[dots].sum() >= DOTTED * side**2:
            upper, lefter, lower, righter = components.box(dots)
            if max(lower - upper, righter - lefter) >= 1.5 * SHORTEST * side:
                return dots, False
        return np.zeros_like(kept), bool(dots.any())

    def _marks(self, chosen: Levels, box: Box) -> Marks:
        top, left, bottom, right = box
        side = self.side
        scale = 32 / side
        x, y = (left + right) / 2, (top + bottom) / 2
        matrix = np.array([[scale, 0, 24 - scale * x], [0, scale, 24 - scale * y]])
        shape = cv2.warpAffine(chosen * 255, matrix, (48, 48), flags=cv2.INTER_AREA)
        return Marks(
            cv2.compare(shape, 127, cv2.CMP_GT) & 1,
            (bottom - top) / side,
            (y - self.dark.shape[0] / 2) / side,
            stroke_width(chosen) / side,
            float(np.median(self.dark[chosen > 0])) / 255,
        )
