"""Surroundings: boxes, rings, brackets and cells around a digit, which are not part of it.

Of the components of the ink, one surrounds others if it is seen from their middle in nearly every
direction, or if it is a comb, which is open at the top. Several components together can be the
loose sides of a box, its dashes or its corners, or a pair of brackets.
"""

import itertools
import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.components import (
    Components,
    coverage,
    distances,
    elongation,
    middle,
    stroke_width,
)
from inkwise.ink.levels import Box, Levels

AROUND, LOOSE_AROUND = 0.8, 0.7
"""Least shares of the directions in which one component, or several, surround what is inside."""

OFF_CENTRE = 0.25
"""Greatest distance of the middle of what is inside from that of a ring, as a share of its size."""

LEAST_INSIDE = 0.15
"""Least size of what is inside, as a share of the shorter side of what is around it."""

DOT, SPECK = 0.3, 0.2
"""Greatest size of a dot inside a 0, and of anything that is no digit, as shares of its size."""

FULL = 0.8
"""Least share of a dot in its convex hull; a small digit has bays or holes there."""

SLASH = 0.4
"""Least length of the slash of a 0, as a share of the height of the 0."""

FLATTEST_SLASH, STEEPEST_SLASH, STEEPEST_IN_RING = 20, 68, 54
"""Least and greatest angle of a slash from level, in degrees.

In a ring as wide as it is high, a stroke that is steeper than the last is a 1.
"""

PRINT = 0.13
"""Greatest height of small print outside a frame or an inset, as a share of its shorter side."""

OWN = 0.08
"""Least share of the directions in which a loose side is the only one."""

MOST_SIDES = 24
"""Greatest number of components that may be loose sides; more are a page of text, or noise."""

MOST = 8
"""Greatest number of things around each other that are erased."""

LEAST_DASH, LONGEST_DASH = 0.02, 0.4
"""Least and greatest length of a dash, as shares of the longest component and of the frame."""

FEWEST_DASHES, MOST_DASHES = 8, 160
"""Least number of dashes around a digit, and greatest number of components; more are noise."""

FRAME_BAND = 0.2
"""Greatest distance of a dash from its frame, as a share of half of the frame's sides."""

ALL_AROUND = 0.95
"""Least share of the directions in which dashes are seen, a gap between them apart."""

PIECES = 12
"""Greatest number of components that may be brackets, or inside of loose sides."""


def erase_surroundings(ink: Levels, found: list[Components]) -> tuple[bool, bool]:
    """Erase what surrounds the digit, and small print outside it.

    Parameters
    ----------
    ink : ndarray of uint8, shape (H, W)
        Levels of the ink above the background; changed in place.
    found : list of Components
        Those of the ink at several thresholds: what surrounds a digit can be stronger or fainter
        than the digit, and then one of them tells both apart.

    Returns
    -------
    erased : bool
        Whether there was anything around the digit.
    unclear : bool
        Whether there is a ring with a stroke in it, which is left: it may be a 0 with a slash, or a
        1 in a ring.
    """
    erased = unclear = False
    for components in found:
        left, here = components.mask, components
        if erased:
            left = left & (ink > 0)
            here = Components.of(left)
        for _ in range(MOST):
            if len(here) < 3:  # the background and one component
                break
            around, in_doubt = _find_around(here)
            unclear |= in_doubt
            if not around.any():
                break
            around |= _print_outside(here, around)
            erase = around[here.labels].astype(np.uint8)
            left = left & ~erase
            # The faint edges of what is erased go, but not those of what is left.
            edges = cv2.dilate(erase, np.ones((5, 5), np.uint8))
            kept = cv2.dilate(left, np.ones((3, 3), np.uint8))
            ink[(edges & ~kept | erase).astype(bool)] = 0
            erased = True
            here = Components.of(left)
    return erased, unclear


def erase_frames(ink: Levels, mask: Levels) -> bool:
    """Erase frames of straight lines with something in them: boxes, combs, the cells of a table.

    Parameters
    ----------
    ink : ndarray of uint8, shape (H, W)
        Levels of the ink above the background; changed in place.
    mask : ndarray of uint8, shape (H, W)
        A mask of the ink, as 0 and 1; changed in place.

    Returns
    -------
    bool
        Whether there was any.
    """
    components = Components.of(mask)
    frames = np.zeros(len(components), bool)
    for place in (1 + np.argsort(-components.longest[1:], kind="stable")[:PIECES]).tolist():
        if _inside(components, place).any() and _is_comb(components.cut(place)):
            frames[place] = True
    if not frames.any():
        return False
    erase = frames[components.labels].astype(np.uint8)
    mask &= ~erase
    edges = cv2.dilate(erase, np.ones((5, 5), np.uint8))
    kept = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    ink[(edges & ~kept | erase).astype(bool)] = 0
    return True


def _find_around(components: Components) -> tuple[NDArray[np.bool_], bool]:
    """Return which components surround others, bool (count,), and whether that is in doubt."""
    none = np.zeros(len(components), bool)
    longest = components.longest
    largest = longest[1:].max()
    for place in (1 + np.argsort(-longest[1:], kind="stable")[:PIECES]).tolist():
        if longest[place] < largest / 4:
            break
        inside = _inside(components, place)
        if inside.any() and _surrounds(components, place, inside):
            belongs = _belongs_to_zero(components, place, inside)
            if belongs == "unclear":
                return none, True
            if belongs == "no":
                return np.arange(len(components)) == place, False
    dashes = _dashes(components)
    if dashes.any():
        return dashes, False
    brackets = _brackets(components)
    if brackets.any():
        return brackets, False
    for place in (1 + np.argsort(-components.area[1:], kind="stable")[:PIECES]).tolist():
        if longest[place] >= DOT * largest:
            sides = _sides_around(components, place)
            if sides.any():
                return sides, False
    return none, False


def _inside(components: Components, place: int) -> NDArray[np.bool_]:
    """Return which components may be inside one, bool (count,)."""
    top, left, bottom, right = components.box(place)
    x = (components.left + components.right) / 2
    y = (components.top + components.bottom) / 2
    # What stands in a comb with short teeth rises far above it.
    inside = (x > left) & (x < right) & (y > top - 0.7 * (right - left)) & (y < bottom)
    slack = 0.1 * max(right - left, bottom - top)
    inside &= (components.left >= left - slack) & (components.right <= right + slack)
    inside &= components.longest >= LEAST_INSIDE * min(right - left, bottom - top)
    inside[[0, place]] = False
    return inside


def _surrounds(components: Components, place: int, inside: NDArray[np.bool_]) -> bool:
    """Tell whether a component surrounds others, together or one of them."""
    top, left, bottom, right = components.box(place)
    points = components.points(place)
    x, y = points.T
    straight = _is_comb(components.cut(place))
    one_by_one = np.flatnonzero(inside)[:PIECES].tolist() if straight else []
    for box in (components.box(inside), *map(components.box, one_by_one)):
        if np.mean((x > box[1]) & (x < box[3]) & (y > box[0]) & (y < box[2])) > 0.05:
            continue
        if box[0] >= top and box[2] <= bottom and coverage(points, middle(box)) >= AROUND:
            off = np.abs(np.subtract(middle(box), middle((top, left, bottom, right))))
            if straight or (off <= OFF_CENTRE * np.array([right - left, bottom - top])).all():
                return True
        if straight and top - 0.1 * (right - left) < box[2] <= bottom:
            return True
    return False


def _belongs_to_zero(
    components: Components, place: int, inside: NDArray[np.bool_]
) -> Literal["yes", "no", "unclear"]:
    """Tell whether what is inside a ring is the dot or the slash of a 0, or dirt."""
    top, left, bottom, right = components.box(place)
    wide, high = right - left, bottom - top
    box = components.box(inside)
    sides = box[2] - box[0], box[3] - box[1]
    full = inside.sum() > 1 or _share_of_hull(components.cut(int(inside.argmax()))) >= FULL
    if full and max(sides) <= SPECK * min(wide, high):
        return "yes"
    if _is_comb(components.cut(place)):
        return "no"
    filled = components.area[inside].sum() / (sides[0] * sides[1])
    dot = full and filled > 0.55 and max(sides) < 2 * min(sides)
    if dot and max(sides) <= DOT * min(wide, high):
        return "yes"
    if inside.sum() > 1:
        return "no"
    narrow, direction = elongation(components.points(int(np.flatnonzero(inside)[0])))
    steep = abs(math.degrees(direction))
    if narrow >= 0.3 or not FLATTEST_SLASH < steep < STEEPEST_SLASH:
        return "no"
    if wide > 0.8 * high:
        return "unclear" if steep < STEEPEST_IN_RING else "no"
    return "yes" if max(sides) >= SLASH * high else "unclear"


def _share_of_hull(mask: Levels) -> float:
    """Return which share of its convex hull a mask fills, 0 to 1."""
    hull = np.zeros_like(mask)
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(mask)), 1)
    return float(mask.sum() / hull.sum())


def _is_comb(mask: Levels) -> bool:
    """Tell whether a mask is of thin, straight lines at the left, right and bottom, at least."""
    high, wide = mask.shape
    width = stroke_width(mask)
    if min(high, wide) < 4 * width:
        return False
    band = round(1.3 * width + 0.03 * max(high, wide))
    sides = mask[:, :band].any(1), mask[:, -band:].any(1), mask[-band:].any(0)
    if min(np.mean(side) for side in sides) < 0.8:
        return False
    # Dilated, so that lines that are not quite level or upright have long runs.
    thick = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    level = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, max(3, wide // 2)), np.uint8))
    upright = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((max(3, high // 2), 1), np.uint8))
    return bool((mask & (level | upright)).sum() >= 0.85 * mask.sum())


def _brackets(components: Components) -> NDArray[np.bool_]:
    """Return which two components are brackets with something between them, bool (count,)."""
    longest = components.longest
    tall = [place for place in range(1, len(components)) if longest[place] >= longest[1:].max() / 2]
    opens_to = {place: _opens_to(components.cut(place)) for place in tall[:PIECES]}
    for first, second in itertools.permutations(opens_to, 2):
        if (opens_to[first], opens_to[second]) != ("right", "left"):
            continue
        top, start, bottom, left = components.box(first)
        other_top, right, other_bottom, stop = components.box(second)
        shared = min(bottom, other_bottom) - max(top, other_top)
        if left > right or shared < 0.7 * max(bottom - top, other_bottom - other_top):
            continue
        x, y = components.centres.T
        between = (x > start) & (x < stop) & (y > top) & (y < bottom) & (longest > SPECK * shared)
        between[[0, first, second]] = False
        if between.any():
            return np.isin(np.arange(len(components)), (first, second))
    return np.zeros(len(components), bool)


def _dashes(components: Components) -> NDArray[np.bool_]:
    """Return which components are the dashes, dots or corners of a frame, bool (count,)."""
    none = np.zeros(len(components), bool)
    real = components.longest >= LEAST_DASH * components.longest[1:].max()
    real[0] = False
    if not 5 <= real.sum() <= MOST_DASHES:
        return none
    box = top, left, bottom, right = components.box(real)
    high, wide = bottom - top, right - left
    short = real & (components.longest <= LONGEST_DASH * max(high, wide))
    # Their places from -1 at the frame's left and top to 1 at its right and bottom, (P, 2) each.
    points = {
        place: (components.points(place) - (left, top)) / (wide, high) * 2 - 1
        for place in np.flatnonzero(short).tolist()
    }
    frames = []
    for straight in (True, False):
        dashes = none.copy()
        for place, own in points.items():
            away = np.abs(own).max(1) if straight else np.hypot(*own.T)
            dashes[place] = np.mean(np.abs(away - 1) <= FRAME_BAND) >= 0.9
        frames.append(dashes)
    dashes = max(frames, key=np.sum)
    count, within = dashes.sum(), real & ~dashes
    if count < 4 or not within.any() or not _lies_in(components.box(within), box):
        return none
    there = np.concatenate([points[place] for place in np.flatnonzero(dashes).tolist()])
    if count == 4:
        corners = itertools.product((-1, 1), (-1, 1))
        at_corners = [np.abs(there - corner).max(1).min() <= FRAME_BAND for corner in corners]
        return dashes if all(at_corners) else none
    seen = distances(there, (0, 0))[1] > 0
    gapless = np.any([np.roll(seen, turn) for turn in range(-3, 4)], axis=0)
    return dashes if count >= FEWEST_DASHES and gapless.mean() >= ALL_AROUND else none


def _lies_in(box: Box, frame: Box) -> bool:
    """Tell whether a box lies in a frame, and is large enough to be what stands in it."""
    top, left, bottom, right = box
    inside = top > frame[0] and left > frame[1] and bottom < frame[2] and right < frame[3]
    least = LEAST_INSIDE * min(frame[2] - frame[0], frame[3] - frame[1])
    return inside and max(bottom - top, right - left) >= least


def _sides_around(components: Components, place: int) -> NDArray[np.bool_]:
    """Return which components are the loose sides of a box around one, bool (count,)."""
    box = top, left, bottom, right = components.box(place)
    others = components.longest >= 0.6 * max(bottom - top, right - left)
    others[[0, place]] = False
    none = np.zeros(len(components), bool)
    if others.sum() > MOST_SIDES:
        return none
    sides, seen = [], []
    for other in np.flatnonzero(others).tolist():
        points = components.points(other)
        x, y = points.T
        if np.any((x > left) & (x < right) & (y > top) & (y < bottom)):
            continue
        if _is_side(points, middle(box), components.width(other)):
            sides.append(other)
            seen.append(distances(points, middle(box))[1] > 0)
    # A digit in the next cell of a table is before a side of its own, and adds nothing to it.
    own = [
        np.mean(one & ~np.any([another for another in seen if another is not one], axis=0)) >= OWN
        for one in seen
    ]
    sides = [side for side, needed in zip(sides, own, strict=True) if needed]
    seen = [one for one, needed in zip(seen, own, strict=True) if needed]
    if len(sides) < 2 or np.mean(np.any(seen, axis=0)) < LOOSE_AROUND:
        return none
    none[sides] = True
    return none


def _is_side(points: NDArray[np.float64], centre: tuple[float, float], width: float) -> bool:
    """Tell whether points are one stroke that runs around a centre, and not a form with depth."""
    near, far = distances(points, centre)
    seen = far > 0
    # A straight line is farther at one end of a direction than at the other.
    depth = np.median((far - near)[seen]) - 0.08 * np.median(near[seen])
    return bool(seen.mean() >= 0.06 and depth <= 2 * width + 2)


def _opens_to(mask: Levels) -> str:
    """Return to which side a round or square bracket opens, ``left`` or ``right``, or nothing."""
    high, wide = mask.shape
    if high < max(8, 1.8 * wide) or not mask.any(1).all():
        return ""
    start, stop = np.argmax(mask, 1), wide - np.argmax(mask[:, ::-1], 1)
    # A bracket is one narrow stroke: no row but those of its ends is broad.
    spans = (stop - start)[high // 6 : high - high // 6]
    if np.median(spans) > 0.3 * high or spans.max() > 2.2 * np.median(spans):
        return ""
    ends, waist, least = max(1, high // 7), slice(high // 3, high - high // 3), 0.04 * high
    for side, inner, outer in (("right", stop, start), ("left", -start, -stop)):
        bent = min(inner[:ends].max(), inner[-ends:].max()) - np.median(inner[waist]) > least
        if bent and outer.min() > np.median(outer[waist]) - least:
            return side
    return ""


def _print_outside(components: Components, around: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which components are small print outside a frame, as at the axes of a figure."""
    top, left, bottom, right = components.box(around)
    outside = (components.right <= left) | (components.left >= right)
    outside |= (components.bottom <= top) | (components.top >= bottom)
    outside[0] = False
    small = components.bottom - components.top <= PRINT * min(bottom - top, right - left)
    return outside if small[outside].all() else np.zeros_like(outside)
