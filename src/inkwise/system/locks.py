"""Folders that one process at a time works in."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from inkwise.errors import RunError
from inkwise.system.files import storage

LOCK_FILE = "lock"
"""Name of the empty file that is locked."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder that the operating system takes back from a process that is no more.

    Where the file system knows no locks, nothing is held.

    Parameters
    ----------
    folder : Path
        An existing folder, which gets a file `LOCK_FILE`.

    Raises
    ------
    RunError
        Another process, or this one, holds the lock.
    StorageError
        The folder cannot be written to.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from inkwise.system.locks import locked
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with locked(folder):
    ...     [path.name for path in folder.iterdir()]
    ['lock']
    """
    path = folder / LOCK_FILE
    with storage(path, "write"):
        file = path.open("ab")
    with file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            raise RunError(
                f"another process is at work in {folder}: wait for it, or end it"
            ) from error
        except OSError:
            pass  # no locks here, as on some network drives
        yield


def _lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
