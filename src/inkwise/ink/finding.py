"""Finding: which pixels of a picture are ink, and how much of it they hold.

The picture goes through named steps, most of them a call or two of OpenCV's: one grey channel in
which the ink differs most from its ground, noise smoothed away, dark or light ink told apart, the
ground taken away, ruled lines erased, what belongs together kept, and its strokes brought to the
width that the network knows.
"""

import dataclasses
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.fitting import BOX
from inkwise.ink.levels import Levels, quantiles, sample
from inkwise.ink.lines import erase_lines

NARROWEST = 4
"""The least height and width of a picture, in pixels."""

SMALLEST_SIDE = 64
"""Smaller pictures are enlarged to this before anything is looked for, in pixels."""

LOWEST_CONTRAST = 6
"""How far the ink is from its ground at least, in levels of 255."""

EVEN = 0.28
"""The least share of a tiny picture that its ground covers."""

LOW_RESOLUTION = 20
"""Up to this side, in pixels, the digit fills the picture, and its greys are its shape: pixels that
strokes cover in part. So more of them are kept, and no stroke is made wider or narrower.
"""

FULL, BASE = 0.6, 0.12
"""The share of ink that is fainter than full, and the share of full up to which it is ground."""

LOW_FULL, LOW_BASE = 0.9, 0.06
"""The same in pictures of low resolution."""

COARSE = 64
"""On which side the light and the dark are weighed, in pixels."""

IMPULSE = 80
"""How far a lone pixel is from all its neighbours to be noise, in levels of 255."""

WIDEST = 0.4
"""How wide a stroke is at most, as a share of the picture's side; what is wider is ground."""

CLEAR = 3.5
"""How many standard deviations of noise ink is above the ground."""

THINNEST, THIN, THICK, THICKEST = 1.5, 2.0, 3.6, 4.2
"""Narrower strokes than the first are widened to the second, wider than the last narrowed to the
third; in pixels where the digit has 20. Nearly all of MNIST's lie between the first and the last.
"""

FAINTEST = 20
"""How far ink is from its ground at least, where the whole picture goes from 0 to 255."""

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""How light red, green and blue are, ITU-R BT.601."""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The ink of a picture.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W)
        Light ink on a black ground, just its box.
    box : tuple of float
        Top, left, bottom, right of it in the picture, in the picture's pixels.
    dark : bool
        Whether it was darker than its ground.
    dropped : tuple of str
        What else there was: ``lines``, ``specks``.
    """

    levels: Levels
    box: tuple[float, float, float, float]
    dark: bool
    dropped: tuple[str, ...]


def find_ink(picture: NDArray[np.uint8]) -> Found:
    """Find the ink in a picture of one digit.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)

    Raises
    ------
    NoInkError
        There is no ink, or none that can be told from noise.
    """
    grey = _stretch(picture if picture.ndim == 2 else _strongest_grey(picture))
    side = max(grey.shape)
    if min(grey.shape) < NARROWEST:
        raise NoInkError("it is too narrow for one")
    _refuse_slope(grey)
    _refuse_static(grey)
    grey = _smooth(grey)
    dark = _is_dark(grey)
    ink, noise = _above_the_ground(255 - grey if dark else grey)
    factor = max(1, math.ceil(SMALLEST_SIDE / side))
    if factor > 1:
        ink = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    dropped = []
    ruled = min(grey.shape) > SMALLEST_SIDE and erase_lines(
        ink, floor=max(CLEAR * noise, LOWEST_CONTRAST)
    )
    if ruled:
        dropped.append("lines")
    mask, strong = _threshold(ink, noise)
    chosen, rest = mask, np.zeros_like(mask)
    low = side <= LOW_RESOLUTION
    if not low:
        chosen, rest = _choose(mask, strong, ink, ruled)
    if rest.any():
        dropped.append("specks")
    alone = _cut_out(ink, chosen, rest, halo=2 * factor + 1)
    full, base = (LOW_FULL, LOW_BASE) if low else (FULL, BASE)
    levels = _stretch_ink(alone, chosen, noise, full, base)
    left, top, width, height = cv2.boundingRect(levels)
    levels = levels[top : top + height, left : left + width]
    return Found(
        levels if low else _adjust_strokes(levels),
        (top / factor, left / factor, (top + height) / factor, (left + width) / factor),
        dark,
        tuple(dropped),
    )


def _strongest_grey(picture: NDArray[np.uint8]) -> Levels:
    """Return the weighted sum of red, green and blue in which ink and ground differ most.

    That is the first principal component of what is left of the colours when slow changes, which
    are those of the light, are taken away; so red ink shows on green paper that is just as light.
    """
    step = max(1, max(picture.shape) // 128)
    small = picture[::step, ::step].astype(np.float32)
    reach = max(small.shape) // 3
    changes = (small - cv2.blur(small, (reach, reach), borderType=cv2.BORDER_REPLICATE)).reshape(
        -1, 3
    )
    axis = np.linalg.eigh(changes.T @ changes)[1][:, -1]
    weights = axis / np.abs(axis).sum() * (1 if axis @ LUMINANCE >= 0 else -1)
    black = -255 * weights[weights < 0].sum()
    return cv2.transform(picture, np.append(weights, black)[None])


def _stretch(grey: Levels) -> Levels:
    """Bring the levels to all of 0 to 255."""
    low, high, _, _ = cv2.minMaxLoc(grey)
    if high - low < LOWEST_CONTRAST:
        raise NoInkError("it is all of one colour")
    if (low, high) == (0, 255):
        return grey
    return cv2.convertScaleAbs(grey, alpha=255 / (high - low), beta=-low * 255 / (high - low))


def _refuse_slope(grey: Levels) -> None:
    """Refuse a picture that has no edge: all of its range goes by in small steps."""
    steps = cv2.absdiff(grey[1:], grey[:-1]), cv2.absdiff(grey[:, 1:], grey[:, :-1])
    if max(step.max() for step in steps) < 2.5 * 255 / max(grey.shape):
        raise NoInkError("its light is uneven, and that is all")


def _refuse_static(grey: Levels) -> None:
    """Refuse a small picture whose pixels have nothing to do with their neighbours.

    In a large one, what noise leaves is too small for a digit.
    """
    if max(grey.shape) > SMALLEST_SIDE:
        return
    centred = grey - np.float32(cv2.mean(grey)[0])
    beside = np.vdot(centred[:, 1:], centred[:, :-1]) + np.vdot(centred[1:], centred[:-1])
    likeness = beside / 2 / np.vdot(centred, centred)
    # Of independent pixels it is 0, give or take the second term.
    least = max(0.2, 2.5 / math.sqrt(2 * grey.size))
    if max(grey.shape) <= LOW_RESOLUTION and _has_even_ground(grey):
        least /= 2  # strokes are a pixel wide, and noise has no such ground, unless black and white
    if likeness < least:
        raise NoInkError("it holds nothing but noise")


def _has_even_ground(grey: Levels) -> bool:
    """Tell whether much of a picture is as dark as its darkest pixel, or as light as its lightest.

    Of noise a tenth is, give or take.
    """
    return bool(max(np.mean(grey < 26), np.mean(grey > 229)) > EVEN)


def _smooth(grey: Levels) -> Levels:
    """Smooth noise away as far as there is any; a clean picture stays as it is."""
    if max(grey.shape) <= LOW_RESOLUTION:
        return grey
    neighbours = np.ones((3, 3), np.uint8)
    neighbours[1, 1] = 0
    lone_light = cv2.subtract(grey, cv2.dilate(grey, neighbours)) > IMPULSE
    lone_dark = cv2.subtract(cv2.erode(grey, neighbours), grey) > IMPULSE
    lone = np.count_nonzero(lone_light | lone_dark) / grey.size
    if lone > 0.005:
        grey = cv2.medianBlur(grey, 5 if lone > 0.05 and max(grey.shape) > SMALLEST_SIDE else 3)
    steps = np.abs(np.diff(sample(grey).astype(np.int16), axis=1))
    # A quarter of a normal distribution lies within 0.32 standard deviations of its middle.
    sigma = quantiles(steps, 0.25)[0] / 0.32 / math.sqrt(2)
    if sigma < 2:
        return grey
    return cv2.GaussianBlur(grey, (0, 0), min(0.5 + sigma / 20, 1.5))


def _is_dark(grey: Levels) -> bool:
    """Tell whether the ink is darker than its ground.

    Ink covers the lesser part of every wide neighbourhood, so that the median there is the
    ground's; the third moment is that of the strongest differences from it. The nearer to the
    middle, the more a difference counts: what lies around the paper is at the border.
    """
    side = max(grey.shape)
    if side <= LOW_RESOLUTION:
        border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
        return bool(grey.mean() + border.mean() > 255)
    small = grey
    if side > COARSE:
        height, width = (math.ceil(length * COARSE / side) for length in grey.shape)
        small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    reach = max(small.shape) // 3
    padded = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    ground = cv2.medianBlur(padded, 2 * reach + 1)[reach:-reach, reach:-reach]
    difference = small.astype(np.float32) - ground
    rows, columns = (np.sin(np.linspace(0, np.pi, length + 2)[1:-1]) for length in small.shape)
    return float(rows @ (difference * difference * difference) @ columns) < 0


def _above_the_ground(light: Levels) -> tuple[Levels, float]:
    """Return how far light ink is above its ground, and the standard deviation of noise there."""
    ground = _ground(light)
    if max(light.shape) <= LOW_RESOLUTION:
        return cv2.subtract(light, ground), 0.0
    differences = (sample(light).astype(np.int16) - sample(ground)).ravel()
    # Both quantiles lie on the ground, 0.61 standard deviations of a normal distribution apart.
    low, quiet = quantiles(differences, 0.1, 0.25)
    noise = (quiet - low) / 0.61
    return cv2.subtract(light, cv2.add(ground, max(0.0, quiet + 0.67 * noise))), noise


def _ground(levels: Levels) -> Levels:
    """Return the level of the ground below every pixel: dark, with light ink on it.

    A morphological opening: what is light and narrower than its kernel is ink; wider, it is
    ground, straight shadows and a desk beyond the paper's edge included.
    """
    height, width = levels.shape
    side = max(height, width)
    if side <= LOW_RESOLUTION:
        return np.full_like(levels, levels.min())
    step = max(1, side // 160)
    coarse = levels
    if step > 1:
        coarse = cv2.resize(
            levels,
            (-(-width // step), -(-height // step)),
            interpolation=cv2.INTER_AREA,
        )
    reach = int(WIDEST * math.sqrt(coarse.size) / 2)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    # The picture goes on beyond its border as it is there: a gradient leaves nothing.
    padded = cv2.copyMakeBorder(coarse, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    ground = opened[reach : -reach or None, reach : -reach or None]
    if step == 1:
        return ground
    # Coarse edges are soft, and the ground's sharp ones must leave nothing on either side.
    fine = cv2.resize(ground, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.dilate(fine, np.ones((2 * step + 1, 2 * step + 1), np.uint8))


def _threshold(ink: Levels, noise: float) -> tuple[Levels, Levels]:
    """Return where there may be ink, and where there is for certain, as 0 and 1.

    Otsu's level lies between a stroke and what is around it; half of it is the edge of a stroke.
    """
    floor = max(CLEAR * noise, LOWEST_CONTRAST / 2)
    values = ink[ink > floor]
    if not values.size:
        raise NoInkError("nothing in it stands out from its ground")
    otsu, _ = cv2.threshold(values[None], 0, 255, cv2.THRESH_OTSU)
    # Ink of a single level is on both sides of Otsu's.
    strong = cv2.compare(ink, min(max(otsu, floor), float(values.max()) - 1), cv2.CMP_GT) & 1
    mask = cv2.compare(ink, max(otsu / 2, floor), cv2.CMP_GT) & 1
    return mask, strong


def _choose(mask: Levels, strong: Levels, ink: Levels, ruled: bool) -> tuple[Levels, Levels]:
    """Return the components of the mask that make the digit, and the rest, as 0 and 1.

    Components that are near to each other belong together; of such groups, the one with the most
    ink, the nearest to the middle, is the digit. Others near enough to it are its loose strokes.
    """
    height, width = mask.shape
    # Of OpenCV's algorithms this is the fastest here, several times as fast as the default.
    count, labels, stats, centres = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    # Of ruled lines pieces can be left, at the border or short.
    smallest = max(mask.shape) / (12 if ruled else 25)
    if count == 2 and not ruled and stats[1, 2:4].max() >= smallest:
        return mask, np.zeros_like(mask)
    left, top, wide, high, _ = stats.T
    right, bottom = left + wide, top + high
    at_border = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    digits = (np.maximum(wide, high) >= smallest) & ~(at_border & ruled)
    if not digits[1:].any():
        raise NoInkError("it holds nothing but specks")

    there = mask.astype(bool)
    here = labels[there]
    mass = np.bincount(here, weights=ink[there], minlength=count)
    certain = np.bincount(labels[strong.astype(bool)], minlength=count)
    digits[0] = False
    digits &= certain > 0
    real = (certain > 0) & (mass >= 0.03 * mass[1:].max()) & ~(at_border & ruled)
    gap = max(1, max(mask.shape) // 40)
    near = cv2.dilate(real[labels].astype(np.uint8), np.ones((2 * gap + 1, 2 * gap + 1), np.uint8))
    groups = cv2.connectedComponents(near, connectivity=8)[1]
    group_of = np.zeros(count, int)
    group_of[here] = groups[there]
    off = np.hypot(centres[:, 0] / width - 0.5, centres[:, 1] / height - 0.5)
    score = np.where(real, mass * (1 - off) * np.where(at_border, 0.2, 1), 0)
    chosen = real & (group_of == np.bincount(group_of, weights=score).argmax())
    if not chosen.any() or not (chosen & digits).any():
        raise NoInkError("nothing in it stands out from its ground")
    if not at_border[chosen].all():
        chosen &= ~(at_border & (mass < 0.3 * mass[chosen].sum()))

    box = left[chosen].min(), top[chosen].min(), right[chosen].max(), bottom[chosen].max()
    beside = np.maximum(box[0] - right, left - box[2]).clip(0)
    below = np.maximum(box[1] - bottom, top - box[3]).clip(0)
    loose = np.hypot(beside, below) < 0.25 * max(box[2] - box[0], box[3] - box[1])
    chosen |= real & loose & ~at_border & (mass > 0.06 * mass[chosen].sum())
    return chosen[labels].astype(np.uint8), (~chosen)[labels].astype(np.uint8) & mask


def _cut_out(ink: Levels, chosen: Levels, rest: Levels, halo: int) -> Levels:
    """Return the ink of the chosen components alone, and the faint ink around them."""
    around = cv2.dilate(chosen, np.ones((halo, halo), np.uint8)) & ~rest
    return cv2.multiply(ink, around)


def _stretch_ink(ink: Levels, chosen: Levels, noise: float, full: float, base: float) -> Levels:
    """Bring the levels of ink to all of 0 to 255.

    `full` and `base` are shares, see `FULL` and `BASE`. Nothing is ink that is as faint as noise
    and the slopes of uneven light.
    """
    top = quantiles(ink[chosen.astype(bool)], full)[0]
    if top < max(2 * CLEAR * noise, FAINTEST):
        raise NoInkError("it holds nothing but noise")
    ground = base * top
    return cv2.convertScaleAbs(cv2.subtract(ink, ground), alpha=255 / (top - ground))


def _adjust_strokes(levels: Levels) -> Levels:
    """Draw strokes thicker or thinner that the network would know as hairs or blobs.

    Across a stroke, the mean distance from its edge is a quarter of its width.
    """
    body = cv2.compare(cv2.copyMakeBorder(levels, 1, 1, 1, 1, cv2.BORDER_CONSTANT), 127, cv2.CMP_GT)
    if not body.any():
        return levels
    distance = cv2.mean(cv2.distanceTransform(body, cv2.DIST_L2, 5), body)[0]
    scale = BOX / max(levels.shape)
    # Pixels' distances are from centre to centre, half a pixel too much.
    width = (4 * distance - 2) * scale
    if width < THINNEST:
        by = round((THIN - width) / scale)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1))
        return cv2.dilate(cv2.copyMakeBorder(levels, by, by, by, by, cv2.BORDER_CONSTANT), kernel)
    if width > THICKEST:
        by = round((width - THICK) / scale)
        return cv2.erode(levels, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1)))
    return levels
