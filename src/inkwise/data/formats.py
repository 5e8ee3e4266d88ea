"""The formats in which MNIST and data sets like it are stored: recognising and reading them."""

import dataclasses
import functools
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.data.idx import DTYPES, MAX_BYTES, parse_idx
from inkwise.data.parquet_images import read_parquet_images
from inkwise.data.pixel_tables import (
    PixelTable,
    is_arff,
    is_csv,
    read_arff,
    read_csv_pixels,
)
from inkwise.data.splits import SPLIT_NAMES, SPLIT_WORDS, SplitName
from inkwise.data.stored_files import (
    START,
    UNPACKING_ERRORS,
    StoredFile,
    is_arrays,
    list_stored,
    unpack,
)
from inkwise.errors import DataError, InkwiseError
from inkwise.system.file_kinds import recognise

_NAMED = 3  # files that a notice names

PartName = SplitName | Literal["whole"]
"""What a file holds by its name; ``whole`` if the name does not say."""

Role = Literal["images", "labels", "both"]


class Part(NamedTuple):
    """Images of a data set as they are stored, and their labels.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    labels : ndarray of int64, shape (N,), or None
        As they are written; None where there are none.
    images_from, labels_from : str
        The files that they are in, for messages.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    images_from: str
    labels_from: str


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the files of a data set hold.

    Parameters
    ----------
    parts : dict
        A part for each name.
    class_names : tuple of str or None
        Names of the labels from 0, where the files say them.
    notices : list of str
        What was passed over or assumed.
    """

    parts: dict[PartName, Part]
    class_names: tuple[str, ...] | None = None
    notices: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Format:
    """A format: how it is told, and how it is read.

    Parameters
    ----------
    title : str
        Its name for people.
    recognise : callable
        Tells whether a file with these first bytes is in this format.
    read : callable
        Returns what the files of a data set hold.
    role : callable, optional
        Says what a file with these first bytes has; by default images and their labels.
    peek : callable, optional
        Gives arrays of labels, where that costs little; a data set is known by them.
    """

    title: str
    recognise: Callable[[StoredFile, bytes], bool]
    read: Callable[["Find"], Contents]
    role: Callable[[StoredFile, bytes], Role] = lambda *_: "both"
    peek: Callable[["Find"], Iterator[NDArray[np.int64]]] = lambda _: iter(())


@dataclasses.dataclass(frozen=True, eq=False)
class Find:
    """A data set that was found, and not yet read.

    Parameters
    ----------
    format : Format
    files : mapping
        Its files by the part that they hold and their role. Several are shards, in their order.
    names : tuple of str
        What it and the folders around it are called, from the inside.
    beside : sequence of StoredFile
        Files in its folder that are called as data sets are, and are none.
    """

    format: Format
    files: Mapping[tuple[PartName, Role], Sequence[StoredFile]]
    names: tuple[str, ...]
    beside: Sequence[StoredFile] = ()

    @property
    def where(self) -> Path:
        """The file, if it is one, or the folder of the files."""
        first, *others = [file for files in self.files.values() for file in files]
        if others or any(role != "both" for _, role in self.files):
            return first.folder
        return first.path / first.member

    @property
    def source(self) -> Path:
        """The file or the folder by which the data set is found again."""
        first = next(files[0] for files in self.files.values())
        return first.path if first.member and not self.where.exists() else self.where

    def read(self) -> Contents:
        """Read everything.

        Raises
        ------
        DataError
            A file is missing or damaged, or not what it should be.
        LibraryError
            A library that the format needs is not installed.
        StorageError
            A file cannot be read.
        """
        return self.format.read(self)

    def passed_over(self) -> list[str]:
        """Return a notice if files beside the data set's are called as if they were of it.

        Raises
        ------
        DataError
            One of them is damaged, and so may be a part that is missing.
        StorageError
            One of them cannot be read.
        """
        if not self.beside:
            return []
        for file in self.beside:
            if not file.member:
                unpack(file.path)
            with file.open() as content:
                content.read(START)
        names = ", ".join(file.name for file in self.beside[:_NAMED])
        more = f" and {len(self.beside) - _NAMED} more" if len(self.beside) > _NAMED else ""
        return [f"Passed over beside the images: {names}{more}."]

    @functools.cached_property
    def labels(self) -> list[NDArray[np.int64]]:
        """Labels, if reading them costs little; those that cannot be read are left out."""
        return list(self.format.peek(self))


def find_stored(root: Path) -> list[Find]:
    """Find the data sets in a folder, in a ZIP archive or in a file, without reading them.

    Parameters
    ----------
    root : Path
        What to look into; see `inkwise.data.stored_files.list_stored`.

    Returns
    -------
    list of Find
        Files belong together if they lie in one folder, have one format, and have names that
        differ in the part (train, test, t10k) and in whether they hold images or labels.

    Raises
    ------
    DataError
        `root` is a damaged archive.
    StorageError
        `root` cannot be looked into.
    """
    groups: dict[tuple[Path, int, str], dict[tuple[PartName, Role], list[StoredFile]]] = {}
    prefixes: dict[tuple[Path, int, str], tuple[Path, str]] = {}
    others: dict[Path, list[StoredFile]] = {}
    for file in list_stored(root):
        start = file.start()
        for place, form in enumerate(FORMATS):
            if form.recognise(file, start):
                role = form.role(file, start)
                part, folder, prefix, suffix = _parse_name(file)
                key = (folder, place, f"{prefix}/{suffix}")
                slots = groups.setdefault(key, {})
                prefixes[key] = (folder, prefix)
                files = slots.setdefault((part, role), [])
                # The same again, compressed or in the other spelling, is passed over.
                if file.name.replace(".idx", "-idx") not in {
                    other.name.replace(".idx", "-idx") for other in files
                }:
                    files.append(file)
                break
        else:
            others.setdefault(file.folder, []).append(file)
    return [
        Find(
            FORMATS[place],
            slots,
            _names_around(root, *prefixes[folder, place, affix]),
            others.get(folder, ()),
        )
        for (folder, place, affix), slots in groups.items()
    ]


def what_is_there(root: Path) -> str | None:
    """Say what a file, or a folder's first file of data, is, where no data set is found in it.

    Raises
    ------
    DataError
        The file is damaged or encrypted.
    StorageError
        The file, or the folder, cannot be read.
    """
    for file in list_stored(root):
        with file.open() as content:
            start = content.read(1 << 12)
        if kind := recognise(start):
            advice = {
                "a MATLAB file": "which is not read: EMNIST's gzip.zip has the same images",
                "a Python pickle": "which is not read, because it can hold code",
            }.get(kind, "and no data set that inkwise reads")
            return f"{file} is {kind}, {advice}"
    return None


_PART_NAMES: dict[str, SplitName] = {**SPLIT_WORDS, "t10k": "test"}
_PART = re.compile(rf"(?<![a-z])({'|'.join(_PART_NAMES)})(?![a-z])", re.IGNORECASE)
# What names of files of one data set differ in beside the part.
_VARIABLE = re.compile(
    r"(images|labels|imgs|idx\d|ubyte|\bint\b|-\d+-of-\d+"
    r"|\.(npz|csv|tsv|arff|parquet|pq)\b|[-_. ])+",
    re.IGNORECASE,
)
_COMMON = {"raw", "data", "gzip", "dataset", "datasets"}


def _parse_name(file: StoredFile) -> tuple[PartName, Path, str, str]:
    """Return the part that a name says, the folder of the data set, and the rest of the name."""
    name, folder = file.name, file.folder
    if found := _PART.search(name):
        before, word, behind = name[: found.start()], found[1], name[found.end() :]
    elif _PART.fullmatch(folder.name):  # train/images.idx, test/images.idx
        before, word, behind = "", folder.name, name
        folder = folder.parent
    else:
        return "whole", folder, _VARIABLE.sub(" ", name).strip(), ""
    part: PartName = _PART_NAMES[word.lower()]
    before, behind = (_VARIABLE.sub(" ", text).strip() for text in (before, behind))
    return part, folder, before, behind


def _names_around(root: Path, folder: Path, prefix: str) -> tuple[str, ...]:
    """Return what a data set is called: its files, its folders up to the root, and the root."""
    inner = list(reversed(folder.relative_to(root).parts)) if folder.is_relative_to(root) else []
    own = [part for part in reversed(root.resolve().parts) if part.lower() not in _COMMON][:1]
    return (prefix, *inner, *own)


# IDX


def _is_idx(file: StoredFile, start: bytes) -> bool:
    whole = len(start) > 4 and start[:2] == b"\0\0" and start[2] in DTYPES and start[3] in (1, 2, 3)
    # A damaged file is told by its name, so that it is not passed over.
    return whole or re.search(r"idx\d[-_.](ubyte|int)", file.name, re.IGNORECASE) is not None


def _idx_role(file: StoredFile, start: bytes) -> Role:
    if len(start) > 4 and start[:2] == b"\0\0":
        return "images" if start[3] == 3 else "labels"
    return "images" if re.search("im(age|g)s", file.name, re.IGNORECASE) else "labels"


def _read_idx_file(file: StoredFile) -> NDArray[Any]:
    with file.open_stored() as (content, size):
        return parse_idx(content, str(file), size)


def idx_piece(file: StoredFile) -> NDArray[Any]:
    """Read an IDX file of images, uint8 (N, H, W), or of labels, int64 (N,)."""
    array = _read_idx_file(file)
    if array.ndim == 3:
        return stored_images(array, str(file))
    if array.ndim == 2 and array.shape[1] and array.dtype == np.int32:
        array = array[:, 0]  # of QMNIST's eight; the others say who wrote the digit, and where
    return stored_labels(array, str(file))


def _read_idx(find: Find) -> Contents:
    parts: dict[PartName, Part] = {}
    for part in dict.fromkeys(part for part, _ in find.files):
        files = [find.files.get((part, role), []) for role in ("images", "labels")]
        [images, labels] = [_only(each) for each in files]
        if images is None:
            raise DataError(f"{labels} has labels, and {find.where} has no images for them")
        parts[part] = Part(
            stored_images(idx_piece(images), str(images)),
            None if labels is None else stored_labels(idx_piece(labels), str(labels)),
            str(images),
            str(labels),
        )
    return Contents(parts)


def _peek_idx(find: Find) -> Iterator[NDArray[np.int64]]:
    for (_, role), files in find.files.items():
        if role == "labels":
            try:
                yield idx_piece(files[0])
            except InkwiseError:
                continue


# NumPy's npz

# x_train and y_train as Keras calls them, or train_images and train_labels.
_ARRAYS = {
    name: (SPLIT_WORDS[word], role)
    for word in ("train", "validation", "valid", "val", "test")
    for role, letter in (("images", "x"), ("labels", "y"))
    for name in (f"{letter}_{word}", f"{word}_{role}")
}


def _read_npz(find: Find) -> Contents:
    [[file]] = find.files.values()
    arrays: dict[tuple[str, str], NDArray[Any]] = {}
    passed_over = []
    with file.open() as content:
        for name, array in _arrays_in(content, file, lambda name: name in _ARRAYS):
            if array is None:
                passed_over.append(name)
            elif _ARRAYS[name] in arrays:
                raise DataError(f"{file} has two arrays of {' '.join(_ARRAYS[name])}")
            else:
                arrays[_ARRAYS[name]] = array
    parts: dict[PartName, Part] = {}
    for part in SPLIT_NAMES:
        images, labels = arrays.get((part, "images")), arrays.get((part, "labels"))
        if images is not None:
            parts[part] = Part(
                stored_images(images, str(file)),
                None if labels is None else stored_labels(labels, str(file)),
                str(file),
                str(file),
            )
    if "train" not in parts:
        found = ", ".join(passed_over) or "none"
        raise DataError(
            f"{file} should hold the arrays x_train, y_train, x_test and y_test, and has {found}"
        )
    unused = f"{file}: the arrays {', '.join(passed_over)} are not used."
    return Contents(parts, notices=[unused] if passed_over else [])


def _peek_npz(find: Find) -> Iterator[NDArray[np.int64]]:
    [[file]] = find.files.values()
    wanted = [name for name, (_, role) in _ARRAYS.items() if role == "labels"]
    try:
        with file.open() as content:
            found = _arrays_in(content, file, lambda name: name in wanted)
            yield from [stored_labels(array, str(file)) for _, array in found if array is not None]
    except InkwiseError:
        return


def _arrays_in(
    content: Any, file: StoredFile, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, NDArray[Any] | None]]:
    """Give the names of the arrays of an archive, and those that are wanted. None is unpickled."""
    try:
        with np.load(content, allow_pickle=False) as archive:
            for member in archive.zip.infolist():
                name = member.filename.removesuffix(".npy")
                if not wanted(name):
                    yield name, None
                    continue
                if member.file_size > MAX_BYTES:
                    raise DataError(f"{file} has an array {name} of over {MAX_BYTES:,} bytes")
                try:
                    array = archive[name]
                    if not isinstance(array, np.ndarray):  # NumPy gives what is no array as bytes
                        raise ValueError("no array")  # noqa: TRY301, TRY004
                    yield name, array
                except Exception as error:  # a header may claim any size, and is parsed as Python
                    kind = "of Python objects" if "allow_pickle" in str(error) else "damaged"
                    raise DataError(
                        f"{file}: the array {name} is {kind}, which is not read: save it as "
                        "whole numbers"
                    ) from error
    except InkwiseError:
        raise
    except (ValueError, zipfile.BadZipFile, *UNPACKING_ERRORS) as error:
        raise DataError(f"{file} is a damaged archive of arrays ({error})") from error


# Tables and Parquet: an image and its label in each row


def _read_tables(find: Find, read: Callable[[StoredFile], Any]) -> Contents:
    parts: dict[PartName, Part] = {}
    notices: list[str] = []
    class_names = None
    for (part, _), files in find.files.items():
        tables = [read(file) for file in files]
        sizes = {table.images.shape[1:] for table in tables}
        unlabelled = [table.labels is None for table in tables]
        if len(sizes) > 1 or len({*unlabelled}) > 1:
            raise DataError(f"the files of {find.where} that begin with {files[0]} do not match")
        parts[part] = Part(
            np.concatenate([table.images for table in tables]),
            None if unlabelled[0] else np.concatenate([table.labels for table in tables]),
            str(files[0]),
            str(files[0]),
        )
        notices += [notice for table in tables for notice in table.notices]
        class_names = class_names or getattr(tables[0], "class_names", None)
    return Contents(parts, class_names, notices)


def _read_with(read: Callable[[StoredFile], PixelTable]) -> Callable[[Find], Contents]:
    def read_one_each(find: Find) -> Contents:
        for files in find.files.values():
            _only(files)
        return _read_tables(find, read)

    return read_one_each


def _only(files: Sequence[StoredFile]) -> StoredFile | None:
    """Return the only file of a part; several contradict each other."""
    if len(files) > 1:
        raise DataError(
            f"{files[0]} and {files[1]} seem to be the same part of a data set: leave one of them"
        )
    return files[0] if files else None


FORMATS = (
    Format("IDX", _is_idx, _read_idx, _idx_role, _peek_idx),
    Format("npz", is_arrays, _read_npz, peek=_peek_npz),
    Format(
        "Parquet",
        lambda _, start: start.startswith(b"PAR1"),
        lambda find: _read_tables(find, read_parquet_images),
    ),
    Format("ARFF", lambda _, start: is_arff(start), _read_with(read_arff)),
    Format("CSV", lambda _, start: is_csv(start), _read_with(read_csv_pixels)),
)
"""The formats, in the order in which they are tried."""


def stored_images(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Return stored images as uint8 of shape (N, H, W)."""
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 or array.dtype.kind not in "uif" or not array.size:
        shape = "×".join(map(str, array.shape)) or "a single number"
        raise DataError(
            f"{where} has images of type {array.dtype} and shape {shape}: they must be numbers, "
            "as many as images × height × width"
        )
    if array.dtype != np.uint8:
        in_range = np.isfinite(array).all() and array.min() >= 0 and array.max() <= 255
        if not in_range or not (array % 1 == 0).all():
            raise DataError(
                f"{where} has pixels that are not whole numbers from 0 to 255: scale them so"
            )
    return array.astype(np.uint8, copy=False)


def stored_labels(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Return stored labels as int64 of shape (N,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    whole = array.dtype.kind in "ui" or (
        array.dtype.kind == "f" and np.isfinite(array).all() and (array % 1 == 0).all()
    )
    if array.ndim != 1 or not whole:
        raise DataError(
            f"{where} has labels of type {array.dtype} and shape {array.shape}: they must be one "
            "whole number for each image"
        )
    return array.astype(np.int64)
