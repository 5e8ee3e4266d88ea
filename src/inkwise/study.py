"""The case study from end to end: train, evaluate, report."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset, Split
from inkwise.data.fetch import ProgressBar
from inkwise.data.splits import Splits, split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.evaluation.evaluation import Evaluation, evaluate_model
from inkwise.model import Model
from inkwise.networks.layers import Network
from inkwise.provenance import describe_machine, library_versions
from inkwise.recipes import Recipe, get_recipe, scale_epochs
from inkwise.report.page import write_report
from inkwise.run import COMPLETE, INTERRUPTED, Pictures, Run
from inkwise.training.history import Checkpoint, Epoch

if TYPE_CHECKING:
    from inkwise.training.loop import Batch

_BRING_YOUR_DATA = "pass what it was trained on, in Python, to inkwise.evaluate(run, dataset=...)"

SAMPLES = 24
"""How many images the grid of sample predictions shows."""


def train(
    recipe: str | Recipe = "case-study",
    dataset: str | Dataset = "auto",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    engine: str = "torch",
    device: str = "auto",
    on_notice: Callable[[str], object] | None = None,
    on_download: Callable[[str], ProgressBar] | None = None,
    on_batch: Callable[["Batch"], object] | None = None,
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
    output : path-like, optional
        The run directory, new or empty; by default the next free one under ``runs/``.
    engine : {"torch", "keras"}
        What trains: our own loop on PyTorch, or Keras on TensorFlow, which does all that the case
        study asks for, and does not augment.
    device : {"auto", "cpu", "cuda", "mps"}
        Where our own loop trains; ``auto`` is CUDA where there is one, else the CPU.
    on_notice : callable, optional
        Told in a line what the user should know: a stand-in for MNIST, more epochs than usual,
        what is being done.
    on_download : callable, optional
        Given a file's name, returns what draws its download.
    on_batch, on_epoch : callable, optional
        Told of the progress, see `inkwise.training.loop.Batch` and `Epoch`. ``on_epoch=print``
        prints a line an epoch.
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
    by_name = isinstance(recipe, str)
    recipe = get_recipe(recipe, **changes)
    trained_on, engine_versions = _prepare(engine, device, recipe)
    data = load_dataset(dataset, data_dir, on_download) if isinstance(dataset, str) else dataset
    notices = [data.notice] if data.notice else []
    splits = split_dataset(data, recipe.holdout, recipe.seed)
    if by_name and "epochs" not in changes:
        recipe, notice = scale_epochs(recipe, len(splits.train))
        notices += [notice] if notice else []
    network = recipe.describe_network(data.image_size, len(data.class_names))
    machine = {
        **describe_machine(),
        "device": trained_on,
        "versions": {**library_versions(), **engine_versions},
    }
    run = Run.create(output, recipe, data, splits, notices, machine, engine)
    tell = on_notice or (lambda _: None)
    history: list[Epoch] = []
    model: Model | None = None
    try:
        for notice in notices:
            tell(notice)

        provenance = {
            "recipe": recipe.to_dict(),
            **{key: run.record[key] for key in ("dataset", "splits", "engine", "machine")},
        }
        for checkpoint in _fit(engine, device, network, splits, recipe, on_batch):
            history.append(checkpoint.epoch)
            model = Model(
                network,
                checkpoint.weights,
                data.class_names,
                {**provenance, "epochs_trained": checkpoint.epoch.epoch},
            )
            run.save_model(model)
            run.save_history(history)
            if on_epoch is not None:
                on_epoch(checkpoint.epoch)
        tell(f"Evaluating {len(splits.test):,} test images and writing the report")
        evaluate(run, dataset=data)
        model = None  # complete on the disk, with its figures
        write_report(run)
        run.set_status(COMPLETE)
    except KeyboardInterrupt:
        # It may have come between two writes: the last epoch's files belong together.
        if model is not None:
            run.save_model(model)
            run.save_history(history[: model.provenance["epochs_trained"]])
        run.set_status(INTERRUPTED)
    return run


def evaluate(
    run: Run | str | os.PathLike[str],
    split: str = "test",
    *,
    dataset: str | Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_notice: Callable[[str], object] | None = None,
    on_download: Callable[[str], ProgressBar] | None = None,
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
    on_notice : callable, optional
        Told in a line that a data set stands in for MNIST.
    on_download : callable, optional
        Given a file's name, returns what draws its download.

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
    run = run if isinstance(run, Run) else Run(run)
    epochs = len(run.history)
    if not epochs:
        raise RunError(f"{run.path} has no model: its training ended before the first epoch did")
    recipe, model = run.recipe, run.model
    if dataset is None:
        dataset = run.load_dataset(_BRING_YOUR_DATA, data_dir, on_download)
    elif isinstance(dataset, str):
        dataset = load_dataset(dataset, data_dir, on_download)
        if dataset.notice and on_notice is not None:
            on_notice(dataset.notice)
    if dataset.name == run.record["dataset"]["name"]:
        run.check_dataset(dataset, _BRING_YOUR_DATA)
    images = split_dataset(dataset, recipe.holdout, recipe.seed)[split]
    evaluation = evaluate_model(model, dataset, images, split)
    if len(run.history) != epochs:
        raise RunError(f"{run.path} is still being trained: evaluate it when that is over")
    run.save_evaluation(evaluation)
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
            from inkwise.training.keras import keras_device, prepare_keras

            if device != "auto":
                raise ArgumentError(
                    f"the engine keras chooses its device itself: leave out --device {device}"
                )
            versions = prepare_keras(recipe)
            return keras_device(), versions
        case _:
            raise ArgumentError(f"unknown engine {engine!r}: use torch, keras")


def _fit(
    engine: str,
    device: str,
    network: Network,
    splits: Splits,
    recipe: Recipe,
    on_batch: Callable[["Batch"], object] | None,
) -> Iterator[Checkpoint]:
    if engine == "keras":
        from inkwise.training.keras import fit_keras

        yield from fit_keras(network, splits.train, splits.validation, recipe, on_batch)
    else:
        import torch

        from inkwise.networks.module import build
        from inkwise.training.device import choose_device
        from inkwise.training.loop import fit

        torch.manual_seed(recipe.seed)
        module = build(network)
        for epoch in fit(
            module, splits.train, splits.validation, recipe, on_batch, choose_device(device)
        ):
            state = module.state_dict()
            yield Checkpoint(epoch, {name: state[name].numpy(force=True).copy() for name in state})


def _choose_pictures(split: Split, evaluation: Evaluation) -> Pictures:
    """Keep a random sample, the same for every run on this data, and every mistake."""
    generator = np.random.default_rng(0)
    samples = generator.choice(len(split), size=min(SAMPLES, len(split)), replace=False)
    indices = np.union1d(samples, evaluation.misclassified)
    return Pictures(indices, split.images[indices], samples)
