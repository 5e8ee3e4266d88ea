"""From a network's description to a PyTorch module."""

import itertools

import torch
from torch import Tensor, nn

from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool, Network


def build(network: Network) -> nn.Sequential:
    """Build the PyTorch module of a network.

    Weights are Glorot-uniform and biases zero, as Keras starts them, drawn from PyTorch's global
    generator.

    Parameters
    ----------
    network : Network

    Returns
    -------
    torch.nn.Sequential
        float32 (N, 1, H, W) in [0, 1] to logits (N, classes); channels-last in memory. Its
        parameters have the names and shapes that `network.summary()` states.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    module = nn.Sequential()
    lines = network.summary()
    inputs = 1
    relu = False
    for line, following in itertools.zip_longest(lines, lines[1:]):
        layer = line.layer
        match layer:
            case Conv():
                module.add_module(
                    line.name, nn.Conv2d(inputs, layer.filters, layer.kernel, layer.stride)
                )
                relu = layer.relu
            case MaxPool():
                module.add_module(line.name, nn.MaxPool2d(layer.size))
            case Flatten():
                module.add_module(line.name, _Flatten())
            case Dropout():
                module.add_module(line.name, nn.Dropout(layer.rate))
            case Dense():
                module.add_module(line.name, nn.Linear(inputs, layer.units))
                relu = layer.relu
        # The maximum commutes with ReLU: after the pooling, three quarters of the work is gone.
        if relu and not (following and isinstance(following.layer, MaxPool)):
            module.add_module(f"{line.name}_relu", nn.ReLU(inplace=True))
            relu = False
        inputs = line.output_shape[-1]
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class _Flatten(nn.Module):
    """Rows, columns, channels: no copy in channels-last memory, and the order that Keras uses."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)
