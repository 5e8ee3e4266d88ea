"""The command that compares runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwise.cli.console import console, new_table, show_path, show_table
from inkwise.pages.number_formats import ends, percent

if TYPE_CHECKING:
    from inkwise.comparison.compared_runs import Comparison


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="At least two directories that `inkwise train` wrote, or `inkwise evaluate` for "
            "models from elsewhere, all on the same data set.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a page about it as well, with the images on which the runs disagree.",
        ),
    ] = None,
) -> None:
    """Test whether runs differ significantly on the same test images, and say what follows.

    Predictions are paired image by image. Runs of one recipe with several seeds
    are summarised.
    """
    from inkwise.comparison.compared_runs import compare as compare_runs
    from inkwise.comparison.runs_page import write_comparison

    comparison = compare_runs(*runs)
    show_comparison(comparison)
    if output is not None:
        show_path("Page", write_comparison(comparison, output))


def show_comparison(comparison: "Comparison") -> None:
    """Show a table of the runs, and what may be concluded about each pair."""
    table = new_table("run", "recipe", "seed", "errors", "accuracy", "95% interval", left=2)
    for compared in comparison.runs:
        accuracy = compared.evaluation.accuracy
        table.add_row(
            compared.name,
            *(
                ("trained elsewhere", "")
                if compared.recipe is None
                else (compared.recipe.name, str(compared.recipe.seed))
            ),
            f"{compared.errors:,} of {comparison.images:,}",
            percent(accuracy),
            ends(accuracy),
        )
    show_table(table)
    for conclusion in comparison.conclusions:
        console.print(conclusion, soft_wrap=True)
    console.print(
        f"{len(comparison.disagreements):,} of {comparison.images:,} images did not get the same "
        "label from all runs.",
        soft_wrap=True,
    )
