"""Pen digits: the strokes of digits that 30 people wrote on a tablet, to draw training images from.

E. Alpaydin, F. Alimoglu, "Pen-Based Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998, doi:10.24432/C5MG6K, licensed under CC BY 4.0: the training part, in its original
form.
"""

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.data.download import cache_home, fetch, reachable
from inkwise.data.stored_files import StoredFile, list_stored
from inkwise.errors import DataError, DownloadError, StorageError
from inkwise.system.progress import SILENT, Progress

NAME = "pendigits"

ARCHIVE = "pen+based+recognition+of+handwritten+digits.zip"

MIRRORS = ("https://archive.ics.uci.edu/static/public/81/",)

SHA256 = "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4"
"""Of the strokes, decompressed."""

KEPT_ASIDE = frozenset({5, 10, 15, 20, 25, 30})
"""Writers that no network learns from: their digits are there to choose by."""

_NAMES = re.compile(r"pen(digits|.based).*(tra(in)?(\.txt)?(\.z|\.gz)?|\.zip)$", re.IGNORECASE)

_MOST = 16 << 20
"""Largest content that is read, in bytes; the strokes have 4 million."""

_LZW = b"\x1f\x9d"
"""The first bytes of a file that Unix' ``compress`` wrote."""


@dataclasses.dataclass(frozen=True, eq=False)
class PenDigit:
    """A digit that somebody wrote with a pen.

    Parameters
    ----------
    label : str
        From "0" to "9".
    writer : int
        From 1 to 30.
    strokes : list of ndarray of float64, shape (P, 2)
        From pen down to pen up: x to the right and y down, in hundredths of a millimetre or so.
    """

    label: str
    writer: int
    strokes: list[NDArray[np.float64]]


def load_pendigits(place: Path | None, progress: Progress = SILENT) -> list[PenDigit]:
    """Load the 7,494 pen digits, and download them if they are not on this machine.

    Parameters
    ----------
    place : Path or None
        A folder or file to look in before the cache: for the archive as the repository has it, or
        the file of strokes in it, plain or compressed.
    progress : Progress, optional
        Receives the progress of a download.

    Returns
    -------
    list of PenDigit

    Raises
    ------
    DownloadError
        They are neither on this machine nor can they be downloaded.
    StorageError
        The cache cannot be written.
    """
    folder = pendigits_folder()
    content = find_strokes(place) or find_strokes(folder)
    if content is None:
        advice = f"fetch {MIRRORS[0]}{ARCHIVE} where there is a network, and put it into {folder}"
        if not reachable(MIRRORS):
            raise DownloadError(f"there is no network to fetch them: {advice}")
        try:
            fetch(ARCHIVE, MIRRORS, folder, _verify, progress.download(ARCHIVE))
        except DownloadError as error:
            raise DownloadError(f"{error}: {advice}") from error
        content = find_strokes(folder)
    assert content is not None  # noqa: S101 - what was fetched was verified
    return parse_unipen(content.decode("ascii"))


def pendigits_folder() -> Path:
    """Return the folder in the cache that the archive is kept in; it need not exist."""
    return cache_home() / NAME


def list_strokes(place: Path | None) -> list[StoredFile]:
    """Return the files in a folder or an archive that are called as the strokes are."""
    return [] if place is None else list_stored(place, _NAMES)


def find_strokes(place: Path | None) -> bytes | None:
    """Return the content of the file of strokes in a folder or an archive, or None."""
    for file in list_strokes(place):
        try:
            content = _read(file)
        except (DataError, StorageError):  # damaged, or something else of that name
            continue
        if hashlib.sha256(content).hexdigest() == SHA256:
            return content
    return None


def _verify(archive: Path) -> None:
    if find_strokes(archive) is None:
        raise DataError(f"{archive} is not the archive as published")


def _read(file: StoredFile) -> bytes:
    with file.open() as stored:
        content = stored.read(_MOST)
    if not content.startswith(_LZW):
        return content
    from unlzw3 import unlzw

    try:
        return bytes(unlzw(content))
    except ValueError as error:
        raise DataError(f"{file} is a damaged compressed file ({error})") from error


def parse_unipen(text: str) -> list[PenDigit]:
    """Read digits in the UNIPEN format as the collection uses it.

    A segment names the label; the comment behind it gives the digit, its writer, and its number;
    y points upwards.

    Raises
    ------
    DataError
        It is something else.

    References
    ----------
    I. Guyon et al., "UNIPEN project of on-line data exchange and recognizer benchmarks", ICPR 1994.
    """
    digits: list[PenDigit] = []
    try:
        for segment in text.split(".SEGMENT DIGIT")[1:]:
            head, *pens = segment.split(".PEN_DOWN")
            label, comment = head.split(".COMMENT")
            strokes = [
                np.array(pen.split(".PEN_UP")[0].split(), np.float64).reshape(-1, 2) * (1, -1)
                for pen in pens
            ]
            digits.append(PenDigit(label.split('"')[1], int(comment.split()[1]), strokes))
    except (IndexError, ValueError) as error:
        raise DataError(f"these are no pen digits in the UNIPEN format ({error})") from error
    return digits
