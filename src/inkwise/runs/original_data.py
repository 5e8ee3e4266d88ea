"""The data that a run is or was trained on: loading, splitting and enlarging them."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inkwise.data.catalogue import holds, load_dataset, place_of_files
from inkwise.data.dataset import Dataset
from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.own_data import load_data, read_data
from inkwise.data.own_images import OwnImages
from inkwise.data.pendigits import PenDigit, load_pendigits
from inkwise.data.published import DATASET_NAMES
from inkwise.data.splits import Holdout, Splits, split_dataset
from inkwise.errors import DataError, DownloadError, InkwiseError, RunError, StorageError
from inkwise.ink.fitting import CANVAS
from inkwise.runs.directory import Run, describe_drawn
from inkwise.runs.mixed_data import as_own_images, mix
from inkwise.system.progress import SILENT, Progress
from inkwise.training.recipe import Recipe

_ADVICE = "pass the data it was trained on, in Python, as dataset=..."


def load_original_data(
    run: Run,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
    data: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load the data set that a run was trained on, or check that a given one is the same.

    Parameters
    ----------
    run : Run
    dataset : Dataset, optional
        The data set that the run was trained on; of one that went on from a model, the user's part
        of it, or all. By default it is found by its name or, if it is the user's own, read from
        where it was.
    data_dir : path-like, optional
        Where the data set's files are; by default the one that the run was trained from.
    progress : Progress, optional
        Receives downloads and the reading of folders.
    data : path-like, optional
        Where the user's own data set is now, in place of `dataset`.

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
    record, start = run.record["dataset"], run.start
    together = bool(record.get("together"))
    if start is not None and data is not None:
        there = read_data(data, progress, together=together)
        dataset = _mix_again(run, start, there, data_dir, progress)
    elif data is not None:
        dataset = load_data(data, progress, together=together)
    elif start is not None and (dataset is None or dataset.sha256 != record["sha256"]):
        given = None if dataset is None else as_own_images(dataset)
        dataset = _mix_again(run, start, given, data_dir, progress)
    elif dataset is None:
        dataset = _find(str(run.path), record, data_dir, progress)
    dataset = _as_task(dataset, record)
    if dataset.sha256 != record["sha256"]:
        own = record["name"] not in DATASET_NAMES and Path(dataset.source).exists()
        now = f"inkwise evaluate {run.path} --data {dataset.source}"
        raise RunError(
            f"{dataset.name} from {dataset.source} is not the data that {run.path} was "
            f"trained on (its SHA-256 differs): {_ADVICE}"
            + (f"; `{now}` evaluates what is there now" if own else "")
        )
    # What has moved may have another name now, and evaluations go by the name.
    name = record["name"]
    return dataset if dataset.name == name else dataclasses.replace(dataset, name=name)


def load_original_splits(
    run: Run,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Splits:
    """Load the data set that a run was trained on, split as its recipe says.

    Parameters and errors are those of `load_original_data`.
    """
    return split_dataset(load_original_data(run, dataset, data_dir, progress), *run.division)


def load_training_splits(
    run: Run,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
    data: str | os.PathLike[str] | None = None,
) -> tuple[Dataset, Splits]:
    """Load the data set of a run, and the splits that it learned from.

    These have its corrected labels, and the digits that pens drew for it. Parameters and errors are
    those of `load_original_data`; `RunError` is raised as well if pens would draw other digits now.
    """
    images = load_original_data(run, dataset, data_dir, progress, data)
    splits = split_as(run.recipe, images, run.corrections)
    enlarged, _ = add_drawn_digits(splits, images, run.recipe, data_dir, progress)
    if describe_drawn(splits, enlarged) != run.record.get("drawn"):
        raise RunError(
            f"the digits that pens draw are not those that {run.path} learned from: the collection "
            "pendigits is or was missing, or a library has changed; put it where it was, or train "
            "again"
        )
    return images, enlarged


def split_as(recipe: Recipe, data: Dataset, corrections: LabelCorrections | None) -> Splits:
    """Split a data set as a recipe says, with corrected labels if there are any."""
    corrected = None if corrections is None else corrections.apply(data)
    return split_dataset(data, recipe.holdout, recipe.seed, corrected)


def add_drawn_digits(
    splits: Splits,
    data: Dataset,
    recipe: Recipe,
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> tuple[Splits, str | None]:
    """Add the digits that the recipe has drawn by pens; return a notice of what differs."""
    if not recipe.pens:
        return splits, None
    from inkwise.training.forms import FORMS
    from inkwise.training.pens import add_drawn

    if not FORMS.keys() >= set(data.class_names) or data.image_size != (CANVAS, CANVAS):
        return splits, (
            "no digits are drawn by pens in addition, because the classes are not digits or the "
            "images not of 28×28"
        )
    notice = None
    written: list[PenDigit] = []
    try:
        written = load_pendigits(place_of_files(data_dir), progress)
    except (DownloadError, StorageError) as error:
        notice = (
            "digits drawn by pens have the forms that are taught, without those of the collection "
            f"pendigits: {error}"
        )
    progress.notice(f"Drawing {round(recipe.pens * len(splits.train)):,} digits with pens")
    return add_drawn(splits, recipe.pens, data.class_names, recipe.seed, written), notice


def load_earlier(
    earlier: Mapping[str, Any],
    owner: str,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> tuple[Dataset, Splits]:
    """Load what a model was trained on before another training goes on from it.

    Parameters
    ----------
    earlier : mapping
        The data set, as in ``run.json``, with the ``holdout`` and the ``seed`` that divided it.
    owner : str
        What it is for, for messages.
    dataset, data_dir, progress
        As for `load_original_data`.

    Returns
    -------
    dataset : Dataset
    splits : Splits
        Its parts as the model's training had them.

    Raises
    ------
    RunError, DataError, StorageError
        As from `load_original_data`.
    """
    if dataset is None:
        dataset = _find(owner, earlier, data_dir, progress)
    dataset = _as_task(dataset, earlier)
    if dataset.sha256 != earlier["sha256"]:
        raise RunError(
            f"{dataset.name} from {dataset.source} is not the data that {owner} was trained on "
            "(its SHA-256 differs): without it, going on would forget what it has learned"
        )
    holdout = Holdout(**earlier["holdout"])
    return dataset, split_dataset(dataset, holdout, earlier["seed"])


def _mix_again(
    run: Run,
    start: Mapping[str, Any],
    given: OwnImages | None,
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Dataset:
    """Make the data set of a run that went on from a model, as `inkwise.runs.starts` made it."""
    record = run.record["dataset"]
    if given is not None:
        own = given
    elif record["name"] in DATASET_NAMES:
        own = as_own_images(_find(str(run.path), record, data_dir, progress))
    else:
        own = _read_own(str(run.path), record, progress)
    names = tuple(record["class_names"])
    if not {*own.class_names} <= {*names}:
        raise RunError(f"{own.source} has other classes than {run.path} was trained on: {_ADVICE}")
    earlier = start["earlier"]
    seen = None if "whole" not in own.parts else run.has_seen(own.parts["whole"].images)
    mixed, _ = mix(
        own,
        names,
        seen,
        None
        if earlier is None
        else load_earlier(earlier, start["model"], None, data_dir, progress),
        run.recipe.seed,
    )
    return mixed if given is None else dataclasses.replace(mixed, source=str(given.source))


def _as_task(dataset: Dataset, record: Mapping[str, Any]) -> Dataset:
    """Return a data set as the binary task that was trained on it, if the record is of one."""
    *others, positive = record["class_names"]
    binary = len(others) == 1 and positive in dataset.class_names
    return dataset.against_the_rest(positive) if binary else dataset


def _find(
    owner: str,
    record: Mapping[str, Any],
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Dataset:
    if record["name"] in DATASET_NAMES:
        if data_dir is None:
            data_dir = _remembered_folder(record)
        return load_dataset(record["name"], data_dir, progress)
    own = _own_is_gone(owner, record)
    if not Path(record["source"]).is_absolute():
        raise own
    try:
        return load_data(record["source"], progress, together=bool(record.get("together")))
    except (DataError, StorageError) as error:  # it no longer exists, or never was a folder
        raise own from error


def _read_own(owner: str, record: Mapping[str, Any], progress: Progress) -> OwnImages:
    try:
        return read_data(record["source"], progress, together=bool(record.get("together")))
    except (DataError, StorageError) as error:
        raise _own_is_gone(owner, record) from error


def _own_is_gone(owner: str, record: Mapping[str, Any]) -> RunError:
    return RunError(f"{owner} was trained on your own data set, {record['name']}: {_ADVICE}")


def _remembered_folder(record: Mapping[str, Any]) -> str | None:
    """Return the folder that a run's data came from, if the files are still there."""
    try:
        return record["source"] if holds(record["name"], record["source"]) else None
    except InkwiseError:
        return None
