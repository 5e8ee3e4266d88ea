"""The parts that a model is made of, and the check that they fit together."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.model.calibration import Calibration
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.network import Network
from inkwise.networks.rotations import check_rotations


class Parts(NamedTuple):
    """The parts of a model, in the order of `Model`'s parameters, which describe them."""

    network: Network | Ensemble
    weights: Mapping[str, NDArray[np.float32]]
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any]
    calibration: Calibration
    rotations: tuple[float, ...]
    together: bool

    def check(self) -> None:
        """Make sure that the parts fit together.

        Raises
        ------
        ModelError
            The weights do not have the names, shapes and type that the network states, or are not
            finite, or are variances below 0; or the number of class names is not that of the
            network's outputs, or two class names are the same.
        ArgumentError
            The rotations are not different angles from -90 to 90 degrees.
        """
        expected = {
            name: shape
            for line in self.network.summary()
            for name, shape in line.parameters.items()
        }
        found = {name: array.shape for name, array in self.weights.items()}
        if found != expected:
            odd = sorted(
                name for name in {*found, *expected} if found.get(name) != expected.get(name)
            )
            raise ModelError(f"the weights do not fit the network: {', '.join(odd)}")
        if any(array.dtype != np.float32 for array in self.weights.values()):
            raise ModelError("the weights must be float32")
        if not all(np.isfinite(array).all() for array in self.weights.values()):
            raise ModelError("some of the weights are infinite, or are not numbers (NaN)")
        if any((array < 0).any() for name, array in self.weights.items() if name.endswith("_var")):
            raise ModelError("a variance of batch normalisation is below 0")
        if not all(isinstance(name, str) for name in self.class_names):
            raise ModelError(f"class names must be text, not {self.class_names}")
        if len(set(self.class_names)) != len(self.class_names):
            raise ModelError(f"two classes have the same name: {', '.join(self.class_names)}")
        if len(self.class_names) != self.network.classes:
            raise ModelError(
                f"there are {len(self.class_names)} class names, but the network has "
                f"{self.network.classes} outputs"
            )
        check_rotations(self.rotations)
