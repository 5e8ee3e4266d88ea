"""A folder as people have them: pictures in every form, and much that is no picture."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

SINGLE = {
    "plain.png": "PNG",
    "browser.jfif": "JPEG",
    "photo.AVIF": "AVIF",
    "IMG_0001.HEIC": "HEIF",
    "without an ending": "PNG",
    "wrong.jpg": "BMP",
    "a [1]*?.bmp": "BMP",
    "-v.png": "PNG",
    "scan#2.png": "PNG",
    "größe 数字.png": "PNG",
    "inner/deeper/one.png": "PNG",
}
"""Names of files with one picture, and their formats."""

PAGED = {
    "pages.tif": "TIFF",
    "moving.gif": "GIF",
    "moving.webp": "WEBP",
    "moving.png": "PNG",
    "scan.pdf": "PDF",
}
"""Names of files with three pages or frames, and their formats."""

PAGES = 3

BROKEN = ("empty.png", "cut.png", "page.html.png")
"""Names of files that are called pictures and are none."""

NO_PICTURES = ("notes.txt", "labels.csv", "arrays.npz", "sheet.xlsx", "Thumbs.db")
"""Names of files that are not called pictures."""


def encode(picture: Image.Image, form: str, pages: int = 1) -> bytes:
    """Encode a picture, or as many pages that differ a little."""
    pillow_heif.register_heif_opener()
    rest = [picture.rotate(4 * page, fillcolor=255) for page in range(1, pages)]
    file = io.BytesIO()
    picture.save(file, form, **({"save_all": True, "append_images": rest} if rest else {}))
    return file.getvalue()


def write_mixed(folder: Path, draw: Callable[[int], Image.Image]) -> Path:
    """Write pictures of one thing in every form, and what people have among them.

    Parameters
    ----------
    folder : Path
        The folder to make.
    draw : callable
        Returns a picture in grey levels; gets a number, by which pictures differ.
    """
    contents = {
        name: encode(draw(place), form) for place, (name, form) in enumerate(SINGLE.items())
    }
    for place, (name, form) in enumerate(PAGED.items(), len(SINGLE)):
        contents[name] = encode(draw(place), form, PAGES)
    arrays = io.BytesIO()
    np.savez(arrays, images=np.zeros((3, 28, 28), np.uint8))
    contents |= {
        "empty.png": b"",
        "cut.png": contents["plain.png"][:120],
        "page.html.png": b"<!DOCTYPE html><title>404</title>",
        "notes.txt": b"seven",
        "labels.csv": "sep=;\r\nfile;label\r\n".encode("utf-16"),
        "arrays.npz": arrays.getvalue(),
        "sheet.xlsx": b"PK\x05\x06" + bytes(18),
        "Thumbs.db": bytes(range(256)),
        ".DS_Store": bytes(64),
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "nothing in it").mkdir()
    return folder
