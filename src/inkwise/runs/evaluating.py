"""Evaluating the model of a run, and keeping what is found in the run."""

import dataclasses
import os

import numpy as np

from inkwise.data.catalogue import load_dataset, refuse_two
from inkwise.data.dataset import Dataset, Split
from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.own_data import read_data
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.evaluation.binary import THRESHOLD
from inkwise.evaluation.results import Evaluation, evaluate_model
from inkwise.evaluation.slices import find_slices
from inkwise.model import Model
from inkwise.runs.directory import Run
from inkwise.runs.original_data import load_original_data
from inkwise.runs.shown_images import ShownImages
from inkwise.runs.unseen_images import choose_unseen, name_apart, own_data
from inkwise.system.extras import require_training
from inkwise.system.progress import SILENT, Progress
from inkwise.training.recipe import Recipe

SAMPLES = 24
"""Number of images in the grid of sample predictions."""


def evaluate(
    run: Run | str | os.PathLike[str],
    split: str = "test",
    *,
    dataset: str | Dataset | None = None,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Evaluate the saved model of a run, and write metrics and predictions into the run.

    Parameters
    ----------
    run : Run or path-like
        The run to evaluate.
    split : {"test", "validation", "train"}
        The split to evaluate on, divided as the run's recipe says.
    dataset : str or Dataset, optional
        A data set other than the run's own, with the same classes and image size, or the name of
        one.
    data : path-like, optional
        A data set in any form that `inkwise.load_data` takes, such as a folder of pictures or a
        table, in place of `dataset`. If it is what the run was trained on, under any name, the
        split is the run's. Otherwise all of its images are evaluated, or those of the split if
        they are divided, but for images that the run was trained or validated on and classes that
        the model does not know. A notice says which.
    data_dir : path-like, optional
        Where the data set's files are; for the run's own data, by default the one that it was
        trained from.
    labels : path-like, optional
        A file of decisions about labels, from the page of an audit; for the run's own data, by
        default the one that it was trained with, if any. All metrics use the labels as given,
        except those of `Evaluation.corrected`.
    progress : Progress, optional
        Receives notices and downloads.

    Returns
    -------
    Evaluation

    Raises
    ------
    RunError
        The run does not exist, has no model yet or is still being trained; or its data set is not
        the one it was trained on.
    ModelError
        The model is damaged, or does not fit the data set.
    ArgumentError
        There is no such split or data set, or two data sets are given.
    DataError, StorageError
        The images cannot be obtained, none of them is left to evaluate, or the run cannot be
        written.

    Examples
    --------
    >>> import inkwise
    >>> evaluation = inkwise.evaluate("runs/small", "validation")
    >>> evaluation.split, len(evaluation)
    ('validation', 288)
    >>> evaluation.confusion.shape
    (10, 10)
    """
    require_training("an evaluation")
    run = run if isinstance(run, Run) else Run(run)
    epochs = len(run.history)
    if not epochs:
        raise RunError(f"{run.path} has no model: its training ended before the first epoch did")
    recipe, model = run.recipe, run.model
    if data is not None:
        refuse_two(dataset, data)
        own_images = read_data(data, progress, together=model.together)
        dataset = own_data(run, own_images)
        if dataset is None:
            if labels is not None:
                raise ArgumentError(
                    f"corrected labels are for the data that {run.path} was trained on, which "
                    f"{data} is not: leave out {labels}"
                )
            images = choose_unseen(run, model, own_images, split, progress)
            probabilities = model.predict_proba(images.images)
            name = name_apart(run, own_images)
            evaluation = Evaluation(name, split, model.class_names, images.labels, probabilities)
            return _keep(run, epochs, model, evaluation, images)
        progress.notice(
            f"{data} holds the data that {run.path} was trained on: its {split} split is "
            "evaluated, as the run divided it"
        )
    if isinstance(dataset, str):
        dataset = load_dataset(dataset, data_dir, progress)
    if dataset is not None and dataset.notice:
        progress.notice(dataset.notice)
    own = dataset is None or dataset.name == run.record["dataset"]["name"]
    if dataset is None or own:
        dataset = load_original_data(run, dataset, data_dir, progress)
    else:
        dataset = recipe.task(dataset)
    images = _choose_split(dataset, split, recipe)
    corrections = run.corrections if own and labels is None else None
    if labels is not None:
        corrections = LabelCorrections.read(labels)
    corrected = None if corrections is None else corrections.apply(dataset)
    evaluation = evaluate_model(model, dataset, images, split)
    if corrected is not None:
        relabelled = _choose_split(dataset, split, recipe, corrected)
        evaluation = dataclasses.replace(evaluation, corrected_labels=relabelled.labels)
    return _keep(run, epochs, model, evaluation, images, corrections)


def _keep(
    run: Run,
    epochs: int,
    model: Model,
    evaluation: Evaluation,
    images: Split,
    corrections: LabelCorrections | None = None,
) -> Evaluation:
    """Write an evaluation of the model of so many epochs into its run, and return it."""
    if len(run.history) != epochs:
        raise RunError(f"{run.path} is still being trained: evaluate it when the training is over")
    run.save_evaluation(evaluation, corrections)
    found = find_slices(images.images, images.labels, evaluation.predicted, evaluation.class_names)
    run.save_slices(found, evaluation)
    if run.owns(evaluation):
        run.save_pictures(_choose_pictures(images, evaluation))
        run.save_model(model.with_provenance(metrics=evaluation.headline()))
    return evaluation


def _choose_split(
    dataset: Dataset, name: str, recipe: Recipe, corrected: Dataset | None = None
) -> Split:
    if name == "test":  # part of every data set, so that nothing has to be drawn and copied
        return (corrected or dataset).test
    return split_dataset(dataset, recipe.holdout, recipe.seed, corrected)[name]


def _choose_pictures(split: Split, evaluation: Evaluation) -> ShownImages:
    """Choose a random sample, the same for every run on this data, and every mistake.

    Answers of no more than ½ are mistakes where a comparison reads them as those of a binary task.
    """
    generator = np.random.default_rng(0)
    samples = generator.choice(len(split), size=min(SAMPLES, len(split)), replace=False)
    doubtful = np.flatnonzero(evaluation.confidence <= THRESHOLD)
    indices = np.union1d(samples, np.union1d(evaluation.misclassified, doubtful))
    return ShownImages(indices, split.images[indices], samples)
