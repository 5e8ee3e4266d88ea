"""Corruptions: digits as poor light, pens, paper and cameras would give them.

The fifteen of MNIST-C, written anew with the parameters of its reference implementation. There each
has one fixed severity, which is the default here; the other grades are the reference
implementation's where it has any, and ours for the stripe, the lines and the edges. Beside them
stand simple ways in which digits from elsewhere differ: moved, or of less contrast.

What is random is drawn from the seed and the image itself, so that the same image is changed in the
same way wherever it stands and however the images are split into batches; and in the same direction
at every severity, so that a curve over severities is smooth.

References
----------
N. Mu, J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019, arXiv:1906.02337;
reference implementation: https://github.com/google-research/mnist-c
"""

import dataclasses
import itertools
import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError

Levels = NDArray[np.float32]
"""An image, float32 (H, W), from 0 (ground) to 1 (full ink)."""

SMALLEST = 8
"""The least height and width of an image, in pixels: a motion or a zigzag needs room."""


def shot_noise(image: Levels, generator: np.random.Generator, photons: float) -> Levels:
    """Draw every pixel from a Poisson distribution; `photons` make full ink."""
    return (generator.poisson(image * photons) / photons).astype(np.float32)


def impulse_noise(image: Levels, generator: np.random.Generator, share: float) -> Levels:
    """Turn a share of the pixels into full ink or ground, either as often."""
    hit = generator.random(image.shape) < share
    salt = generator.random(image.shape) < 0.5
    return np.where(hit, salt, image).astype(np.float32)


def glass_blur(
    image: Levels, generator: np.random.Generator, level: tuple[float, int, int]
) -> Levels:
    """Blur, swap about half of the pixels with near ones, several times over, and blur again.

    `level` is the blur's standard deviation, the farthest swap, both in pixels, and the rounds.
    """
    sigma, reach, rounds = level
    height, width = image.shape
    rows = np.arange(height - reach, reach, -1)[:, None]
    columns = np.arange(width - reach, reach, -1)
    draws = rounds, len(rows), len(columns)
    swapped = generator.random(draws) < 0.5
    down, right = generator.integers(-reach, reach, size=(2, *draws))
    here = np.broadcast_to(rows * width + columns, draws)[swapped]
    there = ((rows + down) * width + columns + right)[swapped]
    pixels = _blur(image, sigma).ravel().tolist()
    for one, other in zip(here.tolist(), there.tolist(), strict=True):
        pixels[one], pixels[other] = pixels[other], pixels[one]
    return _blur(np.array(pixels, np.float32).reshape(image.shape), sigma)


def motion_blur(image: Levels, generator: np.random.Generator, level: tuple[int, float]) -> Levels:
    """Smear the image up to 45° off the horizontal, as ImageMagick's ``-motion-blur`` does.

    `level` is ImageMagick's radius and sigma, in pixels: half of a Gaussian's bell, cut off at
    twice the radius.
    """
    import cv2

    radius, sigma = level
    angle = math.radians(generator.uniform(-45, 45))
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    across, down = (
        np.rint(steps * part).astype(int) for part in (math.cos(angle), math.sin(angle))
    )
    kernel = np.zeros((4 * radius + 1, 4 * radius + 1), np.float32)
    kernel[2 * radius + down, 2 * radius + across] = weights / weights.sum()
    smeared = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smeared, np.float32)


def shear(image: Levels, generator: np.random.Generator, angle: float) -> Levels:
    """Slant the image to one side or the other, by an angle in radians.

    Level lines stay as they are; heights grow by the inverse of the angle's cosine, as with the
    reference implementation.
    """
    angle *= generator.choice((-1, 1))
    return warp(image, np.array([[1, -math.sin(angle)], [0, math.cos(angle)]]))


def scale(image: Levels, _: np.random.Generator, factor: float) -> Levels:
    """Shrink the image about its middle."""
    return warp(image, np.eye(2) / factor)


def rotate(image: Levels, generator: np.random.Generator, angle: float) -> Levels:
    """Turn the image to one side or the other, by an angle in radians."""
    angle *= generator.choice((-1, 1))
    cosine, sine = math.cos(angle), math.sin(angle)
    return warp(image, np.array([[cosine, -sine], [sine, cosine]]))


def brightness(image: Levels, _: np.random.Generator, more: float) -> Levels:
    """Lighten every pixel by as much."""
    return image + np.float32(more)


def translate(image: Levels, generator: np.random.Generator, pixels: int) -> Levels:
    """Move the image by as many pixels along both axes, along one of the four diagonals."""
    return warp(image, np.eye(2), pixels * generator.choice((-1, 1), size=2))


def stripe(image: Levels, _: np.random.Generator, share: float) -> Levels:
    """Invert a share of the width at the left, and as much at the right."""
    width = image.shape[1]
    band = max(1, round(share * width))
    result = image.copy()
    result[:, :band] = 1 - result[:, :band]
    result[:, width - band :] = 1 - result[:, width - band :]
    return result


def fog(image: Levels, generator: np.random.Generator, level: tuple[float, float]) -> Levels:
    """Lay fog over the image: a plasma fractal.

    `level` is how thick the fog is, beside full ink, and by how much an octave of it is weaker than
    the one before.
    """
    thickness, decay = level
    height, width = image.shape
    side = max(256, 1 << (max(height, width) - 1).bit_length())
    peak = image.max()
    clouds = _plasma(generator, side, decay)[:height, :width]
    return (image + thickness * clouds) * (peak / (peak + thickness))


def spatter(
    image: Levels, generator: np.random.Generator, level: tuple[float, float, float, float, float]
) -> Levels:
    """Cover the image with blots of mud, a quarter as light as ink.

    `level` describes where they fall, namely where blurred noise exceeds a bound: the noise's mean
    and standard deviation, its blur in pixels, the bound, and the blur of the blots' edges in
    pixels.
    """
    mean, deviation, spread, bound, edge = level
    noise = generator.normal(mean, deviation, image.shape).astype(np.float32)
    blots = _blur((_blur(noise, spread) > bound).astype(np.float32), edge)
    blots[blots < 0.8] = 0
    return image * (1 - blots) + blots * np.float32(63 / 255)


def dotted_line(image: Levels, generator: np.random.Generator, lines: int) -> Levels:
    """Draw dotted straight lines from the left edge to the right one, two pixels on, two off."""
    height, width = image.shape
    dots = np.arange(width) % 4 >= 2
    result = image
    for _ in range(lines):
        start, end = generator.integers(height - 1, size=2)
        result = np.minimum(result + dots * _line(image.shape, (0, start), (width - 1, end)), 1)
    return result


def zigzag(image: Levels, generator: np.random.Generator, lines: int) -> Levels:
    """Draw zigzag lines from left to right, four pixels high and four long a stroke."""
    height, width = image.shape
    result = image
    for _ in range(lines):
        run = width - 5  # from two pixels in to two pixels in
        steepest = max(1, run // 4)
        start, rise = generator.integers(height - 1), generator.integers(-steepest, steepest)
        length = math.hypot(run, rise)
        along = np.array([0, *np.arange(2, length, 4), length])
        across = np.array([0, *(2.0 * (-1) ** k for k in range(len(along) - 2)), 0])
        cosine, sine = run / length, rise / length
        xs = 2 + cosine * along - sine * across
        ys = start + sine * along + cosine * across
        corners = list(zip(xs.tolist(), ys.tolist(), strict=True))
        for corner, following in itertools.pairwise(corners):
            result = np.minimum(result + _line(image.shape, corner, following), 1)
    return result


def canny_edges(image: Levels, _: np.random.Generator, sigma: float) -> Levels:
    """Leave the outlines only: Canny's edges, after a blur in pixels."""
    import cv2

    blurred = np.rint(255 * _blur(image, sigma)).astype(np.uint8)
    # scikit-image's thresholds, as shares of full ink: 0.1 and 0.2.
    return (cv2.Canny(blurred, 25.5, 51, L2gradient=True) / 255).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Corruption:
    """A corruption in five grades.

    Parameters
    ----------
    apply : callable
        From an image, a generator and a level to the corrupted image, beyond [0, 1] perhaps.
    levels : tuple
        What the five severities mean to it.
    severity : int
        MNIST-C's.
    """

    apply: Callable[[Levels, np.random.Generator, Any], Levels]
    levels: tuple[Any, Any, Any, Any, Any]
    severity: int


CORRUPTIONS = {
    "shot noise": Corruption(shot_noise, (60, 25, 12, 5, 3), 5),
    "impulse noise": Corruption(impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), 4),
    "glass blur": Corruption(
        glass_blur, ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)), 1
    ),
    "motion blur": Corruption(motion_blur, ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)), 1),
    "shear": Corruption(shear, (0.2, 0.4, 0.6, 0.8, 1.0), 2),
    "scale": Corruption(scale, (0.9, 0.8, 0.7, 0.6, 0.5), 3),
    "rotate": Corruption(rotate, (0.2, 0.4, 0.6, 0.8, 1.0), 2),
    "brightness": Corruption(brightness, (0.1, 0.2, 0.3, 0.4, 0.5), 5),
    "translate": Corruption(translate, (1, 2, 3, 4, 5), 3),
    "stripe": Corruption(stripe, (1 / 12, 1 / 6, 1 / 4, 1 / 3, 5 / 12), 3),
    "fog": Corruption(fog, ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)), 5),
    "spatter": Corruption(
        spatter,
        (
            (0.65, 0.3, 4, 0.69, 0.6),
            (0.65, 0.3, 3, 0.68, 0.6),
            (0.65, 0.3, 2, 0.68, 0.5),
            (0.65, 0.3, 1, 0.65, 1.5),
            (0.67, 0.4, 1, 0.65, 1.5),
        ),
        4,
    ),
    "dotted line": Corruption(dotted_line, (1, 2, 3, 4, 5), 1),
    "zigzag": Corruption(zigzag, (1, 2, 3, 4, 5), 1),
    "canny edges": Corruption(canny_edges, (0.6, 0.8, 1.0, 1.3, 1.6), 3),
}
"""MNIST-C's corruptions by name, in its order."""


def corrupt(
    images: NDArray[np.uint8], name: str, seed: int = 0, severity: int | None = None
) -> NDArray[np.uint8]:
    """Corrupt every image.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
        Grey levels, light ink on a black ground; at least 8×8 pixels. Lengths are in pixels,
        meant for MNIST's 28×28.
    name : str
        One of `CORRUPTIONS`.
    seed : int
        Not negative. The same seed changes the same image in the same way, in any batch.
    severity : int, optional
        From 1 to 5; by default MNIST-C's.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    Raises
    ------
    ArgumentError
        There is no such corruption or severity, the seed is negative, or the images have another
        type or shape.
    """
    if name not in CORRUPTIONS:
        raise ArgumentError(f"unknown corruption {name!r}: use one of {', '.join(CORRUPTIONS)}")
    corruption = CORRUPTIONS[name]
    grade = corruption.severity if severity is None else severity
    if grade not in range(1, 6):
        raise ArgumentError(f"the severity must be a whole number from 1 to 5, not {severity}")
    level = corruption.levels[int(grade) - 1]
    return change_each(
        images, name, seed, lambda image, generator: corruption.apply(image, generator, level)
    )


def move(images: NDArray[np.uint8], pixels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Move every image along one of the four diagonals, drawn for each.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    pixels : int
        How far along both axes; not negative. What leaves the image is lost, and what comes in is
        ground.
    seed : int
        As for `corrupt`.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    Raises
    ------
    ArgumentError
        The distance or the seed is negative, or the images have another type or shape.
    """
    check_distance(pixels)
    return change_each(
        images, "move", seed, lambda image, generator: translate(image, generator, pixels)
    )


def turn(images: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turn every image clockwise about its middle; nothing is drawn at random.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    degrees : float
        Negative to turn it the other way. What leaves the image is lost, and what comes in is
        ground.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    Raises
    ------
    ArgumentError
        The images have another type or shape.
    """
    angle = -math.radians(degrees)  # from the result to its origin
    cosine, sine = math.cos(angle), math.sin(angle)
    back = np.array([[cosine, -sine], [sine, cosine]])
    return change_each(images, "turn", 0, lambda image, _: warp(image, back))


def resize(images: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Draw what is in every image larger or smaller by a factor, about its middle.

    Otherwise it is like `turn`; a factor that is not positive is an `ArgumentError`, too.
    """
    if not factor > 0:
        raise ArgumentError(f"images are resized by a positive factor, not by {factor}")
    return change_each(images, "resize", 0, lambda image, _: warp(image, np.eye(2) / factor))


def check_distance(pixels: int) -> None:
    """Raise `ArgumentError` where a distance is negative."""
    if pixels < 0:
        raise ArgumentError(f"images move by 0 pixels or more, not by {pixels}")


def change_each(
    images: NDArray[np.uint8],
    name: str,
    seed: int,
    change: Callable[[Levels, np.random.Generator], Levels],
) -> NDArray[np.uint8]:
    """Change every image by itself, with random numbers that depend on the image and the seed.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    name : str
        Of the change: two changes draw different numbers.
    seed : int
        0 or more.
    change : callable
        Given an image, float32 (H, W) from 0 to 1, and a generator, returns the changed image.

    Raises
    ------
    ArgumentError
        The images have another type or shape or are too small, or the seed is negative.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or min(images.shape[1:]) < SMALLEST:
        raise ArgumentError(
            f"corruptions take uint8 images of shape (N, H, W), {SMALLEST}×{SMALLEST} pixels or "
            f"more, not {images.dtype} of shape {images.shape}"
        )
    if seed < 0:
        raise ArgumentError(f"the seed must not be negative, as {seed} is")
    changed = np.empty_like(images, order="C")
    named = zlib.crc32(name.encode())
    for image, result in zip(np.ascontiguousarray(images), changed, strict=True):
        generator = np.random.default_rng([seed, zlib.crc32(image, named)])
        levels = change(image.astype(np.float32) / 255, generator)
        np.rint(255 * np.clip(levels, 0, 1), out=result, casting="unsafe")
    return changed


def _blur(image: Levels, sigma: float) -> Levels:
    import cv2

    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def warp(
    image: Levels, turn: NDArray[np.float64], shift: NDArray[np.int64] | None = None
) -> Levels:
    """Sample the image bilinearly, ground beyond its edges.

    `turn` leads from a place in the result to its origin, both off the middle; `shift`, to the
    right and down, comes last.
    """
    import cv2

    height, width = image.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    target = middle if shift is None else middle + shift
    affine = np.column_stack([turn, middle - turn @ target])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, affine, (width, height), flags=flags)
    return np.asarray(warped, np.float32)


def _line(shape: tuple[int, int], start: tuple[float, float], end: tuple[float, float]) -> Levels:
    """Draw a straight line from left to right, given (x, y), that fades out in 1.5 pixels."""
    (left, top), (right, bottom) = start, end
    height, width = shape
    columns = np.arange(width)
    ys = top + (bottom - top) / (right - left) * (columns - left)
    distance = np.abs(np.arange(height)[:, None] - ys)
    ink = np.maximum(0, 1 + np.log1p(-np.minimum(distance, 2.2) / 2.3))
    ink[:, (columns < math.floor(left)) | (columns >= math.ceil(right))] = 0
    return ink.astype(np.float32)


def _plasma(generator: np.random.Generator, side: int, decay: float) -> Levels:
    """Draw a plasma fractal, float32 (side, side), from 0 to 1, by the diamond-square algorithm.

    References
    ----------
    A. Fournier, D. Fussell, L. Carpenter, "Computer rendering of stochastic models",
    Communications of the ACM 25 (1982) 371–384.
    """
    heights = np.zeros((1, 1), np.float32)
    roughness = np.float32(1)

    def displace(sum_of_four: Levels) -> Levels:
        noise = generator.random(sum_of_four.shape, np.float32)
        return sum_of_four / 4 + roughness * (2 * noise - 1)

    while len(heights) < side:  # the map repeats itself beyond its edges
        below = heights + np.roll(heights, -1, axis=0)
        centres = displace(below + np.roll(below, -1, axis=1))
        across = heights + np.roll(heights, -1, axis=1) + centres + np.roll(centres, 1, axis=0)
        down = below + centres + np.roll(centres, 1, axis=1)
        finer = np.empty((2 * len(heights),) * 2, np.float32)
        finer[::2, ::2], finer[1::2, 1::2] = heights, centres
        finer[::2, 1::2], finer[1::2, ::2] = displace(across), displace(down)
        heights = finer
        roughness /= np.float32(decay**2)  # the reference draws within the square of its roughness
    heights -= heights.min()
    return heights / heights.max()
