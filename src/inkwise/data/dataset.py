"""The definition of a data set: images, labels, class names, a training and a test part."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkwise.errors import ArgumentError, DataError
from inkwise.system.arrays import as_images, as_labels


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Split:
    """Images and their labels.

    They may be NumPy arrays, nested lists, tensors of PyTorch or TensorFlow, or tables of pandas or
    Polars, whose rows count by their position. They are kept as `uint8` (N, H, W) and `int64` (N,).

    Parameters
    ----------
    images : array-like, shape (N, H, W), (N, H, W, 1), (N, 1, H, W) or (N, H·W)
        Grey levels, from 0 (background) to 255 (full ink, the foreground), as whole numbers of any
        dtype; the same divided by 255, as floats; or booleans. Flat images are squares.
    labels : array-like, shape (N,), (N, 1) or (N, classes)
        Class indices, from 0, of any dtype; the names of classes; or one-hot rows.
    class_names : sequence of str, optional
        Names of the classes in the order of their indices; needed only for labels that are names.

    Raises
    ------
    DataError
        The arrays hold other values or have other shapes, differ in length, or hold no pixels; a
        label is not the name of a class.

    Examples
    --------
    >>> import inkwise
    >>> test = inkwise.load_dataset("optdigits").test
    >>> test.images.shape, test.images.dtype, test.labels.shape
    ((359, 28, 28), dtype('uint8'), (359,))
    >>> len(test.take(test.labels.argsort()[:10]))
    10
    >>> flat = inkwise.Split(test.images.reshape(359, 784) / 255, test.labels.astype(float))
    >>> flat.images.dtype, (flat.images == test.images).all()
    (dtype('uint8'), np.True_)
    >>> inkwise.Split(test.images[:3], ["cat", "dog", "cat"], ("cat", "dog")).labels
    array([0, 1, 0])
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __init__(
        self, images: ArrayLike, labels: ArrayLike, class_names: Sequence[str] | None = None
    ) -> None:
        object.__setattr__(self, "images", as_images(images))
        object.__setattr__(self, "labels", as_labels(labels, class_names))
        if len(self.images) != len(self.labels):
            raise DataError(
                f"there are {len(self.images):,} images but {len(self.labels):,} labels"
            )
        if self.images.size == 0:
            raise DataError(f"there are no pixels in images of shape {self.images.shape}")

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 over the image size, the count, and all images and labels."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()

    @functools.cached_property
    def images_sha256(self) -> str:
        """SHA-256 over the image size, the count and all images, whatever their labels."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        return digest.hexdigest()

    def take(self, indices: NDArray[np.intp]) -> "Split":
        """Return the images and labels with these indices, shape (M,), in this order."""
        return Split(self.images[indices], self.labels[indices])


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images of named classes, with a training and a test part, and perhaps one for validation.

    Parameters
    ----------
    name : str
        Short name, by which the catalogue knows the data set.
    title : str
        Name and content of the data set, for people to read.
    class_names : tuple of str
        Names of the classes, at least two; label `k` means ``class_names[k]``.
    train, test : Split
        Images of one size. The test part is for the final evaluation only; nothing is chosen on it.
    source : str
        Where the images came from: a folder, a web address or a library.
    notice : str or None
        What every user must be shown, for instance that this data set takes the place of another.
    validation : Split, optional
        Images of the same size for validation. By default a recipe sets some of the training images
        apart.
    together : bool, optional
        Whether a model of these classes keeps all ink of a picture together, as signs such as i, ÷
        and ä are made of several pieces; see `inkwise.ink.normalise`. By default the training
        images tell.

    Raises
    ------
    DataError
        There are fewer than two classes, or two with the same name; a part is not a `Split`; the
        parts have images of different sizes, or a label is not the index of a class.

    Examples
    --------
    >>> import numpy as np
    >>> import inkwise
    >>> images = np.zeros((6, 28, 28), np.uint8)
    >>> images[::2, 4:24, 13:15] = 255  # every other image has a stroke
    >>> split = inkwise.Split(images, np.array([1, 0, 1, 0, 1, 0]))
    >>> names = ("blank", "stroke")
    >>> dataset = inkwise.Dataset("strokes", "Strokes or none", names, split, split, "drawn")
    >>> dataset.image_size
    (28, 28)
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    source: str
    notice: str | None = None
    validation: Split | None = None
    together: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if len(self.class_names) < 2 or not all(isinstance(n, str) for n in self.class_names):
            raise DataError(
                f"{self.name} needs at least two classes, each with a name of type str, not "
                f"{self.class_names}"
            )
        for name in self.class_names:
            if any("\ud800" <= character <= "\udfff" for character in name):
                raise DataError(
                    f"the class name {name!r} of {self.name} is not UTF-8: rename its folder"
                )
        if len(set(self.class_names)) != len(self.class_names):
            raise DataError(f"{self.name} has two classes with the same name: {self.class_names}")
        for part, split in self._parts.items():
            if not isinstance(split, Split):
                raise DataError(
                    f"the {part} part of {self.name} must be an inkwise.Split(images, labels), not "
                    f"a {type(split).__name__}"
                )
            if self.train.images.shape[1:] != split.images.shape[1:]:
                raise DataError(
                    f"{self.name} has training images of {self.train.images.shape[1:]}, but {part} "
                    f"images of {split.images.shape[1:]}: scale them to the same size"
                )
            low, high = split.labels.min(), split.labels.max()
            if low < 0 or high >= len(self.class_names):
                raise DataError(
                    f"the {part} labels of {self.name} ({self.source}) go from {low} to {high}, "
                    f"but its {len(self.class_names)} classes are numbered from 0 to "
                    f"{len(self.class_names) - 1}"
                )

    @property
    def _parts(self) -> dict[str, Split]:
        """The parts by what they are for."""
        parts = {"training": self.train, "test": self.test}
        return parts if self.validation is None else {**parts, "validation": self.validation}

    def against_the_rest(self, positive: str) -> "Dataset":
        """Return the same images for a binary task: those of one class, and all others.

        Parameters
        ----------
        positive : str
            Name of the positive class, which gets the label 1.

        Returns
        -------
        Dataset
            Its other class, with the label 0, is called ``not`` and the name of the positive one;
            of a data set of two classes it is the other one, with its own name.

        Raises
        ------
        ArgumentError
            There is no such class.

        Examples
        --------
        >>> import inkwise
        >>> dataset = inkwise.load_dataset("optdigits").against_the_rest("7")
        >>> dataset.class_names, int(dataset.test.labels.sum())
        (('not 7', '7'), 36)
        """
        if positive not in self.class_names:
            raise ArgumentError(
                f"{self.name} has no class {positive!r}: use one of {', '.join(self.class_names)}"
            )
        number = self.class_names.index(positive)

        def relabel(part: Split) -> Split:
            return Split(part.images, (part.labels == number).astype(np.int64))

        return dataclasses.replace(
            self,
            class_names=binary_names(self.class_names, positive),
            train=relabel(self.train),
            test=relabel(self.test),
            validation=self.validation and relabel(self.validation),
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of every image, in pixels."""
        height, width = self.train.images.shape[1:]
        return height, width

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 over class names, image size, counts, and all images and labels of every part.

        It does not depend on where the data came from: two runs with one hash saw the same data.
        """
        counts = tuple(map(len, self._parts.values()))
        digest = hashlib.sha256(repr((self.class_names, self.image_size, counts)).encode())
        for split in self._parts.values():
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels, dtype="<i8").data)
        return digest.hexdigest()


def binary_names(class_names: Sequence[str], positive: str) -> tuple[str, str]:
    """Return the names of the classes of a binary task: of all others together, and this one."""
    others = [name for name in class_names if name != positive]
    return (others[0] if len(others) == 1 else f"not {positive}"), positive
