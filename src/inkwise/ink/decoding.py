"""Decoding: from a file, its bytes, a PIL image or an array to a bounded number of pixels."""

import contextlib
import dataclasses
import io
import math
import os
import warnings
from collections.abc import Callable
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkwise.errors import ArgumentError, DataError
from inkwise.ink.image_files import (
    Page,
    count_pages,
    naming_damage,
    open_file,
    open_image,
    quietly,
)
from inkwise.ink.plain_png import LARGEST as PLAIN_BYTES
from inkwise.ink.plain_png import read_plain_png
from inkwise.system.files import storage

Picture = str | os.PathLike[str] | bytes | Page | Image.Image | NDArray[np.generic]
"""A path, the bytes of a file, a page, a PIL image or an array; see `inkwise.ink.normalise`."""

SIDE = 800
"""Longest side after decoding, in pixels, unless another is asked for.

Larger pictures are reduced, to half of it at least.
"""

STRIP = 1 << 21
"""Number of pixels of a large picture that are converted to grey levels or colours at a time."""

FAINTEST_INK = 64
"""Least difference from white, in grey levels, of ink that is visible on a white background."""

_ORIENTATION = 0x0112  # EXIF's tag of the orientation

_TILE = (0x0142, 0x0143)  # TIFF's tags of a tile's width and length

_TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(np.swapaxes(pixels, 0, 1), 2),
    8: np.rot90,
}
"""Functions that turn a picture upright, by EXIF orientation."""


@dataclasses.dataclass(frozen=True, eq=False)
class Raster:
    """A picture's pixels: upright, without transparency, and few enough on each side.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey levels, or red, green and blue, from 0 to 255.
    size : tuple of int
        Height and width of the original picture when it is upright, in pixels.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]


def describe(picture: Picture) -> str:
    """Return the name of a picture in error messages."""
    if isinstance(picture, Page):
        page = f", page {picture.place + 1}" if picture.place else ""
        return (picture.name or describe(picture.file)) + page
    return str(picture) if isinstance(picture, str | os.PathLike) else "the picture"


def decode(picture: Picture, side: int = SIDE) -> Raster:
    """Decode any picture; one of more pixels on a side is reduced while it is read.

    Parameters
    ----------
    picture : Picture
        The picture.
    side : int
        Longest side after decoding, in pixels.

    Raises
    ------
    ArgumentError
        The picture is of none of the types of `Picture`, or an array of another shape or dtype.
    DataError
        The file is not a picture, is damaged or has too many pixels, or an array holds numbers that
        are not finite.
    StorageError
        The file is missing or cannot be read.
    """
    match picture:
        case str() | os.PathLike():
            with storage(picture, "read"), open_file(picture) as file:
                return _read_file(file, str(picture), side)
        case Page(source, place, _):
            if isinstance(source, bytes):
                return _read_file(io.BytesIO(source), describe(picture), side, place)
            with storage(source, "read"), open_file(source) as file:
                return _read_file(file, describe(picture), side, place)
        case bytes():
            return _read_file(io.BytesIO(picture), "the picture", side)
        case Image.Image():
            with naming_damage("the picture"):
                return _read_image(picture, picture.size, side)
        case np.ndarray():
            return _read_array(picture, side)
    raise ArgumentError(
        "a picture is a path, the bytes of a file, a PIL image or a NumPy array, not "
        f"{type(picture).__name__}"
    )


def _read_file(file: IO[bytes], name: str, side: int, page: int | None = None) -> Raster:
    """Read a page of a file; without a page the first, with a warning if there are more."""
    if not page:
        pixels = read_plain_png(file.read(PLAIN_BYTES + 1), side)
        if pixels is not None:
            return Raster(pixels, (pixels.shape[0], pixels.shape[1]))
        file.seek(0)
    with open_image(file, name, page or 0) as image:
        _check_tiles(image)
        with quietly():
            pages = count_pages(image) if page is None else 1
        if pages > 1:
            warnings.warn(
                f"{name} has {pages:,} pages or frames, and the first is read: "
                "inkwise.find_pictures gives all of them",
                stacklevel=2,
            )
        width, height = size = image.size
        for part in (8, 4, 2):
            if max(image.size) >= part * side / 2:
                # A JPEG is decoded at a fraction of its size in a fraction of the time.
                image.draft(None, (max(1, width // part), max(1, height // part)))
                break
        return _read_image(image, size, side)


def _check_tiles(image: Image.Image) -> None:
    """Refuse a TIFF whose tiles are too large: Pillow decodes them whole, however small it is."""
    tags = getattr(image, "tag_v2", {})
    if math.prod(tags.get(tag, 0) for tag in _TILE) > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise Image.DecompressionBombError


def _read_image(image: Image.Image, size: tuple[int, int], side: int) -> Raster:
    """Read a PIL image; `size` is its width and height before the decoder reduced it."""
    image.load()
    if not all(image.size + size):  # a damaged file may tell another size before it is decoded
        raise DataError("the picture has no pixels: its width or height is 0")
    width, height = image.size
    to_levels = _levels_of_mode(image)
    pixels = _reduce(
        height,
        width,
        lambda top, bottom: to_levels(_rows(image, top, bottom)),
        side,
    )
    orientation = _orientation_of(image)
    turned = _TURNS.get(orientation, np.asarray)(_on_a_background(pixels))
    upright = size if orientation > 4 else size[::-1]
    return Raster(np.ascontiguousarray(turned), upright)


def _levels_of_mode(image: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """Return a function from a part of the image to 8-bit channels: 1, 3, or 4 with opacity."""
    if image.mode.startswith(("I", "F")):
        # Pillow's own `getextrema` overlooks NaN.
        step = max(1, STRIP // image.width)
        strips = (
            np.asarray(_rows(image, top, min(top + step, image.height)))
            for top in range(0, image.height, step)
        )
        extremes = np.array([(strip.min(), strip.max()) for strip in strips])
        low, high = _span(extremes, deepest=65535)
        return lambda part: _stretch(np.asarray(part), low, high)
    grey = "L" if image.mode in ("1", "L") else "RGB"
    mode = "RGBA" if image.has_transparency_data else grey
    return lambda part: np.asarray(part.convert(mode))


def _rows(image: Image.Image, top: int, bottom: int) -> Image.Image:
    return image.crop((0, top, image.width, bottom))


def _orientation_of(image: Image.Image) -> int:
    with quietly(), contextlib.suppress(Exception):
        # A picture with damaged metadata is read as it stands.
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _read_array(array: NDArray[np.generic], side: int) -> Raster:
    if array.dtype.kind not in "buif":
        raise ArgumentError(f"a picture's array holds numbers, not {array.dtype}")
    channels = array.shape[2:]
    if array.ndim not in (2, 3) or channels not in ((), (1,), (3,), (4,)):
        raise ArgumentError(
            f"a picture's array has shape (H, W), (H, W, 3) or (H, W, 4), not {array.shape}"
        )
    if array.size == 0:
        raise DataError("the picture has no pixels: its width or height is 0")
    if channels == (1,):
        array = array[..., 0]
    height, width = array.shape[:2]
    low, high = 0.0, 255.0
    if array.dtype != np.uint8 or array.max() <= 1:
        low, high = _span(array, deepest=255 if array.dtype.kind == "f" else 65535)
    # Opacity is scaled like the other channels: what means white in them is full opacity.
    pixels = _reduce(
        height, width, lambda top, bottom: _stretch(array[top:bottom], low, high), side
    )
    return Raster(_on_a_background(pixels), (height, width))


def _span(array: NDArray[np.generic], deepest: int) -> tuple[float, float]:
    """Return the numbers that mean black and white.

    Black is 0, or the smallest number if some are negative. White is the first of 1, 255 and
    `deepest` that no number exceeds; so a picture is as faint in any type of numbers. It is the
    largest number if that is at most an eighth of this or exceeds `deepest`, or if some numbers are
    negative.
    """
    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError("the picture holds numbers that are infinite or NaN: make them finite")
    white = next((float(white) for white in (1, 255, deepest) if high <= white), high)
    return min(low, 0.0), white if low >= 0 and high > white / 8 else high


def _stretch(array: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Scale numbers from [low, high] to [0, 255]."""
    if array.dtype == np.uint8 and (low, high) == (0, 255):
        return array.view(np.uint8)
    span = high / 2 - low / 2  # halves, because a whole span can exceed the largest float
    if span == 0:
        return np.zeros(array.shape, np.uint8)
    share = (array.astype(np.float64) / 2 - low / 2) / span
    return np.rint(share * 255).astype(np.uint8)


def _reduce(
    height: int, width: int, strip: Callable[[int, int], NDArray[np.uint8]], side: int
) -> NDArray[np.uint8]:
    """Join strips of rows to a picture of at most `side` pixels a side.

    `strip` returns the pixels from one row up to another. Each strip is reduced at once, so that
    the picture is never in memory at full size.
    """
    factor = math.ceil(max(height, width) / side)
    if factor == 1:
        return strip(0, height)
    rows = max(1, STRIP // width // factor) * factor
    return np.concatenate(
        [
            np.asarray(Image.fromarray(strip(top, min(top + rows, height))).reduce(factor))
            for top in range(0, height, rows)
        ]
    )


def _on_a_background(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend transparent pixels with white, or with black if the ink is not visible on white.

    The result has one channel if red, green and blue are equal everywhere.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        colours, opacity = (
            pixels[..., :3].astype(np.uint16),
            pixels[..., 3:].astype(np.uint16),
        )
        laid = colours * opacity
        on_white = ((laid + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
        seen = on_white.min() < 255 - FAINTEST_INK
        pixels = on_white if seen else ((laid + 127) // 255).astype(np.uint8)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        return pixels[..., 0]
    return pixels
