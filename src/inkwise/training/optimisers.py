"""The optimisers that recipes refer to.

They are written here because constructing one of PyTorch's own imports its compiler, which takes
longer than training `swift`, and because its bookkeeping slows a step of three milliseconds down.
Adam and gradient descent use PyTorch's fused kernels, with one call for all parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from inkwise.training.recipe import SGD, Adam, Muon, Recipe


class UpdateRule(Protocol):
    """An optimiser, which updates parameters by their gradients.

    Attributes
    ----------
    rate : Tensor, shape ()
        The learning rate of the next step. It is a tensor, so that a recorded step reads its value.
    """

    rate: Tensor

    def step(self) -> None:
        """Update the parameters once. Those without a gradient do not change."""

    def state(self) -> dict[str, Tensor]:
        """Return everything that later steps depend on except the rate, not copied."""


def make_optimisers(module: nn.Module, recipe: Recipe) -> list[UpdateRule]:
    """Return a recipe's optimisers for a module; each parameter is in exactly one of them."""
    parameters = [*module.parameters()]
    match recipe.optimiser:
        case Adam() as values:
            return [AdamOptimiser(parameters, values)]
        case SGD() as values:
            return [SGDOptimiser(parameters, values)]
        case Muon() as values:
            kernels = [parameter for parameter in parameters if parameter.ndim == 4]
            others = [parameter for parameter in parameters if parameter.ndim != 4]
            return [MuonOptimiser(kernels, values), AdamOptimiser(others, values.adam)]


class AdamOptimiser:
    """Adam, see `inkwise.training.recipe.Adam`."""

    def __init__(self, parameters: Sequence[Tensor], values: Adam) -> None:
        self.rate = _rate(parameters, values.learning_rate)
        self._values = values
        self._state: dict[Tensor, tuple[Tensor, Tensor, Tensor]] = {
            parameter: (
                torch.zeros_like(parameter),
                torch.zeros_like(parameter),
                torch.zeros((), device=parameter.device),
            )
            for parameter in parameters
        }

    @torch.no_grad()
    def step(self) -> None:
        """Take a step."""
        learning, gradients = _learning(self._state)
        if not learning:
            return
        means, squares, counts = zip(*(self._state[each] for each in learning), strict=True)
        torch._foreach_add_(counts, 1)
        torch._fused_adam_(
            learning,
            gradients,
            means,
            squares,
            [],
            counts,
            lr=self.rate,
            beta1=self._values.beta1,
            beta2=self._values.beta2,
            weight_decay=0.0,
            eps=self._values.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Return the running averages and the number of steps, for each parameter."""
        return {
            f"{place}.{name}": value
            for place, values in enumerate(self._state.values())
            for name, value in zip(("mean", "square", "count"), values, strict=True)
        }


class SGDOptimiser:
    """Gradient descent with momentum, see `inkwise.training.recipe.SGD`."""

    def __init__(self, parameters: Sequence[Tensor], values: SGD) -> None:
        self.rate = _rate(parameters, values.learning_rate)
        self._momentum = values.momentum
        self._momenta = {parameter: torch.zeros_like(parameter) for parameter in parameters}

    @torch.no_grad()
    def step(self) -> None:
        """Take a step."""
        learning, gradients = _learning(self._momenta)
        if not learning:
            return
        torch._fused_sgd_(
            learning,
            gradients,
            [self._momenta[each] for each in learning] if self._momentum else [],
            weight_decay=0.0,
            momentum=self._momentum,
            lr=self.rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # the momenta start at zero, which gives the same result
        )

    def state(self) -> dict[str, Tensor]:
        """Return the momenta."""
        return _by_place(self._momenta)


class MuonOptimiser:
    """Muon for the kernels of convolutions, see `inkwise.training.recipe.Muon`.

    Each kernel is taken as a matrix with one row for each filter. Every update, before it is
    multiplied by the learning rate, is a matrix with singular values of about one.

    References
    ----------
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/.
    """

    def __init__(self, parameters: Sequence[Tensor], values: Muon) -> None:
        self.rate = _rate(parameters, values.learning_rate)
        self._momentum = values.momentum
        self._momenta = {parameter: torch.zeros_like(parameter) for parameter in parameters}

    @torch.no_grad()
    def step(self) -> None:
        """Take a step."""
        for parameter, gradient in zip(*_learning(self._momenta), strict=True):
            average = self._momenta[parameter].mul_(self._momentum).add_(gradient)
            ahead = torch.add(gradient, average, alpha=self._momentum)  # Nesterov's momentum
            update = orthogonalise(ahead.flatten(1)).view_as(parameter)
            parameter.addcmul_(update, self.rate, value=-1)

    def state(self) -> dict[str, Tensor]:
        """Return the momenta."""
        return _by_place(self._momenta)


# Coefficients of the quintic that draws singular values towards 1, steepest at 0 (Jordan, above).
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 3


def orthogonalise(matrix: Tensor) -> Tensor:
    """Bring the singular values of a matrix towards 1 without changing its singular vectors.

    Parameters
    ----------
    matrix : Tensor of float32, shape (M, N)

    Returns
    -------
    Tensor of float32, shape (M, N)
        The result of a few steps of a Newton–Schulz iteration. Its singular values lie roughly
        between 0.3 and 1.2, except those that were tiny in comparison with the largest.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if tall else wide


def _rate(parameters: Sequence[Tensor], value: float) -> Tensor:
    return torch.tensor(value, device=parameters[0].device if parameters else None)


def _learning(parameters: Iterable[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the parameters that have a gradient, and their gradients."""
    learning = [parameter for parameter in parameters if parameter.grad is not None]
    return learning, [parameter.grad for parameter in learning if parameter.grad is not None]


def _by_place(state: Mapping[Tensor, Tensor]) -> dict[str, Tensor]:
    return {str(place): value for place, value in enumerate(state.values())}
