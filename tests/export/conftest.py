"""Models that are made with Keras."""

from typing import Any

import numpy as np


def randomise(model: Any) -> Any:
    """Draw all of a Keras model's weights, with variances above 0, and return the model."""
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            values = generator.normal(0, 0.3, variable.shape)
            variable.assign(abs(values) if "variance" in variable.name else values)
    return model
