"""Directories for what is about to be written, and names that stay inside them."""

import os
import re
from pathlib import Path

from inkwise.errors import ArgumentError
from inkwise.system.files import storage


def claim_folder(path: str | os.PathLike[str]) -> Path:
    """Make a directory for what is about to be written.

    Raises
    ------
    ArgumentError
        It holds files already.
    StorageError
        It cannot be made.
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
    """Make the next free directory ``name-1``, ``name-2`` and so on under `parent`.

    Raises
    ------
    StorageError
        It cannot be made.
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
    """Return a name with what would lead into another directory replaced: it is a user's own."""
    return re.sub(r"[^\w.-]+", "_", name)
