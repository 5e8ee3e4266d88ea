"""Finding the model that a path refers to."""

import os
from pathlib import Path

from inkwise.errors import ModelError, RunError
from inkwise.model import Model
from inkwise.model.saving import DOCUMENT_FILE
from inkwise.system.files import storage


def find_model(path: str | os.PathLike[str]) -> Model:
    """Load the model of a run directory, or of a model directory.

    Parameters
    ----------
    path : path-like
        A directory that `inkwise train` wrote, or its ``model/``, or a copy of that.

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
    """
    folder = Path(path)
    with storage(folder, "read"):
        if (folder / "run.json").is_file():
            folder = folder / "model"
            if not folder.exists():
                raise RunError(
                    f"{path} has no model: its training ended before the first epoch did"
                )
        elif not (folder / DOCUMENT_FILE).is_file():
            raise ModelError(
                f"there is neither a run nor a model at {path}: name a directory that `inkwise "
                "train` wrote, or its model/"
            )
    return Model.load(folder)
