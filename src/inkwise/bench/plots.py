"""The figures of the bench: accuracy against training time, and time against size."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.bench.measurement import Measurement
from inkwise.bench.summary import Growth
from inkwise.pages.drawing import GRID, INK, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

Line = list[tuple[float, float]]
"""Training time in seconds and error rate, epoch by epoch."""

COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7a5195", "#5c5c5c")
"""Colours that, together with the markers, can be told apart with any colour vision.

The first six are from M. Okabe and K. Ito, "Color universal design", 2008.
"""
MARKERS = "o>Ds^vPX"

_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
_ACCURACIES = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)


@styled
def draw_accuracy(measurements: Sequence[Measurement], titles: Mapping[str, str]) -> "Figure":
    """Draw test accuracy against training time for every round of every contender.

    A contender that trains in epochs has a curve for each round, any other a point.

    Parameters
    ----------
    measurements : sequence of Measurement
        At least one measurement.
    titles : mapping of str to str
        Text to write beside the curves of each contender, by its name.

    Returns
    -------
    matplotlib.figure.Figure
        Both the time and the error rate have logarithmic axes, so that halving the error rate is
        the same distance everywhere.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    figure, axes = new_figure(8.0, 5.0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    looks = dict(zip(titles, itertools.cycle(zip(COLOURS, MARKERS, strict=True)), strict=False))
    curves: dict[str, list[Line]] = {}
    for m in measurements:
        # A logarithmic axis cannot show 0 mistakes: half a mistake stands for none.
        curve = [(seconds, max(1 - right, 0.5 / m.test_images)) for seconds, right in m.history]
        colour, marker = looks[m.contender]
        axes.plot(*zip(*curve, strict=True), color=colour, marker=marker, markersize=5, alpha=0.8)
        curves.setdefault(m.contender, []).append(curve)
    shortest, longest = axes.get_xlim()
    axes.set_xlim(shortest, longest * (longest / shortest) ** 0.25)  # room for the labels
    mistakes = [share for own in curves.values() for curve in own for _, share in curve]
    ticks = [1 - accuracy for accuracy in _ACCURACIES]
    below = min(tick for tick in ticks if tick >= max(mistakes))
    above = max([tick for tick in ticks if tick <= min(mistakes)], default=min(mistakes))
    axes.set_ylim(below * 1.05, above / 1.05)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda wrong, _: f"{100 * (1 - wrong):g}%"))
    axes.yaxis.set_minor_locator(NullLocator())
    _tick(axes.xaxis)
    axes.set_xlabel("training time, seconds")
    axes.set_title("Test accuracy against training time")
    axes.grid(which="major")
    # The labels are at the rounds that took longest, where they are least in the way.
    anchors = {titles[name]: max(curve[-1] for curve in own) for name, own in curves.items()}
    _label(figure, axes, anchors, [curve for own in curves.values() for curve in own])
    return figure


@styled
def draw_growth(growth: Growth) -> "Figure":
    """Draw durations against sizes on logarithmic axes, and the power law fitted to the medians."""
    from matplotlib.ticker import NullLocator

    figure, axes = new_figure(5.6, 3.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for size, seconds in growth.seconds.items():
        axes.plot([size] * len(seconds), seconds, "o", color=COLOURS[0], markersize=5, alpha=0.6)
    if (law := growth.fit) is not None:
        ends = (law.smallest, law.largest)
        axes.plot(ends, [law(size) for size in ends], color=COLOURS[2], zorder=0)
        axes.annotate(
            f"exponent {law.exponent:.2f},\nfitted from {law.smallest:,} to {law.largest:,}",
            (0.04, 0.96),
            xycoords="axes fraction",
            va="top",
            color=INK,
            bbox=_GROUND,
        )
    sizes = list(growth.medians)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    _tick(axes.yaxis)
    axes.set_xlabel(growth.unit)
    axes.set_ylabel("seconds")
    axes.set_title(growth.title)
    axes.grid(which="major")
    return figure


def _tick(axis: "Axis") -> None:
    """Label a logarithmic axis with plain numbers: 1, 2, 5 of each decade if there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _label(
    figure: "Figure",
    axes: "Axes",
    anchors: Mapping[str, tuple[float, float]],
    curves: Sequence[Line],
) -> None:
    """Write each name as near to its anchor as possible without covering a curve or a name."""
    from matplotlib.text import Text

    figure.draw_without_rendering()  # fixes the layout, in pixels
    inside = axes.get_window_extent()
    marks = np.concatenate([_dots(axes.transData.transform(curve)) for curve in curves])
    taken: list[Bbox] = []
    for name, anchor in anchors.items():
        label = axes.annotate(
            name,
            anchor,
            (0, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            zorder=1,  # over the grid, under the curves
            bbox=_GROUND,
            arrowprops={"arrowstyle": "-", "color": GRID, "linewidth": 0.6, "shrinkB": 3},
        )
        label.set_in_layout(False)
        for side, rise in _OFFSETS:
            label.xyann = (10 * side, rise)
            label.set_horizontalalignment("left" if side > 0 else "right")
            label.get_window_extent()  # moves it
            box = Text.get_window_extent(label)  # without the line to the anchor
            corners = inside.count_contains(box.corners())
            if not box.count_contains(marks) + box.count_overlaps(taken) and corners == 4:
                break
        taken.append(box)


_OFFSETS = sorted(itertools.product((1, -1), range(-150, 151, 3)), key=lambda place: abs(place[1]))
"""Positions to try for a label: right or left of its anchor, and its height above, in points."""


def _dots(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return many points along the segments of a curve, float64 (M, 2)."""
    steps = np.linspace(0, 1, 30)[:, None, None]
    return np.concatenate([curve, (curve[:-1] + steps * np.diff(curve, axis=0)).reshape(-1, 2)])
