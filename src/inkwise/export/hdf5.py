"""Reading the part of HDF5 that Keras writes: groups, text attributes, plain arrays.

HDF5's own library is written in C. It crashes on some damaged files, and follows links into other
files; a file from an untrusted source must not be able to cause either. Keras uses only a small
part of the format. pyfive 1.3, which is written in Python, allocated gigabytes of memory for 17 of
10,000 damaged files of 30 KB, and needs 38 MB of packages.

References
----------
The HDF Group, "HDF5 File Format Specification Version 3.0". Comments give its section numbers.
"""

import functools
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x89HDF\r\n\x1a\n"

# Types of header messages (IV.A.2), and the flag of a message whose content is stored elsewhere.
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT = 0x01, 0x03, 0x07, 0x08
_ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 0x0C, 0x10, 0x11
_SHARED = 0x02
_SYMBOLIC_LINK = 2
# Byte order, size, and positions of exponent and mantissa (IV.A.2.d).
_FLOATS: dict[np.dtype[Any], bytes] = {
    np.dtype("<f2"): struct.pack("<B3sI2H4BI", 0x11, b"\x20\x0f\0", 2, 0, 16, 10, 5, 0, 10, 15),
    np.dtype("<f4"): struct.pack("<B3sI2H4BI", 0x11, b"\x20\x1f\0", 4, 0, 32, 23, 8, 0, 23, 127),
    np.dtype("<f8"): struct.pack("<B3sI2H4BI", 0x11, b"\x20\x3f\0", 8, 0, 64, 52, 11, 0, 52, 1023),
}


class Node:
    """A group or an array in an HDF5 file.

    Parameters
    ----------
    raw : bytes
        The content of the whole file.
    address : int, optional
        Offset in the file at which the object begins; by default that of the root group.

    Raises
    ------
    ValueError
        The file is damaged, or has a structure that Keras does not write. Every method raises it.
    KeyError
        There is no such member or attribute. Every method raises it.
    """

    def __init__(self, raw: bytes, address: int | None = None) -> None:
        self._raw = raw
        if address is None:  # II.A
            version, sizes, end, address = self._numbers("<8xB4xH25xQ16xQ", 0)
            if not raw.startswith(MAGIC) or version != 0 or sizes != 0x0808:
                raise ValueError("not the kind of HDF5 file that Keras writes")
            if end > len(raw):
                raise ValueError(f"it ends after {len(raw):,} of {end:,} bytes")
        self._address = address

    def __getitem__(self, path: str) -> "Node":
        node = self
        for name in path.split("/"):
            node = Node(self._raw, node.members[name])
        return node

    @functools.cached_property
    def members(self) -> dict[str, int]:
        """The offset of each member of a group, by name."""
        try:
            tree, heap = _unpack("<2Q", self._message(_SYMBOL_TABLE))
        except KeyError:
            raise ValueError(
                "no group, or one of the newer form, as for names beyond ASCII"
            ) from None
        self._expect(b"HEAP\0", heap)  # III.D
        (names,) = self._numbers("<Q", heap + 24)
        return {
            self._raw[names + offset : self._raw.index(b"\0", names + offset)].decode(): address
            for offset, address in self._symbols(tree, set())
        }

    def text(self, name: str) -> str:
        """Return the value of an attribute that is a single string."""
        (text,) = self.texts(name)
        return text

    def texts(self, name: str) -> list[str]:
        """Return the values of an attribute that is a list of strings, which may be empty."""
        for raw in self._messages(_ATTRIBUTE):  # IV.A.2.m
            version, *sizes = _unpack("<Bx3H", raw)
            parts, place = [], 9 if version == 3 else 8
            for size in sizes:
                parts.append(raw[place : place + size])
                place += size if version > 1 else _padded(size)
            if parts[0].rstrip(b"\0").decode() == name:
                return self._strings(parts[1], math.prod(_shape(parts[2])), raw[place:])
        raise KeyError(name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an array."""
        return _shape(self._message(_DATASPACE))

    def array(self) -> NDArray[Any]:
        """Return the content of an array of 16, 32 or 64-bit floating-point numbers, read-only."""
        kind, layout = self._message(_DATATYPE), self._message(_LAYOUT)
        dtype = next((dtype for dtype, code in _FLOATS.items() if kind.startswith(code)), None)
        version, place, address, size = _unpack("<2B2Q", layout)  # IV.A.2.i
        count = math.prod(self.shape)
        if dtype is None or any(self._messages(_EXTERNAL)):
            raise ValueError("an array that is not of plain floating-point numbers")
        if (version, place, size) != (3, 1, count * dtype.itemsize):
            raise ValueError("an array that is not stored in one piece")
        if address + size > len(self._raw):
            raise ValueError("an array that is cut off, or was never written")
        return np.frombuffer(self._raw, dtype, count, address).reshape(self.shape)

    def _message(self, kind: int) -> bytes:
        for content in self._messages(kind):
            return content
        raise KeyError(f"no message of type {kind}")

    def _messages(self, kind: int) -> Iterator[bytes]:
        """Yield the contents of all messages of one type in an object's header (IV.A.1.a)."""
        version, size = self._numbers("<B7xI", self._address)
        if version != 1:
            raise ValueError("not the kind of HDF5 file that Keras writes")
        blocks: list[tuple[int, ...]] = [(self._address + 16, size)]
        seen = 0
        for start, length in blocks:  # the loop appends continuation blocks to the list
            place = start
            while place < start + length:
                found, size, flags = self._numbers("<2HB", place)
                content = self._raw[place + 8 : place + 8 + size]
                place += 8 + size
                if found == _CONTINUATION:
                    blocks.append(_unpack("<2Q", content))
                elif found == kind:
                    if flags & _SHARED:
                        raise ValueError("not the kind of HDF5 file that Keras writes")
                    yield content
            seen += length
            if seen > len(self._raw):
                raise ValueError("an object's header leads into itself")

    def _symbols(self, address: int, seen: set[int]) -> Iterator[tuple[int, int]]:
        """Walk a group's tree; yield each member's offset in the heap of names, and in the file."""
        if address in seen:
            raise ValueError("a group's tree leads into itself")
        seen.add(address)
        if self._raw[address : address + 4] == b"TREE":  # III.A.1
            (count,) = self._numbers("<H", address + 6)
            for number in range(count):
                (child,) = self._numbers("<Q", address + 32 + 16 * number)
                yield from self._symbols(child, seen)
        else:  # III.B
            self._expect(b"SNOD\1", address)
            (count,) = self._numbers("<H", address + 6)
            for number in range(count):
                offset, member, link = self._numbers("<2QI", address + 8 + 40 * number)
                if link == _SYMBOLIC_LINK:
                    raise ValueError("a symbolic link")
                yield offset, member

    def _strings(self, kind: bytes, count: int, values: bytes) -> list[str]:
        if count == 0:  # then the type does not matter
            return []
        (size,) = _unpack("<I", kind, 4)
        if len(values) < count * size:
            raise ValueError("an attribute that is cut off")
        pieces = [values[place : place + size] for place in range(0, count * size, size)]
        match kind[0] & 15, kind[1] & 15:  # IV.A.2.d
            case (3, _):
                strings = pieces
            case (9, 1):  # of variable length
                strings = [self._from_heap(*struct.unpack("<IQI", piece)) for piece in pieces]
            case _:
                raise ValueError("an attribute that is not text")
        return [string.rstrip(b"\0").decode() for string in strings]

    def _from_heap(self, length: int, collection: int, index: int) -> bytes:
        """Return a string of variable length (III.E)."""
        self._expect(b"GCOL\1", collection)
        (size,) = self._numbers("<Q", collection + 8)
        place = collection + 16
        while place < collection + size:
            number, size_here = self._numbers("<H6xQ", place)
            if number == index:
                return self._raw[place + 16 : place + 16 + length]
            place += 16 + _padded(size_here)
        raise KeyError(f"no object {index} in the heap")

    def _expect(self, signature: bytes, address: int) -> None:
        if self._raw[address : address + len(signature)] != signature:
            raise ValueError(f"no {signature[:4].decode()} where it should be")

    def _numbers(self, layout: str, address: int) -> tuple[int, ...]:
        return _unpack(layout, self._raw, address)


def _unpack(layout: str, raw: bytes, place: int = 0) -> tuple[int, ...]:
    if place + struct.calcsize(layout) > len(raw):
        raise ValueError("something is cut off, or points behind the end")
    return struct.unpack_from(layout, raw, place)


def _padded(size: int) -> int:
    return (size + 7) // 8 * 8


def _shape(dataspace: bytes) -> tuple[int, ...]:
    """Return the dimensions of a data space (IV.A.2.b)."""
    version, rank = _unpack("<2B", dataspace)
    return _unpack(f"<{rank}Q", dataspace, 8 if version == 1 else 4)
