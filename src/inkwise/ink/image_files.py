"""Image files and PDFs: which files are such, opening them, and the pages that they have."""

import contextlib
import errno
import functools
import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from PIL import Image, UnidentifiedImageError, _imaging

from inkwise.errors import DataError, InkwiseError, StorageError, TooManyPixelsError
from inkwise.system.extras import require_formats
from inkwise.system.files import storage

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

FORMATS: tuple[str, ...] = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX"),
    *("PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM"),
)
"""Raster formats that are read. For others, such as PostScript, Pillow starts other programs."""

MOST_WEBP_PIXELS = 40_000_000
"""Largest number of pixels of a WebP: its decoder takes 15 to 25 bytes for each."""

MOST_PAGES = 1000
"""Largest number of pages or frames of a file that are read."""

_HEAD = 4096  # bytes that tell what a file is
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PDF_SIDE = 1600  # pixels of a rendered page's longest side
_PAGES = "inkwise-pages"  # where a rendered page says how many its PDF has
_SUBFILE_TYPE, _REDUCED = 254, 1  # TIFF's tag of a thumbnail of another page

_quiet = threading.Lock()  # all threads share Python's warning filters
_pdfium = threading.Lock()  # PDFium is not safe for threads


class Page(NamedTuple):
    """A page of a file (of a TIFF or a PDF), or a frame (of a GIF, a WebP or a PNG).

    Parameters
    ----------
    file : Path or bytes
        The file, or its bytes.
    place : int
        Place of the page in the file, from 0.
    name : str
        What messages call the file, if it is bytes.
    """

    file: Path | bytes
    place: int
    name: str = ""


def open_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file to read it; one that cannot be rewound, such as a pipe, is read at once."""
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115
    except ValueError as error:  # the name of no file, for instance one with a null character
        raise StorageError(
            f"cannot read {os.fspath(path)!r}: it is not a valid path ({error})"
        ) from error
    if file.seekable():
        return file
    with file:
        return io.BytesIO(file.read())


@contextlib.contextmanager
def open_image(file: IO[bytes], name: str, page: int = 0) -> Iterator[Image.Image]:
    """Open one page of an image file or a PDF as a PIL image, not yet decoded.

    Parameters
    ----------
    file : binary file
        The file, at its beginning.
    name : str
        Its name in messages.
    page : int
        Place of the page, from 0.

    Raises
    ------
    DataError
        The file is not a picture, is damaged or has too many pixels; also where the caller reads
        the image.
    LibraryError
        The extra ``formats`` is not installed, and the file is a PDF or in HEIC.
    """
    with naming_damage(name):
        head = file.read(_HEAD)
        file.seek(0)
        if _is_pdf(head):
            yield _render(file.read(), name, page)
            return
        formats = FORMATS
        if _is_heif(head):
            _register_heif(name)
            formats = (*FORMATS, "HEIF")
        if head[:4] in _STARTS[3:]:
            _silence_libtiff()
        with quietly():
            image = Image.open(file, formats=formats)
        with image:
            if image.format == "WEBP" and image.width * image.height > MOST_WEBP_PIXELS:
                raise TooManyPixelsError(
                    f"{name} is a WebP of more than {MOST_WEBP_PIXELS:,} pixels: scale it down"
                )
            if page:
                with quietly():
                    image.seek(page)
            yield image


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff and Pillow from printing about damage, of which an exception tells as well."""
    import ctypes

    logging.getLogger("PIL").addHandler(logging.NullHandler())

    # Windows' Pillow contains the library, and does not give its functions away.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Ignore the warnings that Pillow gives about unusual metadata.

    Pillow warns of a decompression bomb, a picture or a later frame meant to fill the memory, and
    refuses one that is twice as large; both are errors here.
    """
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextlib.contextmanager
def naming_damage(name: str) -> Iterator[None]:
    """Turn the exceptions that Pillow and PDFium raise about a file into a `DataError`."""
    try:
        yield
    except InkwiseError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not a picture: save it as PNG or JPEG, or name another file"
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise TooManyPixelsError(
            f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: scale it down"
        ) from error
    except Exception as error:  # they raise a dozen types of exceptions about damaged files
        # An error of the operating system; but a damaged file sends Pillow to places before it.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name} is damaged: save or copy it again ({reason})") from error


def is_picture(path: Path) -> bool:
    """Tell by its content whether a file is a picture or a PDF, perhaps a damaged one."""
    with storage(path, "read"), open_file(path) as file:
        head = file.read(_HEAD)
        if head.startswith(_STARTS) or _is_pdf(head) or _is_heif(head) or _is_webp(head):
            return True
        file.seek(0)
        try:
            with quietly():
                Image.open(file, formats=FORMATS).close()
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            return True
        except Exception:
            return False
    return True


def find_pages(file: Path | bytes, name: str) -> list[Page | DataError]:
    """Find the pages of a file; thumbnails of its pages do not count.

    Parameters
    ----------
    file : Path or bytes
        A file, or its bytes.
    name : str
        Its name in messages.

    Returns
    -------
    list of (Page or DataError)
        The pages; one for most files. An error follows the first if the others cannot be found, or
        if they are more than `MOST_PAGES`.

    Raises
    ------
    DataError, LibraryError, StorageError
        The file cannot be opened.
    """
    with storage(name, "read"), _reading(file) as opened:
        head = opened.read(_HEAD)
        opened.seek(0)
        if not may_have_pages(head):
            return [Page(file, 0)]
        if _is_pdf(head):
            with _open_pdf(opened.read(), name) as document:
                places: Sequence[int] = range(len(document))
        else:
            with open_image(opened, name) as image, quietly():
                try:
                    places = _frames(image)
                except Exception as error:
                    told = f"{name} is damaged after its first page: save or copy it again"
                    return [Page(file, 0), DataError(f"{told} ({error})")]
    pages: list[Page | DataError] = [Page(file, place) for place in places[:MOST_PAGES]]
    if len(places) > MOST_PAGES:
        pages.append(
            DataError(
                f"{name} has {len(places):,} pages, of which {MOST_PAGES:,} are read: split it"
            )
        )
    return pages


def _reading(file: Path | bytes) -> IO[bytes]:
    return io.BytesIO(file) if isinstance(file, bytes) else open_file(file)


def count_pages(image: Image.Image) -> int:
    """Return the number of pages or frames of the file that an image is from, thumbnails too.

    A photo in MPO, which holds a second view or a preview, is one.
    """
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    return int(image.info.get(_PAGES, frames))


def _frames(image: Image.Image) -> Sequence[int]:
    """Return the places of the frames, without thumbnails; a file may claim any number of them."""
    count = count_pages(image)
    if image.format != "TIFF" or count == 1:
        return range(count)
    places = []
    for place in range(min(count, MOST_PAGES + 1)):
        image.seek(place)
        if not getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0) & _REDUCED:
            places.append(place)
    return places or [0]


def may_have_pages(head: bytes) -> bool:
    """Tell by the beginning of a file, or all of it, whether it may have several pages."""
    head = head[:_HEAD]
    if head.startswith(b"\x89PNG"):
        return b"acTL" in head or b"IDAT" not in head
    # AVIF and HEIC begin with the type of the file.
    return head.startswith(_STARTS[2:]) or head[4:8] == b"ftyp" or _is_webp(head) or _is_pdf(head)


def _is_webp(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _is_heif(head: bytes) -> bool:
    brand = head[8:12]
    return head[4:8] == b"ftyp" and (brand[:3] in (b"hei", b"hev") or brand in (b"mif1", b"msf1"))


def _is_pdf(head: bytes) -> bool:
    # A PDF may have other bytes at its front; but a picture's text may tell of a PDF.
    return b"%PDF-" in head[:1024] and not head.startswith(_STARTS)


def _register_heif(name: str) -> None:
    require_formats(f"reading {name}, a picture in HEIC,")
    import pillow_heif

    pillow_heif.register_heif_opener()


@contextlib.contextmanager
def _open_pdf(content: bytes, name: str) -> Iterator["PdfDocument"]:
    require_formats(f"reading {name}, a PDF,")
    import pypdfium2

    with naming_damage(name), _pdfium:
        document = pypdfium2.PdfDocument(content)
        try:
            yield document
        finally:
            document.close()


def _render(content: bytes, name: str, place: int) -> Image.Image:
    """Return a page of a PDF on white, as an image of `_PDF_SIDE` pixels a side at most."""
    with _open_pdf(content, name) as document:
        page = document[place]
        scale = _PDF_SIDE / max(1.0, *page.get_size())
        image = page.render(scale=scale).to_pil().copy()
        image.info[_PAGES] = len(document)
    return image
