"""The IDX format of the MNIST files: reading and writing, plain or gzip, strictly.

An IDX file is two zero bytes, one byte for the element type, one for the number of dimensions, a
big-endian 32-bit length for each dimension, and then the elements, big-endian, in C order.

References
----------
Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File
formats for the MNIST database".
"""

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError
from inkwise.system.file_kinds import recognise
from inkwise.system.files import storage, write_bytes

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
"""Element types of the format, by their code."""

MAX_BYTES = 1 << 30
"""Largest size in bytes of an array that is read; a file that claims more counts as damaged."""

MOST_PADDING = 1 << 20
"""Most zeros behind what gzip has compressed, such as a tape's; Python looks at them one by one."""

_MAX_RANK = 32  # no data has more dimensions, and NumPy takes no more than 32 before version 2
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_MAX_RATIO = 1032  # deflate cannot compress better than this
_CHUNK = 1 << 20


class _Padded:
    """A file whose zeros behind the compressed content do not take long."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._zeros = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read as the file does, but not without end where zeros are looked at one by one."""
        content = self._file.read(size)
        self._zeros = self._zeros + 1 if content == b"\0" else 0
        if self._zeros > MOST_PADDING:
            raise gzip.BadGzipFile(f"more than {MOST_PADDING:,} zeros follow its content")
        return content


def open_gzip(file: IO[bytes]) -> gzip.GzipFile:
    """Open the decompressed content of a file in gzip, which is refused if it is padded too far."""
    return gzip.GzipFile(fileobj=cast(BinaryIO, _Padded(file)), mode="rb")


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an IDX file, plain or gzip (told apart by content, not by name).

    No memory is allocated because of the header alone: a small file that claims a huge array is
    refused first.

    Parameters
    ----------
    path : path-like
        The file to read.

    Returns
    -------
    ndarray
        The array in the machine's byte order: uint8, int8, int16, int32, float32 or float64, with
        the shape that the header states.

    Raises
    ------
    DataError
        The file is not IDX, is damaged, or is shorter or longer than its header states.
    StorageError
        The file cannot be read.
    """
    path = Path(path)
    with storage(path, "read"), path.open("rb") as file:
        return parse_idx(file, str(path), os.fstat(file.fileno()).st_size)


def parse_idx(file: IO[bytes], where: str, size: int) -> NDArray[Any]:
    """Read an IDX file, plain or gzip, that is open; see `read_idx`.

    Parameters
    ----------
    file : binary file
        It is at its start and can be rewound.
    where : str
        Its name in messages.
    size : int
        Its size in bytes.
    """
    compressed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    if not compressed:
        return _parse(file, where, available=size)
    try:
        with open_gzip(file) as body:
            return _parse(io.BufferedReader(body), where, available=size * _GZIP_MAX_RATIO)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{where} is a damaged gzip file ({error}): fetch or copy it again"
        ) from error


def write_idx(path: str | os.PathLike[str], array: NDArray[Any]) -> Path:
    """Write an array as an IDX file; a name that ends in ``.gz`` is compressed.

    Parameters
    ----------
    path : path-like
        The file to write; it is written atomically.
    array : ndarray
        uint8, int8, int16, int32, float32 or float64, in any byte order, of at least one dimension.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DataError
        The format has no such element type or rank.
    StorageError
        The file cannot be written.
    """
    path = Path(path)
    content = idx_bytes(array)
    # A fixed time stamp, so that the same array gives the same file.
    return write_bytes(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def idx_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as the bytes of a plain IDX file; see `write_idx`."""
    codes = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(str(dtype) for dtype in codes)
        raise DataError(f"IDX has no element type {array.dtype}: convert the array to {known}")
    if not 1 <= array.ndim <= _MAX_RANK:
        raise DataError(f"an IDX array has 1 to {_MAX_RANK} dimensions, not {array.ndim}")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(DTYPES[code], copy=False).tobytes()


def _parse(file: IO[bytes] | io.BufferedReader, path: str, available: int) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        if magic[:2] == _GZIP_MAGIC:
            raise DataError(f"{path} is compressed twice: decompress it once, with gunzip")
        if kind := recognise(magic + file.read(64)):
            raise DataError(f"{path} is not an IDX file but {kind}: fetch the file itself")
        raise DataError(
            f"{path} is not an IDX file: it starts with {magic.hex(' ') or 'nothing'}, not with "
            "00 00, a type code and a rank"
        )
    dtype, rank = DTYPES[magic[2]], magic[3]
    if not 1 <= rank <= _MAX_RANK:
        raise DataError(f"{path} claims {rank} dimensions: an IDX array has 1 to {_MAX_RANK}")
    lengths = file.read(4 * rank)
    if len(lengths) < 4 * rank:
        raise DataError(f"{path} is truncated: it ends inside its header")
    shape = struct.unpack(f">{rank}I", lengths)
    expected = math.prod(shape) * dtype.itemsize
    # With a length of 0 there are no elements, but NumPy still refuses huge lengths beside it.
    largest = math.prod(length for length in shape if length) * dtype.itemsize
    if expected > available or largest > MAX_BYTES:
        size = "×".join(map(str, shape))
        raise DataError(
            f"{path} claims {size} elements ({expected:,} bytes), which the file cannot hold or "
            f"which is over the limit of {MAX_BYTES:,} bytes: it is truncated or damaged"
        )
    body = bytearray()
    while len(body) < expected:
        chunk = file.read(min(_CHUNK, expected - len(body)))
        if not chunk:
            raise DataError(
                f"{path} is truncated: {len(body):,} bytes of data where its header states "
                f"{expected:,}"
            )
        body += chunk
    if file.read(1):
        raise DataError(
            f"{path} is too long: it has more than the {expected:,} bytes of data "
            "that its header states"
        )
    return np.frombuffer(body, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))
