"""Colours: the channel of grey levels in which ink and background differ most."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.levels import Levels

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the luminance, ITU-R BT.601."""

ONE_HUE = 0.95
"""Least share of the variation of colours along one axis, in pictures of one ink on one paper."""

COARSE = 128
"""Longest side of the reduced picture that tells which colours there are, in pixels."""


def strongest_grey(picture: NDArray[np.uint8]) -> Levels:
    """Return grey levels in which ink and background differ most, uint8 (H, W).

    They are a weighted sum of red, green and blue. Subtracting a local mean removes slow changes of
    the colours, which are those of the light. The weights are the first principal component of the
    rest. So red ink is visible on green paper of the same luminance. Where the colours go through
    several hues on an even background, the levels are distances from the background's colour.
    """
    step = max(1, max(picture.shape) // COARSE)
    small = picture[::step, ::step].astype(np.float32)
    reach = max(small.shape) // 3
    # (pixels, 3)
    changes = (small - cv2.blur(small, (reach, reach), borderType=cv2.BORDER_REPLICATE)).reshape(
        -1, 3
    )
    strengths, axes = np.linalg.eigh(changes.T @ changes)
    if strengths[-1] < ONE_HUE * strengths.sum():
        distance = _distance_from_background(picture)
        if distance is not None:
            return distance
    axis = axes[:, -1]
    weights = axis / np.abs(axis).sum() * (1 if axis @ LUMINANCE >= 0 else -1)
    black = -255 * weights[weights < 0].sum()
    return cv2.transform(picture, np.append(weights, black)[None])


def _distance_from_background(picture: NDArray[np.uint8]) -> Levels | None:
    """Return how far each colour is from that of the background, for colours of many hues.

    In a colour map that goes through several hues, no weighted sum of red, green and blue grows
    with the ink.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (H, W), or None
        Dark ink where the background is light, light ink where it is dark; None if the background
        is not even.
    """
    step = max(1, max(picture.shape) // COARSE)
    small = np.ascontiguousarray(picture[::step, ::step]).reshape(-1, 3)
    coarse = small.astype(np.int32) // 4
    keys = (coarse[:, 0] << 12) | (coarse[:, 1] << 6) | coarse[:, 2]
    values, counts = np.unique(keys, return_counts=True)
    if counts.max() < 0.25 * len(keys):
        return None
    background = np.median(small[keys == values[counts.argmax()]], axis=0)
    distance = np.sqrt(((picture - background.astype(np.float32)) ** 2).sum(-1))
    levels = (distance * (255 / max(1.0, float(distance.max())))).astype(np.uint8)
    return 255 - levels if background @ LUMINANCE > 127 else levels
