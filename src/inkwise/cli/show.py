"""Results on the screen: tables of evaluations, runs and data sets."""

import math
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inkwise.comparison.compared_runs import Comparison
from inkwise.data.catalogue import Availability
from inkwise.evaluation.confusion import OneVersusRest
from inkwise.evaluation.intervals import Estimate
from inkwise.evaluation.results import Evaluation
from inkwise.explanation.evidence import Explanation
from inkwise.runs.directory import INTERRUPTED, Run

SENTENCES = 2
"""How many of an evaluation's findings are shown."""

# Paths and class names hold what they hold: brackets and colons mean nothing here.
console = Console(highlight=False, markup=False, emoji=False)


def show_path(what: str, path: Path) -> None:
    """Show where something was written."""
    console.print(Text.assemble(f"{what}: ", (str(path), "bold")), soft_wrap=True)


def open_page(path: Path) -> None:
    """Open a page in the browser, or say that there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        typer.echo("No browser answered: open the file yourself.", err=True)


def show_outcome(run: Run) -> None:
    """Show what a training came to."""
    if run.status == INTERRUPTED:
        done, epochs = len(run.history), run.recipe.epochs
        when = f"after {done} of {epochs} epochs" if done < epochs else "while the report was made"
        console.print(f"The training was interrupted {when}.", soft_wrap=True)
        if done:
            console.print(
                "The model of the last finished epoch is kept. To go on: "
                f"inkwise resume {run.path}. To see how far it came: "
                f"inkwise evaluate {run.path}, then inkwise report {run.path}",
                soft_wrap=True,
            )
        else:
            console.print("No epoch was finished, so there is no model.")
    else:
        _headline(run.evaluation)
        show_path("Report", run.report_path)
    show_path("Run", run.path)


def show_evaluation(evaluation: Evaluation) -> None:
    """Show every figure of an evaluation."""
    _headline(evaluation)
    table = new_table("class", "images", "predicted", "class accuracy", "precision", "recall", "F1")
    for figures in evaluation.classes:
        table.add_row(
            figures.name,
            f"{figures.support:,}",
            f"{figures.predicted:,}",
            *map(_two_lines, (figures.accuracy, figures.precision, figures.recall, figures.f1)),
        )
    table.add_section()
    for kind, average in evaluation.averages.items():
        estimates = (average.precision, average.recall, average.f1)
        table.add_row(f"{kind} avg", "", "", "", *map(_two_lines, estimates))
    show_table(table)

    _show_probabilities(evaluation)
    console.print("Confusion matrix: rows are the actual class, columns the predicted one")
    matrix = new_table("actual", *evaluation.class_names)
    for name, row in zip(evaluation.class_names, evaluation.confusion, strict=True):
        matrix.add_row(name, *(f"{count:,}" if count else Text("·", "dim") for count in row))
    show_table(matrix)

    binary = new_table("class", "TP", "FP", "FN", "TN", "accuracy", "precision", "recall", "F1")
    for figures in evaluation.classes:
        binary.add_row(figures.name, *_binary_cells(figures.one_versus_rest))
    console.print("One versus rest")
    show_table(binary)
    console.print("scikit-learn's classification report")
    console.print(evaluation.classification_report, soft_wrap=True)


def _show_probabilities(evaluation: Evaluation) -> None:
    """Show agreement beyond chance, and how good the probabilities are."""
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
            f"{len(figures.bins.counts)} bins of equal width hold images",
        ),
        (
            "calibration error",
            figures.adaptive_calibration_error,
            f"{len(figures.adaptive_bins.counts)} bins of about equally many images",
        ),
    ]
    for name, estimate, remark in rows:
        interval = f"{estimate.low:.4f}–{estimate.high:.4f}" if estimate.defined else ""
        table.add_row(name, _number(estimate.value), interval, remark)
    table.columns[-1].justify = "left"
    show_table(table)


def show_findings(findings: Mapping[str, Any] | None, file: str) -> None:
    """Show the first of what an evaluation's mistakes have in common, as `Run.slices` has it."""
    if findings is None:
        return
    sentences = findings["sentences"]
    test = f"in {findings['comparisons']} comparisons, by Fisher's exact test after Holm"
    for sentence in sentences[:SENTENCES]:
        console.print(f"{sentence}.", soft_wrap=True)
    if sentences:
        console.print(f"Findings {test}: {len(sentences)}; all are in {file}", soft_wrap=True)
    else:
        console.print(
            f"The mistakes have no handwriting in common: nothing is significant {test}",
            soft_wrap=True,
        )


def show_binary(evaluation: Evaluation, positive: str) -> None:
    """Show the binary task of one class beside the class' one-versus-rest matrix."""
    task = evaluation.binary(positive)
    figures = evaluation.classes[evaluation.class_names.index(positive)]
    console.print(f"Is it {positive}? {_where(evaluation)}")
    table = new_table("", "TP", "FP", "FN", "TN", "accuracy", "precision", "recall", "F1")
    table.add_row(f"p({positive}) is above ½", *_binary_cells(task.matrix))
    table.add_row(f"{positive} is the likeliest", *_binary_cells(figures.one_versus_rest))
    always_no = OneVersusRest(0, 0, figures.support, len(evaluation) - figures.support)
    table.add_row("always “no”", *_binary_cells(always_no))
    show_table(table)
    console.print(
        f"accuracy {_with_interval(task.accuracy)}; ROC AUC {_number_with_interval(task.roc_auc)}; "
        f"average precision {_number(task.average_precision)}"
    )
    console.print(f"Multi-class accuracy on the same images: {_with_interval(evaluation.accuracy)}")


def show_comparison(comparison: Comparison) -> None:
    """Show runs side by side, two by two, and what may be concluded."""
    table = new_table("run", "recipe", "seed", "errors", "accuracy", "95% interval", left=2)
    for compared in comparison.runs:
        accuracy = compared.evaluation.accuracy
        table.add_row(
            compared.name,
            compared.recipe.name,
            str(compared.recipe.seed),
            f"{compared.errors:,} of {comparison.images:,}",
            _percent(accuracy),
            _interval(accuracy).strip("()"),
        )
    show_table(table)
    for conclusion in comparison.conclusions:
        console.print(conclusion, soft_wrap=True)
    console.print(
        f"{len(comparison.disagreements):,} of {comparison.images:,} images did not get the same "
        "label from all runs.",
        soft_wrap=True,
    )


def show_explanation(explanation: Explanation) -> None:
    """Show the answer about a picture, and what speaks for it."""
    console.print(str(explanation), soft_wrap=True)


def show_datasets(datasets: list[Availability]) -> None:
    """Show the catalogue."""
    table = new_table("name", "what it is", "where it comes from", "at hand", left=4)
    for entry in datasets:
        table.add_row(entry.name, entry.title, entry.source, "yes" if entry.at_hand else "no")
    show_table(table)


def show_run(run: Run) -> None:
    """Show a run: status, recipe, network, history, headline numbers."""
    record, recipe, history = run.record, run.recipe, run.history
    splits = record["splits"]
    facts: dict[str, Any] = {
        "run": run.path,
        "status": f"{run.status}, {len(history)} of {recipe.epochs} epochs",
        "data": f"{record['dataset']['title']}, from {record['dataset']['source']}",
        "splits": ", ".join(f"{count:,} {name}" for name, count in splits.items()),
        **{
            name.replace("_", " "): value
            for name, value in vars(recipe).items()
            if name not in ("name", "network")
        },
        "engine": record["engine"],
    }
    if (labels := record.get("labels")) is not None:
        changed = ", ".join(f"{count:,} {part}" for part, count in labels["changed"].items())
        facts["labels"] = f"corrected by {labels['file']}: {changed}"
    facts = {"recipe": recipe.name, **facts}
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(name, "bold"), str(value))
    show_table(grid)
    for notice in record["notices"]:
        console.print(notice, style="yellow", soft_wrap=True)
    if history:
        network = run.model.network
        table = new_table("layer", "what it does", "output", "parameters", "operations", left=2)
        for line in network.summary():
            table.add_row(
                line.name,
                str(line.layer),
                "×".join(map(str, line.output_shape)),
                f"{line.parameter_count:,}",
                f"{line.flops:,}",
            )
        table.add_section()
        table.add_row("all", "", "", f"{network.parameter_count:,}", f"{network.flops:,}")
        show_table(table)
        for epoch in history:
            console.print(str(epoch), soft_wrap=True)
    if run.metrics is not None:
        _headline(run.evaluation)
    if run.report_path.exists():
        show_path("Report", run.report_path)


def _headline(evaluation: Evaluation) -> None:
    loss = evaluation.loss
    console.print(
        Text.assemble(
            (f"Accuracy {_percent(evaluation.accuracy)}", "bold"),
            f" {_interval(evaluation.accuracy)}, "
            f"macro F1 {_with_interval(evaluation.averages['macro'].f1)}, "
            f"loss {loss.value:.4f} ({loss.low:.4f}–{loss.high:.4f}): "
            f"{len(evaluation.misclassified):,} mistakes {_where(evaluation)}",
        ),
        soft_wrap=True,
    )
    if (corrected := evaluation.corrected) is not None:
        count = len(evaluation.relabelled)
        console.print(
            f"With {count:,} corrected label{'' if count == 1 else 's'}: accuracy "
            f"{_with_interval(corrected.accuracy)}, macro F1 "
            f"{_with_interval(corrected.averages['macro'].f1)}, loss {corrected.loss.value:.4f}: "
            f"{len(corrected.misclassified):,} mistakes. All else goes by the labels as given.",
            soft_wrap=True,
        )


def _where(evaluation: Evaluation) -> str:
    return f"in {len(evaluation):,} images of {evaluation.dataset}, {evaluation.split} split"


def new_table(*columns: str, left: int = 1) -> Table:
    """Start a table with its first columns, `left` of them, flush left and the others right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return table


def show_table(table: Table) -> None:
    """Show a table; in a file or a pipe, which have no edge, as wide as it is."""
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def _binary_cells(matrix: OneVersusRest) -> list[str]:
    counts = [f"{count:,}" for count in (matrix.tp, matrix.fp, matrix.fn, matrix.tn)]
    shares = (matrix.accuracy, matrix.precision, matrix.recall, matrix.f1)
    return [*counts, *(_percent(Estimate(share, share, share)) for share in shares)]


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.2%}" if estimate.defined else "–"


def _interval(estimate: Estimate, digits: int = 2) -> str:
    if not estimate.defined:
        return ""
    return f"({100 * estimate.low:.{digits}f}–{100 * estimate.high:.{digits}f})"


def _with_interval(estimate: Estimate) -> str:
    return f"{_percent(estimate)} {_interval(estimate)}".rstrip()


def _two_lines(estimate: Estimate) -> Text:
    return Text.assemble(f"{_percent(estimate)}\n", (_interval(estimate, 1).strip("()"), "dim"))


def _number_with_interval(estimate: Estimate) -> str:
    if not estimate.defined:
        return _number(estimate.value)
    return f"{_number(estimate.value)} ({estimate.low:.4f}–{estimate.high:.4f})"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"
