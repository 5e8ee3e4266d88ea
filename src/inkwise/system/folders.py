"""New directories to write into, and names that are safe as parts of a path."""

import os
import re
from pathlib import Path

from inkwise.errors import ArgumentError
from inkwise.system.files import storage


def claim_folder(path: str | os.PathLike[str]) -> Path:
    """Create a directory to write into, or take one that is empty.

    Raises
    ------
    ArgumentError
        The directory already holds files.
    StorageError
        The directory cannot be created or read.
    """
    folder = Path(path)
    with storage(folder, "write to"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ArgumentError(
                f"{folder} holds files already: choose another --output, or remove it"
            )
    return folder


def claim_next(parent: Path, name: str) -> Path:
    """Create the first of ``name-1``, ``name-2`` and so on that does not exist under `parent`.

    Raises
    ------
    StorageError
        The directory cannot be created.
    """
    with storage(parent, "write to"):
        parent.mkdir(exist_ok=True)
    number = 1
    while True:
        folder = parent / f"{name}-{number}"
        with storage(folder, "write to"):
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder


def file_name(name: str) -> str:
    """Return a user's name with ``_`` for characters that could lead into another directory."""
    return re.sub(r"[^\w.-]+", "_", name)
