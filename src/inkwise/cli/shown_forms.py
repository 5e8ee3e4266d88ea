"""How the command `read` shows the cells of forms, and what a sheet became."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkwise.forms.form import Cell, Form
    from inkwise.forms.sheet import Learned


def lines(name: str, form: "Form") -> Iterator[str]:
    """Show a form as a table."""
    kinds = [cell.verdict for cell in form.cells]
    unsure, strange = kinds.count("unsure"), kinds.count("not a digit")
    left_out = kinds.count("printed")
    told = f"{name}   {form.rows}x{form.columns}   {kinds.count('empty')} empty"
    told += f", {unsure} unsure" + (f", {strange} not a number" if strange else "")
    told += f", {left_out} printed" if left_out else ""
    told += f"   turned by {form.turned}°" if form.turned else ""
    dropped = dict.fromkeys(name for cell in form.cells for name in cell.dropped)
    yield told + (f"   left out: {', '.join(dropped)}" if dropped else "")
    signs = [_sign(cell) for cell in form.cells]
    width = max(map(len, signs))
    for first in range(0, len(signs), form.columns):
        row = signs[first : first + form.columns]
        yield " ".join(sign.rjust(width) for sign in row).rstrip()


def _sign(cell: "Cell") -> str:
    """Return a cell as the table shows it."""
    if cell.verdict == "not a digit":
        return "?"
    if not cell.text:
        return "."
    return cell.text.replace(" ", "_") + "?" * (cell.verdict == "unsure")


def entry(form: "Form") -> dict[str, Any]:
    """Return a form as values of strict JSON."""
    return {
        "rows": form.rows,
        "columns": form.columns,
        "turned": form.turned,
        "cells": [
            {
                "row": cell.row,
                "column": cell.column,
                "text": cell.text,
                "probability": cell.probability,
                "verdict": cell.verdict,
                "others": cell.others,
                "printed": cell.printed,
                "box": cell.box,
                "dropped": cell.dropped,
            }
            for cell in form.cells
        ],
    }


def columns() -> list[str]:
    """Return the columns of a CSV table, without file and error."""
    from inkwise.batches.rows import BOX

    return ["row", "column", "text", "probability", "verdict", "printed", *BOX, "dropped", "turned"]


def rows(form: "Form") -> Iterator[list[object]]:
    """Return a row of a CSV table for each cell."""
    for cell in form.cells:
        values = (cell.row, cell.column, cell.text, cell.probability, cell.verdict, cell.printed)
        yield [*values, *cell.box, "; ".join(cell.dropped), form.turned]


def learned_lines(folder: Path, name: str, learned: "Learned") -> Iterator[str]:
    """Show how many pictures of a sheet went into a folder, and which of them to look at."""
    count, empty = len(learned.saved), learned.empty
    yield f"{name}   {count} pictures into {folder}, {empty} boxes are empty"
    for path, label, said in learned.doubtful:
        yield f"  doubtful: {path} is to be {label}, and looks like {said}"
