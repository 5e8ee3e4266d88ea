"""Figures of the report: learning curves, the confusion matrix, and grids of images."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.confusion import normalise_rows
from inkwise.evaluation.results import Evaluation
from inkwise.pages.drawing import RIGHT, TRAINING, VALIDATION, WRONG, new_figure, short, styled
from inkwise.runs.shown_images import ShownImages
from inkwise.training.history import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISTAKES_SHOWN = 40


@styled
def accuracy_curve(history: Sequence[Epoch]) -> "Figure":
    """Draw training (blue) and validation (orange) accuracy by epoch."""
    from matplotlib.ticker import PercentFormatter

    figure = _curve(
        history,
        "Accuracy",
        [epoch.train_accuracy for epoch in history],
        [epoch.validation_accuracy for epoch in history],
    )
    figure.axes[0].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


@styled
def loss_curve(history: Sequence[Epoch]) -> "Figure":
    """Draw training (blue) and validation (orange) loss by epoch."""
    figure = _curve(
        history,
        "Loss (cross-entropy, nats per image)",
        [epoch.train_loss for epoch in history],
        [epoch.validation_loss for epoch in history],
    )
    figure.axes[0].set_ylim(bottom=0)
    return figure


@styled
def confusion_heatmap(evaluation: Evaluation) -> "Figure":
    """Draw the confusion matrix with counts in the cells, coloured by their share of the row.

    The diagonal and the mistakes each have a colour scale of their own: on a common scale the
    mistakes of a good model would be invisible.
    """
    import matplotlib as mpl

    names, counts = [short(name) for name in evaluation.class_names], evaluation.confusion
    classes = len(names)
    side = max(5.0, 0.55 * classes + 1.2)
    figure, axes = new_figure(side, side)
    shares = np.nan_to_num(normalise_rows(counts))
    diagonal = np.eye(classes, dtype=bool)
    worst = worst_share(counts)
    colours = np.where(
        diagonal[..., None],
        mpl.colormaps["Blues"](0.25 + 0.6 * shares),
        mpl.colormaps["Oranges"](0.75 * shares / worst),
    )
    axes.imshow(colours)
    for row, column in np.ndindex(counts.shape):
        count = counts[row, column]
        if count or row == column:
            dark = row == column and shares[row, column] > 0.5
            axes.text(
                column,
                row,
                f"{count:,}",
                ha="center",
                va="center",
                fontsize=9 if classes <= 12 else 6,
                color="white" if dark else "#24292e",
            )
    axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 4 else 0)
    axes.set_yticks(range(classes), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("actual class")
    axes.set_title(
        f"{len(evaluation) - evaluation.correct:,} mistakes in {len(evaluation):,} images"
    )
    return figure


def worst_share(confusion: NDArray[np.int64]) -> float:
    """Return the largest off-diagonal share of a row, or 1 if there are no mistakes."""
    shares = np.nan_to_num(normalise_rows(confusion))
    return float(shares[~np.eye(len(shares), dtype=bool)].max()) or 1.0


@styled
def per_class_figures(evaluation: Evaluation) -> "Figure":
    """Draw precision, recall and F1 of every class with their 95% confidence intervals."""
    from matplotlib.ticker import PercentFormatter

    classes = evaluation.classes
    figure, axes = new_figure(7.0, max(2.6, 0.42 * len(classes) + 1.2))
    kinds = (("precision", "#8250df", "s"), ("recall", "#0969da", "o"), ("f1", "#bc4c00", "D"))
    places = np.arange(len(classes))
    for offset, (kind, colour, marker) in zip((-0.22, 0.0, 0.22), kinds, strict=True):
        estimates = np.array([getattr(figures, kind) for figures in classes])
        value, low, high = estimates.T
        axes.errorbar(
            value,
            places + offset,
            xerr=[value - low, high - value],
            fmt=marker,
            color=colour,
            markersize=4,
            elinewidth=1,
            label="F1" if kind == "f1" else kind,
        )
    axes.set_yticks(places, [short(figures.name) for figures in classes])
    axes.invert_yaxis()
    axes.set_ylabel("class")
    axes.set_xlim(right=1.0)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.grid(axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
    return figure


@styled
def sample_grid(evaluation: Evaluation, pictures: ShownImages) -> "Figure":
    """Draw the random sample of images, each with its true and its predicted label."""
    captions = []
    for index in pictures.samples:
        right = evaluation.predicted[index] == evaluation.labels[index]
        captions.append((_answer(evaluation, index), RIGHT if right else WRONG))
    images = [pictures[index] for index in pictures.samples]
    return _picture_grid(images, captions, "A random sample: true → predicted")


@styled
def mistake_grid(evaluation: Evaluation, pictures: ShownImages) -> "Figure":
    """Draw the misclassified images, at most 40, the most confident mistake first."""
    shown = evaluation.misclassified[:MISTAKES_SHOWN]
    captions = [
        (_answer(evaluation, index, f"{evaluation.confidence[index]:.0%}"), WRONG)
        for index in shown
    ]
    total = len(evaluation.misclassified)
    which = f"All {total}" if total == len(shown) else f"The {len(shown)} most confident of {total}"
    title = f"{which} mistakes: true → predicted, and the confidence"
    return _picture_grid([pictures[index] for index in shown], captions, title)


@styled
def picture_rows(
    rows: Sequence[tuple[str, Sequence[str], Sequence[NDArray[np.uint8]]]],
) -> "Figure":
    """Draw rows of at most ten images, each row under a title and lines of text."""
    from matplotlib.figure import Figure

    # In inches, from the top: title, lines, images, and the gap to the next row.
    heights = [0.28 + 0.18 * len(lines) + 0.8 + 0.2 for _, lines, _ in rows]
    width, height = 9.0, sum(heights)
    figure = Figure(figsize=(width, height))
    top = height
    for (title, lines, images), own in zip(rows, heights, strict=True):
        figure.text(0.1 / width, (top - 0.1) / height, title, weight="bold", va="top", fontsize=11)
        text = "\n".join(lines)
        figure.text(0.1 / width, (top - 0.32) / height, text, va="top", fontsize=9)
        bottom = top - own + 0.1
        for column, image in enumerate(images[:10]):
            left = 0.1 + 0.88 * column
            axes = figure.add_axes((left / width, bottom / height, 0.8 / width, 0.8 / height))
            axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.axis("off")
        top -= own
    return figure


def _answer(evaluation: Evaluation, index: int, sure: str = "") -> str:
    """Return an image's caption, true → predicted, on several lines if one would be too long."""
    label, guess = evaluation.labels[index], evaluation.predicted[index]
    true, predicted = (short(evaluation.class_names[k]) for k in (label, guess))
    line = f"{true} → {predicted}  {sure}".rstrip()
    return line if len(line) <= 14 else f"{true}\n→ {predicted}\n{sure}".rstrip()


def _curve(
    history: Sequence[Epoch], title: str, training: Sequence[float], validation: Sequence[float]
) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(5.6, 3.4)
    epochs = [epoch.epoch for epoch in history]
    axes.plot(epochs, training, marker="o", markersize=4, color=TRAINING, label="training")
    axes.plot(epochs, validation, marker="o", markersize=4, color=VALIDATION, label="validation")
    axes.set_xlabel("epoch")
    axes.set_title(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y")
    axes.legend()
    return figure


def _picture_grid(
    images: Sequence[NDArray[np.uint8]], captions: Sequence[tuple[str, str]], title: str
) -> "Figure":
    from matplotlib.figure import Figure

    columns = 8
    rows = max(1, math.ceil(len(images) / columns))
    # In inches: an image with its gap, the caption above it, and the title above everything.
    side, breaks = 1.05, max((caption.count("\n") for caption, _ in captions), default=0)
    over, title_height = 0.28 + 0.16 * breaks, 0.3
    width, height = columns * side, rows * (side + over) + title_height
    figure = Figure(figsize=(width, height))
    figure.text(0.1 / width, 1 - 0.08 / height, title, va="top", fontsize=11, fontweight="bold")
    # One pair of axes for all images: laying out a pair for each takes most of a second.
    axes = figure.add_axes((0, 0, 1, 1))
    for place, (image, (caption, colour)) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, columns)
        middle = (column + 0.5) * side
        top = height - title_height - over - row * (side + over)
        down, across = np.array(image.shape) * 0.96 * side / max(image.shape)
        extent = (middle - across / 2, middle + across / 2, top - down, top)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=extent)
        axes.text(middle, top + 0.06, caption, color=colour, fontsize=9, ha="center", va="bottom")
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    axes.axis("off")
    return figure
