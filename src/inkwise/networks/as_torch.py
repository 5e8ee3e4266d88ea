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

    Initial weights are Glorot-uniform, drawn from PyTorch's global generator, and biases are zero,
    as in Keras.

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
    # Batch normalisation and ReLU of a convolution, to be added after a pooling that follows.
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
        # The maximum commutes with both; after a 2×2 pooling they take a quarter of the work.
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
        Arrays with the names and shapes that ``network.summary()`` states. With them, a module
        without batch normalisation gives the same logits as this one in evaluation mode, within
        rounding.
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


class BatchNorm(nn.Module):
    """Batch normalisation with a bias but without a scale, which the next layer can learn as well.

    A scale could be negative; without one, max pooling commutes with the normalisation.

    Parameters
    ----------
    channels : int
        Number of channels of the feature maps.

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
        """Normalise maps (N, C, H, W) by the batch in training, else by running averages."""
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
    """Flatten in the order rows, columns, channels, as Keras does; no copy if channels are last."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)  # (N, H · W · C)
