"""A model's files for the engine in a browser."""

import gzip
import hashlib
import json
from importlib import resources

import numpy as np

from inkwise.model import Model
from inkwise.model.hands import HANDS
from inkwise.networks.as_onnx import read_metadata, round_weights
from inkwise.reading.alphabet import DIGITS
from inkwise.reading.line_model import CALIBRATION
from inkwise.reading.line_model import FILE as LINES
from inkwise.system.files import json_bytes

NAME = "inkwise"
"""The model's name in answers, as the service gives it."""


BITS = 7
"""Bits of 23 that are rounded away from a network's weights, so that they compress better.

Of 10,000 images that MNIST trains with, no probability changed by more than 0.00006.
"""

BITS_OF_LINES = 4
"""The same of 10 bits, for the network that reads lines.

Of 1,200 numbers composed of digits that MNIST trains with, all were read alike, three with another
verdict. With five bits, two were read otherwise.
"""


def model_files(model: Model) -> dict[str, bytes]:
    """Return the files that the engine needs of a model.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    dict of str to bytes
        The network, ``model.onnx.gz``, and what else an answer needs, ``model.json``. A model of
        the ten digits has ``lines.onnx.gz`` and ``lines.json`` too, with which numbers are read.
        Networks are compressed, because many hosts send such files as they are.

    Examples
    --------
    >>> import inkwise
    >>> from inkwise.browser.model_files import model_files
    >>> list(model_files(inkwise.load_pretrained()))
    ['model.onnx.gz', 'model.json', 'lines.onnx.gz', 'lines.json']
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
    network = round_weights(model.onnx, np.float32, BITS)
    files = {"model.onnx.gz": _compressed(network), "model.json": json_bytes(document)}
    if document["reads_numbers"]:
        lines = resources.files("inkwise.reading").joinpath(LINES).read_bytes()
        slope, offset = json.loads(read_metadata(lines)[CALIBRATION])
        files["lines.onnx.gz"] = _compressed(round_weights(lines, np.float16, BITS_OF_LINES))
        files["lines.json"] = json_bytes({"slope": slope, "offset": offset})
    return files


def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # the same file each time
