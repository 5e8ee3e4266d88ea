"""Loading the data set that a run was trained on, and splitting it as the run did."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inkwise.data.catalogue import holds, load_dataset
from inkwise.data.dataset import Dataset
from inkwise.data.own_data import load_data
from inkwise.data.published import DATASET_NAMES
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
    """Load the data set that a run was trained on, or check that a given one is the same.

    Parameters
    ----------
    run : Run
    dataset : Dataset, optional
        The data set that the run was trained on. By default it is found by its name or, if it is
        the user's own, read from where it was.
    data_dir : path-like, optional
        Where the data set's files are; by default the one that the run was trained from.
    progress : Progress, optional
        Receives downloads and the reading of folders.

    Returns
    -------
    Dataset

    Raises
    ------
    RunError
        The run was trained on a user's own data set that cannot be found, or the data set that was
        found or given has different content.
    DataError, StorageError
        The images cannot be obtained.
    """
    record = run.record["dataset"]
    if dataset is None:
        dataset = _find(run, record, data_dir, progress)
    if dataset.sha256 != record["sha256"]:
        own = record["name"] not in DATASET_NAMES and Path(dataset.source).exists()
        now = f"inkwise evaluate {run.path} --data {dataset.source}"
        raise RunError(
            f"{dataset.name} from {dataset.source} is not the data that {run.path} was "
            f"trained on (its SHA-256 differs): {_ADVICE}"
            + (f"; `{now}` evaluates what is there now" if own else "")
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
    own = f"{run.path} was trained on your own data set, {record['name']}: {_ADVICE}"
    if not Path(record["source"]).is_absolute():
        raise RunError(own)
    try:
        return load_data(record["source"], progress)
    except (DataError, StorageError) as error:  # it no longer exists, or never was a folder
        raise RunError(own) from error


def _remembered_folder(record: Mapping[str, Any]) -> str | None:
    """Return the folder that a run's data came from, if the files are still there."""
    try:
        return record["source"] if holds(record["name"], record["source"]) else None
    except InkwiseError:
        return None
