"""The case study from end to end: train, evaluate, report."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from inkwise.data.catalogue import DATASET_NAMES, load_dataset
from inkwise.data.dataset import Dataset, Split
from inkwise.data.fetch import ProgressBar
from inkwise.data.mnist import find_mnist
from inkwise.data.splits import split_dataset
from inkwise.errors import InkwiseError, RunError
from inkwise.evaluation.evaluation import Evaluation, evaluate_model
from inkwise.model import Model
from inkwise.provenance import describe_machine, library_versions
from inkwise.recipes import Recipe, get_recipe, scale_epochs
from inkwise.report.page import write_report
from inkwise.run import COMPLETE, INTERRUPTED, Pictures, Run
from inkwise.training.history import Epoch

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
        directory that is in use or cannot be written.
    """
    by_name = isinstance(recipe, str)
    recipe = get_recipe(recipe, **changes)
    data = load_dataset(dataset, data_dir, on_download) if isinstance(dataset, str) else dataset
    notices = [data.notice] if data.notice else []
    splits = split_dataset(data, recipe.holdout, recipe.seed)
    if by_name and "epochs" not in changes:
        recipe, notice = scale_epochs(recipe, len(splits.train))
        notices += [notice] if notice else []
    network = recipe.describe_network(data.image_size, len(data.class_names))
    machine = {**describe_machine(), "versions": library_versions()}
    run = Run.create(output, recipe, data, splits, notices, machine)
    tell = on_notice or (lambda _: None)
    history: list[Epoch] = []
    model: Model | None = None
    try:
        for notice in notices:
            tell(notice)

        import torch

        from inkwise.networks.module import build
        from inkwise.training.loop import fit

        torch.manual_seed(recipe.seed)
        module = build(network)
        provenance = {
            "recipe": recipe.to_dict(),
            **{key: run.record[key] for key in ("dataset", "splits", "machine")},
        }
        for epoch in fit(module, splits.train, splits.validation, recipe, on_batch):
            history.append(epoch)
            model = Model(
                network,
                {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()},
                data.class_names,
                {**provenance, "epochs_trained": epoch.epoch},
            )
            run.save_model(model)
            run.save_history(history)
            if on_epoch is not None:
                on_epoch(epoch)
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
    record, recipe, model = run.record["dataset"], run.recipe, run.model
    own = dataset is None
    if dataset is None:
        if record["name"] not in DATASET_NAMES:
            raise RunError(
                f"{run.path} was trained on a data set of your own, {record['name']}: "
                f"{_BRING_YOUR_DATA}"
            )
        dataset = record["name"]
        if data_dir is None:
            data_dir = _remembered_folder(record)
    if isinstance(dataset, str):
        dataset = load_dataset(dataset, data_dir, on_download)
        if dataset.notice and on_notice is not None:
            on_notice(dataset.notice)
    if (own or dataset.name == record["name"]) and dataset.sha256 != record["sha256"]:
        raise RunError(
            f"{dataset.name} from {dataset.source} is not the data that {run.path} was trained on "
            f"(its SHA-256 is another): {_BRING_YOUR_DATA}"
        )
    images = split_dataset(dataset, recipe.holdout, recipe.seed)[split]
    evaluation = evaluate_model(model, dataset, images, split)
    if len(run.history) != epochs:
        raise RunError(f"{run.path} is still being trained: evaluate it when that is over")
    run.save_evaluation(evaluation)
    if run.owns(evaluation):
        run.save_pictures(_choose_pictures(images, evaluation))
        run.save_model(model.with_provenance(metrics=evaluation.headline()))
    return evaluation


def _remembered_folder(record: Mapping[str, Any]) -> str | None:
    """Return the folder that a run's data came from, if the files are still there."""
    try:
        return record["source"] if find_mnist(record["source"]) else None
    except InkwiseError:
        return None


def _choose_pictures(split: Split, evaluation: Evaluation) -> Pictures:
    """Keep a random sample, the same for every run on this data, and every mistake."""
    generator = np.random.default_rng(0)
    samples = generator.choice(len(split), size=min(SAMPLES, len(split)), replace=False)
    indices = np.union1d(samples, evaluation.misclassified)
    return Pictures(indices, split.images[indices], samples)
