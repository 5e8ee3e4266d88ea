"""Normalisation: from any picture of a digit to the array that the network expects."""

import contextlib
import dataclasses
import os
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkwise.errors import ArgumentError, DataError, InkwiseError, NoInkError
from inkwise.ink.cutting import cut_in_two
from inkwise.ink.decoding import Picture, decode, describe
from inkwise.ink.fitting import BOX, CANVAS, bounds, fit_and_centre, is_fitted
from inkwise.ink.levels import Box

Alone = tuple[tuple[NDArray[np.uint8], ...], ...]
"""Groups of images, each uint8 (28, 28)."""

Polarity = Literal["light ink", "dark ink"]

LIGHT: Polarity = "light ink"
DARK: Polarity = "dark ink"


@dataclasses.dataclass(frozen=True, eq=False)
class Ink:
    """The ink (foreground) of a picture as the network expects it, and how it was found.

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
        Light ink on a black background. For a model whose images have another size, it is the
        picture itself, in that size.
    polarity : {"light ink", "dark ink"}
        Whether the ink was lighter or darker than its background in the picture.
    box : tuple of int
        Top, left, bottom and right of the ink in the picture's pixels, the last two exclusive; a
        photo is turned upright first.
    scale : float
        Pixels of `image` per pixel of the picture.
    dropped : tuple of str
        What else was in the picture and is not in `image`: ruled ``lines``; ``surroundings``, such
        as a box or a ring around the digit; ``specks``.
    unchanged : ndarray of uint8, shape (28, 28), or None
        The picture itself, light ink on a dark background, if it has 28×28 pixels and was not in
        MNIST's geometry: it may be meant for the network as it is, including its noise.
    parts : tuple of tuple of int
        The boxes of what may be several things, like `box`, from left to right; empty if the ink
        is in one part.
    alone : tuple of tuple of ndarray of uint8, shape (28, 28)
        What may be a digit by itself, in the form of `image`: each part, or the two sides of a cut.
        If a model finds them more like its classes than `image`, the picture shows several.
    apart : bool
        Whether the parts are certainly several things, as they are far from each other.
    pieces : int
        In how many pieces the picture's ink is, without dirt and what surrounds it.
    lost : int
        How many of them are not in `image`.
    """

    image: NDArray[np.uint8]
    polarity: Polarity
    box: Box
    scale: float
    dropped: tuple[str, ...] = ()
    unchanged: NDArray[np.uint8] | None = None
    parts: tuple[Box, ...] = ()
    alone: Alone = ()
    apart: bool = False
    pieces: int = 1
    lost: int = 0

    @property
    def readings(self) -> tuple[NDArray[np.uint8], ...]:
        """The images that a model may choose between, by its score; `image` comes first."""
        return (self.image,) if self.unchanged is None else (self.image, self.unchanged)

    def read_as(self, place: int) -> "Ink":
        """Return the ink with one of its `readings`, by its index, as its only image."""
        if place == 0:
            return self if self.unchanged is None else dataclasses.replace(self, unchanged=None)
        height, width = self.readings[place].shape
        return Ink(self.readings[place], self.polarity, (0, 0, height, width), 1.0)


def normalise(picture: Picture, *, together: bool = False) -> Ink:
    """Bring a picture of one digit to what the network expects.

    The ink, which is the foreground of the picture, may be light or dark, of any colour, and
    anywhere on even, shaded, coloured, ruled or squared paper. It is separated from the background,
    given MNIST's contrast, and fitted as `fit_and_centre` does. Strokes much wider or narrower than
    MNIST's are brought to its stroke width, except in a picture of up to 20×20 pixels, whose pixels
    hold parts of strokes. A picture in MNIST's geometry, light on black or dark on white, keeps
    every level.

    Parameters
    ----------
    picture : path-like, bytes, PIL image or ndarray
        A picture in a file of any usual format, the file's bytes, or pixels: an array of shape
        (H, W), (H, W, 3) or (H, W, 4) of booleans, integers or floats. Black is 0, and white the
        first of 1, 255 and, for integers, 65535 that no number exceeds. If none exceeds an eighth
        of that, or some are larger or negative, the largest number is white; a negative smallest
        number is black. Transparent pixels become white, but black if the ink is white. A photo is
        turned upright as its metadata say.
    together : bool
        Whether all ink is kept as one thing, as signs such as i, ÷ and ä are made of several
        pieces. Then nothing is left out but ruled lines and dirt, which is smaller than strokes
        are wide; what may surround a sign stays, too, and nothing is several things.

    Returns
    -------
    Ink

    Raises
    ------
    NoInkError
        There is no ink: blank paper, lines without a digit, uneven light, noise.
    ArgumentError
        The picture is of none of these types, or an array of another shape or dtype.
    DataError
        The file is not a picture, is damaged or has too many pixels, or an array holds numbers that
        are not finite.
    StorageError
        The file is missing or cannot be read.
    """
    raster = decode(picture)
    if raster.pixels.ndim == 2:
        for pixels, polarity in ((raster.pixels, LIGHT), (255 - raster.pixels, DARK)):
            if is_fitted(pixels):
                return Ink(pixels.copy(), polarity, bounds(pixels), 1.0)
    # A picture in MNIST's geometry does not need OpenCV, whose import takes long.
    from inkwise.ink.finding import find_ink
    from inkwise.ink.separation import LOW_RESOLUTION

    try:
        found = find_ink(raster.pixels, together=together)
        image = fit_and_centre(found.levels)
    except NoInkError as error:
        raise NoInkError(f"there is no digit in {describe(picture)}: {error}") from error
    alone: Alone = ()
    for part in found.alone:
        with contextlib.suppress(NoInkError):  # too faint for its size
            alone += ((fit_and_centre(part),),)
    if not together and not found.parts and max(raster.size) > LOW_RESOLUTION:
        alone = cut_in_two(image)
    unchanged = None
    if raster.size == (CANVAS, CANVAS):
        levels = _grey(raster.pixels)
        unchanged = 255 - levels if found.dark else levels.copy()
    height, width = raster.size
    # A large picture was reduced while it was read.
    down, across = height / raster.pixels.shape[0], width / raster.pixels.shape[1]
    top, left, bottom, right = found.box

    def in_the_picture(box: tuple[float, float, float, float]) -> Box:
        top, left, bottom, right = box
        return round(top * down), round(left * across), round(bottom * down), round(right * across)

    return Ink(
        image,
        DARK if found.dark else LIGHT,
        in_the_picture(found.box),
        BOX / max((bottom - top) * down, (right - left) * across),
        found.dropped,
        unchanged,
        tuple(map(in_the_picture, found.parts)),
        alone,
        found.apart,
        found.pieces,
        found.lost,
    )


def normalise_batch(pictures: Iterable[Picture]) -> list[Ink]:
    """Normalise several pictures; see `normalise`.

    Parameters
    ----------
    pictures : iterable
        Pictures as for `normalise`. An array of shape (N, H, W), (N, H, W, 3) or (N, H, W, 4) is N
        pictures.

    Returns
    -------
    list of Ink

    Raises
    ------
    ArgumentError
        This is a single picture.
    InkwiseError
        The error of the first picture that `normalise` refuses, with its index, from 0.
    """
    refuse_single(pictures)
    inks = []
    for place, picture in enumerate(pictures):
        try:
            inks.append(normalise(picture))
        except InkwiseError as error:
            raise type(error)(f"pictures[{place}]: {error}") from error
    return inks


def refuse_single(pictures: object) -> None:
    """Raise `ArgumentError` if this is one picture, or nothing of the kind, and no list of them."""
    single = isinstance(pictures, str | bytes | bytearray | os.PathLike)
    if (shape := getattr(pictures, "shape", None)) is not None:
        single = len(shape) in (0, 2) or (len(shape) == 3 and shape[2] in (3, 4))
    if single or not isinstance(pictures, Iterable):
        raise ArgumentError("this takes a list of pictures: put a single one in brackets")


def take_as_is(picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture as it is, for a model whose images are not 28×28.

    Parameters
    ----------
    picture : path-like, bytes, PIL image or ndarray
        The picture, as for `normalise`.
    size : tuple of int
        Height and width of the model's images, in pixels.

    Returns
    -------
    ndarray of uint8, shape `size`
        Light ink on a black background.

    Raises
    ------
    DataError
        The picture has another size, or its border is light; or as for `normalise`.
    NoInkError, ArgumentError, StorageError
        As for `normalise`; there is no ink if all pixels are black.
    """
    raster = decode(picture)
    levels = _grey(raster.pixels)
    border = np.concatenate([levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]])
    if levels.shape != size or np.median(border) > 127:
        height, width = size
        raise DataError(
            f"{describe(picture)} is not what this model takes: bring it to {width}×{height} "
            "pixels, light ink on a black background"
        )
    if not levels.any():
        raise NoInkError(f"{describe(picture)} is blank: there is no ink in it")
    return levels.copy()


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
