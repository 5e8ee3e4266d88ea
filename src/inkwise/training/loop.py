"""The training loop."""

import dataclasses
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.data.dataset import Split
from inkwise.errors import TrainingError
from inkwise.recipes import SGD, Adam, Recipe
from inkwise.training.allocator import keep_freed_memory
from inkwise.training.history import Epoch

EVALUATION_BATCH = 500
"""Images in one forward pass outside training; larger ones fall out of the processor's cache."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """How far an epoch has come.

    Parameters
    ----------
    epoch, epochs : int
        The epoch under way, from 1, and how many there will be.
    seen, images : int
        Images of the epoch seen so far, and how many there are.
    loss, accuracy : float
        Means over the images seen in this epoch.
    seconds : float
        Training time of the epoch so far.
    """

    epoch: int
    epochs: int
    seen: int
    images: int
    loss: float
    accuracy: float
    seconds: float


def fit(
    module: nn.Module,
    train: Split,
    validation: Split,
    recipe: Recipe,
    on_batch: Callable[[Batch], object] | None = None,
) -> Iterator[Epoch]:
    """Train a network in place, one epoch each time the iterator is advanced.

    Whoever iterates decides what happens between epochs, and may stop at any of them.

    Parameters
    ----------
    module : torch.nn.Module
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes).
    train, validation : Split
        The validation images are only looked at, after every epoch.
    recipe : Recipe
        Its optimiser, batch size, epochs and augmentation are used. Random draws come from
        PyTorch's global generator.
    on_batch : callable, optional
        Told after every batch how far the epoch has come.

    Yields
    ------
    Epoch

    Raises
    ------
    TrainingError
        The loss is no longer a number.
    """
    keep_freed_memory()
    images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    optimiser = _optimiser(module, recipe)
    for epoch in range(1, recipe.epochs + 1):
        module.train()
        start = time.perf_counter()
        loss_sum, correct, seen = 0.0, 0, 0
        for batch in torch.randperm(len(images)).split(recipe.batch_size):
            inputs, targets = to_inputs(images[batch]), labels[batch]
            if recipe.augmentation is not None:
                inputs = recipe.augmentation(inputs)
            logits = module(inputs)
            loss = functional.cross_entropy(logits, targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

            seen += len(batch)
            loss_sum += loss.item() * len(batch)
            _check_loss(loss_sum, epoch, recipe)
            correct += int((logits.argmax(1) == targets).sum())
            if on_batch is not None:
                seconds = time.perf_counter() - start
                on_batch(
                    Batch(
                        epoch,
                        recipe.epochs,
                        seen,
                        len(images),
                        loss_sum / seen,
                        correct / seen,
                        seconds,
                    )
                )
        seconds = time.perf_counter() - start
        validation_loss, validation_accuracy = _validate(module, validation)
        _check_loss(validation_loss, epoch, recipe)  # the last step may have been the fatal one
        yield Epoch(
            epoch, loss_sum / seen, correct / seen, validation_loss, validation_accuracy, seconds
        )


def to_inputs(images: Tensor) -> Tensor:
    """Turn grey levels, uint8 (N, H, W), into inputs, float32 (N, 1, H, W) in [0, 1]."""
    return images.unsqueeze(1).float().div_(255)


@torch.inference_mode()
def predict_logits(module: nn.Module, images: Tensor) -> Tensor:
    """Return the logits (N, classes) of uint8 images (N, H, W), without dropout."""
    module.eval()
    return torch.cat([module(to_inputs(batch)) for batch in images.split(EVALUATION_BATCH)])


def _validate(module: nn.Module, validation: Split) -> tuple[float, float]:
    """Mean loss and accuracy."""
    logits = predict_logits(module, torch.from_numpy(validation.images))
    labels = torch.from_numpy(validation.labels)
    loss = functional.cross_entropy(logits, labels).item()
    return loss, (logits.argmax(1) == labels).double().mean().item()


def _check_loss(loss: float, epoch: int, recipe: Recipe) -> None:
    if not loss < float("inf"):
        raise TrainingError(
            f"the loss is no longer a number in epoch {epoch}: lower the learning rate, "
            f"now {recipe.optimiser.learning_rate}"
        )


def _optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    match recipe.optimiser:
        case Adam(learning_rate, beta1, beta2, epsilon):
            return torch.optim.Adam(
                module.parameters(), learning_rate, (beta1, beta2), epsilon, fused=True
            )
        case SGD(learning_rate, momentum):
            return torch.optim.SGD(module.parameters(), learning_rate, momentum, fused=True)
