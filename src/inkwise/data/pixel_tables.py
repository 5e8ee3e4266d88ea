"""Tables with an image in each row: CSV as Kaggle's, and ARFF as OpenML's."""

import io
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.data.idx import MAX_BYTES
from inkwise.data.stored_files import StoredFile
from inkwise.errors import DataError
from inkwise.system.tables import MOST_ABOVE, delimiters_of, encoding_of

LEAST_PIXELS = 49
"""A table with fewer columns is of something else."""

_ROWS = 2_000  # are parsed at a time, so that memory holds little text
_LONGEST_LINE = 1 << 20  # characters; a longer one is read as several, and refused
_LONGEST = 30  # characters of a cell that a message shows
_PIXEL = re.compile(r"[a-z]*[ _.-]?(\d{1,6})(?:[x_](\d{1,6}))?", re.IGNORECASE)
_LABELS = {"label", "labels", "class", "classes", "target", "digit", "y"}
_IDENTITIES = {"", "id", "imageid", "index", "unnamed: 0"}
_ARFF_NAME = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)


class PixelTable(NamedTuple):
    """What a table holds.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    labels : ndarray of int64, shape (N,), or None
        As they are written; None where no column has labels.
    notices : list of str
        What was passed over or assumed.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    notices: list[str]


class Layout(NamedTuple):
    """Which of a table's columns are what.

    Parameters
    ----------
    width : int
        Number of the columns.
    delimiter : str
        What separates the cells of a row.
    label : int or None
        The column of the labels.
    pixels : list of int
        The columns of the pixels, in the order of the image's, row by row.
    shape : (int, int)
        Height and width of the images.
    notices : list of str
        What is passed over or assumed.
    """

    width: int
    delimiter: str
    label: int | None
    pixels: list[int]
    shape: tuple[int, int]
    notices: list[str]


def is_csv(start: bytes) -> bool:
    """Tell whether a file that starts with these bytes is a table of pixels, right or wrong."""
    try:
        above, cells, _ = _first_row(_lines_of(start))
    except UnicodeDecodeError:
        return False
    numbered = [cell for cell in cells if _PIXEL.fullmatch(cell)]
    return above is not None and len(numbered) >= LEAST_PIXELS and 2 * len(numbered) > len(cells)


def is_arff(start: bytes) -> bool:
    """Tell whether a file that starts with these bytes is in ARFF."""
    text = start.decode("utf-8-sig", "ignore")
    return re.match(r"(\s*(%[^\n]*)?\n)*\s*@relation", text, re.IGNORECASE) is not None


def read_csv_pixels(file: StoredFile) -> PixelTable:
    """Read a CSV table with an image in each row.

    A header names the columns: ``label``, and ``pixel0`` or ``1x1`` and so on, in any order.
    Without a header, the first or the last column has the labels if there is one column more than
    pixels. Delimiters and encodings are those of `inkwise.system.tables.read_csv`.

    Raises
    ------
    DataError
        The columns are no square image, or a cell is not what it should be; the message names file
        and line.
    StorageError
        The file cannot be read.
    """
    with file.open() as content:
        text = _open_text(content)
        first = list(itertools.islice(text, MOST_ABOVE + 1))
        above, cells, delimiter = _first_row(first)
        if above is None:
            raise DataError(f"{file} is empty: it should have an image in each row")
        headed = not all(_is_number(cell) for cell in cells) or _counts_up(cells)
        if headed:
            layout = _lay_out(cells, delimiter, file)
            above += 1
        else:
            layout = _guess_layout(len(cells), above, delimiter, file)
        return _read(file, itertools.chain(first[above:], text), above + 1, layout)


def read_arff(file: StoredFile) -> PixelTable:
    """Read an ARFF table with an image in each row, as OpenML has them; see `read_csv_pixels`."""
    with file.open() as content:
        text = _open_text(content)
        names: list[str] = []
        for number, line in enumerate(text, 1):
            if line.strip().lower() == "@data":
                return _read(file, text, number + 1, _lay_out(names, ",", file))
            if found := _ARFF_NAME.match(line.strip()):
                names.append(found[1].strip("'\"").strip())
    raise DataError(f"{file} is truncated: it has no line @data")


def column_layout(names: Sequence[str], file: StoredFile) -> Layout | None:
    """Find the labels and the pixels by the columns' names; None if hardly any is a pixel's."""
    if sum(_PIXEL.fullmatch(name) is not None for name in names) < LEAST_PIXELS:
        return None
    return _lay_out(names, ",", file)


def _open_text(content: IO[bytes]) -> Iterator[str]:
    encoding = encoding_of(content.read(2))
    content.seek(0)
    # What is not in the encoding becomes a character that no cell may have.
    text = io.TextIOWrapper(content, encoding, errors="replace")
    return iter(lambda: text.readline(_LONGEST_LINE), "")


def _lines_of(start: bytes) -> list[str]:
    """Return the first lines of a file; `UnicodeDecodeError` if it is no text."""
    encoding = encoding_of(start)
    # A character that is cut at the end of these bytes is no error.
    text = io.TextIOWrapper(io.BytesIO(start[: len(start) - len(start) % 2]), encoding, "strict")
    lines = []
    try:
        for line in itertools.islice(text, MOST_ABOVE + 1):
            lines.append(line)  # noqa: PERF402 - what was read before an error is kept
    except UnicodeDecodeError:
        if not lines:
            raise
    return lines


def _first_row(lines: Sequence[str]) -> tuple[int | None, list[str], str]:
    """Return how many lines are above the first row, its cells, and what separates them."""
    best: tuple[int | None, list[str], str] = (None, [], ",")
    for delimiter in delimiters_of(lines[0].rstrip("\r\n")) if lines else ():
        for above, line in enumerate(lines):
            cells = [cell.strip().strip("'\"").strip() for cell in line.split(delimiter)]
            if len(cells) > max(1, len(best[1])):
                best = (above, cells, delimiter)
    return best


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", cell) is not None


def _counts_up(cells: Sequence[str]) -> bool:
    """Tell whether a first row of numbers only counts the columns, and so is a header."""
    numbers = [float(cell) for cell in cells]
    return numbers == list(range(int(numbers[0]), int(numbers[0]) + len(numbers)))


def _lay_out(names: Sequence[str], delimiter: str, file: StoredFile) -> Layout:
    """Find the labels and the pixels by the columns' names."""
    labels: list[int] = []
    places: dict[tuple[int, ...], int] = {}
    passed_over: list[str] = []
    unknown: list[str] = []
    for column, name in enumerate(names):
        if name.lower() in _LABELS:
            labels.append(column)
        elif name.lower() in _IDENTITIES:
            passed_over += [name] * bool(name)
        elif found := _PIXEL.fullmatch(name):
            place = tuple(int(number) for number in found.groups() if number)
            if place in places:
                raise DataError(
                    f"{file} has two columns for one pixel, {names[places[place]]} and {name}: "
                    "leave out one of them"
                )
            places[place] = column
        else:
            unknown.append(name[:_LONGEST])
    if unknown or len(labels) > 1:
        odd = ", ".join(unknown[:3] or [names[column] for column in labels])
        raise DataError(
            f"{file} has columns that are neither pixels nor the labels ({odd}): call the labels' "
            "column label, and leave out all others"
        )
    order = sorted(places)
    shape = _shape(len(order), file)
    if order and len(order[0]) == 2:
        rows, columns = ({place[axis] for place in order if len(place) == 2} for axis in (0, 1))
        shape = (len(rows), len(columns))
        if {*order} != {*itertools.product(rows, columns)}:
            raise DataError(f"{file} lacks some of the pixels from {names[places[order[0]]]} on")
    elif any(len(place) == 2 for place in order):
        raise DataError(f"{file} names its pixels in two ways: use pixel0, pixel1 and so on")
    notices = [f"{file}: the column {', '.join(passed_over)} is not used."] if passed_over else []
    label = labels[0] if labels else None
    pixels = [places[place] for place in order]
    return Layout(len(names), delimiter, label, pixels, shape, notices)


def _guess_layout(width: int, above: int, delimiter: str, file: StoredFile) -> Layout:
    """Find the labels of a table without a header, which begins below so many lines."""
    if math.isqrt(width) ** 2 == width:
        return Layout(width, delimiter, None, [*range(width)], _shape(width, file), [])
    shape = _shape(width - 1, file, f"{width} columns without a header")
    # A pixel in a corner is always the same, mostly; labels are not. They may be in order, so that
    # they differ far below only.
    ends: dict[int, set[str]] = {0: set(), width - 1: set()}
    with file.open() as content:
        for row in itertools.islice(_open_text(content), above, None):
            if (row := row.strip()) and row[0] != "%":
                ends[0].add(row.partition(delimiter)[0].strip())
                ends[width - 1].add(row.rpartition(delimiter)[2].strip())
                if all(len(values) > 1 for values in ends.values()):
                    break
    varied = [column for column, values in ends.items() if len(values) > 1]
    if not varied:
        raise DataError(
            f"{file} has {width} columns without a header, and neither the first nor the last has "
            "labels: add a header with label and pixel0, pixel1 and so on"
        )
    label = varied[0]
    assumed = f"{file} has no header: its first column is taken for that of the labels."
    notices = [] if len(varied) == 1 else [assumed]
    pixels = [column for column in range(width) if column != label]
    return Layout(width, delimiter, label, pixels, shape, notices)


def _shape(count: int, file: StoredFile, what: str = "") -> tuple[int, int]:
    side = math.isqrt(count)
    if side * side != count or not side:
        raise DataError(
            f"{file} has {what or f'{count} columns of pixels'}: an image needs a square number, "
            "such as 784 for 28×28, beside one column of labels"
        )
    return side, side


def _read(file: StoredFile, lines: Iterator[str], number: int, layout: Layout) -> PixelTable:
    """Parse the rows; `number` is that of the first line."""
    images, labels = [], []
    columns = [*layout.pixels, *([] if layout.label is None else [layout.label])]
    size = 0
    numbered = enumerate(lines, number)
    while block := list(itertools.islice(numbered, _ROWS)):
        rows = [(line, row) for line, row in block if row.strip() and row.lstrip()[0] != "%"]
        if not rows:
            continue
        values = _parse(file, rows, layout, columns)
        pixels = values[:, : len(layout.pixels)]
        if pixels.min() < 0 or pixels.max() > 255:
            raise _wrong_cell(file, rows, layout)
        images.append(pixels.astype(np.uint8))
        if layout.label is not None:
            labels.append(values[:, -1].astype(np.int64))
        size += pixels.size
        if size > MAX_BYTES:
            raise DataError(f"{file} has more than {MAX_BYTES:,} pixels: take fewer of its rows")
    if not images:
        raise DataError(f"{file} has no rows below its header")
    shape = (-1, *layout.shape)
    return PixelTable(
        np.concatenate(images).reshape(shape),
        np.concatenate(labels) if labels else None,
        layout.notices,
    )


def _parse(
    file: StoredFile,
    rows: Sequence[tuple[int, str]],
    layout: Layout,
    columns: Sequence[int],
) -> NDArray[np.int32]:
    """Return the whole numbers in some columns of some rows, int32 (rows, columns)."""
    for number, row in rows:
        if row.count(layout.delimiter) != layout.width - 1:
            if row.lstrip().startswith("{"):
                raise DataError(f"{file} is sparse ARFF, which is not read: save it as dense ARFF")
            cells = row.count(layout.delimiter) + 1
            raise DataError(
                f"{file}, line {number:,}, has {cells} cells where the table has {layout.width} "
                "columns: the file may be truncated"
            )
    texts = [row.replace('"', "").replace("'", "") for _, row in rows]
    for dtype in (np.int32, np.float64):  # whole numbers may be written as 7.0
        try:
            values = np.loadtxt(
                texts,
                dtype,
                comments=None,
                delimiter=layout.delimiter,
                usecols=columns,
                ndmin=2,
            )
        except ValueError:
            continue
        if dtype is np.int32:
            return values.astype(np.int32, copy=False)
        if (np.abs(values) < 1 << 31).all() and (values % 1 == 0).all():
            return values.astype(np.int32)
    raise _wrong_cell(file, rows, layout)


def _wrong_cell(file: StoredFile, rows: Sequence[tuple[int, str]], layout: Layout) -> DataError:
    """Return the error that names the first cell that is not what it should be."""
    for number, row in rows:
        for column, cell in enumerate(row.strip().split(layout.delimiter)):
            text = cell.strip().strip("'\"").strip()
            whole = re.fullmatch(r"([+-]?\d{1,9})(\.0*)?", text)
            if column == layout.label and whole is None:
                told = f"the label {text[:_LONGEST]!r} is not a whole number"
            elif column in layout.pixels and not (whole and 0 <= int(whole[1]) <= 255):
                told = (
                    f"the pixel {text[:_LONGEST]!r} in column {column + 1} is not a whole number "
                    "from 0 to 255"
                )
            else:
                continue
            return DataError(f"{file}, line {number:,}: {told}")
    return DataError(f"{file}, from line {rows[0][0]:,} on, has cells that are no whole numbers")
