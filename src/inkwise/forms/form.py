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
from inkwise.reading.alphabet import require_digits
from inkwise.reading.numbers import SURE

SIDE = 2400
"""Longest side of a form's picture after decoding, in pixels."""

UPRIGHT = 0.9
"""Share of the cells that are sure from which on no other way up is tried."""

FEW_DIGITS, BETTER = 0.7, 2.0
"""Least share of the cells that are sure in the way up to which a form is turned, and how many more
must be sure than as it stands.

Two digits that are unsure may by chance be sure ones when they stand on their head.
"""

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
    dropped : tuple of str
        What else is in the cell and was left out, in the words of `inkwise.Numbers`. Beside
        ``specks``, which may be a decimal point, a text is ``unsure``.
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
    dropped: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Form:
    """A form that was read.

    Parameters
    ----------
    rows, columns : int
        Numbers of rows and columns.
    cells : tuple of Cell
        All cells, row after row.
    turned : int
        By how many degrees the picture was turned counter-clockwise, as the form lay on its side
        or stood on its head: 0, 90, 180 or 270.

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
    turned: int = 0

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
    chosen = model or load_pretrained()
    require_digits(chosen.class_names)
    raster = decode(picture, SIDE)
    pixels = raster.pixels
    grey = lightness(pixels)
    try:
        found = find_grid(grey, shape)
    except DataError as error:
        raise DataError(f"{describe(picture)}: {error}") from error
    cuts, quarters = cut_upright(chosen, grey, found, shape)
    scale = raster.size[1] / pixels.shape[1], raster.size[0] / pixels.shape[0]
    return read_cells(chosen, cuts, scale, turned=90 * quarters, ignore_printed=ignore_printed)


def lightness(pixels: NDArray[np.uint8]) -> Levels:
    """Return grey levels, (H, W), in which ink and lines of most colours are dark.

    Blue ink is dark in red light, and red lines are in green.
    """
    return pixels if pixels.ndim == 2 else np.minimum(pixels[..., 0], pixels[..., 1])


def cut_upright(
    model: Model, grey: Levels, grid: Grid, shape: tuple[int, int] | None
) -> tuple[list[list[Cut]], int]:
    """Cut out the cells of a form, the way up in which it is read best.

    As it stands is best, if it fits the shape, unless several cells more are sure in another way.

    Returns
    -------
    list of list of Cut
        As `cut_cells` does.
    int
        By how many quarters of a turn the picture was turned counter-clockwise.
    """
    quarters = [
        quarter
        for quarter in range(4)
        if shape is None or (grid.shape if quarter % 2 == 0 else grid.shape[::-1]) == shape
    ]
    first = quarters[0]
    cuts = cut_cells(grey, grid.turned(first))
    inks = [cut.ink for row in cuts for cut in row if cut.ink is not None]
    inks = sorted(inks, key=lambda ink: -int((ink < 128).sum()))[:LOOKED_AT]
    if not inks or len(quarters) == 1:
        return cuts, first
    sure: dict[int, float] = {}
    for quarter in quarters:
        turned = [np.ascontiguousarray(np.rot90(ink, quarter - first)) for ink in inks]
        readings = map(_reading, itertools.repeat(model), turned, model.classify(turned))
        sure[quarter] = sum(reading.sure for reading in readings)
        if quarter == 0 and sure[quarter] >= UPRIGHT * len(inks):
            return cuts, quarter
    best = max(sure, key=lambda quarter: sure[quarter])
    if first == 0 and (sure[best] < FEW_DIGITS * len(inks) or sure[best] <= sure[0] + BETTER):
        best = first
    return (cuts if best == first else cut_cells(grey, grid.turned(best))), best


def read_cells(
    model: Model,
    cuts: Sequence[Sequence[Cut]],
    scale: tuple[float, float],
    *,
    turned: int = 0,
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
    turned : int
        By how many degrees the picture was turned before.
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
        kept = reading.beside(specks=cut.specks)
        if ignore_printed and probability is not None and probability >= PRINTED:
            kept = _Reading("", None, "printed")
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
                kept.dropped,
            )
        )
    return Form(len(cuts), columns, tuple(cells), turned)


@dataclasses.dataclass(frozen=True)
class _Reading:
    text: str
    probability: float | None
    verdict: Verdict
    others: tuple[tuple[str, float], ...] = ()
    dropped: tuple[str, ...] = ()
    incomplete: bool = False
    """Whether what is beside the text may belong to it, such as a decimal point."""

    @property
    def sure(self) -> float:
        """The probability of what is read for sure; 0 for anything else."""
        return self.probability or 0.0 if self.verdict in {"digit", "number"} else 0.0

    def beside(self, *, specks: bool) -> "_Reading":
        """Return the same reading as it is beside specks or none: unsure if it is incomplete."""
        dropped = (*self.dropped, "specks") if specks else self.dropped
        unsure = self.sure > 0 and (specks or self.incomplete)
        verdict: Verdict = "unsure" if unsure else self.verdict
        return dataclasses.replace(self, verdict=verdict, dropped=tuple(dict.fromkeys(dropped)))


_EMPTY = _Reading("", None, "empty")


def _reading(model: Model, ink: Levels, answer: Answer) -> _Reading:
    """Read a cell: as one digit if it is one for sure, and otherwise as a number."""
    dropped = () if answer.ink is None else answer.ink.dropped
    if answer.verdict == "digit" and answer.label is not None:
        beside = answer.ink is not None and (answer.ink.lost > 0 or len(answer.ink.parts) > 0)
        others = answer.top[1:]
        return _Reading(answer.label, answer.probability, "digit", others, dropped, beside)
    padded = cv2.copyMakeBorder(ink, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=255)
    found = model.read(padded)
    numbers = [number for number in found if number.text]
    if not numbers:
        if answer.top and answer.top[0][1] >= LIKELY:
            # In a cell there is likely a digit, though perhaps none like those of the training.
            return _Reading(answer.top[0][0], STRANGE, "unsure", answer.top[1:], dropped)
        return _Reading("", None, "not a digit", (), found.dropped)
    numbers.sort(key=lambda number: number.box[1])
    apart = all(one.box[3] <= other.box[1] + MEETING for one, other in itertools.pairwise(numbers))
    # What stands side by side in a cell is one number, though its digits climb or fall.
    text = ("" if apart else " ").join(number.text for number in numbers)
    probability = float(np.prod([number.probability for number in numbers]))
    sure = all(number.verdict == "number" for number in numbers) and probability >= SURE and apart
    verdict: Verdict = "unsure" if not sure else "digit" if len(text) == 1 else "number"
    others = numbers[0].others if len(numbers) == 1 else ()
    illegible = ("writing without digits",) if len(numbers) < len(found) else ()
    # Beside a number there may be a currency sign; beside one digit, it is rather a point.
    beside = "specks" in found.dropped or (len(text) == 1 and "other signs" in found.dropped)
    incomplete = beside or bool(illegible)
    return _Reading(text, probability, verdict, others, found.dropped + illegible, incomplete)


def in_order_of_doubt(form: Form) -> Iterator[Cell]:
    """Return what is in the cells of a form, what is least sure first; empty cells come last."""

    def doubt(cell: Cell) -> tuple[int, float]:
        kinds = {"unsure": 0, "not a digit": 0, "digit": 1, "number": 1, "printed": 2, "empty": 3}
        return kinds[cell.verdict], cell.probability or 0.0

    yield from sorted(form.cells, key=doubt)
