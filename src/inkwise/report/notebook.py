"""From a run to a Jupyter notebook whose cells show its figures again, section by section."""

import os
from pathlib import Path

from inkwise.errors import RunError
from inkwise.runs.directory import Run
from inkwise.system.files import write_json

NOTEBOOK_FILE = "report.ipynb"

# Jupyter starts a notebook in its own folder, which is the run, wherever that was moved.
_CELLS = (
    (
        "## The run\n\nAll comes from the files beside this notebook; the data set is not needed.",
        """%matplotlib inline
import inkwise
from inkwise import figures, probability_figures

run = inkwise.Run(".")
evaluation, history, recipe = run.evaluation, run.history, run.recipe
print(f"{recipe.name} on {run.record['dataset']['title']}, seed {recipe.seed}: {run.status}")
print(*run.record["notices"], sep="\\n")
for line in run.model.network.summary():
    print(f"{line.name:16} {line.layer!s:44} {line.parameter_count:>10,} parameters")""",
    ),
    (
        """## The main figures

Each with its 95% interval: how far luck with the test images could have moved it. It says nothing
about another seed or other people's handwriting.""",
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
    ("## Curves", "figures.accuracy_curve(history)"),
    ("", "figures.loss_curve(history)"),
    (
        "## Confusion matrix\n\nRows are the actual classes, columns the predicted ones.",
        "figures.confusion_heatmap(evaluation)",
    ),
    ("## Class by class", "print(evaluation.classification_report)"),
    ("", "figures.per_class_figures(evaluation)"),
    (
        "## One class against the rest\n\nThe 2×2 matrix of the binary task *is it this class?*",
        """for name in evaluation.class_names:
    task = evaluation.binary(name)
    m = task.matrix
    print(f"{name:>12}  TP {m.tp:6,}  FP {m.fp:6,}  FN {m.fn:6,}  TN {m.tn:6,}"
          f"  accuracy {task.accuracy.value:.4f}  AUC {task.roc_auc.value:.5f}")""",
    ),
    ("## Mistakes, the surest first", "figures.mistake_grid(evaluation, run.pictures)"),
    (
        """## What mistakes have in common

Only what luck does not explain, by Fisher's exact test with Holm's correction.""",
        """findings = run.slices(evaluation)
sentences = findings["sentences"] if findings else ["not measured: run inkwise evaluate again"]
print(*(sentences or ["nothing that luck would not explain"]), sep="\\n")""",
    ),
    ("## Sample predictions", "figures.sample_grid(evaluation, run.pictures)"),
    (
        "## Probabilities\n\nIs the model as sure as it is right?",
        """probabilities = evaluation.in_probabilities
show("log loss", probabilities.log_loss)
show("Brier score", probabilities.brier)
print(probabilities.brier_parts)
show("calibration error", probabilities.calibration_error)
show("the same, equal counts", probabilities.adaptive_calibration_error)
for top in probabilities.top:
    show(f"top-{top.k} accuracy", top.accuracy)""",
    ),
    ("", "probability_figures.reliability_diagram(evaluation)"),
    ("", "probability_figures.confidence_histogram(evaluation)"),
    ("## ROC, precision and recall", "probability_figures.roc_curves(evaluation)"),
    ("", "probability_figures.precision_recall_curves(evaluation)"),
    (
        "## If the least sure images got no answer",
        """limit = run.model.calibration.lowest_probability
probability_figures.selective_curve(evaluation, limit)""",
    ),
    (
        "## Robustness\n\nAccuracy on images made worse, each at MNIST-C's own severity.",
        """robustness = run.robustness
if robustness is None:
    print("not measured: inkwise robustness, and the name of this run's folder")
else:
    for name, curve in robustness["corruptions"].items():
        usual = next(p for p in curve["points"] if p["level"] == curve["severity"])
        print(f"{name:16} {usual['value']:.1%}   {usual['low']:.1%} to {usual['high']:.1%}")""",
    ),
    (
        "## Corrected labels",
        """if evaluation.corrected is None:
    print("no label was corrected")
else:
    show("accuracy, labels as given", evaluation.accuracy)
    show("accuracy, as corrected", evaluation.corrected.accuracy)""",
    ),
)


def write_notebook(run: Run | str | os.PathLike[str]) -> Path:
    """Write a run's report as a Jupyter notebook, to run and to change.

    Its cells load the run from the folder that the notebook stands in, so that both can be moved.
    They have no outputs until they are run: what they show stands in the report.

    Parameters
    ----------
    run : Run or path-like
        Its test split has been evaluated.

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
        raise RunError(f"{run.path} has no figures yet: run `inkwise evaluate {run.path}`")
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
