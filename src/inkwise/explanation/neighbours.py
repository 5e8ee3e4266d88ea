"""Training images that look alike to the network: a small file, searched without PyTorch."""

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
"""Where a run keeps them."""

IMAGES = 5_000
"""How many training images are kept: 1.6 MB of MNIST's."""

AXES = 64
"""Principal axes of the features that are kept: of the eight nearest images, six stay the same."""


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbour:
    """A training image that is near another image.

    Parameters
    ----------
    index : int
        Its place in the training split.
    label : int
        Its class.
    image : ndarray of uint8, shape (H, W)
    similarity : float
        Cosine of the angle between the two images' features: 1 where they are the same.
    """

    index: int
    label: int
    image: NDArray[np.uint8]
    similarity: float


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """Training images and where they lie in the space of a model's features.

    What is compared is the input of the network's last layer, brought to length 1, on the axes
    along which it varies most.

    Parameters
    ----------
    indices : ndarray of int64, shape (M,)
        Places in the training split, ascending.
    labels : ndarray of int64, shape (M,)
    images : ndarray of uint8, shape (M, H, W)
    points : ndarray of float16, shape (M, A)
        Where the images lie on the axes.
    mean : ndarray of float32, shape (F,)
        The features' origin.
    axes : ndarray of float32, shape (A, F)
    drawn_from : int
        How many training images there are in all.
    model_sha256 : str
        Hash of the model's ONNX file, whose features these are.
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
        """Find the kept training images that are most like an image to the network.

        Parameters
        ----------
        model : Model
            The one that they were made with; its ONNX file gives the features.
        image : ndarray of uint8, shape (H, W)
        count : int
        without : int, optional
            A place in the training split to leave out: the image's own.

        Returns
        -------
        tuple of Neighbour
            The most similar first; fewer where fewer are kept.

        Raises
        ------
        ModelError
            They were made with another model.
        """
        if not self.belong_to(model):
            raise ModelError("these neighbours were made with another model: make them anew")
        point = (_directions(model, image[None]) - self.mean) @ self.axes.T
        distances = np.square(self.points.astype(np.float32) - point).sum(axis=1)
        distances[self.indices == without] = np.inf
        nearest = distances.argsort(kind="stable")[:count]
        return tuple(
            Neighbour(
                int(self.indices[place]),
                int(self.labels[place]),
                self.images[place],
                # Of two vectors of length 1, by the law of cosines.
                float(1 - distances[place] / 2),
            )
            for place in nearest
            if distances[place] < np.inf
        )

    def belong_to(self, model: Model) -> bool:
        """Tell whether they were made with this model."""
        return self.model_sha256 == _hash(model)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write them as a compressed ``.npz`` file."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = vars(self)
        np.savez_compressed(buffer, **arrays)
        return write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Neighbours":
        """Read what `save` wrote; nothing is unpickled.

        Raises
        ------
        ModelError
            The file is damaged, or another.
        StorageError
            It is missing or cannot be read.
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
        except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds of "damaged"
            raise ModelError(f"{path} is damaged: remove it, to have it made anew") from error
        return found

    def _check(self) -> None:
        count, axes = self.points.shape
        shapes = (self.indices.shape, self.labels.shape, self.images.shape[:1], self.axes.shape)
        if shapes != ((count,), (count,), (count,), (axes, *self.mean.shape)):
            raise ValueError(f"arrays of shapes {shapes} do not go together")
        if self.images.dtype != np.uint8 or self.images.ndim != 3:
            raise ValueError("the images are none")


def make_neighbours(model: Model, split: Split, count: int = IMAGES, seed: int = 0) -> Neighbours:
    """Keep training images with their features, as the network sees them.

    Parameters
    ----------
    model : Model
    split : Split
        Its training images.
    count : int
        How many are drawn at random; all where there are fewer.
    seed : int
        Decides the draw.

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
    """Return features of length 1, whose neighbours look more alike than those of the features."""
    features = model.features(images)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(np.float32).tiny)


def _hash(model: Model) -> str:
    return hashlib.sha256(model.onnx).hexdigest()
