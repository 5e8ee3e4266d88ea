"""How the command `read` shows the numbers in pictures."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkwise.reading.numbers import Number, Numbers


def lines(name: str, numbers: "Numbers") -> Iterator[str]:
    """Show a line for each number; the last one says what was left out of the picture."""
    shown = [f"{name}   {_told(number)}" for number in numbers] or [f"{name}   no number"]
    if numbers.dropped:
        shown[-1] += f"   left out: {', '.join(numbers.dropped)}"
    yield from shown


def _told(number: "Number") -> str:
    if number.verdict == "not a number":
        return "not a number"
    told = f"{number.text}   ({number.probability:.3f})"
    if number.verdict == "number":
        return told
    unclear = _unsure_at(number)
    told += f"   unsure at {', '.join(map(str, unclear))}" if unclear else "   unsure"
    others = [f", or {text} ({probability:.3f})" for text, probability in number.others[:1]]
    return told + "".join(others)


def _unsure_at(number: "Number") -> list[int]:
    return [place for place, one in enumerate(number.digits, 1) if one.verdict == "unsure"]


def entry(numbers: "Numbers") -> dict[str, Any]:
    """Return numbers as values of strict JSON."""
    return {
        "numbers": [dataclasses.asdict(number) for number in numbers],
        "dropped": numbers.dropped,
    }


def columns() -> list[str]:
    """Return the columns of a CSV table, those of a stored answer, without file and error."""
    from inkwise.batches.rows import COLUMNS

    return [column for column, _ in COLUMNS["read"][1:-1]]


def rows(numbers: "Numbers") -> Iterator[list[object]]:
    """Return a row of a CSV table for each number; one that has none if there is none."""
    from inkwise.batches.rows import number_rows

    for row in number_rows("", numbers):
        row["unsure_at"] = " ".join(map(str, row.get("unsure_at") or ()))
        row["dropped"] = "; ".join(row["dropped"])
        yield [row.get(column) for column in columns()]
