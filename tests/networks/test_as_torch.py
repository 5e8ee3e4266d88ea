import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from inkwise.networks.as_torch import build, get_weights
from inkwise.networks.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    MaxPool,
    Residual,
)
from inkwise.networks.named import case_study
from inkwise.networks.network import Network
from tests.networks import networks

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda it: it,
    "relu": lambda it: it.clamp(min=0),
    "leaky_relu": lambda it: torch.where(it > 0, it, it / 100),
    "elu": lambda it: torch.where(it > 0, it, it.exp() - 1),
    "gelu": lambda it: it * (1 + torch.erf(it / math.sqrt(2))) / 2,
    "silu": lambda it: it / (1 + (-it).exp()),
    "tanh": lambda it: 1 - 2 / (1 + (2 * it).exp()),
    "sigmoid": lambda it: 1 / (1 + (-it).exp()),
}


def straightforward(network: Network, weights: dict[str, Tensor], maps: Tensor) -> Tensor:
    """Compute the logits layer by layer as the description reads, each activation on its own."""
    values = {"": maps}
    for line in network.summary():
        first, *others = (values[name] for name in line.inputs)
        arrays = [weights[name] for name in line.parameters]
        match line.layer:
            case Conv() as conv:
                rows, columns = (conv.pads(side) for side in first.shape[2:])
                padded = functional.pad(first, (*columns, *rows))
                weight, bias = arrays
                first = functional.conv2d(
                    padded, weight, bias, conv.stride, 0, conv.dilation, conv.groups
                )
            case MaxPool() | AveragePool() as pool:
                places = windows(first, pool)
                first = places.amax(-1) if isinstance(pool, MaxPool) else places.nanmean(-1)
            case GlobalPool("max"):
                first = first.flatten(2).amax(2)
            case GlobalPool():
                first = first.flatten(2).mean(2)
            case BatchNorm():
                shape = (1, -1, *[1] * (first.ndim - 2))
                scale, bias, mean, variance = (array.view(shape) for array in arrays)
                first = (first - mean) / (variance + 1e-5).sqrt() * scale + bias
            case Flatten():
                first = first.movedim(1, -1).reshape(len(first), -1)
            case Dense():
                first = first @ arrays[0].T + arrays[1]
            case Residual():
                first = first + others[0]
        if isinstance(line.layer, Conv | Dense):
            first = FUNCTIONS[line.layer.activation](first)
        elif isinstance(line.layer, Activation):
            below = line.layer.slope * first
            is_leaky = line.layer.function == "leaky_relu"
            first = (
                torch.where(first > 0, first, below)
                if is_leaky
                else FUNCTIONS[line.layer.function](first)
            )
        values[line.name] = first
    return first


def windows(maps: Tensor, pool: MaxPool | AveragePool) -> Tensor:
    """Return what lies in each window, (N, C, rows, columns, places)."""
    rows, columns = (pool.pads(side) for side in maps.shape[2:])
    beyond = math.nan if isinstance(pool, AveragePool) else -math.inf
    padded = functional.pad(maps, (*columns, *rows), value=beyond)
    return padded.unfold(2, pool.size, pool.step).unfold(3, pool.size, pool.step).flatten(4)


def leaves(module: nn.Module) -> dict[str, Tensor]:
    """Copy the parameters to tensors that gather gradients of their own."""
    return {name: array.clone().requires_grad_() for name, array in module.state_dict().items()}


def randomised(network: Network) -> nn.Sequential:
    """Build a network in double precision, its biases drawn as well."""
    module = build(network).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    for name, buffer in module.named_buffers():
        nn.init.uniform_(buffer, 0.1 if name.endswith("_var") else -1, 1)
    return module.eval()


@given(network=networks(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_a_module_computes_what_its_description_says(network: Network, seed: int) -> None:
    torch.manual_seed(seed)
    module = randomised(network)
    inputs = torch.randn(3, 1, *network.image_size, dtype=torch.double)
    weights = leaves(module)
    logits, expected = module(inputs), straightforward(network, weights, inputs)
    torch.testing.assert_close(logits, expected)

    targets = torch.arange(3) % network.classes
    functional.cross_entropy(logits, targets).backward()
    functional.cross_entropy(expected, targets).backward()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad)


def test_the_case_study_module_computes_what_the_textbook_does() -> None:
    torch.manual_seed(0)
    network = case_study((28, 28), 10)
    module, inputs = build(network), torch.rand(64, 1, 28, 28)
    weights = leaves(module)
    logits, expected = module(inputs), straightforward(network, weights, inputs)
    torch.testing.assert_close(logits, expected)
    logits.square().sum().backward()
    expected.square().sum().backward()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-4, atol=1e-4)


@given(network=networks())
@settings(max_examples=40)
def test_parameters_and_operations_are_those_of_the_summary(network: Network) -> None:
    module = build(network)
    expected = {
        name: shape for line in network.summary() for name, shape in line.parameters.items()
    }
    assert {name: tuple(array.shape) for name, array in module.state_dict().items()} == expected
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 1, *network.image_size))
    biases = sum(math.prod(line.output_shape) for line in network.summary() if line.multiply_adds)
    assert network.flops == counter.get_total_flops() + biases


def test_weights_start_glorot_uniform_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    # fan in + fan out, a convolution's counted over its window
    fans = {
        "conv1": 9 * (1 + 32),
        "conv2": 9 * (32 + 64),
        "conv3": 9 * (64 + 64),
        "dense1": 576 + 64,
        "dense2": 64 + 10,
    }
    for name, parameter in build(case_study((28, 28), 10)).named_parameters():
        layer, _, role = name.partition(".")
        if role == "bias":
            assert not parameter.any()
            continue
        limit = math.sqrt(6 / fans[layer])
        assert 0.98 * limit < parameter.abs().max() <= limit
        # Uniform on ±limit: standard deviation limit / √3, a quarter of the mass in each quarter.
        assert parameter.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.08)
        quarters = torch.histc(parameter.detach(), 4, -limit, limit) / parameter.numel()
        torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.06, rtol=0)


def test_the_seed_decides_the_weights() -> None:
    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        parameters = build(case_study((28, 28), 10)).parameters()
        return torch.cat([parameter.detach().flatten() for parameter in parameters])

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


def test_flatten_goes_by_rows_then_columns_then_channels() -> None:
    network = Network((2, 3), (Conv(2, 1), Flatten(), Dense(12)))
    module = build(network)
    with torch.no_grad():
        module.get_parameter("conv1.weight").copy_(torch.tensor([1.0, 10.0]).view(2, 1, 1, 1))
        module.get_parameter("dense1.weight").copy_(torch.eye(12))
        logits = module(torch.tensor([[[[1.0, 2, 3], [4, 5, 6]]]]))
    assert logits.tolist() == [[1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60]]


def test_convolutions_are_channels_last_in_memory() -> None:
    for name, parameter in build(case_study((28, 28), 10)).named_parameters():
        if parameter.ndim == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last), name


def test_dropout_acts_in_training_only() -> None:
    network = Network((10, 10), (Flatten(), Dropout(0.5), Dense(100)))
    module = build(network)
    with torch.no_grad():
        module.get_parameter("dense1.weight").copy_(torch.eye(100))
        torch.manual_seed(0)
        ones = torch.ones(50, 1, 10, 10)
        trained, predicted = module.train()(ones), module.eval()(ones)
    assert predicted.unique().tolist() == [1]
    # What is kept is doubled, so that the mean stays.
    assert trained.unique().tolist() == [0, 2]
    assert trained.mean().item() == pytest.approx(1, abs=0.05)


@given(network=networks(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_batch_normalisation_is_folded_into_the_weights(network: Network, seed: int) -> None:
    torch.manual_seed(seed)
    module = build(network, batch_norm=True)
    for tensor in module.state_dict().values():
        nn.init.uniform_(tensor, 0.1, 1) if tensor.ndim == 1 else nn.init.normal_(tensor)
    module.eval()
    weights = get_weights(module)
    assert {name: array.shape for name, array in weights.items()} == {
        name: shape for line in network.summary() for name, shape in line.parameters.items()
    }
    plain = build(network).eval()
    plain.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    inputs = torch.rand(3, 1, *network.image_size)
    expected = module(inputs).detach()
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(plain(inputs) / scale, expected / scale, atol=1e-4, rtol=1e-3)


def test_batch_normalisation_learns_the_statistics_of_what_it_sees() -> None:
    torch.manual_seed(0)
    network = Network((12, 12), (Conv(4, 3, "relu"), MaxPool(2), Flatten(), Dense(3)))
    module = build(network, batch_norm=True).train()
    layers = dict(module.named_children())
    inputs = torch.rand(64, 1, 12, 12)
    for _ in range(200):
        module(inputs)
    maps = functional.max_pool2d(layers["conv1"](inputs), 2)
    mean, variance = maps.mean((0, 2, 3)), maps.var((0, 2, 3))
    norm = layers["conv1_norm"]
    torch.testing.assert_close(norm.running_mean, mean, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm.running_var, variance, atol=1e-3, rtol=1e-2)
