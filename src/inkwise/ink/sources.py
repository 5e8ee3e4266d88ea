"""Finding pictures: by the name of a file, of a folder, or by a pattern."""

import glob
import os
from pathlib import Path
from typing import NamedTuple

from inkwise.errors import DataError, InkwiseError, StorageError
from inkwise.ink.decoding import SUFFIXES
from inkwise.system.files import storage


class Source(NamedTuple):
    """A picture that is to be classified.

    Parameters
    ----------
    name : str
        The name of the picture in messages and tables.
    picture : Path, bytes or InkwiseError
        The path or the bytes of an encoded file; or the error that says why there is none.
    """

    name: str
    picture: Path | bytes | InkwiseError


def find_pictures(file: str | os.PathLike[str]) -> list[Source]:
    """Find the pictures that a name stands for.

    Parameters
    ----------
    file : path-like
        The name of a file or of a folder, or a pattern of such names with ``*``, ``?``, ``[]`` or
        ``**``, as in a shell. A folder stands for the pictures that lie directly in it, known by
        the endings of their names. Hidden files are left out.

    Returns
    -------
    list of Source
        Sorted by name. A name that stands for no picture has an error in place of its picture.
    """
    name = os.fspath(file)
    matches = [name]
    if glob.has_magic(name) and not os.path.lexists(name):
        # Windows' shells leave patterns to the program. Unlike pathlib's, these may be absolute.
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
        if not matches:
            return [Source(name, DataError(f"no file's name matches {name}"))]
    sources = [source for match in matches for source in _look(Path(match))]
    if "**" in name:  # it also matches folders without pictures, whose errors would mislead
        sources = [source for source in sources if isinstance(source.picture, Path)] or sources
    return [*{source.name: source for source in sources}.values()]


def _look(path: Path) -> list[Source]:
    try:
        with storage(path, "read"):
            if not path.is_dir():
                return [Source(str(path), path)]
            found = sorted(
                entry
                for entry in path.iterdir()
                if entry.suffix.lower() in SUFFIXES
                and not entry.name.startswith(".")
                and entry.is_file()
            )
    except StorageError as error:
        return [Source(str(path), error)]
    if not found:
        endings = ", ".join(SUFFIXES)
        return [Source(str(path), DataError(f"no file in {path} ends in {endings}"))]
    return [Source(str(entry), entry) for entry in found]
