"""Folds: which images are trained on and which are tested, and who wrote them."""

import contextlib
import dataclasses
import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.idx import read_idx
from inkwise.errors import ArgumentError, DataError, counted
from inkwise.system.tables import read_csv

_WRITER = 2  # the column of QMNIST's labels with who wrote the digit


def pool(data: Dataset) -> Dataset:
    """Return a data set whose validation images are among the training images."""
    if data.validation is None:
        return data
    parts = data.train, data.validation
    return dataclasses.replace(
        data,
        train=Split(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
        ),
        validation=None,
    )


def read_writers(
    writers: ArrayLike | str | os.PathLike[str] | None, data: Dataset
) -> NDArray[np.int64] | None:
    """Return a number for the writer of each training image, int64 (N,), if they are known."""
    if writers is None and data.name == "qmnist":
        for path in sorted(Path(data.source).rglob("qmnist-train-labels-idx2-int*")):
            with contextlib.suppress(DataError):
                columns = read_idx(path)
                if columns.ndim == 2 and columns.shape[1] > _WRITER:
                    writers = columns[:, _WRITER]
                    break
    if writers is None:
        return None
    if isinstance(writers, str | os.PathLike):
        table = read_csv(writers, ["writer"], "a list of writers")
        writers = [row[table.header.index("writer")] for row in table.rows]
    named = np.asarray(writers)
    count = len(data.train) + (0 if data.validation is None else len(data.validation))
    if named.shape != (count,):
        raise ArgumentError(
            f"there are {counted(count, 'training image')}, and writers of shape {named.shape}: "
            "name the writer of each, in their order"
        )
    return np.unique(named, return_inverse=True)[1].astype(np.int64)


def divide(
    images: Dataset, writers: NDArray[np.int64] | None, folds: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Divide the training images by class and, if they are known, by writers.

    Returns
    -------
    list of tuple of ndarray of intp
        For each fold, the indices of the images to train and to test on, ascending.

    Raises
    ------
    ArgumentError
        There are too few images of a class, or writers.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels = images.train.labels
    counts = np.bincount(labels, minlength=len(images.class_names))
    rarest = int(np.where(counts > 0, counts, counts.max()).argmin())
    if counts[rarest] < folds:
        raise ArgumentError(
            f"{folds} folds are too many: there are {counted(int(counts[rarest]), 'image')} of "
            f"{images.class_names[rarest]}, and each fold needs one"
        )
    if writers is None:
        split = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(split.split(labels, labels))
    if (count := len(np.unique(writers))) < folds:
        raise ArgumentError(
            f"{folds} folds are too many: there are {counted(count, 'writer')}, and each fold "
            "needs one"
        )
    grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a writer may have written few classes
        found = list(grouped.split(labels, labels, writers))
    if any(len(test) == 0 for _, test in found):
        raise ArgumentError(f"{folds} folds are too many for these writers: use fewer")
    return found
