"""Figures: what is drawn, in which colours, and the same bytes every time."""

import io
import itertools
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from inkwise import Evaluation
from inkwise.pages import drawing
from inkwise.report import charts, probability_charts
from inkwise.runs.shown_images import ShownImages
from inkwise.training.history import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

pytestmark = pytest.mark.usefixtures("matplotlib_home")


SVG = "{http://www.w3.org/2000/svg}"
DIGITS = tuple("0123456789")


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw with a sixteenth of the pixels, where what matters is that there is a picture."""
    monkeypatch.setattr(drawing, "_RESOLUTION", 40)


def history(epochs: int) -> list[Epoch]:
    return [
        Epoch(n, 1 / n, 1 - 0.5 / n, 1.2 / n, 1 - 0.6 / n, seconds=3.0)
        for n in range(1, epochs + 1)
    ]


def evaluation(
    mistakes: int, *, images: int = 200, names: tuple[str, ...] = DIGITS, absent: int | None = None
) -> Evaluation:
    """Make an evaluation with so many mistakes, each surer than the one after it."""
    classes = [k for k in range(len(names)) if k != absent]
    labels = np.array([classes[i % len(classes)] for i in range(images)], dtype=np.int64)
    predicted = labels.copy()
    predicted[:mistakes] = [classes[(i + 1) % len(classes)] for i in range(mistakes)]
    probabilities = np.full((images, len(names)), 0.01, dtype=np.float32)
    probabilities[np.arange(images), predicted] = np.linspace(0.95, 0.55, images)
    return Evaluation("digits", "test", names, labels, probabilities)


def pictures(result: Evaluation) -> ShownImages:
    indices = np.arange(len(result))
    images = np.random.default_rng(0).integers(0, 256, size=(len(result), 8, 10), dtype=np.uint8)
    return ShownImages(indices, images, indices[-24:])


def draw_curves(epochs: int) -> dict[str, "Figure"]:
    return {
        "accuracy": charts.accuracy_curve(history(epochs)),
        "loss": charts.loss_curve(history(epochs)),
    }


def draw_evaluation(result: Evaluation) -> dict[str, "Figure"]:
    return {
        "confusion": charts.confusion_heatmap(result),
        "per-class": charts.per_class_figures(result),
        "samples": charts.sample_grid(result, pictures(result)),
        "misclassified": charts.mistake_grid(result, pictures(result)),
        "reliability": probability_charts.reliability_diagram(result),
        "confidence": probability_charts.confidence_histogram(result),
        "roc": probability_charts.roc_curves(result),
        "precision-recall": probability_charts.precision_recall_curves(result),
    }


def texts(figure: "Figure") -> list[str]:
    """Everything that is written in a figure's SVG."""
    root = ET.fromstring(drawing.to_bytes(figure, "svg"))  # noqa: S314 - drawn right here
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]


def strokes(figure: "Figure") -> set[str]:
    """The colours of all lines in a figure's SVG."""
    root = ET.fromstring(drawing.to_bytes(figure, "svg"))  # noqa: S314 - drawn right here
    styles = [element.get("style", "") for element in root.iter(f"{SVG}path")]
    declarations = [part.split(":") for style in styles for part in style.split(";") if ":" in part]
    return {value.strip() for name, value in declarations if name.strip() == "stroke"}


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda: draw_curves(1), id="one epoch"),
        pytest.param(lambda: draw_curves(40), id="forty epochs"),
        pytest.param(lambda: draw_evaluation(evaluation(0)), id="no mistakes"),
        pytest.param(lambda: draw_evaluation(evaluation(12, absent=4)), id="absent class"),
        pytest.param(
            lambda: draw_evaluation(evaluation(1, images=24, names=("yes", "no"))),
            id="two classes",
        ),
        pytest.param(
            lambda: draw_evaluation(evaluation(200, names=tuple(f"kind {k}" for k in range(26)))),
            id="many classes and nothing but mistakes",
        ),
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
def test_figures_render_as_png_and_svg(draw: Callable[[], dict[str, "Figure"]]) -> None:
    for name, figure in draw().items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            png, svg = drawing.to_bytes(figure, "png"), drawing.to_bytes(figure, "svg")

        with Image.open(io.BytesIO(png)) as image:
            assert image.format == "PNG"
            assert np.ptp(np.asarray(image.convert("L"))) > 0, f"{name} is blank"
        assert ET.fromstring(svg).tag == f"{SVG}svg"  # noqa: S314 - drawn right here


@pytest.mark.slow
def test_same_figure_gives_the_same_bytes() -> None:
    result = evaluation(4, images=30, names=("ant", "bee", "cat"))
    first, second = (draw_curves(3) | draw_evaluation(result) for _ in range(2))

    for name in first:
        assert drawing.to_bytes(first[name], "svg") == drawing.to_bytes(second[name], "svg")
        if name in ("loss", "confusion"):  # pixels take longer, and follow from the same drawing
            assert drawing.to_bytes(first[name], "png") == drawing.to_bytes(second[name], "png")


@pytest.mark.parametrize("draw", [charts.accuracy_curve, charts.loss_curve])
def test_curves_are_labelled_and_coloured(draw: Callable[[list[Epoch]], "Figure"]) -> None:
    figure = draw(history(3))

    assert {"epoch", "training", "validation"} <= set(texts(figure))
    assert {"#1f77b4", "#ff7f0e"} <= strokes(figure)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["training"].get_color() == "#1f77b4"
    assert lines["validation"].get_color() == "#ff7f0e"


def test_curves_draw_the_history() -> None:
    accuracy = charts.accuracy_curve(history(3)).axes[0].lines
    loss = charts.loss_curve(history(3)).axes[0].lines

    for line, values in zip(
        [*accuracy, *loss],
        [
            [0.5, 0.75, 1 - 0.5 / 3],
            [0.4, 0.7, 0.8],
            [1, 0.5, 1 / 3],
            [1.2, 0.6, 0.4],
        ],
        strict=True,
    ):
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_array_almost_equal(np.asarray(line.get_ydata()), values)


def test_epochs_are_whole_numbers_on_the_axis() -> None:
    for epochs in (1, 2, 40):
        figure = charts.loss_curve(history(epochs))
        drawing.to_bytes(figure, "svg")
        labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
        assert labels
        assert all(label.lstrip("\N{MINUS SIGN}").isdigit() for label in labels)


def test_confusion_heatmap_shows_the_counts() -> None:
    result = evaluation(12)
    cells = {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in charts.confusion_heatmap(result).axes[0].texts
    }

    counts = result.confusion
    for cell in np.ndindex(counts.shape):
        if counts[cell] or cell[0] == cell[1]:
            assert cells.pop(cell) == str(counts[cell])
    assert not cells  # empty cells stay empty, so that the mistakes stand out
    assert {"actual class", "predicted class"} <= set(texts(charts.confusion_heatmap(result)))


def test_per_class_figures_name_classes_and_metrics() -> None:
    written = texts(charts.per_class_figures(evaluation(12, names=("ant", "bee", "cat"))))

    assert {"ant", "bee", "cat", "precision", "recall", "F1"} <= set(written)


def test_samples_are_captioned_with_truth_and_prediction() -> None:
    result = evaluation(200, names=("ant", "bee", "cat"))

    captions = [text for text in texts(charts.sample_grid(result, pictures(result))) if "→" in text]

    expected = [f"{result.class_names[k]} → {result.class_names[(k + 1) % 3]}" for k in range(3)]
    assert len(captions) == 25  # 24 and the title
    assert set(captions[1:] if captions[0].startswith("A") else captions[:-1]) == set(expected)


def test_surest_mistakes_come_first_and_at_most_forty() -> None:
    few, many = (
        texts(charts.mistake_grid(result, pictures(result)))
        for result in (evaluation(12), evaluation(41))
    )

    assert sum("%" in text for text in few) == 12
    assert any("All 12 mistakes" in text for text in few)
    shown = [int(text.rpartition(" ")[2].removesuffix("%")) for text in many if "%" in text]
    assert len(shown) == 40
    assert shown == sorted(shown, reverse=True)
    assert any("40 most confident of 41 mistakes" in text for text in many)


@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
def test_class_names_are_drawn_as_they_are() -> None:
    # In matplotlib, text between dollars is mathematics, and bad mathematics an error.
    names = ("$x$", r"$\frac$", "<b>&", "日本", "_a" * 30)
    for name, figure in draw_evaluation(evaluation(30, names=names)).items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            drawing.to_bytes(figure, "png")
            if name in ("confusion", "per-class"):
                assert {*names[:4], "_a_a_a_a_a_…"} <= set(texts(figure))


def test_long_captions_do_not_run_into_each_other() -> None:
    result = evaluation(40, names=("automobile", "polar bear", "an extraordinarily long name"))
    figure = charts.mistake_grid(result, pictures(result))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts[:8]]

    for left, right in itertools.pairwise(boxes):
        assert left.x1 <= right.x0
    pictures_shown = [image.get_window_extent() for image in axes.images]
    for text, picture in itertools.product(axes.texts, pictures_shown):
        assert not text.get_window_extent().overlaps(picture)


@pytest.mark.slow
def test_drawing_leaves_matplotlib_as_it_was() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures = draw_evaluation(evaluation(3))
    drawing.to_bytes(figures["confusion"], "svg")  # all figures go through this one function

    assert dict(mpl.rcParams) == before


def test_the_reliability_diagram_shows_every_bin_and_its_count() -> None:
    result = evaluation(12)
    bins = result.in_probabilities.bins
    figure = probability_charts.reliability_diagram(result)
    points = figure.axes[0].lines[1]  # after the diagonal
    np.testing.assert_allclose(np.asarray(points.get_xdata()), bins.confidence)
    np.testing.assert_allclose(np.asarray(points.get_ydata()), bins.accuracy)
    written = texts(figure)
    assert {str(count) for count in bins.counts} <= set(written)
    assert any("Calibration error" in text for text in written)


def test_the_confidence_of_right_and_wrong_answers_is_told_apart() -> None:
    figure = probability_charts.confidence_histogram(evaluation(12))
    for axes, count in zip(figure.axes, (188, 12), strict=True):
        heights = [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]
        assert sum(heights) == count
        assert axes.get_title(loc="left").startswith(f"{count} ")


def ranked(images: int, apart: float) -> Evaluation:
    """Probabilities that rank a class the better the further its images are apart."""
    generator = np.random.default_rng(0)
    labels = np.arange(images) % 3
    logits = generator.normal(size=(images, 3)) + apart * np.eye(3)[labels]
    raw = np.exp(logits)
    probabilities = (raw / raw.sum(1, keepdims=True)).astype(np.float32)
    return Evaluation("toy", "test", ("ant", "bee", "cat"), labels, probabilities)


@pytest.mark.parametrize(
    "draw", [probability_charts.roc_curves, probability_charts.precision_recall_curves]
)
def test_curves_are_magnified_where_all_are_in_the_corner(
    draw: Callable[[Evaluation], "Figure"],
) -> None:
    bad, good = draw(ranked(300, 0.5)).axes[0], draw(ranked(3000, 5)).axes[0]
    assert bad.get_ylim()[0] == 0
    assert "magnified" not in bad.get_title(loc="left")
    assert 0.8 <= good.get_ylim()[0] < 1
    assert "magnified" in good.get_title(loc="left")
    legend = good.get_legend()
    assert legend is not None
    assert [text.get_text()[:3] for text in legend.get_texts()] == ["ant", "bee", "cat"]


def test_of_many_classes_the_hardest_have_names() -> None:
    result = evaluation(60, names=tuple(f"kind {k}" for k in range(26)))
    axes = probability_charts.roc_curves(result).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 10
    assert "in grey: 16 easier" in legend.get_title().get_text()


def test_classes_without_others_beside_them_have_no_curves() -> None:
    result = evaluation(0, images=20)
    labels = np.zeros_like(result.labels)
    one = Evaluation("digits", "test", result.class_names, labels, result.probabilities)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in (probability_charts.roc_curves, probability_charts.precision_recall_curves):
            axes = draw(one).axes[0]
            assert [text.get_text() for text in axes.texts] == [
                "no class has both positive and negative images"
            ]
            assert axes.get_legend() is None


def test_the_selective_curve_ends_where_all_are_answered_and_marks_the_limit() -> None:
    result = evaluation(12)
    limit = float(np.sort(result.confidence)[20])
    axes = probability_charts.selective_curve(result, limit).axes[0]
    curve, mark = axes.get_lines()
    assert np.asarray(curve.get_xdata())[-1] == 1
    assert np.asarray(curve.get_ydata())[-1] == result.correct / len(result)
    given = result.confidence >= limit
    right = result.predicted == result.labels
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (  # type: ignore[index]
        given.mean(),
        right[given].mean(),
    )
    far, near = sorted(axes.get_xlim())
    assert far < given.mean() < near
    assert "90.0% answered" in axes.texts[0].get_text()
    assert len(probability_charts.selective_curve(result).axes[0].texts) == 0
    assert probability_charts.selective_curve(evaluation(0)).axes[0].get_xlim() == (1, 0)
