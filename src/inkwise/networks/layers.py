"""The layers of a network, described as data."""

import dataclasses
import math

from inkwise.errors import ArgumentError, counted
from inkwise.networks.words import nearest, shown

ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid")
"""Activations by name; ``linear`` is none.

The leaky ReLU has the slope `LEAKY_SLOPE` below zero, ELU the limit -1, and GELU is exact, with
the error function.
"""

LEAKY_SLOPE = 0.01

PADDINGS = ("valid", "same")
"""Paddings of a convolution or pooling, as Keras names them.

With ``valid`` it stays within its input, and rows and columns at the border that the last stride
does not reach are ignored. With ``same`` as many zeros surround the input as give one output for
every stride that begins in it; an odd one stands below or to the right. A pooling looks only at
the part of a window that lies within its input.
"""

INITIALISERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal")
"""Distributions of the initial weights, by name (Glorot and Bengio 2010, He et al. 2015)."""

BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-5, 0.1

_MAX_COUNT = 1 << 16  # a damaged description must not exhaust the memory


def check_count(name: str, value: object) -> None:
    """Raise `ArgumentError` unless this is a whole number that a network may have of anything."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_COUNT:
        message = f"{name} must be a whole number from 1 to {_MAX_COUNT}, not {shown(value)}"
        raise ArgumentError(message, (name,))


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value == "softmax":
        raise ArgumentError(
            "softmax follows the last layer by itself: leave the activation out", (name,)
        )
    if value not in known:
        choices = ", ".join(known)
        raise ArgumentError(
            f"{name} must be {choices}, not {shown(value)}{nearest(value, known)}", (name,)
        )


def _check_rate(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ArgumentError(f"the dropout {name} must lie in [0, 1), not {value!r}", (name,))


def _check_l2(value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ArgumentError(f"l2 must be 0 or above, not {value!r}", ("l2",))


@dataclasses.dataclass(frozen=True)
class Conv:
    """Convolution with a square kernel, then an activation.

    Parameters
    ----------
    filters : int
        Number of filters, which is the number of output channels.
    kernel : int
        Side of the square kernel, in pixels.
    activation : str
        A name in `ACTIVATIONS`.
    stride : int
        Step from one place of the kernel to the next, in pixels.
    padding : str
        A name in `PADDINGS`.
    dilation : int
        Distance between the pixels that the kernel looks at; 1 means neighbours. With a stride
        above 1 it must be 1.
    groups : int
        Number of groups of channels, each with its own filters; as many as there are channels make
        a depthwise convolution.
    init : str
        Distribution of the initial weights, a name in `INITIALISERS`.
    l2 : float
        Factor of the sum of the squared weights that is added to the loss; 0 means none.
    """

    filters: int
    kernel: int
    activation: str = "linear"
    stride: int = 1
    padding: str = "valid"
    dilation: int = 1
    groups: int = 1
    init: str = "glorot_uniform"
    l2: float = 0.0

    def __post_init__(self) -> None:
        for name in ("filters", "kernel", "stride", "dilation", "groups"):
            check_count(name, getattr(self, name))
        _check_choice("activation", self.activation, ACTIVATIONS)
        _check_choice("padding", self.padding, PADDINGS)
        _check_choice("init", self.init, INITIALISERS)
        _check_l2(self.l2)
        if self.stride > 1 and self.dilation > 1:  # which TensorFlow refuses
            raise ArgumentError("stride and dilation cannot both be above 1", ("dilation",))
        if self.filters % self.groups:
            message = f"{self.filters} filters cannot be shared among {self.groups} groups"
            raise ArgumentError(message, ("groups",))

    def __str__(self) -> str:
        size = f"{self.kernel}×{self.kernel}"
        extras = {
            "stride": self.stride,
            "dilation": self.dilation,
            "groups": self.groups,
        }
        told = [f"{name} {value}" for name, value in extras.items() if value > 1]
        told += ["padded"] if self.padding == "same" else []
        parts = [f"{size} convolution", counted(self.filters, "filter"), *told]
        return ", ".join(parts) + _activation(self)

    @property
    def reach(self) -> int:
        """Side of the square that the kernel looks at, in pixels."""
        return self.dilation * (self.kernel - 1) + 1

    def pads(self, side: int) -> tuple[int, int]:
        """Return how many zeros stand before and after a row or column of this many pixels."""
        return _pads(self.padding, side, self.reach, self.stride)


def _pads(padding: str, side: int, reach: int, stride: int) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    total = max((math.ceil(side / stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


@dataclasses.dataclass(frozen=True)
class Pool:
    """One value for each `size` × `size` window.

    Parameters
    ----------
    size : int
        Side of a window, in pixels.
    stride : int or None
        Step from one window to the next; None means `size`, windows without overlap.
    padding : str
        A name in `PADDINGS`.
    """

    size: int
    stride: int | None = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        check_count("size", self.size)
        if self.stride is not None:
            check_count("stride", self.stride)
        _check_choice("padding", self.padding, PADDINGS)

    def pads(self, side: int) -> tuple[int, int]:
        """Return how many places of the windows lie before and after a side of so many pixels."""
        return _pads(self.padding, side, self.size, self.step)

    @property
    def step(self) -> int:
        """Step from one window to the next, in pixels."""
        return self.stride or self.size

    def _told(self, pooling: str) -> str:
        overlap = f", stride {self.stride}" if self.step != self.size else ""
        padded = ", padded" if self.padding == "same" else ""
        return f"{self.size}×{self.size} {pooling} pooling{overlap}{padded}"


class MaxPool(Pool):
    """The maximum over each window of a `Pool`."""

    def __str__(self) -> str:
        return self._told("maximum")


class AveragePool(Pool):
    """The mean over each window of a `Pool`."""

    def __str__(self) -> str:
        return self._told("average")


@dataclasses.dataclass(frozen=True)
class GlobalPool:
    """One number for each channel: its mean, or its maximum, over the whole feature map.

    Parameters
    ----------
    kind : str
        Either ``average`` or ``max``.
    """

    kind: str = "average"

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, ("average", "max"))

    def __str__(self) -> str:
        return f"global {'maximum' if self.kind == 'max' else 'average'} pooling"


@dataclasses.dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation: each channel with a learnt mean and deviation.

    In training the values of a batch are normalised by its mean and variance, in prediction by
    running averages of them.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015.
    """

    def __str__(self) -> str:
        return "batch normalisation"


@dataclasses.dataclass(frozen=True)
class Activation:
    """An activation, where it does not directly follow a convolution or dense layer.

    Parameters
    ----------
    function : str
        A name in `ACTIVATIONS`.
    slope : float
        Slope of a leaky ReLU below zero, in [0, 1); other activations have none.
    """

    function: str
    slope: float = LEAKY_SLOPE

    def __post_init__(self) -> None:
        _check_choice("function", self.function, ACTIVATIONS)
        number = isinstance(self.slope, int | float) and not isinstance(self.slope, bool)
        if not number or not 0 <= self.slope < 1:
            raise ArgumentError(f"the slope must lie in [0, 1), not {self.slope!r}", ("slope",))
        if self.function != "leaky_relu" and self.slope != LEAKY_SLOPE:
            raise ArgumentError(f"only leaky_relu has a slope, not {self.function}", ("slope",))

    def __str__(self) -> str:
        slope = f", slope {self.slope:g}" if self.slope != LEAKY_SLOPE else ""
        return f"activation {activation_name(self.function)}{slope}"


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
        _check_rate("rate", self.rate)

    def __str__(self) -> str:
        return f"dropout, {self.rate:.0%} of the values in training"


@dataclasses.dataclass(frozen=True)
class SpatialDropout:
    """Dropout of whole channels of a feature map, whose neighbouring values are alike.

    Parameters
    ----------
    rate : float
        Probability that a channel is set to zero, in [0, 1).

    References
    ----------
    J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    rate: float

    def __post_init__(self) -> None:
        _check_rate("rate", self.rate)

    def __str__(self) -> str:
        return f"spatial dropout, {self.rate:.0%} of the channels in training"


@dataclasses.dataclass(frozen=True)
class Dense:
    """Fully connected layer, then an activation.

    Parameters
    ----------
    units : int or None
        Number of outputs. None stands for the number of classes, and only for the last layer of a
        recipe's network.
    activation : str
        A name in `ACTIVATIONS`.
    init : str
        Distribution of the initial weights, a name in `INITIALISERS`.
    l2 : float
        Factor of the sum of the squared weights that is added to the loss; 0 means none.
    """

    units: int | None = None
    activation: str = "linear"
    init: str = "glorot_uniform"
    l2: float = 0.0

    def __post_init__(self) -> None:
        if self.units is not None:
            check_count("units", self.units)
        _check_choice("activation", self.activation, ACTIVATIONS)
        _check_choice("init", self.init, INITIALISERS)
        _check_l2(self.l2)

    def __str__(self) -> str:
        units = "a unit for each class" if self.units is None else counted(self.units, "unit")
        return f"fully connected, {units}{_activation(self)}"


@dataclasses.dataclass(frozen=True)
class Residual:
    """A residual block: its layers learn what is added to its input.

    Parameters
    ----------
    layers : tuple of Layer
        The layers, in order; none of them a residual block.
    shortcut : tuple of Layer
        The layers of the way past them, whose output is added to theirs. By default there are none,
        and the input itself is added.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016.
    """

    layers: "tuple[Layer, ...]"
    shortcut: "tuple[Layer, ...]" = ()

    def __post_init__(self) -> None:
        for name in ("layers", "shortcut"):
            for place, layer in enumerate(getattr(self, name)):
                if type(layer) not in KINDS or isinstance(layer, Residual):
                    message = f"a residual block takes layers, not {layer!r}"
                    raise ArgumentError(message, (name, place))
        if not self.layers:
            raise ArgumentError("a residual block needs at least one layer", ("layers",))

    def __str__(self) -> str:
        return f"sum of the layers and {'the shortcut' if self.shortcut else 'the input'}"


def activation_name(activation: str) -> str:
    """Return the name of an activation as people write it, such as ``leaky ReLU``."""
    known = {"leaky_relu": "leaky ReLU", "silu": "SiLU", "linear": "none"}
    written = activation if activation in ("tanh", "sigmoid") else activation.upper()
    return known.get(activation, written.replace("RELU", "ReLU"))


def _activation(layer: Conv | Dense) -> str:
    return "" if layer.activation == "linear" else f", {activation_name(layer.activation)}"


Layer = (
    Conv
    | BatchNorm
    | Activation
    | MaxPool
    | AveragePool
    | GlobalPool
    | Dropout
    | SpatialDropout
    | Flatten
    | Dense
    | Residual
)

LAYERS: dict[str, type[Layer]] = {
    "conv": Conv,
    "batch_norm": BatchNorm,
    "activation": Activation,
    "pool": MaxPool,
    "average_pool": AveragePool,
    "global_pool": GlobalPool,
    "dropout": Dropout,
    "spatial_dropout": SpatialDropout,
    "flatten": Flatten,
    "dense": Dense,
    "residual": Residual,
}
"""Layers by the names that files have for them."""

KINDS: dict[type[Layer], str] = {layer: kind for kind, layer in LAYERS.items()}
"""The names that files have for them, by layer."""
