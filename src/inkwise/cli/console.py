"""Printing for all commands: the console, tables, paths, and numbers with their intervals."""

import contextlib
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inkwise.cli.streams import echo
from inkwise.pages.number_formats import ends, number, percent

if TYPE_CHECKING:
    from inkwise.evaluation.intervals import Estimate

# Brackets and colons in paths and class names are printed as they are, not as markup.
console = Console(highlight=False, markup=False, emoji=False)


def show_path(what: str, path: Path) -> None:
    """Show the path of something that was written."""
    console.print(Text.assemble(f"{what}: ", (str(path), "bold")), soft_wrap=True)


def open_page(path: Path) -> None:
    """Open a page in the browser, or report that there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        echo("No browser could be opened: open the file yourself.", err=True)


def new_table(*columns: str, left: int = 1) -> Table:
    """Create a table whose first `left` columns are aligned left and the others right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return table


def show_table(table: Table) -> None:
    """Show a table; in a file or a pipe, which have no width, without wrapping."""
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def bracketed(estimate: "Estimate") -> str:
    """Format the interval of a percentage in brackets; empty if it is undefined."""
    return f"({ends(estimate)})" if estimate.defined else ""


def percent_with_interval(estimate: "Estimate") -> str:
    """Format a percentage and its interval on one line."""
    return f"{percent(estimate)} {bracketed(estimate)}".rstrip()


def two_lines(estimate: "Estimate") -> Text:
    """Format a percentage with its interval below it."""
    below = ends(estimate, 1) if estimate.defined else ""
    return Text.assemble(f"{percent(estimate)}\n", (below, "dim"))


def number_with_interval(estimate: "Estimate") -> str:
    """Format a number and its interval on one line."""
    if not estimate.defined:
        return number(estimate)
    return f"{number(estimate)} ({ends(estimate, 4, share=False)})"


@contextlib.contextmanager
def going_on_later() -> Iterator[None]:
    """End with the code of Ctrl-C, and say how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where this one was.")
        raise typer.Exit(130) from None
