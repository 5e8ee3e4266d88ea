"""Networks described as data: layers in order, their shapes, parameters and operations."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inkwise.errors import ArgumentError, ModelError, counted
from inkwise.networks.layer_documents import layers_from_list, layers_to_list
from inkwise.networks.layer_summaries import Field, LayerSummary, Shape, Summary, times
from inkwise.networks.layers import (
    KINDS,
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Pool,
    Residual,
    SpatialDropout,
    check_count,
)


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
        The last layer is not `Dense`, or has another activation than ReLU; a layer does not fit
        the one before it, for instance because the images are too small; or a side of the images
        is not a whole number in range.

    Examples
    --------
    >>> import inkwise
    >>> from inkwise.networks.layers import Dense, Flatten
    >>> network = inkwise.Network((28, 28), (Flatten(), Dense(10)))
    >>> network.parameter_count
    7850
    >>> print(network.summary())
    layer     what it does               output  parameters  multiply-adds  of all   memory   sees
    ──────────────────────────────────────────────────────────────────────────────────────────────
    flatten1  feature map to vector         784           0              0      0%  3.1 KiB  28×28
    dense1    fully connected, 10 units      10       7,850          7,840    100%  0.0 KiB  28×28
    ──────────────────────────────────────────────────────────────────────────────────────────────
    all                                               7,850          7,840          3.1 KiB
    """

    image_size: tuple[int, int]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        for side in self.image_size:
            check_count("the images' height and width", side)
        check_ending(self.layers, ("linear", "relu"))
        self.summary()

    @property
    def classes(self) -> int:
        """Number of classes that the network tells apart."""
        (classes,) = self.summary()[-1].output_shape
        return classes

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters."""
        return sum(line.parameter_count for line in self.summary())

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass of one image; see `LayerSummary`."""
        return sum(line.flops for line in self.summary())

    def summary(self) -> Summary:
        """Return a line for each layer, with the shapes that one image takes on its way.

        A residual block has a line for each of its layers, and then one for the sum. What the
        lines hold is told by `LayerSummary`; printed, they are a table.
        """
        return Summary(_follow(self.layers, "", ("",), (*self.image_size, 1), Field(), ()))

    def to_list(self) -> list[dict[str, Any]]:
        """Return the layers as JSON values, which `from_list` reads."""
        return layers_to_list(self.layers)

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
            return cls(image_size, layers_from_list(layers))
        except (TypeError, ValueError) as error:  # an ArgumentError is a ValueError
            raise ModelError(f"the network's description is damaged: {error}") from error


def check_ending(layers: Sequence[Layer], activations: tuple[str, ...] = ("linear",)) -> Dense:
    """Return the last of these layers; raise `ArgumentError` unless it can give the logits."""
    last = layers[-1] if layers else None
    if not isinstance(last, Dense):
        raise ArgumentError("a network must end in a dense layer with one unit for each class")
    if last.activation not in activations:
        raise ArgumentError(
            f"the last layer has the activation {last.activation}: leave it out, as the softmax "
            "follows it by itself",
            (len(layers) - 1, "activation"),
        )
    return last


def check_layers(layers: object) -> None:
    """Raise `ArgumentError` unless these are the layers of a recipe's network, with an ending."""
    if not isinstance(layers, tuple) or any(type(layer) not in KINDS for layer in layers):
        raise ArgumentError(f"a network is a name or a tuple of layers, not {layers!r}")
    check_ending(layers)


def output_shape(image_size: tuple[int, int], layers: Sequence[Layer]) -> Shape:
    """Return the shape that an image of this size has behind these layers.

    Raises
    ------
    ArgumentError
        A layer does not fit the one before it.
    """
    shape: Shape = (*image_size, 1)
    for line in _follow(layers, "", ("",), shape, Field(), ()):
        shape = line.output_shape
    return shape


def named_layers(layers: Sequence[Layer]) -> Iterator[tuple[str, Layer]]:
    """Yield each layer after its name, its kind and number such as ``conv2``."""
    counts: dict[str, int] = {}
    for layer in layers:
        kind = KINDS[type(layer)]
        counts[kind] = counts.get(kind, 0) + 1
        yield f"{kind}{counts[kind]}", layer


def penalties(layers: Sequence[Layer], prefix: str = "") -> dict[str, float]:
    """Return the factor of the squared weights in the loss, by the names of the weights."""
    found: dict[str, float] = {}
    for name, layer in named_layers(layers):
        if isinstance(layer, Residual):
            for part in ("layers", "shortcut"):
                found |= penalties(getattr(layer, part), f"{prefix}{name}.{part}.")
        elif isinstance(layer, Conv | Dense) and layer.l2:
            found[f"{prefix}{name}.weight"] = layer.l2
    return found


def _follow(
    layers: Sequence[Layer],
    prefix: str,
    inputs: tuple[str, ...],
    shape: Shape,
    field: Field,
    place: tuple[int | str, ...],
) -> Iterator[LayerSummary]:
    """Yield the lines of a chain of layers that takes this shape from these inputs."""
    for number, (own_name, layer) in enumerate(named_layers(layers)):
        name, here, before = prefix + own_name, (*place, number), shape
        roles: dict[str, Shape] = {}
        multiply_adds = 0
        if isinstance(layer, Residual):
            ends: list[LayerSummary] = []
            for part in ("layers", "shortcut"):
                way = [
                    *_follow(
                        getattr(layer, part), f"{name}.{part}.", inputs, shape, field, (*here, part)
                    )
                ]
                yield from way
                ends += way[-1:]
            shapes = [end.output_shape for end in ends] + [shape] * (2 - len(ends))
            if shapes[0] != shapes[1]:
                raise ArgumentError(
                    _explain_sum(name, shapes[0], shapes[1], bool(layer.shortcut)), here
                )
            field = ends[0].field.joined(ends[1].field if layer.shortcut else field)
            inputs = (ends[0].name, ends[1].name if layer.shortcut else inputs[0])
            shape = shapes[0]
        else:
            try:
                field = _look(layer, shape, field)
                shape, roles, multiply_adds = _apply(layer, shape)
            except ArgumentError as error:
                where = f"{name}, layer {'.'.join(map(str, here))} of the network,"
                raise ArgumentError(f"{where} {error}", here) from error
        parameters = {f"{name}.{role}": dimensions for role, dimensions in roles.items()}
        yield LayerSummary(name, layer, inputs, before, shape, parameters, multiply_adds, field)
        inputs = (name,)


def _look(layer: Layer, shape: Shape, field: Field) -> Field:
    match layer, shape:
        case Conv(), (height, width, _):
            before = layer.pads(height)[0], layer.pads(width)[0]
            return field.through(layer.reach, layer.stride, before)
        case Pool(), (height, width, _):
            before = layer.pads(height)[0], layer.pads(width)[0]
            return field.through(layer.size, layer.step, before)
        case Flatten() | GlobalPool(), (_, _, _):
            return field.all_of(shape)
    return field


def _apply(layer: Layer, shape: Shape) -> tuple[Shape, dict[str, Shape], int]:
    """Return a layer's output shape, the shapes of its arrays by role, and its multiply-adds."""
    match layer, shape:
        case Conv(), (_, _, _):
            return _convolve(layer, shape)
        case Pool(), (height, width, channels):
            sides = height, width
            rooms = [side + sum(layer.pads(side)) - layer.size for side in sides]
            if min(rooms) < 0:
                raise ArgumentError(_explain_window(layer, shape))
            return (*(room // layer.step + 1 for room in rooms), channels), {}, 0
        case GlobalPool(), (_, _, channels):
            return (channels,), {}, 0
        case Flatten(), (_, _, _):
            return (math.prod(shape),), {}, 0
        case BatchNorm(), (*_, channels):
            return shape, dict.fromkeys(_NORM_ROLES, (channels,)), 0
        case (Dropout() | Activation(), _) | (SpatialDropout(), (_, _, _)):
            return shape, {}, 0
        case Dense(None), _:
            raise ArgumentError("has no units: only the last layer gets those of the classes")
        case Dense(int(units)), (inputs,):
            return (units,), {"weight": (units, inputs), "bias": (units,)}, units * inputs
    if len(shape) == 1:
        raise ArgumentError(
            f"takes a feature map, and a vector of {shape[0]} numbers comes to it: "
            "put it before the layer that makes a vector of the map"
        )
    wanted = "put flatten or global_pool before it"
    if isinstance(layer, Dense):
        raise ArgumentError(
            f"takes a vector, and a feature map of {times(shape)} comes to it: {wanted}"
        )
    raise ArgumentError(f"cannot take an input of shape {times(shape)}")


_NORM_ROLES = ("weight", "bias", "running_mean", "running_var")


def _convolve(layer: Conv, shape: Shape) -> tuple[Shape, dict[str, Shape], int]:
    *sides, channels = shape
    if channels % layer.groups:
        raise ArgumentError(
            f"shares {channels} channels among {layer.groups} groups: use a number of groups that "
            f"divides {channels}"
        )
    rooms = [side + sum(layer.pads(side)) - layer.reach for side in sides]
    if min(rooms) < 0:
        raise ArgumentError(_explain_window(layer, shape))
    output: Shape = (*(room // layer.stride + 1 for room in rooms), layer.filters)
    weight = (layer.filters, channels // layer.groups, layer.kernel, layer.kernel)
    roles: dict[str, Shape] = {"weight": weight, "bias": (layer.filters,)}
    return output, roles, math.prod(output) * math.prod(weight[1:])


def _explain_window(layer: Conv | Pool, shape: Shape) -> str:
    smallest = min(shape[:2])
    if isinstance(layer, Conv):
        reach = layer.reach
        fits = f"a kernel of at most {(smallest - 1) // layer.dilation + 1}, padding 'same'"
    else:
        reach = layer.size
        fits = f"a size of at most {smallest}, padding 'same'"
    return (
        f"needs at least {reach}×{reach} pixels, and {times(shape)} comes to it: use {fits}, or "
        "less pooling before it"
    )


def _explain_sum(name: str, shape: Shape, other: Shape, shortcut: bool) -> str:
    past = "its shortcut" if shortcut else "its input"
    fits = "give both the same shape"
    if not shortcut and len(shape) == 3 and len(other) == 3:
        stride = max(1, round(other[0] / shape[0]))
        fits = (
            f"give it the shortcut of a convolution with {counted(shape[2], 'filter')}, kernel 1 "
            f"and stride {stride}, or layers with padding 'same' that end in "
            f"{counted(other[2], 'filter')}"
        )
    return f"{name} adds {times(shape)} of its layers to {times(other)} of {past}: {fits}"


def complete(
    image_size: tuple[int, int], layers: Sequence[Layer], classes: int, dropout: float = 0.0
) -> Network:
    """Make a network of a recipe's layers, for images of this size and this many classes.

    Parameters
    ----------
    image_size : tuple of int
        Height and width of the images, in pixels.
    layers : sequence of Layer
        The layers. The last is `Dense`, and its units are the number of classes or None.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the last one, from 0 (none) to below 1.

    Raises
    ------
    ArgumentError
        A layer does not fit; or the last has another number of units than there are classes.
    """
    last = check_ending(layers)
    *front, _ = layers
    if last.units not in (None, classes):
        raise ArgumentError(
            f"the last layer has {last.units} units, and there are {classes} classes: leave its "
            "units out",
            (len(front), "units"),
        )
    drop = [Dropout(dropout)] if dropout else []
    return Network(image_size, (*front, *drop, dataclasses.replace(last, units=classes)))
