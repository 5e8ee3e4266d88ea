"""Figures about the predicted probabilities: reliability, confidence, ROC and precision–recall.

They are matplotlib figures in the style of `inkwise.pages.drawing`. The ROC and precision–recall
curves of a good model all lie close to one corner, so only that corner is drawn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from inkwise.evaluation.intervals import wilson
from inkwise.evaluation.ranking import RankingCurve
from inkwise.evaluation.reliability import selective_accuracy
from inkwise.evaluation.results import Evaluation
from inkwise.pages.drawing import GRID, RIGHT, TRAINING, WRONG, short, styled
from inkwise.pages.number_formats import interval, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES_NAMED = 10
"""Number of classes, the hardest ones, drawn with a colour and a name; the others are grey."""

_CORNERS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_BINS = 20


@styled
def reliability_diagram(evaluation: Evaluation) -> "Figure":
    """Draw accuracy by confidence in bins of equal width, with Wilson's intervals and counts."""
    from matplotlib.ticker import PercentFormatter

    figures = evaluation.in_probabilities
    bins = figures.bins
    figure, (top, foot) = _stacked()
    estimates = np.array(
        [wilson(int(right), int(n)) for right, n in zip(bins.right, bins.counts, strict=True)]
    )
    value, low, high = estimates.T
    top.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1, label="perfectly calibrated")
    top.errorbar(
        bins.confidence,
        value,
        yerr=[value - low, high - value],
        fmt="o",
        color=TRAINING,
        markersize=5,
        elinewidth=1,
        label="accuracy, with its 95% interval",
    )
    error = figures.calibration_error
    top.set_title(f"Calibration error {percent(error)} (95%: {interval(error)})")
    top.set_ylabel("accuracy")
    top.set_ylim(0, 1.02)
    top.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    top.grid()
    top.legend(loc="lower right")
    foot.bar(
        bins.low, bins.counts, width=bins.high - bins.low, align="edge", color=TRAINING, alpha=0.6
    )
    for left, right, count in zip(bins.low, bins.high, bins.counts, strict=True):
        foot.annotate(
            f"{count:,}",
            ((left + right) / 2, count),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    foot.set_ylim(top=4 * bins.counts.max())
    _finish_confidence(foot, evaluation)
    return figure


@styled
def confidence_histogram(evaluation: Evaluation) -> "Figure":
    """Draw histograms of the confidence of the correct and of the wrong predictions."""
    figure, (top, foot) = _stacked((1, 1))
    right = evaluation.predicted == evaluation.labels
    edges = np.linspace(0, 1, _BINS + 1)
    for axes, chosen, colour, what in (
        (top, right, RIGHT, "correct"),
        (foot, ~right, WRONG, "wrong"),
    ):
        axes.hist(evaluation.confidence[chosen], bins=list(edges), color=colour, alpha=0.7)
        axes.set_title(f"{int(chosen.sum()):,} {what} predictions")
        _finish_confidence(axes, evaluation)
    top.set_xlabel("")
    return figure


@styled
def roc_curves(evaluation: Evaluation) -> "Figure":
    """Draw the receiver operating characteristic (ROC) of each class against the others."""
    figures = evaluation.in_probabilities
    curves = [figures.roc_curve(index) for index in range(len(evaluation.class_names))]
    corner = _corner([(curve.x, 1 - curve.y) for curve in curves])
    figure, axes = _square()
    _draw_curves(axes, evaluation, curves, "AUC")
    axes.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1)
    axes.set_xlim(-0.01 * corner, corner)
    axes.set_ylim(1 - corner, 1 + 0.01 * corner)
    axes.set_xlabel("false positive rate: share of other images taken for the class")
    axes.set_ylabel("true positive rate: share of the class found")
    axes.set_title(_title("ROC", corner))
    return figure


@styled
def precision_recall_curves(evaluation: Evaluation) -> "Figure":
    """Draw the precision–recall curve of each class against the others."""
    figures = evaluation.in_probabilities
    curves = [figures.precision_recall_curve(index) for index in range(len(evaluation.class_names))]
    corner = _corner([(1 - curve.x, 1 - curve.y) for curve in curves])
    figure, axes = _square()
    _draw_curves(axes, evaluation, curves, "average precision", steps="steps-post")
    axes.set_xlim(1 - corner, 1 + 0.01 * corner)
    axes.set_ylim(1 - corner, 1 + 0.01 * corner)
    axes.set_xlabel("recall: share of the class found")
    axes.set_ylabel("precision: share of the found that are of the class")
    axes.set_title(_title("Precision and recall", corner))
    return figure


@styled
def selective_curve(evaluation: Evaluation, lowest_probability: float = 0.0) -> "Figure":
    """Draw accuracy against the share of images answered if the model abstains on the others.

    The model abstains on the images with the lowest confidence. Its own threshold on the
    probability, `lowest_probability`, is drawn as a dot if it is above 0.
    """
    from matplotlib.ticker import PercentFormatter

    right = evaluation.predicted == evaluation.labels
    curve = selective_accuracy(right, evaluation.confidence)
    given = evaluation.confidence >= lowest_probability
    share, accuracy = float(given.mean()), float(right[given].mean()) if given.any() else 0.0
    # Show the axis until three quarters of the mistakes are gone, and the threshold is visible.
    wrong = 1 - curve.at(1)
    reach = [size for size in _CORNERS if 1 - curve.at(1 - size) <= wrong / 4] if wrong else []
    corner = min(1.0, max(min(reach, default=1.0), 1.25 * (1 - share)))
    shown = curve.answered >= 1 - corner
    figure, axes = _square()
    axes.plot(curve.answered[shown], curve.accuracy[shown], color=TRAINING)
    if lowest_probability > 0 and given.any():
        axes.plot(share, accuracy, "o", color=WRONG)
        axes.annotate(
            f"the model's probability threshold:\n{share:.1%} answered, accuracy {accuracy:.2%}",
            (share, accuracy),
            xytext=(8, -4),
            textcoords="offset points",
            va="top",
        )
    axes.set_xlim(1, 1 - corner)  # from left to right, fewer and fewer images are answered
    axes.set_title("Accuracy if the model abstains when least confident")
    axes.set_xlabel("share of images answered")
    axes.set_ylabel("accuracy on the images answered")
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.grid()
    return figure


def _stacked(heights: tuple[int, int] = (3, 1)) -> tuple["Figure", tuple["Axes", "Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    top, foot = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    return figure, (top, foot)


def _square() -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    return figure, figure.add_subplot()


def _finish_confidence(axes: "Axes", evaluation: Evaluation) -> None:
    """Scale the axis of confidence, and that of counts logarithmically so that few are visible."""
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    if axes.dataLim.ymax > 0:
        axes.set_yscale("log", nonpositive="clip")
        axes.minorticks_off()
    axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    axes.set_ylabel("images")
    axes.set_xlabel("confidence: the probability of the predicted class")
    # The probability of the predicted class is at least 1 / K.
    axes.set_xlim(max(0.0, 1 / len(evaluation.class_names) - 0.05), 1.01)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))


def _corner(distances: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Choose how much of the axes to draw: four times the worst curve's distance to the corner."""
    nearest = [float(np.maximum(*sides).min()) for sides in distances if len(sides[0])]
    return min(size for size in _CORNERS if size >= min(1.0, 4 * max(nearest, default=1.0)))


def _title(what: str, corner: float) -> str:
    what += ", each class against the rest"
    return what if corner == 1 else f"{what}:\nthe corner, magnified {1 / corner:.0f} times"


def _draw_curves(
    axes: "Axes",
    evaluation: Evaluation,
    curves: Sequence[RankingCurve],
    area: str,
    steps: str = "default",
) -> None:
    import matplotlib as mpl

    colours = mpl.colormaps["tab10"](np.arange(CURVES_NAMED))
    drawn = [index for index, curve in enumerate(curves) if len(curve.x)]
    hardest = sorted(drawn, key=lambda index: curves[index].area)
    named = sorted(hardest[:CURVES_NAMED])
    for index in hardest[CURVES_NAMED:]:
        axes.plot(curves[index].x, curves[index].y, color=GRID, linewidth=0.8, drawstyle=steps)
    for place, index in enumerate(named):
        axes.plot(
            curves[index].x,
            curves[index].y,
            color=colours[place],
            linewidth=1.4,
            drawstyle=steps,
            label=f"{short(evaluation.class_names[index])}  {curves[index].area:.5f}",
        )
    axes.grid()
    if not named:
        axes.text(
            *(0.5, 0.5, "no class has both positive and negative images"),
            transform=axes.transAxes,
            ha="center",
        )
        return
    rest = len(hardest) - len(named)
    axes.legend(
        title=f"class, {area}" + (f"\nin grey: {rest} easier ones" if rest else ""),
        loc="upper left",
        bbox_to_anchor=(1, 1),
        fontsize=8,
    )
