"""The command that measures."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.options import DataDirOption


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A contender: swift, case-study, keras, pytorch, knn, svm, boosting or mlp. "
            "Can be given several times.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="How often each runs: 3, or 1 of the quick bench.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two minutes: fewer contenders, one round.")
    ] = False,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The directory, new or empty."),
    ] = None,
) -> None:
    """Measure time, accuracy and memory on MNIST, side by side with Keras, PyTorch, scikit-learn.

    Each contender runs in processes of its own, in interleaved rounds; leave the machine alone
    meanwhile. Ctrl-C keeps what is finished. The exit code is 1 if a contender failed.
    """
    from inkwise.bench.rounds import run_bench
    from inkwise.cli.bench import BenchDisplay, show_bench
    from inkwise.runs.directory import INTERRUPTED

    with BenchDisplay() as display:
        outcome = run_bench(
            only=only or (),
            rounds=rounds,
            quick=quick,
            data_dir=data_dir,
            output=output,
            on_notice=display.notice,
            on_download=display.download,
            on_step=display.step,
            on_outcome=display.outcome,
        )
    show_bench(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)
    if outcome.failures:
        raise typer.Exit(1)
