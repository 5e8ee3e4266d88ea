"""The commands about data sets."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.options import DataDirOption, OpenOption


def data(data_dir: DataDirOption = None) -> None:
    """List the data sets, where each would come from, and what is at hand."""
    from inkwise.cli.show import show_datasets
    from inkwise.data.catalogue import describe_datasets

    show_datasets(describe_datasets(data_dir))


def audit(
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="auto, mnist or optdigits.", show_default=False),
    ],
    split: Annotated[
        str, typer.Option(metavar="NAME", help="train, validation images included, or test.")
    ] = "train",
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The directory, new or empty."),
    ] = None,
    open_: OpenOption = False,
) -> None:
    """Find labels that are probably wrong, near-duplicates and outliers; decide on a page.

    What the page downloads, `inkwise train --labels` and `inkwise evaluate --labels` take.
    """
    from inkwise.auditing.label_audit import audit as audit_dataset
    from inkwise.cli.audit import AuditDisplay, show_audit
    from inkwise.cli.show import open_page

    with AuditDisplay() as display:
        found = audit_dataset(
            dataset,
            split,
            data_dir=data_dir,
            output=output,
            on_notice=display.notice,
            on_download=display.download,
            on_step=display.step,
            on_batch=display.batch,
        )
    show_audit(found)
    if open_:
        open_page(found.page_path)
