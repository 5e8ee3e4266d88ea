"""A form that was read: each cell's text, how probable it is, and where it is in the picture."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, DataError
from inkwise.forms.cells import Cut, cut_cells
from inkwise.forms.grid import Grid, find_grid
from inkwise.forms.printed import printed_probabilities
from inkwise.forms.ruled_cells import MOST
from inkwise.ink import Picture
from inkwise.ink.decoding import decode, describe
from inkwise.ink.levels import Box, Levels
from inkwise.model import Answer, Model
from inkwise.reading.numbers import SURE

SIDE = 2400
"""Longest side of a form's picture after decoding, in pixels."""

FEW_DIGITS = 0.7
"""Share of the cells that are sure below which a form may stand on its side or head."""

BETTER = 0.15
"""Least difference of these shares by which a form is turned."""

LOOKED_AT = 12
"""Number of cells that tell how a form is turned."""

LIKELY, STRANGE = 0.8, 0.5
"""Least probability of a digit in ink that is like no digit, and what is told instead of it."""

MEETING = 3
"""Greatest overlap of numbers that stand side by side in a cell, in pixels."""

PRINTED = 0.5
"""Least probability of being printed of what is left out if print is to be ignored."""

Verdict = Literal["digit", "number", "unsure", "not a digit", "empty", "printed"]


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """A cell of a form.

    Parameters
    ----------
    row, column : int
        Its place, from 1.
    text : str
        What is written; empty if nothing is, or nothing that is a number.
    probability : float or None
        Calibrated probability that all of `text` is right; None if there is no text.
    verdict : {"digit", "number", "unsure", "not a digit", "empty", "printed"}
        ``unsure``: the text is only the likeliest. ``printed``: it was printed and is left out.
    others : tuple of (str, float)
        The next best readings and their probabilities.
    printed : float or None
        Probability that what is in the cell was printed; None if the cell is empty.
    box : tuple of int
        Top, left, bottom and right of the cell in the picture's pixels, the last two exclusive.
    picture : ndarray of uint8, shape (H, W)
        The cell, cut out and turned upright.
    ink : ndarray of uint8, shape (H, W), or None
        What was read, dark on white, without the form's lines; None if the cell is empty.
    """

    row: int
    column: int
    text: str
    probability: float | None
    verdict: Verdict
    others: tuple[tuple[str, float], ...]
    printed: float | None
    box: Box
    picture: Levels
    ink: Levels | None


@dataclasses.dataclass(frozen=True, eq=False)
class Form:
    """A form that was read.

    Parameters
    ----------
    rows, columns : int
        Numbers of rows and columns.
    cells : tuple of Cell
        All cells, row after row.

    Examples
    --------
    >>> import inkwise
    >>> form = inkwise.read_form("form.png", grid="2x3")  # doctest: +SKIP
    >>> form.texts()  # doctest: +SKIP
    [['4', '', '12'], ['', '7', '0']]
    """

    rows: int
    columns: int
    cells: tuple[Cell, ...]

    def texts(self) -> list[list[str]]:
        """Return the text of each cell, row after row."""
        texts = iter(cell.text for cell in self.cells)
        return [list(itertools.islice(texts, self.columns)) for _ in range(self.rows)]


def parse_shape(text: str) -> tuple[int, int] | None:
    """Return the rows and columns that a text such as ``10x5`` says; None for ``auto``.

    Raises
    ------
    ArgumentError
        The text says neither.
    """
    if text == "auto":
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts):
        rows, columns = (int(part) if len(part) < 9 else 0 for part in parts)
        if 1 <= rows <= MOST and 1 <= columns <= MOST:
            return rows, columns
    raise ArgumentError(
        f"a grid is auto, or rows and columns such as 10x5, each from 1 to {MOST}; not {text!r}"
    )


def read_form(
    picture: Picture,
    *,
    grid: str = "auto",
    ignore_printed: bool = False,
    model: Model | None = None,
) -> Form:
    """Read what is written in the cells of a ruled form.

    Parameters
    ----------
    picture : Picture
        A photograph or a scan, in any form that `inkwise.ink.normalise` takes: the form seen from
        any side, turned by any angle, bent a little, in uneven light.
    grid : str
        Rows and columns, such as ``10x5``, or ``auto`` to find them.
    ignore_printed : bool
        Whether to leave out what was printed, such as the givens of a sudoku.
    model : Model, optional
        A model of the ten digits; the one in the package if not given.

    Returns
    -------
    Form

    Raises
    ------
    ArgumentError
        `grid` makes no sense, or the model's classes are not the ten digits.
    DataError, StorageError
        There is no grid in the picture, or another one; or it is damaged or cannot be read.

    Examples
    --------
    >>> import cv2, inkwise, numpy
    >>> digits = inkwise.load_dataset("optdigits").test.images
    >>> sheet = numpy.full((100, 220), 255, numpy.uint8)
    >>> for left in (10, 75, 140):
    ...     cv2.rectangle(sheet, (left, 15), (left + 65, 80), 0, 2)  # doctest: +ELLIPSIS
    array(...
    >>> sheet[35:63, 28:56] = 255 - digits[4]
    >>> sheet[35:63, 160:188] = 255 - digits[2]
    >>> inkwise.read_form(sheet, grid="1x3").texts()
    [['5', '', '8']]
    """
    from inkwise.model.pretrained import load_pretrained

    shape = parse_shape(grid)
    raster = decode(picture, SIDE)
    pixels = raster.pixels
    grey = lightness(pixels)
    try:
        found = find_grid(grey, shape)
    except DataError as error:
        raise DataError(f"{describe(picture)}: {error}") from error
    chosen = model or load_pretrained()
    cuts = cut_upright(chosen, grey, found, shape)
    scale = raster.size[1] / pixels.shape[1], raster.size[0] / pixels.shape[0]
    return read_cells(chosen, cuts, scale, ignore_printed=ignore_printed)


def lightness(pixels: NDArray[np.uint8]) -> Levels:
    """Return grey levels, (H, W), in which ink and lines of most colours are dark.

    Blue ink is dark in red light, and red lines are in green.
    """
    return pixels if pixels.ndim == 2 else np.minimum(pixels[..., 0], pixels[..., 1])


def cut_upright(
    model: Model, grey: Levels, grid: Grid, shape: tuple[int, int] | None
) -> list[list[Cut]]:
    """Cut out the cells, turned by quarters of a turn if they are read much better then."""
    quarters = [
        quarter
        for quarter in range(4)
        if shape is None or (grid.shape if quarter % 2 == 0 else grid.shape[::-1]) == shape
    ]
    cuts = cut_cells(grey, grid.turned(quarters[0]))
    inks = [cut.ink for row in cuts for cut in row if cut.ink is not None]
    inks = sorted(inks, key=lambda ink: -int((ink < 128).sum()))[:LOOKED_AT]
    if not inks or len(quarters) == 1:
        return cuts
    answers = model.classify(inks)
    if (
        _share([answer.probability for answer in answers if answer.verdict == "digit"], inks)
        >= FEW_DIGITS
    ):
        return cuts
    shares: dict[int, float] = {}
    for quarter in quarters:
        turned = [np.ascontiguousarray(np.rot90(ink, quarter - quarters[0])) for ink in inks]
        readings = map(_reading, itertools.repeat(model), turned, model.classify(turned))
        shares[quarter] = _share(
            [one.probability for one in readings if one.verdict in {"digit", "number"}], inks
        )
        if quarter == quarters[0] and shares[quarter] >= FEW_DIGITS:
            return cuts
    best = max(shares, key=lambda quarter: shares[quarter])
    if shares[best] < shares[quarters[0]] + BETTER:
        return cuts
    return cut_cells(grey, grid.turned(best))


def _share(sure: Sequence[float | None], inks: Sequence[Levels]) -> float:
    return sum(probability or 0.0 for probability in sure) / len(inks)


def read_cells(
    model: Model,
    cuts: Sequence[Sequence[Cut]],
    scale: tuple[float, float],
    *,
    ignore_printed: bool = False,
) -> Form:
    """Read cells that were cut out of a picture.

    Parameters
    ----------
    model : Model
        A model of the ten digits.
    cuts : sequence of sequence of Cut
        The cells, row after row.
    scale : tuple of float
        Pixels of the original picture per pixel of the one that was cut, to the right and down.
    ignore_printed : bool
        Whether to leave out what was printed.
    """
    flat = [cut for row in cuts for cut in row]
    written = [cut for cut in flat if cut.ink is not None]
    answers = iter(model.classify([cut.ink for cut in written if cut.ink is not None]))
    readings = [
        _EMPTY if cut.ink is None else _reading(model, cut.ink, next(answers)) for cut in flat
    ]
    printed = iter(printed_probabilities([cut.marks for cut in flat if cut.marks is not None]))
    cells = []
    x, y = scale
    columns = len(cuts[0])
    for place, (cut, reading) in enumerate(zip(flat, readings, strict=True)):
        probability = None if cut.marks is None else next(printed)
        kept = reading
        if ignore_printed and probability is not None and probability >= PRINTED:
            kept = _Reading("", None, "printed", ())
        top, left, bottom, right = cut.box
        box = (round(top * y), round(left * x), round(bottom * y), round(right * x))
        cells.append(
            Cell(
                place // columns + 1,
                place % columns + 1,
                kept.text,
                kept.probability,
                kept.verdict,
                kept.others,
                probability,
                box,
                cut.picture,
                cut.ink,
            )
        )
    return Form(len(cuts), columns, tuple(cells))


@dataclasses.dataclass(frozen=True)
class _Reading:
    text: str
    probability: float | None
    verdict: Verdict
    others: tuple[tuple[str, float], ...]


_EMPTY = _Reading("", None, "empty", ())
_NOTHING = _Reading("", None, "not a digit", ())


def _reading(model: Model, ink: Levels, answer: Answer) -> _Reading:
    """Read a cell: as one digit if it is one for sure, and otherwise as a number."""
    if answer.verdict == "digit" and answer.label is not None:
        return _Reading(answer.label, answer.probability, "digit", answer.top[1:])
    padded = cv2.copyMakeBorder(ink, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=255)
    numbers = [number for number in model.read(padded) if number.text]
    if not numbers:
        if answer.top and answer.top[0][1] >= LIKELY:
            # In a cell there is likely a digit, though perhaps none like those of the training.
            return _Reading(answer.top[0][0], STRANGE, "unsure", answer.top[1:])
        return _NOTHING
    numbers.sort(key=lambda number: number.box[1])
    apart = all(one.box[3] <= other.box[1] + MEETING for one, other in itertools.pairwise(numbers))
    # What stands side by side in a cell is one number, though its digits climb or fall.
    text = ("" if apart else " ").join(number.text for number in numbers)
    probability = float(np.prod([number.probability for number in numbers]))
    sure = all(number.verdict == "number" for number in numbers) and probability >= SURE and apart
    verdict: Verdict = "unsure" if not sure else "digit" if len(text) == 1 else "number"
    others = numbers[0].others if len(numbers) == 1 else ()
    return _Reading(text, probability, verdict, others)


def in_order_of_doubt(form: Form) -> Iterator[Cell]:
    """Return what is in the cells of a form, what is least sure first; empty cells come last."""

    def doubt(cell: Cell) -> tuple[int, float]:
        kinds = {"unsure": 0, "not a digit": 0, "digit": 1, "number": 1, "printed": 2, "empty": 3}
        return kinds[cell.verdict], cell.probability or 0.0

    yield from sorted(form.cells, key=doubt)
