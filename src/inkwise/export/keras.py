"""A model as the files that Keras saves."""

import logging
import tempfile
from pathlib import Path

from inkwise.files import read_bytes, storage
from inkwise.model import Model
from inkwise.networks.keras import build_keras, require_keras, set_weights


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
    set_weights(copy, model.weights)
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
