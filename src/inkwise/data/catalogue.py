"""The catalogue of data sets: listing them, and loading one by its name."""

import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from inkwise.data import pendigits
from inkwise.data.cache import cache_folder, is_cached, load_cached
from inkwise.data.dataset import Dataset
from inkwise.data.formats import Find, find_stored, what_is_there
from inkwise.data.optdigits import load_optdigits
from inkwise.data.own_data import agree, describe, load_data, load_finds
from inkwise.data.own_images import own_name
from inkwise.data.published import (
    DATASET_NAMES,
    PUBLISHED,
    Published,
    choose,
    identify,
    is_called_mnist,
    missing_files,
    read_published,
)
from inkwise.errors import ArgumentError, DataError, DownloadError
from inkwise.system.progress import SILENT, Progress

DATA_DIR_VARIABLE = "INKWISE_DATA_DIR"


@dataclasses.dataclass(frozen=True)
class Availability:
    """A data set of the catalogue, or one that was found, and where it would be loaded from now.

    Parameters
    ----------
    name : str
        Name of the data set in the catalogue.
    title : str
        Number, kind and size of its images, for people to read.
    found_as : str or None
        The format that it was found in.
    source : str
        A folder, a file, a web address or a library.
    at_hand : bool
        Whether loading the data set needs no download.
    """

    name: str
    title: str
    found_as: str | None
    source: str
    at_hand: bool


def load_dataset(
    name: str = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Dataset:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        ``mnist``, ``fashion-mnist``, ``kmnist``, ``qmnist``, one of EMNIST's six splits
        (``emnist-balanced``, ``-byclass``, ``-bymerge``, ``-letters``, ``-digits`` or ``-mnist``)
        or ``optdigits``. ``auto`` is what `data_dir` holds; without it, MNIST if it is on this
        machine or can be downloaded, and optdigits otherwise. The notice of the data set says so
        where it is not MNIST.
    data_dir : path-like, optional
        The only folder, or file, to look in: for IDX files, Keras' npz, CSV, ARFF and Parquet,
        which are known by their content, in folders in it and in ZIP archives. Without it they are
        looked for in what ``INKWISE_DATA_DIR`` names, then in the cache. What neither has is
        downloaded to the cache, as is what is damaged there.
    progress : Progress, optional
        Receives the progress of downloads.

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError
        There is no data set of this name.
    DataError
        Files are missing, damaged, or not the data set's. optdigits never takes the place of
        damaged files.
    DownloadError
        The data set was requested by name, is not on this machine and cannot be downloaded.
    LibraryError
        The files are in Parquet, and the extra ``parquet`` is not installed.

    Examples
    --------
    >>> import inkwise
    >>> digits = inkwise.load_dataset("optdigits")
    >>> digits.train.images.shape, digits.test.images.shape
    ((1438, 28, 28), (359, 28, 28))
    """
    if name not in DATASET_NAMES:
        raise ArgumentError(f"unknown data set {name!r}: use {', '.join(DATASET_NAMES)}")
    if name == "optdigits":
        return load_optdigits()
    published = PUBLISHED["mnist" if name == "auto" else name]
    place = place_of_files(data_dir)
    finds = [] if place is None else find_stored(place)
    fitting = choose(published, finds)
    if name == "auto" and place is not None and finds:
        fitting = [find for find in fitting if is_called_mnist(find)]
        if not fitting:
            return _instead_of_mnist(load_finds(place, finds, progress))
    if place is not None and fitting:
        return agree(place, fitting, lambda find: read_published(published, find))
    if data_dir is not None:
        raise _lacks(published, Path(data_dir), finds)
    not_in = f" (nor in {place}, which {DATA_DIR_VARIABLE} names)" if place else ""
    try:
        return load_cached(published, progress, not_in)
    except DownloadError as error:
        if name != "auto":
            raise
        return dataclasses.replace(
            load_optdigits(),
            notice=f"This is not MNIST: scikit-learn's optdigits stands in for it. {error}.",
        )


def load_either(
    dataset: str | Dataset,
    data: str | os.PathLike[str] | None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Dataset:
    """Load the data set at the path `data` or, if that is None, the one of this name."""
    if data is not None:
        return load_data(data, progress)
    return load_dataset(dataset, data_dir, progress) if isinstance(dataset, str) else dataset


def refuse_two(dataset: str | Dataset | None, data: str | os.PathLike[str] | None) -> None:
    """Raise `ArgumentError` if a data set and the path of another are given."""
    if dataset is not None and data is not None:
        name = dataset if isinstance(dataset, str) else dataset.name
        raise ArgumentError(f"{data} and {name} are two data sets: leave out one of them")


def holds(name: str, path: str | os.PathLike[str]) -> bool:
    """Tell whether a folder or a file has a data set of this name, without reading its images.

    Raises
    ------
    DataError, StorageError
        It cannot be looked into.
    """
    return name in PUBLISHED and bool(choose(PUBLISHED[name], find_stored(Path(path))))


def describe_datasets(data_dir: str | os.PathLike[str] | None = None) -> list[Availability]:
    """List every data set, and where it would be loaded from, without loading any.

    Parameters
    ----------
    data_dir : path-like, optional
        Where to look, as for `load_dataset`.

    Returns
    -------
    list of Availability
        Those of the catalogue, and what else was found in the folder.

    Raises
    ------
    DataError
        `data_dir` was given and has no data set.

    Examples
    --------
    >>> import inkwise
    >>> [dataset.name for dataset in inkwise.describe_datasets()][:3]
    ['mnist', 'fashion-mnist', 'kmnist']
    """
    place = place_of_files(data_dir)
    finds = [] if place is None else find_stored(place)
    if data_dir is not None and not finds:
        raise _lacks(PUBLISHED["mnist"], Path(data_dir), finds)
    rows = []
    for published in PUBLISHED.values():
        fitting = [find for find in finds if identify(find) is published]
        if published.name == "mnist":
            fitting = fitting or [find for find in finds if is_called_mnist(find)]
        rows.append(_available(published, fitting, given=data_dir is not None))
        finds = [find for find in finds if find not in fitting]
    rows += [
        Availability(
            own_name(find.source), "data of your own", find.format.title, str(find.where), True
        )
        for find in finds
    ]
    optdigits = Availability(
        "optdigits",
        "1,797 handwritten digits, 8×8 brought to 28×28; 1,438 to train on, 359 to test on",
        None,
        "bundled with scikit-learn",
        at_hand=importlib.util.find_spec("sklearn") is not None,
    )
    strokes = Availability(
        pendigits.NAME,
        "7,494 digits as strokes of a pen, which the recipe precise draws from",
        None,
        *_where_strokes_are(place, given=data_dir is not None),
    )
    mnist = rows[0]
    auto = Availability(
        "auto",
        "what the folder holds; else mnist if it can be loaded, else optdigits",
        None,
        "mnist" if mnist.at_hand else "mnist by download, else optdigits",
        at_hand=mnist.at_hand or optdigits.at_hand,
    )
    return [*rows, optdigits, strokes, auto]


def fetch_dataset(
    name: str, data_dir: str | os.PathLike[str] | None = None, progress: Progress = SILENT
) -> None:
    """Download a data set to the cache, unless it is on this machine, and verify it.

    Parameters
    ----------
    name : str
        A name in the catalogue, or ``pendigits``.
    data_dir, progress
        As for `load_dataset`.

    Raises
    ------
    ArgumentError
        There is no data set of this name.
    DataError, DownloadError
        It cannot be had, or what was found is damaged.
    """
    if name == pendigits.NAME:
        pendigits.load_pendigits(place_of_files(data_dir), progress)
    elif name in DATASET_NAMES:
        load_dataset(name, data_dir, progress)
    else:
        known = ", ".join((*DATASET_NAMES, pendigits.NAME))
        raise ArgumentError(f"unknown data set {name!r}: use {known}")


def _where_strokes_are(place: Path | None, *, given: bool) -> tuple[str, bool]:
    """Return where the pen digits are or would be downloaded to, and whether they are there."""
    folder = pendigits.pendigits_folder()
    for each in (place, None if given else folder):
        if pendigits.list_strokes(each):
            return str(each), True
    return f"{pendigits.MIRRORS[0]} → {folder}", False


def place_of_files(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Return where to look for files beside the cache."""
    named = os.environ.get(DATA_DIR_VARIABLE)
    if data_dir is not None:
        return Path(data_dir)
    return Path(named) if named else None


def _available(published: Published, finds: Sequence[Find], *, given: bool) -> Availability:
    found = finds[0] if finds else None
    cached = not given and found is None and is_cached(published)
    folder = cache_folder(published)
    return Availability(
        published.name,
        published.description,
        found.format.title if found else "IDX" if cached else None,
        str(found.where if found else folder if cached else f"{published.mirrors[0]} → {folder}"),
        at_hand=cached or (found is not None and not missing_files(published, found)),
    )


def _instead_of_mnist(dataset: Dataset) -> Dataset:
    if dataset.name == "mnist":
        return dataset
    told = f"This is not MNIST but what {dataset.source} holds: {dataset.title}."
    return dataclasses.replace(dataset, notice=" ".join(filter(None, [told, dataset.notice])))


def _lacks(published: Published, place: Path, finds: Sequence[Find]) -> DataError:
    """Return the error that says what a folder has in place of a data set."""
    told = f"{place} has no {published.title} files: "
    if finds:
        return DataError(f"{told}it has {describe(finds[0])}")
    if place.exists() and (there := what_is_there(place)):
        return DataError(there)
    names = ", ".join(file.name for file in published.files)
    return DataError(f"{told}it should hold {names}, plain or .gz, or the same as npz or a table")
