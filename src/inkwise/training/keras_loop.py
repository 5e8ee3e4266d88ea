"""Training on the engine ``keras``: in Keras on TensorFlow, which the case study names."""

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError
from inkwise.networks.as_keras import build_keras, get_weights, require_keras
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.network import Network
from inkwise.system.progress import SILENT, Batch, Progress
from inkwise.training.history import Checkpoint, Epoch
from inkwise.training.loop import check_loss
from inkwise.training.recipe import SGD, Adam, Recipe
from inkwise.training.schedules import rate_factor

_FOLLOWED = (
    "name",
    "network",
    "dropout",
    "optimiser",
    "schedule",
    "clip_norm",
    "positive",
    "class_weights",
    "epochs",
    "patience",
    "best_epoch",
    "batch_size",
    "holdout",
    "seed",
)


def prepare_keras(recipe: Recipe) -> dict[str, str]:
    """Make sure that Keras is installed and supports all of a recipe.

    Returns
    -------
    dict of str to str
        The versions of ``keras`` and ``tensorflow``.

    Raises
    ------
    ArgumentError
        The recipe has a part that only the engine ``torch`` supports, such as data augmentation.
    LibraryError
        Keras or TensorFlow is not installed.
    """
    others = [
        field.name
        for field in dataclasses.fields(recipe)
        if field.name not in _FOLLOWED and getattr(recipe, field.name) != field.default
    ]
    if not isinstance(recipe.optimiser, Adam | SGD):
        others.append("optimiser")
    if others:
        raise _refusal(recipe, others)
    keras = require_keras("training on the engine keras")
    import tensorflow

    return {"keras": keras.__version__, "tensorflow": tensorflow.__version__}


def keras_device() -> str:
    """Return the type of device that TensorFlow trains on: ``gpu`` or ``cpu``."""
    import tensorflow

    return "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"


def fit_keras(
    network: Network | Ensemble,
    train: Split,
    validation: Split,
    recipe: Recipe,
    progress: Progress = SILENT,
    class_names: Sequence[str] = (),
) -> Iterator[Checkpoint]:
    """Train a network in Keras, one epoch each time the iterator is advanced.

    Parameters
    ----------
    network : Network or Ensemble
        The description of the network; an ensemble is refused.
    train, validation : Split
        Images to train on, and images on which the network is evaluated after every epoch.
    recipe : Recipe
        A recipe that `prepare_keras` accepts.
    progress : Progress, optional
        Receives the progress of the epoch after every batch.
    class_names : sequence of str, optional
        Names of the classes, for the recipe's class weights; not needed if it has none.

    Yields
    ------
    Checkpoint

    Raises
    ------
    ArgumentError
        `network` is an ensemble.
    TrainingError
        The loss is no longer a number.
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    model = build_keras(network)
    weights = recipe.weigh_classes(train.labels, class_names)
    model.compile(
        optimizer=_optimiser(recipe),
        loss="categorical_crossentropy",
        # Metrics are those without class weights; the loss is not.
        metrics=["accuracy"] + ["categorical_crossentropy"] * (weights is not None),
    )
    inputs, targets = _arrays(train, network.classes)
    validation_data = _arrays(validation, network.classes)
    watch = _Watch(recipe, len(train), progress)
    steps = math.ceil(len(train) / recipe.batch_size)
    validation_losses: list[float] = []

    def set_rate(epoch: int, batch: int) -> None:
        done = (epoch - 1 + batch / steps) / recipe.epochs
        factor = rate_factor(recipe.schedule, done, validation_losses)
        model.optimizer.learning_rate = recipe.optimiser.learning_rate * factor

    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, _: watch.start(epoch + 1),
        on_train_batch_begin=lambda batch, **_: set_rate(watch.epoch, batch),
        on_train_batch_end=watch.batch,
        on_test_begin=lambda _: watch.stop(),
    )
    # The optimiser keeps its state from one `fit` to the next. Each `fit` draws the order of the
    # images from the seed: without a new seed it would be the same in all epochs.
    seeds = np.random.default_rng(recipe.seed).integers(2**32, size=recipe.epochs)
    for epoch, seed in enumerate(seeds.tolist(), start=1):
        keras.utils.set_random_seed(seed)
        log = model.fit(
            inputs,
            targets,
            batch_size=recipe.batch_size,
            initial_epoch=epoch - 1,
            epochs=epoch,
            validation_data=validation_data,
            callbacks=[callback],
            class_weight=None if weights is None else dict(enumerate(weights.tolist())),
            verbose=0,
        ).history
        figures = {name: values[0] for name, values in log.items()}
        check_loss(figures["val_loss"], epoch, recipe)
        validation_losses.append(figures["val_loss"])
        yield Checkpoint(
            Epoch(
                epoch,
                figures["loss" if weights is None else "categorical_crossentropy"],
                figures["accuracy"],
                figures["val_loss"],
                figures["val_accuracy"],
                watch.seconds,
            ),
            get_weights(model),
        )


def _optimiser(recipe: Recipe) -> Any:
    from keras import optimizers

    clipping = {"global_clipnorm": recipe.clip_norm} if recipe.clip_norm else {}
    match recipe.optimiser:
        case Adam(learning_rate, beta1, beta2, epsilon):
            return optimizers.Adam(learning_rate, beta1, beta2, epsilon, **clipping)
        case SGD(learning_rate, momentum):
            return optimizers.SGD(learning_rate, momentum, **clipping)
        case _:
            raise _refusal(recipe, ["optimiser"])


class _Watch:
    """Callbacks for Keras, which time the epochs, report their progress and check the loss."""

    def __init__(self, recipe: Recipe, images: int, progress: Progress) -> None:
        self._recipe, self._images, self._progress = recipe, images, progress
        self.epoch = 0
        self._begin = self.seconds = 0.0

    def start(self, epoch: int) -> None:
        self.epoch = epoch
        self._begin = time.perf_counter()

    def batch(self, index: int, logs: Mapping[str, float]) -> None:
        check_loss(logs["loss"], self.epoch, self._recipe)
        self._progress.batch(
            Batch(
                self.epoch,
                self._recipe.epochs,
                min((index + 1) * self._recipe.batch_size, self._images),
                self._images,
                logs["loss"],
                logs["accuracy"],
                time.perf_counter() - self._begin,
            )
        )

    def stop(self) -> None:
        self.seconds = time.perf_counter() - self._begin


def _arrays(split: Split, classes: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return inputs, float32 (N, H, W, 1) in [0, 1], and one-hot targets, float32 (N, classes)."""
    inputs = split.images[..., None].astype(np.float32) / np.float32(255)
    return inputs, np.eye(classes, dtype=np.float32)[split.labels]


def _refusal(recipe: Recipe, parts: list[str]) -> ArgumentError:
    return ArgumentError(
        f"the engine keras does not support these parts of the recipe {recipe.name}: "
        f"{', '.join(parts)}; train it on the engine torch"
    )
