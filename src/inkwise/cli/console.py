"""What the commands print with: the console, tables, paths, and numbers with their intervals."""

import math
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from inkwise.evaluation.intervals import Estimate

# Paths and class names hold what they hold: brackets and colons mean nothing here.
console = Console(highlight=False, markup=False, emoji=False)


def show_path(what: str, path: Path) -> None:
    """Show where something was written."""
    console.print(Text.assemble(f"{what}: ", (str(path), "bold")), soft_wrap=True)


def open_page(path: Path) -> None:
    """Open a page in the browser, or say that there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        typer.echo("No browser answered: open the file yourself.", err=True)


def new_table(*columns: str, left: int = 1) -> Table:
    """Start a table with its first columns, `left` of them, flush left and the others right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return table


def show_table(table: Table) -> None:
    """Show a table; in a file or a pipe, which have no edge, as wide as it is."""
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def percent(estimate: "Estimate") -> str:
    """Write an estimate as a percentage."""
    return f"{estimate.value:.2%}" if estimate.defined else "–"


def interval(estimate: "Estimate", digits: int = 2) -> str:
    """Write an interval of a percentage in brackets; nothing where there is none."""
    if not estimate.defined:
        return ""
    return f"({100 * estimate.low:.{digits}f}–{100 * estimate.high:.{digits}f})"


def percent_with_interval(estimate: "Estimate") -> str:
    """Write a percentage and its interval in a line."""
    return f"{percent(estimate)} {interval(estimate)}".rstrip()


def two_lines(estimate: "Estimate") -> Text:
    """Write a percentage, and its interval below it."""
    return Text.assemble(f"{percent(estimate)}\n", (interval(estimate, 1).strip("()"), "dim"))


def number_with_interval(estimate: "Estimate") -> str:
    """Write a number and its interval in a line."""
    if not estimate.defined:
        return number(estimate.value)
    return f"{number(estimate.value)} ({estimate.low:.4f}–{estimate.high:.4f})"


def number(value: float) -> str:
    """Write a number with four decimals; a dash where it is undefined."""
    return "–" if math.isnan(value) else f"{value:.4f}"
