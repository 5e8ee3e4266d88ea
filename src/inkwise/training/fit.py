"""A training in memory, which the caller drives: an iterator of its epochs."""

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.splits import Splits
from inkwise.errors import TrainingError
from inkwise.model import Model
from inkwise.system.progress import SILENT, Progress
from inkwise.training.calibrating import calibrate
from inkwise.training.history import Epoch, show_history, validation_losses
from inkwise.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

_OF_THE_IMAGES = ("losses", "epoch")


class Fit(Iterator[Epoch]):
    """A training in memory: an iterator that trains an epoch each time it is advanced.

    `inkwise.fit` makes it. Nothing is written, and the test split is not looked at. Leaving the
    loop ends the training; another loop over the same object continues it.

    Parameters
    ----------
    recipe : Recipe
        The recipe to train by.
    splits : Splits
        The images to train and to validate on.
    class_names : tuple of str
        Names of the classes.
    provenance : mapping
        What the model's provenance says besides the recipe and the number of epochs.
    device : str
        The device to train on, as for `inkwise.train`.
    progress : Progress, optional
        Receives every batch.
    together : bool
        As of `inkwise.Model`.

    Attributes
    ----------
    recipe : Recipe
        The recipe.
    splits : Splits
        The images.
    history : list of Epoch
        The finished epochs.

    Examples
    --------
    >>> import inkwise
    >>> fit = inkwise.fit("case-study", "optdigits", epochs=3)
    >>> for epoch in fit:
    ...     if epoch.epoch == 2:
    ...         break
    >>> len(fit.history), fit.model.predict(fit.splits.test.images).shape
    (2, (359,))
    >>> [epoch.epoch for epoch in fit]  # what is left
    [3]
    """

    def __init__(
        self,
        recipe: Recipe,
        splits: Splits,
        class_names: tuple[str, ...],
        provenance: Mapping[str, Any],
        device: str = "auto",
        progress: Progress = SILENT,
        together: bool = False,
    ) -> None:
        import torch

        from inkwise.networks.as_torch import build
        from inkwise.training.device import choose_device
        from inkwise.training.loop import Training

        height, width = splits.train.images.shape[1:]
        self.recipe, self.splits = recipe, splits
        self.history: list[Epoch] = []
        self._kept = 0
        self._class_names, self._provenance = class_names, provenance
        self._together = together
        self._network = recipe.describe_network((height, width), len(class_names))
        self._weights: Mapping[str, NDArray[np.float32]] = {}
        chosen = choose_device(device)
        torch.manual_seed(recipe.seed)
        module = build(self._network, recipe.batch_norm)
        self._training = Training(
            module, splits.train, splits.validation, recipe, chosen, class_names
        )
        self._epochs = self._training.epochs(progress)

    def __next__(self) -> Epoch:
        from inkwise.networks.as_torch import get_weights

        if self.recipe.stops_after(validation_losses(self.history)):
            raise StopIteration
        epoch = next(self._epochs)
        self.history.append(epoch)
        self._kept = self.recipe.keeps(validation_losses(self.history))
        if self._kept == len(self.history):
            self._weights = get_weights(self._training.averaged)
        vars(self).pop("model", None)
        return epoch

    @functools.cached_property
    def model(self) -> Model:
        """The model as of the epoch that the recipe keeps, calibrated if the recipe says so.

        Raises
        ------
        TrainingError
            No epoch is finished.
        """
        if not self.history:
            raise TrainingError("there is no model before the first epoch: advance the training")
        provenance = {
            "recipe": self.recipe.to_dict(),
            **self._provenance,
            "epochs_trained": self._kept,
        }
        model = Model(
            self._network,
            self._weights,
            self._class_names,
            provenance,
            rotations=self.recipe.rotations,
            together=self._together,
        )
        return calibrate(model, self.splits.validation) if self.recipe.calibrate else model

    def state(self) -> "dict[str, Tensor]":
        """Return copies of what a training on other images can continue from."""
        state = self._training.state()
        return {name: state[name] for name in state if name not in _OF_THE_IMAGES}

    def continue_from(self, state: "Mapping[str, Tensor]") -> None:
        """Take over weights, optimisers and random generators from another training's `state`.

        Raises
        ------
        TrainingError
            The state comes from a different recipe, or from another type of device.
        """
        own = self._training.state()
        self._training.restore({**state, **{name: own[name] for name in _OF_THE_IMAGES}})

    def _repr_html_(self) -> str:
        return show_history(f"{self.recipe.name}: {self.recipe.epochs} epochs", self.history)
