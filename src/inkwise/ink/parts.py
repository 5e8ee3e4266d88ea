"""Parts: which components of the ink are the digit, and which are something else beside it."""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.components import Components, stroke_width
from inkwise.ink.levels import Box, Levels

GAP = 0.06
"""Half of the greatest gap within a group, as a share of the largest component's longer side."""

DOT = 0.25
"""Greatest size of a dot, as a share of the size of the digit."""

HEAVY, THIN_HEAVY = 0.25, 0.12
"""Least size of something that is no speck, as a share of the size of the digit.

The second is for what is not compact, as specks are: letters and dashes.
"""

LETTER, TINY = 0.085, 3.5
"""Least size of a letter or of a colon's dot: as a share of the digit's size, and in pixels.

Smaller ones may be dirt.
"""

FAINTER = 0.25
"""Least strength of the ink of a second thing, as a share of the digit's."""

THINNER, BROADER = 0.4, 2.2
"""Least and greatest width of the strokes of a second thing that is fainter, or that the border
cuts, as shares of the digit's."""

MOST_BESIDE = 24
"""Greatest number of fainter components that are looked at."""

PIECE = 0.06
"""Greatest distance of a small piece beside the digit that it is part of, as a share of its size.

Above and below the digit, pieces at twice this distance are part of it.
"""

NARROW = 0.9
"""Greatest gap between the pieces of a broken stroke, as a share of the stroke's width."""

CLEAR_GAP = 0.05
"""Least gap between parts that may be digits, as a share of the size of all parts."""

DIRT, SMALLEST_PIECE = 0.6, 0.03
"""Least size of a piece that is no dirt: as shares of the width of the strokes, and of all size."""

LARGE = 0.35
"""Least height of a part that may be a digit by itself, as a share of the height of all parts."""


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """The digit's components, and the others.

    Parameters
    ----------
    chosen, rest : ndarray of uint8, shape (H, W)
        Masks of the components that make up the digit, and of all others, as 0 and 1.
    boxes : tuple of Box
        The boxes of the parts, from left to right, if there may be several things.
    alone : tuple of ndarray of uint8, shape (H, W)
        Masks of the chosen parts that are large enough to be a digit by themselves, if there are
        several parts.
    apart : bool
        Whether something as heavy as a digit's stroke is among the others.
    pieces : int
        How many components there are that are no dirt, chosen or not.
    lost : int
        How many of them are not chosen.
    """

    chosen: Levels
    rest: Levels
    boxes: tuple[Box, ...] = ()
    alone: tuple[Levels, ...] = ()
    apart: bool = False
    pieces: int = 1
    lost: int = 0


def choose_parts(
    components: Components,
    strong: Levels,
    ink: Levels,
    *,
    ruled: bool,
    enlarged: int,
    together: bool,
) -> Parts:
    """Tell which components make up the digit.

    Components near each other form a group. The digit is the group with the most ink, where ink
    counts less the farther it is from the middle. Other components close to it are loose strokes of
    the digit. What is left is specks, if none of it is as heavy as a stroke of the digit.

    Parameters
    ----------
    components : Components
        Those of the possible ink.
    strong : ndarray of uint8, shape (H, W)
        A mask of the certain ink, as 0 and 1.
    ink : ndarray of uint8, shape (H, W)
        Levels of the ink above the background.
    ruled : bool
        Whether ruled lines were erased, pieces of which may be left.
    enlarged : int
        The factor by which the picture was enlarged.
    together : bool
        Whether all pieces are chosen that are no dirt, as a sign may be made of several.

    Raises
    ------
    NoInkError
        There is no component of a digit's size.
    """
    mask = components.mask
    height, width = mask.shape
    count, longest, at_border = len(components), components.longest, components.at_border
    # Erased ruled lines can leave pieces that are short or at the border.
    smallest = max(mask.shape) / (12 if ruled else 25)
    if count == 2 and not ruled and longest[1] >= smallest:
        return Parts(mask, np.zeros_like(mask))
    junk = at_border & ruled
    if not ((longest >= smallest) & ~junk)[1:].any():
        raise NoInkError("it holds nothing but specks")

    there = mask.astype(bool)
    here = components.labels[there]
    mass = np.bincount(here, weights=ink[there], minlength=count).astype(np.float64)
    certain = np.bincount(components.labels[strong.astype(bool)], minlength=count) > 0
    certain[0] = False
    real = certain & (mass >= 0.03 * mass[1:].max()) & ~junk
    if not real.any():
        raise NoInkError("nothing in it stands out from its background")
    # Components up to `2 * gap` pixels apart touch when they are dilated, and form a group.
    gap = max(1, min(max(mask.shape) // 40, round(GAP * longest[real].max())))
    near = cv2.dilate(
        real[components.labels].astype(np.uint8), np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)
    )
    groups = cv2.connectedComponents(near, connectivity=8)[1]
    group_of = np.zeros(count, int)
    group_of[here] = groups[there]
    # Distance of each component's centre from the picture's, as a share of the sides, (count,).
    off = np.hypot(*(components.centres / (width, height) - 0.5).T)
    score = np.where(real, mass * (1 - off) * np.where(at_border, 0.2, 1), 0)
    chosen = real & (group_of == np.bincount(group_of, weights=score).argmax())
    if not (chosen & (longest >= smallest)).any():
        raise NoInkError("nothing in it stands out from its background")
    if not at_border[chosen].all():
        chosen &= ~(at_border & (mass < 0.3 * mass[chosen].sum()))

    # Loose strokes, by their distance from the digit's bounding box.
    top, left, bottom, right = components.box(chosen)
    size = max(bottom - top, right - left)
    beside = np.maximum(left - components.right, components.left - right).clip(0)
    below = np.maximum(top - components.bottom, components.top - bottom).clip(0)
    loose = real & (np.hypot(beside, below) < 0.25 * size) & ~at_border
    chosen |= loose & (mass > 0.06 * mass[chosen].sum())
    chosen &= ~_are_dots(components, chosen)
    others = certain & ~junk & _are_heavy(components, mass, chosen, enlarged)
    pieces = chosen | _are_pieces(components, chosen, certain & ~junk)
    if together:
        return Parts(*_masks(components, pieces, mask), pieces=int(pieces.sum()))
    if others.any():
        # A small piece that nearly touches the digit is a stroke of it, and so is one across a gap
        # narrower than the stroke; the model is asked whether that is a digit.
        digit = chosen[components.labels].astype(np.uint8)
        narrow = NARROW * stroke_width(digit)
        across, down = (2 * round(max(share * size, narrow)) + 1 for share in (PIECE, 2 * PIECE))
        around = cv2.dilate(digit, np.ones((down, across), np.uint8))
        near = np.bincount(components.labels[around.astype(bool)], minlength=count) > 0
        chosen |= others & near
        others &= ~near
    clusters = _side_by_side(components, chosen | others)
    several = len(clusters) > 1
    return Parts(
        *_masks(components, chosen, mask),
        tuple(map(components.box, clusters)) if several else (),
        _alone(components, clusters) if several and not others.any() else (),
        bool(others.any()),
        int((pieces | chosen).sum()),
        int((pieces & ~chosen).sum()),
    )


def _masks(
    components: Components, chosen: NDArray[np.bool_], mask: Levels
) -> tuple[Levels, Levels]:
    """Return masks of the chosen components, and of all others."""
    return (
        chosen[components.labels].astype(np.uint8),
        (~chosen)[components.labels].astype(np.uint8) & mask,
    )


def _are_pieces(
    components: Components, chosen: NDArray[np.bool_], ink: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which components of the ink are no dirt beside the chosen ones, bool (count,)."""
    top, left, bottom, right = components.box(chosen)
    size = max(bottom - top, right - left)
    width = stroke_width(chosen[components.labels].astype(np.uint8))
    # What reaches the border and is far larger is the paper's edge or a shadow.
    own = ~components.at_border | (components.longest <= 1.6 * size)
    return ink & own & (components.longest >= max(DIRT * width, SMALLEST_PIECE * size))


def has_fainter(components: Components, chosen: Levels, ink: Levels) -> bool:
    """Tell whether there is something beside the digit that is like it, but written more faintly.

    Parameters
    ----------
    components : Components
        Those of all ink that can be told from noise.
    chosen : ndarray of uint8, shape (H, W)
        A mask of the digit's components, as 0 and 1.
    ink : ndarray of uint8, shape (H, W)
        Levels of the ink above the background.
    """
    beside = ~components.at_border
    beside[components.labels[chosen.astype(bool)]] = False
    beside[0] = False
    _, _, wide, high = cv2.boundingRect(chosen)
    size = max(wide, high)
    beside &= (components.longest >= LARGE * size) & (components.longest <= 2 * size)
    if not beside.any():
        return False
    width = stroke_width(chosen)
    level = FAINTER * cv2.mean(ink, chosen)[0]
    return any(
        cv2.mean(ink, (components.labels == place).astype(np.uint8))[0] >= level
        and THINNER * width <= components.width(place) <= BROADER * width
        for place in np.flatnonzero(beside)[:MOST_BESIDE].tolist()
    )


def _alone(components: Components, clusters: list[NDArray[np.bool_]]) -> tuple[Levels, ...]:
    """Return masks of the parts that may be digits, if there are clear gaps between all parts."""
    clusters = _join_broken(components, clusters)
    if len(clusters) < 2:
        return ()
    boxes = np.array([components.box(cluster) for cluster in clusters])  # (parts, 4)
    top, left = boxes[:, :2].min(0)
    bottom, right = boxes[:, 2:].max(0)
    if (boxes[1:, 1] - boxes[:-1, 3]).min() < CLEAR_GAP * max(bottom - top, right - left):
        return ()
    last_top, last_left, last_bottom, last_right = boxes[-1]
    flat = last_right - last_left > 1.2 * (last_bottom - last_top)
    if flat and last_bottom < top + LARGE * (bottom - top):  # the loose flag of a 5
        return ()
    return tuple(
        cluster[components.labels].astype(np.uint8)
        for cluster, (above, _, below, _) in zip(clusters, boxes, strict=True)
        if below - above >= LARGE * (bottom - top)
    )


def _join_broken(
    components: Components, clusters: list[NDArray[np.bool_]]
) -> list[NDArray[np.bool_]]:
    """Join neighbours across gaps narrower than their strokes, as where a pen has lifted."""
    width = stroke_width(np.any(clusters, axis=0)[components.labels].astype(np.uint8))
    joined = clusters[:1]
    for cluster in clusters[1:]:
        # Distance of each pixel from the part before, less the pixel itself.
        away = cv2.distanceTransform(
            (~joined[-1])[components.labels].astype(np.uint8), cv2.DIST_L2, 5
        )
        if away[cluster[components.labels]].min() - 1 < NARROW * width:
            joined[-1] = joined[-1] | cluster
        else:
            joined.append(cluster)
    return joined


def _are_compact(components: Components) -> NDArray[np.bool_]:
    """Return which components are compact, as dots are, bool (count,)."""
    wide = components.right - components.left
    high = components.bottom - components.top
    filled = (components.area > 0.5 * wide * high) | (components.longest <= 4)
    return filled & (components.longest < 1.9 * np.minimum(wide, high))


def _are_dots(components: Components, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the chosen components are dots beside the largest, bool (count,)."""
    largest = components.longest[chosen].max()
    return chosen & _are_compact(components) & (components.longest < DOT * largest)


def _are_heavy(
    components: Components,
    mass: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    enlarged: int,
) -> NDArray[np.bool_]:
    """Return which components are as heavy as a stroke of the chosen ones, bool (count,)."""
    top, left, bottom, right = components.box(chosen)
    size = max(bottom - top, right - left)
    longest = components.longest
    level = mass / np.maximum(components.area, 1)
    strong = (level >= 0.5 * mass[chosen].sum() / components.area[chosen].sum()) & ~chosen
    strong[0] = False
    least = np.where(_are_compact(components), HEAVY, THIN_HEAVY) * size
    heavy = strong & (longest >= least)
    # What reaches the border is often the paper's edge or a shadow, unless it is like a stroke.
    heavy &= ~components.at_border | ((longest >= HEAVY * size) & (longest <= 1.6 * size))
    width = stroke_width(chosen[components.labels].astype(np.uint8))
    for place in np.flatnonzero(heavy & components.at_border & (longest < 0.5 * size)).tolist():
        heavy[place] = THINNER * width <= components.width(place) <= BROADER * width
    # Two dots of about one size above each other are a colon; letters in a row are print.
    legible = longest >= max(LETTER * size, TINY * enlarged)
    small = np.flatnonzero(strong & legible & ~heavy & ~components.at_border)
    for place, one in enumerate(small.tolist()):
        for other in small[place + 1 :].tolist():
            across, down = np.abs(components.centres[one] - components.centres[other])
            lesser, greater = sorted((int(longest[one]), int(longest[other])))
            colon = across <= 0.7 * greater and 1.5 * greater <= down <= 0.8 * size
            beside = down <= 0.5 * greater and across <= 2 * greater
            if greater <= 1.6 * lesser and (colon or beside):
                heavy[[one, other]] = True
    return heavy


def _side_by_side(components: Components, parts: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the parts from left to right, bool (count,) each; what is above another is one."""
    clusters: list[NDArray[np.bool_]] = []
    for place in np.argsort(components.left, kind="stable").tolist():
        if not parts[place]:
            continue
        if clusters:
            _, left, _, right = components.box(clusters[-1])
            narrower = min(right - left, components.right[place] - components.left[place])
            if min(right, components.right[place]) - components.left[place] > 0.3 * narrower:
                clusters[-1][place] = True
                continue
        clusters.append(np.arange(len(components)) == place)
    return clusters
