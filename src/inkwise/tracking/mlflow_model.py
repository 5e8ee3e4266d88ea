"""What MLflow loads a model of ours by: its files are read, and nothing is unpickled."""

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkwise.model import Model


class _Probabilities:
    """A model as MLflow's ``python_function``."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, model_input: ArrayLike, params: Any = None) -> NDArray[np.float32]:  # noqa: ARG002 - MLflow passes them
        """Return the probabilities, float32 (N, classes), of images, uint8 (N, H, W)."""
        return self._model.predict_proba(model_input)


def _load_pyfunc(path: str | os.PathLike[str]) -> _Probabilities:
    return _Probabilities(Model.load(path))
