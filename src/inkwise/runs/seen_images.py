"""The images that a run was trained on, known again by their hashes wherever they lie."""

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.data.splits import Splits
from inkwise.errors import RunError
from inkwise.system.files import read_bytes, write_bytes


def hash_images(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of the SHA-256 of each image's pixels, uint64 (N,).

    Among a hundred million pairs of different images, two have the same hash with a probability
    of 5e-12.
    """
    hashes = b"".join([hashlib.sha256(image).digest()[:8] for image in images])
    return np.frombuffer(hashes, "<u8")


def write_seen(path: Path, splits: Splits, before: NDArray[np.uint64] | None = None) -> Path:
    """Write the hashes of the training and validation images, ascending, as a NumPy file.

    Those of images that the model was trained on before, if it was, stand among them.
    """
    parts = [hash_images(splits.train.images), hash_images(splits.validation.images)]
    seen = np.concatenate(parts if before is None else [*parts, before])
    buffer = io.BytesIO()
    np.save(buffer, np.unique(seen), allow_pickle=False)
    return write_bytes(path, buffer.getvalue())


def read_seen(path: Path) -> NDArray[np.uint64]:
    """Read what `write_seen` wrote; raise `RunError` if the file is damaged."""
    try:
        hashes = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        if (hashes.dtype, hashes.ndim) != (np.dtype("<u8"), 1):
            raise ValueError(f"{hashes.dtype} of shape {hashes.shape}")  # noqa: TRY301
    except Exception as error:  # NumPy raises many kinds of errors
        raise RunError(f"{path} is damaged: remove it ({error})") from error
    return hashes
