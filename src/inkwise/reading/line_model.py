"""The network in the package that reads lines, on ONNX Runtime."""

import functools
import json
import math
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.networks.sessions import open_session, run_session
from inkwise.reading.text_lines import ROWS

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FILE = "lines.onnx"
"""Its file, which `benchmarks/line_network.py` writes."""

LINES, PROBABILITIES, CALIBRATION = "lines", "probabilities", "calibration"
"""The network's input and output, and the entry of its metadata with the calibration."""

STEP = 2
"""Columns of a line for each place at which the network looks for signs."""

_WIDTHS = 16
"""Lines are widened to a multiple of as many columns."""


class LineModel:
    """A network that reads lines.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        As `inkwise.networks.sessions.open_session` returns it.
    slope, offset : float
        Of the calibration, on the scale of log odds.
    """

    def __init__(self, session: "InferenceSession", slope: float, offset: float) -> None:
        self._session, self.slope, self.offset = session, slope, offset

    def run(self, levels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of signs, float32 (T, 17), along a line, uint8 (32, W)."""
        width = levels.shape[1] + -levels.shape[1] % _WIDTHS
        line = np.zeros((1, ROWS, width), np.uint8)
        line[0, :, : levels.shape[1]] = levels
        (probabilities,) = run_session(self._session, line, [PROBABILITIES], FILE, LINES)
        return probabilities[0]

    def calibrate(self, probability: float) -> float:
        """Return the probability that a whole reading is right, from the network's own.

        References
        ----------
        J. Platt, "Probabilistic outputs for support vector machines", 1999.
        """
        inside = min(max(probability, 1e-9), 1 - 1e-9)
        odds = self.slope * math.log(inside / (1 - inside)) + self.offset
        return 1 / (1 + math.exp(-odds))


def open_line_model(content: bytes) -> LineModel:
    """Open the file that `inkwise.training.line_network.to_onnx` writes."""
    session = open_session(content, FILE)
    metadata = session.get_modelmeta().custom_metadata_map
    slope, offset = json.loads(metadata[CALIBRATION])
    return LineModel(session, slope, offset)


@functools.cache
def load_line_model() -> LineModel:
    """Open the network in the package.

    Raises
    ------
    ModelError
        The package was built without it, or the file is damaged.
    """
    try:
        return open_line_model(resources.files("inkwise.reading").joinpath(FILE).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(
            f"this copy of inkwise was built without {FILE}: install it again"
        ) from error
    except (ModelError, KeyError, ValueError) as error:
        raise ModelError(
            f"{FILE}, which comes with inkwise, is damaged: install it again"
        ) from error
