"""One step of a training: a batch forward, the gradient back, the optimisers."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.recipes import Recipe
from inkwise.training.optimisers import make_optimisers


class Step:
    """Trains a module on one batch each time it is called.

    Everything it needs lies on the images' device, and nothing in it waits for the host.

    Parameters
    ----------
    module : torch.nn.Module
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes).
    images : Tensor of uint8, shape (N, H, W)
    labels : Tensor of int64, shape (N,)
    recipe : Recipe

    Attributes
    ----------
    losses : Tensor of float32, shape (N,)
        The loss on every image when it was last seen.
    totals : Tensor of float32, shape (2,)
        Sum of the losses and count of right answers since it was last set to zero.
    """

    def __init__(self, module: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe) -> None:
        self.losses = torch.zeros(len(images), device=images.device)
        self.totals = torch.zeros(2, device=images.device)
        self._module, self._images, self._labels = module, images, labels
        self._augmentation, self._smoothing = recipe.augmentation, recipe.label_smoothing
        self._parameters = [*module.parameters()]
        self._optimisers = make_optimisers(module, recipe)
        self._rates = [float(optimiser.rate) for optimiser in self._optimisers]

    def __call__(self, index: Tensor) -> None:
        """Train on the images of these indices, int64 (M,)."""
        inputs = to_inputs(self._images.index_select(0, index))
        targets = self._labels.index_select(0, index)
        if self._augmentation is not None:
            inputs = self._augmentation(inputs)
        logits = self._module(inputs).float()
        log_probabilities = functional.log_softmax(logits, 1)
        losses = functional.nll_loss(log_probabilities, targets, reduction="none")
        # Cross-entropy with a target of which a share lies on all classes alike.
        loss = torch.lerp(losses.mean(), -log_probabilities.mean(), self._smoothing)
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()
        for optimiser in self._optimisers:
            optimiser.step()

        losses = losses.detach()
        self.losses.index_copy_(0, index, losses)
        correct = (logits.detach().argmax(1) == targets).sum()
        self.totals += torch.stack([losses.sum(), correct])

    def scale_learning_rates(self, factor: float) -> None:
        """Set every learning rate to this multiple of its recipe's."""
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            optimiser.rate.fill_(rate * factor)

    def freeze_first_layer(self) -> None:
        """Let the first layer learn no more, which spares its gradient and all that leads to it."""
        first = next(layer for layer in self._module.children() if [*layer.parameters()])
        first.requires_grad_(False)


class CapturedStep:
    """A step recorded on a CUDA graph and replayed, so that the host has nothing to launch.

    The first steps run as they are: they warm up what a recording must not contain.

    Parameters
    ----------
    step : Step
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
        """Record anew: the step is about to become another one."""
        self._graph = None


def to_inputs(images: Tensor) -> Tensor:
    """Turn grey levels, uint8 (N, H, W), into inputs, float32 (N, 1, H, W) in [0, 1]."""
    return images.unsqueeze(1) / 255
