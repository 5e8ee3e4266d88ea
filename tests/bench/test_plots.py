"""The bench's figures: every point is drawn, and every contender named where it can be read."""

import itertools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.text import Text

from inkwise.bench.contenders import CONTENDERS
from inkwise.bench.plots import draw_accuracy, draw_growth
from inkwise.bench.summary import Growth
from inkwise.pages.drawing import to_bytes
from tests.bench import measurement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

pytestmark = pytest.mark.usefixtures("matplotlib_home")

TITLES = {name: contender.title for name, contender in CONTENDERS.items()}


def crowd() -> "Figure":
    """Everyone within a few seconds and tenths of a point."""
    return draw_accuracy(
        [
            measurement(
                name,
                number,
                history=tuple((2.0 * k + place / 3, 0.97 + 0.003 * k) for k in range(1, 6)),
            )
            for number in (1, 2, 3)
            for place, name in enumerate(TITLES)
        ],
        TITLES,
    )


def test_every_round_of_every_contender_is_drawn() -> None:
    figure = draw_accuracy(
        [
            measurement("swift", 1, history=((3.0, 0.98), (6.0, 0.992))),
            measurement("swift", 2, history=((4.0, 0.981), (7.0, 0.993))),
            measurement("knn", 1, history=((0.1, 0.97),)),
        ],
        TITLES,
    )

    curves = [np.column_stack(line.get_data()) for line in figure.axes[0].lines]
    expected = [[[3, 0.02], [6, 0.008]], [[4, 0.019], [7, 0.007]], [[0.1, 0.03]]]
    assert len(curves) == 3
    for curve, points in zip(curves, expected, strict=True):
        np.testing.assert_allclose(curve, points)
    colours = [line.get_color() for line in figure.axes[0].lines]
    assert colours[0] == colours[1] != colours[2]
    assert [text.get_text() for text in figure.axes[0].texts] == [TITLES["swift"], TITLES["knn"]]


def test_axes_are_logarithmic_and_better_is_higher() -> None:
    axes = crowd().axes[0]

    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.yaxis_inverted()
    assert "99%" in [label.get_text() for label in axes.get_yticklabels()]


def test_labels_cover_neither_each_other_nor_a_point() -> None:
    figure = crowd()
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [Text.get_window_extent(text) for text in axes.texts]

    assert len(boxes) == len(TITLES)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for line, box in itertools.product(axes.lines, boxes):
        assert not box.count_contains(line.get_transform().transform(line.get_xydata()))


@pytest.mark.parametrize("accuracy", [0.0, 0.1, 0.9995, 1.0])
def test_extreme_accuracies_can_be_drawn(accuracy: float) -> None:
    figure = draw_accuracy([measurement(history=((2.0, accuracy),))], TITLES)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_bytes(figure, "svg")
    bottom, top = figure.axes[0].get_ylim()
    (share,) = np.asarray(figure.axes[0].lines[0].get_ydata())
    assert top < share < bottom


def test_growth_shows_points_and_the_fitted_law() -> None:
    growth = Growth("Prediction", "images in a batch", fitted_from=10)
    growth.seconds.update({1: [1.0, 1.1], 10: [2.0, 2.0], 100: [20.0, 20.0]})

    axes = draw_growth(growth).axes[0]

    *points, law = axes.lines
    np.testing.assert_array_equal(
        [np.asarray(line.get_ydata()) for line in points], [[1.0, 1.1], [2.0, 2.0], [20.0, 20.0]]
    )
    np.testing.assert_allclose(np.column_stack(law.get_data()), [[10, 2], [100, 20]])
    assert axes.texts[0].get_text() == "exponent 1.00,\nfitted from 10 to 100"
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("Prediction", "images in a batch")


def test_growth_without_a_law_is_drawn_too() -> None:
    growth = Growth("Training", "training images")
    growth.seconds[6_000] = [1.0]

    figure = draw_growth(growth)

    assert len(figure.axes[0].lines) == 1
    assert not list(figure.axes[0].texts)  # nothing is claimed
    to_bytes(figure, "svg")
