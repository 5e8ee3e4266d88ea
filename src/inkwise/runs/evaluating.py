"""Evaluating the model of a run, and keeping what is found in the run."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from inkwise.data.catalogue import load_dataset, load_either, refuse_two
from inkwise.data.dataset import Dataset, Split
from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.own_data import load_data, read_data
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.evaluation.binary import THRESHOLD
from inkwise.evaluation.results import Evaluation, evaluate_model, require_fit
from inkwise.evaluation.slices import find_slices
from inkwise.model import Model
from inkwise.runs.directory import Run
from inkwise.runs.models import find_model, is_run
from inkwise.runs.original_data import load_original_data
from inkwise.runs.shown_images import ShownImages
from inkwise.runs.unseen_images import choose_unseen, name_apart, own_data
from inkwise.system.extras import require_training
from inkwise.system.machine import describe_machine, library_versions
from inkwise.system.progress import SILENT, Progress

SAMPLES = 24
"""Number of images in the grid of sample predictions."""


def evaluate(
    run: Run | Model | str | os.PathLike[str],
    split: str = "test",
    *,
    dataset: str | Dataset | None = None,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Evaluate the saved model of a run, and write metrics and predictions into the run.

    Of a model that is in no run, such as an imported one, a new run is made, which everything else
    takes that takes a run.

    Parameters
    ----------
    run : Run, Model or path-like
        The run to evaluate; or, with `dataset` or `data`, a model, the directory of one, an ONNX
        file of inkwise, or ``pretrained``, the package's model.
    split : {"test", "validation", "train"}
        The split to evaluate on, divided as the run's recipe says.
    dataset : str or Dataset, optional
        A data set other than the run's own, with the same classes and image size, or the name of
        one. For a model, the data set of the new run.
    data : path-like, optional
        A data set in any form that `inkwise.load_data` takes, such as a folder of pictures or a
        table, in place of `dataset`. If it is what the run was trained on, under any name, the
        split is the run's. Otherwise all of its images are evaluated, or those of the split if
        they are divided, but for images that the run was trained or validated on and classes that
        the model does not know. A notice says which. For a model, it is the data set of the new
        run, divided as for a training.
    data_dir : path-like, optional
        Where the data set's files are; for the run's own data, by default the one that it was
        trained from.
    labels : path-like, optional
        A file of decisions about labels, from the page of an audit; for the run's own data, by
        default the one that it was trained with, if any. All metrics use the labels as given,
        except those of `Evaluation.corrected`.
    output : path-like, optional
        The directory of the new run for a model, new or empty; by default the next free one under
        ``runs/``.
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
        There is no such split or data set, or two data sets are given; or none for a model, or an
        output for a run.
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

    A model from elsewhere:

    >>> model = inkwise.load_pretrained()
    >>> evaluation = inkwise.evaluate(model, dataset="optdigits", output="runs/pretrained")
    >>> inkwise.Run("runs/pretrained").evaluation.accuracy == evaluation.accuracy
    True
    """
    require_training("an evaluation")
    run, made_for = open_run(run, dataset, data, data_dir, output, progress)
    if made_for is not None:
        dataset, data = made_for, None
    epochs = len(run.history)
    if run.trained and not epochs:
        raise RunError(f"{run.path} has no model: its training ended before the first epoch did")
    model = run.model
    if data is not None:
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
        dataset = run.task(dataset)
    images = _choose_split(run, dataset, split)
    corrections = run.corrections if own and labels is None else None
    if labels is not None:
        corrections = LabelCorrections.read(labels)
    corrected = None if corrections is None else corrections.apply(dataset)
    evaluation = evaluate_model(model, dataset, images, split)
    if corrected is not None:
        relabelled = _choose_split(run, dataset, split, corrected)
        evaluation = dataclasses.replace(evaluation, corrected_labels=relabelled.labels)
    return _keep(run, epochs, model, evaluation, images, corrections)


def open_run(
    source: Run | Model | str | os.PathLike[str],
    dataset: str | Dataset | None,
    data: str | os.PathLike[str] | None,
    data_dir: str | os.PathLike[str] | None,
    output: str | os.PathLike[str] | None,
    progress: Progress = SILENT,
) -> tuple[Run, Dataset | None]:
    """Open a run; or make one for a model, with the data set that it is to be evaluated on.

    Parameters and errors are those of `evaluate`.

    Returns
    -------
    run : Run
    dataset : Dataset or None
        The data set of the run that was made; None if it was there.
    """
    refuse_two(dataset, data)
    if isinstance(source, Run) or (not isinstance(source, Model) and is_run(source)):
        if output is not None:
            raise ArgumentError(
                f"{output} would be a run for a model, and the evaluation of a run is written into "
                "the run: leave it out"
            )
        return source if isinstance(source, Run) else Run(source), None
    if isinstance(source, Model):
        model, origin = source, str(source.provenance.get("imported", {}).get("file", "model"))
    else:
        model, path = find_model(source), Path(source).resolve()
        origin = path.stem if path.is_file() else path.name
    if dataset is None and data is None:
        raise ArgumentError(
            f"{origin} is a model, which knows no data: name the data set to evaluate it on"
        )
    if data is not None:
        loaded = load_data(data, progress, together=model.together)
    else:
        loaded = load_either(dataset or "auto", None, data_dir, progress)
    require_fit(model, loaded)
    notices = [loaded.notice] if loaded.notice else []
    machine = {**describe_machine(), "device": "cpu", "versions": library_versions()}
    return Run.of_model(output, model, origin, loaded, notices, machine), loaded


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


def _choose_split(run: Run, dataset: Dataset, name: str, corrected: Dataset | None = None) -> Split:
    if name == "test":  # part of every data set, so that nothing has to be drawn and copied
        return (corrected or dataset).test
    return split_dataset(dataset, *run.division, corrected)[name]


def _choose_pictures(split: Split, evaluation: Evaluation) -> ShownImages:
    """Choose a random sample, the same for every run on this data, and every mistake.

    Answers of no more than ½ are mistakes where a comparison reads them as those of a binary task.
    """
    generator = np.random.default_rng(0)
    samples = generator.choice(len(split), size=min(SAMPLES, len(split)), replace=False)
    doubtful = np.flatnonzero(evaluation.confidence <= THRESHOLD)
    indices = np.union1d(samples, np.union1d(evaluation.misclassified, doubtful))
    return ShownImages(indices, split.images[indices], samples)
