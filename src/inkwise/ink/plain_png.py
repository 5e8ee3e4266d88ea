"""Small PNGs of grey levels, by a short way: Pillow's decoder without what prepares it for others.

Opening such a picture takes Pillow several times as long as decoding it.
"""

import math
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGEST = 1 << 16
"""Bytes of the largest file for which the short way is tried; in larger ones decoding prevails."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FIRST = len(_SIGNATURE)  # where the header's chunk begins
_PLAIN = bytes((8, 0, 0, 0, 0))  # bits, grey levels, and the first choice of three methods
_HARMLESS = (b"IHDR", b"pHYs", b"tIME")  # chunks that say nothing about pixels, once it is read


def read_plain_png(content: bytes, side: int) -> NDArray[np.uint8] | None:
    """Return the grey levels of a plain PNG, uint8 (H, W); None if it is anything else.

    It is plain if it is whole, not interlaced, of 8-bit grey levels, not above `side` on any side,
    and without chunks that may change what is seen: transparency, an orientation, frames.
    """
    if len(content) > LARGEST or not content.startswith(_SIGNATURE):
        return None
    if content[_FIRST : _FIRST + 8] != b"\0\0\0\rIHDR" or content[24:29] != _PLAIN:
        return None
    size = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    if not 0 < min(size) <= max(size) <= side:
        return None
    if size[0] * size[1] > (Image.MAX_IMAGE_PIXELS or math.inf):  # the long way refuses it
        return None
    place, data = _FIRST, []
    while place < len(content):
        kind = content[place + 4 : place + 8]
        end = place + 8 + int.from_bytes(content[place : place + 4])
        checksum = content[end : end + 4]
        if len(checksum) < 4 or int.from_bytes(checksum) != zlib.crc32(content[place + 4 : end]):
            return None
        if kind == b"IDAT":
            data.append(content[place + 8 : end])
        elif kind == b"IEND":
            break
        elif kind not in _HARMLESS:
            return None
        place = end + 4
    try:
        image = Image.frombytes("L", size, b"".join(data), "zip", "L", 0)
    except (OSError, ValueError):  # the long way tells what is wrong
        return None
    return np.frombuffer(image.tobytes(), np.uint8).reshape(size[::-1])
