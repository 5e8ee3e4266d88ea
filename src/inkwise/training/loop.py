"""The training loop."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.data.dataset import Split
from inkwise.errors import TrainingError
from inkwise.system.progress import SILENT, Batch, Progress
from inkwise.training.allocator import keep_freed_memory
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe
from inkwise.training.schedules import rate_factor
from inkwise.training.step import CapturedStep, Step, to_inputs

EVALUATION_BATCH = 500
"""Images in a forward pass outside training; larger batches exceed the processor's cache."""

_CPU = torch.device("cpu")

_REPORT_EVERY = 64
"""Steps between two reports of progress if the device is not the CPU and has to stop for each."""


class Training:
    """A network being trained, one epoch after another.

    Parameters
    ----------
    module : torch.nn.Module
        What `inkwise.networks.as_torch.build` returned: float32 (N, 1, H, W) in [0, 1] to logits
        (N, classes). It is moved to the device and trained in place.
    train, validation : Split
        Images to train on, and images on which the network is evaluated after every epoch.
    recipe : Recipe
        Its network, dropout and batch normalisation are those of the module. Its holdout, seed,
        rotations and calibration are not used here: random draws come from PyTorch's global
        generator.
    device : torch.device
        The device to train on. The images are copied to it at once.
    class_names : sequence of str
        Names of the classes, for the recipe's class weights; not needed if it has none.

    Attributes
    ----------
    averaged : torch.nn.Module
        The network to validate and to keep: the one with the exponential moving average of the
        trained weights or, if the recipe does not average, the trained one itself.
    """

    def __init__(
        self,
        module: nn.Module,
        train: Split,
        validation: Split,
        recipe: Recipe,
        device: torch.device = _CPU,
        class_names: Sequence[str] = (),
    ) -> None:
        if device.type == "cpu":
            keep_freed_memory()
        self._module = module.to(device)
        self._recipe, self._device, self._validation = recipe, device, validation
        images, labels = _move(train, device)
        weights = recipe.weigh_classes(train.labels, class_names)
        self._step = Step(
            self._module,
            images,
            labels,
            recipe,
            None if weights is None else torch.from_numpy(weights).to(device),
        )
        self.averaged = self._step.averaged
        self._plan = _images_by_epoch(recipe, len(images))
        self._epoch = 0
        self._validation_losses: list[float] = []

    def epochs(self, progress: Progress = SILENT) -> Iterator[Epoch]:
        """Train for the epochs that are left, one each time the iterator is advanced.

        The caller decides what happens between epochs, and may stop after any of them.

        Parameters
        ----------
        progress : Progress, optional
            Receives the progress of the epoch: on the CPU after every batch, on other devices less
            often.

        Yields
        ------
        Epoch

        Raises
        ------
        TrainingError
            The loss is no longer a number.
        """
        recipe, step = self._recipe, self._step
        captured = CapturedStep(step) if self._device.type == "cuda" else None
        steps_by_epoch = [math.ceil(count / recipe.batch_size) for count in self._plan]
        steps, done = sum(steps_by_epoch), sum(steps_by_epoch[: self._epoch])
        freeze_at = math.ceil(recipe.freeze_after * steps)
        if done > freeze_at:
            step.freeze_first_layer()
        report_every = 1 if self._device.type == "cpu" else _REPORT_EVERY
        for epoch, count in enumerate(self._plan[self._epoch :], start=self._epoch + 1):
            self._module.train()
            start = time.perf_counter()
            step.totals.zero_()
            seen = 0
            for index in _draw(step.losses, count).split(recipe.batch_size):
                if recipe.schedule is not None:
                    step.scale_learning_rates(
                        rate_factor(recipe.schedule, done / steps, self._validation_losses)
                    )
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
                loss, accuracy = loss_sum / seen, correct / seen
                progress.batch(Batch(epoch, recipe.epochs, seen, count, loss, accuracy, seconds))
            validation_loss, validation_accuracy = self._validate()
            check_loss(validation_loss, epoch, recipe)  # the last step may have been the fatal one
            self._epoch = epoch
            self._validation_losses.append(validation_loss)
            yield Epoch(
                epoch,
                loss_sum / seen,
                correct / seen,
                validation_loss,
                validation_accuracy,
                seconds,
            )

    def state(self) -> dict[str, Tensor]:
        """Return copies of everything that later epochs depend on, which `restore` takes."""
        state = {
            **self._step.state(),
            "epoch": torch.tensor(self._epoch),
            "validation_losses": torch.tensor(self._validation_losses, dtype=torch.float64),
            "generator": torch.get_rng_state(),
        }
        if self._device.type == "cuda":
            state["device_generator"] = torch.cuda.get_rng_state(self._device)
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the `state` of another training with the same recipe and images.

        Raises
        ------
        TrainingError
            The state comes from a different recipe or type of device.
        """
        try:
            self._step.restore(state)
            self._epoch = int(state["epoch"])
            if "validation_losses" in state:  # as in checkpoints of earlier versions it is not
                self._validation_losses = state["validation_losses"].tolist()
            torch.set_rng_state(state["generator"])
            if self._device.type == "cuda":
                torch.cuda.set_rng_state(state["device_generator"], self._device)
        except (KeyError, RuntimeError, TypeError) as error:
            raise TrainingError(
                f"the checkpoint does not fit the recipe or the device ({error}): train again"
            ) from error

    def _validate(self) -> tuple[float, float]:
        """Return mean loss and accuracy on the validation images."""
        images, labels = _move(self._validation, self._device)
        logits = predict_logits(self.averaged, images)
        loss = functional.cross_entropy(logits, labels).item()
        return loss, int((logits.argmax(1) == labels).sum()) / len(labels)


def _move(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return images and labels as tensors on a device."""
    # PyTorch has no read-only tensors, and warns of arrays that are.
    images, labels = (
        torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)
        for array in (split.images, split.labels)
    )
    return images, labels


@torch.inference_mode()
def predict_logits(module: nn.Module, images: Tensor) -> Tensor:
    """Return the logits, float32 (N, classes), of images, uint8 (N, H, W), in evaluation mode."""
    module.eval()
    return torch.cat([module(to_inputs(batch)) for batch in images.split(EVALUATION_BATCH)])


def _images_by_epoch(recipe: Recipe, images: int) -> list[int]:
    """Return the number of images in each epoch: all, then the hardest in the second half."""
    hard = max(1, round(recipe.hardest * images))
    late = recipe.epochs // 2
    return [images] * (recipe.epochs - late) + [hard] * late


def _draw(losses: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` images with the largest losses, in random order."""
    shuffled = torch.randperm(count, device=losses.device)
    return shuffled if count == len(losses) else losses.topk(count).indices[shuffled]


def check_loss(loss: float, epoch: int, recipe: Recipe) -> None:
    """Raise `TrainingError` if a loss is NaN or infinite."""
    if not loss < float("inf"):
        raise TrainingError(
            f"the loss is no longer a number in epoch {epoch}: lower the learning rate, "
            f"now {recipe.optimiser.learning_rate}"
        )
