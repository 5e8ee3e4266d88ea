"""Insets: a picture within a picture, such as the image in a figure of a plotting library."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.components import Components
from inkwise.ink.levels import Box
from inkwise.ink.surroundings import PRINT

SMALLEST_SIDE = 64
"""Least height and width of a picture that is searched for an inset, in pixels."""

EVEN = 5
"""Greatest difference from the colour of the canvas, in levels of 0 to 255."""

FLATTEST = 0.3
"""Least ratio of an inset's shorter side to its longer one."""

LEAST_BESIDE = 0.3
"""Least length of a stroke around an inset that may be a digit, as a share of its shorter side."""

BAR = 0.7
"""Least length of a bar around an inset, as a share of its shorter side."""

SOLID = 0.5
"""Least share of an inset that differs from the canvas."""

COARSE = 128
"""Longest side of the reduced picture in which the inset is searched, in pixels."""


def find_inset(picture: NDArray[np.uint8]) -> tuple[Box | None, bool]:
    """Find the one filled rectangle on the even canvas of a picture.

    What is around it, such as ticks, a title or a colour bar, is not part of the inset.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)

    Returns
    -------
    box : tuple of int or None
        Top, left, bottom and right of the rectangle without its outermost pixels; None if there is
        none, or another one that is half as large.
    crowded : bool
        Whether there is something else of a digit's size around it.
    """
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        return None, False
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    canvas = np.median(border, axis=0)
    if np.mean(_differs(border, canvas)) > 0.05:
        return None, False
    mask = _differs(picture, canvas).astype(np.uint8)
    step = -(-max(height, width) // COARSE)
    small = np.ascontiguousarray(mask[::step, ::step])
    # Ink that has the colour of the canvas makes holes.
    outlines, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(small), outlines, -1, 1, cv2.FILLED)
    # Strokes, lines and text are narrower than the kernel; an inset is not.
    side = max(3, max(small.shape) // 8)
    opened = cv2.morphologyEx(
        filled, cv2.MORPH_OPEN, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE
    )
    components = Components.of(opened)
    if len(components) < 2:
        return None, False
    area = np.sort(components.area[1:])[::-1]
    if area[1:].max(initial=0) > area[0] / 2:
        return None, False
    place = 1 + int(components.area[1:].argmax())
    top, left, bottom, right = components.box(place)
    whole = (bottom - top) * (right - left)
    # A box drawn around a digit is hollow, and the opening makes a small blob a rectangle.
    if (
        min(bottom - top, right - left) < 2 * side
        or area[0] < 0.98 * whole
        or small[top:bottom, left:right].sum() < SOLID * whole
    ):
        return None, False
    rows = slice(max(0, (top - 2) * step), min(height, (bottom + 2) * step))
    columns = slice(max(0, (left - 2) * step), min(width, (right + 2) * step))
    top, bottom = _edges(mask[:, left * step : right * step].mean(1), rows)
    left, right = _edges(mask[top:bottom].mean(0), columns)
    margin = 2 + max(height, width) // 200
    top, left, bottom, right = top + margin, left + margin, bottom - margin, right - margin
    sides = bottom - top, right - left
    if min(sides) < max(1, FLATTEST * max(sides)):
        return None, False
    if np.ptp(picture[top:bottom, left:right], axis=(0, 1)).max() <= EVEN:
        return None, False  # a bar
    outside = mask.copy()
    above, before = max(0, top - 2 * margin), max(0, left - 2 * margin)
    outside[above : bottom + 2 * margin, before : right + 2 * margin] = 0
    return (top, left, bottom, right), _is_crowded(Components.of(outside), min(sides))


def _is_crowded(around: Components, side: int) -> bool:
    """Tell whether anything around an inset is neither small print nor a bar, of colours say."""
    wide, high = around.right - around.left, around.bottom - around.top
    shorter, longer = np.minimum(wide, high), np.maximum(wide, high)
    bar = (longer > BAR * side) & (around.area > 0.5 * wide * high)
    large = (shorter > PRINT * side) | (longer > LEAST_BESIDE * side) & ~bar
    return bool(large[1:].any())


def _differs(pixels: NDArray[np.uint8], canvas: NDArray[np.floating]) -> NDArray[np.bool_]:
    differs = np.abs(pixels.astype(np.int16) - canvas) > EVEN
    return np.asarray(differs.any(-1) if canvas.ndim else differs)


def _edges(filled: NDArray[np.floating], about: slice) -> tuple[int, int]:
    """Return where the filled lines near the ends of a coarse place start and stop."""
    full = about.start + np.flatnonzero(filled[about] > 0.9)
    return (int(full[0]), int(full[-1]) + 1) if full.size else (about.start, about.start)
