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

Levels = NDArray[np.uint8]
"""Grey levels, uint8 (H, W)."""

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

STEEPEST = 6
"""How far ruled lines are tilted at most, in degrees."""

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
    ruled = min(grey.shape) > SMALLEST_SIDE and _erase_lines(ink, noise)
    if ruled:
        dropped.append("lines")
    mask, strong = _threshold(ink, noise)
    chosen, rest = mask, np.zeros_like(mask)
    low = side <= LOW_RESOLUTION
    if not low:
        chosen, rest = _choose(mask, strong, ink, ruled)
    if rest.any():
        dropped.append("specks")
    shares = (LOW_FULL, LOW_BASE) if low else (FULL, BASE)
    levels, (top, left, bottom, right) = _cut_out(ink, chosen, rest, noise, factor, shares)
    return Found(
        levels if low else _adjust_strokes(levels),
        (top / factor, left / factor, bottom / factor, right / factor),
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
    steps = np.abs(np.diff(_sample(grey).astype(np.int16), axis=1))
    # A quarter of a normal distribution lies within 0.32 standard deviations of its middle.
    sigma = _quantiles(steps, 0.25)[0] / 0.32 / math.sqrt(2)
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
    sample = (_sample(light).astype(np.int16) - _sample(ground)).ravel()
    # Both quantiles lie on the ground, 0.61 standard deviations of a normal distribution apart.
    low, quiet = _quantiles(sample, 0.1, 0.25)
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


def _quantiles(values: NDArray[np.integer], *shares: float) -> list[float]:
    """Return the values that these shares of all are less than; NumPy's takes far longer."""
    ordered = np.sort(values, axis=None)
    return [float(ordered[int(share * (ordered.size - 1))]) for share in shares]


def _sample(levels: Levels) -> Levels:
    """Return pixels enough for a quantile."""
    step = max(1, max(levels.shape) // 128)
    return levels[::step, ::step]


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


def _erase_lines(ink: Levels, noise: float) -> bool:
    """Erase ruled lines, level or upright, tilted by a few degrees; tell whether there were any.

    One or two lines as dark as the rest can be strokes of a digit that fills the picture. Where a
    stroke crosses a line, it is stronger, or goes on at both sides, and is left.
    """
    mask = cv2.compare(ink, max(CLEAR * noise, LOWEST_CONTRAST), cv2.CMP_GT) & 1
    turned = np.ascontiguousarray(mask.T), np.ascontiguousarray(ink.T)
    level, upright = _level_lines(mask, ink), _level_lines(*turned)
    if len(level) + len(upright) < 3:
        strongest = float(_sample(ink).max())
        level, upright = (
            [line for line in lines if line.level < 0.6 * strongest] for lines in (level, upright)
        )
    if not level and not upright:
        return False
    bands = np.zeros((2, *ink.shape), np.uint8)
    for line in level:
        bands[0, line.across, line.along] = 1
    for line in upright:
        bands[1, line.along, line.across] = 1
    without = mask & ~(bands[0] | bands[1])
    length = 2 * _thickest(mask) + 3
    straight, slant = np.ones((length, 1), np.uint8), np.eye(length, dtype=np.uint8)
    slants = slant, np.ascontiguousarray(slant[::-1])
    for band, kernels in zip(bands, ((straight, *slants), (straight.T, *slants)), strict=True):
        crossed = [cv2.morphologyEx(without, cv2.MORPH_CLOSE, kernel) for kernel in kernels]
        ink[(band & ~np.bitwise_or.reduce(crossed)).astype(bool)] = 0
    return True


@dataclasses.dataclass(frozen=True, eq=False)
class _Line:
    """A ruled line: its pixels' places along and across it, and how dark it is."""

    along: NDArray[np.intp]
    across: NDArray[np.intp]
    level: float


def _level_lines(mask: Levels, ink: Levels) -> list[_Line]:
    """Return the lines that run from the left of the picture to its right.

    Lines are made of runs that are long and thin. All have one slope: that at which the runs fall
    on the fewest lines, a Hough transform over few angles.
    """
    height, width = mask.shape
    rows, columns = _thin_runs(mask)
    edge = max(1, width // 8)
    if (columns < edge).sum() < edge / 2 or (columns >= width - edge).sum() < edge / 2:
        return []
    slope = _common_slope(rows, columns - width / 2)
    # A line is known by its row in the middle column; it may pass above or below the picture.
    margin = math.ceil(abs(slope) * width / 2) + 2
    line_of = np.rint(rows - slope * (columns - width / 2)).astype(int) + margin
    middle = np.arange(height + 2 * margin) - margin
    left, right = middle - slope * width / 2, middle + slope * width / 2
    low, high = np.minimum(left, right), np.maximum(left, right)
    inside = (np.minimum(high, height) - np.maximum(low, 0)).clip(0) / (high - low).clip(1e-9)
    inside = np.where(high - low < 1e-6, (middle >= 0) & (middle < height), inside)

    def covered(where: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        counts = np.bincount(line_of[where], minlength=len(middle))
        return np.convolve(counts, np.ones(3), "same")

    long = (inside * width >= edge) & (covered(slice(None)) >= 0.5 * width * inside)
    long &= (covered(columns < edge) >= 0.5 * edge) | (left < 0) | (left >= height)
    long &= (covered(columns >= width - edge) >= 0.5 * edge) | (right < 0) | (right >= height)

    lines = []
    for first, last in np.flatnonzero(np.diff(long, prepend=False, append=False)).reshape(-1, 2):
        near = (line_of >= first - 2) & (line_of < last + 2)
        its_rows, its_columns = rows[near], columns[near]
        darkness = float(np.quantile(ink[its_rows, its_columns], 0.85))
        half = math.ceil(len(its_rows) / len(np.unique(its_columns)) / 2) + 1
        # Paper bends: a parabola follows it.
        centre = np.poly1d(np.polyfit(its_columns, its_rows, 2))(np.arange(width))
        across = np.rint(centre + np.arange(-half, half + 1)[:, None]).astype(int)
        along = np.broadcast_to(np.arange(width), across.shape)
        there = (across >= 0) & (across < height)
        along, across = along[there], across[there]
        faint = ink[across, along] < 1.5 * darkness
        lines.append(_Line(along[faint], across[faint], darkness))
    return lines


def _thin_runs(mask: Levels) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of what is long from left to right and thin from top to bottom."""
    run, thick = max(9, mask.shape[1] // 30), _thickest(mask) + 2
    # A pixel more on either side, and a tilted line has runs as long as a level one.
    joined = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))
    runs = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    bodies = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((thick + 1, 1), np.uint8))
    rows, columns = np.nonzero(runs & mask & ~bodies)
    return rows, columns


def _thickest(picture: Levels) -> int:
    """Return how thick a ruled line is at most, in pixels."""
    return max(4, max(picture.shape) // 80)


def _common_slope(rows: NDArray[np.intp], columns: NDArray[np.float64]) -> float:
    """Return the slope at which pixels of parallel lines fall on the fewest rows."""
    some = slice(None, None, max(1, len(rows) // 4000))
    rows, columns = rows[some], columns[some]

    def crowding(slope: float) -> float:
        fallen = np.rint(rows - slope * columns).astype(int)
        return float(np.square(np.bincount(fallen - fallen.min())).sum())

    degrees = np.linspace(-STEEPEST, STEEPEST, 20 * STEEPEST + 1)
    return max(np.tan(np.radians(degrees)).tolist(), key=crowding)


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


def _cut_out(
    ink: Levels,
    chosen: Levels,
    rest: Levels,
    noise: float,
    factor: int,
    shares: tuple[float, float],
) -> tuple[Levels, tuple[int, int, int, int]]:
    """Return the ink of the chosen components alone, from 0 to 255, and its box.

    The shares are `FULL` and `BASE`, or those of low resolution. Nothing is chosen that is as faint
    as noise and the slopes of uneven light.
    """
    full = _quantiles(ink[chosen.astype(bool)], shares[0])[0]
    if full < max(2 * CLEAR * noise, FAINTEST):
        raise NoInkError("it holds nothing but noise")
    base = shares[1] * full
    halo = 2 * factor + 1
    around = cv2.dilate(chosen, np.ones((halo, halo), np.uint8)) & ~rest
    alone = cv2.subtract(cv2.multiply(ink, around), base)
    levels = cv2.convertScaleAbs(alone, alpha=255 / (full - base))
    left, top, width, height = cv2.boundingRect(levels)
    box = top, left, top + height, left + width
    return levels[box[0] : box[2], box[1] : box[3]], box


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
