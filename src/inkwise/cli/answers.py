"""Answers about pictures on the screen, or for other programs."""

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from inkwise.errors import DataError, InkwiseError, one_line
from inkwise.ink.sources import Source, find_pictures
from inkwise.model import Answer
from inkwise.model.answers import CANDIDATES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STANDARD_INPUT = "-"

LARGEST = 1 << 28
"""The most bytes that are read from standard input; no picture that fits the memory has more."""

SHADES = " .:-=+*#%@"
"""From no ink to full ink, where a terminal has no greys."""

_BOX = ("top", "left", "bottom", "right")

Answers = Iterator[tuple[str, Answer | InkwiseError]]


def find_sources(files: Sequence[str]) -> list[Source]:
    """Find the pictures that the command line names; ``-`` is one in standard input."""
    return [
        source
        for file in files
        for source in ([_read_standard_input()] if file == STANDARD_INPUT else find_pictures(file))
    ]


def _read_standard_input() -> Source:
    if sys.stdin is None:
        return Source(STANDARD_INPUT, DataError("it is closed: send a picture, or name a file"))
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        error = DataError(f"there are more than {LARGEST:,} bytes: that is no picture")
        return Source(STANDARD_INPUT, error)
    return Source(STANDARD_INPUT, content)


def show_answers(answers: Answers, names: Sequence[str]) -> bool:
    """Show a line a picture as it comes, and return whether all of them could be read.

    A single picture is drawn too, as the network saw it, where there is a terminal.
    """
    width = max(map(len, names))
    complete = True
    for name, answer in answers:
        if isinstance(answer, InkwiseError):
            complete = False
            place = "standard input: " if name == STANDARD_INPUT else ""
            typer.echo(f"error: {place}{answer}", err=True)
        elif len(names) > 1:
            typer.echo(one_line(_row(name.ljust(width), answer)))
        else:
            typer.echo(one_line(_row(name, answer)))
            if answer.ink is not None and _on_a_terminal():
                _draw(answer.ink.image)
    return complete


def _row(name: str, answer: Answer) -> str:
    if answer.label is None:
        return f"{name}   {answer.verdict}"
    row = f"{name}   {answer.label}   ({answer.probability:.3f})"
    if answer.verdict == "unsure":
        others = [f"{other} ({probability:.3f})" for other, probability in answer.top[1:2]]
        row += f"   {', or '.join(['unsure', *others])}"
    return row


def _on_a_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None is one that was closed


def _draw(image: "NDArray[np.uint8]") -> None:
    """Draw grey levels, two rows of them to a line, which is how high and wide a letter is."""
    import numpy as np
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    if image.shape[1] > console.width:
        return
    image = np.pad(image, [(0, len(image) % 2), (0, 0)])
    pairs = image.reshape(-1, 2, image.shape[1])
    in_greys = console.color_system is not None and not console.no_color
    for upper, lower in pairs.tolist():
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            if in_greys and console.encoding.startswith("utf"):
                line.append("▀", f"rgb({above},{above},{above}) on rgb({below},{below},{below})")
            else:
                line.append(SHADES[(above + below) * len(SHADES) // 512])
        console.print(line)


def show_json(answers: Answers) -> bool:
    """Print a JSON object a line as it comes, and return whether all pictures could be read."""
    complete = True
    for name, answer in answers:
        complete &= isinstance(answer, Answer)
        typer.echo(json.dumps(_entry(name, answer), allow_nan=False))
    return complete


def show_csv(answers: Answers) -> bool:
    """Print a line of a table as it comes, and return whether all pictures could be read."""
    places = range(2, CANDIDATES + 1)
    others = [f"{column}_{place}" for place in places for column in ("label", "probability")]
    columns = ["file", "label", "probability", "verdict", *others, "score"]
    columns += [*_BOX, "polarity", "scale", "error"]
    _print_csv(columns)
    complete = True
    for name, answer in answers:
        complete &= isinstance(answer, Answer)
        entry = _entry(name, answer)
        for place, (label, probability) in enumerate(entry.pop("top", ())[1:], 2):
            entry |= {f"label_{place}": label, f"probability_{place}": probability}
        entry |= zip(_BOX, entry.pop("box", None) or (), strict=False)
        _print_csv([entry.get(column) for column in columns])
    return complete


def _entry(name: str, answer: Answer | InkwiseError) -> dict[str, Any]:
    """Return an answer as strict JSON has it."""
    if isinstance(answer, InkwiseError):
        return {"file": name, "error": str(answer)}
    ink = answer.ink
    return {
        "file": name,
        "label": answer.label,
        "probability": answer.probability,
        "verdict": answer.verdict,
        "top": answer.top,
        "score": None if answer.score == -math.inf else answer.score,
        "box": None if ink is None else ink.box,
        "polarity": None if ink is None else ink.polarity,
        "scale": None if ink is None else ink.scale,
    }


def _print_csv(values: Sequence[object]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    row = buffer.getvalue().removesuffix("\n")
    # A file or a pipe gets a name as it is, even one that looks like a colour.
    typer.echo(one_line(row) if _on_a_terminal() else row, color=True)
