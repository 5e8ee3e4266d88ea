"""CSV tables: written in one form, and read in any form that a spreadsheet gives them."""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from inkwise.errors import DataError
from inkwise.system.files import read_bytes, write_text

_DELIMITERS = (",", ";", "\t", "|")
MOST_ABOVE = 4
"""Lines above the header: a title, empty lines, or Excel's ``sep=;``."""


class Table(NamedTuple):
    """A CSV table.

    Parameters
    ----------
    header : list of str
        Names of the columns.
    rows : list of list of str
        The rows that are not empty, each as long as the header.
    lines : list of int
        Number of the line of the file that each row ends on, from 1.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]


def write_csv(
    path: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Path:
    """Write a CSV table with a header line as `inkwise.system.files.write_bytes` does.

    Parameters
    ----------
    path : path-like
        The file to write.
    header : sequence of str
        Names of the columns.
    rows : iterable of sequences
        The cells of each row.

    Raises
    ------
    StorageError
        The operating system refused.
    """
    lines = _Lines()
    # With these ends of lines, a cell with any of the two characters is quoted.
    csv.writer(lines, lineterminator="\r\n").writerows([header, *rows])
    return write_text(path, "".join(lines))


class _Lines(list[str]):
    """The lines of a table, which a CSV writer takes for a file."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def read_csv(path: str | os.PathLike[str], columns: Sequence[str], what: str) -> Table:
    r"""Read a CSV table that `write_csv` wrote, also after a spreadsheet has saved it.

    Excel, LibreOffice and Numbers change the delimiter, the encoding and the ends of lines; they
    put a byte-order mark, a line such as ``sep=;`` or the table's title above the header, and empty
    rows below.

    Parameters
    ----------
    path : path-like
        A file in UTF-8 or UTF-16 whose cells are separated by commas, semicolons, tabs, bars, or
        what its ``sep=`` line says.
    columns : sequence of str
        Columns that it must have; the first line that has all of them is the header.
    what : str
        What the file should be, for messages.

    Raises
    ------
    DataError
        The file is no such table, lacks a column, or has a row that is longer than the header.
    StorageError
        The file cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("saved.csv").write_text("sep=;\nindex;share\n7;0,5\n;\n", encoding="utf-16")
    >>> table = read_csv("saved.csv", ["index", "share"], "a table of shares")
    >>> table.rows
    [['7', '0,5']]
    >>> parse_decimal(table.rows[0][1])
    0.5
    """
    content = read_bytes(path)
    try:
        return _read_table(content.decode(encoding_of(content)), columns)
    except (UnicodeDecodeError, csv.Error, _NoTableError) as error:
        reason = (
            "it is not in UTF-8 or UTF-16; save it as “CSV UTF-8”"
            if isinstance(error, UnicodeDecodeError)
            else error
        )
        raise DataError(f"{path} is not {what}: {reason}") from error


def parse_decimal(text: str) -> float:
    """Return a number that may be written with a decimal comma; raise `ValueError` for others."""
    return float(text.replace(",", "."))


class _NoTableError(Exception):
    """Why a text is not the table that it should be."""


def encoding_of(start: bytes) -> str:
    """Return the encoding of a table whose file starts with these bytes: UTF-8, or a UTF-16."""
    # A byte-order mark says which UTF-16 it is; without one, the zero bytes of ASCII do.
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in start[:2]:
        return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    return "utf-8-sig"


def delimiters_of(first: str) -> tuple[str, ...]:
    """Return what may separate the cells of a table with this first line, the likeliest first."""
    first = first.strip('"')
    named = (first[4],) if first[:4].lower() == "sep=" and len(first) == 5 else ()
    return (*named, *_DELIMITERS)


def _read_table(text: str, columns: Sequence[str]) -> Table:
    first_rows = []
    for delimiter in delimiters_of(re.split("[\r\n]", text, maxsplit=1)[0]):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        found = [(reader.line_num, row) for row in reader]
        for place, (_, header) in enumerate(found[: MOST_ABOVE + 1]):
            names = [name.strip() for name in header]
            if set(columns) <= set(names):
                return _as_table(names, found[place + 1 :])
        first_rows += [row for _, row in found[:1]]
    header = max(first_rows, key=len, default=[])
    missing = ", ".join(name for name in columns if name not in header)
    raise _NoTableError(f"it lacks the columns {missing}")


def _as_table(header: list[str], found: Iterable[tuple[int, list[str]]]) -> Table:
    while not header[-1]:
        del header[-1]
    table = Table(header, [], [])
    for line, row in found:
        if not any(cell.strip() for cell in row):
            continue
        if any(cell.strip() for cell in row[len(header) :]):
            raise _NoTableError(f"line {line} has more cells than the header")
        table.rows.append([*row, *[""] * len(header)][: len(header)])
        table.lines.append(line)
    return table
