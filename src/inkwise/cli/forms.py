"""How the command `read` shows forms, and what a sheet became."""

import json as json_format
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inkwise.cli.predict import STANDARD_INPUT, print_csv
from inkwise.cli.streams import echo
from inkwise.errors import InkwiseError, one_line

if TYPE_CHECKING:
    from inkwise.forms.form import Cell, Form
    from inkwise.ink.sources import Source
    from inkwise.model import Model

_BOX = ("top", "left", "bottom", "right")

Forms = Iterator[tuple[str, "Form | InkwiseError"]]


def show_form_texts(forms: Forms) -> bool:
    """Show each form as a table, and return whether all of them could be read."""
    complete = True
    for name, form in forms:
        if isinstance(form, InkwiseError):
            complete = False
            _show_error(name, form)
            continue
        kinds = [cell.verdict for cell in form.cells]
        unsure, strange = kinds.count("unsure"), kinds.count("not a digit")
        left_out = kinds.count("printed")
        told = f"{name}   {form.rows}x{form.columns}   {kinds.count('empty')} empty"
        told += f", {unsure} unsure" + (f", {strange} not a number" if strange else "")
        echo(one_line(told + (f", {left_out} printed" if left_out else "")))
        signs = [_sign(cell) for cell in form.cells]
        width = max(map(len, signs))
        for first in range(0, len(signs), form.columns):
            row = signs[first : first + form.columns]
            echo(" ".join(sign.rjust(width) for sign in row).rstrip())
    return complete


def _sign(cell: "Cell") -> str:
    """Return a cell as the table shows it."""
    if cell.verdict == "not a digit":
        return "?"
    if not cell.text:
        return "."
    return cell.text.replace(" ", "_") + "?" * (cell.verdict == "unsure")


def show_form_json(forms: Forms) -> bool:
    """Print one JSON object per form, and return whether all of them could be read."""
    complete = True
    for name, form in forms:
        if isinstance(form, InkwiseError):
            complete = False
            entry: dict[str, object] = {"file": name, "error": str(form)}
        else:
            entry = {
                "file": name,
                "rows": form.rows,
                "columns": form.columns,
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
                    }
                    for cell in form.cells
                ],
            }
        echo(json_format.dumps(entry, allow_nan=False))
    return complete


def show_form_csv(forms: Forms) -> bool:
    """Print a row for each cell, and return whether all forms could be read."""
    columns = ("file", "row", "column", "text", "probability", "verdict", "printed")
    print_csv([*columns, *_BOX, "error"])
    complete = True
    for name, form in forms:
        if isinstance(form, InkwiseError):
            complete = False
            print_csv([name, *[None] * 10, form])
            continue
        for cell in form.cells:
            values = (cell.row, cell.column, cell.text, cell.probability, cell.verdict)
            print_csv([name, *values, cell.printed, *cell.box, None])
    return complete


def learn(sources: "list[Source]", folder: Path, model: "Model") -> bool:
    """Make a data set of photographed sheets, and return whether all of them could be read."""
    from inkwise.forms.sheet import learn_sheet

    complete = True
    for source in sources:
        try:
            if isinstance(source.picture, InkwiseError):
                raise source.picture
            learned = learn_sheet(source.picture, folder, model=model)
        except InkwiseError as error:
            complete = False
            _show_error(source.name, error)
            continue
        count, empty = len(learned.saved), learned.empty
        echo(one_line(f"{source.name}   {count} pictures into {folder}, {empty} boxes are empty"))
        for path, label, said in learned.doubtful:
            echo(one_line(f"  doubtful: {path} is to be {label}, and looks like {said}"))
    return complete


def _show_error(name: str, error: InkwiseError) -> None:
    place = "standard input: " if name == STANDARD_INPUT else ""
    echo(f"error: {place}{error}", err=True)
