"""The figures of a report as files, drawn by two processes at once.

To draw them takes most of the time that a report takes, and threads of one process would only take
turns at it: Python runs one at a time.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.results import Evaluation
from inkwise.pages import drawing
from inkwise.report import charts, probability_charts
from inkwise.runs.directory import Run
from inkwise.runs.shown_images import ShownImages
from inkwise.system.files import write_bytes
from inkwise.system.machine import available_cores
from inkwise.training.history import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(NamedTuple):
    """What the figures show.

    Parameters
    ----------
    evaluation : Evaluation
        Of the run's own test split.
    history : sequence of Epoch
    pictures : ShownImages
    pairs : sequence of tuple
        Of every frequent confusion: a title, what is known about it, and its images,
        uint8 (H, W).
    lowest_probability : float
        With which the model answers.
    """

    evaluation: Evaluation
    history: Sequence[Epoch]
    pictures: ShownImages
    pairs: Sequence[tuple[str, list[str], list[NDArray[np.uint8]]]]
    lowest_probability: float

    @classmethod
    def read(cls, run: Run, evaluation: Evaluation) -> Self:
        """Read from a run what is not in its evaluation; KeyError where a picture is missing."""
        return cls(
            evaluation,
            run.history,
            run.pictures,
            _confused_pairs(run.slices(evaluation), run.pictures),
            run.model.calibration.lowest_probability,
        )


_DRAW: dict[str, Callable[[Shown], "Figure"]] = {
    "accuracy": lambda shown: charts.accuracy_curve(shown.history),
    "loss": lambda shown: charts.loss_curve(shown.history),
    "per-class": lambda shown: charts.per_class_figures(shown.evaluation),
    "reliability": lambda shown: probability_charts.reliability_diagram(shown.evaluation),
    "roc": lambda shown: probability_charts.roc_curves(shown.evaluation),
    "precision-recall": lambda shown: probability_charts.precision_recall_curves(shown.evaluation),
    "confidence": lambda shown: probability_charts.confidence_histogram(shown.evaluation),
    "selective": lambda shown: probability_charts.selective_curve(
        shown.evaluation, shown.lowest_probability
    ),
    "confusion": lambda shown: charts.confusion_heatmap(shown.evaluation),
    "samples": lambda shown: charts.sample_grid(shown.evaluation, shown.pictures),
    "misclassified": lambda shown: charts.mistake_grid(shown.evaluation, shown.pictures),
    "confusions": lambda shown: charts.picture_rows(shown.pairs),
}

SECOND = ("confidence", "selective", "confusion", "samples", "misclassified", "confusions")
"""What the second process draws: half of the work, and nothing that takes new resamples."""

FIRST = tuple(name for name in _DRAW if name not in SECOND)


def draw_figures(run: Run, shown: Shown, names: Iterable[str]) -> None:
    """Draw figures into a run, as PNG and SVG."""
    for name in names:
        if name == "confusions" and not shown.pairs:
            continue
        figure = _DRAW[name](shown)
        write_bytes(run.figures_path / f"{name}.svg", drawing.to_bytes(figure, "svg"))
        write_bytes(run.figures_path / f"{name}.png", drawing.to_bytes(figure, "png"))


class SecondProcess:
    """A process that imports what it takes to draw, and then draws its share of the figures.

    There is none where it would be of no use: on a single core; in a session that has imported
    matplotlib, and may have set it up in a way that no other process knows of; and in a program
    frozen into one file, which would start itself again. If there is none, or it fails, the figures
    are left to who asked for them.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        frozen = getattr(sys, "frozen", False)
        if available_cores() > 1 and "matplotlib" not in sys.modules and not frozen:
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    # -P: a file in the working directory must not stand in for a library.
                    [sys.executable, "-P", "-m", __name__],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with self._process:
                pass  # closes the pipe, at whose end it ends, and waits

    def start(self, run: Run) -> None:
        """Let it draw its share of a run's figures."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(os.fsencode(run.path.resolve()))

    def finish(self) -> bool:
        """Wait until it is done; return False where the figures are not drawn."""
        return self._process is not None and self._process.wait() == 0


def _confused_pairs(
    findings: Mapping[str, Any] | None, pictures: ShownImages
) -> list[tuple[str, list[str], list[NDArray[np.uint8]]]]:
    return [
        (
            f"{pair['true']} → {pair['predicted']}, {len(pair['indices'])} times",
            pair["sentences"] or ["Nothing in common that luck would not explain"],
            [pictures[index] for index in pair["indices"]],
        )
        for pair in (findings["confusions"] if findings else [])
    ]


def _be_the_second_process() -> None:
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401 - while there is nothing to draw yet

    if path := os.fsdecode(sys.stdin.buffer.read()):
        run = Run(path)
        draw_figures(run, Shown.read(run, run.evaluation), SECOND)


if __name__ == "__main__":
    _be_the_second_process()
