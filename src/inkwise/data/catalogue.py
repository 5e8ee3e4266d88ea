"""The catalogue of data sets: listing them, and loading one by its name."""

import dataclasses
import importlib.util
import os

from inkwise.data.dataset import Dataset
from inkwise.data.mnist import MIRRORS, cache_folder, find_mnist, is_complete, load_mnist
from inkwise.data.optdigits import load_optdigits
from inkwise.errors import ArgumentError, DownloadError
from inkwise.system.progress import SILENT, Progress

DATASET_NAMES = ("auto", "mnist", "optdigits")


@dataclasses.dataclass(frozen=True)
class Availability:
    """A data set of the catalogue, and where it would be loaded from now.

    Parameters
    ----------
    name : str
        Name of the data set in the catalogue.
    title : str
        Number, kind and size of its images, for people to read.
    source : str
        A folder, a web address or a library.
    at_hand : bool
        Whether loading the data set needs no download.
    """

    name: str
    title: str
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
    name : {"auto", "mnist", "optdigits"}
        ``auto`` is MNIST if it is on this machine or can be downloaded, and optdigits otherwise;
        the notice of the data set then says so.
    data_dir : path-like, optional
        A folder with MNIST's four files; see `inkwise.data.mnist.load_mnist`.
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
        Files are missing or damaged. optdigits never takes the place of damaged files.
    DownloadError
        ``mnist`` was requested, is not on this machine and cannot be downloaded.

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
    try:
        return load_mnist(data_dir, progress)
    except DownloadError as error:
        if name == "mnist":
            raise
        return dataclasses.replace(
            load_optdigits(),
            notice=f"This is not MNIST: scikit-learn's optdigits stands in for it. {error}.",
        )


def describe_datasets(data_dir: str | os.PathLike[str] | None = None) -> list[Availability]:
    """List every data set, and where it would be loaded from, without loading any.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder with MNIST's four files, as for `load_dataset`.

    Returns
    -------
    list of Availability

    Raises
    ------
    DataError
        `data_dir` was given and has none of MNIST's files.

    Examples
    --------
    >>> import inkwise
    >>> [dataset.name for dataset in inkwise.describe_datasets()]
    ['mnist', 'optdigits', 'auto']
    """
    folder = find_mnist(data_dir)
    mnist = Availability(
        "mnist",
        "70,000 handwritten digits, 28×28; 60,000 to train on, 10,000 to test on",
        str(folder) if folder else f"{MIRRORS[0]} → {cache_folder()}",
        at_hand=folder is not None and is_complete(folder),
    )
    optdigits = Availability(
        "optdigits",
        "1,797 handwritten digits, 8×8 brought to 28×28; 1,438 to train on, 359 to test on",
        "bundled with scikit-learn",
        at_hand=importlib.util.find_spec("sklearn") is not None,
    )
    auto = Availability(
        "auto",
        "mnist if it can be loaded, else optdigits",
        "mnist" if mnist.at_hand else "mnist by download, else optdigits",
        at_hand=mnist.at_hand or optdigits.at_hand,
    )
    return [mnist, optdigits, auto]
