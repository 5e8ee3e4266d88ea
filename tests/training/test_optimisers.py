from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from inkwise.training.named_recipes import get_recipe
from inkwise.training.optimisers import make_optimisers, orthogonalise
from inkwise.training.recipe import SGD, Adam, Muon


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.Flatten(), nn.Linear(24, 5))


def gradients(steps: int) -> list[list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        [torch.randn(each.shape, generator=generator) for each in network().parameters()]
        for _ in range(steps)
    ]


def trained(optimiser: Adam | SGD | Muon, steps: int) -> list[Tensor]:
    module = network()
    optimisers = make_optimisers(module, get_recipe("case-study", optimiser=optimiser))
    for step in gradients(steps):
        for parameter, gradient in zip(module.parameters(), step, strict=True):
            parameter.grad = gradient
        for each in optimisers:
            each.step()
    return [parameter.detach() for parameter in module.parameters()]


def trained_by_pytorch(make: type[torch.optim.Optimizer], **values: Any) -> list[Tensor]:
    module = network()
    optimiser = make(module.parameters(), **values)
    for step in gradients(5):
        for parameter, gradient in zip(module.parameters(), step, strict=True):
            parameter.grad = gradient
        optimiser.step()
    return [parameter.detach() for parameter in module.parameters()]


@pytest.mark.parametrize(
    "values", [Adam(), Adam(0.03, 0.7, 0.9, 1e-3), Adam(0.1, 0.0, 0.0)], ids=str
)
def test_adam_is_pytorchs(values: Adam) -> None:
    expected = trained_by_pytorch(
        torch.optim.Adam,
        lr=values.learning_rate,
        betas=(values.beta1, values.beta2),
        eps=values.epsilon,
    )
    for ours, theirs in zip(trained(values, 5), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("values", [SGD(), SGD(0.2, 0.0)], ids=str)
def test_gradient_descent_is_pytorchs(values: SGD) -> None:
    expected = trained_by_pytorch(
        torch.optim.SGD, lr=values.learning_rate, momentum=values.momentum
    )
    for ours, theirs in zip(trained(values, 5), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_muon_moves_kernels_by_orthogonal_matrices_and_the_rest_by_adam() -> None:
    values = Muon(learning_rate=0.25, momentum=0.5)
    kernel, *rest = trained(values, 1)
    gradient, *_ = gradients(1)[0]
    moved = (next(network().parameters()) - kernel).detach().flatten(1) / 0.25
    torch.testing.assert_close(moved, orthogonalise(gradient.flatten(1)), rtol=1e-3, atol=1e-4)
    _, *by_adam = trained(values.adam, 1)
    for ours, theirs in zip(rest, by_adam, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_muons_momentum_remembers_earlier_gradients() -> None:
    assert not torch.allclose(trained(Muon(momentum=0.9), 3)[0], trained(Muon(momentum=0), 3)[0])


@given(
    rows=st.integers(1, 24),
    columns=st.integers(1, 24),
    scale=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**32 - 1),
)
def test_orthogonalising_evens_singular_values_out_and_keeps_the_vectors(
    rows: int, columns: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    size = min(rows, columns)
    left, _ = torch.linalg.qr(torch.randn(rows, size, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(columns, size, generator=generator))
    values = torch.linspace(1, 0.3, size)
    result = orthogonalise(scale * left @ values.diag() @ right.T)
    inner = left.T @ result @ right
    torch.testing.assert_close(inner, inner.diagonal().diag(), rtol=0, atol=1e-3)
    assert inner.diagonal().min() > 0.25
    assert inner.diagonal().max() < 1.3


@pytest.mark.parametrize("values", [Adam(), SGD(), Muon()], ids=str)
def test_parameters_without_a_gradient_stay_where_they_are(values: Adam | SGD | Muon) -> None:
    module = network()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimisers = make_optimisers(module, get_recipe("case-study", optimiser=values))
    for each in optimisers:
        each.step()  # none has one
    *_, weight, _ = module.parameters()
    weight.grad = torch.ones_like(weight)
    for each in optimisers:
        each.step()
    kernel, kernel_bias, weight, bias = module.parameters()
    assert torch.equal(kernel, before[0])
    assert torch.equal(kernel_bias, before[1])
    assert not torch.equal(weight, before[2])
    assert torch.equal(bias, before[3])


@pytest.mark.parametrize("values", [Adam(), SGD(), Muon()], ids=str)
def test_the_rate_of_the_moment_counts(values: Adam | SGD | Muon) -> None:
    module = network()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    for each in make_optimisers(module, get_recipe("case-study", optimiser=values)):
        for parameter, gradient in zip(module.parameters(), gradients(1)[0], strict=True):
            parameter.grad = gradient
        each.rate.fill_(0)
        each.step()
    for parameter, old in zip(module.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
