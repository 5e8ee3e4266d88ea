"""The command that evaluates a run, and the tables of an evaluation."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from inkwise.cli.console import (
    bracketed,
    console,
    new_table,
    number_with_interval,
    percent_with_interval,
    show_path,
    show_table,
    two_lines,
)
from inkwise.cli.options import (
    DataDirOption,
    LabelsOption,
    OwnDataOption,
    SplitOption,
)
from inkwise.errors import counted
from inkwise.pages.number_formats import number, percent

if TYPE_CHECKING:
    from inkwise.evaluation.confusion import OneVersusRest
    from inkwise.evaluation.results import Evaluation

SENTENCES = 2
"""Number of an evaluation's findings that are shown."""


def evaluate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A directory that `inkwise train` wrote; or with --dataset or --data a model "
            "directory, an .onnx file of inkwise or pretrained (the package's model), of which a "
            "run is made.",
            show_default=False,
        ),
    ],
    split: SplitOption = "test",
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A data set other than the run's own; for a model, that of its new run.",
            show_default=False,
        ),
    ] = None,
    own: OwnDataOption = None,
    data_dir: DataDirOption = None,
    labels: LabelsOption = None,
    positive: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS", help="Evaluate the binary task of this class: is it the class or not?"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The directory of a model's new run, new or empty; the next free one under runs/ "
            "if not given.",
        ),
    ] = None,
) -> None:
    """Compute all metrics again with the saved model, and write them into the run.

    Of a model from elsewhere, such as one that `inkwise import` wrote, a run is
    made, for report, compare, robustness and map.
    """
    from inkwise.cli.display import Display
    from inkwise.runs.evaluating import evaluate as evaluate_run
    from inkwise.runs.evaluating import open_run

    with Display() as display:
        evaluated, made_for = open_run(run, dataset, own, data_dir, output, display)
        evaluation = evaluate_run(
            evaluated,
            split,
            dataset=made_for or dataset,
            data=own if made_for is None else None,
            data_dir=data_dir,
            labels=labels,
            progress=display,
        )
    if positive is None:
        show_evaluation(evaluation)
        show_findings(evaluated.slices(evaluation), evaluated.slices_path(evaluation).name)
    else:
        show_binary(evaluation, positive)
    if made_for is not None:
        show_path("Run", evaluated.path)


def show_evaluation(evaluation: "Evaluation") -> None:
    """Show the metrics of an evaluation."""
    show_headline(evaluation)
    table = new_table("class", "images", "predicted", "class accuracy", "precision", "recall", "F1")
    for figures in evaluation.classes:
        table.add_row(
            figures.name,
            f"{figures.support:,}",
            f"{figures.predicted:,}",
            *map(two_lines, (figures.accuracy, figures.precision, figures.recall, figures.f1)),
        )
    table.add_section()
    for kind, average in evaluation.averages.items():
        estimates = (average.precision, average.recall, average.f1)
        table.add_row(f"{kind} avg", "", "", "", *map(two_lines, estimates))
    show_table(table)

    _show_probabilities(evaluation)
    console.print("Confusion matrix: rows are the true classes, columns the predicted ones")
    matrix = new_table("true class", *evaluation.class_names)
    for name, row in zip(evaluation.class_names, evaluation.confusion, strict=True):
        matrix.add_row(name, *(f"{count:,}" if count else Text("·", "dim") for count in row))
    show_table(matrix)

    binary = new_table("class", "TP", "FP", "FN", "TN", "accuracy", "precision", "recall", "F1")
    for figures in evaluation.classes:
        binary.add_row(figures.name, *_binary_cells(figures.one_versus_rest))
    console.print("One versus rest")
    show_table(binary)
    console.print("Classification report, in scikit-learn's layout")
    console.print(evaluation.classification_report, soft_wrap=True)


def show_headline(evaluation: "Evaluation") -> None:
    """Show the main metrics of an evaluation in a line or two."""
    loss = evaluation.loss
    console.print(
        Text.assemble(
            (f"Accuracy {percent(evaluation.accuracy)}", "bold"),
            f" {bracketed(evaluation.accuracy)}, "
            f"macro F1 {percent_with_interval(evaluation.averages['macro'].f1)}, "
            f"loss {loss.value:.4f} ({loss.low:.4f}–{loss.high:.4f}): "
            f"{counted(len(evaluation.misclassified), 'mistake')} {_where(evaluation)}",
        ),
        soft_wrap=True,
    )
    if (corrected := evaluation.corrected) is not None:
        count = len(evaluation.relabelled)
        console.print(
            f"With {count:,} corrected label{'' if count == 1 else 's'}: accuracy "
            f"{percent_with_interval(corrected.accuracy)}, macro F1 "
            f"{percent_with_interval(corrected.averages['macro'].f1)}, "
            f"loss {corrected.loss.value:.4f}: {counted(len(corrected.misclassified), 'mistake')}. "
            "All other metrics use the labels as they were given.",
            soft_wrap=True,
        )


def _show_probabilities(evaluation: "Evaluation") -> None:
    """Show the agreement beyond chance, and the metrics of the probabilities."""
    figures = evaluation.in_probabilities
    parts = figures.brier_parts
    table = new_table("", "", "95% interval", "", left=1)
    rows = [
        ("balanced accuracy", evaluation.balanced_accuracy, "mean of the class accuracies"),
        ("Cohen's kappa", evaluation.agreement["kappa"], "agreement beyond chance"),
        ("Matthews correlation", evaluation.agreement["matthews"], ""),
        *(
            (f"top-{top.k} accuracy", top.accuracy, f"{top.right:,} of {len(evaluation):,} images")
            for top in figures.top
        ),
        (
            "Brier score",
            figures.brier,
            "reliability {:.4f} − resolution {:.4f} + uncertainty {:.4f}".format(*parts),
        ),
        (
            "calibration error",
            figures.calibration_error,
            f"{len(figures.bins.counts)} non-empty bins of equal width",
        ),
        (
            "calibration error",
            figures.adaptive_calibration_error,
            f"{len(figures.adaptive_bins.counts)} bins of about equally many images",
        ),
    ]
    for name, estimate, remark in rows:
        interval = f"{estimate.low:.4f}–{estimate.high:.4f}" if estimate.defined else ""
        table.add_row(name, number(estimate.value), interval, remark)
    table.columns[-1].justify = "left"
    show_table(table)


def show_findings(findings: Mapping[str, Any] | None, file: str) -> None:
    """Show the first of an evaluation's findings about its mistakes; see `Run.slices`."""
    if findings is None:
        return
    sentences = findings["sentences"]
    test = (
        f"in {findings['comparisons']} comparisons, by Fisher's exact test with Holm's correction"
    )
    for sentence in sentences[:SENTENCES]:
        console.print(f"{sentence}.", soft_wrap=True)
    if sentences:
        console.print(
            f"Significant findings {test}: {len(sentences)}; all are in {file}", soft_wrap=True
        )
    else:
        console.print(
            f"The mistakes have nothing significant in common {test}",
            soft_wrap=True,
        )


def show_binary(evaluation: "Evaluation", positive: str) -> None:
    """Show the binary task of one class beside its one-versus-rest matrix."""
    from inkwise.evaluation.confusion import OneVersusRest

    task = evaluation.binary(positive)
    figures = evaluation.classes[evaluation.class_names.index(positive)]
    console.print(f"Is it {positive}? {_where(evaluation)}")
    table = new_table("", "TP", "FP", "FN", "TN", "accuracy", "precision", "recall", "F1")
    table.add_row(f"p({positive}) is above ½", *_binary_cells(task.matrix))
    several = len(evaluation.class_names) > 2
    if several:
        table.add_row(f"{positive} is the most probable", *_binary_cells(figures.one_versus_rest))
    always_no = OneVersusRest(0, 0, figures.support, len(evaluation) - figures.support)
    table.add_row("always “no”", *_binary_cells(always_no))
    show_table(table)
    console.print(
        f"accuracy {percent_with_interval(task.accuracy)}; "
        f"ROC AUC {number_with_interval(task.roc_auc)}; "
        f"average precision {number(task.average_precision)}"
    )
    if several:
        multi = percent_with_interval(evaluation.accuracy)
        console.print(f"Multi-class accuracy on the same images: {multi}")


def _binary_cells(matrix: "OneVersusRest") -> list[str]:
    from inkwise.evaluation.intervals import Estimate

    counts = [f"{count:,}" for count in (matrix.tp, matrix.fp, matrix.fn, matrix.tn)]
    shares = (matrix.accuracy, matrix.precision, matrix.recall, matrix.f1)
    return [*counts, *(percent(Estimate(share, share, share)) for share in shares)]


def _where(evaluation: "Evaluation") -> str:
    return (
        f"in {counted(len(evaluation), 'image')} of {evaluation.dataset}, {evaluation.split} split"
    )
