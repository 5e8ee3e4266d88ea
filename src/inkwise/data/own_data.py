"""Data sets of a user's own, in any form: pictures in folders, tables, arrays, archives."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.formats import Contents, Find, PartName, find_stored, what_is_there
from inkwise.data.own_images import OwnImages, own_name
from inkwise.data.picture_folder import load_folder, read_folder
from inkwise.data.published import (
    PUBLISHED,
    SIDE,
    Published,
    as_published,
    identify,
)
from inkwise.errors import DataError
from inkwise.ink.sources import list_folder
from inkwise.system.extras import require_training
from inkwise.system.files import storage
from inkwise.system.progress import SILENT, Progress

_MOST_READ = 3  # of several finds, to see whether they are the same

_Read = TypeVar("_Read", Dataset, OwnImages)


def load_data(
    path: str | os.PathLike[str], progress: Progress = SILENT, *, together: bool | None = None
) -> Dataset:
    """Load a data set from files, whatever form it has.

    Parameters
    ----------
    path : path-like
        A folder of pictures, as `load_folder` takes it; or a file, a ZIP archive or a folder with
        MNIST, one of its kin, or data that is stored as they are: IDX files, Keras' ``mnist.npz``,
        tables with an image in each row (CSV, ARFF) or Parquet files. The format is known by the
        content; the names of the files say what is for training, validation and testing.
    progress : Progress, optional
        Receives what is read.
    together : bool, optional
        Whether all ink of every picture is kept together; by default as the pictures show.

    Returns
    -------
    Dataset
        A published data set under its name, if the content is its own. Where no images are for
        testing, a fifth is held out, drawn by class and always the same. The notice says so, and
        what was passed over.

    Raises
    ------
    DataError
        There is no data set, or several; images or labels are missing or damaged.
    LibraryError
        A library is not installed: for folders of pictures the extra ``train``, for Parquet the
        extra ``parquet``.
    StorageError
        Something cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import inkwise
    >>> digits = inkwise.load_dataset("optdigits").train
    >>> rows = np.c_[digits.labels, digits.images.reshape(-1, 784)]
    >>> names = ["label", *(f"pixel{place}" for place in range(784))]
    >>> np.savetxt("train.csv", rows, "%d", ",", header=",".join(names), comments="")
    >>> dataset = inkwise.load_data("train.csv")
    >>> dataset.train.images.shape, dataset.test.images.shape
    ((1150, 28, 28), (288, 28, 28))
    """
    path = Path(path)
    finds = _find(path)
    return (
        load_finds(path, finds, progress)
        if finds
        else load_folder(path, progress, together=together)
    )


def read_data(
    path: str | os.PathLike[str],
    progress: Progress = SILENT,
    *,
    together: bool | None = None,
    known: Collection[str] = (),
) -> OwnImages:
    """Read images, whatever form they have, without asking for enough of them to train on.

    Parameters and errors are those of `load_data` and `read_folder`, but any number of classes and
    images will do, from one, and any of the splits.
    """
    path = Path(path)
    finds = _find(path)
    if finds:
        return read_finds(path, finds, progress)
    require_training("a folder of pictures")
    return read_folder(path, progress, together=together, known=known)


def _find(path: Path) -> list[Find]:
    """Find data sets that are stored in files; none stands for a folder of pictures."""
    if finds := find_stored(path):
        if path.is_dir() and len(folders := _class_folders(path)) > 1:
            raise DataError(
                f"{path} has pictures in {folders[0].name} and {folders[1].name}, and "
                f"{describe(finds[0])} as well: name that, or move it away to have the pictures"
            )
        return finds
    told = what_is_there(path)
    if path.is_file() or (told and not _class_folders(path)):
        raise DataError(f"{told or f'{path} has no data set that inkwise reads'}")
    return []


def load_finds(path: Path, finds: Sequence[Find], progress: Progress = SILENT) -> Dataset:
    """Load the data set that was found; see `read_finds`, also for the errors."""
    return read_finds(path, finds, progress).as_dataset()


def read_finds(path: Path, finds: Sequence[Find], progress: Progress = SILENT) -> OwnImages:
    """Read what was found; of several finds, the first if all hold the same.

    Raises
    ------
    DataError
        They hold different data sets, or what `load_data` says.
    """
    names = {published.name for find in finds if (published := identify(find))}
    if len(names) > 1 or len(finds) > _MOST_READ:
        raise different(path, finds)
    progress.reading(path.name)  # for as long as it takes; nobody knows how long that is
    return agree(path, finds, _read)


def agree(path: Path, finds: Sequence[Find], read: Callable[[Find], _Read]) -> _Read:
    """Read what was found, and return the first if the others hold the same.

    Raises
    ------
    DataError
        They hold different data sets, or one cannot be read.
    """
    all_read = [read(find) for find in finds]
    if len({each.sha256 for each in all_read}) > 1:
        raise different(path, finds)
    return all_read[0]


def different(path: Path, finds: Sequence[Find]) -> DataError:
    """Return the error that names data sets of which one has to be chosen."""
    return DataError(
        f"{path} has different data sets, {describe(finds[0])} and {describe(finds[1])}: name "
        "the folder or the file of one of them"
    )


def describe(find: Find) -> str:
    """Say in a few words what was found."""
    published = identify(find)
    title = published.title if published else "data"
    return f"{title} as {find.format.title} in {find.where}"


def _class_folders(folder: Path) -> list[Path]:
    """Return the first folders in a folder that have pictures."""
    with storage(folder, "look into"):
        inner = sorted(each for each in folder.iterdir() if each.name[0] != "." and each.is_dir())
        return [each for each in inner if list_folder(each)[0]]


def _read(find: Find) -> OwnImages:
    contents = find.read()
    called = identify(find)
    for published in PUBLISHED.values():
        if published is called or published.hashes_known:
            try:
                dataset = as_published(published, find, contents)
            except DataError:  # it is another, or the user's own selection
                continue
            return OwnImages(
                dataset.name,
                dataset.title,
                find.source,
                dataset.class_names,
                {"train": dataset.train, "test": dataset.test},
                dict.fromkeys(("train", "test"), find.where),
                (dataset.notice,) if dataset.notice else (),
            )
    return _as_own(find, contents, called)


def _as_own(find: Find, contents: Contents, called: Published | None) -> OwnImages:
    """Return contents that are no published data set's, or not all of it."""
    notices = [*contents.notices, *find.passed_over()]
    parts: dict[PartName, Split] = {}
    for part, stored in contents.parts.items():
        if stored.labels is not None:
            if len(stored.images) != len(stored.labels):
                raise DataError(
                    f"{stored.images_from} has {len(stored.images):,} images, and "
                    f"{stored.labels_from} has {len(stored.labels):,} labels for them"
                )
            parts[part] = Split(stored.images, stored.labels)
        elif len(contents.parts) > 1:
            notices.append(f"{stored.images_from} has no labels, and is not used.")
    if not parts:
        [stored, *_] = contents.parts.values()
        raise DataError(
            f"{stored.images_from} has no labels: nothing can be learned from it, or evaluated on "
            "it"
        )
    values = np.unique(np.concatenate([split.labels for split in parts.values()]))
    given = dict(enumerate(contents.class_names or ()))
    if called is not None and _may_be_of(called, values, parts.values()):
        given = dict(enumerate(called.class_names, called.first_label))
        if called.transposed:
            parts = {
                part: Split(np.ascontiguousarray(split.images.swapaxes(1, 2)), split.labels)
                for part, split in parts.items()
            }
            notices.append(
                f"{find.where} has a name of {called.title}, whose images are stored lying: they "
                "are set upright."
            )
    places: dict[str, Path] = {part: Path(contents.parts[part].images_from) for part in parts}
    if len(parts) == 1:  # it is all there is, whatever its name
        parts, places = {"whole": parts.popitem()[1]}, {"whole": find.where}
    elif "whole" in parts:
        raise DataError(
            f"{find.where} has files of the parts {', '.join(sorted(parts))}: leave those of the "
            "splits, or one file with all"
        )
    own, (height, width) = own_name(find.source), next(iter(parts.values())).images.shape[1:]
    count = sum(map(len, parts.values()))
    return OwnImages(
        name=own,
        title=f"{own}, {count:,} images of {height}×{width} from {find.format.title} files",
        source=find.source,
        class_names=tuple(given.get(value, str(value)) for value in values.tolist()),
        parts={
            part: Split(split.images, np.searchsorted(values, split.labels))
            for part, split in parts.items()
        },
        places=places,
        notices=tuple(notices),
    )


def _may_be_of(published: Published, values: NDArray[np.int64], parts: Collection[Split]) -> bool:
    """Tell whether images and labels could be a selection from a published data set."""
    last = published.first_label + len(published.class_names) - 1
    return (
        published.first_label <= values[0]
        and values[-1] <= last
        and all(split.images.shape[1:] == (SIDE, SIDE) for split in parts)
    )
