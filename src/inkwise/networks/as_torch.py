"""From a network's description to a PyTorch module."""

import itertools
import math
from collections import OrderedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inkwise.networks.ensemble import Ensemble, members
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool, Network


def build(network: Network | Ensemble, batch_norm: bool = False) -> nn.Sequential:
    """Build the PyTorch module of a network, or of an ensemble.

    Weights are Glorot-uniform and biases zero, as Keras starts them, drawn from PyTorch's global
    generator.

    Parameters
    ----------
    network : Network or Ensemble
    batch_norm : bool
        Normalise what a convolution returns over the batch, in place of its own bias. It is part
        of the training only: `get_weights` folds it into the convolution.

    Returns
    -------
    torch.nn.Sequential
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes); channels-last in memory. Without
        `batch_norm` its parameters have the names and shapes that `network.summary()` states.
        An ensemble's is a `Members`.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    if isinstance(network, Ensemble):
        return Members(
            OrderedDict(
                (prefix.rstrip("."), build(member, batch_norm))
                for prefix, member in members(network)
            )
        )
    module = nn.Sequential()
    lines = network.summary()
    inputs = 1
    pending: OrderedDict[str, nn.Module] = OrderedDict()
    for line, following in itertools.zip_longest(lines, lines[1:]):
        name, layer = line.name, line.layer
        match layer:
            case Conv(filters, kernel, stride=stride):
                conv = nn.Conv2d(inputs, filters, kernel, stride, bias=not batch_norm)
                module.add_module(name, conv)
                if batch_norm:
                    pending[f"{name}_norm"] = BatchNorm(filters)
            case MaxPool():
                module.add_module(name, nn.MaxPool2d(layer.size))
            case Flatten():
                module.add_module(name, _Flatten())
            case Dropout():
                module.add_module(name, nn.Dropout(layer.rate))
            case Dense():
                module.add_module(name, nn.Linear(inputs, layer.units))
        if isinstance(layer, Conv | Dense) and layer.relu:
            pending[f"{name}_relu"] = nn.ReLU(inplace=True)
        inputs = line.output_shape[-1]
        # The maximum commutes with both: after the pooling, three quarters of the work is gone.
        if not (following and isinstance(following.layer, MaxPool)):
            while pending:
                module.add_module(*pending.popitem(last=False))
    _initialise(module)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _initialise(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
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
        By the names and of the shapes that ``network.summary()`` states. With them, a module
        without batch normalisation answers as this one does in evaluation mode, within rounding.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    layers = dict(module.named_children())
    for name, layer in layers.items():
        if isinstance(module, Members):
            weights |= {f"{name}.{key}": array for key, array in get_weights(layer).items()}
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        arrays: dict[str, Tensor] = dict(layer.named_parameters())
        norm = layers.get(f"{name}_norm")
        if isinstance(norm, BatchNorm):
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

    In training, float32 (N, 1, H, W) to the logits of the members one after another, each on all
    images, (members · N, classes); otherwise to the ensemble's logits, (N, classes).
    """

    def forward(self, images: Tensor) -> Tensor:
        """Let all members answer."""
        each = torch.stack([member(images) for member in self])
        if self.training:
            return each.flatten(0, 1)
        scores = each.logsumexp(2, keepdim=True)
        return (each - scores).logsumexp(0) - math.log(len(each)) + scores.mean(0)


class BatchNorm(nn.Module):
    """Batch normalisation with a bias and no scale, which the next layer can learn as well.

    Without a scale, which could be negative, the maximum of a pooling commutes with it.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.
    """

    eps = 1e-5
    _MOMENTUM = 0.05

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self._one: Tensor
        self.register_buffer("_one", torch.ones(channels), persistent=False)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise (N, C, H, W): by the batch in training, by running means otherwise."""
        return functional.batch_norm(
            maps,
            self.running_mean,
            self.running_var,
            self._one,
            self.bias,
            self.training,
            self._MOMENTUM,
            self.eps,
        )


class _Flatten(nn.Module):
    """Rows, columns, channels: no copy in channels-last memory, and the order that Keras uses."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)
