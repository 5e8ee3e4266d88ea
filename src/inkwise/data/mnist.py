"""MNIST: where its four files are looked for, and what they must contain."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.download import fetch, reachable
from inkwise.data.idx import idx_bytes, read_idx
from inkwise.errors import DataError, DownloadError, StorageError
from inkwise.system.files import storage
from inkwise.system.progress import SILENT, Progress

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
"""Where MNIST is downloaded from, in the order of preference."""

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the four files, decompressed: mirrors compress them differently."""

DATA_DIR_VARIABLE = "INKWISE_DATA_DIR"

_OFFLINE_ADVICE = (
    "fetch its four files where there is a network, put them in a folder, and name it with "
    f"--data-dir DIR or {DATA_DIR_VARIABLE}; `inkwise train --dataset optdigits` needs no network"
)


def cache_folder() -> Path:
    """Return the folder that downloads of MNIST are kept in; it need not exist."""
    import pooch

    return Path(pooch.os_cache("inkwise")) / "mnist"


def find_mnist(data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """Find the folder that holds MNIST, without opening its files.

    Parameters
    ----------
    data_dir : path-like, optional
        The only folder to look in. Without it, these are the folder named by ``INKWISE_DATA_DIR``
        and then the cache.

    Returns
    -------
    Path or None
        A folder with at least one of the four files, or None where no folder has any.

    Raises
    ------
    DataError
        `data_dir` was given and has none of the files.
    """
    if data_dir is not None:
        folder = Path(data_dir)
        if not _holds_any(folder):
            raise DataError(
                f"{folder} has no MNIST files: it should hold {', '.join(SHA256)}, plain or .gz"
            )
        return folder
    named = os.environ.get(DATA_DIR_VARIABLE)
    candidates = [Path(named)] if named else []
    return next(filter(_holds_any, [*candidates, cache_folder()]), None)


def is_complete(folder: Path) -> bool:
    """Tell whether a folder has all four files, without opening them."""
    return all(any(path.is_file() for path in _candidates(folder, name)) for name in SHA256)


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Dataset:
    """Load MNIST from a folder, the cache, or else the network.

    Parameters
    ----------
    data_dir : path-like, optional
        The folder with the four files, plain or gzip. Without it they are looked for in the folder
        named by ``INKWISE_DATA_DIR``, then in the cache. If neither has any of them, all are
        downloaded to the cache; files that are missing or damaged in the cache are downloaded too.
    progress : Progress, optional
        Receives the progress of downloads.

    Returns
    -------
    Dataset
        60,000 training and 10,000 test images of 28×28.

    Raises
    ------
    DataError
        A file is missing from its folder, damaged, or not MNIST's.
    DownloadError
        The files are not on this machine and cannot be downloaded.
    """
    cache = cache_folder()
    folder = find_mnist(data_dir) or cache
    arrays = []
    for name in SHA256:
        try:
            arrays.append(_read_verified(folder, name))
        except DataError:
            if folder != cache:
                raise
            _fetch_to_cache(cache, name, progress)
            arrays.append(_read_verified(cache, name))
    train_images, train_labels, test_images, test_labels = arrays
    return Dataset(
        name="mnist",
        title="MNIST, 70,000 handwritten digits of 28×28",
        class_names=tuple("0123456789"),
        train=Split(train_images, train_labels.astype(np.int64)),
        test=Split(test_images, test_labels.astype(np.int64)),
        source=str(folder.resolve()),
    )


def _fetch_to_cache(cache: Path, name: str, progress: Progress) -> None:
    """Download one file that is missing from the cache or damaged there."""
    if not reachable(MIRRORS):
        named = os.environ.get(DATA_DIR_VARIABLE)
        where = f" (nor in {named}, which {DATA_DIR_VARIABLE} names)" if named else ""
        raise DownloadError(
            f"MNIST is not in the cache{where} and there is no network: {_OFFLINE_ADVICE}"
        )
    file_name = f"{name}.gz"
    try:
        fetch(
            file_name,
            MIRRORS,
            cache,
            lambda path: _verify(path, read_idx(path), name),
            progress.download(file_name),
        )
        # A file with another spelling of the name is damaged, and would be read before the new one.
        with storage(cache, "write to"):
            for path in _candidates(cache, name):
                if path.name != file_name:
                    path.unlink(missing_ok=True)
    except (DownloadError, StorageError) as error:
        raise DownloadError(f"{error}: {_OFFLINE_ADVICE}") from error


def _candidates(folder: Path, name: str) -> list[Path]:
    # Some distributions write train-images.idx3-ubyte.
    names = (name, name.replace("-idx", ".idx"))
    return [folder / f"{spelling}{suffix}" for spelling in names for suffix in ("", ".gz")]


def _holds_any(folder: Path) -> bool:
    with storage(folder, "look into"):
        return any(path.is_file() for name in SHA256 for path in _candidates(folder, name))


def _read_verified(folder: Path, name: str) -> NDArray[Any]:
    path = next((path for path in _candidates(folder, name) if path.is_file()), None)
    if path is None:
        raise DataError(f"{folder} has no {name} (nor {name}.gz): add it to the other MNIST files")
    array = read_idx(path)
    _verify(path, array, name)
    return array


def _verify(path: Path, array: NDArray[Any], name: str) -> None:
    # `read_idx` accepts no bytes after the array, so these are the bytes of the decompressed file.
    if hashlib.sha256(idx_bytes(array)).hexdigest() != SHA256[name]:
        raise DataError(f"{path} is not MNIST's {name}: its SHA-256 differs")
