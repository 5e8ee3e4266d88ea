"""Decoding: from a file, its bytes, an image or an array to pixels of a bounded number."""

import contextlib
import dataclasses
import io
import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from inkwise.errors import (
    ArgumentError,
    DataError,
    InkwiseError,
    StorageError,
    TooManyPixelsError,
)
from inkwise.system.files import storage

Picture = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic]
"""A path, an encoded file, an image of Pillow's, or an array; see `inkwise.ink.normalise`."""

SIDE = 800
"""The longest side that is looked at, in pixels; of a large JPEG's at least half as many are."""

STRIP = 1 << 21
"""How many pixels of a large picture are unpacked at a time."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "ICO", "JPEG2000")
"""What is read: rasters only. Others that Pillow knows start programs, as PostScript does."""

SUFFIXES = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""How the names of the files end that are taken for pictures in a folder."""

FAINTEST_INK = 64
"""How far from white the ink on a transparent ground is at least, if it is not white itself."""

_ORIENTATION = 0x0112  # the EXIF tag

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
"""What turns a picture upright, by EXIF orientation."""

_quiet = threading.Lock()  # Python's filter of warnings is one for all threads


@dataclasses.dataclass(frozen=True, eq=False)
class Raster:
    """A picture's pixels, upright, on a ground, and not too many.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey levels, or red, green and blue.
    size : tuple of int
        Height and width of the original, in pixels.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]


def describe(picture: Picture) -> str:
    """Return what an error calls a picture."""
    return str(picture) if isinstance(picture, str | os.PathLike) else "the picture"


def decode(picture: Picture) -> Raster:
    """Decode any picture; one of more than `SIDE` pixels on a side is reduced meanwhile.

    Raises
    ------
    ArgumentError
        It is none of the kinds of `Picture`, or an array of another shape or type of numbers.
    DataError
        It is no picture, damaged or too large, or holds numbers that are not finite.
    StorageError
        The file is missing or cannot be read.
    """
    match picture:
        case str() | os.PathLike():
            with storage(picture, "read"), _open(picture) as file:
                return _read_file(file, str(picture))
        case bytes():
            return _read_file(io.BytesIO(picture), "the picture")
        case Image.Image():
            with _damage("the picture"):
                return _read_image(picture, picture.size)
        case np.ndarray():
            return _read_array(picture)
    raise ArgumentError(
        "a picture is a path, the bytes of a file, a PIL image or a NumPy array, not "
        f"{type(picture).__name__}"
    )


def _open(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(path, "rb")  # noqa: PTH123
    except ValueError as error:  # of what no file can be called
        raise StorageError(f"cannot read {os.fspath(path)!r}: it is no path ({error})") from error


def _read_file(file: IO[bytes], name: str) -> Raster:
    with _damage(name):
        with _quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            # Pillow warns of a picture that may be meant to fill the memory; twice that it refuses.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
        with image:
            _check_tiles(image)
            width, height = size = image.size
            for part in (8, 4, 2):
                if max(image.size) >= part * SIDE / 2:
                    # A JPEG is decoded at a fraction of its size in a fraction of the time.
                    image.draft(None, (max(1, width // part), max(1, height // part)))
                    break
            return _read_image(image, size)


def _check_tiles(image: Image.Image) -> None:
    """Refuse a TIFF whose tiles are too large: they are decoded whole, however small it is."""
    tags = getattr(image, "tag_v2", {})
    if math.prod(tags.get(tag, 0) for tag in _TILE) > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise Image.DecompressionBombError


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    """Turn what Pillow raises about an image into a `DataError`."""
    try:
        yield
    except InkwiseError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not a picture: save it as PNG or JPEG, or name another file"
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise TooManyPixelsError(
            f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: scale it down"
        ) from error
    except Exception as error:  # Pillow has a dozen kinds of "damaged"
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the operating system's
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name} is damaged: save or copy it again ({reason})") from error


def _read_image(image: Image.Image, size: tuple[int, int]) -> Raster:
    """Read an image of Pillow's that had `size`, width and height, before it was decoded."""
    image.load()
    if not all(image.size):
        raise DataError("the picture has no pixels: its width or height is 0")
    width, height = image.size
    to_levels = _levels_of_mode(image)
    pixels = _reduce(
        height,
        width,
        lambda top, bottom: to_levels(_rows(image, top, bottom)),
    )
    orientation = _orientation_of(image)
    turned = _TURNS.get(orientation, np.asarray)(_on_a_ground(pixels))
    upright = size if orientation > 4 else size[::-1]
    return Raster(np.ascontiguousarray(turned), upright)


def _levels_of_mode(image: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """Return what makes 8-bit channels of a part of the image: 1, 3, or 4 with opacity."""
    if image.mode.startswith(("I", "F")):
        # Pillow's own extremes overlook NaN.
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
    with _quiet, warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        # Damaged metadata do not make the pixels worse.
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _read_array(array: NDArray[np.generic]) -> Raster:
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
    # Opacity is a channel like the others here: its full value is theirs.
    pixels = _reduce(height, width, lambda top, bottom: _stretch(array[top:bottom], low, high))
    return Raster(_on_a_ground(pixels), (height, width))


def _span(array: NDArray[np.generic], deepest: int) -> tuple[float, float]:
    """Return which numbers are black and white.

    Black is 0, or the least number where some are negative. White is the first of 1, 255 and
    `deepest` that no number exceeds, or the largest number where that is far from it. So what is
    faint is as faint in any type of numbers.
    """
    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError("the picture holds numbers that are infinite, or none at all (NaN)")
    white = next((float(white) for white in (1, 255, deepest) if high <= white), high)
    return min(low, 0.0), white if low >= 0 and high > white / 8 else high


def _stretch(array: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Bring numbers from [low, high] to [0, 255]."""
    if array.dtype == np.uint8 and (low, high) == (0, 255):
        return array.view(np.uint8)
    span = high / 2 - low / 2  # halves, because a whole span can exceed the largest float
    if span == 0:
        return np.zeros(array.shape, np.uint8)
    share = (array.astype(np.float64) / 2 - low / 2) / span
    return np.rint(share * 255).astype(np.uint8)


def _reduce(
    height: int, width: int, strip: Callable[[int, int], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Put the strips between two rows together, each reduced as soon as it is there."""
    factor = math.ceil(max(height, width) / SIDE)
    if factor == 1:
        return strip(0, height)
    rows = max(1, STRIP // width // factor) * factor
    return np.concatenate(
        [
            np.asarray(Image.fromarray(strip(top, min(top + rows, height))).reduce(factor))
            for top in range(0, height, rows)
        ]
    )


def _on_a_ground(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay what is partly transparent on white; on black, if it could not be seen on white."""
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
