"""A model as the files that Keras saves."""

import logging
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.model import Model
from inkwise.networks.as_keras import build_keras, require_keras, set_weights
from inkwise.system.files import read_bytes, storage


def keras_bytes(model: Model, suffix: str) -> bytes:
    """Return a model as Keras saves it.

    Parameters
    ----------
    model : Model
    suffix : {".keras", ".h5"}

    Returns
    -------
    bytes
        A ``keras.Sequential``: float32 (N, H, W, 1) in [0, 1] to probabilities (N, classes).
        It is compiled as in the case study, with Adam, and takes one-hot labels.

    Raises
    ------
    LibraryError
        Keras or TensorFlow is not installed.
    """
    require_keras("exporting to Keras")
    copy = build_keras(model.network)
    set_weights(copy, _with_temperature(model))
    copy.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    # With an optimiser that has no variables yet, Keras warns when it loads the file.
    copy.optimizer.build(copy.trainable_variables)
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)  # Keras calls .h5 legacy, which is why one asks for it
    try:
        with tempfile.TemporaryDirectory() as folder, storage(folder, "write to"):
            path = Path(folder) / f"model{suffix}"
            copy.save(path)
            return read_bytes(path)
    finally:
        logger.setLevel(level)


def _with_temperature(model: Model) -> dict[str, NDArray[np.float32]]:
    """Return the weights, with the last layer's divided by the temperature."""
    last = model.network.summary()[-1].parameters
    temperature = np.float32(model.calibration.temperature)
    return {
        name: array / temperature if name in last else array
        for name, array in model.weights.items()
    }
