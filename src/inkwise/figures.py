"""Figures: curves, matrices and pictures of digits, as matplotlib figures.

They are made without pyplot, so that nothing global is touched and no window is opened.
"""

import functools
import io
import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.confusion import normalise_rows
from inkwise.evaluation.evaluation import Evaluation
from inkwise.evaluation.robustness import Robustness
from inkwise.run import Pictures
from inkwise.training.history import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINING, VALIDATION = "#1f77b4", "#ff7f0e"
INK = "#24292f"
"""Colour of text and axes; a page may exchange it for its own."""
GRID = "#8c959f"
RIGHT, WRONG = "#1a7f37", "#cf222e"
FOR, AGAINST = (75, 165, 255), (255, 130, 40)
"""Colours that people with any colour vision tell apart, on the black ground of the digits."""

FAINT = 0.4
"""The ink under a map keeps so much of its light."""

MISTAKES_SHOWN = 40

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,  # a class may be called “$” or “x_1”
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: smaller, and in the page's own font
    "svg.hashsalt": "inkwise",
    "image.composite_image": False,  # which would make one coarse image of all in an SVG
}

_RESOLUTION = 160
"""Of files, in dots an inch; a notebook shows figures at matplotlib's own."""


P = ParamSpec("P")


def styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Make a function draw in the look of all figures."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return in_style


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
        "Loss (cross-entropy, nats an image)",
        [epoch.train_loss for epoch in history],
        [epoch.validation_loss for epoch in history],
    )
    figure.axes[0].set_ylim(bottom=0)
    return figure


@styled
def confusion_heatmap(evaluation: Evaluation) -> "Figure":
    """Draw the confusion matrix: counts in the cells, colour by each row's share.

    The diagonal and the mistakes have a colour scale each, because on one scale a good model's
    mistakes would all look like nothing.
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
    """Return the largest share that a class loses to one other, or 1 where there is no mistake."""
    shares = np.nan_to_num(normalise_rows(confusion))
    return float(shares[~np.eye(len(shares), dtype=bool)].max()) or 1.0


@styled
def per_class_figures(evaluation: Evaluation) -> "Figure":
    """Draw precision, recall and F1 of every class with their 95% intervals."""
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
def sample_grid(evaluation: Evaluation, pictures: Pictures) -> "Figure":
    """Draw the random sample of images, each with its true and its predicted label."""
    captions = []
    for index in pictures.samples:
        right = evaluation.predicted[index] == evaluation.labels[index]
        captions.append((_answer(evaluation, index), RIGHT if right else WRONG))
    images = [pictures[index] for index in pictures.samples]
    return _picture_grid(images, captions, "A random sample: true → predicted")


@styled
def mistake_grid(evaluation: Evaluation, pictures: Pictures) -> "Figure":
    """Draw the misclassified images, the surest mistake first, 40 at the most."""
    shown = evaluation.misclassified[:MISTAKES_SHOWN]
    captions = [
        (_answer(evaluation, index, f"{evaluation.confidence[index]:.0%}"), WRONG)
        for index in shown
    ]
    total = len(evaluation.misclassified)
    which = f"All {total}" if total == len(shown) else f"The {len(shown)} surest of {total}"
    title = f"{which} mistakes: true → predicted, and how sure the model was"
    return _picture_grid([pictures[index] for index in shown], captions, title)


@styled
def picture_rows(
    rows: Sequence[tuple[str, Sequence[str], Sequence[NDArray[np.uint8]]]],
) -> "Figure":
    """Draw rows of images, ten in each at the most, under a title and lines of text."""
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


@styled
def robustness_panels(result: Robustness, baseline: Robustness | None = None) -> "Figure":
    """Draw accuracy under every corruption, and along curves of geometry and of attacks.

    A corruption has its interval at MNIST-C's severity, and a small dot for each of the five. The
    baseline, if there is one, is orange.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    shown = [(result, TRAINING, "o")]
    if baseline is not None:
        shown.append((baseline, VALIDATION, "s"))
    panels = [([name], f"{name}, {curve.unit}") for name, curve in result.geometry.items()]
    if result.attacks:
        panels.append(([*result.attacks], "attacks: budget, grey levels of 255"))
    figure = Figure(figsize=(10.5, 2 * len(panels) + 0.8), layout="constrained")
    grid = figure.add_gridspec(len(panels), 2, width_ratios=(1.2, 1))
    names = list(result.corruptions)
    places = np.arange(len(names))
    left = figure.add_subplot(grid[:, 0])
    for number, (model, colour, marker) in enumerate(shown):
        rows = places + (0.36 * number - 0.18 if len(shown) > 1 else 0)
        for row, name in zip(rows, names, strict=True):
            means = model.corruptions[name].right.mean(axis=1)
            left.plot(
                means, np.full(len(means), row), ".-", color=colour, alpha=0.35, linewidth=0.8
            )
        value, low, high = np.array([model.usual(name) for name in names]).T
        left.errorbar(
            value,
            rows,
            xerr=[value - low, high - value],
            fmt=marker,
            color=colour,
            markersize=5,
            elinewidth=1.2,
            label=short(model.model, 24),
        )
    left.set_yticks(places, names)
    left.invert_yaxis()
    left.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    left.grid(axis="x")
    left.set_title("corruptions")
    left.set_xlabel("accuracy at MNIST-C's severity, and, in small, at severities 1 to 5")

    for place, (curves, title) in enumerate(panels):
        axes = figure.add_subplot(grid[place, 1])
        for model, colour, marker in shown:
            for name, line in zip(curves, ("-", "--"), strict=False):
                curve = {**model.geometry, **model.attacks}[name]
                value, low, high = np.array(curve.accuracies).T
                axes.fill_between(curve.levels, low, high, color=colour, alpha=0.2, linewidth=0)
                axes.plot(curve.levels, value, line, marker=marker, markersize=3.5, color=colour)
        if len(curves) > 1:
            looks = [axes.plot([], [], line, color=INK)[0] for line in ("-", "--")]
            axes.legend(looks, curves)
        axes.set_title(title)
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        axes.grid(axis="y")
    if baseline is not None:
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def paint(values: NDArray[np.float32], image: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Paint numbers: blue where they are positive, orange where they are negative.

    The largest absolute value gets the full colour.

    Parameters
    ----------
    values : ndarray of float32, shape (H, W)
    image : ndarray of uint8, shape (H, W), optional
        What shows through, faintly, where little is painted.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    scale = float(np.abs(values).max()) or 1.0
    strength = (np.abs(values) / scale)[..., None]
    colour = np.where(values[..., None] >= 0, FOR, AGAINST)
    ground = np.zeros(values.shape) if image is None else FAINT * image
    return (strength * colour + (1 - strength) * ground[..., None]).round().astype(np.uint8)


def to_bytes(figure: "Figure", kind: Literal["png", "svg"], *, transparent: bool = False) -> bytes:
    """Render a figure; the same figure always gives the same bytes."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    # No date, which would change; nor the rest, which is about matplotlib.
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type")) if kind == "svg" else {}
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The font lacks some scripts: boxes in the PNG, but the SVG is drawn in the reader's font.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        if (layout := figure.get_layout_engine()) is not None:
            # Once and for all: it takes as long as drawing, and matplotlib would do it every time.
            figure.set_dpi(_RESOLUTION)
            layout.execute(figure)
            figure.set_layout_engine(None)
        figure.savefig(
            buffer, format=kind, dpi=_RESOLUTION, transparent=transparent, metadata=metadata
        )
    return buffer.getvalue()


def short(name: str, most: int = 12) -> str:
    """Return a class' name, cut where it would not fit."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _answer(evaluation: Evaluation, index: int, sure: str = "") -> str:
    """Caption a picture: true → predicted; in several lines where one would not fit over it."""
    label, guess = evaluation.labels[index], evaluation.predicted[index]
    true, predicted = (short(evaluation.class_names[k]) for k in (label, guess))
    line = f"{true} → {predicted}  {sure}".rstrip()
    return line if len(line) <= 14 else f"{true}\n→ {predicted}\n{sure}".rstrip()


def new_figure(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Start a figure with one pair of axes; width and height are in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


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
    # In inches: a picture with its gap, the caption over it, and the title over all.
    side, breaks = 1.05, max((caption.count("\n") for caption, _ in captions), default=0)
    over, title_height = 0.28 + 0.16 * breaks, 0.3
    width, height = columns * side, rows * (side + over) + title_height
    figure = Figure(figsize=(width, height))
    figure.text(0.1 / width, 1 - 0.08 / height, title, va="top", fontsize=11, fontweight="bold")
    # One pair of axes, because a pair for every picture takes most of a second to lay out.
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
