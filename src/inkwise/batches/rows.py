"""Answers as rows of a table: which columns there are, and what stands in them."""

import math
from typing import TYPE_CHECKING, Any

from inkwise.errors import InkwiseError
from inkwise.model.answers import CANDIDATES

if TYPE_CHECKING:
    from inkwise.model import Answer
    from inkwise.reading.numbers import Numbers

BOX = ("top", "left", "bottom", "right")

_CANDIDATES = [
    column
    for place in range(2, CANDIDATES + 1)
    for column in ((f"label_{place}", "string"), (f"probability_{place}", "float"))
]
_SIDES = [(side, "int32") for side in BOX]

COLUMNS = {
    "predict": [
        *(("file", "string"), ("label", "string"), ("probability", "float")),
        ("verdict", "string"),
        *_CANDIDATES,
        ("score", "float"),
        *_SIDES,
        *(("polarity", "string"), ("scale", "float"), ("dropped", "strings")),
        *(("parts", "boxes"), ("error", "string")),
    ],
    "read": [
        *(("file", "string"), ("number", "string"), ("probability", "float")),
        *(("verdict", "string"), ("unsure_at", "places")),
        *(("text_2", "string"), ("probability_2", "float")),
        *_SIDES,
        *(("dropped", "strings"), ("error", "string")),
    ],
}
"""Columns by what is asked of the pictures, in their order, with their types."""

Row = dict[str, Any]
"""Values by column; those that are missing are null."""


def answer_row(name: str, answer: "Answer | InkwiseError") -> Row:
    """Return the row of a picture's answer, or of the error that is in its place."""
    if isinstance(answer, InkwiseError):
        return {"file": name, "error": str(answer)}
    row: Row = {
        "file": name,
        "label": answer.label,
        "probability": answer.probability,
        "verdict": answer.verdict,
        "score": None if answer.score == -math.inf else answer.score,
    }
    for place, (label, probability) in enumerate(answer.top[1:], 2):
        row |= {f"label_{place}": label, f"probability_{place}": probability}
    if answer.ink is not None:
        row |= dict(zip(BOX, answer.ink.box, strict=True))
        row |= {"polarity": answer.ink.polarity, "scale": answer.ink.scale}
        row["dropped"] = list(answer.ink.dropped)
    row["parts"] = [list(box) for box in answer.parts]
    return row


def number_rows(name: str, numbers: "Numbers | InkwiseError") -> list[Row]:
    """Return a row for each number of a picture; one without a number if it has none."""
    if isinstance(numbers, InkwiseError):
        return [{"file": name, "error": str(numbers)}]
    rows = []
    for number in numbers:
        text, probability = number.others[0] if number.others else (None, None)
        rows.append(
            {
                "file": name,
                "number": number.text,
                "probability": number.probability,
                "verdict": number.verdict,
                "unsure_at": [
                    place for place, one in enumerate(number.digits, 1) if one.verdict == "unsure"
                ],
                "text_2": text,
                "probability_2": probability,
                **dict(zip(BOX, number.box, strict=True)),
                "dropped": list(numbers.dropped),
            }
        )
    return rows or [{"file": name, "dropped": list(numbers.dropped)}]
