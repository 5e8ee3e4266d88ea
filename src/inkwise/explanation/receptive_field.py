"""Receptive fields: the pixels from which each place of a feature map is computed."""

import dataclasses

from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, MaxPool, Residual
from inkwise.networks.network import Network


@dataclasses.dataclass(frozen=True)
class Field:
    """The receptive fields of the places of a layer's feature maps.

    Parameters
    ----------
    layer : str
        Name of the convolution, or residual block.
    places : tuple of int
        Height and width of the feature maps, after the activation; where the PyTorch module pools
        before a ReLU, after the pooling.
    side : int
        Height, and width, of a receptive field in pixels.
    first : tuple of float
        Row and column of the centre of the first place's receptive field.
    step : int
        Distance in pixels between the receptive fields of neighbouring places.
    """

    layer: str
    places: tuple[int, int]
    side: int
    first: tuple[float, float]
    step: int


def last_field(network: Network | Ensemble) -> Field | None:
    """Return the receptive fields of a network's last convolution, or residual block.

    None if the network has no convolution, or is an ensemble, whose members differ in them.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    arXiv:1603.07285.
    """
    if isinstance(network, Ensemble):
        return None
    found: Field | None = None
    pooled_before_relu = False
    for line in network.summary():
        if "." in line.name:  # in a residual block, whose sum follows
            continue
        is_last = isinstance(line.layer, Conv | Residual)
        if is_last:
            pooled_before_relu = isinstance(line.layer, Conv) and line.layer.activation == "relu"
        elif not isinstance(line.layer, MaxPool):
            pooled_before_relu = False
        if is_last or (found is not None and pooled_before_relu):
            seen = line.field
            rows, columns, _ = line.output_shape
            first = tuple((low + high) / 2 for low, high in zip(seen.low, seen.high, strict=True))
            name = line.name if is_last or found is None else found.layer
            found = Field(name, (rows, columns), seen.side, (first[0], first[1]), seen.step)
    return found
