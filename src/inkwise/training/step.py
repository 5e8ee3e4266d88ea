"""One step of a training: the forward and backward pass of a batch, and the optimisers."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.networks.as_torch import Members
from inkwise.networks.network import penalties
from inkwise.system.machine import bfloat16_units
from inkwise.training.averaging import Average
from inkwise.training.optimisers import make_optimisers
from inkwise.training.outliers import augmentation_of_outliers, make_outliers
from inkwise.training.recipe import Recipe


class Step:
    """A step of a training: each call trains a module on one batch.

    Everything it needs is on the device of the images, which never waits for the host.

    Parameters
    ----------
    module : torch.nn.Module
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes), or a `Members`, whose members all
        learn from the same images.
    images : Tensor of uint8, shape (N, H, W)
        Grey levels of all training images.
    labels : Tensor of int64, shape (N,)
        True labels of the training images.
    recipe : Recipe
        The training configuration.
    class_weights : Tensor of float32, shape (classes,), optional
        By how much the loss of an image counts, by its class.

    Attributes
    ----------
    averaged : torch.nn.Module
        The module with the exponential moving average of the weights, or `module` itself if the
        recipe does not average.
    losses : Tensor of float32, shape (N,)
        The loss of every image when it was last trained on, without class weights and without the
        L2 penalties of layers; 0 before that.
    totals : Tensor of float32, shape (2,)
        Sum of the losses and number of right answers since it was last set to zero. For an
        ensemble these are means over the members.
    """

    def __init__(
        self,
        module: nn.Module,
        images: Tensor,
        labels: Tensor,
        recipe: Recipe,
        class_weights: Tensor | None = None,
    ) -> None:
        self.losses = torch.zeros(len(images), device=images.device)
        self.totals = torch.zeros(2, device=images.device)
        self._module, self._images, self._labels = module, images, labels
        self._augmentation, self._smoothing = recipe.augmentation, recipe.label_smoothing
        self._outliers, self._class_weights = recipe.outliers, class_weights
        on_cpu = images.device.type == "cpu"
        self._mixed = recipe.mixed_precision and on_cpu and bfloat16_units() is not None
        self._parameters = [*module.parameters()]
        factors = {} if isinstance(recipe.network, str) else penalties(recipe.network)
        self._penalties = [(module.get_parameter(name), l2) for name, l2 in factors.items()]
        self._clip_norm = recipe.clip_norm
        self._optimisers = make_optimisers(module, recipe)
        self._average = Average(module, recipe.averaging) if recipe.averaging else None
        self.averaged = self._average.module if self._average else module
        self._rates = [float(optimiser.rate) for optimiser in self._optimisers]

    def __call__(self, index: Tensor) -> None:
        """Train on the images of these indices, int64 (M,)."""
        inputs = to_inputs(self._images.index_select(0, index))  # (M, 1, H, W)
        targets = self._labels.index_select(0, index)  # (M,)
        outliers = self._draw_outliers(inputs) if self._outliers else None
        if self._augmentation is not None:
            inputs = self._augmentation(inputs)
        if outliers is not None:
            inputs = torch.cat([inputs, outliers])  # (M + outliers, 1, H, W)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._mixed):
            answers = self._module(inputs)
        # (members, M + outliers, classes), with a single member if the module is no ensemble
        answers = answers.float().unflatten(0, (-1, len(inputs)))
        logits = answers[:, : len(index)].flatten(0, 1)  # (members · M, classes)
        members = len(answers)
        targets = targets.repeat(members)
        log_probabilities = functional.log_softmax(logits, 1)
        losses = functional.nll_loss(log_probabilities, targets, reduction="none")
        # Cross-entropy with label smoothing.
        if self._class_weights is None:
            loss = torch.lerp(losses.mean(), -log_probabilities.mean(), self._smoothing)
        else:
            smooth = torch.lerp(losses, -log_probabilities.mean(1), self._smoothing)
            loss = (smooth * self._class_weights.index_select(0, targets)).mean()
        if outliers is not None:
            loss = loss + _detection_loss(answers, len(index))
        loss = loss * members  # each member learns as it would alone
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()
        for parameter, l2 in self._penalties:
            if parameter.grad is not None:  # as it is in a layer that is frozen
                parameter.grad.add_(parameter.detach(), alpha=2 * l2)
        if self._clip_norm:
            for member in self._members():
                nn.utils.clip_grad_norm_(member.parameters(), self._clip_norm)
        for optimiser in self._optimisers:
            optimiser.step()
        if self._average:
            self._average.update()

        losses = losses.detach().view(members, -1).mean(0)
        self.losses.index_copy_(0, index, losses)
        correct = (logits.detach().argmax(1) == targets).sum() / members
        self.totals += torch.stack([losses.sum(), correct])

    def _members(self) -> Iterable[nn.Module]:
        return self._module if isinstance(self._module, Members) else [self._module]

    def _draw_outliers(self, inputs: Tensor) -> Tensor:
        """Draw pictures of no class, (outliers, 1, H, W), and augment every other one."""
        outliers = make_outliers(inputs, round(self._outliers * len(inputs)))
        if self._augmentation is not None:
            outliers[::2] = augmentation_of_outliers(self._augmentation)(outliers[::2])
        return outliers

    def scale_learning_rates(self, factor: float) -> None:
        """Set the learning rate of every optimiser to the recipe's times this factor."""
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            optimiser.rate.fill_(rate * factor)

    def freeze_first_layer(self) -> None:
        """Freeze the first layer, which saves its gradient and the backward pass to it."""
        for member in self._members():
            first = next(layer for layer in member.children() if [*layer.parameters()])
            first.requires_grad_(False)

    def state(self) -> dict[str, Tensor]:
        """Return everything that later steps depend on, not copied."""
        return {
            "losses": self.losses,
            **_prefix("module", self._module.state_dict()),
            **(_prefix("average", self._average.state()) if self._average else {}),
            **{
                name: value
                for number, optimiser in enumerate(self._optimisers)
                for name, value in _prefix(f"optimiser{number}", optimiser.state()).items()
            },
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Copy a state into this step; raise KeyError or RuntimeError if it does not fit."""
        with torch.no_grad():
            for name, value in self.state().items():
                value.copy_(state[name])


def _prefix(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in state.items()}


class CapturedStep:
    """A step recorded on a CUDA graph and replayed, so that the host launches no kernels.

    The first steps run without recording: they initialise what a recording must not contain.

    Parameters
    ----------
    step : Step
        The step to record.
    """

    _WARM_UP = 3

    def __init__(self, step: Step) -> None:
        self._step = step
        self._done = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._index = torch.empty(0)

    def __call__(self, index: Tensor) -> None:
        """Train on the images of these indices, int64 (M,)."""
        self._done += 1
        if self._done <= self._WARM_UP or (self._graph and index.shape != self._index.shape):
            self._step(index)
            return
        if self._graph is None:
            self._index = index.clone()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._step(self._index)
        self._index.copy_(index)
        self._graph.replay()

    def forget(self) -> None:
        """Drop the recording, because the step is about to change; the next call makes another."""
        self._graph = None


def _detection_loss(logits: Tensor, count: int) -> Tensor:
    """Return the binary cross-entropy of telling images of the classes from outliers.

    The logits have the shape (members, N, classes), and the first `count` images are of the
    classes. The score of an image, which is the logsumexp of its logits, is the logit of its
    belonging to any class.
    """
    scores = logits.logsumexp(2)  # (members, N)
    belongs = torch.zeros_like(scores)
    belongs[:, :count] = 1
    return functional.binary_cross_entropy_with_logits(scores, belongs)


def to_inputs(images: Tensor) -> Tensor:
    """Scale grey levels, uint8 (N, H, W), to inputs, float32 (N, 1, H, W) in [0, 1]."""
    return images.unsqueeze(1) / 255
