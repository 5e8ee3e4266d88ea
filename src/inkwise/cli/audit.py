"""The command that searches a data set for wrong labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwise.cli.console import console, new_table, open_page, show_path, show_table
from inkwise.cli.options import DataDirOption, OpenOption, OwnDataOption

if TYPE_CHECKING:
    from inkwise.auditing.findings import Audit

FIRST = 10
"""Number of suspects that are shown."""


def audit(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET]",
            help="The data set: auto, the default, or one of `inkwise data`.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(metavar="NAME", help="The split: train (with the validation images) or test."),
    ] = "train",
    folder: OwnDataOption = None,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The directory to write, new or empty."),
    ] = None,
    open_: OpenOption = False,
) -> None:
    """Find probably wrong labels, near-duplicates and outliers, and review them on a page.

    The page lets you download your decisions, as a file for
    `inkwise train --labels` and `inkwise evaluate --labels`.
    """
    from inkwise.auditing.label_audit import audit as audit_dataset
    from inkwise.cli.display import Display

    with Display() as display:
        found = audit_dataset(
            dataset,
            split,
            data=folder,
            data_dir=data_dir,
            output=output,
            progress=display,
        )
    show_audit(found)
    if open_:
        open_page(found.page_path)


def show_audit(audit: "Audit") -> None:
    """Show the first suspects of an audit, how much it found, and the path of the page."""
    names, labels = audit.dataset.class_names, audit.images.labels
    if len(audit.suspects):
        table = new_table("rank", "image", "label", "suggested", "probability", "margin")
        for rank, index in enumerate(audit.suspects[:FIRST], 1):
            table.add_row(
                str(rank),
                str(index),
                names[labels[index]],
                names[audit.suggested[index]],
                f"{audit.probabilities[index].max():.1%}",
                f"{audit.margins[index]:.3f}",
            )
        show_table(table)
    conflicts = sum(pair.conflict for pair in audit.duplicates)
    console.print(
        f"Probably wrong: {audit.wrong:,} of {len(labels):,} labels of {audit.dataset.name}, "
        f"{audit.split} split; doubtful: {len(audit.suspects) - audit.wrong:,} more. "
        f"{len(audit.duplicates):,} pairs of images are the same or nearly, {conflicts:,} of them "
        "with different labels.",
        soft_wrap=True,
    )
    show_path("Page", audit.page_path)
    show_path("Labels", audit.labels_path)
