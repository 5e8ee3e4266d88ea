"""From a picture to the numbers that are written in it."""

import contextlib
import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink.all_ink import Page, find_all_ink
from inkwise.ink.decoding import SIDE, Raster
from inkwise.ink.decoding import decode as decode_picture
from inkwise.ink.fitting import CANVAS
from inkwise.reading.alphabet import MARKS, OTHER
from inkwise.reading.checks import Check
from inkwise.reading.ctc import Reading, align
from inkwise.reading.line_model import STEP, LineModel, load_line_model
from inkwise.reading.looks import look
from inkwise.reading.text_lines import ABOVE, HEIGHT, INK, Line, Lines, find_lines

if TYPE_CHECKING:
    from inkwise.ink import Picture
    from inkwise.ink.levels import Box

SURE = 0.95
"""Least probability of a number, or of a digit in it, that is sure."""

ALLOWED = 0.05
"""Least probability of all readings that a check allows, for one of them to be sure."""

LEGIBLE = 0.05
"""Least probability of the likeliest reading of a number."""

SIDES = (SIDE, 2400)
"""Longest sides, in pixels, that a picture is reduced to: the second if digits are too small."""

SMALL = 14
"""Least height of digits, in pixels, that is not too small."""

OTHERS = 4
"""Number of next best readings that a number lists."""

READINGS, READINGS_TO_CHECK = 16, 150
"""Number of readings of a line that are followed; more if a check chooses among them."""


@dataclasses.dataclass(frozen=True)
class ReadDigit:
    """A digit or a mark of a number.

    Parameters
    ----------
    label : str
        The digit; one of the marks ``.``, ``,``, ``'``, ``-`` and ``=``; or ``?`` for something
        else between them.
    probability : float
        Probability that this sign stands in this place of the number.
    verdict : {"digit", "mark", "unsure"}
        ``unsure`` if the probability is below 95%.
    top : tuple of (str, float)
        What may stand there, and how probable it is, the likeliest first.
    box : tuple of int
        Top, left, bottom and right of its ink in the picture's pixels, the last two exclusive.
    """

    label: str
    probability: float
    verdict: Literal["digit", "mark", "unsure"]
    top: tuple[tuple[str, float], ...]
    box: "Box"


@dataclasses.dataclass(frozen=True)
class Number:
    """A number that was read.

    Parameters
    ----------
    text : str
        Its digits and marks.
    probability : float
        Calibrated probability that all of them are right.
    verdict : {"number", "unsure", "not a number"}
        ``unsure`` if the probability is below 95%, or if something else stands between the digits;
        the verdicts of `digits` say where. ``not a number`` if the likeliest reading has less than
        5%, as that of words; then there is no text, and `others` begins with that reading.
    others : tuple of (str, float)
        The next best readings and their probabilities.
    digits : tuple of ReadDigit
        The signs of `text`, from left to right.
    box : tuple of int
        Top, left, bottom and right of the number in the picture's pixels, the last two exclusive.

    Examples
    --------
    >>> import inkwise, numpy
    >>> from PIL import Image
    >>> digits = inkwise.load_dataset("optdigits").test.images[[4, 12, 13]]
    >>> picture = Image.fromarray(255 - numpy.hstack(digits)).resize((336, 112))
    >>> number = inkwise.read(picture)[0]
    >>> [sign.label for sign in number.digits]
    ['5', '0', '7']
    """

    text: str
    probability: float
    verdict: Literal["number", "unsure", "not a number"]
    others: tuple[tuple[str, float], ...]
    digits: tuple[ReadDigit, ...]
    box: "Box"

    def unsure(self) -> "Number":
        """Return the same number as one that is not sure."""
        return dataclasses.replace(self, verdict="unsure")


class Numbers(list[Number]):
    """The numbers of a picture: from top to bottom, and in each line from left to right.

    Parameters
    ----------
    numbers : iterable of Number
    dropped : tuple of str
        What else is in the picture and was left out: ``lines``, ``surroundings``, ``specks``,
        ``small writing``, ``pale ink``, as that of a stamp or a printed pattern, ``other signs``
        beside numbers, ``writing without digits``, ``wide lines of writing``,
        ``lines of writing after the 200th``.

    Examples
    --------
    >>> import inkwise, numpy
    >>> from PIL import Image
    >>> digits = inkwise.load_dataset("optdigits").test.images[[4, 12, 13]]
    >>> paper = 255 - numpy.pad(numpy.hstack(digits), 20)
    >>> paper[60:62] = 0  # a ruled line
    >>> numbers = inkwise.read(Image.fromarray(paper).resize((496, 272)))
    >>> [number.text for number in numbers], numbers.dropped
    (['507'], ('lines',))
    """

    def __init__(self, numbers: Iterable[Number] = (), dropped: tuple[str, ...] = ()) -> None:
        super().__init__(numbers)
        self.dropped = dropped


def may_be_one_digit(numbers: Sequence[Number]) -> bool:
    """Tell whether what was read may be a single digit, or nothing that is a number."""
    if not numbers:
        return True
    short = sum(sign.isdigit() for sign in numbers[0].text) <= 2
    alone = len(numbers[0].text) <= 1
    return len(numbers) == 1 and (alone or (short and numbers[0].verdict == "unsure"))


def one_digit(top: tuple[tuple[str, float], ...], box: "Box", *, sure: bool) -> Number:
    """Return a single digit as a number, from what may stand there, the likeliest first."""
    label, probability = top[0]
    sign = ReadDigit(label, probability, "digit" if sure else "unsure", top, box)
    verdict: Literal["number", "unsure"] = "number" if sure else "unsure"
    return Number(label, probability, verdict, top[1:], (sign,), box)


def read_numbers(picture: "Picture", check: Check | None = None, *, marks: bool = True) -> Numbers:
    """Read all numbers in a picture, from top to bottom and from left to right.

    Parameters
    ----------
    picture : Picture
        The picture, in any form that `inkwise.ink.normalise` takes.
    check : callable, optional
        Chooses among the readings of each number.
    marks : bool
        Whether points, commas, apostrophes, dashes and ``=`` are part of the numbers.

    Returns
    -------
    Numbers
        Empty if there is no number, and for an image of the network's size, which is one digit.

    Raises
    ------
    InkwiseError
        As `inkwise.ink.decoding.decode` does.
    """
    found = _find(picture)
    if found is None:
        return Numbers()
    raster, page, (lines, dropped) = found
    height, width = raster.size
    across = width / raster.pixels.shape[1], height / raster.pixels.shape[0]
    model = load_line_model()
    dropped = (*page.dropped, *dropped)
    numbers = []
    for line in lines:
        to_picture = _Places(line, page.scale, page.origin, across, raster.size)
        number, left_out = _read(line, model, to_picture, check, marks=marks)
        dropped += left_out
        if number is not None:
            numbers.append(number)
    return Numbers(numbers, tuple(dict.fromkeys(dropped)))


def _find(picture: "Picture") -> tuple[Raster, Page, Lines] | None:
    """Find the lines of a picture, at a higher resolution if its digits are small at the first."""
    found = None
    for side in SIDES:
        raster = decode_picture(picture, side)
        if raster.size == (CANVAS, CANVAS):
            return None
        with contextlib.suppress(NoInkError):
            page = find_all_ink(raster.pixels)
            lines = find_lines(page)
            found = raster, page, lines
            heights = [line.height / page.scale for line in lines.found]
            if min(raster.pixels.shape[:2]) >= CANVAS and min(heights, default=0) >= SMALL:
                break
        if raster.pixels.shape[:2] == raster.size:
            break
    return found


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where things of a line are in the picture; what is beyond the picture is left out."""

    line: Line
    scale: float
    origin: tuple[float, float]
    across: tuple[float, float]
    size: tuple[int, int]

    def __call__(self, box: "Box") -> "Box":
        top, left, bottom, right = (edge / self.scale for edge in self.line.on_the_page(box))
        down, aside = self.origin
        x, y = self.across
        height, width = self.size
        top, bottom = _within((top + down) * y, (bottom + down) * y, height)
        left, right = _within((left + aside) * x, (right + aside) * x, width)
        return top, left, bottom, right


def _within(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the whole pixels of a side of a picture that a span covers, and one at least."""
    start = min(max(0, round(low)), size - 1)
    return start, min(max(start + 1, round(high)), size)


def _read(
    line: Line, model: LineModel, to_picture: _Places, check: Check | None, *, marks: bool
) -> tuple[Number | None, tuple[str, ...]]:
    """Choose the likeliest reading of a line, None if that is no number; and say what it lacks."""
    beams = READINGS if check is None else READINGS_TO_CHECK
    readings, probabilities = look(model, line.levels, beams)
    texts: defaultdict[str, float] = defaultdict(float)
    best: dict[str, Reading] = {}
    for reading in readings:
        text = _shown(reading.text, marks=marks)
        texts[text] += reading.probability
        best.setdefault(text, reading)
    ranked = _calibrated(sorted(texts.items(), key=lambda one: -one[1]), model)
    if not any(sign.isdigit() for sign in ranked[0][0]):
        return None, ("writing without digits",)
    if ranked[0][1] < LEGIBLE:
        box = to_picture((0, 0, *line.levels.shape))
        return Number("", ranked[0][1], "not a number", tuple(ranked[:OTHERS]), (), box), ()
    enough = True
    if check is not None:
        allowed = [one for one in ranked if check(one[0])]
        known = sum(probability for _, probability in allowed)
        enough = known >= ALLOWED
        if allowed:
            # What is not allowed cannot be; readings that were not followed still can.
            rest = max(0.0, 1 - sum(probability for _, probability in ranked))
            ranked = [(text, probability / (known + rest)) for text, probability in allowed]
    text, probability = ranked[0]
    signs = _signs(best[text].text, ranked, probabilities, line, to_picture, marks=marks)
    boxes = np.array([sign.box for sign in signs])
    box = (*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())
    sure = enough and probability >= SURE and OTHER not in text
    verdict: Literal["number", "unsure"] = "number" if sure else "unsure"
    number = Number(text, probability, verdict, tuple(ranked[1 : 1 + OTHERS]), signs, box)
    beside = best[text].text != best[text].text.strip(OTHER)
    return number, ("other signs",) if beside else ()


def _shown(text: str, *, marks: bool) -> str:
    """Leave out what is no digit at both ends of a reading, and marks where they are not asked."""
    text = text.strip(OTHER)
    return text if marks else "".join(sign for sign in text if sign not in MARKS)


def _calibrated(ranked: list[tuple[str, float]], model: LineModel) -> list[tuple[str, float]]:
    """Return readings with calibrated probabilities: the likeliest's, and its rest for others."""
    (text, probability), *others = ranked
    calibrated = model.calibrate(probability)
    share = (1 - calibrated) / max(1 - probability, 1e-12)
    return [
        (text, calibrated),
        *((other, min(less * share, calibrated)) for other, less in others),
    ]


def _signs(
    reading: str,
    ranked: Sequence[tuple[str, float]],
    probabilities: NDArray[np.float32],
    line: Line,
    to_picture: _Places,
    *,
    marks: bool,
) -> tuple[ReadDigit, ...]:
    """Return the signs of a reading, each with its probability in all readings."""
    text = ranked[0][0]
    first = len(reading) - len(reading.lstrip(OTHER))
    last = len(reading.rstrip(OTHER))
    kept = [
        (sign, box)
        for sign, box in list(zip(reading, _boxes(reading, probabilities, line), strict=True))[
            first:last
        ]
        if marks or sign not in MARKS
    ]
    whole = max(1.0, sum(probability for _, probability in ranked))
    signs = []
    for place, (sign, box) in enumerate(kept):
        likely: defaultdict[str, float] = defaultdict(float)
        for other, probability in ranked:
            if len(other) == len(text):
                likely[other[place]] += probability / whole
        top = tuple(sorted(likely.items(), key=lambda entry: -entry[1])[:3])
        probability = min(1.0, likely[sign])
        verdict: Literal["digit", "mark", "unsure"] = "mark" if sign in MARKS else "digit"
        sure = probability >= SURE and sign != OTHER
        signs.append(
            ReadDigit(sign, probability, verdict if sure else "unsure", top, to_picture(box))
        )
    return tuple(signs)


def _boxes(reading: str, probabilities: NDArray[np.float32], line: Line) -> "list[Box]":
    """Return the box of each sign in a line: what is inked between the gaps beside it."""
    end = line.levels.shape[1] - 1
    # The network looks beyond the end of the line, which is widened for it.
    middles = [min(STEP * sum(ends) / 2, end) for ends in align(probabilities, reading)]
    inked = line.levels >= INK
    columns = line.levels.sum(0, dtype=np.float64)
    cuts = [0]
    for left, right in itertools.pairwise(middles):
        between = np.arange(math.ceil(left), max(math.ceil(left) + 1, math.floor(right)))
        between = between[between <= end]
        # The emptiest column; of several, the one nearest to the middle.
        aside = np.abs(between - (left + right) / 2)
        cuts.append(int(between[np.lexsort((aside, columns[between]))[0]]))
    cuts.append(len(columns))
    boxes = []
    for left, right in itertools.pairwise(cuts):
        rows = np.flatnonzero(inked[:, left:right].any(1))
        across = np.flatnonzero(inked[:, left:right].any(0))
        if len(rows):
            box = (rows[0], left + across[0], rows[-1] + 1, left + across[-1] + 1)
        else:
            box = (ABOVE, left, ABOVE + HEIGHT, max(right, left + 1))
        boxes.append(tuple(map(int, box)))
    return boxes  # type: ignore[return-value]
