"""Finding the model that a path refers to."""

import os
from pathlib import Path

from inkwise.errors import ModelError, RunError
from inkwise.model import Model
from inkwise.model.pretrained import load_pretrained
from inkwise.model.saving import DOCUMENT_FILE
from inkwise.system.files import read_bytes, storage

PRETRAINED = "pretrained"
"""The name of the package's model, wherever a model is named."""


def is_run(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is the directory of a run."""
    with storage(Path(path), "read"):
        return (Path(path) / "run.json").is_file()


def find_model(path: str | os.PathLike[str]) -> Model:
    """Load the model that a path or the word ``pretrained`` names.

    Parameters
    ----------
    path : path-like
        A directory that `inkwise train` wrote, or its ``model/``, or a copy of that; or an ONNX
        file that `inkwise export` wrote; or ``pretrained``, the package's model.

    Returns
    -------
    Model
        The model; that of a run is as of its last finished epoch.

    Raises
    ------
    RunError
        The run has no model yet.
    ModelError
        There is neither a run nor a model at `path`, or the model is damaged.
    StorageError
        A file cannot be read.

    Examples
    --------
    >>> from inkwise.runs.models import find_model
    >>> find_model("pretrained").class_names[:3]
    ('0', '1', '2')
    """
    if str(path) == PRETRAINED:
        return load_pretrained()
    folder = Path(path)
    with storage(folder, "read"):
        if folder.is_file():
            try:
                return Model.from_onnx(read_bytes(folder))
            except ModelError as error:
                raise ModelError(
                    f"{path} holds no model of inkwise's: name a run, a model directory or a file "
                    "from `inkwise export --format onnx`; `inkwise import` reads other programs' "
                    "models"
                ) from error
        if is_run(folder):
            folder = folder / "model"
            if not folder.exists():
                raise RunError(
                    f"{path} has no model: its training ended before the first epoch did"
                )
        elif not (folder / DOCUMENT_FILE).is_file():
            raise ModelError(
                f"there is neither a run nor a model at {path}: name a directory that `inkwise "
                "train` wrote, or its model/, or a file that `inkwise export --format onnx` wrote"
            )
    return Model.load(folder)
