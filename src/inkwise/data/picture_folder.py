"""Data sets from folders of pictures, with one sub-folder for each class."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.published import DATASET_NAMES
from inkwise.data.splits import hold_out_test
from inkwise.errors import ArgumentError, DataError, InkwiseError
from inkwise.ink import Ink, normalise
from inkwise.ink.sources import Source, find_sources_of, list_folder, tell_rest
from inkwise.system.extras import require_training
from inkwise.system.files import storage
from inkwise.system.machine import available_cores
from inkwise.system.progress import SILENT, Progress

LEAST = 5
"""Least number of pictures of a class; fewer leave none for training, validation or test."""

_LONGEST = 80  # characters of a sub-folder's name; a file system takes 255 bytes


def class_folder(folder: str | os.PathLike[str], name: str) -> Path:
    """Return the sub-folder for the pictures of a class.

    Parameters
    ----------
    folder : path-like
        The folder of all pictures.
    name : str
        Name of the class.

    Raises
    ------
    ArgumentError
        On some systems a folder cannot have this name, or it would be hidden.
    """
    awkward = any(character in '<>:"/\\|?*' or ord(character) < 32 for character in name)
    if awkward or not 0 < len(name) <= _LONGEST or name[0] in ". " or name[-1] in ". ":
        raise ArgumentError(
            f"the class {name!r} cannot have a folder: some systems allow no folder of this name"
        )
    return Path(folder) / name


def load_folder(folder: str | os.PathLike[str], progress: Progress = SILENT) -> Dataset:
    """Load a data set from a folder of pictures, with one sub-folder named after each class.

    Each picture goes through `inkwise.ink.normalise`, the preprocessing that it would have in
    prediction. Pictures that cannot be read or hold no ink are left out. The test part is a fifth
    of the rest, drawn by class and always the same. Both parts are shuffled, so that the last
    images of a part are of all classes too.

    Parameters
    ----------
    folder : path-like
        The folder ``pictures`` if a picture of a seven is ``pictures/7/photo.jpg``. Pictures are
        known by their content, and may lie in folders of the class's folder; every page of a file
        is one. Hidden files and folders are ignored.
    progress : Progress, optional
        Receives how many pictures have been read.

    Returns
    -------
    Dataset
        Images of 28×28; its notice says what was left out or passed over, and how the test part was
        drawn.

    Raises
    ------
    DataError
        There are fewer than two classes, a class has no pictures, or fewer than five that can be
        used.
    StorageError
        The folder is missing or cannot be read.
    LibraryError
        The libraries of the extra ``train`` are not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> import inkwise
    >>> from PIL import Image
    >>> digits = inkwise.load_dataset("optdigits").train
    >>> for place in range(100):
    ...     folder = Path("pictures", str(digits.labels[place]))
    ...     folder.mkdir(parents=True, exist_ok=True)
    ...     Image.fromarray(digits.images[place]).save(folder / f"{place}.png")
    >>> dataset = inkwise.load_folder("pictures")
    >>> dataset.class_names
    ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    >>> len(dataset.train) + len(dataset.test)
    100
    """
    require_training("a folder of pictures")
    folder = Path(folder)
    names, sources, labels, passed_over = _find(folder)
    images, kept, left_out = _read(folder, sources, progress)
    kept_labels = np.array(labels, np.int64)[kept]
    for name, count in zip(names, np.bincount(kept_labels, minlength=len(names)), strict=True):
        if count < LEAST:
            raise DataError(
                f"{folder / name} has {count} pictures that can be used, and a class needs at "
                f"least {LEAST}: add some, or remove the folder"
            )
    train, test = hold_out_test(Split(np.stack(images), kept_labels))
    held_out = (
        f"{folder} has no separate test images: {len(test):,} of {len(images):,}, drawn by class, "
        "are held out. Both parts can hold pictures by the same writer."
    )
    own = folder.resolve().name or "pictures"
    return Dataset(
        name=f"{own}-folder" if own in DATASET_NAMES else own,
        title=f"{own}, {len(images):,} pictures in a folder, brought to 28×28",
        class_names=names,
        train=train,
        test=test,
        source=str(folder.resolve()),
        notice=" ".join([held_out, *left_out, *passed_over]),
    )


def _find(folder: Path) -> tuple[tuple[str, ...], list[Source], list[int], list[str]]:
    """Return the names of the classes, all pictures, the class index of each, and notices."""
    sources: list[Source] = []
    labels: list[int] = []
    names: list[str] = []
    passed_over: list[Path] = []
    with storage(folder, "look into"):
        inner = [each for each in folder.iterdir() if each.name[0] != "."]
        # Names that are numbers are sorted by their value: 10 comes after 9.
        inner.sort(key=lambda each: (len(each.name) if each.name.isdecimal() else 99, each.name))
        for each in inner:
            if not each.is_dir():
                passed_over.append(each)
                continue
            pictures, rest = list_folder(each, deep=True)
            passed_over += rest
            if not pictures:
                raise DataError(
                    f"the class {each.name} has no pictures: put some into {each}, or remove it"
                )
            found = [
                source for picture in pictures for source in find_sources_of(picture, str(picture))
            ]
            sources += found
            labels += [len(names)] * len(found)
            names.append(each.name)
    if len(names) < 2:
        raise DataError(
            f"{folder} has {len(names)} sub-folders with pictures: it needs one for each class, at "
            "least two, with pictures such as 7/photo.jpg"
        )
    notices = [tell_rest(folder, passed_over)] if passed_over else []
    return tuple(names), sources, labels, notices


def _read(
    folder: Path, sources: Sequence[Source], progress: Progress
) -> tuple[list[NDArray[np.uint8]], list[int], list[str]]:
    """Return the images, their indices among the sources, and a notice if some are left out."""

    def look(source: Source) -> Ink | InkwiseError:
        if isinstance(source.picture, InkwiseError):
            return source.picture
        try:
            return normalise(source.picture)
        except InkwiseError as error:
            return error

    bar = progress.reading(folder.name)
    bar.total = len(sources)
    images, kept, errors = [], [], []
    with ThreadPoolExecutor(available_cores()) as pool:
        try:
            for place, found in enumerate(pool.map(look, sources)):
                if isinstance(found, Ink):
                    images.append(found.image)
                    kept.append(place)
                else:
                    errors.append(found)
                bar.update(1)
        finally:
            pool.shutdown(cancel_futures=True)
    if not images:
        raise DataError(f"no picture in {folder} can be used: {errors[0]}")
    left_out = f"{len(errors):,} of {len(sources):,} pictures are left out; the first:"
    return images, kept, [f"{left_out} {errors[0]}."] if errors else []
