"""Images that a data set holds twice, to the pixel or nearly."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset

NEAR = 0.12
"""Distance below which two images are near-duplicates.

No two of MNIST's 70,000 images are that close: the nearest, two upright ones, are 0.126 apart.
Copies with other brightness, slight noise or JPEG's traces are closer; copies that were moved or
enlarged are not found.
"""

_COMPONENTS, _NEIGHBOURS = 64, 6


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """Two images that are the same, or nearly.

    Parameters
    ----------
    index : int
        Of the image in the split that was audited.
    other_split : {"train", "test"}
    other_index : int
    label, other_label : int
        Classes, as the data set says.
    distance : float
        Between the images as vectors of length 1, 0 to √2: brightness makes no difference.
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
    """Find the images of a split that there are twice, in it or across the splits.

    Candidates are the nearest neighbours in the plane of the first principal components, where
    nothing is farther apart than it is in pixels; then the pixels decide. Of an image with more
    than five copies, five are found.

    Parameters
    ----------
    dataset : Dataset
    split : {"train", "test"}

    Returns
    -------
    list of Duplicate
        Those with different labels first, then those across the splits, then the closest; each
        pair once.
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    other = "test" if split == "train" else "train"
    own, rest = getattr(dataset, split), getattr(dataset, other)
    images = np.concatenate([own.images, rest.images]).reshape(len(own) + len(rest), -1)
    labels = np.concatenate([own.labels, rest.labels])
    vectors = images.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)  # 0 where all is blank
    components = min(_COMPONENTS, *vectors.shape)
    reduced = PCA(components, svd_solver="covariance_eigh").fit_transform(vectors)
    neighbours = NearestNeighbors(
        n_neighbors=min(_NEIGHBOURS, len(vectors)), algorithm="brute"
    ).fit(reduced)
    distances, indices = neighbours.kneighbors(reduced[: len(own)])
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
