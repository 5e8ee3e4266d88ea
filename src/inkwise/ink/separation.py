"""Separation of ink from its background: how strong the ink is in each pixel.

Other steps than these find out what of the ink is a digit, see `inkwise.ink.finding`, or a line of
them, see `inkwise.ink.all_ink`.
"""

import dataclasses
import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.colours import strongest_grey
from inkwise.ink.insets import find_inset
from inkwise.ink.levels import Box, Levels, quantiles, sample
from inkwise.ink.lines import erase_lines

NARROWEST = 4
"""Least height and width of a picture, in pixels."""

SMALLEST_SIDE = 64
"""The ink of pictures with a shorter longest side, in pixels, is enlarged to at least this."""

LOWEST_CONTRAST = 6
"""Least difference between ink and background, in grey levels of 0 to 255."""

EVEN = 0.28
"""Least share of the pixels of a tiny picture that an even background covers."""

LOW_RESOLUTION = 20
"""Longest side of a picture of low resolution, in pixels.

There the digit fills the picture, and strokes cover many pixels only in part, so that the digit's
shape is in its grey levels. So fainter pixels are kept, and the width of strokes is not changed.
"""

FULL, BASE = 0.6, 0.12
"""The quantile of the ink's levels that becomes full ink, and the share of it that becomes 0."""

LOW_FULL, LOW_BASE = 0.9, 0.06
"""The same for pictures of low resolution."""

SURE = 100.0
"""Moment, in cubes of a grey level a pixel, whose sign is sure: rounding changes less than 10."""

COARSE = 64
"""Longest side of the reduced picture that decides between dark and light ink, in pixels."""

STRIP_RATIO = 4
"""Least ratio of a strip's longer side to its shorter one."""

IMPULSE = 80
"""Least difference between a noisy pixel and all of its neighbours, in grey levels of 0 to 255."""

WIDEST = 0.4
"""Greatest width of a stroke, as a share of the picture's side; what is wider is background."""

CLEAR = 3.5
"""Least difference between ink and background, in standard deviations of the noise."""

FAINTEST = 20
"""Least level of full ink above the background, when the picture's levels span 0 to 255."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sheet:
    """A picture's ink above its background, with everything that was written.

    Parameters
    ----------
    ink : ndarray of uint8, shape (H, W)
        Levels of light ink on black, `factor` times as large as the part that was searched.
    noise : float
        Standard deviation of the noise, in levels.
    dark : bool
        Whether the ink was darker than its background.
    factor : int
        The factor by which a small picture was enlarged.
    inset : Box or None
        The part of the picture that was searched, if it is a figure's inset.
    ruled, crowded : bool
        Whether ruled lines were erased, and whether there is more around the inset.
    """

    ink: Levels
    noise: float
    dark: bool
    factor: int
    inset: Box | None
    ruled: bool
    crowded: bool

    @property
    def dropped(self) -> tuple[str, ...]:
        """What was left out so far."""
        return ("surroundings",) * (self.inset is not None) + ("lines",) * self.ruled

    def in_the_picture(
        self, box: tuple[float, float, float, float]
    ) -> tuple[float, float, float, float]:
        """Return where a box of `ink` lies in the picture."""
        top, left, bottom, right = (edge / self.factor for edge in box)
        down, across = (0, 0) if self.inset is None else self.inset[:2]
        return top + down, left + across, bottom + down, right + across


def separate(picture: NDArray[np.uint8], ruled_from: int = SMALLEST_SIDE) -> Sheet:
    """Separate the ink from its background, and erase ruled lines.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey levels, or red, green and blue.
    ruled_from : int
        Ruled lines are erased from pictures whose shorter side is longer than this, in pixels.

    Raises
    ------
    NoInkError
        The picture is too narrow, or shows nothing but light, noise or a single colour.
    """
    inset, crowded = find_inset(picture)
    if inset is not None:
        top, left, bottom, right = inset
        picture = np.ascontiguousarray(picture[top:bottom, left:right])
    grey = _stretch(picture if picture.ndim == 2 else strongest_grey(picture))
    side = max(grey.shape)
    if min(grey.shape) < NARROWEST:
        raise NoInkError(f"its height or width is less than {NARROWEST} pixels")
    _refuse_slope(grey)
    _refuse_static(grey)
    grey = _smooth(grey)
    dark = _is_dark(grey)
    ink, noise = _above_the_background(255 - grey if dark else grey)
    factor = max(1, math.ceil(SMALLEST_SIDE / side))
    if factor > 1:
        ink = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    ruled = min(grey.shape) > ruled_from and erase_lines(
        ink, floor=max(CLEAR * noise, LOWEST_CONTRAST)
    )
    return Sheet(ink, noise, dark, factor, inset, ruled, crowded)


def _stretch(grey: Levels) -> Levels:
    """Stretch the levels of a picture to the full range of 0 to 255."""
    low, high, _, _ = cv2.minMaxLoc(grey)
    if high - low < LOWEST_CONTRAST:
        raise NoInkError("it is all of one colour")
    if (low, high) == (0, 255):
        return grey
    return cv2.convertScaleAbs(grey, alpha=255 / (high - low), beta=-low * 255 / (high - low))


def _refuse_slope(grey: Levels) -> None:
    """Refuse a picture without an edge: its levels change only in small steps."""
    steps = cv2.absdiff(grey[1:], grey[:-1]), cv2.absdiff(grey[:, 1:], grey[:, :-1])
    if max(step.max() for step in steps) < 2.5 * 255 / max(grey.shape):
        raise NoInkError("it shows nothing but uneven light")


def _refuse_static(grey: Levels) -> None:
    """Refuse a small picture whose pixels are hardly correlated with their neighbours.

    A large one needs no such test: what noise leaves of it is too small for a digit.
    """
    if max(grey.shape) > SMALLEST_SIDE:
        return
    centred = grey - np.float32(cv2.mean(grey)[0])
    beside = np.vdot(centred[:, 1:], centred[:, :-1]) + np.vdot(centred[1:], centred[:-1])
    likeness = beside / 2 / np.vdot(centred, centred)
    # Of independent pixels it is 0 on average; the second term is 2.5 standard deviations.
    least = max(0.2, 2.5 / math.sqrt(2 * grey.size))
    if max(grey.shape) <= LOW_RESOLUTION and _has_even_background(grey):
        # Strokes are a pixel wide here, and only black and white noise has such a background.
        least /= 2
    if likeness < least:
        raise NoInkError("it holds nothing but noise")


def _has_even_background(grey: Levels) -> bool:
    """Tell whether many pixels are nearly as dark as the darkest, or as light as the lightest.

    In a picture of uniform noise, about a tenth are.
    """
    return bool(max(np.mean(grey < 26), np.mean(grey > 229)) > EVEN)


def _smooth(grey: Levels) -> Levels:
    """Smooth noise away, more where it is stronger; a clean picture stays as it is."""
    if max(grey.shape) <= LOW_RESOLUTION:
        return grey
    neighbours = np.ones((3, 3), np.uint8)
    neighbours[1, 1] = 0
    lone_light = cv2.subtract(grey, cv2.dilate(grey, neighbours)) > IMPULSE
    lone_dark = cv2.subtract(cv2.erode(grey, neighbours), grey) > IMPULSE
    lone = np.count_nonzero(lone_light | lone_dark) / grey.size
    if lone > 0.005:
        grey = cv2.medianBlur(grey, 5 if lone > 0.05 and max(grey.shape) > SMALLEST_SIDE else 3)
    some = sample(grey)
    steps = cv2.absdiff(some[:, 1:], some[:, :-1])
    # A quarter of a normal distribution lies within 0.32 standard deviations of its mean.
    sigma = quantiles(steps, 0.25)[0] / 0.32 / math.sqrt(2)
    if sigma < 2:
        return grey
    return cv2.GaussianBlur(grey, (0, 0), min(0.5 + sigma / 20, 1.5))


def _is_dark(grey: Levels) -> bool:
    """Tell whether the ink is darker than its background.

    Ink covers less than half of every wide neighbourhood, so that the median there is the level of
    the background. The third moment of the differences from it has the sign of the strongest ones.
    Differences near the middle of the picture count more: what lies around the paper is at the
    border.
    """
    side = max(grey.shape)
    if side <= LOW_RESOLUTION:
        border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
        return bool(grey.mean() + border.mean() > 255)
    small = grey
    if (side := _breadth(grey)) > COARSE:
        height, width = (math.ceil(length * COARSE / side) for length in grey.shape)
        small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    reach = _breadth(small) // 3
    rows, columns = map(_rise_and_fall, small.shape)

    def moment(background: "float | Levels") -> float:
        difference = small.astype(np.float32) - background
        return float(rows @ (difference * difference * difference) @ columns)

    # The median takes long, and the moment falls where it rises. Mostly it is known to lie between
    # two levels everywhere, beyond which there is never half of a neighbourhood, and with either of
    # them the moment has the same sign.
    low, high = quantiles(small, 0.25, 0.75)
    most = (2 * reach + 1) ** 2 // 2
    beyond = (small < low, small > high)
    if all(_most_near(mask, reach) <= most for mask in beyond):
        ends = moment(low), moment(high)
        if min(ends) > SURE * small.size or max(ends) < -SURE * small.size:
            return ends[0] < 0
    padded = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    return moment(cv2.medianBlur(padded, 2 * reach + 1)[reach:-reach, reach:-reach]) < 0


@functools.cache
def _rise_and_fall(length: int) -> NDArray[np.float64]:
    """Return half a sine wave without its zeros, float64 (length,)."""
    wave: NDArray[np.float64] = np.sin(np.linspace(0, np.pi, length + 2)[1:-1])
    return wave


def _most_near(mask: NDArray[np.bool_], reach: int) -> int:
    """Return in how many pixels a mask is set in the neighbourhood where that is in the most."""
    counts = cv2.boxFilter(
        mask.view(np.uint8),
        cv2.CV_32S,
        (2 * reach + 1, 2 * reach + 1),
        normalize=False,
        borderType=cv2.BORDER_REFLECT,
    )
    return int(counts.max())


def _breadth(levels: Levels) -> int:
    """Return the longest side of a picture; of a strip, which has thinner strokes, less."""
    return min(max(levels.shape), STRIP_RATIO * min(levels.shape))


def _above_the_background(light: Levels) -> tuple[Levels, float]:
    """Return light ink's levels above the background, and the noise's standard deviation."""
    background = _background_of(light)
    if max(light.shape) <= LOW_RESOLUTION:
        return cv2.subtract(light, background), 0.0
    differences = (sample(light).astype(np.int16) - sample(background)).ravel()
    # Both quantiles belong to the background. In a normal distribution they are 0.61 standard
    # deviations apart, and the median lies 0.67 above the second.
    low, quiet = quantiles(differences, 0.1, 0.25)
    noise = (quiet - low) / 0.61
    return cv2.subtract(light, cv2.add(background, max(0.0, quiet + 0.67 * noise))), noise


def _background_of(levels: Levels) -> Levels:
    """Return the level of the background at every pixel of a picture with light ink on dark.

    This is a morphological opening. What is light and narrower than its kernel is ink; what is
    wider is background, including straight shadows and a desk beyond the paper's edge.
    """
    height, width = levels.shape
    side = max(height, width)
    if side <= LOW_RESOLUTION:
        return np.full_like(levels, levels.min())
    step = max(1, _breadth(levels) // 160)
    coarse = levels
    if step > 1:
        coarse = cv2.resize(
            levels,
            (-(-width // step), -(-height // step)),
            interpolation=cv2.INTER_AREA,
        )
    reach = int(WIDEST * math.sqrt(coarse.size) / 2)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    # The border is replicated, so that a gradient leaves no ink there.
    padded = cv2.copyMakeBorder(coarse, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    background = opened[reach : -reach or None, reach : -reach or None]
    if step == 1:
        return background
    # The enlarged edges are soft. They are widened, so that the background's sharp edges leave no
    # ink on either side.
    fine = cv2.resize(background, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.dilate(fine, np.ones((2 * step + 1, 2 * step + 1), np.uint8))


def threshold(ink: Levels, noise: float) -> tuple[Levels, Levels]:
    """Return masks of possible and of certain ink, with the values 0 and 1.

    Otsu's threshold lies between the levels of a stroke and of its surroundings. Half of it is the
    level at a stroke's edge.
    """
    floor = max(CLEAR * noise, LOWEST_CONTRAST / 2)
    values = ink[ink > floor]
    if not values.size:
        raise NoInkError("nothing in it stands out from its background")
    otsu, _ = cv2.threshold(values[None], 0, 255, cv2.THRESH_OTSU)
    # Kept below the highest level: ink that has a single level is certain too.
    strong = above(ink, min(max(otsu, floor), float(values.max()) - 1))
    mask = above(ink, max(otsu / 2, floor))
    return mask, strong


def above(levels: Levels, level: float) -> Levels:
    """Return a mask of what is above a level, with the values 0 and 1."""
    return cv2.threshold(levels, level, 1, cv2.THRESH_BINARY)[1]


def stretch_ink(ink: Levels, chosen: Levels, noise: float, full: float, base: float) -> Levels:
    """Stretch the levels of the ink to the full range of 0 to 255.

    `full` and `base` are shares, see `FULL` and `BASE`. Ink as faint as noise, or as the remains of
    uneven light, is refused.
    """
    top = quantiles(ink[chosen.astype(bool)], full)[0]
    if top < max(2 * CLEAR * noise, FAINTEST):
        raise NoInkError("it holds nothing but noise")
    background = base * top
    return cv2.convertScaleAbs(cv2.subtract(ink, background), alpha=255 / (top - background))
