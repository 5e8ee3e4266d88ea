"""Files that may hold a data set: in folders, in folders of folders, and in ZIP archives."""

import contextlib
import dataclasses
import errno
import gzip
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from inkwise.data.idx import open_gzip
from inkwise.errors import DataError, StorageError
from inkwise.system.files import open_regular, storage

DEPTH = 6
"""Folders below folders that are looked into; Hugging Face's cache has five."""

START = 1 << 16
"""Bytes of a file by which its format is recognised; a header of 784 columns has about 8,000."""

UNPACKING_ERRORS = (NotImplementedError, RuntimeError)
"""What `zipfile` raises for a method that it does not know, and for a missing password."""

_MAGIC = {"zip": b"PK\x03\x04", "gzip": b"\x1f\x8b"}

# Names that files of data have; what they are is told by their content. A folder of pictures may
# hold a hundred thousand others, which need not be opened.
NAMES = re.compile(
    r"idx|ubyte|\.(npz|csv|tsv|arff|parquet|pq|zip|mat|pkl|pickle)(\.gz)?$", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file in a folder, or in a ZIP archive.

    Parameters
    ----------
    path : Path
        The file, or the archive.
    member : str
        Its name in the archive; empty for a file in a folder.
    alone : bool
        Whether it is the only file of data in its archive.
    """

    path: Path
    member: str = ""
    alone: bool = False

    def __str__(self) -> str:
        return str(self.path / self.member)

    @property
    def name(self) -> str:
        """Name without the folder and without a ``.gz`` behind it."""
        return re.sub(r"\.gz$", "", (self.path / self.member).name, flags=re.IGNORECASE)

    @property
    def folder(self) -> Path:
        """The folder that it is in; for a file of an archive, a folder below the archive."""
        if self.alone:  # a file that was put into an archive of its own to make it smaller
            return self.path.parent
        return (self.path / self.member).parent

    @contextlib.contextmanager
    def open_stored(self) -> Iterator[tuple[IO[bytes], int]]:
        """Open the file as it is stored, perhaps compressed by gzip; gives its size as well.

        Raises
        ------
        DataError
            The file, or its archive, is damaged or encrypted.
        StorageError
            The file cannot be read.
        """
        with open_regular(self.path) as file, self._telling_damage():
            if not self.member:
                yield file, os.fstat(file.fileno()).st_size
                return
            with zipfile.ZipFile(file) as archive, archive.open(self.member) as member:
                yield member, archive.getinfo(self.member).file_size

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file's content, decompressed; raises what `open_stored` does."""
        with self.open_stored() as (file, _):
            compressed = file.read(2) == _MAGIC["gzip"]
            file.seek(0)
            if not compressed:
                yield cast(BinaryIO, file)
                return
            with open_gzip(file) as content:
                yield cast(BinaryIO, content)

    def start(self) -> bytes:
        """Return the first bytes of the content; none where they cannot be read."""
        try:
            with self.open() as file:
                return file.read(START)
        except (DataError, StorageError):
            return b""

    @contextlib.contextmanager
    def _telling_damage(self) -> Iterator[None]:
        try:
            yield
        except (
            EOFError,
            UnicodeError,
            zlib.error,
            lzma.LZMAError,
            gzip.BadGzipFile,
            zipfile.BadZipFile,
        ) as error:
            kind = "file in a ZIP archive" if self.member else "compressed file"
            raise DataError(
                f"{self} is a damaged {kind} ({error}): fetch or copy it again"
            ) from error
        except OSError as error:
            if error.errno not in (errno.EINVAL, None):
                raise
            # An archive whose directory points to before its beginning; without a number, a stream
            # of bzip2 that is damaged.
            raise DataError(f"{self} is a damaged archive: fetch or copy it again") from error
        except UNPACKING_ERRORS as error:
            raise DataError(f"{self} cannot be unpacked ({error}): unpack it yourself") from error


def list_stored(root: Path, names: re.Pattern[str] = NAMES) -> list[StoredFile]:
    """List the files that may hold data.

    Parameters
    ----------
    root : Path
        A folder, in which files with such names are listed, to six folders down; or a file,
        whatever its name. A ZIP archive stands for the files in it. Hidden files are left out.
    names : re.Pattern, optional
        Found in the names of files and of ZIP archives; by default those of images and tables.

    Returns
    -------
    list of StoredFile
        Sorted by folder and name, a plain file before a compressed one.

    Raises
    ------
    DataError
        `root` is a damaged archive.
    StorageError
        `root` cannot be looked into.
    """
    with storage(root, "look into"):
        if not root.is_dir():
            return unpack(root, names) if root.exists() else []
    found = []
    for folder, inner, files in os.walk(root):
        deep = len(Path(folder).relative_to(root).parts)
        inner[:] = sorted(name for name in inner if name[0] != "." and deep < DEPTH)
        for name in files:
            path = Path(folder, name)
            if name[0] != "." and names.search(name) and path.is_file():
                try:
                    found += unpack(path, names)
                except (DataError, StorageError):  # the folder's other files are told or read
                    found.append(StoredFile(path))
    # Among files of one name a plain one stands first, and `-idx` before `.idx`.
    return sorted(found, key=lambda file: (file.folder, bool(file.member), str(file)))


def is_arrays(file: StoredFile, start: bytes) -> bool:
    """Tell whether a file is an archive of NumPy arrays."""
    if not start.startswith(_MAGIC["zip"]):
        return False
    try:
        with file.open() as content, zipfile.ZipFile(content) as archive:
            names = archive.namelist()
    except (DataError, StorageError):
        return file.name.lower().endswith(".npz")
    return bool(names) and all(name.endswith(".npy") for name in names)


def unpack(path: Path, names: re.Pattern[str] = NAMES) -> list[StoredFile]:
    """Return a file, or the files with such names in it where it is a ZIP archive.

    Raises
    ------
    DataError
        It is a damaged archive.
    StorageError
        It cannot be read.
    """
    file = StoredFile(path)
    start = file.start()
    if not start.startswith(_MAGIC["zip"]) or is_arrays(file, start):
        return [file]
    with file.open_stored() as (content, _), zipfile.ZipFile(content) as archive:
        members = [
            name
            for name in archive.namelist()
            if names.search(name) and not re.search(r"(^|/)[._]", name)
        ]
    return [StoredFile(path, name, alone=len(members) == 1) for name in members] or [file]
