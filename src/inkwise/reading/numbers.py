"""From a picture to the numbers that are written in it."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, NoInkError
from inkwise.ink.decoding import decode
from inkwise.ink.finding import find_all_ink
from inkwise.ink.fitting import CANVAS
from inkwise.networks.as_onnx import LOGITS, SCORE
from inkwise.reading.checks import Check
from inkwise.reading.lattice import (
    DIGITS,
    MARKS,
    Way,
    inputs,
    likeliest_ways,
    load_weights,
    prices,
    total_weight,
)
from inkwise.reading.lines import Line, find_lines
from inkwise.reading.segments import Segments, find_segments

if TYPE_CHECKING:
    from inkwise.ink import Picture
    from inkwise.ink.levels import Box

SURE = 0.95
"""Least probability of a number, or of a digit in it, that is sure."""

ALLOWED = 0.05
"""Least probability of all readings that a check allows, for one of them to be sure."""

OTHERS = 4
"""Number of next best readings that a number lists."""

WAYS, WAYS_TO_CHECK = 16, 150
"""Number of likeliest ways that are followed to each cut; more if a check chooses among them."""

SIGNS = (*map(str, range(DIGITS)), *MARKS)
"""What each label is written as."""


class DigitModel(Protocol):
    """The attributes of a model that reading needs; see `inkwise.Model`, which has them."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""

    def run(self, images: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """Return the network's outputs with the given names."""


@dataclasses.dataclass(frozen=True)
class ReadDigit:
    """A digit or a mark of a number.

    Parameters
    ----------
    label : str
        The digit, or one of the marks ``.``, ``,``, ``'``, ``-`` and ``=``.
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
    verdict : {"number", "unsure"}
        ``unsure`` if the probability is below 95%; the verdicts of `digits` say where.
    others : tuple of (str, float)
        The next best readings and their probabilities.
    digits : tuple of ReadDigit
        The signs of `text`, from left to right.
    box : tuple of int
        Top, left, bottom and right of the number in the picture's pixels, the last two exclusive.
    """

    text: str
    probability: float
    verdict: Literal["number", "unsure"]
    others: tuple[tuple[str, float], ...]
    digits: tuple[ReadDigit, ...]
    box: "Box"

    def unsure(self) -> "Number":
        """Return the same number as one that is not sure."""
        return dataclasses.replace(self, verdict="unsure")


def may_be_one_digit(numbers: Sequence[Number]) -> bool:
    """Tell whether what was read may be a single digit, or nothing that is a number."""
    if not numbers:
        return True
    short = sum(sign.isdigit() for sign in numbers[0].text) <= 2
    alone = len(numbers[0].text) == 1
    return len(numbers) == 1 and (alone or (short and numbers[0].verdict == "unsure"))


def one_digit(top: tuple[tuple[str, float], ...], box: "Box", *, sure: bool) -> Number:
    """Return a single digit as a number, from what may stand there, the likeliest first."""
    label, probability = top[0]
    sign = ReadDigit(label, probability, "digit" if sure else "unsure", top, box)
    verdict: Literal["number", "unsure"] = "number" if sure else "unsure"
    return Number(label, probability, verdict, top[1:], (sign,), box)


def read_numbers(
    model: DigitModel,
    picture: "Picture",
    lowest_score: float,
    temperature: float,
    check: Check | None = None,
    *,
    marks: bool = True,
) -> list[Number]:
    """Read all numbers in a picture, from top to bottom and from left to right.

    Parameters
    ----------
    model : DigitModel
        A model of the ten digits.
    picture : Picture
        The picture, in any form that `inkwise.ink.normalise` takes.
    lowest_score, temperature : float
        Of the model's calibration.
    check : callable, optional
        Chooses among the readings of each number.
    marks : bool
        Whether points, commas, apostrophes, dashes and ``=`` are part of the numbers.

    Returns
    -------
    list of Number
        Empty if there is no number, and for an image of the network's size, which is one digit.

    Raises
    ------
    ArgumentError
        The model's classes are not the ten digits.
    InkwiseError
        As `inkwise.ink.decoding.decode` does.
    """
    if tuple(model.class_names) != SIGNS[:DIGITS]:
        raise ArgumentError("only a model whose classes are the digits 0 to 9 reads numbers")
    raster = decode(picture)
    if raster.size == (CANVAS, CANVAS):
        return []
    try:
        page = find_all_ink(raster.pixels)
    except NoInkError:
        return []
    lines = find_lines(page)
    weights = load_weights()
    each = [find_segments(line, weights) for line in lines]
    images = np.concatenate(
        [np.empty((0, CANVAS, CANVAS), np.uint8), *(one.images for one in each)]
    )
    logits, scores = classify(model, images, lowest_score, temperature)
    height, width = raster.size
    across = width / raster.pixels.shape[1], height / raster.pixels.shape[0]
    numbers = []
    first = 0
    for line, segments in zip(lines, each, strict=True):
        own = slice(first, first := first + len(segments.images))
        to_picture = _Places(line, page.scale, page.origin, across)
        number = _read(segments, logits[own], scores[own], to_picture, check, marks=marks)
        if number is not None:
            numbers.append(number)
    return numbers


def classify(
    model: DigitModel, images: NDArray[np.uint8], lowest_score: float, temperature: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logarithms of the digits' probabilities, and scores above the lowest of a digit."""
    logits, scores = model.run(images, LOGITS, SCORE)
    logits = logits / np.float32(temperature)
    logits -= logits.max(1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    return logits, scores - np.float32(lowest_score)


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where things of a line are in the picture."""

    line: Line
    scale: float
    origin: tuple[float, float]
    across: tuple[float, float]

    def __call__(self, box: "Box") -> "Box":
        top, left, bottom, right = (edge / self.scale for edge in self.line.on_the_page(box))
        down, aside = self.origin
        x, y = self.across
        return (
            max(0, round((top + down) * y)),
            max(0, round((left + aside) * x)),
            round((bottom + down) * y),
            round((right + aside) * x),
        )


def _read(
    segments: Segments,
    logits: NDArray[np.float32],
    scores: NDArray[np.float32],
    to_picture: _Places,
    check: Check | None,
    *,
    marks: bool,
) -> Number | None:
    """Choose the likeliest reading of a line; None if that is nothing."""
    if not len(segments.images):
        return None
    price = prices(inputs(segments, logits, scores), logits, load_weights())
    whole = total_weight(segments, price)
    texts: defaultdict[str, float] = defaultdict(float)
    best: dict[str, Way] = {}
    for weight, way in likeliest_ways(segments, price, WAYS if check is None else WAYS_TO_CHECK):
        signs = [SIGNS[label] for _, label in way if marks or label < DIGITS]
        text = "".join(signs)
        texts[text] += math.exp(weight - whole)
        best.setdefault(text, way)
    ranked = sorted(texts.items(), key=lambda one: -one[1])
    if not any(sign.isdigit() for sign in ranked[0][0]):
        return None
    enough = True
    if check is not None:
        allowed = [one for one in ranked if check(one[0])]
        known = sum(probability for _, probability in allowed)
        enough = known >= ALLOWED
        if allowed:
            # What is not allowed cannot be; readings that were not followed still can.
            rest = max(0.0, 1 - sum(texts.values()))
            ranked = [(text, probability / (known + rest)) for text, probability in allowed]
    text, probability = ranked[0]
    probability = min(1.0, probability)
    signs_of = _signs(text, best[text], ranked, segments, to_picture)
    boxes = np.array([sign.box for sign in signs_of])
    box = (*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())
    sure = enough and probability >= SURE
    return Number(
        text,
        probability,
        "number" if sure else "unsure",
        tuple(ranked[1 : 1 + OTHERS]),
        signs_of,
        box,
    )


def _signs(
    text: str,
    way: Way,
    ranked: Sequence[tuple[str, float]],
    segments: Segments,
    to_picture: _Places,
) -> tuple[ReadDigit, ...]:
    """Return the signs of a reading, each with its probability in all readings."""
    kept = [(one, SIGNS[label]) for one, label in way if SIGNS[label]]
    if len(kept) != len(text):  # marks are left out
        kept = [(one, sign) for one, sign in kept if sign.isdigit()]
    whole = sum(probability for _, probability in ranked)
    signs = []
    for place, (one, sign) in enumerate(kept):
        likely: defaultdict[str, float] = defaultdict(float)
        for other, probability in ranked:
            if len(other) == len(text):
                likely[other[place]] += probability / max(1.0, whole)
        top = tuple(sorted(likely.items(), key=lambda entry: -entry[1])[:3])
        probability = min(1.0, likely[sign])
        verdict: Literal["digit", "mark", "unsure"] = "digit" if sign.isdigit() else "mark"
        signs.append(
            ReadDigit(
                sign,
                probability,
                verdict if probability >= SURE else "unsure",
                top,
                to_picture(segments.boxes[one]),
            )
        )
    return tuple(signs)
