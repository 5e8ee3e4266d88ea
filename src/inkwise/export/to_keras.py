"""Export of a model to the file formats of Keras."""

import logging
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.model import Model
from inkwise.networks.as_keras import build_keras, require_keras, set_weights
from inkwise.system.files import read_bytes, storage


def keras_bytes(model: Model, suffix: str) -> bytes:
    """Return the content of a file in which Keras saves a model.

    Parameters
    ----------
    model : Model
        The model to export. A single network without rotations; its temperature is included.
    suffix : {".keras", ".h5"}
        The suffix of the file, which decides its format.

    Returns
    -------
    bytes
        A ``keras.Sequential`` from float32 (N, H, W, 1) in [0, 1] to probabilities (N, classes).
        It is compiled with Adam, as in the case study, and expects one-hot labels.

    Raises
    ------
    LibraryError
        Keras or TensorFlow is not installed.
    """
    require_keras("exporting to Keras")
    copy = build_keras(model.network)
    set_weights(copy, _with_temperature(model))
    copy.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    # Keras would warn on loading the file if the optimiser had no variables yet.
    copy.optimizer.build(copy.trainable_variables)
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)  # Keras warns that .h5 is legacy, but it was asked for
    try:
        with tempfile.TemporaryDirectory() as folder, storage(folder, "write to"):
            path = Path(folder) / f"model{suffix}"
            copy.save(path)
            return read_bytes(path)
    finally:
        logger.setLevel(level)


def _with_temperature(model: Model) -> dict[str, NDArray[np.float32]]:
    """Return the weights, those of the last layer divided by the temperature."""
    last = model.network.summary()[-1].parameters
    temperature = np.float32(model.calibration.temperature)
    return {
        name: array / temperature if name in last else array
        for name, array in model.weights.items()
    }
