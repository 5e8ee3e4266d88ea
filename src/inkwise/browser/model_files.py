"""A model's files for the engine in a browser."""

import hashlib
import json
import os
from importlib import resources
from pathlib import Path

from inkwise.model import Model
from inkwise.model.hands import HANDS
from inkwise.networks.as_onnx import read_metadata
from inkwise.reading.alphabet import DIGITS
from inkwise.reading.line_model import CALIBRATION
from inkwise.reading.line_model import FILE as LINES
from inkwise.system.files import json_bytes, write_together

NAME = "inkwise"
"""The model's name in answers, as the service gives it."""


def write_model_files(model: Model, folder: str | os.PathLike[str]) -> list[Path]:
    """Write what the engine needs of a model into a folder.

    Parameters
    ----------
    model : Model
        The model.
    folder : path-like
        The folder, which is made if it is missing.

    Returns
    -------
    list of Path
        The network, ``model.onnx``, and what else an answer needs, ``model.json``. A model of the
        ten digits has ``lines.onnx`` and ``lines.json`` too, with which numbers are read.

    Raises
    ------
    StorageError
        A file cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> from inkwise.browser.model_files import write_model_files
    >>> [path.name for path in write_model_files(inkwise.load_pretrained(), "site/model")]
    ['model.onnx', 'model.json', 'lines.onnx', 'lines.json']
    """
    contents = {Path(folder) / name: content for name, content in model_files(model).items()}
    write_together(contents)
    return list(contents)


def model_files(model: Model) -> dict[str, bytes]:
    """Return the same files as `write_model_files` writes, by their names."""
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
