"""The cache of published data sets: what was downloaded, and downloading what is missing."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.download import cache_home, fetch, reachable
from inkwise.data.formats import find_stored, idx_piece
from inkwise.data.published import (
    Published,
    PublishedFile,
    as_dataset,
    check_packed,
    check_piece,
    choose,
    read_published,
)
from inkwise.data.stored_files import StoredFile
from inkwise.errors import DataError, DownloadError, StorageError
from inkwise.system.files import storage
from inkwise.system.progress import SILENT, Progress


def cache_folder(published: Published) -> Path:
    """Return the folder that downloads of a data set are kept in; it need not exist."""
    # The splits that come in one archive share it.
    name = published.name if published.archive is None else published.name.partition("-")[0]
    return cache_home() / name


def is_cached(published: Published) -> bool:
    """Tell whether all files of a data set are in the cache, without opening them."""
    folder = cache_folder(published)
    files = published.files if published.archive is None else (published.archive,)
    return all(any(path.is_file() for path in _candidates(folder, file.name)) for file in files)


def load_cached(published: Published, progress: Progress = SILENT, not_in: str = "") -> Dataset:
    """Load a published data set from the cache, and download what is missing or damaged there.

    Parameters
    ----------
    published : Published
    progress : Progress, optional
        Receives the progress of downloads.
    not_in : str, optional
        Where else it was looked for, for the message.

    Returns
    -------
    Dataset

    Raises
    ------
    DownloadError
        Files are neither in the cache nor can be downloaded.
    """
    folder = cache_folder(published)
    if published.archive is not None:
        try:
            return _read_archive(published, published.archive, folder)
        except DataError:
            _download(published, published.archive, folder, progress, not_in)
            return _read_archive(published, published.archive, folder)
    arrays = []
    for place, file in enumerate(published.files):
        try:
            arrays.append(_read_piece(published, place, folder))
        except DataError:
            _download(published, file, folder, progress, not_in)
            arrays.append(_read_piece(published, place, folder))
    return as_dataset(published, arrays, folder)


def _read_archive(published: Published, archive: PublishedFile, folder: Path) -> Dataset:
    path = folder / archive.name
    finds = choose(published, find_stored(path))
    if not finds:
        raise DataError(f"{path} has no {published.title} files")
    return read_published(published, finds[0])


def _read_piece(published: Published, place: int, folder: Path) -> NDArray[Any]:
    file = published.files[place]
    path = next((path for path in _candidates(folder, file.name) if path.is_file()), None)
    if path is None:
        raise DataError(f"{folder} has no {file.name}")
    return _verified(published, place, path)


def _verified(published: Published, place: int, path: Path) -> NDArray[Any]:
    file = published.files[place]
    if file.sha256 is None:
        check_packed(file, path)
    array = idx_piece(StoredFile(path))
    check_piece(published, place, array, str(path))
    return array


def _download(
    published: Published, file: PublishedFile, folder: Path, progress: Progress, not_in: str
) -> None:
    """Download one file that is missing from the cache or damaged there."""
    stated = [each.name for each in published.files]
    files = f"its archive {file.name}" if published.archive else f"its files ({', '.join(stated)})"
    advice = (
        f"fetch {files} where there is a network, put them in a folder, and name it with "
        "--data-dir DIR or INKWISE_DATA_DIR; `inkwise train --dataset optdigits` needs no network"
    )
    if not reachable(published.mirrors):
        raise DownloadError(
            f"{published.title} is not in the cache{not_in} and there is no network: {advice}"
        )

    def verify(path: Path) -> None:
        if published.archive is None:
            _verified(published, published.files.index(file), path)
        else:
            check_packed(file, path)

    name = file.name if published.archive else f"{file.name}.gz"
    try:
        fetch(name, published.mirrors, folder, verify, progress.download(name))
        # A file with another spelling of the name is damaged, and would be read before the new one.
        with storage(folder, "write to"):
            for path in _candidates(folder, file.name):
                if path.name != name:
                    path.unlink(missing_ok=True)
    except (DownloadError, StorageError) as error:
        raise DownloadError(f"{error}: {advice}") from error


def _candidates(folder: Path, name: str) -> list[Path]:
    # Some distributions write train-images.idx3-ubyte.
    names = dict.fromkeys((name, name.replace("-idx", ".idx")))
    return [folder / f"{spelling}{suffix}" for spelling in names for suffix in ("", ".gz")]
