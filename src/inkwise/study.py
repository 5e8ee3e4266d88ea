"""The case study from end to end: train, evaluate, report."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset, Split
from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.splits import Splits, split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.evaluation.results import Evaluation, evaluate_model
from inkwise.evaluation.slices import find_slices
from inkwise.model import Model
from inkwise.networks.ensemble import require_single
from inkwise.report.figures import SecondProcess
from inkwise.report.html import report_on
from inkwise.runs.directory import COMPLETE, INTERRUPTED, UNFINISHED, Run
from inkwise.runs.original_data import load_original_data
from inkwise.runs.shown_images import ShownImages
from inkwise.system.extras import require_training
from inkwise.system.machine import describe_machine, library_versions
from inkwise.system.progress import SILENT, Progress
from inkwise.training.calibrating import calibrate
from inkwise.training.history import Checkpoint, Epoch
from inkwise.training.named_recipes import get_recipe, scale_epochs
from inkwise.training.recipe import Recipe

SAMPLES = 24
"""How many images the grid of sample predictions shows."""


def train(
    recipe: str | Recipe = "case-study",
    dataset: str | Dataset = "auto",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    engine: str = "torch",
    device: str = "auto",
    progress: Progress = SILENT,
    on_epoch: Callable[[Epoch], object] | None = None,
    **changes: Any,
) -> Run:
    """Train a network, evaluate it once on the test split, and write the report.

    The test split chooses nothing: the epochs are fixed beforehand, and the weights are those of
    the last one.

    Parameters
    ----------
    recipe : str or Recipe
    dataset : str or Dataset
        A name in the catalogue, or images of your own.
    data_dir : path-like, optional
        A folder with MNIST's four files.
    labels : path-like, optional
        A file of decisions about labels, from the page of an audit: the training goes by the
        corrected labels, and the evaluation has the figures for the labels as given and, under
        `Evaluation.corrected`, for the corrected ones.
    output : path-like, optional
        The run directory, new or empty; by default the next free one under ``runs/``.
    engine : {"torch", "keras"}
        What trains: our own loop on PyTorch, or Keras on TensorFlow, which does all that the case
        study asks for, and does not augment.
    device : {"auto", "cpu", "cuda", "mps"}
        Where our own loop trains; ``auto`` is CUDA where there is one, else the CPU.
    progress : Progress, optional
        Hears of notices, downloads and batches; see `inkwise.Progress`.
    on_epoch : callable, optional
        Called with every finished `Epoch`; ``on_epoch=print`` prints a line an epoch.
    **changes
        What `get_recipe` takes, for instance ``epochs=1``, ``dropout=0.25`` or ``augment=True``.
        A recipe given by name, without ``epochs``, gets eight times as many on a small data set.

    Returns
    -------
    Run
        Complete; or interrupted, if the user pressed Ctrl-C: then it holds the model and the
        history as of the last finished epoch.

    Raises
    ------
    InkwiseError
        See its subclasses: an unknown name, a value out of range, data that is not to be had, a
        directory that is in use or cannot be written, an engine that is not installed or does not
        do what the recipe asks for.
    """
    require_training("training")
    by_name = isinstance(recipe, str)
    recipe = get_recipe(recipe, **changes)
    trained_on, engine_versions = _prepare(engine, device, recipe)
    data = load_dataset(dataset, data_dir, progress) if isinstance(dataset, str) else dataset
    notices = [data.notice] if data.notice else []
    corrections = None if labels is None else LabelCorrections.read(labels)
    splits = _split(data, recipe, corrections)
    if by_name and "epochs" not in changes:
        recipe, notice = scale_epochs(recipe, len(splits.train))
        notices += [notice] if notice else []
    network = recipe.describe_network(data.image_size, len(data.class_names))
    if engine == "keras":
        require_single(network, "the engine keras")
    machine = {
        **describe_machine(),
        "device": trained_on,
        "versions": {**library_versions(), **engine_versions},
    }
    run = Run.create(output, recipe, data, splits, notices, machine, engine, corrections)
    with _keeping_what_is_finished(run):
        for notice in notices:
            progress.notice(notice)
        _train_to_report(run, data, splits, device, None, progress, on_epoch)
    return run


def resume(
    run: Run | str | os.PathLike[str],
    *,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> Run:
    """Go on with a training that was interrupted or that died, from its last finished epoch.

    On the same machine with the same number of threads, what comes out is what the training would
    have given without the interruption, to the bit.

    Parameters
    ----------
    run : Run or path-like
    dataset : Dataset, optional
        For a run on images of your own: those it was started on.
    data_dir : path-like, optional
        A folder with MNIST's four files; by default the one that the run was started from.
    device, progress, on_epoch
        As for `train`.

    Returns
    -------
    Run
        As from `train`.

    Raises
    ------
    RunError
        There is no such run, it is complete, it has no checkpoint to go on from, it was trained
        by Keras, or the data set is not what it was started on.
    InkwiseError
        As from `train`.
    """
    run = run if isinstance(run, Run) else Run(run)
    require_training("training")
    if run.status == COMPLETE:
        raise RunError(f"{run.path} is complete: there is nothing left to train")
    if run.record["engine"] != "torch":
        raise RunError(f"{run.path} was trained by Keras, which leaves no checkpoint: train again")
    state = run.load_checkpoint()
    data = load_original_data(run, dataset, data_dir, progress)
    splits = _split(data, run.recipe, run.corrections)
    with _keeping_what_is_finished(run):
        run.set_status(UNFINISHED)
        _train_to_report(run, data, splits, device, state, progress, on_epoch)
    return run


@contextlib.contextmanager
def _keeping_what_is_finished(run: Run) -> Iterator[None]:
    """Let Ctrl-C end a training, and mark the run as interrupted: what it wrote is kept."""
    try:
        yield
    except KeyboardInterrupt:
        run.set_status(INTERRUPTED)


def _train_to_report(
    run: Run,
    data: Dataset,
    splits: Splits,
    device: str,
    state: Mapping[str, NDArray[Any]] | None,
    progress: Progress,
    on_epoch: Callable[[Epoch], object] | None,
) -> None:
    """Train from a state, or from the start where it is None; evaluate; write the report."""
    recipe = run.recipe
    # A training that died may have written an epoch's line and not its checkpoint.
    history = [] if state is None else run.history[: int(state["epoch"])]
    last: Checkpoint | None = None
    try:
        for checkpoint in _fit(run, data, splits, device, state, progress):
            history.append(checkpoint.epoch)
            last = checkpoint
            _save(run, data, checkpoint, history)
            if on_epoch is not None:
                on_epoch(checkpoint.epoch)
        if recipe.calibrate:
            run.save_model(calibrate(run.model, splits.validation))
        progress.notice(f"Evaluating {len(splits.test):,} test images and writing the report")
        with SecondProcess() as second:  # gets ready to draw while this one evaluates
            evaluation = evaluate(run, dataset=data)
            last = None  # complete on the disk, with its figures
            report_on(run, evaluation, second)
    except KeyboardInterrupt:
        if last is not None:
            # It may have come between two writes, and the files belong together.
            _save(run, data, last, history)
        raise
    run.set_status(COMPLETE)
    run.drop_checkpoint()


def _save(run: Run, data: Dataset, checkpoint: Checkpoint, history: list[Epoch]) -> None:
    """Write what a finished epoch came to: the model, the history, and how to go on."""
    recipe, record = run.recipe, run.record
    provenance = {
        "recipe": recipe.to_dict(),
        **{key: record[key] for key in ("dataset", "splits", "labels", "engine", "machine")},
        "epochs_trained": checkpoint.epoch.epoch,
    }
    network = recipe.describe_network(data.image_size, len(data.class_names))
    model = Model(network, checkpoint.weights, data.class_names, provenance)
    run.save_model(dataclasses.replace(model, rotations=recipe.rotations))
    run.save_history(history[: checkpoint.epoch.epoch])
    if checkpoint.state is not None:
        run.save_checkpoint(checkpoint.state)


def _split(data: Dataset, recipe: Recipe, corrections: LabelCorrections | None) -> Splits:
    """Split a data set as a recipe says, with the labels that people have corrected, if any."""
    corrected = None if corrections is None else corrections.apply(data)
    return split_dataset(data, recipe.holdout, recipe.seed, corrected)


def evaluate(
    run: Run | str | os.PathLike[str],
    split: str = "test",
    *,
    dataset: str | Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Evaluate a run's saved model, and write the figures and predictions into the run.

    Parameters
    ----------
    run : Run or path-like
    split : {"test", "validation", "train"}
        Set apart as the run's recipe says.
    dataset : str or Dataset, optional
        Another data set than the run's own, with the same classes and image size.
    data_dir : path-like, optional
        A folder with MNIST's four files; for the run's own data, by default the one that it was
        trained from.
    labels : path-like, optional
        A file of decisions about labels, from the page of an audit; for the run's own data, by
        default the one that it was trained with, if any. Every figure goes by the labels as given,
        but those of `Evaluation.corrected`.
    progress : Progress, optional
        Hears of notices and downloads.

    Returns
    -------
    Evaluation

    Raises
    ------
    RunError
        There is no such run, it has no model yet, it is still being trained, or its data set is
        not what it was trained on.
    ModelError
        The model is damaged, or does not fit the data set.
    ArgumentError
        There is no such split or data set.
    DataError, StorageError
        The images are not to be had, or the run cannot be written.
    """
    require_training("an evaluation")
    run = run if isinstance(run, Run) else Run(run)
    epochs = len(run.history)
    if not epochs:
        raise RunError(f"{run.path} has no model: its training ended before the first epoch did")
    recipe, model = run.recipe, run.model
    if isinstance(dataset, str):
        dataset = load_dataset(dataset, data_dir, progress)
        if dataset.notice:
            progress.notice(dataset.notice)
    own = dataset is None or dataset.name == run.record["dataset"]["name"]
    if dataset is None or own:
        dataset = load_original_data(run, dataset, data_dir, progress)
    images = split_dataset(dataset, recipe.holdout, recipe.seed)[split]
    corrections = run.corrections if own and labels is None else None
    if labels is not None:
        corrections = LabelCorrections.read(labels)
    corrected = None if corrections is None else corrections.apply(dataset)
    evaluation = evaluate_model(model, dataset, images, split)
    if corrected is not None:
        relabelled = split_dataset(dataset, recipe.holdout, recipe.seed, corrected)[split]
        evaluation = dataclasses.replace(evaluation, corrected_labels=relabelled.labels)
    if len(run.history) != epochs:
        raise RunError(f"{run.path} is still being trained: evaluate it when that is over")
    run.save_evaluation(evaluation, corrections)
    found = find_slices(images.images, images.labels, evaluation.predicted, evaluation.class_names)
    run.save_slices(found, evaluation)
    if run.owns(evaluation):
        run.save_pictures(_choose_pictures(images, evaluation))
        run.save_model(model.with_provenance(metrics=evaluation.headline()))
    return evaluation


def _prepare(engine: str, device: str, recipe: Recipe) -> tuple[str, dict[str, str]]:
    """Make sure that an engine can do what is asked; return its device and libraries' versions."""
    match engine:
        case "torch":
            from inkwise.training.device import choose_device, describe_device

            return describe_device(choose_device(device)), {}
        case "keras":
            from inkwise.training.keras_loop import keras_device, prepare_keras

            if device != "auto":
                raise ArgumentError(
                    f"the engine keras chooses its device itself: leave out --device {device}"
                )
            versions = prepare_keras(recipe)
            return keras_device(), versions
        case _:
            raise ArgumentError(f"unknown engine {engine!r}: use torch, keras")


def _fit(
    run: Run,
    data: Dataset,
    splits: Splits,
    device: str,
    state: Mapping[str, NDArray[Any]] | None,
    progress: Progress,
) -> Iterator[Checkpoint]:
    """Train by the run's engine, and yield what there is at the end of every epoch."""
    recipe = run.recipe
    network = recipe.describe_network(data.image_size, len(data.class_names))
    if run.record["engine"] == "keras":
        from inkwise.training.keras_loop import fit_keras

        yield from fit_keras(network, splits.train, splits.validation, recipe, progress)
        return
    import torch

    from inkwise.networks.as_torch import build, get_weights
    from inkwise.training.device import choose_device
    from inkwise.training.loop import Training

    torch.manual_seed(recipe.seed)
    module = build(network, recipe.batch_norm)
    training = Training(module, splits.train, splits.validation, recipe, choose_device(device))
    if state is not None:
        training.restore({name: torch.from_numpy(array) for name, array in state.items()})
    for epoch in training.epochs(progress):
        arrays = {name: value.numpy() for name, value in training.state().items()}
        yield Checkpoint(epoch, get_weights(training.averaged), arrays)


def _choose_pictures(split: Split, evaluation: Evaluation) -> ShownImages:
    """Keep a random sample, the same for every run on this data, and every mistake."""
    generator = np.random.default_rng(0)
    samples = generator.choice(len(split), size=min(SAMPLES, len(split)), replace=False)
    indices = np.union1d(samples, evaluation.misclassified)
    return ShownImages(indices, split.images[indices], samples)
