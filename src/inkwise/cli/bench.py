"""The command that compares inkwise with other libraries, and its tables."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from inkwise.cli.console import console, new_table, show_path, show_table
from inkwise.cli.options import DataDirOption

if TYPE_CHECKING:
    from inkwise.bench.measurement import Failure, Measurement
    from inkwise.bench.rounds import Bench
    from inkwise.bench.summary import Spread

Form = Callable[[float], str]


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run only this contender: swift, case-study, keras, pytorch, knn, svm, boosting "
            "or mlp. Can be given several times.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Number of rounds; 3 if not given, 1 with --quick.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take about two minutes: fewer contenders, one round.")
    ] = False,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The directory to write, new or empty."),
    ] = None,
) -> None:
    """Measure time, accuracy and memory on MNIST, beside Keras, PyTorch and scikit-learn.

    Each contender runs in processes of its own, in interleaved rounds. Do not use
    the machine for anything else meanwhile. Ctrl-C stops the bench and keeps what
    is finished. The exit code is 1 if a contender failed.
    """
    from inkwise.bench.rounds import run_bench
    from inkwise.cli.display import BenchDisplay
    from inkwise.runs.directory import INTERRUPTED

    with BenchDisplay() as display:
        outcome = run_bench(
            only=only or (),
            rounds=rounds,
            quick=quick,
            data_dir=data_dir,
            output=output,
            progress=display,
            on_outcome=lambda outcome: display.line(_line(outcome)),
        )
    show_bench(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)
    if outcome.failures:
        raise typer.Exit(1)


def show_bench(bench: "Bench") -> None:
    """Show the tables of a bench, its failures, and the path of its directory."""
    from inkwise.runs.directory import INTERRUPTED

    summary = bench.summary
    if summary:
        rounds = bench.about["rounds"]
        often = (
            "One round"
            if rounds == 1
            else f"{rounds} rounds: median, and smallest to largest value"
        )
        console.print(f"{often}. Times are in seconds.")
        show_table(_table(summary, _TRAINING))
        show_table(_table(summary, _PREDICTION))
    for reference, ratios in bench.ratios.items():
        if reference in _OURS and ratios:
            console.print(f"Times as multiples of those of {_title(reference)}, round by round")
            show_table(_table(ratios, _RATIOS))
    for growth in bench.growth.values():
        if (law := growth.fit) is not None:
            console.print(
                f"{growth.title}: the time grows as the size to the power of {law.exponent:.2f}, "
                f"fitted from {law.smallest:,} to {law.largest:,} {growth.unit}",
                soft_wrap=True,
            )
    for failure in bench.failures:
        console.print(Text(_line(failure), "red"), soft_wrap=True)
    if bench.status == INTERRUPTED:
        console.print("The bench was interrupted; what was finished is kept.")
    show_path("Bench", bench.path)


def _title(contender: str) -> str:
    from inkwise.bench.contenders import CONTENDERS

    return CONTENDERS[contender].title if contender in CONTENDERS else contender


def _line(outcome: "Measurement | Failure") -> str:
    from inkwise.bench.measurement import Failure

    if isinstance(outcome, Failure):
        return f"{_title(outcome.contender)} failed in round {outcome.round}: {outcome.reason}"
    return (
        f"{_title(outcome.contender)}: {outcome.test_accuracy:.2%} "
        f"after {_seconds(outcome.training_seconds)} s of training"
    )


def _seconds(seconds: float) -> str:
    if math.isinf(seconds):
        return "–"
    return (
        f"{seconds:.2f}"
        if seconds < 10
        else f"{seconds:.1f}"
        if seconds < 100
        else f"{seconds:.0f}"
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}" if size < 1e8 else f"{size / 1e6:,.0f}"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _percent(share: float) -> str:
    return f"{share:.2%}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


_TRAINING: dict[str, tuple[str, Form]] = {
    "training_images": ("training images", _whole),
    "startup_seconds": ("start-up", _seconds),
    "training_seconds": ("training", _seconds),
    "seconds_to_98.84%": ("to 98.84%", _seconds),
    "seconds_to_99%": ("to 99%", _seconds),
    "whole_seconds": ("start to last metric", _seconds),
    "test_accuracy": ("test accuracy", _percent),
}
_PREDICTION: dict[str, tuple[str, Form]] = {
    "images_per_second": ("images per second", _whole),
    "single_seconds": ("one image, ms", _milliseconds),
    "training_memory": ("memory to train, MB", _megabytes),
    "prediction_memory": ("memory to predict, MB", _megabytes),
    "model_bytes": ("model, MB", _megabytes),
}
_RATIOS: dict[str, tuple[str, Form]] = {
    "training_seconds": ("training", _times),
    "whole_seconds": ("start to last metric", _times),
    "batch_seconds": ("predicting all", _times),
    "single_seconds": ("one image", _times),
}
_OURS = ("swift", "case-study")


def _table(
    rows: Mapping[str, Mapping[str, "Spread"]], columns: Mapping[str, tuple[str, Form]]
) -> Table:
    table = new_table("contender", *(heading for heading, _ in columns.values()))
    for contender, figures in rows.items():
        cells = (_cell(figures.get(name), form) for name, (_, form) in columns.items())
        table.add_row(_title(contender), *cells)
    return table


def _cell(spread: "Spread | None", form: Form) -> Text | str:
    """Format the median, and below it the range, unless both ends read the same."""
    if spread is None:
        return "–"
    median, least, most = map(form, (spread.median, spread.least, spread.most))
    if least == most:
        return median
    span = f"{least} or never" if math.isinf(spread.most) else f"{least}–{most}"
    return Text.assemble(median, "\n", (span, "dim"))
