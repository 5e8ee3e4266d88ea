"""The data that a run was trained on, found again or given, and split as the run split it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inkwise.data.catalogue import DATASET_NAMES, load_dataset
from inkwise.data.dataset import Dataset
from inkwise.data.mnist import find_mnist
from inkwise.data.picture_folder import load_folder
from inkwise.data.splits import Splits, split_dataset
from inkwise.errors import DataError, InkwiseError, RunError, StorageError
from inkwise.runs.directory import Run
from inkwise.system.progress import SILENT, Progress

_ADVICE = "pass the data it was trained on, in Python, as dataset=..."


def load_original_data(
    run: Run,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Dataset:
    """Load the data set that a run was trained on, or make sure that a given one is it.

    Parameters
    ----------
    run : Run
    dataset : Dataset, optional
        What the user says it was; by default it is looked for: by its name, or, where it was a
        folder of pictures, in that folder.
    data_dir : path-like, optional
        A folder with MNIST's four files; by default the one that the run was trained from.
    progress : Progress, optional
        Draws downloads.

    Raises
    ------
    RunError
        It is a user's own and no folder, or what is found or given has other content.
    DataError, StorageError
        The images are not to be had.
    """
    record = run.record["dataset"]
    if dataset is None:
        dataset = _find(run, record, data_dir, progress)
    if dataset.sha256 != record["sha256"]:
        raise RunError(
            f"{dataset.name} from {dataset.source} is not the data that {run.path} was "
            f"trained on (its SHA-256 is another): {_ADVICE}"
        )
    return dataset


def load_original_splits(
    run: Run,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Splits:
    """Load the data set that a run was trained on, split as its recipe says.

    Parameters and errors are those of `load_original_data`.
    """
    recipe = run.recipe
    return split_dataset(
        load_original_data(run, dataset, data_dir, progress), recipe.holdout, recipe.seed
    )


def _find(
    run: Run,
    record: Mapping[str, Any],
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Dataset:
    if record["name"] in DATASET_NAMES:
        if data_dir is None:
            data_dir = _remembered_folder(record)
        return load_dataset(record["name"], data_dir, progress)
    own = f"{run.path} was trained on a data set of your own, {record['name']}: {_ADVICE}"
    if not Path(record["source"]).is_absolute():
        raise RunError(own)
    try:
        return load_folder(record["source"], progress)
    except (DataError, StorageError) as error:  # it is gone, or never was one
        raise RunError(own) from error


def _remembered_folder(record: Mapping[str, Any]) -> str | None:
    """Return the folder that a run's data came from, if the files are still there."""
    try:
        return record["source"] if find_mnist(record["source"]) else None
    except InkwiseError:
        return None
