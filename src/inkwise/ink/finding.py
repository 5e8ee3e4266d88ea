"""Segmentation: which pixels of a picture are ink (the foreground), and how strong it is there.

`find_ink` takes these steps, most of which are a call or two of OpenCV's:

1. Turn colours into the grey channel in which ink and background differ most.
2. Smooth noise away.
3. Tell dark ink from light ink.
4. Subtract the background.
5. Erase ruled lines.
6. Keep the connected components that make up the digit.
7. Stretch its levels to the full range, and bring its strokes to the width of MNIST's.
"""

import dataclasses
import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.colours import strongest_grey
from inkwise.ink.components import Components, stroke_width
from inkwise.ink.fitting import BOX
from inkwise.ink.insets import find_inset
from inkwise.ink.levels import Box, Levels, quantiles, sample
from inkwise.ink.lines import erase_lines
from inkwise.ink.parts import Parts, choose_parts, has_fainter
from inkwise.ink.surroundings import erase_frames, erase_surroundings

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

COVERED, CLEARER = 0.25, 2.2
"""Greatest share of a page that writing on a printed pattern covers, and by which factor it is
stronger at least than both are in the mean."""

LOW_FULL, LOW_BASE = 0.9, 0.06
"""The same for pictures of low resolution."""

SURE = 100.0
"""Moment, in cubes of a grey level a pixel, whose sign is sure: rounding changes less than 10."""

COARSE = 64
"""Longest side of the reduced picture that decides between dark and light ink, in pixels."""

STRIP = 4
"""Least ratio of a strip's longer side to its shorter one."""

IMPULSE = 80
"""Least difference between a noisy pixel and all of its neighbours, in grey levels of 0 to 255."""

WIDEST = 0.4
"""Greatest width of a stroke, as a share of the picture's side; what is wider is background."""

CLEAR = 3.5
"""Least difference between ink and background, in standard deviations of the noise."""

THINNEST, THIN, THICK, THICKEST = 1.5, 2.0, 3.6, 4.2
"""Widths of strokes, in pixels where the digit's longer side has 20.

Strokes narrower than `THINNEST` are widened to `THIN`, and those wider than `THICKEST` narrowed to
`THICK`. Nearly all of MNIST's strokes lie between `THINNEST` and `THICKEST`.
"""

FAINTEST = 20
"""Least level of full ink above the background, when the picture's levels span 0 to 255."""


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
    sheet = _separate(picture)
    ink, noise, factor, ruled = sheet.ink, sheet.noise, sheet.factor, sheet.ruled
    side = max(ink.shape) // factor
    dropped = list(sheet.dropped)
    mask, strong = _threshold(ink, noise)
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
                mask, strong = _threshold(ink, noise)
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
    levels = _stretch_ink(cut, chosen, noise, full, base)
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


@dataclasses.dataclass(frozen=True, eq=False)
class _Sheet:
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


def _separate(picture: NDArray[np.uint8], ruled_from: int = SMALLEST_SIDE) -> _Sheet:
    """Separate the ink from its background, and erase ruled lines of pictures of some size."""
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
    return _Sheet(ink, noise, dark, factor, inset, ruled, crowded)


@dataclasses.dataclass(frozen=True, eq=False)
class Page:
    """All ink of a picture, of any number of things.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W)
        Light ink on a black background, stretched to the full range, without ruled lines.
    mask : ndarray of uint8, shape (H, W)
        Where there is ink, as 0 and 1.
    dark : bool
        Whether the ink was darker than its background.
    dropped : tuple of str
        What else was in the picture and was removed, as `Found.dropped`.
    scale : float
        Pixels of `levels` per pixel of the picture.
    origin : tuple of float
        Row and column, in the picture, of the first pixel of `levels`.
    """

    levels: Levels
    mask: Levels
    dark: bool
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
        As `find_ink` does.
    """
    sheet = _separate(picture, LOW_RESOLUTION)
    try:
        return _all_ink_of(sheet)
    except NoInkError:
        return _all_ink_of(_without_pattern(sheet))


def _all_ink_of(sheet: _Sheet) -> Page:
    mask, strong = _threshold(sheet.ink, sheet.noise)
    dropped = sheet.dropped
    if erase_frames(sheet.ink, mask):
        dropped = (*{**dict.fromkeys(dropped), "surroundings": None},)
        mask, strong = _threshold(sheet.ink, sheet.noise)
    low = max(sheet.ink.shape) // sheet.factor <= LOW_RESOLUTION
    full, base = (LOW_FULL, LOW_BASE) if low else (FULL, BASE)
    levels = _stretch_ink(sheet.ink, strong, sheet.noise, full, base)
    top, left, _, _ = sheet.in_the_picture((0, 0, 0, 0))
    return Page(levels, mask, sheet.dark, dropped, float(sheet.factor), (top, left))


def _without_pattern(sheet: _Sheet) -> _Sheet:
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
    return min(max(levels.shape), STRIP * min(levels.shape))


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


def _threshold(ink: Levels, noise: float) -> tuple[Levels, Levels]:
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
    strong = _above(ink, min(max(otsu, floor), float(values.max()) - 1))
    mask = _above(ink, max(otsu / 2, floor))
    return mask, strong


def _find_fainter(components: Components, ink: Levels, noise: float) -> Components:
    """Return the components of all ink that may be told from noise, beside the strongest.

    They are the given ones, of a stricter mask, if that is the same.
    """
    floor = max(CLEAR * noise, LOWEST_CONTRAST, 0.15 * float(sample(ink).max()))
    faint = _above(ink, floor)
    return components if np.array_equal(faint, components.mask) else Components.of(faint)


def _above(levels: Levels, level: float) -> Levels:
    """Return a mask of what is above a level, with the values 0 and 1."""
    return cv2.threshold(levels, level, 1, cv2.THRESH_BINARY)[1]


def _cut_out(ink: Levels, chosen: Levels, rest: Levels, halo: int) -> Levels:
    """Return the ink of the chosen components and the faint ink around them, without the rest."""
    around = cv2.dilate(chosen, np.ones((halo, halo), np.uint8)) & ~rest
    return cv2.multiply(ink, around)


def _crop(levels: Levels) -> Levels:
    """Cut off what has no ink."""
    left, top, width, height = cv2.boundingRect(levels)
    return levels[top : top + height, left : left + width]


def _stretch_ink(ink: Levels, chosen: Levels, noise: float, full: float, base: float) -> Levels:
    """Stretch the levels of the ink to the full range of 0 to 255.

    `full` and `base` are shares, see `FULL` and `BASE`. Ink as faint as noise, or as the remains of
    uneven light, is refused.
    """
    top = quantiles(ink[chosen.astype(bool)], full)[0]
    if top < max(2 * CLEAR * noise, FAINTEST):
        raise NoInkError("it holds nothing but noise")
    background = base * top
    return cv2.convertScaleAbs(cv2.subtract(ink, background), alpha=255 / (top - background))


def _adjust_strokes(levels: Levels) -> Levels:
    """Widen strokes that are too thin for the network, and narrow those that are too thick."""
    body = _above(levels, 127)
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
