"""Receptive fields: the pixels from which each place of a feature map is computed."""

import dataclasses

from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, MaxPool, Network


@dataclasses.dataclass(frozen=True)
class Field:
    """The receptive fields of the places of a layer's feature maps.

    Parameters
    ----------
    layer : str
        Name of the convolution.
    places : tuple of int
        Height and width of the feature maps, after the ReLU and any pooling before the ReLU.
    side : int
        Height, and width, of a receptive field in pixels.
    first : float
        Row, and column, of the centre of the first place's receptive field.
    step : int
        Distance in pixels between the receptive fields of neighbouring places.
    """

    layer: str
    places: tuple[int, int]
    side: int
    first: float
    step: int


def last_field(network: Network | Ensemble) -> Field | None:
    """Return the receptive fields of a network's last convolution.

    None if the network has no convolution, or is an ensemble, whose members differ in them.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    arXiv:1603.07285.
    """
    if isinstance(network, Ensemble):
        return None
    found: Field | None = None
    side, first, step = 1, 0.0, 1
    for line in network.summary():
        match line.layer:
            case Conv(kernel=kernel, stride=stride):
                pass
            case MaxPool(kernel):
                stride = kernel
            case _:
                continue
        side += (kernel - 1) * step
        first += (kernel - 1) * step / 2
        step *= stride
        height, width, _ = line.output_shape
        if isinstance(line.layer, Conv):
            found, with_relu = Field(line.name, (height, width), side, first, step), line.layer.relu
        elif found is not None and with_relu:  # the PyTorch module pools before the ReLU
            found = Field(found.layer, (height, width), side, first, step)
    return found
