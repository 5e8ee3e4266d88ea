"""Writing the report of a run: one self-contained HTML page."""

import base64
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.binary import matrix_at
from inkwise.evaluation.confusion import OneVersusRest, normalise_rows
from inkwise.evaluation.reliability import BINS, expected_calibration_error, selective_accuracy
from inkwise.evaluation.results import Evaluation
from inkwise.model import Model
from inkwise.model.calibration import Calibration, at_another_temperature
from inkwise.networks.ensemble import members
from inkwise.networks.layers import Conv
from inkwise.networks.remarks import remarks
from inkwise.pages import drawing
from inkwise.pages.network_drawing import draw_network
from inkwise.pages.templates import data_uri, page_template
from inkwise.report import charts
from inkwise.report.figures import (
    FIRST,
    SECOND,
    SecondProcess,
    Shown,
    draw_evaluation,
    draw_history,
)
from inkwise.runs.directory import Run
from inkwise.system.extras import require_training
from inkwise.system.files import read_bytes, write_text

TEMPLATE = "report.html.jinja"

MISTAKES_SHOWN = 2_000
"""Most mistakes shown on the page, which a bad model would make too large to send by e-mail."""

ANSWERED = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8)
"""Shares of the images that are answered, in the table of what abstaining gains."""

THRESHOLDS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Thresholds on the probability of the positive class, in the table of a binary task."""

INLINE = {
    "accuracy": "Training and validation accuracy by epoch",
    "loss": "Training and validation loss by epoch",
    "per-class": "Precision, recall and F1 of every class with their intervals",
    "reliability": "Accuracy by confidence, with the number of images",
    "confidence": "Histograms of the confidence of correct and of wrong predictions",
    "roc": "Receiver operating characteristic of each class against the rest",
    "precision-recall": "Precision against recall of each class against the rest",
    "selective": "Accuracy by the share of images answered",
}
"""The figures drawn into the page, each with its text alternative for screen readers."""

OF_TRAINING = ("accuracy", "loss")
"""Those of them that a model from elsewhere, which was not trained here, has not."""


def write_report(run: Run | str | os.PathLike[str]) -> Path:
    """Write a run's figures, as PNG and SVG, and its report.

    Everything comes from the run's own files; the data set is not needed.

    Parameters
    ----------
    run : Run or path-like
        A run whose test split has been evaluated.

    Returns
    -------
    Path
        The report, ``report.html`` in the run directory.

    Raises
    ------
    RunError
        The run was not evaluated yet, or one of its files is damaged.
    ModelError
        The model is damaged.
    StorageError
        The run cannot be written.
    LibraryError
        The libraries of the extra ``train`` are not installed.

    Examples
    --------
    >>> import inkwise
    >>> inkwise.write_report("runs/small").name
    'report.html'
    """
    require_training("the report")
    run = run if isinstance(run, Run) else Run(run)
    shown = Shown.read(run, run.evaluation)
    with SecondProcess(run) as second:
        return report_on(run, shown, second)


def report_on(run: Run, shown: Shown, second: SecondProcess) -> Path:
    """Write the report from an evaluation that is already in memory; see `write_report`.

    Parameters
    ----------
    run : Run
        The run, whose files contain the evaluation.
    shown : Shown
        The data that the figures show, with the evaluation.
    second : SecondProcess
        The process that draws a part of the figures of this run.
    """
    second.go_on()
    draw_evaluation(run, shown, FIRST)

    evaluation, pictures = shown.evaluation, shown.pictures
    addresses = {int(index): data_uri(pictures[index]) for index in pictures.indices}
    samples = [(int(index), addresses[int(index)]) for index in pictures.samples]
    mistakes = [(int(index), addresses[int(index)]) for index in evaluation.misclassified]
    model, findings = run.model, run.slices(evaluation)
    temperature, kernels = model.calibration.temperature, _first_kernels(model)
    counts = evaluation.confusion
    selective = selective_accuracy(evaluation.predicted == evaluation.labels, evaluation.confidence)
    wrong_counts = counts - np.diag(np.diag(counts))
    template = page_template(TEMPLATE, "report")
    if not second.finish():
        draw_history(run)
        draw_evaluation(run, shown, SECOND)
    html = template.render(
        record=run.record,
        recipe=run.recipe if run.trained else None,
        origin=run.origin,
        positive=run.positive,
        provenance=model.provenance,
        network=model.network,
        network_drawing=draw_network(model.network),
        remarks=[
            f"{prefix}{remark}"
            for prefix, member in members(model.network)
            for remark in remarks(member)
        ],
        calibration=model.calibration,
        calibrated=run.recipe.calibrate if run.trained else model.calibration != Calibration(),
        calibration_errors=[
            expected_calibration_error(evaluation.labels, probabilities)
            for probabilities in (
                at_another_temperature(evaluation.probabilities, temperature),
                evaluation.probabilities,
            )
        ],
        bins=BINS,
        history=run.history,
        gains=run.gains,
        evaluation=evaluation,
        example=_hardest_class(evaluation, run.positive),
        smallest=min((c for c in evaluation.classes if c.support), key=lambda c: c.support),
        thresholds=_at_thresholds(evaluation),
        tasks=[evaluation.binary(name) for name in evaluation.class_names],
        shares=normalise_rows(counts),
        worst=charts.worst_share(counts),
        # The most frequent confusions: row, column.
        confused=np.argwhere(wrong_counts == wrong_counts.max()).tolist(),
        chance=float(counts.sum(axis=0) @ counts.sum(axis=1)) / len(evaluation) ** 2,
        spreads=[
            1 - float(((counts.sum(axis=axis) / len(evaluation)) ** 2).sum()) for axis in (0, 1)
        ],
        selective=[
            (share, selective.at(share), math.ceil(round(share * len(evaluation), 6)))
            for share in ANSWERED
        ],
        # The geometric mean of the probabilities of the true labels.
        typical=math.exp(-evaluation.loss.value),
        curves={
            name: _inline_svg(read_bytes(run.figures_path / f"{name}.svg"), name, alt)
            for name, alt in INLINE.items()
            if run.trained or name not in OF_TRAINING
        },
        samples=samples,
        mistakes=mistakes[:MISTAKES_SHOWN],
        shown=addresses,
        findings=findings,
        robustness=run.robustness,
        kept={
            name: _kept_figure(run.figures_path / name) for name in ("robustness.svg", "map.png")
        },
        kernels=[data_uri(drawing.paint(kernel)) for kernel in kernels],
        kernel_size="×".join(map(str, kernels.shape[1:])),
    )
    return write_text(run.report_path, html)


def _hardest_class(evaluation: Evaluation, positive: str) -> Any:
    """Return the metrics of the class with the lowest F1, or of a binary task's positive one.

    It serves as the example.
    """
    defined = [figures for figures in evaluation.classes if figures.f1.defined]
    return min(defined, key=lambda figures: (figures.name != positive, figures.f1.value))


def _at_thresholds(evaluation: Evaluation) -> list[tuple[float, OneVersusRest]]:
    """Count the answers of a binary task at several thresholds on the second class."""
    actual, score = evaluation.labels == 1, evaluation.probabilities[:, 1]
    return [(threshold, matrix_at(threshold, actual, score)) for threshold in THRESHOLDS]


def _inline_svg(content: bytes, name: str, alt: str) -> str:
    """Fit a figure's SVG into a page: transparent, and in the page's text colour."""
    svg = content.decode("utf-8")
    svg = svg[svg.index("<svg") :].replace(drawing.INK, "currentColor")
    svg = svg.replace("fill: #ffffff", "fill: none")
    # Ids must be unique on the page, and the page decides on the size.
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    label = rf'\g<1>role="img" aria-label="{alt}"'
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', label, svg, count=1)


def _kept_figure(path: Path) -> str | None:
    """Return a figure that another command drew as a data URI, or None if there is none.

    The page shows it as an image, so that scripts in the file are never executed.
    """
    if not path.exists():
        return None
    kind = {".svg": "svg+xml", ".png": "png"}[path.suffix]
    return f"data:image/{kind};base64," + base64.b64encode(read_bytes(path)).decode("ascii")


def _first_kernels(model: Model) -> NDArray[np.float32]:
    """Return the first convolution's weights, float32 (C, K, K), or none without a convolution."""
    for line in model.network.summary():
        if isinstance(line.layer, Conv):
            return model.weights[f"{line.name}.weight"][:, 0]
    return np.empty((0, 1, 1), dtype=np.float32)
