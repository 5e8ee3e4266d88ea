"""Nearest neighbours of an image among training images, from a small file, without PyTorch."""

import dataclasses
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.errors import ModelError
from inkwise.model import Model
from inkwise.system.extras import require_training
from inkwise.system.files import read_bytes, write_bytes

FILE = "neighbours.npz"
"""Name of the file in a run's directory."""

IMAGES = 5_000
"""Number of training images that are kept; 5,000 of MNIST's take 1.6 MB."""

AXES = 64
"""Number of principal axes of the feature vectors that are kept.

With 64 axes, six of the eight nearest images are the same as with all features.
"""

_FARTHEST = 2  # a difference of vectors of length 1 is no longer


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbour:
    """A training image whose feature vector is near that of another image.

    Parameters
    ----------
    index : int
        The training image's index in the training split.
    label : int
        Index of the training image's class.
    image : ndarray of uint8, shape (H, W)
        The training image.
    similarity : float
        Cosine similarity of the two images' feature vectors, measured along the principal axes;
        1 if they are the same.
    """

    index: int
    label: int
    image: NDArray[np.uint8]
    similarity: float


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """Training images with their positions in the space of a model's feature vectors.

    A feature vector is the input of the network's last layer. The vectors are scaled to length 1,
    and compared along their principal axes.

    Parameters
    ----------
    indices : ndarray of int64, shape (M,)
        Indices of the images in the training split, ascending.
    labels : ndarray of int64, shape (M,)
        Index of each image's class.
    images : ndarray of uint8, shape (M, H, W)
        The training images.
    points : ndarray of float16, shape (M, A)
        Coordinates of the images along the principal axes.
    mean : ndarray of float32, shape (F,)
        Mean of the scaled feature vectors, which is the origin of the coordinates.
    axes : ndarray of float32, shape (A, F)
        The principal axes.
    drawn_from : int
        Number of training images from which these were drawn.
    model_sha256 : str
        Hash of the ONNX file of the model that gave the feature vectors.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    images: NDArray[np.uint8]
    points: NDArray[np.float16]
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    drawn_from: int
    model_sha256: str

    def __len__(self) -> int:
        return len(self.indices)

    def nearest(
        self, model: Model, image: NDArray[np.uint8], count: int = 8, without: int | None = None
    ) -> tuple[Neighbour, ...]:
        """Find the kept training images whose feature vectors are nearest to an image's.

        Parameters
        ----------
        model : Model
            The model that they were made with; its ONNX file gives the image's feature vector.
        image : ndarray of uint8, shape (H, W)
            An image that is ready for the network, as for `Model.predict_proba`.
        count : int
            Number of neighbours to find.
        without : int, optional
            Index in the training split of an image to leave out: the image itself.

        Returns
        -------
        tuple of Neighbour
            The neighbours, the most similar first; fewer if fewer are kept.

        Raises
        ------
        ModelError
            The neighbours were made with another model.
        """
        if not self.belong_to(model):
            raise ModelError("these neighbours were made with another model: make them again")
        point = (_directions(model, image[None]) - self.mean) @ self.axes.T  # (1, A)
        distances = np.square(self.points.astype(np.float32) - point).sum(axis=1)
        distances[self.indices == without] = np.inf
        nearest = distances.argsort(kind="stable")[:count]
        return tuple(
            Neighbour(
                int(self.indices[place]),
                int(self.labels[place]),
                self.images[place],
                # The cosine of the angle between two vectors of length 1, by the law of cosines.
                float(1 - distances[place] / 2),
            )
            for place in nearest
            if distances[place] < np.inf
        )

    def belong_to(self, model: Model) -> bool:
        """Tell whether the neighbours were made with this model."""
        return (
            self.model_sha256 == _hash(model)
            and self.images.shape[1:] == model.network.image_size
            and self.labels.max(initial=0) < len(model.class_names)
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the neighbours as a compressed ``.npz`` file."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = vars(self)
        np.savez_compressed(buffer, **arrays)
        return write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Neighbours":
        """Read a file that `save` wrote; nothing is unpickled.

        Raises
        ------
        ModelError
            The file is damaged, or is not such a file.
        StorageError
            The file is missing or cannot be read.
        """
        content = read_bytes(path)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {field.name: file[field.name] for field in dataclasses.fields(cls)}
            found = cls(
                **{
                    **arrays,
                    "drawn_from": int(arrays["drawn_from"]),
                    "model_sha256": str(arrays["model_sha256"]),
                }
            )
            found._check()
        except Exception as error:  # zipfile, zlib and NumPy raise many kinds of errors
            raise ModelError(f"{path} is damaged: remove it, so that it is made again") from error
        return found

    def _check(self) -> None:
        count, axes = self.points.shape
        shapes = (self.indices.shape, self.labels.shape, self.images.shape[:1], self.axes.shape)
        if shapes != ((count,), (count,), (count,), (axes, *self.mean.shape)):
            raise ValueError(f"arrays of shapes {shapes} do not go together")
        numbers = self.indices, self.labels
        if not all(each.dtype.kind == "i" and each.min(initial=0) >= 0 for each in numbers):
            raise ValueError("some indices or labels are no whole numbers from 0")
        coordinates = self.points, self.mean, self.axes
        # NaN fails this test, too.
        if not all(
            each.dtype.kind == "f" and (np.abs(each) <= _FARTHEST).all() for each in coordinates
        ):
            raise ValueError("some coordinates are no numbers, or too large")
        if self.images.dtype != np.uint8 or self.images.ndim != 3:
            raise ValueError("the images are not uint8 of shape (M, H, W)")


def make_neighbours(model: Model, split: Split, count: int = IMAGES, seed: int = 0) -> Neighbours:
    """Compute the feature vectors of training images, and keep them with the images.

    Parameters
    ----------
    model : Model
        The model that gives the feature vectors.
    split : Split
        The images that the model was trained on.
    count : int
        Number of images that are drawn at random; all of them if there are fewer.
    seed : int
        Seed of the random draw.

    Raises
    ------
    LibraryError
        The libraries of the extra ``train`` are not installed.
    """
    require_training("finding the nearest training images")
    from sklearn.decomposition import PCA

    kept = np.sort(np.random.default_rng(seed).permutation(len(split))[:count])
    part = split.take(kept)
    directions = _directions(model, part.images)
    axes = min(AXES, *directions.shape)
    pca = PCA(axes, random_state=0).fit(directions)
    return Neighbours(
        kept.astype(np.int64),
        part.labels,
        part.images,
        pca.transform(directions).astype(np.float16),
        pca.mean_.astype(np.float32),
        pca.components_.astype(np.float32),
        len(split),
        _hash(model),
    )


def _directions(model: Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return feature vectors scaled to length 1, float32 (N, F).

    Neighbours of the scaled vectors look more similar than those of the unscaled ones.
    """
    features = model.features(images)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(np.float32).tiny)


def _hash(model: Model) -> str:
    return hashlib.sha256(model.onnx).hexdigest()
