"""The command that reads the numbers in pictures, for people or for other programs."""

import functools
import json as json_format
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from inkwise.cli import shown_forms, shown_numbers
from inkwise.cli.options import AddressOption, EngineOption
from inkwise.cli.predict import STANDARD_INPUT, find_sources, print_csv
from inkwise.cli.storing import AnswersOption, GoOnOption, check_storing, store_answers
from inkwise.cli.streams import echo
from inkwise.errors import ArgumentError, InkwiseError, one_line

if TYPE_CHECKING:
    from inkwise.forms.form import Form
    from inkwise.ink import Picture
    from inkwise.ink.sources import Source

_Read = TypeVar("_Read")

_BOX = ("top", "left", "bottom", "right")


def read(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Pictures with numbers; folders of such pictures; patterns, such as "
            "'scans/*.png'; or - for a picture from standard input.",
            show_default=False,
        ),
    ],
    digits: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many digits each number has.", show_default=False),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="What each number looks like: # is a digit, anything else itself, as in '##.##'.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            help="The rule of each number's check digit: luhn, isbn, mod11, or iban:DE with the "
            "account's country.",
            show_default=False,
        ),
    ] = None,
    marks: Annotated[
        bool,
        typer.Option(
            help="Read points, commas, apostrophes, dashes and = as well, or leave them out."
        ),
    ] = True,
    grid: Annotated[
        str | None,
        typer.Option(
            metavar="ROWSxCOLUMNS",
            help="Read each cell of a ruled form, such as 10x5; auto finds how many there are.",
            show_default=False,
        ),
    ] = None,
    ignore_printed: Annotated[
        bool,
        typer.Option(
            "--ignore-printed", help="Leave out what is printed in a form, as a sudoku's givens."
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a page on which to look through the cells of forms and correct them.",
            show_default=False,
        ),
    ] = None,
    learn: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Make a data set of a photographed sheet of `inkwise sheet`, in this folder.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A run or a model directory; the model that comes with inkwise if not given.",
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
    output: AnswersOption = None,
    resume: GoOnOption = False,
    engine: EngineOption = "here",
    address: AddressOption = None,
) -> None:
    """Read the numbers in each picture, line by line; or a form, cell by cell.

    What is known of the numbers chooses among their readings, and never invents
    one. The exit code is 1 if a picture could not be read.

    With --output the numbers of any number of pictures become a table, and FILE
    may also be a folder of folders, a tar (WebDataset), a Parquet file with a
    column of pictures' bytes, a list of paths (.txt), or an address (s3://).
    """
    from inkwise.model.pretrained import load_pretrained
    from inkwise.reading.checks import make_check
    from inkwise.runs.models import find_model

    if json and csv:
        raise ArgumentError("--json and --csv are two formats of the same output: choose one")
    known: dict[str, Any] = {"digits": digits, "pattern": pattern, "check": check}
    make_check(**known)  # before any picture is read
    if grid is None and (html is not None or ignore_printed):
        grid = "auto"
    check_storing(output, resume, engine, address, shown=json or csv)
    told = any(known.values()) or not marks or output is not None
    if told and (grid is not None or learn is not None):
        raise ArgumentError(
            "--digits, --pattern, --check, --no-marks and --output are not for forms"
        )
    if learn is not None and (json or csv or grid is not None):
        raise ArgumentError("--learn makes a data set of a sheet, and shows no numbers")
    if grid is not None:
        from inkwise.forms.form import parse_shape

        parse_shape(grid)
    chosen = load_pretrained() if model is None else find_model(model)
    if output is not None:
        options = {**known, "marks": marks}
        store_answers(
            "read", files, output, chosen, resume, engine, address, first=first, **options
        )
        return
    sources = find_sources(files, first=first)
    width = max(len(source.name) for source in sources)
    if learn is not None:
        from inkwise.forms.sheet import learn_sheet

        learned = _read_each(sources, lambda picture: learn_sheet(picture, learn, model=chosen))
        complete = _show_lines(learned, functools.partial(shown_forms.learned_lines, learn), width)
    elif grid is not None:
        from inkwise.forms.form import read_form
        from inkwise.forms.form_page import write_form_page

        forms: dict[str, Form] = {}
        read_cells = functools.partial(
            read_form, grid=grid, ignore_printed=ignore_printed, model=chosen
        )
        readings = _keeping(_read_each(sources, read_cells), forms)
        complete = _show(readings, shown_forms, width, json, csv)
        if html is not None and forms:
            echo(one_line(f"Page: {write_form_page(forms, html)}"), err=json or csv)
    else:
        read_lines = functools.partial(chosen.read, marks=marks, **known)
        complete = _show(_read_each(sources, read_lines), shown_numbers, width, json, csv)
    if not complete:
        raise typer.Exit(1)


def _read_each(
    sources: "Iterable[Source]", read_one: "Callable[[Picture], _Read]"
) -> "Iterator[tuple[str, _Read | InkwiseError]]":
    """Read pictures one by one, each with its name; one that cannot be read stops no other."""
    for source in sources:
        if isinstance(source.picture, InkwiseError):
            yield source.name, source.picture
            continue
        try:
            yield source.name, read_one(source.picture)
        except ArgumentError:
            raise
        except InkwiseError as error:
            yield source.name, error


def _keeping(
    readings: "Iterable[tuple[str, _Read | InkwiseError]]", kept: dict[str, _Read]
) -> "Iterator[tuple[str, _Read | InkwiseError]]":
    """Pass readings on one by one, and keep those without an error."""
    for name, reading in readings:
        if not isinstance(reading, InkwiseError):
            kept[name] = reading
        yield name, reading


def _show(
    readings: Iterable[tuple[str, Any]], shown: Any, width: int, json: bool, csv: bool
) -> bool:
    """Show readings as a module says, and return whether all pictures could be read."""
    if json:
        return _show_json(readings, shown.entry)
    if csv:
        return _show_csv(readings, shown.columns(), shown.rows)
    return _show_lines(readings, shown.lines, width)


def _show_lines(
    readings: Iterable[tuple[str, Any]], lines: Callable[[str, Any], Iterable[str]], width: int
) -> bool:
    """Show lines for each picture, whose names are widened to one width."""
    complete = True
    for name, reading in readings:
        if isinstance(reading, InkwiseError):
            complete = False
            place = "standard input: " if name == STANDARD_INPUT else ""
            echo(f"error: {place}{reading}", err=True)
            continue
        for line in lines(name.ljust(width), reading):
            echo(one_line(line))
    return complete


def _show_json(readings: Iterable[tuple[str, Any]], entry: Callable[[Any], dict[str, Any]]) -> bool:
    """Print one JSON object per picture."""
    complete = True
    for name, reading in readings:
        failed = isinstance(reading, InkwiseError)
        complete &= not failed
        said = {"error": str(reading)} if failed else entry(reading)
        echo(json_format.dumps({"file": name, **said}, allow_nan=False))
    return complete


def _show_csv(
    readings: Iterable[tuple[str, Any]],
    columns: list[str],
    rows: Callable[[Any], Iterable[list[object]]],
) -> bool:
    """Print rows of a table for each picture."""
    print_csv(["file", *columns, "error"])
    complete = True
    for name, reading in readings:
        if isinstance(reading, InkwiseError):
            complete = False
            print_csv([name, *[None] * len(columns), reading])
            continue
        for row in rows(reading):
            print_csv([name, *row, None])
    return complete
