"""A sheet to print and write on, and the data set that a photograph of it becomes.

Each row of boxes is for one digit, which stands before it. The marks in the corners, OpenCV's
ArUco, say where the boxes are and how many rows there are.
"""

import dataclasses
import hashlib
import io
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.data.picture_folder import class_folder
from inkwise.errors import ArgumentError, DataError
from inkwise.forms.cells import cut_cells
from inkwise.forms.form import SIDE, lightness
from inkwise.forms.grid import Grid
from inkwise.forms.ruled_cells import cells_between, cross
from inkwise.forms.ruled_lines import Line, level_line, thin_darkness, trace_lines
from inkwise.ink import Picture
from inkwise.ink.decoding import decode, describe
from inkwise.ink.levels import Levels
from inkwise.model import Model
from inkwise.system.files import write_bytes, write_together

COLUMNS = 10
"""Number of boxes in a row."""

MOST_ROWS = 20
"""Greatest number of rows on a page."""

CLASSES = tuple(map(str, range(10)))
"""What is to be written, row after row, and then again from the first."""

PIXEL = 10
"""Pixels of the printed page per millimetre."""

PAGE = (210, 297)
"""Width and height of the page, A4, in millimetres."""

MARK, INSET = 14, 10
"""Side of a mark, and its distance from the page's edges, in millimetres."""

LEFT, TOP, BOTTOM = 30.0, 36.0, 28.0
"""Where the boxes begin, and the room below them, in millimetres."""

LARGEST_BOX = 16.0
"""Greatest side of a box, in millimetres."""

PLANE = 6
"""Pixels per millimetre of the page when lines are searched on its photograph."""

DOUBTFUL = 0.5
"""Least probability of what is to be written in a box, below which it is named."""

_FOUR = ((0, 0), (1, 0), (1, 1), (0, 1))  # the page's corners, as the marks of a row of ids


def box_side(rows: int) -> float:
    """Return the side of the boxes of a sheet, in millimetres."""
    return min(LARGEST_BOX, (PAGE[1] - TOP - BOTTOM) / rows)


def write_sheet(path: str | os.PathLike[str], rows: int = 10) -> Path:
    """Write a sheet to print and write on, as a PDF page of the size A4.

    Parameters
    ----------
    path : path-like
        The file, such as ``sheet.pdf``; an existing one is replaced.
    rows : int
        Number of rows of boxes, from 1 to 20. The first is for zeros, the second for ones; from
        the eleventh on, the digits come again.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ArgumentError
        `rows` is out of range.
    StorageError
        The file cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> inkwise.write_sheet("sheet.pdf", rows=10).name
    'sheet.pdf'
    """
    from PIL import Image

    file = io.BytesIO()
    page = Image.fromarray(draw_sheet(rows)).convert("1", dither=Image.Dither.NONE)
    page.save(file, "PDF", resolution=25.4 * PIXEL, title="inkwise sheet")
    return write_bytes(path, file.getvalue())


def draw_sheet(rows: int) -> Levels:
    """Draw the page of a sheet, uint8 (H, W), black on white.

    Raises
    ------
    ArgumentError
        `rows` is out of range.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not 1 <= rows <= MOST_ROWS:
        raise ArgumentError(f"a sheet has from 1 to {MOST_ROWS} rows, not {rows}")
    width, height = PAGE
    page = np.full((height * PIXEL, width * PIXEL), 255, np.uint8)
    side = MARK * PIXEL
    for corner, (right, below) in enumerate(_FOUR):
        mark = cv2.aruco.generateImageMarker(_dictionary(), _mark(rows, corner), side)
        x, y = (
            PIXEL * (INSET + end * (length - 2 * INSET - MARK))
            for end, length in ((right, width), (below, height))
        )
        page[y : y + side, x : x + side] = mark
    box = box_side(rows)
    for row in range(rows):
        for column in range(COLUMNS):
            left, top = LEFT + column * box, TOP + row * box
            start, end = (
                (round(PIXEL * across), round(PIXEL * down))
                for across, down in ((left, top), (left + box, top + box))
            )
            cv2.rectangle(page, start, end, 0, 3)
    image = Image.fromarray(page)
    draw = ImageDraw.Draw(image)
    for row in range(rows):
        middle = PIXEL * (LEFT - 7), PIXEL * (TOP + (row + 0.5) * box)
        font = ImageFont.load_default(PIXEL * 0.55 * box)
        draw.text(middle, CLASSES[row % len(CLASSES)], 0, font, anchor="mm")
    font = ImageFont.load_default(PIXEL * 4.2)
    lines = "Write in each box the digit that stands before its row,", "as you always write it."
    for place, line in enumerate(lines):
        draw.text((PIXEL * width / 2, PIXEL * (14 + 6 * place)), line, 0, font, anchor="mm")
    small = ImageFont.load_default(PIXEL * 3.4)
    told = "Then photograph the page with all four marks:", "inkwise read photo.jpg --learn mine"
    for place, line in enumerate(told):
        at = PIXEL * width / 2, PIXEL * (height - 19 + 5 * place)
        draw.text(at, line, 0, small, anchor="mm")
    return np.asarray(image)


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a photographed sheet became.

    Parameters
    ----------
    saved : tuple of Path
        The pictures that were written, each in the folder of its class.
    doubtful : tuple of (Path, str, str)
        Those of them that the model reads otherwise: the path, what was to be written, and what
        the model says. Look at them, and delete what is wrong.
    empty : int
        Number of boxes in which nothing was written.
    """

    saved: tuple[Path, ...]
    doubtful: tuple[tuple[Path, str, str], ...]
    empty: int


def learn_sheet(
    picture: Picture, folder: str | os.PathLike[str], *, model: Model | None = None
) -> Learned:
    """Make a labelled data set of a sheet that was printed, written on and photographed.

    Parameters
    ----------
    picture : Picture
        The photograph, in any form that `inkwise.ink.normalise` takes, with at least two of the
        four marks, from any side.
    folder : path-like
        Where the pictures are written, in a folder for each class, as `inkwise.load_folder` and
        ``inkwise train --data`` take them. What is there stays.
    model : Model, optional
        The model whose doubts are told; the one in the package if not given.

    Returns
    -------
    Learned

    Raises
    ------
    DataError, StorageError
        The picture is no photograph of a sheet, nothing is written on it, it is damaged or cannot
        be read; or a file cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> learned = inkwise.learn_sheet("photo.jpg", "mine")  # doctest: +SKIP
    >>> len(learned.saved), learned.empty  # doctest: +SKIP
    (98, 2)
    """
    from inkwise.model.pretrained import load_pretrained

    pixels = decode(picture, SIDE).pixels
    grey = lightness(pixels)
    try:
        grid = find_sheet(grey)
    except DataError as error:
        raise DataError(f"{describe(picture)}: {error}") from error
    stem = Path(picture).stem if isinstance(picture, str | os.PathLike) else "sheet"
    boxes = [
        (CLASSES[row % len(CLASSES)], f"{stem}-{row + 1}-{column + 1}", cut)
        for row, cuts in enumerate(cut_cells(grey, grid))
        for column, cut in enumerate(cuts)
    ]
    written = [(label, name, cut.ink) for label, name, cut in boxes if cut.ink is not None]
    if not written:
        raise DataError(f"{describe(picture)}: nothing is written in the boxes of this sheet")
    answers = (model or load_pretrained()).classify([ink for _, _, ink in written])
    contents: dict[Path, bytes] = {}
    doubtful = []
    for (label, name, ink), answer in zip(written, answers, strict=True):
        # Another sheet may have the same name; the same sheet again changes nothing.
        digest = hashlib.sha256(ink.tobytes()).hexdigest()[:8]
        path = class_folder(folder, label) / f"{name}-{digest}.png"
        contents[path] = cv2.imencode(".png", ink)[1].tobytes()
        if dict(answer.top).get(label, 0.0) < DOUBTFUL:
            doubtful.append((path, label, answer.label or answer.verdict))
    write_together(contents)
    return Learned(tuple(contents), tuple(doubtful), len(boxes) - len(written))


def find_sheet(grey: Levels) -> Grid:
    """Find the boxes of a sheet in a photograph by its marks, and then by their lines.

    Raises
    ------
    DataError
        There are fewer than two marks of one sheet.
    """
    found, ids, _ = cv2.aruco.ArucoDetector(_dictionary()).detectMarkers(grey)
    marks = {} if ids is None else dict(zip(ids.ravel().tolist(), found, strict=True))
    counts: dict[int, list[int]] = {}
    for one in marks:
        if one < 4 * MOST_ROWS:
            counts.setdefault(one // 4 + 1, []).append(one)
    rows = max(counts, key=lambda count: len(counts[count]), default=0)
    if not rows or len(counts[rows]) < 2:
        raise DataError(
            "no sheet of `inkwise sheet` was found: photograph the whole page, with the marks in "
            "its corners"
        )
    seen = np.concatenate([marks[one].reshape(4, 2) for one in counts[rows]]).astype(np.float64)
    width, height = PAGE
    corners = np.array(_FOUR, np.float64)
    starts = INSET + corners * (np.array([width, height]) - 2 * INSET - MARK)
    printed = np.concatenate([starts[one % 4] + corners * MARK for one in counts[rows]])
    to_page, _ = cv2.findHomography(seen, printed)
    return _by_lines(grey, to_page, rows)


def _by_lines(grey: Levels, to_page: NDArray[np.float64], rows: int) -> Grid:
    """Return the grid whose lines are where they are seen, or else where they were printed."""
    box = box_side(rows)
    margin = 0.6 * box
    shift = np.array(
        [[PLANE, 0, PLANE * (margin - LEFT)], [0, PLANE, PLANE * (margin - TOP)], [0, 0, 1.0]]
    )
    size = [round(PLANE * (count * box + 2 * margin)) for count in (COLUMNS, rows)]
    matrix = shift @ to_page
    plane = cv2.warpPerspective(
        grey, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    darkness = thin_darkness(plane)
    level = _nearest(trace_lines(darkness), rows, box, margin, size[0])
    turned = np.ascontiguousarray(darkness.T)
    upright = _nearest(trace_lines(turned), COLUMNS, box, margin, size[1])
    cells = cells_between(cross(level, upright, size[0]))
    places = cv2.perspectiveTransform(cells.reshape(-1, 1, 2), np.linalg.inv(matrix))
    return Grid(places.reshape(cells.shape), 1.0, 1.0)


def _nearest(lines: list[Line], count: int, box: float, margin: float, length: int) -> list[Line]:
    """Return each printed line as it is seen; where none is near, as its nearest neighbour is.

    Paper that bends moves all lines by about the same. A row of strokes is nearer by chance.
    """
    printed = [PLANE * (margin + place * box) for place in range(count + 1)]
    seen = np.array([float(line.at(length / 2)) for line in lines])
    places: dict[int, Line] = {}
    moved = 0.0
    for reach in (0.3 * PLANE * box, 0.1 * PLANE * box):
        if not lines:
            break
        off = seen - np.array(printed)[:, None] - moved
        best = np.abs(off).argmin(1)
        near = np.flatnonzero(np.abs(off).min(1) < reach)
        places = {place: lines[best[place]] for place in near.tolist()}
        if places:
            moved += float(np.median(off[near, best[near]]))
    chosen = []
    for place, expected in enumerate(printed):
        nearest = min(places, key=lambda one: abs(one - place), default=None)
        chosen.append(
            level_line(expected)
            if nearest is None
            else places[nearest].moved(expected - printed[nearest])
        )
    return chosen


def _mark(rows: int, corner: int) -> int:
    return 4 * (rows - 1) + corner


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_100)
