"""The images of a user's own that a run can be evaluated on: those it was not trained on."""

import dataclasses

import numpy as np

from inkwise.data.dataset import Dataset, Split
from inkwise.data.own_images import OwnImages
from inkwise.data.published import DATASET_NAMES
from inkwise.data.splits import SPLIT_NAMES
from inkwise.errors import ArgumentError, DataError
from inkwise.evaluation.results import require_image_size
from inkwise.model import Model
from inkwise.runs.directory import Run
from inkwise.system.progress import SILENT, Progress
from inkwise.version import __version__


def own_data(run: Run, own: OwnImages) -> Dataset | None:
    """Return the images as the data set that a run was trained on, or None if they are others.

    What counts is the content, and not where it is nor what its name is.
    """
    record = run.record["dataset"]
    try:
        dataset = run.task(own.as_dataset())
    except (ArgumentError, DataError):  # not the positive class of the run, or too few to train on
        return None
    if dataset.sha256 != record["sha256"]:
        return None
    return dataclasses.replace(dataset, name=record["name"])


def name_apart(run: Run, own: OwnImages) -> str:
    """Return the name of images that are not the run's own data set, which may be called so."""
    return f"{own.name}-other" if own.name == run.record["dataset"]["name"] else own.name


def choose_unseen(
    run: Run, model: Model, own: OwnImages, split: str, progress: Progress = SILENT
) -> Split:
    """Choose the images that a run was neither trained nor validated on.

    Parameters
    ----------
    run : Run
    model : Model
        The model of the run.
    own : OwnImages
        The images, which are not the run's own data set.
    split : {"test", "validation", "train"}
        The split to choose from, if they are divided; else ``test``, which stands for all.
    progress : Progress, optional
        Receives notices of what was left out, and why.

    Returns
    -------
    Split
        The images of the classes that the model knows, with the labels that it gives them.

    Raises
    ------
    ArgumentError
        There is no such split.
    DataError
        The model knows none of the classes, or the run has seen all of the images.
    ModelError
        The model takes images of another size.
    RunError
        The record of what the run has seen is damaged.
    """
    for notice in own.notices:
        progress.notice(notice)
    part = _choose_part(run, own, split)
    place = own.places[part]
    require_image_size(model, own.parts[part].images.shape[1:], str(place))
    images = _name_as(model, run, own, own.parts[part], progress)
    seen, count = run.has_seen(images.images), f"{len(images):,}"
    if seen is None:
        why = (
            "the version that trained it did not record its images"
            if run.trained
            else "what its model was trained on is not known"
        )
        progress.notice(
            f"All {count} images in {place} are evaluated; {run.path} may have seen some of "
            f"them, because {why}"
        )
    elif seen.all():
        raise DataError(
            f"{run.path} was trained or validated on all {count} images in {place}: evaluate it "
            "on others, which tell how right it is on what it has not seen"
        )
    elif seen.any():
        images = images.take(np.flatnonzero(~seen))
        progress.notice(
            f"{run.path} was trained or validated on {seen.sum():,} of the {count} images in "
            f"{place}: the other {len(images):,} are evaluated"
        )
    else:
        progress.notice(
            f"All {count} images in {place} are evaluated: {run.path} was trained and validated "
            f"on none of them{_doubt(run)}"
        )
    absent = np.bincount(images.labels, minlength=len(model.class_names)) == 0
    if absent.any():
        names = ", ".join(np.array(model.class_names)[absent])
        progress.notice(f"Among them there are no images of {names}")
    return images


def _choose_part(run: Run, own: OwnImages, split: str) -> str:
    if split not in SPLIT_NAMES:
        raise ArgumentError(f"unknown split {split!r}: use {', '.join(SPLIT_NAMES)}")
    part = "whole" if split == "test" and "whole" in own.parts else split
    if part not in own.parts:
        has = ", ".join(sorted(own.parts.keys() - {"whole"})) or "none"
        raise ArgumentError(
            f"{own.source} has no split {split} (it has {has}), and is not the data that "
            f"{run.path} was trained on: leave out the split, or name another"
        )
    return part


def _name_as(model: Model, run: Run, own: OwnImages, images: Split, progress: Progress) -> Split:
    """Return the images of classes that a model knows, with its labels."""
    numbers = {name: number for number, name in enumerate(model.class_names)}
    rest = 0 if run.positive else -1  # all that is not of the positive class, or unknown
    labels = np.array([numbers.get(name, rest) for name in own.class_names])[images.labels]
    known = labels >= 0
    if not known.any():
        raise DataError(
            f"{own.source} has the classes {', '.join(own.class_names)}, and "
            f"{run.path} knows none of them, but {', '.join(model.class_names)}: call the "
            "classes as it does"
        )
    if not known.all():
        strange = ", ".join(name for name in own.class_names if name not in numbers)
        progress.notice(
            f"{run.path} does not know these classes of {own.source}, whose "
            f"{np.sum(~known):,} images are passed over: {strange}"
        )
    return Split(images.images[known], labels[known])


def _doubt(run: Run) -> str:
    """Return what must be said if another version may have read the same pictures otherwise."""
    trained_by = run.record["machine"]["versions"]["inkwise"]
    if trained_by == __version__ or run.record["dataset"]["name"] in DATASET_NAMES:
        return ""
    return (
        f", unless inkwise {trained_by}, which trained it, read pictures otherwise than "
        f"{__version__} does"
    )
