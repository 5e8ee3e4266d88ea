"""The command that lists the data sets, and fetches one."""

from typing import Annotated

import typer

from inkwise.cli.console import new_table, show_table
from inkwise.cli.options import DataDirOption


def data(
    data_dir: DataDirOption = None,
    fetch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="First download this data set to the cache, and verify it, unless it is at hand.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the data sets: where each comes from, in what format, and whether it is at hand."""
    from inkwise.data.catalogue import describe_datasets, fetch_dataset

    if fetch is not None:
        from inkwise.cli.display import Display

        with Display() as display:
            fetch_dataset(fetch, data_dir, display)
    table = new_table("name", "what it is", "found as", "where it comes from", "at hand", left=5)
    for entry in describe_datasets(data_dir):
        at_hand = "yes" if entry.at_hand else "no"
        table.add_row(entry.name, entry.title, entry.found_as or "", entry.source, at_hand)
    show_table(table)
