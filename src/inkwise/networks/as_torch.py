"""From a network's description to a PyTorch module."""

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inkwise.networks.ensemble import Ensemble, members
from inkwise.networks.layer_summaries import LayerSummary, Shape
from inkwise.networks.layers import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    Activation,
    AveragePool,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    MaxPool,
    Pool,
    Residual,
    SpatialDropout,
)
from inkwise.networks.layers import BatchNorm as BatchNormLayer
from inkwise.networks.network import Network, named_layers

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}

_OTHERS: dict[type[Layer], Callable[[Any, int], nn.Module]] = {
    BatchNormLayer: lambda _, channels: BatchNorm(channels, scaled=True),
    Activation: lambda layer, _: (
        nn.LeakyReLU(layer.slope)
        if layer.function == "leaky_relu"
        else _ACTIVATIONS[layer.function]()
    ),
    MaxPool: lambda layer, _: (
        nn.MaxPool2d(layer.size, layer.step) if layer.padding == "valid" else _PaddedPool(layer)
    ),
    AveragePool: lambda layer, _: (
        nn.AvgPool2d(layer.size, layer.step) if layer.padding == "valid" else _PaddedPool(layer)
    ),
    GlobalPool: lambda layer, _: _GlobalPool(layer.kind == "max"),
    Flatten: lambda *_: _Flatten(),
    Dropout: lambda layer, _: nn.Dropout(layer.rate),
    SpatialDropout: lambda layer, _: nn.Dropout2d(layer.rate),
}
"""Modules of the layers that have no activation, from the layer and the number of channels."""

_INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "he_uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),
    "he_normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}


def build(network: Network | Ensemble, batch_norm: bool = False) -> nn.Sequential:
    """Build the PyTorch module of a network, or of an ensemble.

    Initial weights are drawn from PyTorch's global generator as each layer says, by default
    Glorot-uniform, and biases are zero, as in Keras.

    Parameters
    ----------
    network : Network or Ensemble
        The description of the network.
    batch_norm : bool
        Whether batch normalisation follows every convolution, which then has no bias of its own.
        It is used in training only: `get_weights` folds it into the convolution.

    Returns
    -------
    torch.nn.Sequential
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes); channels-last in memory. Without
        `batch_norm` its parameters have the names and shapes that `network.summary()` states.
        The module of an ensemble is a `Members`.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification", ICCV 2015.
    """
    if isinstance(network, Ensemble):
        return Members(
            OrderedDict(
                (prefix.rstrip("."), build(member, batch_norm))
                for prefix, member in members(network)
            )
        )
    lines = {line.name: line for line in network.summary()}
    module = _chain(network.layers, "", (*network.image_size, 1), lines, batch_norm)
    _initialise(module, lines)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _chain(
    layers: Sequence[Layer],
    prefix: str,
    shape: Shape,
    lines: Mapping[str, LayerSummary],
    batch_norm: bool,
) -> nn.Sequential:
    """Build the modules of layers that follow each other, from an input of this shape."""
    module = nn.Sequential()
    named = [*named_layers(layers)]
    # Batch normalisation and activation, to be added after a pooling that follows.
    pending: OrderedDict[str, nn.Module] = OrderedDict()
    for (name, layer), following in itertools.zip_longest(named, named[1:]):
        activation, channels = "linear", shape[-1]
        match layer:
            case Conv():
                activation = layer.activation
                for part, made in _convolution(name, layer, shape, batch_norm):
                    module.add_module(part, made)
                if batch_norm:
                    pending[f"{name}_norm"] = BatchNorm(layer.filters)
            case Dense():
                activation = layer.activation
                units = lines[prefix + name].output_shape[-1]
                module.add_module(name, nn.Linear(channels, units))
            case Residual():
                ways = (
                    _chain(way, f"{prefix}{name}.{part}.", shape, lines, batch_norm)
                    for part, way in (("layers", layer.layers), ("shortcut", layer.shortcut))
                )
                module.add_module(name, _Residual(*ways))
            case _:
                module.add_module(name, _OTHERS[type(layer)](layer, channels))
        if activation != "linear":
            function = _ACTIVATIONS[activation]()
            if isinstance(function, nn.ReLU):
                function.inplace = True  # nothing else takes the values before it
            pending[f"{name}_{activation}"] = function
        shape = lines[prefix + name].output_shape
        # The maximum commutes with both; after a 2×2 pooling they take a quarter of the work.
        commutes = all(isinstance(each, BatchNorm | nn.ReLU) for each in pending.values())
        if not (following and isinstance(following[1], MaxPool) and commutes):
            while pending:
                module.add_module(*pending.popitem(last=False))
    return module


def _convolution(
    name: str, layer: Conv, shape: Shape, batch_norm: bool
) -> Iterator[tuple[str, nn.Module]]:
    rows, columns = layer.pads(shape[0]), layer.pads(shape[1])
    padding = rows[0], columns[0]
    if rows[0] != rows[1] or columns[0] != columns[1]:  # which Conv2d does not have
        yield f"{name}_pad", nn.ZeroPad2d((*columns, *rows))
        padding = 0, 0
    sizes = layer.filters, layer.kernel, layer.stride, padding, layer.dilation, layer.groups
    yield name, nn.Conv2d(shape[-1], *sizes, bias=not batch_norm)


def _initialise(module: nn.Module, lines: Mapping[str, LayerSummary]) -> None:
    for name, parameter in module.named_parameters():
        layer = lines[name.rpartition(".")[0].removesuffix("_norm")].layer
        if isinstance(layer, Conv | Dense):
            if parameter.ndim > 1:
                _INITIALISERS[layer.init](parameter)
            else:
                nn.init.zeros_(parameter)


@torch.no_grad()
def get_weights(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return copies of a built module's weights, batch normalisation folded into convolutions.

    Parameters
    ----------
    module : torch.nn.Module
        What `build` returned.

    Returns
    -------
    dict of str to ndarray of float32
        Arrays with the names and shapes that ``network.summary()`` states. With them, a module
        without the batch normalisation that `build` added gives the same logits as this one in
        evaluation mode, within rounding.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    layers = dict(module.named_modules())
    for name, layer in layers.items():
        arrays: Mapping[str, Tensor] = {}
        if isinstance(layer, nn.Conv2d | nn.Linear) or (
            isinstance(layer, BatchNorm) and layer.scaled
        ):
            arrays = layer.state_dict()
        norm = layers.get(f"{name}_norm")
        if isinstance(norm, BatchNorm) and isinstance(layer, nn.Conv2d):
            scale = (norm.running_var + norm.eps).rsqrt()
            arrays = {
                "weight": layer.weight * scale.view(-1, 1, 1, 1),
                "bias": norm.bias - norm.running_mean * scale,
            }
        for role, array in arrays.items():
            weights[f"{name}.{role}"] = array.numpy(force=True).copy()
    return weights


class Members(nn.Sequential):
    """The modules of an ensemble's members, side by side.

    In training, it maps float32 (N, 1, H, W) to the logits of all members, (members · N, classes):
    first those of the first member on all images, and so on. In evaluation mode it maps to the
    logits of the ensemble, (N, classes).
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return the members' logits in training, and the ensemble's in evaluation mode."""
        each = torch.stack([member(images) for member in self])  # (members, N, classes)
        if self.training:
            return each.flatten(0, 1)
        scores = each.logsumexp(2, keepdim=True)  # (members, N, 1)
        return (each - scores).logsumexp(0) - math.log(len(each)) + scores.mean(0)


_MOMENTUM = 0.05  # of the normalisation that only trains, where the recipe has many steps


class BatchNorm(nn.Module):
    """Batch normalisation with a bias, and with a scale if it is asked for.

    A scale can be negative; without one, which the next layer can learn as well, max pooling
    commutes with the normalisation.

    Parameters
    ----------
    channels : int
        Number of channels of the feature maps, or of numbers in a vector.
    scaled : bool
        Whether there is a scale.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.
    """

    def __init__(self, channels: int, scaled: bool = False) -> None:
        super().__init__()
        self.eps, self.scaled = BATCH_NORM_EPSILON, scaled
        self.momentum = BATCH_NORM_MOMENTUM if scaled else _MOMENTUM
        self.weight: Tensor
        if scaled:
            self.weight = nn.Parameter(torch.ones(channels))
        else:
            self.register_buffer("weight", torch.ones(channels), persistent=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise (N, C, H, W) or (N, C) by the batch in training, else by running averages."""
        return functional.batch_norm(
            values,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            # A single value has no variance; the last batch of an epoch may have a single image.
            self.training and values.numel() > values.shape[1],
            self.momentum,
            self.eps,
        )


class _Flatten(nn.Module):
    """Flatten in the order rows, columns, channels, as Keras does; no copy if channels are last."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)  # (N, H · W · C)


class _PaddedPool(nn.Module):
    """Pooling whose windows reach over the border, which PyTorch's have alike on both sides."""

    def __init__(self, layer: Pool) -> None:
        super().__init__()
        self.size, self.step = layer.size, layer.step
        self.maximum = isinstance(layer, MaxPool)

    def forward(self, maps: Tensor) -> Tensor:
        pads: list[int] = []  # left, right, above, below, as `Pool.pads` counts them
        for side in (maps.size(3), maps.size(2)):
            places = (side + self.step - 1) // self.step
            total = max((places - 1) * self.step + self.size - side, 0)
            pads += [total // 2, total - total // 2]
        if self.maximum:
            padded = functional.pad(maps, pads, value=-math.inf)
            return functional.max_pool2d(padded, self.size, self.step)
        within = functional.pad(torch.ones_like(maps[:1, :1]), pads)
        sums = functional.avg_pool2d(functional.pad(maps, pads), self.size, self.step)
        return sums / functional.avg_pool2d(within, self.size, self.step)


class _GlobalPool(nn.Module):
    """The mean of each channel, or its maximum: (N, C, H, W) to (N, C)."""

    def __init__(self, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum

    def forward(self, maps: Tensor) -> Tensor:
        return maps.amax((2, 3)) if self.maximum else maps.mean((2, 3))


class _Residual(nn.Module):
    """The sum of what layers and a shortcut make of the same input."""

    def __init__(self, layers: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, values: Tensor) -> Tensor:
        return self.layers(values) + self.shortcut(values)
