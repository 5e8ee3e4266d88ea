"""The commands that evaluate models, and compare them."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.options import (
    DataDirOption,
    FolderOption,
    LabelsOption,
    RunArgument,
    SplitOption,
    choose_data,
)


def evaluate(
    run: RunArgument,
    split: SplitOption = "test",
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Another data set than the run's own.", show_default=False
        ),
    ] = None,
    folder: FolderOption = None,
    data_dir: DataDirOption = None,
    labels: LabelsOption = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Evaluate the binary task: is it this class?"),
    ] = None,
) -> None:
    """Compute all metrics again from the saved model, and write them into the run."""
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_binary, show_evaluation, show_findings
    from inkwise.runs.directory import Run
    from inkwise.study import evaluate as evaluate_run

    with Display() as display:
        evaluation = evaluate_run(
            run,
            split,
            dataset=choose_data(dataset, folder, display),
            data_dir=data_dir,
            labels=labels,
            on_notice=display.notice,
            on_download=display.download,
        )
    if positive is None:
        evaluated = Run(run)
        show_evaluation(evaluation)
        show_findings(evaluated.slices(evaluation), evaluated.slices_path(evaluation).name)
    else:
        show_binary(evaluation, positive)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="At least two directories that `inkwise train` wrote, on the same data.",
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
    """Tell whether runs differ by more than luck with the test images, and what may be concluded.

    Their answers are paired image by image. Runs of one recipe with several seeds are summed up.
    """
    from inkwise.cli.show import show_comparison, show_path
    from inkwise.comparison.compared_runs import compare as compare_runs
    from inkwise.comparison.runs_page import write_comparison

    comparison = compare_runs(*runs)
    show_comparison(comparison)
    if output is not None:
        show_path("Page", write_comparison(comparison, output))


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
    from inkwise.cli.robustness import RobustnessDisplay, show_robustness
    from inkwise.robustness.measuring import measure_robustness

    with RobustnessDisplay() as display:
        results = measure_robustness(
            runs,
            baseline=baseline,
            split=split,
            images=images,
            through_ink=through_ink,
            attacks=attacks,
            data_dir=data_dir,
            on_notice=display.notice,
            on_download=display.download,
            on_step=display.step,
        )
    show_robustness(runs, results)
