"""New directories to write into, and names that are safe as parts of a path."""

import errno
import os
import re
from pathlib import Path

from inkwise.errors import ArgumentError, StorageError
from inkwise.system.files import storage

_LONGEST = 100  # characters of a file's path in a run or a model, with what a temporary name adds


def claim_folder(path: str | os.PathLike[str]) -> Path:
    """Create a directory to write into, or take one that is empty.

    Whether its path leaves room for the names of files is tried at once, and not found out when the
    work is done.

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
        _try_longest_name(folder)
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
                _try_longest_name(folder)
                return folder


def _try_longest_name(folder: Path) -> None:
    """Create and remove a file whose name is as long as any that will be in a new directory."""
    file = folder / ("-" * _LONGEST)
    try:
        file.touch()
        file.unlink()
    except OSError as error:
        folder.rmdir()
        if error.errno not in (errno.ENAMETOOLONG, errno.ENOENT):  # Windows says the second
            raise
        length = len(str(folder.absolute()))
        raise StorageError(
            f"{folder} leaves no room for the names of files in it, as its path has {length:,} "
            "characters: choose a shorter one"
        ) from error


def file_name(name: str) -> str:
    """Return a user's name with ``_`` for characters that could lead into another directory."""
    return re.sub(r"[^\w.-]+", "_", name)
