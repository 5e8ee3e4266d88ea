"""A model's files for the engine in a browser."""

import hashlib
import json
from importlib import resources

from inkwise.model import Model
from inkwise.model.hands import HANDS
from inkwise.networks.as_onnx import read_metadata
from inkwise.reading.alphabet import DIGITS
from inkwise.reading.line_model import CALIBRATION
from inkwise.reading.line_model import FILE as LINES
from inkwise.system.files import json_bytes

NAME = "inkwise"
"""The model's name in answers, as the service gives it."""


def model_files(model: Model) -> dict[str, bytes]:
    """Return the files that the engine needs of a model.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    dict of str to bytes
        The network, ``model.onnx``, and what else an answer needs, ``model.json``. A model of the
        ten digits has ``lines.onnx`` and ``lines.json`` too, with which numbers are read.

    Examples
    --------
    >>> import inkwise
    >>> from inkwise.browser.model_files import model_files
    >>> list(model_files(inkwise.load_pretrained()))
    ['model.onnx', 'model.json', 'lines.onnx', 'lines.json']
    """
    calibration = model.calibration.to_dict()
    document = {
        "model": {"name": NAME, "version": hashlib.sha256(model.onnx).hexdigest()[:12]},
        "class_names": model.class_names,
        "image_size": model.network.image_size,
        "together": model.together,
        "lowest_score": calibration["lowest_score"],
        "lowest_probability": calibration["lowest_probability"],
        "hands": HANDS,
        "reads_numbers": model.class_names == tuple(DIGITS),
    }
    files = {"model.onnx": model.onnx, "model.json": json_bytes(document)}
    if document["reads_numbers"]:
        lines = resources.files("inkwise.reading").joinpath(LINES).read_bytes()
        slope, offset = json.loads(read_metadata(lines)[CALIBRATION])
        files["lines.onnx"] = lines
        files["lines.json"] = json_bytes({"slope": slope, "offset": offset})
    return files
