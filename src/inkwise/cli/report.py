"""The command that writes the report of a run again."""

from typing import Annotated

import typer

from inkwise.cli.console import open_page, show_path
from inkwise.cli.options import OpenOption, RunArgument


def report(
    run: RunArgument,
    open_: OpenOption = False,
    notebook: Annotated[
        bool,
        typer.Option("--notebook", help="Write a Jupyter notebook, report.ipynb, as well."),
    ] = False,
) -> None:
    """Write the figures and the report of a run again, from the run's own files."""
    from inkwise.report.html import write_report
    from inkwise.report.notebook import write_notebook
    from inkwise.runs.directory import Run

    path = write_report(Run(run))
    show_path("Report", path)
    if notebook:
        show_path("Notebook", write_notebook(run))
    if open_:
        open_page(path)
