"""Networks described as data: their layers, shapes, parameters and operations."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inkwise.errors import ArgumentError, ModelError

Shape = tuple[int, ...]
"""(height, width, channels) of a feature map, or (features,)."""


_MAX_COUNT = 1 << 16  # a damaged description must not exhaust the memory


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_COUNT:
        raise ArgumentError(f"{name} must be a whole number from 1 to {_MAX_COUNT}, not {value!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be true or false, not {value!r}")


@dataclasses.dataclass(frozen=True)
class Conv:
    """Convolution without padding, then ReLU unless `relu` is false.

    Rows and columns at the border that the last stride does not reach are ignored.

    Parameters
    ----------
    filters : int
        Number of filters, which is the number of output channels.
    kernel : int
        Side of the square kernel, in pixels.
    relu : bool
        Whether a ReLU follows.
    stride : int
        Step from one place of the kernel to the next, in pixels.
    """

    filters: int
    kernel: int
    relu: bool = True
    stride: int = 1

    def __post_init__(self) -> None:
        _check_count("filters", self.filters)
        _check_count("kernel", self.kernel)
        _check_flag("relu", self.relu)
        _check_count("stride", self.stride)

    def __str__(self) -> str:
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        size = f"{self.kernel}×{self.kernel}"
        return f"{size} convolution, {self.filters} filters{stride}{_relu(self)}"


@dataclasses.dataclass(frozen=True)
class MaxPool:
    """Maximum over `size` × `size` windows without overlap; a border that fills none is ignored.

    Parameters
    ----------
    size : int
        Side of a window, in pixels.
    """

    size: int

    def __post_init__(self) -> None:
        _check_count("size", self.size)

    def __str__(self) -> str:
        return f"{self.size}×{self.size} maximum pooling"


@dataclasses.dataclass(frozen=True)
class Flatten:
    """Flatten a feature map to a vector, in the order rows, columns, channels."""

    def __str__(self) -> str:
        return "feature map to vector"


@dataclasses.dataclass(frozen=True)
class Dropout:
    """Dropout, which sets values to zero in training and passes all of them in prediction.

    Parameters
    ----------
    rate : float
        Probability that a value is set to zero, in [0, 1).
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ArgumentError(f"the dropout rate must lie in [0, 1), not {self.rate}")

    def __str__(self) -> str:
        return f"dropout, {self.rate:.0%} of the values in training"


@dataclasses.dataclass(frozen=True)
class Dense:
    """Fully connected layer, then ReLU unless `relu` is false.

    Parameters
    ----------
    units : int
        Number of outputs.
    relu : bool
        Whether a ReLU follows.
    """

    units: int
    relu: bool = True

    def __post_init__(self) -> None:
        _check_count("units", self.units)
        _check_flag("relu", self.relu)

    def __str__(self) -> str:
        return f"fully connected, {self.units} units{_relu(self)}"


def _relu(layer: Conv | Dense) -> str:
    return ", ReLU" if layer.relu else ""


Layer = Conv | MaxPool | Flatten | Dropout | Dense

_LAYERS: dict[str, type[Layer]] = {
    "conv": Conv,
    "pool": MaxPool,
    "flatten": Flatten,
    "dropout": Dropout,
    "dense": Dense,
}
_KINDS = {layer: kind for kind, layer in _LAYERS.items()}


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One line of a network's summary.

    Parameters
    ----------
    name : str
        Unique in its network; the layer's parameters are ``<name>.weight`` and ``<name>.bias``.
    layer : Layer
        The layer itself.
    output_shape : tuple of int
        (height, width, channels) or (features,), for one image.
    parameters : dict of str to tuple of int
        Shapes of the trained arrays, in PyTorch's layout, by their names in the network.
    flops : int
        Floating-point operations for one image: two for a multiply-add, one for a bias.
        Comparisons (ReLU, pooling) are not counted.
    """

    name: str
    layer: Layer
    output_shape: Shape
    parameters: dict[str, Shape]
    flops: int

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters of this layer."""
        return sum(math.prod(shape) for shape in self.parameters.values())


@dataclasses.dataclass(frozen=True)
class Network:
    """A feed-forward network for grey images that ends in one logit for each class.

    Parameters
    ----------
    image_size : tuple of int
        Height and width of the images, in pixels.
    layers : tuple of Layer
        The layers in order, the last of them a `Dense`.

    Raises
    ------
    ArgumentError
        The last layer is not `Dense`; a layer does not fit the one before it, for instance because
        the images are too small; or a side of the images is not a whole number in range.
    """

    image_size: tuple[int, int]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        for side in self.image_size:
            _check_count("the images' height and width", side)
        if not self.layers or not isinstance(self.layers[-1], Dense):
            raise ArgumentError("a network must end in a dense layer with one unit for each class")
        self.summary()

    @property
    def classes(self) -> int:
        """Number of classes that the network tells apart."""
        last = self.layers[-1]
        assert isinstance(last, Dense)  # noqa: S101 - checked when made, told to the type checker
        return last.units

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters."""
        return sum(line.parameter_count for line in self.summary())

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass of one image; see `LayerSummary`."""
        return sum(line.flops for line in self.summary())

    def summary(self) -> list[LayerSummary]:
        """Return a line for each layer, with the shapes that one image takes on its way."""
        return list(_follow((*self.image_size, 1), self.layers))

    def to_list(self) -> list[dict[str, Any]]:
        """Return the layers as JSON values, which `from_list` reads."""
        return [
            {"layer": _KINDS[type(layer)], **dataclasses.asdict(layer)} for layer in self.layers
        ]

    @classmethod
    def from_list(
        cls, image_size: tuple[int, int], layers: Sequence[Mapping[str, Any]]
    ) -> "Network":
        """Make a network from what `to_list` returned.

        Raises
        ------
        ModelError
            A layer is unknown, or has values of the wrong type or out of range, or does not fit.
        """
        try:
            return cls(image_size, tuple(_layer_from_json(layer) for layer in layers))
        except (TypeError, ValueError) as error:  # an ArgumentError is a ValueError
            raise ModelError(f"the network's description is damaged: {error}") from error


def _follow(shape: Shape, layers: Sequence[Layer]) -> Iterator[LayerSummary]:
    counts: dict[str, int] = {}
    for layer in layers:
        kind = _KINDS[type(layer)]
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}{counts[kind]}"
        parameters: dict[str, Shape] = {}
        flops = 0
        match layer, shape:
            case Conv(filters, kernel, stride=stride), (height, width, channels):
                if min(height, width) < kernel:
                    raise ArgumentError(
                        f"{name} needs at least {kernel}×{kernel} pixels, and only "
                        f"{height}×{width} are left"
                    )
                parameters = {"weight": (filters, channels, kernel, kernel), "bias": (filters,)}
                shape = (
                    (height - kernel) // stride + 1,
                    (width - kernel) // stride + 1,
                    filters,
                )
                flops = math.prod(shape) * (2 * channels * kernel**2 + 1)
            case MaxPool(size), (height, width, channels):
                shape = (height // size, width // size, channels)
                if 0 in shape:
                    raise ArgumentError(f"{name} has fewer than {size}×{size} pixels left to pool")
            case Flatten(), (_, _, _):
                shape = (math.prod(shape),)
            case Dropout(), _:
                pass
            case Dense(units), (inputs,):
                parameters = {"weight": (units, inputs), "bias": (units,)}
                shape = (units,)
                flops = units * (2 * inputs + 1)
            case _:
                raise ArgumentError(f"{name} cannot take an input of shape {shape}")
        yield LayerSummary(
            name,
            layer,
            shape,
            {f"{name}.{role}": dimensions for role, dimensions in parameters.items()},
            flops,
        )


def _layer_from_json(document: Mapping[str, Any]) -> Layer:
    values = dict(document)
    kind = values.pop("layer", None)
    if kind not in _LAYERS:
        raise ModelError(f"the network's description has an unknown layer: {kind!r}")
    try:
        return _LAYERS[kind](**values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the network's description is damaged at {kind!r}: {error}") from error
