"""Files by path or by address: on this machine, or wherever fsspec reaches (``s3://``)."""

import contextlib
import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from inkwise.errors import InkwiseError, LibraryError, StorageError
from inkwise.system.extras import require_scale
from inkwise.system.files import open_regular, read_bytes, storage, write_bytes, writing

_MARK = "://"
_LOCAL = ("file", "local")


def is_address(place: str) -> bool:
    """Tell whether this is an address, such as ``s3://bucket/scans``, and no path."""
    return _MARK in place


def without_scheme(place: str) -> str:
    """Return an address of this machine's own files (``file://``) as a path, so that it is one.

    What is no such address is returned as it is.

    Raises
    ------
    LibraryError
        It is such an address, and the extra ``scale`` is not installed.
    """
    if place.partition(_MARK)[0] not in _LOCAL:
        return place
    require_scale(f"{place}, an address,")
    import fsspec

    return str(fsspec.core.strip_protocol(place))


@contextlib.contextmanager
def _reaching(place: str, verb: str) -> Iterator[Any]:
    """Yield fsspec's file system of an address; its errors of any class are a `StorageError`."""
    require_scale(f"{place}, an address,")
    import fsspec

    try:
        # A listing that is kept would grow with the number of files.
        yield fsspec.core.url_to_fs(place, use_listings_cache=False)[0]
    except InkwiseError:  # of whoever uses it
        raise
    except FileNotFoundError as error:
        raise StorageError(f"cannot {verb} {place}: there is no such file") from error
    except ImportError as error:  # fsspec's message names the package of this kind of address
        raise LibraryError(f"{place} needs another package: {error}") from error
    except Exception as error:  # each file system has exceptions of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"cannot {verb} {place}: {reason}") from error


@contextlib.contextmanager
def open_place(place: str) -> Iterator[IO[bytes]]:
    """Open a file to read it; it can be rewound.

    Raises
    ------
    StorageError
        It is missing or cannot be read, also where the caller reads it.
    LibraryError
        It is an address, and the extra ``scale`` is not installed.
    """
    if not is_address(place):
        with open_regular(place) as file:
            yield file
        return
    with _reaching(place, "read") as system, system.open(place, "rb") as file:
        yield file


def read_place(place: str) -> bytes:
    """Return the content of a file; errors as of `open_place`."""
    if not is_address(place):
        return read_bytes(place)
    with _reaching(place, "read") as system:
        return bytes(system.cat_file(place))


def size_of(place: str) -> int:
    """Return the number of bytes of a file; errors as of `open_place`."""
    if not is_address(place):
        with storage(place, "read"):
            return Path(place).stat().st_size
    with _reaching(place, "read") as system:
        return int(system.size(place))


def write_place(place: str, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none, as an object store does by itself."""
    if not is_address(place):
        write_bytes(place, content)
        return
    with _reaching(place, "write") as system:
        system.pipe_file(place, content)


@contextlib.contextmanager
def writing_place(place: str) -> Iterator[IO[bytes]]:
    """Write a file of any length as `write_place` does."""
    if not is_address(place):
        with writing(place) as file:
            yield file
        return
    with _reaching(place, "write") as system, system.open(place, "wb") as file:
        try:
            yield file
        except BaseException:
            file.discard()
            raise


def join_place(folder: str, name: str) -> str:
    """Return the place of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_address(folder) else str(Path(folder) / name)


def names_in(folder: str) -> list[str]:
    """Return the names of the files in a folder, sorted; none if there is no such folder."""
    if not is_address(folder):
        with storage(folder, "read"):
            return sorted(os.listdir(folder)) if os.path.lexists(folder) else []  # noqa: PTH208
    with _reaching(folder, "read") as system:
        try:
            found = system.ls(folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in found)


def files_below(address: str) -> Iterator[str]:
    """Yield the addresses of all files below an address; of those that match, if it has ``*``."""
    with _reaching(address, "read") as system:
        scheme = address.partition(_MARK)[0]
        if "*" in address:
            yield from (f"{scheme}{_MARK}{name}" for name in sorted(system.glob(address)))
            return
        if system.isfile(address):
            yield address
            return
        empty = True
        for folder, _, names in system.walk(address):
            for name in sorted(names):
                if not fnmatch.fnmatch(name, ".*"):
                    empty = False
                    yield f"{scheme}{_MARK}{folder}/{name}"
        if empty:
            raise FileNotFoundError(address)
