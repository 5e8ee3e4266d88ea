"""The case study from end to end: train, which evaluates and reports; resume; fit in memory."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inkwise.data.catalogue import load_dataset, load_either, refuse_two
from inkwise.data.dataset import Dataset
from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.several_pieces import keeps_together
from inkwise.data.splits import Splits
from inkwise.errors import ArgumentError, RunError, counted
from inkwise.model import Model
from inkwise.networks.ensemble import require_single
from inkwise.report.figures import SecondProcess, Shown
from inkwise.report.html import report_on
from inkwise.runs.directory import CHECKPOINT_FILE, COMPLETE, INTERRUPTED, UNFINISHED, Run
from inkwise.runs.evaluating import evaluate
from inkwise.runs.original_data import (
    add_drawn_digits,
    load_training_splits,
    split_as,
)
from inkwise.runs.starts import Start, find_again, find_start, go_on_from
from inkwise.system.extras import require_training
from inkwise.system.locks import locked
from inkwise.system.machine import describe_machine, library_versions
from inkwise.system.progress import SILENT, Progress
from inkwise.tracking.trackers import require_tracker, tracked
from inkwise.training.calibrating import calibrate
from inkwise.training.fit import Fit
from inkwise.training.going_on import describe_going_on, keep_some, start_weights
from inkwise.training.history import Checkpoint, Epoch, validation_losses
from inkwise.training.named_recipes import UsualEpochs, get_recipe, scale_epochs
from inkwise.training.recipe import Recipe


def train(
    recipe: str | Recipe | None = None,
    dataset: str | Dataset | None = None,
    *,
    start: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    engine: str = "torch",
    device: str = "auto",
    track: str | None = None,
    progress: Progress = SILENT,
    on_epoch: Callable[[Epoch], object] | None = None,
    **changes: Any,
) -> Run:
    """Train a network, evaluate it once on the test split, and write the report.

    Nothing is chosen on the test split: the number of epochs is fixed beforehand, and the weights
    are those of the last epoch, unless the recipe lets the validation images decide. A run is the
    directory that the training writes.

    Parameters
    ----------
    recipe : str or Recipe, optional
        The recipe, a description of the training, or the name of one; by default ``case-study`` or,
        with `start`, few and small steps.
    dataset : str or Dataset, optional
        The data set, which may be your own, or the name of one in the catalogue, by default
        ``auto``. With `start` and `data`, what the model was trained on before, which not every
        model says.
    start : str or path-like, optional
        A model to go on from: ``pretrained`` for the package's, or a run or model directory. It
        learns the data set together with a share of what it was trained on before, so that it
        forgets little. `Run.gains` has its mistakes before and after, on both. Classes that it does
        not know join its own; if it knows none, the network learns the new ones alone.
    data : path-like, optional
        Your data set in any form that `inkwise.load_data` takes, in place of `dataset`. With
        `start` it may have few pictures, and not all classes.
    data_dir : path-like, optional
        Where the data set's files are.
    labels : path-like, optional
        A file of decisions about labels, from the page of an audit. The model is trained on the
        corrected labels. The evaluation has the metrics for the labels as given and, under
        `Evaluation.corrected`, for the corrected ones.
    output : path-like, optional
        The run directory, new or empty; by default the next free one under ``runs/``.
    engine : {"torch", "keras"}
        The library that trains: inkwise's own loop on PyTorch, or Keras on TensorFlow, which
        supports everything in the case study but no data augmentation.
    device : {"auto", "cpu", "cuda", "mps"}
        The device that the loop on PyTorch uses; ``auto`` is CUDA if available, else the CPU.
    track : {"tensorboard", "mlflow"}, optional
        A program that keeps track of trainings. It gets the recipe, the losses and accuracies of
        every epoch, and in the end the test metrics and figures; MLflow also gets the model.
    progress : Progress, optional
        Receives notices, downloads and batches; see `inkwise.Progress`.
    on_epoch : callable, optional
        Called with every finished `Epoch`; ``on_epoch=print`` prints a line for each epoch.
    **changes
        Changes of the recipe as for `get_recipe`, for instance ``epochs=1``, ``dropout=0.25`` or
        ``augment=True``. On a small data set, a recipe given by name and without ``epochs`` is
        trained for eight times as many epochs.

    Returns
    -------
    Run
        The run, complete; or interrupted, if the user pressed Ctrl-C. An interrupted run has the
        model and the history as of the last finished epoch.

    Raises
    ------
    InkwiseError
        See its subclasses: a name is unknown, a value is out of range, the data cannot be
        obtained, the directory is in use or cannot be written, or the engine is not installed or
        does not support the recipe.

    Examples
    --------
    >>> import inkwise
    >>> run = inkwise.train("case-study", dataset="optdigits", epochs=1, output="runs/small")
    >>> run.status
    'complete'
    >>> run.evaluation.accuracy  # after a single epoch, which is far too little
    Estimate(value=0..., low=0..., high=0...)
    >>> run.report_path.name
    'report.html'
    """
    require_training("training")
    require_tracker(track)
    if start is None:
        refuse_two(dataset, data)
    usual, begun = recipe is None or isinstance(recipe, str | UsualEpochs), None
    if start is None:
        recipe = get_recipe(recipe or "case-study", **changes)
        trained_on, engine_versions = _prepare(engine, device, recipe)
        images = recipe.task(load_either(dataset or "auto", data, data_dir, progress))
        notices = [images.notice] if images.notice else []
    else:
        _check_going_on(engine, labels, changes)
        model = find_start(start)
        recipe = get_recipe(
            describe_going_on(model, None if recipe is None else get_recipe(recipe)), **changes
        )
        if recipe.positive:
            raise ArgumentError(
                f"the binary task of {recipe.positive} is trained from the start, and not from "
                "another model: leave out one of the two"
            )
        trained_on, engine_versions = _prepare(engine, device, recipe)
        if isinstance(dataset, str):
            dataset = load_dataset(dataset, data_dir, progress)
        own, learned = (dataset, None) if data is None else (data, dataset)
        begun = go_on_from(start, model, own, recipe.seed, data_dir, progress, learned)
        images, notices = begun.dataset, begun.notices
        if begun.earlier is None:  # what pens drew for the model is not rehearsed either
            recipe = dataclasses.replace(recipe, pens=0.0)
    if recipe.positive and labels is not None:
        raise ArgumentError(
            f"corrected labels are of all classes, and the binary task of {recipe.positive} has "
            f"two: leave out {labels}"
        )
    corrections = None if labels is None else LabelCorrections.read(labels)
    splits = split_as(recipe, images, corrections)
    if usual and start is None and "epochs" not in changes:
        recipe, notice = scale_epochs(recipe, len(splits.train))
        notices += [notice] if notice else []
    network = recipe.describe_network(images.image_size, len(images.class_names))
    recipe.weigh_classes(splits.train.labels, images.class_names)  # or refuse unknown classes now
    if engine == "keras":
        require_single(network, "the engine keras")
    enlarged, notice = add_drawn_digits(splits, images, recipe, data_dir, progress)
    notices += [notice] if notice else []
    run = Run.create(
        output,
        recipe,
        images,
        splits,
        notices,
        _describe(trained_on, engine_versions),
        engine,
        corrections,
        enlarged,
        None if begun is None else begun.record,
        None if begun is None else begun.seen,
    )
    with _keeping_what_is_finished(run), tracked(track, run, recipe, on_epoch) as tell:
        for notice in notices:
            progress.notice(notice)
        _train_until("reported", run, images, enlarged, device, None, progress, tell, begun)
    return run


def fit(
    recipe: str | Recipe = "case-study",
    dataset: str | Dataset = "auto",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
    **changes: Any,
) -> Fit:
    """Train in memory, an epoch each time the caller advances the training; write nothing.

    With the same arguments, the epochs and the model are those of `train`. What happens between
    two epochs is the caller's: look, draw, or leave the loop.

    Parameters
    ----------
    recipe, dataset, data_dir, device, progress, **changes
        As for `train`.

    Returns
    -------
    Fit
        An iterator of every finished `Epoch`, with the model as of the one that the recipe keeps.

    Raises
    ------
    InkwiseError
        As from `train`. While it is advanced, `TrainingError`, if the loss is no longer a number.

    Examples
    --------
    >>> import inkwise
    >>> fit = inkwise.fit("case-study", "optdigits", epochs=10)
    >>> for epoch in fit:
    ...     if epoch.validation_accuracy > 0.5:
    ...         break
    >>> len(fit.history) < 10
    True
    """
    require_training("training")
    usual = isinstance(recipe, str | UsualEpochs)
    recipe = get_recipe(recipe, **changes)
    data = load_dataset(dataset, data_dir, progress) if isinstance(dataset, str) else dataset
    data = recipe.task(data)
    splits = split_as(recipe, data, None)
    notices = [data.notice]
    if usual and "epochs" not in changes:
        recipe, notice = scale_epochs(recipe, len(splits.train))
        notices.append(notice)
    enlarged, notice = add_drawn_digits(splits, data, recipe, data_dir, progress)
    for each in (*notices, notice):
        if each:
            progress.notice(each)
    origin = {"dataset": {"name": data.name, "title": data.title, "sha256": data.sha256}}
    together = keeps_together(data)
    return Fit(recipe, enlarged, data.class_names, origin, device, progress, together)


def resume(
    run: Run | str | os.PathLike[str],
    *,
    epochs: int | None = None,
    dataset: Dataset | None = None,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    device: str = "auto",
    track: str | None = None,
    progress: Progress = SILENT,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> Run:
    """Resume a training that was interrupted or that crashed, or train a finished one further.

    It goes on from the last finished epoch. On the same machine with the same number of threads,
    the result is identical to the bit to that of a training without the interruption; or to that of
    a longer one, unless the recipe has a schedule, or freezes or leaves out something: these go by
    the share of the steps that are done, and so begin anew where a finished training stands among
    more epochs.

    Parameters
    ----------
    run : Run or path-like
        The run to resume.
    epochs : int, optional
        Number of epochs in all, those that are finished included; by default the recipe's. A run
        that is complete needs more.
    dataset : Dataset, optional
        The data set that the run was started on; needed only if it was your own.
    data : path-like, optional
        Where your own data set is now, in place of `dataset`.
    data_dir : path-like, optional
        Where the data set's files are; by default the one that the run was started from.
    device, progress, on_epoch
        As for `train`.
    track : {"tensorboard", "mlflow"}, optional
        As for `train`. A program that was told of the training before goes on where it was; another
        is told the finished epochs first.

    Returns
    -------
    Run
        The run, as from `train`.

    Raises
    ------
    RunError
        The run does not exist, is complete, has no checkpoint to resume from or was trained by
        Keras; or the data set is not the one it was started on.
    ArgumentError
        The run has had as many epochs already.
    InkwiseError
        As from `train`.

    Examples
    --------
    >>> import inkwise
    >>> def stop(epoch):
    ...     raise KeyboardInterrupt  # as Ctrl-C does
    >>> run = inkwise.train(
    ...     "case-study", dataset="optdigits", epochs=2, output="runs/stopped", on_epoch=stop
    ... )
    >>> run.status
    'interrupted'
    >>> run = inkwise.resume(run)
    >>> run.status, len(run.history)
    ('complete', 2)
    >>> len(inkwise.resume(run, epochs=3).history)
    3
    """
    run = run if isinstance(run, Run) else Run(run)
    require_training("training")
    require_tracker(track)
    refuse_two(dataset, data)
    recipe, done = run.recipe, len(run.history)
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
        if epochs <= done:
            raise ArgumentError(f"{run.path} has had {counted(done, 'epoch')}: name more than that")
    elif run.status == COMPLETE:
        raise RunError(
            f"{run.path} is complete: there is nothing left to train, unless you name more epochs "
            f"than its {done}"
        )
    if run.record["engine"] != "torch":
        raise RunError(f"{run.path} was trained by Keras, which leaves no checkpoint: train again")
    images, enlarged = load_training_splits(run, dataset, data_dir, progress, data)
    begun = find_again(run, images, data_dir, progress)
    with _keeping_what_is_finished(run):
        state = run.load_checkpoint()
        with tracked(track, run, recipe, on_epoch) as tell:
            run.set_status(UNFINISHED)
            run.save_recipe(recipe)
            _train_until("reported", run, images, enlarged, device, state, progress, tell, begun)
    return run


def train_one_of_many(
    until: Literal["validated", "evaluated"],
    recipe: Recipe,
    data: Dataset,
    output: Path,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    device: str = "auto",
    on_epoch: Callable[[Epoch], object] | None = None,
) -> Run:
    """Train a run that is one of many, or go on where it was killed; it gets no report.

    Parameters
    ----------
    until : {"validated", "evaluated"}
        Whether the test split is evaluated in the end, or stays closed.
    recipe : Recipe
    data : Dataset
        The data set as the recipe's task.
    output : Path
        The run directory, which nobody else writes to. A run that is complete is returned as it is;
        what was killed before its first epoch was written begins again.
    data_dir, device
        As for `train`.
    on_epoch : callable, optional
        Called with every finished `Epoch`, and those that were finished before. What it raises ends
        the training, and leaves the run unfinished.

    Returns
    -------
    Run

    Raises
    ------
    InkwiseError
        As from `train`.
    """
    splits = split_as(recipe, data, None)
    enlarged, notice = add_drawn_digits(splits, data, recipe, data_dir, SILENT)
    if (output / "run.json").is_file() and (output / CHECKPOINT_FILE).is_file():
        run = Run(output)
        if run.status == COMPLETE:
            return run
        state = run.load_checkpoint()
        for epoch in run.history[: int(state["epoch"])]:
            if on_epoch is not None:
                on_epoch(epoch)
    else:
        if output.exists():
            shutil.rmtree(output)
        recipe.describe_network(data.image_size, len(data.class_names))  # or refuse it now
        recipe.weigh_classes(splits.train.labels, data.class_names)
        notices = [each for each in (data.notice, notice) if each]
        state, machine = None, _describe(*_prepare("torch", device, recipe))
        run = Run.create(output, recipe, data, splits, notices, machine, "torch", enlarged=enlarged)
    _train_until(until, run, data, enlarged, device, state, SILENT, on_epoch, None)
    return run


def _check_going_on(
    engine: str, labels: str | os.PathLike[str] | None, changes: Mapping[str, Any]
) -> None:
    """Refuse what a training that goes on from a model does not have."""
    for name in ("network", "batch_norm"):
        if changes.get(name):
            raise ArgumentError(
                f"a training that goes on from a model keeps its network: leave out {name}"
            )
    if engine != "torch":
        raise ArgumentError(f"only the engine torch goes on from a model: leave out {engine}")
    if labels is not None:
        raise ArgumentError(
            "corrected labels are for a training from the start: go on from a model that was "
            f"trained with them, and leave out {labels}"
        )


@contextlib.contextmanager
def _keeping_what_is_finished(run: Run) -> Iterator[None]:
    """Keep the run to this process; on Ctrl-C, mark it as interrupted and keep all it has."""
    with locked(run.path):
        try:
            yield
        except KeyboardInterrupt:
            run.set_status(INTERRUPTED)


def _train_until(
    until: Literal["validated", "evaluated", "reported"],
    run: Run,
    data: Dataset,
    splits: Splits,
    device: str,
    state: Mapping[str, NDArray[Any]] | None,
    progress: Progress,
    on_epoch: Callable[[Epoch], object] | None,
    begun: Start | None,
) -> None:
    """Train from a state, or from the start if it is None; evaluate and report, if asked."""
    recipe = run.recipe
    # A training that crashed may have written the history of an epoch but not its checkpoint.
    history = [] if state is None else run.history[: int(state["epoch"])]
    last: Checkpoint | None = None
    try:
        epochs = _fit(run, data, splits, device, state, progress, begun)
        while not recipe.stops_after(losses := validation_losses(history)):
            checkpoint = next(epochs, None)
            if checkpoint is None:
                break
            history.append(checkpoint.epoch)
            last = checkpoint
            _save(run, data, checkpoint, history)
            if on_epoch is not None:
                on_epoch(checkpoint.epoch)
        if len(history) < recipe.epochs:
            progress.notice(
                f"The training has ended after {len(history)} of {recipe.epochs} epochs: the "
                f"validation loss has not been lower for {recipe.patience} epoch"
                f"{'s' if recipe.patience > 1 else ''}"
            )
        if recipe.keeps(losses) < len(losses):
            progress.notice(f"The weights of epoch {recipe.keeps(losses)} are kept")
        if recipe.calibrate:
            run.save_model(calibrate(run.model, splits.validation))
        if until == "evaluated":
            evaluate(run, dataset=data)
        elif until == "reported":
            progress.notice(
                f"Evaluating {counted(len(splits.test), 'test image')} and writing the report"
            )
            with SecondProcess(run) as second:  # draws the curves while this process evaluates
                evaluation = evaluate(run, dataset=data)
                last = None  # its files are complete, with the metrics
                if begun is not None:
                    run.save_gains(begun.measure_gains(run.model, evaluation))
                report_on(run, Shown.read(run, evaluation), second)
    except KeyboardInterrupt:
        if last is not None:
            # Ctrl-C may have come between two writes, which would leave files of different epochs.
            _save(run, data, last, history)
        raise
    run.set_status(COMPLETE)


def _save(run: Run, data: Dataset, checkpoint: Checkpoint, history: list[Epoch]) -> None:
    """Write the model, the history and the checkpoint of a finished epoch."""
    recipe, record = run.recipe, run.record
    provenance = {
        "recipe": recipe.to_dict(),
        **{
            key: record.get(key)
            for key in ("dataset", "splits", "labels", "engine", "machine", "start")
        },
        "epochs_trained": checkpoint.epoch.epoch,
    }
    history = history[: checkpoint.epoch.epoch]
    if recipe.keeps(validation_losses(history)) == len(history):
        network = recipe.describe_network(data.image_size, len(data.class_names))
        model = Model(
            network,
            checkpoint.weights,
            data.class_names,
            provenance,
            rotations=recipe.rotations,
            together=bool(record["dataset"].get("together")),
        )
        run.discard_evaluations()  # they are of the model that is replaced
        run.save_model(model)
    run.save_history(history)
    if checkpoint.state is not None:
        run.save_checkpoint(checkpoint.state)


def _describe(trained_on: str, engine_versions: Mapping[str, str]) -> dict[str, Any]:
    """Describe the machine, with the device and all versions, as ``run.json`` keeps it."""
    versions = {**library_versions(), **engine_versions}
    return {**describe_machine(), "device": trained_on, "versions": versions}


def _prepare(engine: str, device: str, recipe: Recipe) -> tuple[str, dict[str, str]]:
    """Check that an engine supports the recipe; return its device and its libraries' versions."""
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
            raise ArgumentError(f"unknown engine {engine!r}: use torch or keras")


def _fit(
    run: Run,
    data: Dataset,
    splits: Splits,
    device: str,
    state: Mapping[str, NDArray[Any]] | None,
    progress: Progress,
    begun: Start | None,
) -> Iterator[Checkpoint]:
    """Train with the run's engine, and yield a checkpoint at the end of every epoch."""
    recipe = run.recipe
    network = recipe.describe_network(data.image_size, len(data.class_names))
    if run.record["engine"] == "keras":
        from inkwise.training.keras_loop import fit_keras

        names = data.class_names
        yield from fit_keras(network, splits.train, splits.validation, recipe, progress, names)
        return
    import torch

    from inkwise.networks.as_torch import build, get_weights
    from inkwise.training.device import choose_device
    from inkwise.training.loop import Training

    torch.manual_seed(recipe.seed)
    module = build(network, recipe.batch_norm)
    old = None
    if begun is not None:
        old = start_weights(begun.model, network, data.class_names, splits.train)
        module.load_state_dict({name: torch.from_numpy(array) for name, array in old.items()})
    chosen, names = choose_device(device), data.class_names
    training = Training(module, splits.train, splits.validation, recipe, chosen, names)
    if state is not None:
        training.restore({name: torch.from_numpy(array) for name, array in state.items()})
    for epoch in training.epochs(progress):
        arrays = {name: value.numpy() for name, value in training.state().items()}
        weights = get_weights(training.averaged)
        if old is not None and begun is not None and begun.earlier is not None:
            own = splits.train.take(np.arange(begun.record["own_images"]))
            weights = keep_some(network, old, weights, own)
        yield Checkpoint(epoch, weights, arrays)
