"""From a network's description to a Keras model, and its weights in either's layout."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import LibraryError
from inkwise.networks.ensemble import Ensemble, require_single
from inkwise.networks.layer_summaries import LayerSummary
from inkwise.networks.layers import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    LEAKY_SLOPE,
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    MaxPool,
    Residual,
    SpatialDropout,
)
from inkwise.networks.network import Network


def require_keras(purpose: str) -> Any:
    """Import Keras on TensorFlow.

    Parameters
    ----------
    purpose : str
        What needs Keras; it becomes the subject of the error's sentence.

    Returns
    -------
    module
        ``keras``.

    Raises
    ------
    LibraryError
        Keras or TensorFlow is not installed, or Keras was imported with another backend.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and errors
    try:
        with _quiet_start():
            import keras
            import tensorflow  # noqa: F401 - Keras may be installed with another backend
    except ImportError as error:
        raise LibraryError(f"{purpose} needs Keras: pip install 'inkwise[keras]'") from error
    if keras.backend.backend() != "tensorflow":
        raise LibraryError(
            f"{purpose} needs Keras on TensorFlow, and this process has it on "
            f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow"
        )
    return keras


def build_keras(network: Network | Ensemble) -> Any:
    """Build the Keras model of a network, with fresh weights.

    Parameters
    ----------
    network : Network or Ensemble
        The description of the network; an ensemble is refused.

    Returns
    -------
    keras.Sequential, or keras.Model with residual blocks
        float32 (N, H, W, 1) in [0, 1] to probabilities (N, classes). Its layers have the names
        that `network.summary()` states.

    Raises
    ------
    ArgumentError
        `network` is an ensemble.
    """
    import keras

    network = require_single(network, "Keras")
    *inner, last = network.summary()
    images = keras.Input((*network.image_size, 1))
    chain: list[Any] = []
    values = {"": images}
    for line in inner:
        made = _make(line)
        values[line.name] = _apply(made, [values[name] for name in line.inputs])
        chain += made
    # As in the case study, the last layer has a softmax; after an activation that is a layer of
    # its own.
    made = _make(last, "softmax")
    chain += made
    if not any(isinstance(line.layer, Residual) for line in inner):
        return keras.Sequential([images, *chain], name="inkwise")
    outputs = _apply(made, [values[name] for name in last.inputs])
    return keras.Model(images, outputs, name="inkwise")


def _apply(made: list[Any], values: list[Any]) -> Any:
    """Apply layers that follow each other, the first of which may take several values."""
    taken = values if len(values) > 1 else values[0]
    for layer in made:
        taken = layer(taken)
    return taken


def _make(line: LayerSummary, activation: str | None = None) -> list[Any]:
    """Make the Keras layers of one of ours, with an activation at its end if it has none."""
    from keras import layers

    layer, name = line.layer, line.name
    match layer:
        case Conv() | Dense():
            return _make_weighted(layer, line, activation)
        case BatchNorm():
            momentum = 1 - BATCH_NORM_MOMENTUM
            return [
                layers.BatchNormalization(momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=name)
            ]
        case Activation("leaky_relu", slope):
            return [_leaky(name, slope)]
        case Activation(function):
            return [layers.Activation(function, name=name)]
        case MaxPool(size) | AveragePool(size):
            kind = "Max" if isinstance(layer, MaxPool) else "Average"
            make = getattr(layers, f"{kind}Pooling2D")
            return [make(size, layer.step, layer.padding, name=name)]
        case GlobalPool(kind):
            return [getattr(layers, f"Global{kind.title()}Pooling2D")(name=name)]
        case Dropout(rate) | SpatialDropout(rate):
            kind = "Dropout" if isinstance(layer, Dropout) else "SpatialDropout2D"
            return [getattr(layers, kind)(rate, name=name)]
        case Flatten():
            return [layers.Flatten(name=name)]
        case Residual():
            return [layers.Add(name=name)]
        case _:
            assert_never(layer)


def _make_weighted(layer: Conv | Dense, line: LayerSummary, activation: str | None) -> list[Any]:
    from keras import layers

    function, name = layer.activation, line.name
    options = {
        "activation": None if function in ("linear", "leaky_relu") else function,
        "kernel_initializer": layer.init,
        "kernel_regularizer": _l2(layer.l2),
        "name": name,
    }
    rest = [_leaky(f"{name}_leaky_relu")] if function == "leaky_relu" else []
    if activation is not None and function == "linear":
        options["activation"] = activation
    elif activation is not None:
        rest.append(layers.Softmax(name=activation))
    if isinstance(layer, Dense):
        return [layers.Dense(line.output_shape[-1], **options), *rest]
    sizes = layer.filters, layer.kernel, layer.stride, layer.padding
    conv = layers.Conv2D(*sizes, dilation_rate=layer.dilation, groups=layer.groups, **options)
    return [conv, *rest]


def _leaky(name: str, slope: float = LEAKY_SLOPE) -> Any:
    from keras import layers

    return layers.LeakyReLU(negative_slope=slope, name=name)


def _l2(factor: float) -> Any:
    from keras import regularizers

    return regularizers.L2(factor) if factor else None


_NORM_ROLES = ("weight", "bias", "running_mean", "running_var")
"""Roles of the arrays of a batch normalisation, in Keras' order."""


def set_weights(model: Any, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Set the weights of a model from `build_keras`, by their names in the network's summary."""
    for name, kernel in weights.items():
        layer, _, role = name.rpartition(".")
        if role == "weight":
            arrays = [weights.get(f"{layer}.{each}") for each in _NORM_ROLES]
            arrays[0] = to_keras_layout(kernel)
            model.get_layer(layer).set_weights([array for array in arrays if array is not None])


def get_weights(model: Any) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a model from `build_keras`, by their names in the network's summary."""
    weights = {}
    for layer in model.layers:
        if layer.weights:
            kernel, *others = layer.get_weights()
            arrays = [from_keras_layout(kernel), *others]
            for role, array in zip(_NORM_ROLES, arrays, strict=False):
                weights[f"{layer.name}.{role}"] = array
    return weights


def to_keras_layout(weight: NDArray[Any]) -> NDArray[Any]:
    """Transpose (out, in, h, w) to (h, w, in, out), and (out, in) to (in, out); keep vectors."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T)


def from_keras_layout(kernel: NDArray[Any]) -> NDArray[Any]:
    """Transpose (h, w, in, out) to (out, in, h, w), and (in, out) to (out, in); keep vectors."""
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Discard what TensorFlow's C++ code writes to stderr on loading, whatever the log level."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is needed
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
