"""The command that reads the numbers in pictures, for people or for other programs."""

import dataclasses
import json as json_format
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwise.cli.forms import (
    Forms,
    show_form_csv,
    show_form_json,
    show_form_texts,
)
from inkwise.cli.forms import learn as learn_sheets
from inkwise.cli.predict import STANDARD_INPUT, find_sources, print_csv
from inkwise.cli.storing import (
    AddressOption,
    AnswersOption,
    EngineOption,
    GoOnOption,
    check_storing,
    store_answers,
)
from inkwise.cli.streams import echo
from inkwise.errors import ArgumentError, InkwiseError, one_line

if TYPE_CHECKING:
    from inkwise.forms.form import Form
    from inkwise.model import Model
    from inkwise.reading.numbers import Number

Readings = Iterator[tuple[str, "list[Number] | InkwiseError"]]


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
    engine: EngineOption = "threads",
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
    make_check(digits, pattern, check)  # before any picture is read
    if grid is None and (html is not None or ignore_printed):
        grid = "auto"
    known = digits is not None or pattern is not None or check is not None or not marks
    check_storing(output, resume, engine, address, shown=json or csv)
    if (known or output is not None) and (grid is not None or learn is not None):
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
        options = {"digits": digits, "pattern": pattern, "check": check, "marks": marks}
        store_answers(
            "read", files, output, chosen, resume, engine, address, first=first, **options
        )
        return
    if learn is not None:
        if not learn_sheets(find_sources(files, first=first), learn, chosen):
            raise typer.Exit(1)
        return
    if grid is not None:
        forms = _read_forms(files, grid, ignore_printed, chosen, first)
        show_forms = show_form_json if json else show_form_csv if csv else show_form_texts
        shown: dict[str, Form] = {}
        complete = show_forms(_keeping(forms, shown))
        if html is not None and shown:
            from inkwise.forms.form_page import write_form_page

            echo(one_line(f"Page: {write_form_page(shown, html)}"), err=json or csv)
        if not complete:
            raise typer.Exit(1)
        return

    def each() -> Readings:
        for source in find_sources(files, first=first):
            try:
                if isinstance(source.picture, InkwiseError):
                    raise source.picture
                yield (
                    source.name,
                    chosen.read(
                        source.picture, digits=digits, pattern=pattern, check=check, marks=marks
                    ),
                )
            except ArgumentError:
                raise
            except InkwiseError as error:
                yield source.name, error

    show = _show_json if json else _show_csv if csv else _show_text
    if not show(each()):
        raise typer.Exit(1)


def _read_forms(
    files: list[str], grid: str, ignore_printed: bool, model: "Model", first: bool
) -> Forms:
    from inkwise.forms.form import read_form

    for source in find_sources(files, first=first):
        try:
            if isinstance(source.picture, InkwiseError):
                raise source.picture
            form = read_form(source.picture, grid=grid, ignore_printed=ignore_printed, model=model)
        except ArgumentError:
            raise
        except InkwiseError as error:
            yield source.name, error
        else:
            yield source.name, form


def _keeping(forms: Forms, kept: "dict[str, Form]") -> Forms:
    """Pass forms on one by one, and keep those that could be read."""
    for name, form in forms:
        if not isinstance(form, InkwiseError):
            kept[name] = form
        yield name, form


def _show_text(readings: Readings) -> bool:
    """Show a line for each number, and return whether all pictures could be read."""
    complete = True
    for name, numbers in readings:
        if isinstance(numbers, InkwiseError):
            complete = False
            place = "standard input: " if name == STANDARD_INPUT else ""
            echo(f"error: {place}{numbers}", err=True)
        elif not numbers:
            echo(one_line(f"{name}   no number"))
        else:
            for number in numbers:
                echo(one_line(_row(name, number)))
    return complete


def _row(name: str, number: "Number") -> str:
    if number.verdict == "not a number":
        return f"{name}   not a number"
    row = f"{name}   {number.text}   ({number.probability:.3f})"
    if number.verdict == "number":
        return row
    unclear = [str(place) for place, one in enumerate(number.digits, 1) if one.verdict == "unsure"]
    if unclear:
        row += f"   unsure at {', '.join(unclear)}"
    else:
        row += "   unsure"
    others = [f"{text} ({probability:.3f})" for text, probability in number.others[:1]]
    return f"{row}, or {others[0]}" if others else row


def _show_json(readings: Readings) -> bool:
    """Print one JSON object per picture, and return whether all of them could be read."""
    complete = True
    for name, numbers in readings:
        if isinstance(numbers, InkwiseError):
            complete = False
            entry: dict[str, object] = {"file": name, "error": str(numbers)}
        else:
            entry = {"file": name, "numbers": [dataclasses.asdict(number) for number in numbers]}
        echo(json_format.dumps(entry, allow_nan=False))
    return complete


def _show_csv(readings: Readings) -> bool:
    """Print a row for each number, and return whether all pictures could be read."""
    from inkwise.batches.shards import COLUMNS, number_rows

    columns = [column for column, _ in COLUMNS["read"]]
    print_csv(columns)
    complete = True
    for name, numbers in readings:
        complete &= not isinstance(numbers, InkwiseError)
        for row in number_rows(name, numbers):
            row["unsure_at"] = " ".join(map(str, row.get("unsure_at") or ()))
            print_csv([row.get(column) for column in columns])
    return complete
