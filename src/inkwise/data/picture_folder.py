"""Data sets from folders of pictures, with one sub-folder for each class."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.own_images import OwnImages, own_name
from inkwise.data.several_pieces import in_pieces
from inkwise.data.splits import SPLIT_NAMES, SPLIT_WORDS, shuffle
from inkwise.errors import ArgumentError, DataError, InkwiseError, counted
from inkwise.ink import Ink, normalise
from inkwise.ink.sources import Source, count_and_name, find_sources_of, list_folder, tell_rest
from inkwise.system.extras import require_training
from inkwise.system.files import storage
from inkwise.system.machine import available_cores
from inkwise.system.progress import SILENT, Progress

LEAST = 5
"""Least number of pictures of a class; fewer leave none for training, validation or test."""

_LONGEST = 80  # characters of a sub-folder's name; a file system takes 255 bytes

# Devices on Windows, with any ending: aux.txt is one.
_RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"
}


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
    awkward = any(
        character in '<>:"/\\|?*' or ord(character) < 32 or "\ud800" <= character <= "\udfff"
        for character in name
    )
    reserved = name.partition(".")[0].rstrip(" ").upper() in _RESERVED
    if awkward or reserved or not 0 < len(name) <= _LONGEST or name[0] in ". " or name[-1] in ". ":
        raise ArgumentError(
            f"the class {name!r} cannot have a folder: some systems allow no folder of this name"
        )
    return Path(folder) / name


def load_folder(
    folder: str | os.PathLike[str], progress: Progress = SILENT, *, together: bool | None = None
) -> Dataset:
    """Load a data set from a folder of pictures, with one sub-folder named after each class.

    Each picture goes through `inkwise.ink.normalise`, the preprocessing that it would have in
    prediction. Pictures that cannot be read or hold no ink are left out. Of several things in a
    picture the largest is taken, and small ones are specks; unless most pictures of some class are
    of several pieces, as those of i, ÷ and ä are: then all ink of every picture is kept together,
    and so it is by a model that is trained on them. The test part is a
    fifth of the rest, drawn by class and always the same; unless the folder has the splits apart,
    in folders ``train`` and ``test``, and perhaps ``validation``, each with a sub-folder for every
    class. All parts are shuffled, so that the last images of a part are of all classes too.

    Parameters
    ----------
    folder : path-like
        The folder ``pictures`` if a picture of a seven is ``pictures/7/photo.jpg`` or, with the
        splits apart, ``pictures/train/7/photo.jpg``. ``training``, ``testing``, ``val`` and
        ``valid`` are names of splits too, in capitals or not; without folders in them, they are
        classes. Pictures are known by their content, and may lie in folders of the class's folder;
        every page of a file is one. Hidden files and folders are ignored.
    progress : Progress, optional
        Receives how many pictures have been read.
    together : bool, optional
        Whether all ink of every picture is kept together; by default as the pictures show.

    Returns
    -------
    Dataset
        Images of 28×28; its notice says what was left out or passed over, and where the test part
        comes from.

    Raises
    ------
    DataError
        There are fewer than two classes, a class has no pictures, or fewer than five that can be
        used; or a split is missing or lacks a class, or a folder is neither split nor class.
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
    pictures = read_folder(folder, progress, together=together)
    _require_enough(pictures)
    return pictures.as_dataset()


def _require_enough(pictures: OwnImages) -> None:
    """Check that there are enough pictures of every class in every part to train on."""
    if len(pictures.class_names) < 2:
        raise DataError(
            f"{pictures.source} has {counted(len(pictures.class_names), 'sub-folder')} with "
            "pictures: it needs one for each class, at least two, with pictures such as 7/photo.jpg"
        )
    # One of two is set apart for validation, if none is given.
    least = {"whole": LEAST, "train": 1 if "validation" in pictures.parts else 2}
    for part, split in pictures.parts.items():
        counts = np.bincount(split.labels, minlength=len(pictures.class_names))
        for name, count in zip(pictures.class_names, counts, strict=True):
            if count < least.get(part, 1):
                raise DataError(
                    f"{pictures.places[part] / name} has {counted(count, 'picture')} that can be "
                    f"used, and a class needs at least {least.get(part, 1)}: add some, or "
                    "remove the class"
                )


def read_folder(
    folder: str | os.PathLike[str],
    progress: Progress = SILENT,
    *,
    together: bool | None = None,
    known: Collection[str] = (),
) -> OwnImages:
    """Read a folder of pictures, without asking for enough of them to train on.

    Parameters and errors are those of `load_folder`, but any number of classes and pictures will
    do, from one, and any of the splits.

    Parameters
    ----------
    together : bool, optional
        Whether all ink of every picture is kept together; by default as the pictures show.
    known : collection of str
        Names of classes that a model knows which does not keep it together: they do not decide.
    """
    folder = Path(folder)
    passed_over: list[Path] = []
    sources: list[Source] = []
    found: list[tuple[str, str]] = []  # the part and the class of each source
    with storage(folder, "look into"):
        places = _find_parts(folder, passed_over)
        for part, place in places.items():
            for name, pictures in _find_classes(place, passed_over):
                sources += pictures
                found += [(part, name)] * len(pictures)
    names = _in_order({name for _, name in found})
    if not names:
        raise DataError(
            f"{folder} has 0 sub-folders with pictures: it needs one for each class, with "
            "pictures such as 7/photo.jpg"
        )
    classes = np.array([names.index(name) for _, name in found])
    indices = [names.index(name) for name in names if name in known]
    images, kept, left_out, together = _read(
        folder, sources, names, classes, together, indices, progress
    )
    parts = {}
    for part in places:
        own = [place for place, index in enumerate(kept) if found[index][0] == part]
        if not own:
            raise DataError(f"no picture in {places[part]} can be used: add some, or remove it")
        split = Split(
            np.stack([images[place] for place in own]), classes[[kept[place] for place in own]]
        )
        parts[part] = split if part == "whole" else shuffle(split)
    rest = [tell_rest(folder, passed_over)] if passed_over else []
    name = own_name(folder)
    title = f"{name}, {counted(len(images), 'picture')} in a folder, brought to 28×28"
    return OwnImages(name, title, folder, names, parts, places, (*left_out, *rest), together)


def _find_parts(folder: Path, passed_over: list[Path]) -> dict[str, Path]:
    """Return the folder of each split; or, if there are none, the folder itself for the ``whole``.

    A folder with the name of a split is one if any of them has folders in it: otherwise they are
    classes.
    """
    folders = {each.name: each for each in _list(folder) if each.is_dir()}
    named = {name: split for name in folders if (split := SPLIT_WORDS.get(name.lower()))}
    if not any(each.is_dir() for name in named for each in _list(folders[name])):
        return {"whole": folder}
    names = ", ".join(sorted(named))
    for name in folders:
        if name not in named:
            raise DataError(
                f"{folder} has the folder {name} beside the splits {names}: put the class {name} "
                "into every split, or rename the splits if they are classes"
            )
    places: dict[str, Path] = {}
    for split in SPLIT_NAMES:
        for name in [name for name in folders if named[name] == split]:
            if split in places:
                raise DataError(
                    f"{folder} has two folders for one split, {places[split].name} and {name}: "
                    "keep one"
                )
            if not any(each.is_dir() for each in _list(folders[name])):
                raise DataError(
                    f"{folders[name]} has no sub-folders for the classes, as other splits of "
                    f"{folder} have: sort its pictures into such folders, or remove it"
                )
            places[split] = folders[name]
    passed_over += [each for each in _list(folder) if not each.is_dir()]
    return places


def _find_classes(folder: Path, passed_over: list[Path]) -> Iterator[tuple[str, list[Source]]]:
    """Yield the name of each class in a folder, and its pictures."""
    for each in _list(folder):
        if not each.is_dir():
            passed_over.append(each)
            continue
        pictures, rest = list_folder(each, deep=True)
        passed_over += rest
        if not pictures:
            raise DataError(
                f"the class {each.name} has no pictures: put some into {each}, or remove it"
            )
        yield (
            each.name,
            [source for picture in pictures for source in find_sources_of(picture, str(picture))],
        )


def _list(folder: Path) -> list[Path]:
    """Return what is in a folder and not hidden, in the order of the classes."""
    inner = {each.name: each for each in folder.iterdir() if each.name[0] != "."}
    return [inner[name] for name in _in_order(inner)]


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names; those that are numbers by their value, so that 10 comes after 9."""
    return tuple(sorted(names, key=lambda name: (len(name) if name.isdecimal() else 99, name)))


def _read(
    folder: Path,
    sources: Sequence[Source],
    names: Sequence[str],
    classes: NDArray[np.int64],
    together: bool | None,
    known: Collection[int],
    progress: Progress,
) -> tuple[list[NDArray[np.uint8]], list[int], list[str], bool]:
    """Return the images, their indices among the sources, notices, and if ink is kept together."""
    inks, errors = _look_at(folder, sources, bool(together), progress)
    notices = []
    if together is None and (made := in_pieces([*inks.values()], classes[[*inks]], known)):
        inks, errors = _look_at(folder, sources, True, progress)
        notices.append(
            f"Most pictures of {', '.join(names[label] for label in made)} are of several pieces: "
            "all ink of a picture is kept together, here and by the model that is trained on them, "
            "which never answers several."
        )
        together = True
    if errors:
        notices.append(
            f"{len(errors):,} of {len(sources):,} pictures are left out; the first: {errors[0]}."
        )
    crowded = [sources[place].name for place, ink in inks.items() if ink.apart]
    if crowded:
        notices.append(
            f"Several things are in {count_and_name('picture', 'pictures', crowded)}: only the "
            "largest is taken, and about such pictures a model answers several."
        )
    speckled = [sources[place].name for place, ink in inks.items() if "specks" in ink.dropped]
    if speckled:
        notices.append(
            f"Left out as specks are dots in {count_and_name('picture', 'pictures', speckled)}."
        )
    return [ink.image for ink in inks.values()], [*inks], notices, bool(together)


def _look_at(
    folder: Path, sources: Sequence[Source], together: bool, progress: Progress
) -> tuple[dict[int, Ink], list[InkwiseError]]:
    """Return the ink of each picture that has some, by its index, and the errors of the others."""

    def look(source: Source) -> Ink | InkwiseError:
        if isinstance(source.picture, InkwiseError):
            return source.picture
        try:
            return normalise(source.picture, together=together)
        except InkwiseError as error:
            return error

    bar = progress.reading(folder.name)
    bar.total = len(sources)
    inks, errors = {}, []
    with ThreadPoolExecutor(available_cores()) as pool:
        try:
            for place, found in enumerate(pool.map(look, sources)):
                if isinstance(found, Ink):
                    inks[place] = found
                else:
                    errors.append(found)
                bar.update(1)
        finally:
            pool.shutdown(cancel_futures=True)
    if not inks:
        raise DataError(f"no picture in {folder} can be used: {errors[0]}")
    return inks, errors
