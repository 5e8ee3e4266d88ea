"""Finding pictures: files, those in folders, and those whose names match a pattern."""

import glob
import os
from pathlib import Path
from typing import NamedTuple

from inkwise.errors import DataError, InkwiseError, StorageError
from inkwise.ink.decoding import SUFFIXES
from inkwise.system.files import storage


class Source(NamedTuple):
    """A picture that waits for its answer.

    Parameters
    ----------
    name : str
        What to call it.
    picture : Path, bytes or InkwiseError
        The file, or what an encoded file holds; or why there is none.
    """

    name: str
    picture: Path | bytes | InkwiseError


def find_pictures(file: str | os.PathLike[str]) -> list[Source]:
    """Find the pictures that a name stands for.

    Parameters
    ----------
    file : path-like
        A file; a folder, for the pictures that lie in it, by their names' endings, but not in
        folders below; or a pattern with ``*``, ``?``, ``[]`` or ``**``, as shells have them, for
        all of these. Hidden files are left out.

    Returns
    -------
    list of Source
        Sorted by name. A name that stands for no picture is one, with the error for a picture.
    """
    name = os.fspath(file)
    matches = [name]
    if glob.has_magic(name) and not os.path.lexists(name):
        # Windows' shells leave patterns to the program. Unlike pathlib's, these may be absolute.
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
        if not matches:
            return [Source(name, DataError(f"no file's name matches {name}"))]
    sources = [source for match in matches for source in _look(Path(match))]
    if "**" in name:  # which matches folders, of folders only too, besides what lies in them
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
