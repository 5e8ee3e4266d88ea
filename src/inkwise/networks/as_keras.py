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
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool, Network


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
    keras.Sequential
        float32 (N, H, W, 1) in [0, 1] to probabilities (N, classes). Its layers have the names
        that `network.summary()` states.

    Raises
    ------
    ArgumentError
        `network` is an ensemble.
    """
    import keras
    from keras import layers

    network = require_single(network, "Keras")
    model = keras.Sequential([keras.Input((*network.image_size, 1))], name="inkwise")
    # As in the case study, the last layer has a softmax; after a ReLU that is a layer of its own.
    last = network.layers[-1]
    for line in network.summary():
        layer, name = line.layer, line.name
        match layer:
            case Conv(filters, kernel, relu, stride):
                activation = "relu" if relu else None
                model.add(layers.Conv2D(filters, kernel, stride, activation=activation, name=name))
            case MaxPool(size):
                model.add(layers.MaxPooling2D(size, name=name))
            case Flatten():
                model.add(layers.Flatten(name=name))
            case Dropout(rate):
                model.add(layers.Dropout(rate, name=name))
            case Dense(units, relu):
                activation = "relu" if relu else "softmax" if layer is last else None
                model.add(layers.Dense(units, activation=activation, name=name))
            case _:
                assert_never(layer)
    if isinstance(last, Dense) and last.relu:
        model.add(layers.Softmax(name="softmax"))
    return model


def set_weights(model: Any, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Set the weights of a model from `build_keras`, by their names in the network's summary."""
    for name, kernel in weights.items():
        layer, _, role = name.rpartition(".")
        if role == "weight":
            arrays = [to_keras_layout(kernel), weights[f"{layer}.bias"]]
            model.get_layer(layer).set_weights(arrays)


def get_weights(model: Any) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a model from `build_keras`, by their names in the network's summary."""
    weights = {}
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            weights[f"{layer.name}.weight"] = from_keras_layout(kernel)
            weights[f"{layer.name}.bias"] = bias
    return weights


def to_keras_layout(weight: NDArray[Any]) -> NDArray[Any]:
    """Transpose PyTorch's (out, in, h, w) to (h, w, in, out), and (out, in) to (in, out)."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T)


def from_keras_layout(kernel: NDArray[Any]) -> NDArray[Any]:
    """Transpose Keras' (h, w, in, out) to (out, in, h, w), and (in, out) to (out, in)."""
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
