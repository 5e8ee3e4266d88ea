"""Ink: from a picture of a digit to an array in MNIST's geometry."""

import os
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from inkwise.errors import DataError
from inkwise.files import storage

CANVAS = 28
"""Side of the array that the networks expect, in pixels."""

BOX = 20
"""Side of the square that the ink is scaled to fit, in pixels."""

NOISE = 32
"""How many grey levels from the ground ink begins; paper, a camera and JPEG stay below."""


def read_picture(
    path: str | os.PathLike[str], size: tuple[int, int] = (CANVAS, CANVAS)
) -> NDArray[np.uint8]:
    """Read a picture of one digit as the array that a model takes.

    It may be of any size and any format that Pillow reads, dark on light or light on dark:
    where the border is lighter than middle grey, it is taken for paper. Transparent parts are
    white. A picture that has exactly the model's size, and light ink, is used as it is; any other
    goes through `fit_and_centre`.

    Parameters
    ----------
    path : path-like
    size : tuple of int
        Height and width of the model's images.

    Returns
    -------
    ndarray of uint8, shape `size`
        Light ink on a black ground.

    Raises
    ------
    DataError
        The file is no picture, damaged, blank or too large; or the model's images are not of
        28×28 pixels, and the picture is not of their size with light ink.
    StorageError
        The file is missing or cannot be read.
    """
    levels = _read_grey_levels(path)
    border = np.concatenate([levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]])
    ground = np.uint8(np.median(border))
    if ground <= 127 and levels.shape == size:
        if not levels.any():
            raise DataError(f"{path} is blank: there is no ink in it")
        return levels
    if size != (CANVAS, CANVAS):
        height, width = size
        raise DataError(
            f"{path} is not what this model takes: bring it to {width}×{height} pixels, light ink "
            "on a black ground"
        )
    if ground > 127:
        ink = ground - np.minimum(levels, ground)
    else:
        ink = np.maximum(levels, ground) - ground
    ink[ink < NOISE] = 0
    try:
        return fit_and_centre(ink)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read_grey_levels(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    with storage(path, "read"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        # Pillow warns of a picture that may be meant to fill the memory; twice that it refuses.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return _grey_levels(ImageOps.exif_transpose(image))
        except UnidentifiedImageError as error:
            raise DataError(
                f"{path} is not a picture: save it as PNG or JPEG, or name another file"
            ) from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise DataError(
                f"{path} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: scale it down"
            ) from error
        except Exception as error:  # Pillow has a dozen kinds of "damaged"
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the operating system's
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{path} is damaged: save or copy it again ({reason})") from error


def _grey_levels(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        return np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8)
    if not image.has_transparency_data:
        return np.array(image.convert("L"))
    image = image.convert("RGBA")
    paper = Image.new("L", image.size, 255)
    paper.paste(image.convert("L"), mask=image.getchannel("A"))
    return np.array(paper)


def fit_and_centre(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring light ink on a black ground to MNIST's geometry.

    The ink is cropped, scaled to fit a 20×20 box with its aspect ratio kept and antialiased, and
    pasted on a 28×28 canvas so that its centre of mass falls on pixel (14, 14), to half a pixel and
    as far as the canvas holds all of it. A digit of MNIST comes out as it went in.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W)
        Grey levels; 0 is no ink, 255 is full ink.

    Returns
    -------
    ndarray of uint8, shape (28, 28)

    Raises
    ------
    DataError
        The picture holds no ink at all, or ink too faint to survive scaling.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section on
    the original images: "size normalized to fit in a 20x20 pixel box while preserving their aspect
    ratio [...] centered in a 28x28 image by computing the center of mass of the pixels".
    """
    rows, columns = np.nonzero(picture)
    if rows.size == 0:
        raise DataError("the picture is blank: there is no ink to fit and centre")
    ink = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    # Where it shrinks, Pillow widens the kernel by as much: that is the antialiasing.
    scaled = Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(scaled)

    mass = pixels.astype(np.float64)
    if not mass.any():
        raise DataError("the picture's ink is too faint to survive scaling: raise its contrast")
    centre_row = np.average(np.arange(height), weights=mass.sum(axis=1))
    centre_column = np.average(np.arange(width), weights=mass.sum(axis=0))
    middle = CANVAS / 2  # pixel 14, not 13.5: so are all of MNIST's digits, to half a pixel
    top = int(np.clip(round(middle - centre_row), 0, CANVAS - height))
    left = int(np.clip(round(middle - centre_column), 0, CANVAS - width))
    canvas = np.zeros((CANVAS, CANVAS), dtype=np.uint8)
    canvas[top : top + height, left : left + width] = pixels
    return canvas
