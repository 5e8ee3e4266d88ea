"""The command that measures robustness, and its tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from inkwise.cli.console import console, new_table, show_path, show_table, two_lines
from inkwise.cli.options import DataDirOption, SplitOption
from inkwise.pages.number_formats import ends

if TYPE_CHECKING:
    from inkwise.robustness.curves import AccuracyCurve, Robustness


def robustness(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Directories that `inkwise train` wrote, all on the same data set.",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A run to compare the others with.", show_default=False),
    ] = None,
    split: SplitOption = "test",
    images: Annotated[
        int, typer.Option(help="Number of images to draw from the split, each class in proportion.")
    ] = 2_000,
    through_ink: Annotated[
        bool,
        typer.Option("--through-ink", help="Preprocess the images as `predict` does."),
    ] = False,
    attacks: Annotated[
        bool,
        typer.Option("--attacks", help="Make adversarial attacks as well: FGSM and PGD."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Measure the accuracy of models under noise, blur, fog, lines, shifts and rotations.

    These are the fifteen corruptions of MNIST-C at five severities, and curves
    over shift, rotation and size, with 95% intervals. Each RUN gets
    robustness.json and figures/robustness.png.
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
    """Show the tables and the path of every run; an additional last result is the baseline."""
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
                f"{result.model}: mean error rate of fifteen corruptions {result.mean_error:.2%}",
                "bold",
            ),
            f" at MNIST-C's severities, {result.mean_error_all:.2%} over all five; "
            f"accuracy on the original images {clean.value:.2%} ({ends(clean, 1)})"
            + ("; preprocessed by ink" if result.through_ink else ""),
        ),
        soft_wrap=True,
    )
    console.print("Accuracy at the severity that MNIST-C uses (in bold), and at severities 1 to 5")
    show_table(_corruptions(result, baseline))
    if baseline is not None:
        console.print(
            f"{baseline.model}: mean error rate {baseline.mean_error:.2%}, "
            f"{baseline.mean_error_all:.2%} over all five severities. Differences are in "
            "percentage points; p is of McNemar's exact test with Holm's correction.",
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
