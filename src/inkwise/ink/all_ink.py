"""All ink of a picture, of any number of things: what `inkwise read` looks for numbers in."""

import contextlib
import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.levels import Levels
from inkwise.ink.separation import (
    BASE,
    FULL,
    LOW_BASE,
    LOW_FULL,
    LOW_RESOLUTION,
    Sheet,
    above,
    separate,
    stretch_ink,
    threshold,
)
from inkwise.ink.surroundings import erase_frames

PATTERNED, SPREAD = 0.02, 0.6
"""A part of a page is patterned if ink covers more than the first share of it, where nothing is
written; a page is patterned if more than the second share of its parts are."""

COVERED, STRONG, SEPARATE = 0.5, 48, 0.78
"""Of writing on a printed pattern: the greatest share of a page that it covers, its least mean
level, and the least share of the variance of all levels that lies between it and the pattern."""


@dataclasses.dataclass(frozen=True, eq=False)
class Page:
    """All ink of a picture, of any number of things.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W)
        Light ink on a black background, stretched to the full range, without ruled lines.
    mask : ndarray of uint8, shape (H, W)
        Where there is ink, as 0 and 1.
    dropped : tuple of str
        What else was in the picture and was removed: ``lines``, ``surroundings``, ``pale ink``.
    scale : float
        Pixels of `levels` per pixel of the picture.
    origin : tuple of float
        Row and column, in the picture, of the first pixel of `levels`.
    """

    levels: Levels
    mask: Levels
    dropped: tuple[str, ...]
    scale: float
    origin: tuple[float, float]


def find_all_ink(picture: NDArray[np.uint8]) -> Page:
    """Find everything that is written in a picture, such as a number or several lines of them.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey levels, or red, green and blue.

    Returns
    -------
    Page

    Raises
    ------
    NoInkError
        The picture is too narrow, or has no ink that can be told from noise.
    """
    sheet = separate(picture, LOW_RESOLUTION)
    try:
        mask, strong = threshold(sheet.ink, sheet.noise)
        if _is_patterned(sheet, mask):
            with contextlib.suppress(NoInkError):
                return _page_without_pattern(sheet)
        return _page(sheet, mask, strong)
    except NoInkError:  # a pattern may pass for noise
        return _page_without_pattern(sheet)


def _page(sheet: Sheet, mask: Levels, strong: Levels) -> Page:
    dropped = sheet.dropped
    if erase_frames(sheet.ink, mask):
        dropped = (*{**dict.fromkeys(dropped), "surroundings": None},)
        mask, strong = threshold(sheet.ink, sheet.noise)
    low = max(sheet.ink.shape) // sheet.factor <= LOW_RESOLUTION
    full, base = (LOW_FULL, LOW_BASE) if low else (FULL, BASE)
    levels = stretch_ink(sheet.ink, strong, sheet.noise, full, base)
    top, left, _, _ = sheet.in_the_picture((0, 0, 0, 0))
    return Page(levels, mask, dropped, float(sheet.factor), (top, left))


def _is_patterned(sheet: Sheet, mask: Levels) -> bool:
    """Tell whether there is ink all over a page, beside what stands out as written."""
    written = above(sheet.ink, _between(sheet))
    beside = 1 - cv2.dilate(written, np.ones((5, 5), np.uint8))
    inked = beside & mask
    height, width = mask.shape
    side = max(1, min(height, width) // 4)
    seen = patterned = 0
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            part = np.s_[top : top + side, left : left + side]
            free = cv2.countNonZero(beside[part])
            if free > side * side / 4:
                seen += 1
                patterned += cv2.countNonZero(inked[part]) > PATTERNED * free
    return patterned > SPREAD * seen


def _between(sheet: Sheet) -> float:
    """Return Otsu's threshold of all levels above the background."""
    return cv2.threshold(sheet.ink[sheet.ink > 0][None], 0, 255, cv2.THRESH_OTSU)[0]


def _page_without_pattern(sheet: Sheet) -> Page:
    """Subtract a pattern that was printed all over the paper, such as a guilloche.

    What is written stands out from it, by Otsu's threshold, if his measure of how well a threshold
    separates is high: of patterns and textures alone it was 0.75 at most, unless they were faint.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    printed = sheet.ink[sheet.ink > 0]
    level = _between(sheet) if printed.size else 0.0
    if not _stands_out(printed[printed > level], printed[printed <= level], sheet.ink.size):
        raise NoInkError("nothing in it stands out from its background")
    bare = dataclasses.replace(sheet, ink=cv2.subtract(sheet.ink, level / 2), noise=0.0)
    page = _page(bare, *threshold(bare.ink, bare.noise))
    return dataclasses.replace(page, dropped=(*page.dropped, "pale ink"))


def _stands_out(written: Levels, pattern: Levels, size: int) -> bool:
    """Tell whether some levels of a page of that many pixels are what is written on the others."""
    if not written.size or not pattern.size:
        return False
    share = written.size / (written.size + pattern.size)
    apart = share * (1 - share) * (written.mean() - pattern.mean()) ** 2
    clear = apart >= SEPARATE * np.concatenate([written, pattern]).var()
    return bool(clear and written.size <= COVERED * size and written.mean() >= STRONG)
