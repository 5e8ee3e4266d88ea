"""The layers of Keras, each as one or more of ours, with its weights."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.export.assembling import Affine, Padding, Part, Refusal, Softmax, norm_arrays
from inkwise.export.hdf5 import Node
from inkwise.networks.as_keras import from_keras_layout
from inkwise.networks.layer_summaries import Shape
from inkwise.networks.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    MaxPool,
    SpatialDropout,
)

LEFT_OUT = (
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomShear",
    "RandomContrast",
    "RandomBrightness",
    "RandomErasing",
    "RandomElasticTransform",
    "RandomGaussianBlur",
    "RandomPerspective",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
)
"""Layers that only change something in training."""
_ACTIVATIONS = {
    "linear": "linear",
    "relu": "relu",
    "elu": "elu",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}
KINDS = (
    "Rescaling",
    "Normalization",
    "Reshape",
    "ZeroPadding2D",
    "Conv2D",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "BatchNormalization",
    "Activation",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "Softmax",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalMaxPooling2D",
    "GlobalAveragePooling2D",
    "Dropout",
    "SpatialDropout2D",
    "Flatten",
    "Dense",
    "Add",
)
SUPPORTED = f"{', '.join(KINDS)}, and layers that augment images or add noise in training"


def is_of_keras(entry: Mapping[Any, Any]) -> bool:
    """Return whether a description is of a class of Keras itself; older versions do not say."""
    module = entry.get("module", "keras")
    return isinstance(module, str) and module.split(".")[0] == "keras"


@dataclasses.dataclass(frozen=True)
class KerasLayer:
    """A layer as Keras describes it.

    Parameters
    ----------
    kind, name : str
        Its class and its name.
    config : mapping
        Its configuration.
    variables : callable
        Returns its variables, in Keras' order.
    """

    kind: str
    name: str
    config: Mapping[str, Any]
    variables: Callable[[], list[Node]]

    @property
    def told(self) -> str:
        """How messages name it."""
        return f"layer {self.name!r} ({self.kind})"

    def refusal(self, reason: str) -> Refusal:
        """Return the refusal for a reason that goes on from the layer's name."""
        return Refusal(f"its {self.told} {reason}")

    def require(self, **wanted: Any) -> None:
        """Refuse a layer whose configuration has other values than the wanted ones."""
        for key, value in wanted.items():
            found = self.config.get(key, value)
            if found != value:
                raise self.refusal(f"has {key} = {found!r}, and inkwise takes {value!r}")

    def side(self, key: str, default: object = None) -> int:
        """Return the side of a kernel, window or stride that must be square."""
        height, width = self.config.get(key, default)
        if height != width:
            raise self.refusal(f"has {key} = {height}×{width}, and inkwise takes squares")
        side: int = height
        return side

    def read(self, *shapes: Shape) -> list[NDArray[np.float64]]:
        """Read the layer's variables, which must have these shapes."""
        found = self.variables()[: len(shapes)]
        if [variable.shape for variable in found] != list(shapes):
            raise self.refusal("has weights of other shapes than its description says")
        return [variable.array().astype(np.float64) for variable in found]

    def translate(self, shape: Shape) -> list[Part]:
        """Return our layers that do the same with an input of this shape.

        Raises
        ------
        Refusal
            There are none.
        """
        match self.kind:
            case "Rescaling":
                arrays = {"scale": self.config["scale"], "offset": self.config["offset"]}
                return [_affine(self, arrays)]
            case "Normalization":
                return [_normalisation(self, shape)]
            case "Reshape":
                return _reshape(self, shape)
            case "Flatten" if len(shape) > 1:
                self.require(data_format="channels_last")
                return [(Flatten(), {})]
            case "ZeroPadding2D":
                self.require(data_format="channels_last")
                rows, columns = self.config["padding"]
                return [(Padding(tuple(rows), tuple(columns)), {})]
            case "Conv2D" | "DepthwiseConv2D" | "SeparableConv2D":
                return [*_convolution(self, shape), *self._activation()]
            case "Dense":
                return [_dense(self, shape), *self._activation()]
            case "BatchNormalization":
                return [_batch_norm(self, shape)]
            case "Activation" | "ReLU" | "LeakyReLU" | "ELU" | "Softmax":
                return self._activation()
            case (
                "MaxPooling2D"
                | "AveragePooling2D"
                | "GlobalMaxPooling2D"
                | "GlobalAveragePooling2D"
            ):
                return [(_pooling(self), {})]
            case "Dropout" | "SpatialDropout2D":
                self.require(noise_shape=None, data_format="channels_last")
                dropout = Dropout if self.kind == "Dropout" else SpatialDropout
                return [(dropout(self.config["rate"]), {})]
        return []  # it changes nothing when the model predicts

    def _activation(self) -> list[Part]:
        return activation(self, self.kind, self.config)


def activation(layer: KerasLayer, kind: str, config: Mapping[str, Any]) -> list[Part]:
    """Return the parts for an activation, which may be a layer or part of one.

    Parameters
    ----------
    layer : KerasLayer
        The layer that messages name.
    kind : str
        The class of the activation's layer, or of one that has an activation.
    config : mapping
        Its configuration.

    Raises
    ------
    Refusal
        There is none of ours that does the same.
    """
    given = config.get("alpha", 1.0), config.get("max_value"), config.get("threshold") or 0.0
    slope: Any = config.get("negative_slope") or 0.0
    match kind, config.get("activation") or "linear":
        case "Softmax", _ if config.get("axis", -1) == -1:
            return [(Softmax(), {})]
        case "ReLU", _ if given[1:] == (None, 0.0):
            return [(Activation("leaky_relu", slope) if slope else Activation("relu"), {})]
        case "LeakyReLU", _:
            slope = config.get("negative_slope", config.get("alpha", 0.3))
            if isinstance(slope, Mapping):  # Keras 2 wrote the number as an array
                slope = slope["value"]
            return [(Activation("leaky_relu", slope), {})]
        case "ELU", _ if given[0] == 1:
            return [(Activation("elu"), {})]
        case (("ReLU" | "ELU" | "Softmax"), _):
            settings = {key: config.get(key) for key in ("alpha", "max_value", "threshold", "axis")}
            told = ", ".join(
                f"{key} = {value}" for key, value in settings.items() if value is not None
            )
            raise layer.refusal(f"has {told}, which none of inkwise's activations has")
        case _, "softmax":
            return [(Softmax(), {})]
        case _, "leaky_relu":  # the function has another slope than the layer
            return [(Activation("leaky_relu", 0.2), {})]
        case _, str(name) if name in _ACTIVATIONS:
            return [(Activation(_ACTIVATIONS[name]), {})]
        case _, {
            "class_name": "ReLU" | "LeakyReLU" | "ELU" | "Softmax" as inner,
            "config": dict(own),
            **rest,
        } if is_of_keras(rest):
            return activation(layer, inner, own)
        case _, other:
            raise layer.refusal(
                f"has the activation {other!r}, and inkwise takes {', '.join(_ACTIVATIONS)}, "
                "leaky_relu and, at the end, softmax"
            )


def _pooling(layer: KerasLayer) -> MaxPool | AveragePool | GlobalPool:
    layer.require(data_format="channels_last")
    if layer.kind.startswith("Global"):
        return GlobalPool("max" if "Max" in layer.kind else "average")
    pool = MaxPool if layer.kind == "MaxPooling2D" else AveragePool
    size, stride = layer.side("pool_size"), layer.side("strides")
    return pool(size, None if stride == size else stride, layer.config["padding"])


def _affine(layer: KerasLayer, arrays: Mapping[str, Any]) -> Part:
    try:
        return Affine(), {name: np.asarray(values, float) for name, values in arrays.items()}
    except (TypeError, ValueError):
        raise layer.refusal("has a scale or an offset that is no number") from None


def _normalisation(layer: KerasLayer, shape: Shape) -> Part:
    layer.require(invert=False)
    mean, variance = (layer.config.get(key) for key in ("mean", "variance"))
    if mean is None:
        found = layer.variables()[:2]
        mean, variance = (variable.array().astype(np.float64) for variable in found)
    mean, variance = (np.asarray(each, float).reshape(-1) for each in (mean, variance))
    if mean.shape not in ((1,), shape[-1:]) or mean.shape != variance.shape:
        raise layer.refusal("has a mean for each pixel of a feature map")
    scale = 1 / np.maximum(np.sqrt(variance), 1e-7)  # Keras' epsilon
    return Affine(), {"scale": scale, "offset": -mean * scale}


def _reshape(layer: KerasLayer, shape: Shape) -> list[Part]:
    target = list(layer.config["target_shape"])
    known = math.prod(side for side in target if side != -1)
    whole = [side if side != -1 else math.prod(shape) // known for side in target]
    if whole == list(shape) or [*whole, 1] == list(shape):
        return []
    if whole == [math.prod(shape)]:
        return [(Flatten(), {})]
    raise layer.refusal(
        f"makes {tuple(whole)} of {shape}: inkwise takes it as Flatten, or where it makes an image "
        "of the input"
    )


def _convolution(layer: KerasLayer, shape: Shape) -> list[Part]:
    layer.require(data_format="channels_last")
    config, channels = layer.config, shape[-1]
    side = layer.side("kernel_size")
    settings = {
        "stride": layer.side("strides"),
        "padding": config["padding"],
        "dilation": layer.side("dilation_rate", [1, 1]),
    }
    if layer.kind == "Conv2D":
        filters, groups = config["filters"], config.get("groups", 1)
        kernel, bias = _kernels(layer, filters, (side, side, channels // groups, filters))
        conv = Conv(filters, side, groups=groups, **settings)
        return [(conv, {"weight": from_keras_layout(kernel), "bias": bias})]
    multiplier = config.get("depth_multiplier", 1)
    filters = channels * multiplier
    shapes = [(side, side, channels, multiplier)]
    last = filters
    if layer.kind == "SeparableConv2D":
        last = config["filters"]
        shapes.append((1, 1, filters, last))
    kernel, *pointwise, bias = _kernels(layer, last, *shapes)
    # Keras' filters are (rows, columns, channel, number), and their outputs in this order, too.
    depthwise = kernel.transpose(2, 3, 0, 1).reshape(filters, 1, side, side)
    first = Conv(filters, side, groups=channels, **settings)
    if not pointwise:
        return [(first, {"weight": depthwise, "bias": bias})]
    return [
        (first, {"weight": depthwise, "bias": np.zeros(filters)}),
        (Conv(last, 1), {"weight": from_keras_layout(pointwise[0]), "bias": bias}),
    ]


def _dense(layer: KerasLayer, shape: Shape) -> Part:
    units = layer.config["units"]
    if len(shape) > 1:
        return Dense(units), {}  # which is refused, as it does not fit
    kernel, bias = _kernels(layer, units, (*shape, units))
    return Dense(units), {"weight": from_keras_layout(kernel), "bias": bias}


def _kernels(layer: KerasLayer, outputs: int, *shapes: Shape) -> list[NDArray[np.float64]]:
    """Read kernels, and a bias that is zero where the layer has none."""
    if layer.config.get("use_bias", True):
        return layer.read(*shapes, (outputs,))
    return [*layer.read(*shapes), np.zeros(outputs)]


def _batch_norm(layer: KerasLayer, shape: Shape) -> Part:
    axis, last = layer.config["axis"], len(shape)  # the first is that of the batch
    if axis not in (-1, last, [-1], [last]):
        raise layer.refusal(f"has axis = {axis}, and inkwise takes the last one")
    scale, centre = (layer.config.get(key, True) for key in ("scale", "center"))
    *affine, mean, variance = layer.read(*[shape[-1:]] * (scale + centre + 2))
    gamma = affine.pop(0) if scale else np.ones_like(mean)
    beta = affine.pop(0) if centre else np.zeros_like(mean)
    return BatchNorm(), norm_arrays(gamma, beta, mean, variance, layer.config["epsilon"])
