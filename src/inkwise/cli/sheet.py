"""The command that prints a sheet to write on."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.streams import echo
from inkwise.errors import one_line


def sheet(
    rows: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="How many rows of ten boxes, from 1 to 20; from the eleventh on, the digits come "
            "again.",
        ),
    ] = 10,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The PDF file to write."),
    ] = Path("sheet.pdf"),
) -> None:
    """Write a PDF page to print, on which you write each digit ten times.

    `inkwise read photo.jpg --learn mine` makes of its photograph a data set of
    your hand, for `inkwise train --from pretrained --data mine`.
    """
    from inkwise.forms.sheet import write_sheet

    echo(one_line(f"Sheet: {write_sheet(output, rows)}"))
