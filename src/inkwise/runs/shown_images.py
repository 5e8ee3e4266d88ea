"""The images of a split that a report shows, stored in the run."""

import dataclasses
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError
from inkwise.system.files import read_bytes, write_bytes


@dataclasses.dataclass(frozen=True, eq=False)
class ShownImages:
    """The images of a split that the report shows.

    Parameters
    ----------
    indices : ndarray of int64, shape (M,)
        Indices of the images in the split, ascending.
    images : ndarray of uint8, shape (M, H, W)
        The images.
    samples : ndarray of int64, shape (S,)
        Indices in the split of the random sample, in the order in which it is shown.
    """

    indices: NDArray[np.int64]
    images: NDArray[np.uint8]
    samples: NDArray[np.int64]

    def save(self, path: Path) -> Path:
        """Write the images as a compressed NumPy archive."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **vars(self))
        return write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "ShownImages":
        """Read what `save` wrote; raise `DataError` if the file is damaged."""
        try:
            with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
                pictures = cls(arrays["indices"], arrays["images"], arrays["samples"])
            pictures._check()
        except Exception as error:  # zipfile, zlib and NumPy raise many kinds of errors
            raise DataError(f"{path} is damaged ({error})") from error
        return pictures

    def _check(self) -> None:
        for name, kind, axes in (("indices", "i", 1), ("images", "u", 3), ("samples", "i", 1)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or (array.dtype.kind, array.ndim) != (kind, axes):
                raise ValueError(f"its {name} are of another type or shape")
        if len(self.indices) != len(self.images) or self.images.dtype != np.uint8:
            raise ValueError("the numbers of indices and of images differ")
        in_order = (np.diff(self.indices, prepend=-1) > 0).all()
        if not in_order or not np.isin(self.samples, self.indices).all():
            raise ValueError("its indices are not in order, or lack those of samples")

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return the image with an index in the split; raise KeyError if it was not stored."""
        place = int(np.searchsorted(self.indices, index))
        if place == len(self.indices) or self.indices[place] != index:
            raise KeyError(index)
        return self.images[place]
