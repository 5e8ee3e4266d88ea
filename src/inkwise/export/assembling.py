"""From the steps of somebody else's network to one of ours, and its weights."""

import dataclasses
import graphlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.networks.folding import Weights, fold
from inkwise.networks.layer_summaries import Shape
from inkwise.networks.layers import (
    BATCH_NORM_EPSILON,
    LEAKY_SLOPE,
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Residual,
)
from inkwise.networks.network import Network, named_layers, output_shape

Arrays = Mapping[str, NDArray[np.float64]]
"""The arrays of a layer by their roles, in PyTorch's layout."""

Pixels = tuple[float, float]
"""What a network takes for a black and for a white pixel, in proportion for grey ones."""

_DIVIDES = 1 / 16


class Refusal(Exception):  # noqa: N818 - it never leaves the import
    """The reason why a file cannot be imported; the text follows "cannot import FILE: "."""


@dataclasses.dataclass(frozen=True)
class Softmax:
    """A softmax over the classes."""


@dataclasses.dataclass(frozen=True)
class Affine:
    """Multiplication by a `scale` and addition of an `offset`, arrays of any length that fits."""


@dataclasses.dataclass(frozen=True)
class Padding:
    """Zeros around a feature map: above and below, left and right of it."""

    rows: tuple[int, int]
    columns: tuple[int, int]


Part = tuple[Layer | Softmax | Affine | Padding, Arrays]
"""A layer, or what becomes part of one, with its arrays."""


class Step(NamedTuple):
    """A step of a network, which makes a value of others.

    Parameters
    ----------
    told : str
        How messages name it.
    inputs : tuple of str
        Names of the values that it takes, that of the image being empty. Two of them are added.
    translate : callable
        From the shape of a single input, (height, width, channels) or (features,), to the parts
        that do the same.
    """

    told: str
    inputs: tuple[str, ...]
    translate: Callable[[Shape], Sequence[Part]] = lambda _: ()


_Chain = list["str | tuple[_Chain, _Chain]"]
"""Names of steps in order, and pairs of ways whose results are added."""


def assemble(
    image_size: tuple[int, int],
    steps: Mapping[str, Step],
    output: str,
    flat: bool = False,
    pixels: Pixels | None = None,
) -> tuple[Network, Weights, Pixels]:
    """Make a network of steps: a chain, or one with skips that end in a sum.

    Batch normalisation is folded into the layer that it directly follows, a last softmax is left
    out, as a `Network` ends in logits, and a single unit with a sigmoid becomes two classes.

    Parameters
    ----------
    image_size : tuple of int
        Height and width of the images, in pixels.
    steps : mapping of str to Step
        The steps, by the names of the values that they make.
    output : str
        The name of the value that has the probabilities, or the logits.
    flat : bool
        Whether the steps take the image as a vector.
    pixels : tuple of float, optional
        What the steps take for a black and for a white pixel. By default 0 and 1; or 0 and 255, if
        the steps begin with a scale by which these are divided by 16 or more.

    Returns
    -------
    network : Network
    weights : dict of str to ndarray of float32
        The arrays with the names and shapes that ``network.summary()`` states.
    pixels : tuple of float
        What was taken for a black and a white pixel.

    Raises
    ------
    Refusal
        The steps are connected in another way, or they compute what our layers cannot.
    ArgumentError
        Layers do not fit together.
    """
    try:
        graphlib.TopologicalSorter({name: step.inputs for name, step in steps.items()}).prepare()
    except graphlib.CycleError as error:
        raise Refusal("its layers are connected in a circle") from error
    way = _Way(image_size)
    way.pixels = pixels
    if flat:
        way.made.append((Flatten(), {}))
    _follow(_trace(steps, "", output), steps, way)
    layers, weights, added = _end(way)
    network, weights = fold(Network(image_size, layers), weights)
    layers = _merge(network.layers)
    match layers:
        case (*_, Dense(activation="linear" | "relu"), _) if added:  # which can itself be the last
            *_, (name, _) = named_layers(layers)
            layers = layers[:-1]
            weights = {each: weights[each] for each in weights if not each.startswith(f"{name}.")}
    return Network(image_size, layers), weights, way.pixels or (0.0, 1.0)


def _trace(steps: Mapping[str, Step], start: str, end: str) -> _Chain:
    """Return the way from one value to another."""
    found: _Chain = []
    name = end
    while name != start:
        step = steps[name]
        if len(step.inputs) == 1:
            found.append(name)
            (name,) = step.inputs
        else:
            fork = _fork(steps, step)
            first, second = (_trace(steps, fork, each) for each in step.inputs)
            found.append((first, second))
            name = fork
    return found[::-1]


def _fork(steps: Mapping[str, Step], step: Step) -> str:
    """Return the value from which both ways to a sum begin."""
    if len(step.inputs) == 2:
        first, second = (list(_before(steps, name)) for name in step.inputs)
        for name in first:
            if name in second:
                return name
    raise Refusal(
        f"its {step.told} joins what inkwise cannot: it takes chains of layers, and sums of two "
        "ways that begin at the same layer and have no sum within them"
    )


def _before(steps: Mapping[str, Step], name: str) -> Iterator[str]:
    """Name a value, and those that it was made of one after the other."""
    yield name
    while name and len(steps[name].inputs) == 1:
        (name,) = steps[name].inputs
        yield name


class _Way:
    """A chain of our layers that grows, behind others; parts that belong together merge."""

    def __init__(self, image_size: tuple[int, int], before: tuple[Layer, ...] = ()) -> None:
        self.image_size, self.before = image_size, before
        self.made: list[tuple[Layer, Arrays]] = []
        self.ended = False
        self.pixels: Pixels | None = None
        self._started = bool(before)
        self._affine: Arrays | None = None
        self._padding: Padding | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers before and in this way."""
        return (*self.before, *(layer for layer, _ in self.made))

    @property
    def shape(self) -> Shape:
        """The shape of the value so far."""
        return output_shape(self.image_size, self.layers)

    def add(self, part: Part, told: str) -> None:
        """Add a part that messages name so."""
        layer, arrays = part
        if self.ended:
            raise Refusal(f"its {told} follows the softmax, which inkwise takes only at the end")
        if self._padding is not None:
            if not isinstance(layer, Conv):
                raise Refusal(
                    f"its {told} follows zeros around the map: inkwise takes a Conv there"
                )
            layer, arrays = _pad(layer, arrays, self._padding, self.shape, told)
            self._padding = None
        match layer:
            case Affine():
                self._affine = _compose(self._affine, arrays)
                return
            case Softmax():
                self.settle(told)
                self.ended = True
                return
        self.settle(told)
        if isinstance(layer, Padding):
            self._padding = layer
        elif layer != Activation("linear"):
            self.made.append((layer, _finite(arrays, told)))

    def settle(self, told: str) -> None:
        """Make a layer of what could have merged with a next part."""
        if self._padding is not None:
            raise Refusal(f"its {told} follows zeros around the map: inkwise takes a Conv there")
        affine, self._affine = self._affine, None
        if not self._started and all(
            isinstance(layer, Flatten | Dropout) for layer, _ in self.made
        ):
            if self.pixels is None and affine is not None:
                divides = np.abs(affine["scale"]).min() <= _DIVIDES
                self.pixels = (0.0, 255.0) if divides else (0.0, 1.0)
            if self.pixels is not None:
                black, white = map(np.array, self.pixels)
                affine = _compose({"scale": white - black, "offset": black}, affine)
                self._started = True
        if affine is not None and not _changes_nothing(affine):
            self.made.append((BatchNorm(), _finite(_as_norm(affine, self.shape, told), told)))


def _follow(chain: _Chain, steps: Mapping[str, Step], way: _Way) -> None:
    """Add the steps of a chain to a way."""
    for link in chain:
        if isinstance(link, str):
            for part in steps[link].translate(way.shape):
                way.add(part, steps[link].told)
            continue
        way.settle("sum")
        sides = []
        for each in link:
            side = _Way(way.image_size, way.layers)
            _follow(each, steps, side)
            side.settle("sum")
            if side.ended:
                raise Refusal("it adds a softmax, which inkwise takes only at the end")
            sides.append(side.made)
        way.add(_sum(*sorted(sides, key=len, reverse=True)), "sum")


def _sum(
    longer: Sequence[tuple[Layer, Arrays]], shorter: Sequence[tuple[Layer, Arrays]]
) -> tuple[Residual, Arrays]:
    """Return the block that adds two ways; its arrays are named from it on."""
    if not longer:
        raise Refusal("it adds a value to itself")
    layers, shortcut = (tuple(layer for layer, _ in way) for way in (longer, shorter))
    arrays = {
        f"{part}.{name}": array
        for part, way in (("layers", longer), ("shortcut", shorter))
        for name, array in _named(way).items()
    }
    return Residual(layers, shortcut), arrays


def _named(made: Sequence[tuple[Layer, Arrays]]) -> dict[str, NDArray[np.float64]]:
    names = (name for name, _ in named_layers([layer for layer, _ in made]))
    return {
        f"{name}.{role}": array
        for name, (_, arrays) in zip(names, made, strict=True)
        for role, array in arrays.items()
    }


def _end(way: _Way) -> tuple[tuple[Layer, ...], Weights, bool]:
    """Return layers that end in a dense one, their arrays, and whether the last had to be added."""
    way.settle("end")
    made = way.made
    if not any(isinstance(layer, Conv | Dense | Residual) for layer, _ in made):
        raise Refusal("it has no convolution and no dense layer")
    match made:
        case [*_, (Dense(units=1), arrays), (Activation("sigmoid"), _)] if not way.ended:
            made[-2:] = [(Dense(2), {k: np.stack([0 * v[0], v[0]]) for k, v in arrays.items()})]
        case [*_, (Activation("sigmoid"), _)] if not way.ended:
            raise Refusal(
                "it ends in a sigmoid, which gives each class a probability of its own: inkwise's "
                "models end in a softmax, whose probabilities sum to 1"
            )
    added = not isinstance(made[-1][0], Dense)
    if added:
        units = math.prod(way.shape)
        made.append((Dense(units), {"weight": np.eye(units), "bias": np.zeros(units)}))
    with np.errstate(over="ignore"):  # a model's weights are checked
        weights = {name: array.astype(np.float32) for name, array in _named(made).items()}
    return way.layers, weights, added


def _merge(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Make activations those of the layers just before them, where those have none."""
    merged: list[Layer] = []
    for layer in layers:
        match merged, layer:
            case [*_, Conv(activation="linear") | Dense(activation="linear") as last], Activation(
                function, slope
            ) if slope == LEAKY_SLOPE:
                merged[-1] = dataclasses.replace(last, activation=function)
            case _, Residual(ways, shortcut):
                merged.append(Residual(_merge(ways), _merge(shortcut)))
            case _:
                merged.append(layer)
    return tuple(merged)


def _finite(arrays: Arrays, told: str) -> Arrays:
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise Refusal(f"its {told} has weights that are not finite numbers: train it again")
    return arrays


def _compose(first: Arrays | None, second: Arrays | None) -> Arrays:
    """Return the scale and the offset that do the same as two of them."""
    if first is None or second is None:
        return first or second or {}
    scale = first["scale"] * second["scale"]
    return {"scale": scale, "offset": first["offset"] * second["scale"] + second["offset"]}


def _changes_nothing(affine: Arrays) -> bool:
    return bool(
        np.allclose(affine["scale"], 1, rtol=0, atol=1e-6)
        and np.allclose(affine["offset"], 0, rtol=0, atol=1e-6)
    )


def _as_norm(affine: Arrays, shape: Shape, told: str) -> Arrays:
    """Return the arrays of the batch normalisation that scales and adds so."""
    try:
        scale, offset = (np.broadcast_to(affine[key], shape[-1:]) for key in ("scale", "offset"))
    except ValueError:
        raise Refusal(f"its {told} has a scale for each pixel of a feature map") from None
    still = np.zeros_like(scale)
    return {
        "weight": scale,
        "bias": offset,
        "running_mean": still,
        "running_var": still + (1 - BATCH_NORM_EPSILON),
    }


def norm_arrays(
    gamma: NDArray[np.float64],
    beta: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    epsilon: float,
) -> Arrays:
    """Return the arrays of our batch normalisation for one with another epsilon."""
    ours = np.maximum(variance + epsilon - BATCH_NORM_EPSILON, 0)
    with np.errstate(all="ignore"):  # what is not finite is refused
        weight = gamma * np.sqrt((ours + BATCH_NORM_EPSILON) / (variance + epsilon))
    return {"weight": weight, "bias": beta, "running_mean": mean, "running_var": ours}


def _pad(
    conv: Conv, arrays: Arrays, padding: Padding, shape: Shape, told: str
) -> tuple[Conv, Arrays]:
    """Return a convolution with padding ``same``, or none, that pads as the other one does.

    Where the zeros are shared out in another way than ours, the kernel is enlarged by rows and
    columns of zeros, as far as that moves it to the same places.
    """
    height, width, _ = shape
    wanted = padding.rows, padding.columns
    if wanted == ((0, 0), (0, 0)):
        return conv, arrays
    sides = (*zip((height, width), wanted, strict=True),)
    if (
        conv.padding == "valid"
        and conv.dilation == 1
        and all(_outputs(side, conv, zeros) == -(-side // conv.stride) for side, zeros in sides)
    ):
        rows, columns = (_more_after(side, conv, low) for side, (low, _) in sides)
        if both := {*rows} & {*columns}:
            more = min(both, key=abs)
            larger = dataclasses.replace(conv, kernel=conv.kernel + abs(more), padding="same")
            edge = max(-more, 0), max(more, 0)
            weight = np.pad(arrays["weight"], ((0, 0), (0, 0), edge, edge))
            return larger, {**arrays, "weight": weight}
    if conv.padding == "valid":
        larger = dataclasses.replace(conv, padding="same")
        if (larger.pads(height), larger.pads(width)) == wanted:
            return larger, arrays
    raise Refusal(
        f"its {told} has zeros around the map, {padding.rows[0]} above, {padding.rows[1]} below, "
        f"{padding.columns[0]} left, {padding.columns[1]} right, which no padding of inkwise does"
    )


def _outputs(side: int, conv: Conv, zeros: tuple[int, int]) -> int:
    return (side + sum(zeros) - conv.kernel) // conv.stride + 1


def _more_after(side: int, conv: Conv, low: int) -> range:
    """Return how many zeros more may stand behind a kernel than before it.

    With them, padding ``same`` moves its first place as far as `low` zeros before a row or column
    move that of the kernel alone.
    """
    total = (-(-side // conv.stride) - 1) * conv.stride + conv.kernel - side
    least = 2 * low - total
    return range(0 if low == 0 and total < 0 else least, least + 2)
