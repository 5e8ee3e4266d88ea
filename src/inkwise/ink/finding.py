"""Segmentation: which pixels of a picture are the ink of a digit (the foreground).

`find_ink` takes these steps, most of which are a call or two of OpenCV's; the first five are in
`inkwise.ink.separation`.

1. Turn colours into the grey channel in which ink and background differ most.
2. Smooth noise away.
3. Tell dark ink from light ink.
4. Subtract the background.
5. Erase ruled lines.
6. Keep the connected components that make up the digit.
7. Stretch its levels to the full range, and bring its strokes to the width of MNIST's.
"""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.components import Components, stroke_width
from inkwise.ink.fitting import BOX
from inkwise.ink.levels import Levels, sample
from inkwise.ink.parts import Parts, choose_parts, has_fainter
from inkwise.ink.separation import (
    BASE,
    CLEAR,
    FULL,
    LOW_BASE,
    LOW_FULL,
    LOW_RESOLUTION,
    LOWEST_CONTRAST,
    above,
    separate,
    stretch_ink,
    threshold,
)
from inkwise.ink.surroundings import erase_surroundings

THINNEST, THIN, THICK, THICKEST = 1.5, 2.0, 3.6, 4.2
"""Widths of strokes, in pixels where the digit's longer side has 20.

Strokes narrower than `THINNEST` are widened to `THIN`, and those wider than `THICKEST` narrowed to
`THICK`. Nearly all of MNIST's strokes lie between `THINNEST` and `THICKEST`.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The ink of a picture, without anything else that was in it.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W)
        Light ink on a black background, cropped to `box`. It is enlarged if the picture was small,
        and has a margin if its strokes were widened.
    box : tuple of float
        Top, left, bottom and right of the ink, in pixels of the picture that was searched.
    dark : bool
        Whether the ink was darker than its background.
    dropped : tuple of str
        What else was in the picture and was removed: ``lines``, ``surroundings``, ``specks``.
    parts : tuple of tuple of float
        Top, left, bottom and right of each part, if the ink may be several things.
    alone : tuple of ndarray of uint8, shape (H, W)
        Levels of each of the parts that may be a digit by itself.
    apart : bool
        Whether the picture shows several things, of which `levels` has perhaps only the greatest;
        or something that can be read in two ways.
    pieces : int
        In how many pieces the ink is, without dirt.
    lost : int
        How many of them are not in `levels`.
    """

    levels: Levels
    box: tuple[float, float, float, float]
    dark: bool
    dropped: tuple[str, ...]
    parts: tuple[tuple[float, float, float, float], ...] = ()
    alone: tuple[Levels, ...] = ()
    apart: bool = False
    pieces: int = 1
    lost: int = 0


def find_ink(picture: NDArray[np.uint8], *, together: bool = False) -> Found:
    """Find the ink in a picture of one digit.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey levels, or red, green and blue.
    together : bool
        Whether all ink that is no dirt is kept as one thing, see `inkwise.ink.normalise`.

    Returns
    -------
    Found

    Raises
    ------
    NoInkError
        The picture is too narrow, or has no ink that can be told from noise.
    """
    sheet = separate(picture)
    ink, noise, factor, ruled = sheet.ink, sheet.noise, sheet.factor, sheet.ruled
    side = max(ink.shape) // factor
    dropped = list(sheet.dropped)
    mask, strong = threshold(ink, noise)
    low = side <= LOW_RESOLUTION
    parts = Parts(mask, np.zeros_like(mask))
    unclear = False
    if not low:
        components = Components.of(mask)
        if not together:
            fainter = _find_fainter(components, ink, noise)
            erased, unclear = erase_surroundings(ink, list(dict.fromkeys([components, fainter])))
            if erased:
                dropped += [] if sheet.inset else ["surroundings"]
                mask, strong = threshold(ink, noise)
                components = Components.of(mask)
                fainter = _find_fainter(components, ink, noise)
        parts = choose_parts(
            components, strong, ink, ruled=ruled, enlarged=factor, together=together
        )
    chosen, rest = parts.chosen, parts.rest
    apart = not together and (parts.apart or unclear or sheet.crowded)
    if not low and not apart and not together:
        apart = has_fainter(fainter, chosen, ink)
    if rest.any() and not apart:
        dropped.append("specks")
    cut = _cut_out(ink, chosen, rest, halo=2 * factor + 1)
    full, base = (LOW_FULL, LOW_BASE) if low else (FULL, BASE)
    levels = stretch_ink(cut, chosen, noise, full, base)
    alone = tuple(
        _adjust_strokes(_crop(one))
        for part in parts.alone
        if (one := _cut_out(levels, part, rest | (chosen & ~part), halo=2 * factor + 1)).any()
    )
    left, top, width, height = cv2.boundingRect(levels)
    levels = levels[top : top + height, left : left + width]
    return Found(
        levels if low else _adjust_strokes(levels),
        sheet.in_the_picture((top, left, top + height, left + width)),
        sheet.dark,
        tuple(dropped),
        tuple(map(sheet.in_the_picture, parts.boxes)),
        alone,
        apart,
        parts.pieces,
        parts.lost,
    )


def _find_fainter(components: Components, ink: Levels, noise: float) -> Components:
    """Return the components of all ink that may be told from noise, beside the strongest.

    They are the given ones, of a stricter mask, if that is the same.
    """
    floor = max(CLEAR * noise, LOWEST_CONTRAST, 0.15 * float(sample(ink).max()))
    faint = above(ink, floor)
    return components if np.array_equal(faint, components.mask) else Components.of(faint)


def _cut_out(ink: Levels, chosen: Levels, rest: Levels, halo: int) -> Levels:
    """Return the ink of the chosen components and the faint ink around them, without the rest."""
    around = cv2.dilate(chosen, np.ones((halo, halo), np.uint8)) & ~rest
    return cv2.multiply(ink, around)


def _crop(levels: Levels) -> Levels:
    """Cut off what has no ink."""
    left, top, width, height = cv2.boundingRect(levels)
    return levels[top : top + height, left : left + width]


def _adjust_strokes(levels: Levels) -> Levels:
    """Widen strokes that are too thin for the network, and narrow those that are too thick."""
    body = above(levels, 127)
    if not body.any():
        return levels
    scale = BOX / max(levels.shape)
    width = stroke_width(body) * scale
    if width < THINNEST:
        by = round((THIN - width) / scale)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1))
        return cv2.dilate(cv2.copyMakeBorder(levels, by, by, by, by, cv2.BORDER_CONSTANT), kernel)
    if width > THICKEST:
        by = round((width - THICK) / scale)
        return cv2.erode(levels, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1)))
    return levels
