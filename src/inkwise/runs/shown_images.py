"""The images of a split that a report shows, kept beside its figures."""

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
        Their places in the split, ascending.
    images : ndarray of uint8, shape (M, H, W)
    samples : ndarray of int64, shape (S,)
        Places of the random sample, in the order to show them.
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
        """Read what `save` wrote; raises `DataError` where that is damaged."""
        try:
            with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
                pictures = cls(arrays["indices"], arrays["images"], arrays["samples"])
        except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds of "damaged"
            raise DataError(f"{path} is damaged ({error})") from error
        if len(pictures.indices) != len(pictures.images):
            raise DataError(f"{path} is damaged: it names more images than it holds, or fewer")
        return pictures

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return the image at a place in the split; KeyError where it was not kept."""
        place = int(np.searchsorted(self.indices, index))
        if place == len(self.indices) or self.indices[place] != index:
            raise KeyError(index)
        return self.images[place]
