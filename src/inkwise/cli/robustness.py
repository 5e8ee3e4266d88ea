"""The command that measures robustness, and its tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from inkwise.cli.console import console, new_table, show_path, show_table, two_lines
from inkwise.cli.options import DataDirOption, SplitOption
from inkwise.pages.formats import ends

if TYPE_CHECKING:
    from inkwise.robustness.curves import AccuracyCurve, Robustness


def robustness(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Directories that `inkwise train` wrote, of one data set.",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A run to compare with.", show_default=False),
    ] = None,
    split: SplitOption = "test",
    images: Annotated[
        int, typer.Option(help="How many of its images, each class at its share.")
    ] = 2_000,
    through_ink: Annotated[
        bool,
        typer.Option("--through-ink", help="Let ink find the digit first, as `predict` does."),
    ] = False,
    attacks: Annotated[
        bool,
        typer.Option("--attacks", help="Attack the network, too, by its gradient: FGSM and PGD."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Measure how right models stay on noise, blur, fog, lines, moved and turned digits.

    The fifteen corruptions of MNIST-C in five severities, and curves over shift, rotation and size,
    with 95% intervals: robustness.json and figures/robustness.png in each RUN.
    """
    from inkwise.cli.display import Display
    from inkwise.robustness.measuring import measure_robustness

    with Display() as display:
        results = measure_robustness(
            runs,
            baseline=baseline,
            split=split,
            images=images,
            through_ink=through_ink,
            attacks=attacks,
            data_dir=data_dir,
            progress=display,
        )
    show_robustness(runs, results)


def show_robustness(paths: Sequence[Path], results: "Sequence[Robustness]") -> None:
    """Show the tables of every run, and where its files are; a result more is the baseline."""
    baseline = results[-1] if len(results) > len(paths) else None
    for path, result in zip(paths, results, strict=False):
        _show_one(result, baseline)
        show_path("Run", path)


def _show_one(result: "Robustness", baseline: "Robustness | None") -> None:
    from inkwise.robustness.curves import share_right

    clean = share_right(result.clean)
    console.print(
        Text.assemble(
            (
                f"{result.model}: mean error of the fifteen corruptions {result.mean_error:.2%}",
                "bold",
            ),
            f" at MNIST-C's severities, {result.mean_error_all:.2%} over all five; "
            f"accuracy as they are {clean.value:.2%} ({ends(clean, 1)})"
            + ("; through ink" if result.through_ink else ""),
        ),
        soft_wrap=True,
    )
    console.print("Accuracy at MNIST-C's own severity, which is bold, and at severities 1 to 5")
    show_table(_corruptions(result, baseline))
    if baseline is not None:
        console.print(
            f"{baseline.model}: mean error {baseline.mean_error:.2%}, "
            f"{baseline.mean_error_all:.2%} over all five. Differences are in points; p is "
            "McNemar's, exact, after Holm.",
            soft_wrap=True,
        )
    for name, curve in {**result.geometry, **result.attacks}.items():
        others = {} if baseline is None else {**baseline.geometry, **baseline.attacks}
        show_table(_curve(name, curve, result.model, others.get(name), baseline))


def _corruptions(result: "Robustness", baseline: "Robustness | None") -> Table:
    from inkwise.evaluation.significance import format_p
    from inkwise.robustness.corruptions import CORRUPTIONS
    from inkwise.robustness.curves import SEVERITIES

    columns = ["corruption", "accuracy", *map(str, SEVERITIES)]
    if baseline is not None:
        columns += [baseline.model, "difference"]
    table = new_table(*columns)
    differences = {} if baseline is None else result.differences(baseline)
    for name, curve in result.corruptions.items():
        cells = [
            Text(f"{share:.1%}", "bold" if severity == CORRUPTIONS[name].severity else "dim")
            for severity, share in zip(curve.levels, curve.right.mean(axis=1), strict=True)
        ]
        row: list[str | Text] = [name, two_lines(result.usual(name)), *cells]
        if baseline is not None:
            difference = differences[name]
            style = "bold" if difference.significant else "dim"
            points = Text.assemble(
                (f"{100 * difference.value:+.2f}\n", style), (format_p(difference.p), "dim")
            )
            row += [two_lines(baseline.usual(name)), points]
        table.add_row(*row)
    return table


def _curve(
    name: str,
    curve: "AccuracyCurve",
    model: str,
    other: "AccuracyCurve | None",
    baseline: "Robustness | None",
) -> Table:
    table = new_table(f"{name}, {curve.unit}", *(f"{level:g}" for level in curve.levels))
    table.add_row(model, *(f"{share:.1%}" for share in curve.right.mean(axis=1)))
    if other is not None and baseline is not None:
        table.add_row(baseline.model, *(f"{share:.1%}" for share in other.right.mean(axis=1)))
    return table
