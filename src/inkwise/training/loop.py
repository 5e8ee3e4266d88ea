"""The training loop."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.data.dataset import Split
from inkwise.errors import TrainingError
from inkwise.recipes import Recipe
from inkwise.training.allocator import keep_freed_memory
from inkwise.training.history import Epoch
from inkwise.training.step import CapturedStep, Step, to_inputs

EVALUATION_BATCH = 500
"""Images in one forward pass outside training; larger ones fall out of the processor's cache."""

_CPU = torch.device("cpu")

_REPORT_EVERY = 64
"""Steps between two looks at the figures of a training on another device, which has to stop."""


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
    device: torch.device = _CPU,
) -> Iterator[Epoch]:
    """Train a network in place, one epoch each time the iterator is advanced.

    Whoever iterates decides what happens between epochs, and may stop at any of them.

    Parameters
    ----------
    module : torch.nn.Module
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes). It is moved to the device.
    train, validation : Split
        The validation images are only looked at, after every epoch.
    recipe : Recipe
        All of it is followed but its network and holdout. Random draws come from PyTorch's global
        generator.
    on_batch : callable, optional
        Told how far the epoch has come: on the CPU after every batch, elsewhere now and then.
    device : torch.device
        Where to train. The images go there at once.

    Yields
    ------
    Epoch

    Raises
    ------
    TrainingError
        The loss is no longer a number.
    """
    if device.type == "cpu":
        keep_freed_memory()
    module.to(device)
    images, labels = (torch.from_numpy(part).to(device) for part in (train.images, train.labels))
    step = Step(module, images, labels, recipe)
    captured = CapturedStep(step) if device.type == "cuda" else None
    plan = _images_by_epoch(recipe, len(images))
    steps = sum(math.ceil(count / recipe.batch_size) for count in plan)
    freeze_at = math.ceil(recipe.freeze_after * steps)
    report_every = 1 if device.type == "cpu" else _REPORT_EVERY
    done = 0
    for epoch, count in enumerate(plan, start=1):
        module.train()
        start = time.perf_counter()
        step.totals.zero_()
        seen = 0
        for index in _draw(step.losses, count).split(recipe.batch_size):
            if recipe.schedule is not None:
                step.scale_learning_rates(recipe.schedule(done / steps))
            if done == freeze_at:
                step.freeze_first_layer()
                if captured:
                    captured.forget()
            (captured or step)(index)

            done += 1
            seen += len(index)
            if done % report_every and seen < count:
                continue
            loss_sum, correct = step.totals.tolist()
            check_loss(loss_sum, epoch, recipe)
            seconds = time.perf_counter() - start
            if on_batch is not None:
                on_batch(
                    Batch(
                        epoch, recipe.epochs, seen, count, loss_sum / seen, correct / seen, seconds
                    )
                )
        validation_loss, validation_accuracy = _validate(module, validation, device)
        check_loss(validation_loss, epoch, recipe)  # the last step may have been the fatal one
        yield Epoch(
            epoch, loss_sum / seen, correct / seen, validation_loss, validation_accuracy, seconds
        )


@torch.inference_mode()
def predict_logits(module: nn.Module, images: Tensor) -> Tensor:
    """Return the logits (N, classes) of uint8 images (N, H, W), without dropout."""
    module.eval()
    return torch.cat([module(to_inputs(batch)) for batch in images.split(EVALUATION_BATCH)])


def _images_by_epoch(recipe: Recipe, images: int) -> list[int]:
    """Return how many images each epoch sees: all, then the hardest in the second half."""
    hard = max(1, round(recipe.hardest * images))
    late = recipe.epochs // 2
    return [images] * (recipe.epochs - late) + [hard] * late


def _draw(losses: Tensor, count: int) -> Tensor:
    """Return the indices of the images with the largest losses, `count` of them, in any order."""
    shuffled = torch.randperm(count, device=losses.device)
    return shuffled if count == len(losses) else losses.topk(count).indices[shuffled]


def _validate(module: nn.Module, validation: Split, device: torch.device) -> tuple[float, float]:
    """Mean loss and accuracy."""
    logits = predict_logits(module, torch.from_numpy(validation.images).to(device))
    labels = torch.from_numpy(validation.labels).to(device)
    loss = functional.cross_entropy(logits, labels).item()
    return loss, int((logits.argmax(1) == labels).sum()) / len(labels)


def check_loss(loss: float, epoch: int, recipe: Recipe) -> None:
    """Raise `TrainingError` where a loss is no number, or infinite."""
    if not loss < float("inf"):
        raise TrainingError(
            f"the loss is no longer a number in epoch {epoch}: lower the learning rate, "
            f"now {recipe.optimiser.learning_rate}"
        )
