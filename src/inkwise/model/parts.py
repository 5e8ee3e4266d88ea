"""What a model is made of, and whether its parts go together."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.model.calibration import Calibration
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Network
from inkwise.networks.rotations import check_rotations


class Parts(NamedTuple):
    """The parts of a model, in the order in which `Model` takes them; see there."""

    network: Network | Ensemble
    weights: Mapping[str, NDArray[np.float32]]
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any]
    calibration: Calibration
    rotations: tuple[float, ...]

    def check(self) -> None:
        """Make sure that the parts make a model.

        Raises
        ------
        ModelError
            The weights are not those of the network, or not finite, or the class names not as many
            as its outputs, or two of them are the same.
        ArgumentError
            A rotation is not an angle that a model takes.
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
            raise ModelError("some of the weights are infinite, or no numbers (NaN)")
        if not all(isinstance(name, str) for name in self.class_names):
            raise ModelError(f"class names must be text, not {self.class_names}")
        if len(set(self.class_names)) != len(self.class_names):
            raise ModelError(f"two classes have one name: {', '.join(self.class_names)}")
        if len(self.class_names) != self.network.classes:
            raise ModelError(
                f"{len(self.class_names)} class names do not go with the network's "
                f"{self.network.classes} outputs"
            )
        check_rotations(self.rotations)
