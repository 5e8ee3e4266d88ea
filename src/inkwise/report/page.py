"""From a run to its report: figures as files, and one HTML page that needs nothing else."""

import base64
import io
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise import figures
from inkwise.errors import RunError
from inkwise.evaluation.calibration import at_another_temperature, expected_calibration_error
from inkwise.evaluation.confusion import normalise_rows
from inkwise.evaluation.evaluation import Evaluation
from inkwise.evaluation.intervals import Estimate
from inkwise.extras import require_training
from inkwise.files import write_bytes, write_text
from inkwise.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "report.html.jinja"


def write_report(run: Run | str | os.PathLike[str]) -> Path:
    """Write a run's figures, as PNG and SVG, and its report.

    Everything comes from the run's own files; the data set is not needed.

    Parameters
    ----------
    run : Run or path-like
        Its test split has been evaluated.

    Returns
    -------
    Path
        The report, ``report.html`` in the run.

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
    """
    require_training("the report")
    import jinja2

    run = run if isinstance(run, Run) else Run(run)
    evaluation, pictures, history = run.evaluation, run.pictures, run.history
    try:
        shown = {int(index): data_uri(pictures[index]) for index in pictures.indices}
        samples = [(int(index), shown[int(index)]) for index in pictures.samples]
        mistakes = [(int(index), shown[int(index)]) for index in evaluation.misclassified]
    except KeyError as error:
        raise RunError(
            f"{run.path} lacks the picture of image {error}: run `inkwise evaluate {run.path}`"
        ) from error
    drawn = {
        "accuracy": figures.accuracy_curve(history),
        "loss": figures.loss_curve(history),
        "confusion": figures.confusion_heatmap(evaluation),
        "per-class": figures.per_class_figures(evaluation),
        "samples": figures.sample_grid(evaluation, pictures),
        "misclassified": figures.mistake_grid(evaluation, pictures),
    }
    for name, figure in drawn.items():
        for kind in ("png", "svg"):
            write_bytes(run.figures_path / f"{name}.{kind}", figures.to_bytes(figure, kind))

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("inkwise", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent, interval=_interval, number=_number, count=lambda n: f"{n:,}"
    )
    model = run.model
    temperature = model.calibration.temperature
    html = environment.get_template(TEMPLATE).render(
        run=run,
        record=run.record,
        recipe=run.recipe,
        network=model.network,
        calibration=model.calibration,
        calibration_errors=[
            expected_calibration_error(evaluation.labels, probabilities)
            for probabilities in (
                at_another_temperature(evaluation.probabilities, temperature),
                evaluation.probabilities,
            )
        ],
        history=history,
        evaluation=evaluation,
        example=_hardest_class(evaluation),
        tasks=[evaluation.binary(name) for name in evaluation.class_names],
        shares=normalise_rows(evaluation.confusion),
        worst=figures.worst_share(evaluation.confusion),
        curves={name: _inline_svg(drawn[name], name) for name in ("accuracy", "loss", "per-class")},
        samples=samples,
        mistakes=mistakes,
    )
    return write_text(run.report_path, html)


def _hardest_class(evaluation: Evaluation) -> Any:
    """Return the figures of the class with the lowest F1: formulas say most about it."""
    defined = [figures for figures in evaluation.classes if figures.f1.defined]
    return min(defined, key=lambda figures: figures.f1.value)


def _inline_svg(figure: "Figure", name: str) -> str:
    """Render a figure as SVG for the inside of a page, in the page's own text colour."""
    svg = figures.to_bytes(figure, "svg", transparent=True).decode("utf-8")
    svg = svg[svg.index("<svg") :].replace(figures.INK, "currentColor")
    # Ids must be unique on the page, and the page decides on the size.
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return a grey or coloured picture, (H, W) or (H, W, 3), as PNG inside an address."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _percent(value: Estimate | float, digits: int = 2) -> str:
    value = value.value if isinstance(value, Estimate) else value
    return "–" if math.isnan(value) else f"{value:.{digits}%}"


def _number(value: Estimate | float, digits: int = 4) -> str:
    value = value.value if isinstance(value, Estimate) else value
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _interval(estimate: Estimate, digits: int = 2, *, share: bool = True) -> str:
    if not estimate.defined:
        return "–"
    if share:
        return f"{100 * estimate.low:.{digits}f}–{100 * estimate.high:.{digits}f}%"
    return f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}"
