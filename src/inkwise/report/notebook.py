"""Writing a run's report as a Jupyter notebook, whose cells compute and draw it again."""

import os
from pathlib import Path

from inkwise.errors import RunError
from inkwise.runs.directory import Run
from inkwise.system.files import write_json

NOTEBOOK_FILE = "report.ipynb"

# Jupyter starts a notebook in its own folder, which is the run directory, wherever it is.
_CELLS = (
    (
        "## The run\n\nAll data comes from the files beside this notebook; no data set is needed.",
        """%matplotlib inline
import inkwise
from inkwise.report import charts, probability_charts

run = inkwise.Run(".")
evaluation, history = run.evaluation, run.history
seed = f", seed {run.recipe.seed}" if run.trained else ", trained elsewhere"
print(f"{run.origin} on {run.record['dataset']['title']}{seed}: {run.status}")
print(*run.record["notices"], sep="\\n")
for line in run.model.network.summary():
    print(f"{line.name:16} {line.layer!s:44} {line.parameter_count:>10,} parameters")""",
    ),
    (
        """## The main metrics

Each has a 95% confidence interval, which shows how much it depends on which images happened to be
in the test set. The interval says nothing about another seed or other people's handwriting.""",
        """def show(name, estimate):
    print(f"{name:28} {estimate.value:8.4f}   {estimate.low:.4f} to {estimate.high:.4f}")

print(f"{len(evaluation.misclassified):,} mistakes in {len(evaluation):,} test images")
show("accuracy", evaluation.accuracy)
show("balanced accuracy", evaluation.balanced_accuracy)
show("loss", evaluation.loss)
for kind, average in evaluation.averages.items():
    show(f"{kind} F1", average.f1)
for name, estimate in evaluation.agreement.items():
    show(name, estimate)""",
    ),
    (
        "## Curves",
        "charts.accuracy_curve(history) if history else 'None: the model was trained elsewhere.'",
    ),
    ("", "charts.loss_curve(history) if history else None"),
    (
        "## Confusion matrix\n\nRows are the true classes, columns the predicted ones.",
        "charts.confusion_heatmap(evaluation)",
    ),
    ("## Class by class", "print(evaluation.classification_report)"),
    ("", "charts.per_class_figures(evaluation)"),
    (
        "## One class against the rest\n\nThe 2×2 matrix of each binary task *is it this class?*",
        """for name in evaluation.class_names:
    task = evaluation.binary(name)
    m = task.matrix
    print(f"{name:>12}  TP {m.tp:6,}  FP {m.fp:6,}  FN {m.fn:6,}  TN {m.tn:6,}"
          f"  accuracy {task.accuracy.value:.4f}  AUC {task.roc_auc.value:.5f}")""",
    ),
    ("## Mistakes, the most confident first", "charts.mistake_grid(evaluation, run.pictures)"),
    (
        """## What the mistakes have in common

Only what is significant at the 5% level in Fisher's exact test, after Holm's correction.""",
        """findings = run.slices(evaluation)
sentences = findings["sentences"] if findings else ["Not measured: run inkwise evaluate again."]
print(*(sentences or ["Nothing is significant."]), sep="\\n")""",
    ),
    ("## Sample predictions", "charts.sample_grid(evaluation, run.pictures)"),
    (
        "## Probabilities\n\nDoes the confidence of the model match its accuracy?",
        """probabilities = evaluation.in_probabilities
show("log loss", probabilities.log_loss)
show("Brier score", probabilities.brier)
print(probabilities.brier_parts)
show("calibration error", probabilities.calibration_error)
show("adaptive calibration error", probabilities.adaptive_calibration_error)
for top in probabilities.top:
    show(f"top-{top.k} accuracy", top.accuracy)""",
    ),
    ("", "probability_charts.reliability_diagram(evaluation)"),
    ("", "probability_charts.confidence_histogram(evaluation)"),
    ("## ROC and precision–recall curves", "probability_charts.roc_curves(evaluation)"),
    ("", "probability_charts.precision_recall_curves(evaluation)"),
    (
        "## If the model abstained on the images it is least confident about",
        """limit = run.model.calibration.lowest_probability
probability_charts.selective_curve(evaluation, limit)""",
    ),
    (
        "## Robustness\n\nAccuracy on corrupted images, at the severities that MNIST-C uses.",
        """robustness = run.robustness
if robustness is None:
    print("This was not measured: run inkwise robustness with this run's folder.")
else:
    for name, curve in robustness["corruptions"].items():
        usual = next(p for p in curve["points"] if p["level"] == curve["severity"])
        print(f"{name:16} {usual['value']:.1%}   {usual['low']:.1%} to {usual['high']:.1%}")""",
    ),
    (
        "## Corrected labels",
        """if evaluation.corrected is None:
    print("No label was corrected.")
else:
    show("accuracy, labels as given", evaluation.accuracy)
    show("accuracy, as corrected", evaluation.corrected.accuracy)""",
    ),
)


def write_notebook(run: Run | str | os.PathLike[str]) -> Path:
    """Write a run's report as a Jupyter notebook, to run and to change.

    Its cells load the run from the notebook's own folder, so the folder can be moved. They have no
    outputs until they are run; the report shows the same.

    Parameters
    ----------
    run : Run or path-like
        A run whose test split has been evaluated.

    Returns
    -------
    Path
        The notebook, ``report.ipynb`` in the run, in Jupyter's format 4.5.

    Raises
    ------
    RunError
        The run was not evaluated yet.
    StorageError
        The run cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> inkwise.write_notebook("runs/small").name
    'report.ipynb'
    """
    run = run if isinstance(run, Run) else Run(run)
    if run.metrics is None:
        raise RunError(f"{run.path} has not been evaluated yet: run `inkwise evaluate {run.path}`")
    title = "# A run of inkwise\n\nThe report as cells: run them all, then change what you like."
    cells = [_cell("markdown", title, 0)]
    for text, code in _CELLS:
        if text:
            cells.append(_cell("markdown", text, len(cells)))
        cells.append(_cell("code", code, len(cells)))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return write_json(
        run.path / NOTEBOOK_FILE,
        {
            "cells": cells,
            "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
    )


def _cell(kind: str, source: str, place: int) -> dict[str, object]:
    cell = {
        "cell_type": kind,
        "id": f"cell-{place:02}",
        "metadata": {},
        "source": source.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
