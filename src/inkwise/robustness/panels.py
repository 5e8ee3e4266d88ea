"""The figure of a model's robustness."""

from typing import TYPE_CHECKING

import numpy as np

from inkwise.pages.drawing import INK, TRAINING, VALIDATION, short, styled
from inkwise.robustness.curves import Robustness

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def robustness_panels(result: Robustness, baseline: Robustness | None = None) -> "Figure":
    """Draw the accuracy under every corruption, and along the curves of geometry and of attacks.

    Each corruption has an interval at the severity that MNIST-C uses, and a small dot for each of
    the five severities. The baseline, if there is one, is orange.
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
    left.set_xlabel("accuracy at MNIST-C's severity; small dots: severities 1 to 5")

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
