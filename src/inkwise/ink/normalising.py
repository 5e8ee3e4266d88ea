"""Normalising: from any picture of a digit to the array that the network expects."""

import dataclasses
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkwise.errors import DataError, InkwiseError, NoInkError
from inkwise.ink.decoding import Picture, decode, describe
from inkwise.ink.fitting import BOX, CANVAS, bounds, fit_and_centre, is_fitted

Polarity = Literal["light ink", "dark ink"]

LIGHT: Polarity = "light ink"
DARK: Polarity = "dark ink"


@dataclasses.dataclass(frozen=True, eq=False)
class Ink:
    """A digit as the network expects it, and what was done to its picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
        Light ink on a black ground. For a model of another size it has that, and is the picture.
    polarity : {"light ink", "dark ink"}
        What the ink was in the picture, beside its ground.
    box : tuple of int
        Top, left, bottom and right of the ink in the picture's pixels, the last two just beyond
        it; of a photo, when it is turned upright.
    scale : float
        Pixels of `image` per pixel of the picture.
    dropped : tuple of str
        What else was in the picture and is not in `image`: ``lines`` that were ruled, ``specks``.
    unchanged : ndarray of uint8, shape (28, 28), or None
        The picture itself, light ink on a dark ground, where it has 28×28 pixels and was not in
        MNIST's geometry: it may be meant for the network as it is, noise and all.
    """

    image: NDArray[np.uint8]
    polarity: Polarity
    box: tuple[int, int, int, int]
    scale: float
    dropped: tuple[str, ...] = ()
    unchanged: NDArray[np.uint8] | None = None

    @property
    def readings(self) -> tuple[NDArray[np.uint8], ...]:
        """What a network may look at, to choose what it knows better; `image` comes first."""
        return (self.image,) if self.unchanged is None else (self.image, self.unchanged)

    def read_as(self, place: int) -> "Ink":
        """Return the ink with one of its `readings` as its image, and no other."""
        if place == 0:
            return dataclasses.replace(self, unchanged=None)
        height, width = self.readings[place].shape
        return Ink(self.readings[place], self.polarity, (0, 0, height, width), 1.0)


def normalise(picture: Picture) -> Ink:
    """Bring a picture of one digit to what the network expects.

    The ink may be light or dark, of any colour, on even, shaded, coloured, ruled or squared paper,
    and anywhere in the picture. It is cut out, given the contrast and, where it is far from it, the
    stroke width of MNIST, and fitted as `fit_and_centre` does; a picture of up to 20×20 pixels,
    which hold parts of strokes, keeps their width. A picture in MNIST's geometry, light on black
    or dark on white, keeps every level.

    Parameters
    ----------
    picture : path-like, bytes, PIL image or ndarray
        A picture in a file of any usual format, the file's bytes, or pixels: an array of shape
        (H, W), (H, W, 3) or (H, W, 4) of booleans, integers or floats. Numbers from 0 to 1, to 255
        or, of integers, to 65535 mean black to white. Where none exceeds an eighth of that, or some
        are larger or negative, the largest is white; the least is black where it is negative. What
        is transparent is white, but black where the ink is white. A photo is turned upright as its
        metadata say.

    Returns
    -------
    Ink

    Raises
    ------
    NoInkError
        There is no ink: blank paper, lines without a digit, uneven light, noise.
    ArgumentError
        It is none of these, or an array of another shape or type.
    DataError
        The picture is damaged, none, or too large, or some of its numbers are not finite.
    StorageError
        The file is missing or cannot be read.
    """
    raster = decode(picture)
    if raster.pixels.ndim == 2:
        for pixels, polarity in ((raster.pixels, LIGHT), (255 - raster.pixels, DARK)):
            if is_fitted(pixels):
                return Ink(pixels.copy(), polarity, bounds(pixels), 1.0)
    # OpenCV takes longer to import than a digit of MNIST's to be looked at.
    from inkwise.ink.finding import find_ink

    try:
        found = find_ink(raster.pixels)
        image = fit_and_centre(found.levels)
    except NoInkError as error:
        raise NoInkError(f"there is no digit in {describe(picture)}: {error}") from error
    unchanged = None
    if raster.size == (CANVAS, CANVAS):
        levels = _grey(raster.pixels)
        unchanged = 255 - levels if found.dark else levels.copy()
    height, width = raster.size
    # A large picture was reduced while it was read.
    down, across = height / raster.pixels.shape[0], width / raster.pixels.shape[1]
    top, left, bottom, right = found.box
    return Ink(
        image,
        DARK if found.dark else LIGHT,
        (
            round(top * down),
            round(left * across),
            round(bottom * down),
            round(right * across),
        ),
        BOX / max((bottom - top) * down, (right - left) * across),
        found.dropped,
        unchanged,
    )


def normalise_batch(pictures: Iterable[Picture]) -> list[Ink]:
    """Normalise several pictures; see `normalise`.

    Parameters
    ----------
    pictures : iterable
        An array of shape (N, H, W) or (N, H, W, 3 or 4) is N pictures.

    Returns
    -------
    list of Ink

    Raises
    ------
    InkwiseError
        The first one that `normalise` refuses a picture with, and the picture's place, from 0.
    """
    inks = []
    for place, picture in enumerate(pictures):
        try:
            inks.append(normalise(picture))
        except InkwiseError as error:
            raise type(error)(f"pictures[{place}]: {error}") from error
    return inks


def take_as_is(picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture as it is, for a model whose images are not in MNIST's geometry.

    Parameters
    ----------
    picture : path-like, bytes, PIL image or ndarray
        As for `normalise`.
    size : tuple of int
        Height and width of the model's images.

    Returns
    -------
    ndarray of uint8, shape `size`
        Light ink on a black ground.

    Raises
    ------
    DataError
        The picture has another size, or its border is light; or as `normalise` does.
    NoInkError, ArgumentError, StorageError
        As `normalise` does; ink is missing where all is black.
    """
    raster = decode(picture)
    levels = _grey(raster.pixels)
    border = np.concatenate([levels[0], levels[-1], levels[1:-1, 0], levels[1:-1, -1]])
    if levels.shape != size or np.median(border) > 127:
        height, width = size
        raise DataError(
            f"{describe(picture)} is not what this model takes: bring it to {width}×{height} "
            "pixels, light ink on a black ground"
        )
    if not levels.any():
        raise NoInkError(f"{describe(picture)} is blank: there is no ink in it")
    return levels.copy()


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
