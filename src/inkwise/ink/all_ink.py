"""All ink of a picture, of any number of things: what `inkwise read` looks for numbers in."""

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
    separate,
    stretch_ink,
    threshold,
)
from inkwise.ink.surroundings import erase_frames

COVERED, CLEARER = 0.25, 2.2
"""Greatest share of a page that writing on a printed pattern covers, and by which factor it is
stronger at least than both are in the mean."""


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
        What else was in the picture and was removed: ``lines``, ``surroundings``.
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
        return _all_ink_of(sheet)
    except NoInkError:
        return _all_ink_of(_without_pattern(sheet))


def _all_ink_of(sheet: Sheet) -> Page:
    mask, strong = threshold(sheet.ink, sheet.noise)
    dropped = sheet.dropped
    if erase_frames(sheet.ink, mask):
        dropped = (*{**dict.fromkeys(dropped), "surroundings": None},)
        mask, strong = threshold(sheet.ink, sheet.noise)
    low = max(sheet.ink.shape) // sheet.factor <= LOW_RESOLUTION
    full, base = (LOW_FULL, LOW_BASE) if low else (FULL, BASE)
    levels = stretch_ink(sheet.ink, strong, sheet.noise, full, base)
    top, left, _, _ = sheet.in_the_picture((0, 0, 0, 0))
    return Page(levels, mask, dropped, float(sheet.factor), (top, left))


def _without_pattern(sheet: Sheet) -> Sheet:
    """Subtract a pattern that was printed all over the paper, such as a guilloche.

    It covers so much that it passes for noise. What is written is what stands out from it, by
    Otsu's threshold.
    """
    printed = sheet.ink[sheet.ink > 0]
    if not printed.size:
        raise NoInkError("nothing in it stands out from its background")
    level, _ = cv2.threshold(printed[None], 0, 255, cv2.THRESH_OTSU)
    above = printed[printed > level]
    if above.size > COVERED * sheet.ink.size or above.mean() < CLEARER * printed.mean():
        raise NoInkError("nothing in it stands out from its background")
    return dataclasses.replace(sheet, ink=cv2.subtract(sheet.ink, level / 2), noise=0.0)
