"""Duplicates and near-duplicates among the images of a data set."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset

NEAR = 0.12
"""Distance below which two images are near-duplicates.

No two of MNIST's 70,000 images are that close: the nearest, two images of an upright 1, are 0.126
apart. Copies with another brightness, slight noise or JPEG artefacts are closer. Copies that were
shifted or enlarged are not found.
"""

_COMPONENTS, _NEIGHBOURS = 64, 6


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """A pair of images that are the same, or nearly the same.

    Parameters
    ----------
    index : int
        Index of the first image in the split that was audited.
    other_split : {"train", "test"}
        The split of the second image.
    other_index : int
        Index of the second image in its split.
    label, other_label : int
        Labels of the two images in the data set.
    distance : float
        Distance between the images, as vectors scaled to length 1; from 0 to √2. It does not
        depend on their brightness.
    exact : bool
        Whether all pixels are the same.
    across : bool
        Whether one is a training image and the other a test image.
    """

    index: int
    other_split: str
    other_index: int
    label: int
    other_label: int
    distance: float
    exact: bool
    across: bool

    @property
    def conflict(self) -> bool:
        """Whether the two have different labels."""
        return self.label != self.other_label


def find_duplicates(dataset: Dataset, split: str) -> list[Duplicate]:
    """Find duplicates of a split's images, in the same split and in the other one.

    Candidates are the nearest neighbours in the space of the first 64 principal components, in
    which no distance is larger than between the pixels. The distance between the pixels then
    decides. If an image has more than five copies, only five are found.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    split : {"train", "test"}
        The split that is audited.

    Returns
    -------
    list of Duplicate
        Each pair once: pairs with different labels first, then pairs across the splits, and the
        closest first among them.
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    other = "test" if split == "train" else "train"
    own, rest = getattr(dataset, split), getattr(dataset, other)
    images = np.concatenate([own.images, rest.images]).reshape(len(own) + len(rest), -1)  # (N, HW)
    labels = np.concatenate([own.labels, rest.labels])
    vectors = images.astype(np.float32)
    # Scaled to length 1, except blank images, whose length is 0.
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
    components = min(_COMPONENTS, *vectors.shape)
    reduced = PCA(components, svd_solver="covariance_eigh").fit_transform(vectors)
    neighbours = NearestNeighbors(
        n_neighbors=min(_NEIGHBOURS, len(vectors)), algorithm="brute"
    ).fit(reduced)
    distances, indices = neighbours.kneighbors(reduced[: len(own)])  # both (own, neighbours)
    found: dict[tuple[int, int], Duplicate] = {}
    for index, column in np.argwhere(distances < NEAR):
        neighbour = indices[index, column]
        distance = _distance(vectors[index], vectors[neighbour])
        if neighbour == index or distance >= NEAR:
            continue
        first, second = int(min(index, neighbour)), int(max(index, neighbour))
        across = second >= len(own)
        found[first, second] = Duplicate(
            first,
            other if across else split,
            second - len(own) * across,
            int(labels[first]),
            int(labels[second]),
            distance,
            bool((images[first] == images[second]).all()),
            across,
        )
    return sorted(found.values(), key=lambda d: (not d.conflict, not d.across, d.distance))


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(one - other))
