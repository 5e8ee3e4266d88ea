"""Atomic writing of files, and the operating system's errors in one line."""

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from inkwise.errors import StorageError

LONGEST_PATH = 247 if os.name == "nt" else 0
"""Characters of a folder's path on Windows, which says of longer ones that they do not exist."""


@contextlib.contextmanager
def storage(path: str | os.PathLike[str], verb: str) -> Iterator[None]:
    """Turn an `OSError` raised inside the block into a `StorageError` about `path`."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise StorageError(f"cannot {verb} {path}: it is no name on this system") from error
    except ValueError as error:
        if "null" not in str(error):
            raise
        raise StorageError(f"cannot {verb} {path}: no name has a null character") from error
    except OSError as error:
        reason = error.strerror or str(error)
        length = len(os.path.abspath(path))  # noqa: PTH100 - of a path that need not exist
        if LONGEST_PATH and length > LONGEST_PATH and isinstance(error, FileNotFoundError):
            reason = (
                f"its path has {length} characters, and Windows takes {LONGEST_PATH}: choose a "
                "folder with a shorter path, or enable long paths in Windows"
            )
        raise StorageError(f"cannot {verb} {path}: {reason}") from error


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file atomically: a reader sees either all of it or none.

    The bytes go to a temporary name in the same folder, are flushed to the disk, and only then
    take the final name. Missing parent folders are created. A pipe or a device is not replaced:
    the bytes are written to it directly.

    Parameters
    ----------
    path : path-like
        The file to write; an existing one is replaced.
    content : bytes
        The whole content of the file.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    StorageError
        The operating system refused: there is no permission, the disk is full, or a file is where
        a folder should be.
    """
    path = Path(path)
    with storage(path, "write"):
        if path.exists() and not path.is_file():  # a pipe or a device, such as /dev/stdout
            path.write_bytes(content)
            return path
    write_together({path: content})
    return path


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files that belong together, each as `write_bytes` does.

    No file takes its final name before all of them are on the disk. If the disk is full or the
    program is killed, the old files remain; only between two renames can old and new mix.
    """
    temporaries: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            with storage(path, "write"):
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
                temporaries[temporary] = path
                with temporary.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        for temporary, path in temporaries.items():
            with storage(path, "write"):
                temporary.replace(path)
    except BaseException:
        for temporary in temporaries:
            with contextlib.suppress(ValueError):  # no name of a file; nothing was written
                temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file of any length to write it as `write_bytes` does: whole, or not at all."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storage(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write UTF-8 text as `write_bytes` does; see `to_utf8`."""
    return write_bytes(path, to_utf8(text))


def to_utf8(text: str) -> bytes:
    r"""Encode text that may have names of files in it, which can be any bytes.

    Bytes that are not UTF-8 are surrogates in Python, and are escaped as ``\udcff``, which JSON
    reads back as the same name.
    """
    return text.encode("utf-8", "backslashreplace")


def write_json(path: str | os.PathLike[str], document: Any) -> Path:
    """Write a JSON document as `write_bytes` does; see `json_bytes`."""
    return write_bytes(path, json_bytes(document))


def json_bytes(document: Any) -> bytes:
    """Return a JSON document as indented UTF-8; NaN and infinity raise `ValueError`."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return to_utf8(f"{text}\n")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file; see `open_regular`, also for the errors."""
    with open_regular(path) as file:
        return file.read()


@contextlib.contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that has a beginning and an end: no pipe, for which one would wait, no device.

    Raises
    ------
    StorageError
        It is no such file, or the operating system refuses.
    """
    with storage(path, "read"):
        kind = Path(path).stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # opening a folder tells what it is
            raise StorageError(f"cannot read {path}: it is a pipe or a device, and no file")
        with Path(path).open("rb") as file:
            yield file
