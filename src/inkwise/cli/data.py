"""The command that lists the data sets."""

from inkwise.cli.console import new_table, show_table
from inkwise.cli.options import DataDirOption


def data(data_dir: DataDirOption = None) -> None:
    """List the data sets, where each comes from, and which are on this machine already."""
    from inkwise.data.catalogue import describe_datasets

    table = new_table("name", "what it is", "where it comes from", "at hand", left=4)
    for entry in describe_datasets(data_dir):
        table.add_row(entry.name, entry.title, entry.source, "yes" if entry.at_hand else "no")
    show_table(table)
