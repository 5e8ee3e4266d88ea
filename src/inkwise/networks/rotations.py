"""Test-time augmentation: the network sees an image rotated by several angles (*looks*)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError

MOST = 16
"""Greatest number of angles at which a model sees an image; each takes as long as the first."""

_LIMIT = 90.0


def check_rotations(rotations: Any) -> None:
    """Make sure that these are different angles in degrees, from -90 to 90, at least one.

    Raises
    ------
    ArgumentError
        The angles are not like that.
    """
    fits = (
        isinstance(rotations, tuple)
        and 1 <= len(rotations) <= MOST
        and all(type(angle) in (int, float) and abs(angle) <= _LIMIT for angle in rotations)
        and len({*rotations}) == len(rotations)
    )
    if not fits:
        raise ArgumentError(
            f"the rotations must be 1 to {MOST} different angles from {-_LIMIT:g} to {_LIMIT:g} "
            f"degrees, not {rotations!r}"
        )


def rotation_grid(image_size: tuple[int, int], degrees: float) -> NDArray[np.float32]:
    """Return the places in an image from which a rotation takes its pixels.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels.
    degrees : float
        Angle of the rotation, counter-clockwise about the image's centre.

    Returns
    -------
    ndarray of float32, shape (1, H, W, 2)
        Column and row for every pixel of the rotated image, as ONNX's GridSample and PyTorch's
        ``grid_sample`` take them with ``align_corners`` false: -1 and 1 are the image's edges.
    """
    height, width = image_size
    rows, columns = np.mgrid[:height, :width] + 0.5
    right, down = columns - width / 2, rows - height / 2
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    from_right, from_down = cosine * right - sine * down, sine * right + cosine * down
    grid = np.stack([2 * from_right / width, 2 * from_down / height], axis=-1)
    return grid[None].astype(np.float32)
