"""One step of a training: a batch forward, the gradient back, the optimisers."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.networks.as_torch import Members
from inkwise.system.machine import has_bfloat16_units
from inkwise.training.optimisers import make_optimisers
from inkwise.training.outliers import augmentation_of_outliers, make_outliers
from inkwise.training.recipe import Recipe


class Step:
    """Trains a module on one batch each time it is called.

    Everything it needs lies on the images' device, and nothing in it waits for the host.

    Parameters
    ----------
    module : torch.nn.Module
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes), or a `Members`, each of which
        learns from the same images.
    images : Tensor of uint8, shape (N, H, W)
    labels : Tensor of int64, shape (N,)
    recipe : Recipe

    Attributes
    ----------
    averaged : torch.nn.Module
        The module with the running average of its weights; without one, the module itself.
    losses : Tensor of float32, shape (N,)
        The loss on every image when it was last seen.
    totals : Tensor of float32, shape (2,)
        Sum of the losses and count of right answers since it was last set to zero; of an
        ensemble, their means over the members.
    """

    def __init__(self, module: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe) -> None:
        self.losses = torch.zeros(len(images), device=images.device)
        self.totals = torch.zeros(2, device=images.device)
        self._module, self._images, self._labels = module, images, labels
        self._augmentation, self._smoothing = recipe.augmentation, recipe.label_smoothing
        self._outliers = recipe.outliers
        self._mixed = (
            recipe.mixed_precision and images.device.type == "cpu" and has_bfloat16_units()
        )
        self._parameters = [*module.parameters()]
        self._optimisers = make_optimisers(module, recipe)
        self._average = Average(module, recipe.averaging) if recipe.averaging else None
        self.averaged = self._average.module if self._average else module
        self._rates = [float(optimiser.rate) for optimiser in self._optimisers]

    def __call__(self, index: Tensor) -> None:
        """Train on the images of these indices, int64 (M,)."""
        inputs = to_inputs(self._images.index_select(0, index))
        targets = self._labels.index_select(0, index)
        outliers = self._draw_outliers(inputs) if self._outliers else None
        if self._augmentation is not None:
            inputs = self._augmentation(inputs)
        if outliers is not None:
            inputs = torch.cat([inputs, outliers])
        with torch.autocast("cpu", torch.bfloat16, enabled=self._mixed):
            answers = self._module(inputs)
        answers = answers.float().unflatten(0, (-1, len(inputs)))
        logits = answers[:, : len(index)].flatten(0, 1)
        members = len(answers)
        targets = targets.repeat(members)
        log_probabilities = functional.log_softmax(logits, 1)
        losses = functional.nll_loss(log_probabilities, targets, reduction="none")
        # Cross-entropy with a target of which a share lies on all classes alike.
        loss = torch.lerp(losses.mean(), -log_probabilities.mean(), self._smoothing)
        if outliers is not None:
            loss = loss + _detection_loss(answers, len(index))
        loss = loss * members  # each learns as it would alone
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()
        for optimiser in self._optimisers:
            optimiser.step()
        if self._average:
            self._average.update()

        losses = losses.detach().view(members, -1).mean(0)
        self.losses.index_copy_(0, index, losses)
        correct = (logits.detach().argmax(1) == targets).sum() / members
        self.totals += torch.stack([losses.sum(), correct])

    def _draw_outliers(self, inputs: Tensor) -> Tensor:
        """Draw pictures of no class; every other one undergoes most of what the images do."""
        outliers = make_outliers(inputs, round(self._outliers * len(inputs)))
        if self._augmentation is not None:
            outliers[::2] = augmentation_of_outliers(self._augmentation)(outliers[::2])
        return outliers

    def scale_learning_rates(self, factor: float) -> None:
        """Set every learning rate to this multiple of its recipe's."""
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            optimiser.rate.fill_(rate * factor)

    def freeze_first_layer(self) -> None:
        """Let the first layer learn no more, which spares its gradient and all that leads to it."""
        for member in self._module if isinstance(self._module, Members) else [self._module]:
            first = next(layer for layer in member.children() if [*layer.parameters()])
            first.requires_grad_(False)

    def state(self) -> dict[str, Tensor]:
        """Return all that later steps depend on, not copied."""
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
        """Copy a state into this step's; KeyError or RuntimeError where it is not alike."""
        with torch.no_grad():
            for name, value in self.state().items():
                value.copy_(state[name])


# PyTorch's AveragedModel counts its updates on the host, so that no CUDA graph can record one whose
# share depends on the count; it copies the first weights, and is no faster.
class Average:
    """A copy of a module whose weights are the running average of the module's own.

    Parameters
    ----------
    module : torch.nn.Module
    decay : float
        What of the average a step leaves, in (0, 1); the first steps leave less, so that the
        weights that the training began with are soon forgotten.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self._current, self._averages = (
            [*each.state_dict().values()] for each in (module, self.module)
        )
        self._decay = decay
        self._updates = torch.zeros((), device=self._averages[0].device)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the module's weights as they are now."""
        self._updates += 1
        share = 1 - ((1 + self._updates) / (10 + self._updates)).clamp(max=self._decay)
        for average, current in zip(self._averages, self._current, strict=True):
            average.lerp_(current, share)

    def state(self) -> dict[str, Tensor]:
        """Return the averages and how many updates they took, not copied."""
        return {**self.module.state_dict(), "updates": self._updates}


def _prefix(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in state.items()}


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


def _detection_loss(logits: Tensor, count: int) -> Tensor:
    """Return the cross-entropy of telling the first images, of the classes, from the others.

    The score of an image, the logarithm of the sum of the exponentials of its logits, (members, N,
    classes), is taken for the logit of its belonging to any class.
    """
    scores = logits.logsumexp(2)
    belongs = torch.zeros_like(scores)
    belongs[:, :count] = 1
    return functional.binary_cross_entropy_with_logits(scores, belongs)


def to_inputs(images: Tensor) -> Tensor:
    """Turn grey levels, uint8 (N, H, W), into inputs, float32 (N, 1, H, W) in [0, 1]."""
    return images.unsqueeze(1) / 255
