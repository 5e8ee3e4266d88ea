"""Corruptions of images, as caused by poor light, pens, paper and cameras.

These are the fifteen corruptions of MNIST-C, reimplemented with the parameters of its reference
implementation. MNIST-C uses one fixed severity of each, which is the default here. The other
severities are those of the reference implementation where it has any, and our own for the stripe,
the lines and the edges. There are also simple geometric changes: shifts, rotations and scaling.

Random numbers depend only on the seed and the image itself, so the same image is changed in the
same way at any position and in any batch. The direction of a change is the same at every severity,
so that curves over the severity are smooth.

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
"""An image, float32 (H, W), from 0 (background) to 1 (full ink, the foreground)."""

SMALLEST = 8
"""Smallest height and width of an image, in pixels: motion blur and zigzags need room."""


def shot_noise(image: Levels, generator: np.random.Generator, photons: float) -> Levels:
    """Draw every pixel from a Poisson distribution whose mean for full ink is `photons`."""
    return (generator.poisson(image * photons) / photons).astype(np.float32)


def impulse_noise(image: Levels, generator: np.random.Generator, share: float) -> Levels:
    """Set a share of the pixels to full ink or to background, with equal probability."""
    hit = generator.random(image.shape) < share
    salt = generator.random(image.shape) < 0.5
    return np.where(hit, salt, image).astype(np.float32)


def glass_blur(
    image: Levels, generator: np.random.Generator, level: tuple[float, int, int]
) -> Levels:
    """Blur, swap about half of the pixels with nearby ones several times, and blur again.

    `level` is the standard deviation of the blur and the largest distance of a swap, both in
    pixels, and the number of rounds of swaps.
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
    """Blur in a direction up to 45° from the horizontal, as ImageMagick's ``-motion-blur`` does.

    `level` is ImageMagick's radius and sigma, in pixels: the kernel is half of a Gaussian, cut off
    at twice the radius.
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
    """Slant the image to the left or right, at random, by an angle in radians.

    Horizontal lines stay horizontal; heights are divided by the cosine of the angle, as in the
    reference implementation.
    """
    angle *= generator.choice((-1, 1))
    return warp(image, np.array([[1, -math.sin(angle)], [0, math.cos(angle)]]))


def scale(image: Levels, _: np.random.Generator, factor: float) -> Levels:
    """Shrink the image about its centre by a factor."""
    return warp(image, np.eye(2) / factor)


def rotate(image: Levels, generator: np.random.Generator, angle: float) -> Levels:
    """Rotate the image about its centre in a random direction, by an angle in radians."""
    angle *= generator.choice((-1, 1))
    cosine, sine = math.cos(angle), math.sin(angle)
    return warp(image, np.array([[cosine, -sine], [sine, cosine]]))


def brightness(image: Levels, _: np.random.Generator, more: float) -> Levels:
    """Add the same amount to every pixel."""
    return image + np.float32(more)


def translate(image: Levels, generator: np.random.Generator, pixels: int) -> Levels:
    """Shift the image by `pixels` along both axes, in one of the four diagonal directions."""
    return warp(image, np.eye(2), pixels * generator.choice((-1, 1), size=2))


def stripe(image: Levels, _: np.random.Generator, share: float) -> Levels:
    """Invert a vertical band at the left and one at the right, each a share of the width."""
    width = image.shape[1]
    band = max(1, round(share * width))
    result = image.copy()
    result[:, :band] = 1 - result[:, :band]
    result[:, width - band :] = 1 - result[:, width - band :]
    return result


def fog(image: Levels, generator: np.random.Generator, level: tuple[float, float]) -> Levels:
    """Add fog to the image: a plasma fractal.

    `level` is the thickness of the fog relative to full ink, and the factor by which each octave of
    the fractal is weaker than the one before.
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
    """Cover the image with blots of mud, whose level is a quarter of that of full ink.

    The blots are where blurred noise exceeds a bound. `level` is the mean and the standard
    deviation of the noise, the standard deviation of its blur in pixels, the bound, and the blur of
    the edges of the blots in pixels.
    """
    mean, deviation, spread, bound, edge = level
    noise = generator.normal(mean, deviation, image.shape).astype(np.float32)
    blots = _blur((_blur(noise, spread) > bound).astype(np.float32), edge)
    blots[blots < 0.8] = 0
    return image * (1 - blots) + blots * np.float32(63 / 255)


def dotted_line(image: Levels, generator: np.random.Generator, lines: int) -> Levels:
    """Draw dotted straight lines from the left edge to the right edge, two pixels on, two off."""
    height, width = image.shape
    dots = np.arange(width) % 4 >= 2
    result = image
    for _ in range(lines):
        start, end = generator.integers(height - 1, size=2)
        result = np.minimum(result + dots * _line(image.shape, (0, start), (width - 1, end)), 1)
    return result


def zigzag(image: Levels, generator: np.random.Generator, lines: int) -> Levels:
    """Draw zigzag lines from left to right, four pixels high, with a corner every four pixels."""
    height, width = image.shape
    result = image
    for _ in range(lines):
        run = width - 5  # from 2 pixels inside the left edge to about as far inside the right one
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
    """Keep only the outlines: Canny edges after a Gaussian blur of `sigma` pixels."""
    import cv2

    blurred = np.rint(255 * _blur(image, sigma)).astype(np.uint8)
    # The thresholds are scikit-image's defaults, 0.1 and 0.2 of full ink.
    return (cv2.Canny(blurred, 25.5, 51, L2gradient=True) / 255).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Corruption:
    """A corruption at five severities.

    Parameters
    ----------
    apply : callable
        Function from an image, a random generator and a level to the corrupted image, whose values
        may lie outside [0, 1].
    levels : tuple
        The levels that belong to the five severities.
    severity : int
        The severity that MNIST-C uses, from 1 to 5.
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
"""The corruptions of MNIST-C by name, in its order."""


def corrupt(
    images: NDArray[np.uint8], name: str, seed: int = 0, severity: int | None = None
) -> NDArray[np.uint8]:
    """Corrupt every image.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
        Grey levels, light ink on a black background; at least 8×8 pixels. Lengths are in pixels
        and meant for MNIST's 28×28.
    name : str
        Name of the corruption, one of `CORRUPTIONS`.
    seed : int
        Seed, not negative. The same seed changes the same image in the same way, in any batch.
    severity : int, optional
        Severity, from 1 to 5; by default the one that MNIST-C uses.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)
        The corrupted images.

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
    """Shift every image in one of the four diagonal directions, drawn for each.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    pixels : int
        Distance along both axes, not negative. What leaves the image is lost; the pixels that come
        in are background.
    seed : int
        Seed, as for `corrupt`.

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
    """Rotate every image clockwise about its centre; nothing is drawn at random.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    degrees : float
        Angle; negative angles rotate counter-clockwise. What leaves the image is lost; the pixels
        that come in are background.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    Raises
    ------
    ArgumentError
        The images have another type or shape.
    """
    angle = -math.radians(degrees)  # maps the result to the original
    cosine, sine = math.cos(angle), math.sin(angle)
    back = np.array([[cosine, -sine], [sine, cosine]])
    return change_each(images, "turn", 0, lambda image, _: warp(image, back))


def resize(images: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Enlarge or shrink the content of every image about its centre by a factor.

    The size of the image stays the same. Everything else is as for `turn`; a factor that is not
    positive raises `ArgumentError`.
    """
    if not factor > 0:
        raise ArgumentError(f"the factor must be positive, not {factor}")
    return change_each(images, "resize", 0, lambda image, _: warp(image, np.eye(2) / factor))


def check_distance(pixels: int) -> None:
    """Raise `ArgumentError` if a distance is negative."""
    if pixels < 0:
        raise ArgumentError(f"the distance must be 0 pixels or more, not {pixels}")


def change_each(
    images: NDArray[np.uint8],
    name: str,
    seed: int,
    change: Callable[[Levels, np.random.Generator], Levels],
) -> NDArray[np.uint8]:
    """Change each image separately, with random numbers that depend on the image and the seed.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    name : str
        Name of the change; changes with different names draw different random numbers.
    seed : int
        Seed, 0 or more.
    change : callable
        Function from an image, float32 (H, W) from 0 to 1, and a random generator to the changed
        image.

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
        raise ArgumentError(f"the seed must be 0 or more, not {seed}")
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
    """Apply an affine map with bilinear interpolation; beyond the edges there is background.

    `turn`, (2, 2), maps positions (x, y) in the result to positions in the image, both relative to
    the centre; `shift`, in pixels to the right and down, is applied last.
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
    """Draw a line from `start` to `end`, (x, y), to the right; it fades out within 1.5 pixels."""
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

    while len(heights) < side:  # the map is periodic
        below = heights + np.roll(heights, -1, axis=0)
        centres = displace(below + np.roll(below, -1, axis=1))
        across = heights + np.roll(heights, -1, axis=1) + centres + np.roll(centres, 1, axis=0)
        down = below + centres + np.roll(centres, 1, axis=1)
        finer = np.empty((2 * len(heights),) * 2, np.float32)
        finer[::2, ::2], finer[1::2, 1::2] = heights, centres
        finer[::2, 1::2], finer[1::2, ::2] = displace(across), displace(down)
        heights = finer
        roughness /= np.float32(decay**2)  # the reference scales by the square of its roughness
    heights -= heights.min()
    return heights / heights.max()
