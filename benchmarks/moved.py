"""Simple changes of images that only the benchmarks measure: shifts and less contrast."""

import numpy as np
from numpy.typing import NDArray

from inkwise.robustness.corruptions import Levels, change_each, check_distance, warp


def move_within(images: NDArray[np.uint8], pixels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Shift every image along each axis by a whole number of pixels, uniform up to ±`pixels`.

    Everything else is as for `inkwise.robustness.corruptions.move`.
    """
    check_distance(pixels)

    def change(image: Levels, generator: np.random.Generator) -> Levels:
        return warp(image, np.eye(2), generator.integers(-pixels, pixels, size=2, endpoint=True))

    return change_each(images, "move within", seed, change)


def halve_contrast(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move every pixel halfway towards the mean of its image, as ImageNet-C's contrast does.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    References
    ----------
    D. Hendrycks, T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations", International Conference on Learning Representations, 2019, arXiv:1903.12261.
    """
    means = images.mean(axis=(1, 2), keepdims=True)
    return np.rint((images + means) / 2).astype(np.uint8)
