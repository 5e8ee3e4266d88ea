"""The command that recognises the digits in pictures, for people or for other programs."""

import csv as csv_format
import io
import json as json_format
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwise.cli.options import AddressOption, EngineOption
from inkwise.cli.storing import AnswersOption, GoOnOption, check_storing, store_answers
from inkwise.cli.streams import echo
from inkwise.errors import ArgumentError, DataError, InkwiseError, one_line
from inkwise.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from inkwise.ink.sources import Source
    from inkwise.model import Answer

STANDARD_INPUT = "-"

LARGEST = 1 << 28
"""Largest number of bytes that are read from standard input."""

SHADES = " .:-=+*#%@"
"""Characters from background to full ink, for terminals without grey levels."""

Answers = Iterator[tuple[str, "Answer | InkwiseError"]]


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Pictures of one digit each; folders of such pictures; patterns, such as "
            "'scans/*.png'; or - for a picture from standard input.",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A run, a model directory or an .onnx file of inkwise; the model that comes with "
            "inkwise if not given.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, for other programs.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table with a header.")] = False,
    first: Annotated[
        bool,
        typer.Option(
            "--first", help="Read only the first page or frame of a file with several of them."
        ),
    ] = False,
    hand: Annotated[
        str,
        typer.Option(
            help="Where the writers learned to write: any, europe or america. It shifts the odds "
            "between a 1 with an upstroke and a 7 without a bar, where a shape may be either."
        ),
    ] = "any",
    output: AnswersOption = None,
    resume: GoOnOption = False,
    engine: EngineOption = "here",
    address: AddressOption = None,
) -> None:
    """Recognise the digit in each picture, or report that it shows none or several.

    Pictures may be photos, scans or drawings of any size, dark on light or light
    on dark. In a terminal, a single picture is drawn as the network sees it. The
    exit code is 1 if a picture could not be read.

    With --output the answers of any number of pictures become a table, and FILE
    may also be a folder of folders, a tar (WebDataset), a Parquet file with a
    column of pictures' bytes, a list of paths (.txt), or an address (s3://).
    """
    from inkwise.model.pretrained import load_pretrained
    from inkwise.runs.models import find_model

    if json and csv:
        raise ArgumentError("--json and --csv are two formats of the same output: choose one")
    check_storing(output, resume, engine, address, shown=json or csv)
    chosen = load_pretrained() if model is None else find_model(model)
    if output is not None:
        store_answers(
            "predict", files, output, chosen, resume, engine, address, first=first, hand=hand
        )
        return
    sources = find_sources(files, first=first)
    names = [source.name for source in sources]
    answers = zip(
        names, chosen.classify_each((source.picture for source in sources), hand=hand), strict=True
    )
    if json:
        complete = show_json(answers)
    elif csv:
        complete = show_csv(answers)
    else:
        complete = show_answers(answers, names)
    if not complete:
        raise typer.Exit(1)


def find_sources(files: Sequence[str], *, first: bool = False) -> "list[Source]":
    """Find the pictures that the command line names; ``-`` is a picture from standard input."""
    from inkwise.ink.sources import find_pictures

    return [
        source
        for file in files
        for source in (
            _read_standard_input(first=first)
            if file == STANDARD_INPUT
            else find_pictures(file, first=first, progress=_Notices())
        )
    ]


class _Notices(Progress):
    """Prints notices; the bars of other commands would take longer to import than a picture."""

    def notice(self, text: str) -> None:
        echo(one_line(text), err=True)


def _read_standard_input(*, first: bool) -> "list[Source]":
    from inkwise.ink.sources import Source, find_sources_of

    if sys.stdin is None:
        error = DataError("it is closed: send a picture, or name a file")
        return [Source(STANDARD_INPUT, error)]
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        error = DataError(f"there are more than {LARGEST:,} bytes: send a smaller picture")
        return [Source(STANDARD_INPUT, error)]
    return find_sources_of(content, STANDARD_INPUT, first=first)


def show_answers(answers: Answers, names: Sequence[str]) -> bool:
    """Show one line for each picture, and return whether all of them could be read.

    In a terminal, a single picture is also drawn as the network sees it.
    """
    width = max(map(len, names))
    complete = True
    for name, answer in answers:
        if isinstance(answer, InkwiseError):
            complete = False
            place = "standard input: " if name == STANDARD_INPUT else ""
            echo(f"error: {place}{answer}", err=True)
        elif len(names) > 1:
            echo(one_line(_row(name.ljust(width), answer)))
        else:
            echo(one_line(_row(name, answer)))
            if answer.ink is not None and _on_a_terminal():
                _draw(answer.ink.image)
    return complete


def _row(name: str, answer: "Answer") -> str:
    row = f"{name}   {answer.verdict}"
    if answer.label is not None:
        row = f"{name}   {answer.label}   ({answer.probability:.3f})"
    if answer.verdict == "unsure":
        others = [f"{other} ({probability:.3f})" for other, probability in answer.top[1:2]]
        row += f"   {', or '.join(['unsure', *others])}"
    if len(answer.parts) > 1:
        row += f"   {len(answer.parts)} parts"
    if answer.ink is not None and answer.ink.dropped:
        row += f"   left out: {', '.join(answer.ink.dropped)}"
    return row


def _on_a_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None if it was closed


def _draw(image: "NDArray[np.uint8]") -> None:
    """Draw grey levels, (H, W), with two rows per line, since characters are taller than wide."""
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
    """Print one JSON object per line, and return whether all pictures could be read."""
    complete = True
    for name, answer in answers:
        complete &= not isinstance(answer, InkwiseError)
        echo(json_format.dumps(_entry(name, answer), allow_nan=False))
    return complete


def show_csv(answers: Answers) -> bool:
    """Print the rows of a CSV table, and return whether all pictures could be read."""
    from inkwise.batches.rows import COLUMNS, answer_row

    columns = [column for column, _ in COLUMNS["predict"]]
    print_csv(columns)
    complete = True
    for name, answer in answers:
        complete &= not isinstance(answer, InkwiseError)
        row = answer_row(name, answer)
        row["dropped"] = " ".join(row.get("dropped") or ())
        row["parts"] = "; ".join(" ".join(map(str, box)) for box in row.get("parts") or ())
        print_csv([row.get(column) for column in columns])
    return complete


def _entry(name: str, answer: "Answer | InkwiseError") -> dict[str, Any]:
    """Return an answer as values of strict JSON."""
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
        "dropped": None if ink is None else ink.dropped,
        "parts": answer.parts,
    }


def print_csv(values: Sequence[object]) -> None:
    """Print a row of a CSV table."""
    buffer = io.StringIO()
    csv_format.writer(buffer, lineterminator="\n").writerow(values)
    row = buffer.getvalue().removesuffix("\n")
    # A file or a pipe gets names unchanged, even if they contain terminal colour codes; what its
    # encoding has no character for is escaped.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    row = row.encode(encoding, "backslashreplace").decode(encoding)
    echo(one_line(row) if _on_a_terminal() else row, color=True)
