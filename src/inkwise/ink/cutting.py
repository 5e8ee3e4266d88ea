"""Cuts: an image of ink cut in two, as it may be two digits that touch."""

import functools

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.fitting import CANVAS, bounds, fit_and_centre

SLANTS = (0.0, 0.25, 0.5)
"""Slants of the cuts, in pixels to the right for a pixel up; handwriting leans to the right."""

NARROWEST, WIDEST = 0.8, 2.0
"""Least and greatest width of ink that is cut, as multiples of its height."""

SIDES = 0.33
"""Least distance of a cut from the sides of the ink, as a share of its width."""

LEAST = 0.15
"""Least share of the ink on each side of a cut."""


def cut_in_two(image: NDArray[np.uint8]) -> tuple[tuple[NDArray[np.uint8], ...], ...]:
    """Cut an image once at each of a few slants, where the cut crosses the least ink.

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
        Light ink on a black background, in MNIST's geometry.

    Returns
    -------
    tuple of (ndarray, ndarray) of uint8, shape (28, 28)
        The two sides of each cut, in MNIST's geometry as well; none if the ink is too
        narrow or too wide for two digits.
    """
    top, left, bottom, right = bounds(image)
    width = right - left
    if not NARROWEST <= width / (bottom - top) <= WIDEST:
        return ()
    pairs = []
    total = int(image.sum())
    for slant in SLANTS:
        across = _across(slant)
        crossed = np.bincount(across.ravel(), weights=image.ravel(), minlength=3 * CANVAS)
        first = CANVAS + round(left + SIDES * width)
        last = CANVAS + round(right - SIDES * width)
        cut = first + int(crossed[first : last + 1].argmin())
        before = crossed[:cut].sum()
        if min(before, total - before) < LEAST * total:
            continue
        sides = image * (across < cut), image * (across >= cut)
        try:
            pairs.append(tuple(map(fit_and_centre, sides)))
        except NoInkError:
            continue
    return tuple(pairs)


@functools.cache
def _across(slant: float) -> NDArray[np.int64]:
    """Return for each pixel how far to the right it is along a slant, int64 (28, 28)."""
    rows, columns = np.indices((CANVAS, CANVAS))
    return np.floor(columns + (rows - CANVAS // 2) * slant).astype(np.int64) + CANVAS
