"""Which pixels the places of a feature map were made of."""

import dataclasses

from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, MaxPool, Network


@dataclasses.dataclass(frozen=True)
class Field:
    """Where the places of a layer's maps look.

    Parameters
    ----------
    layer : str
        The convolution's name.
    places : tuple of int
        Height and width of the maps, after their ReLU and what is pooled before it.
    side : int
        Rows, and columns, of the image that each place is made of.
    first : float
        The row, and the column, on which the first place is centred.
    step : int
        By how many pixels the next place is further on.
    """

    layer: str
    places: tuple[int, int]
    side: int
    first: float
    step: int


def last_field(network: Network | Ensemble) -> Field | None:
    """Return where the maps of a network's last convolution look.

    None if it has none, or is an ensemble, whose members look at places of their own.

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
        elif found is not None and with_relu:  # the module pools before the ReLU
            found = Field(found.layer, (height, width), side, first, step)
    return found
