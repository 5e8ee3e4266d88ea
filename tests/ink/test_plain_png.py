"""Plain PNGs have a short way, which gives what the long one gives, and leaves to it all else."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from inkwise.errors import InkwiseError
from inkwise.ink import decoding
from inkwise.ink.plain_png import read_plain_png


def png(image: Image.Image, **how: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "png", **how)
    return sink.getvalue()


def grey(height: int, width: int, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return Image.fromarray(levels)


def by_the_long_way(content: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decoding, "read_plain_png", lambda *_: None)
        return told(content)


def told(content: bytes) -> Any:
    try:
        raster = decoding.decode(content)
    except InkwiseError as error:
        return str(error)
    return raster.size, raster.pixels.shape, raster.pixels.tobytes()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9), st.integers(0, 99), st.booleans())
def test_it_gives_the_levels_that_were_written(
    height: int, width: int, level: int, seed: int, smooth: bool
) -> None:
    image = grey(height, width, seed)
    if smooth:  # compressed with other filters than noise
        image = image.resize((4, 4)).resize((width, height), Image.Resampling.BICUBIC)
    content = png(image, compress_level=level)
    pixels = read_plain_png(content, decoding.SIDE)
    assert pixels is not None
    assert (pixels == np.asarray(image)).all()
    assert told(content) == by_the_long_way(content)


EXIF = Image.Exif()
EXIF[0x0112] = 6
TEXT = PngImagePlugin.PngInfo()
TEXT.add_text("Raw profile type exif", "x")
OTHERS = {
    "colours": png(grey(9, 8).convert("RGB")),
    "opacity": png(grey(9, 8).convert("LA")),
    "palette": png(grey(9, 8).convert("P")),
    "bits": png(grey(9, 8).convert("1")),
    "deep": png(Image.fromarray(np.arange(72, dtype=np.uint16).reshape(9, 8) * 900)),
    "transparent": png(grey(9, 8), transparency=7),
    "turned": png(grey(9, 8), exif=EXIF),
    "text": png(grey(9, 8), pnginfo=TEXT),
    "frames": png(grey(9, 8), save_all=True, append_images=[grey(9, 8, 1)]),
    "large": png(Image.new("L", (decoding.SIDE + 1, 5), 7)),
    "no PNG": b"seven",
    "empty": b"",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_plain_goes_the_long_way(kind: str) -> None:
    assert read_plain_png(OTHERS[kind], decoding.SIDE) is None


@given(st.integers(0, 300), st.binary(min_size=1, max_size=6), st.sampled_from(["put", "cut"]))
def test_damage_is_told_as_on_the_long_way(place: int, harm: bytes, how: str) -> None:
    content = bytearray(png(grey(12, 12)))
    if how == "cut":
        del content[place:]
    else:
        content[place : place + len(harm)] = harm
    assert told(bytes(content)) == by_the_long_way(bytes(content))


@pytest.mark.parametrize("levels", [b"", b"\0" * 20, b"\5" + b"\0" * 200])
def test_levels_that_do_not_fit_their_header_are_told_as_on_the_long_way(levels: bytes) -> None:
    whole = png(grey(12, 12))
    data = zlib.compress(levels)
    chunk = struct.pack(">I", len(data)) + b"IDAT" + data
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    content = whole[:33] + chunk + whole[-12:]
    assert told(content) == by_the_long_way(content)
