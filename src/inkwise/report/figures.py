"""Drawing the figures of a report to files, in two processes at once.

Drawing takes most of the time of a report. Threads of one process would not make it faster, because
Python runs one thread at a time.
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
    """The data that the figures show.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation on the run's own test split.
    history : sequence of Epoch
        The epochs of the training.
    pictures : ShownImages
        The images that the run has stored.
    pairs : sequence of tuple
        For every frequent confusion: a title, lines of text, and its images, uint8 (H, W).
    lowest_probability : float
        Threshold on the probability below which the model abstains.
    """

    evaluation: Evaluation
    history: Sequence[Epoch]
    pictures: ShownImages
    pairs: Sequence[tuple[str, list[str], list[NDArray[np.uint8]]]]
    lowest_probability: float

    @classmethod
    def read(cls, run: Run, evaluation: Evaluation) -> Self:
        """Read the rest of the data from a run; raise KeyError if an image is missing."""
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
"""The figures that the second process draws: half the work, and none that need the bootstrap."""

FIRST = tuple(name for name in _DRAW if name not in SECOND)


def draw_figures(run: Run, shown: Shown, names: Iterable[str]) -> None:
    """Draw figures and write them into a run, as PNG and SVG."""
    for name in names:
        if name == "confusions" and not shown.pairs:
            continue
        figure = _DRAW[name](shown)
        write_bytes(run.figures_path / f"{name}.svg", drawing.to_bytes(figure, "svg"))
        write_bytes(run.figures_path / f"{name}.png", drawing.to_bytes(figure, "png"))


class SecondProcess:
    """A process that imports the drawing libraries early, and then draws its share of the figures.

    It is not started on a single core; nor if matplotlib has been imported already, since the user
    may have configured it in a way that another process does not know; nor in a frozen program,
    which would start itself again. If there is no such process, or it fails, the caller has to draw
    the figures.
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
                pass  # closes the pipe, which ends the process, and waits for it

    def start(self, run: Run) -> None:
        """Make the process draw its share of a run's figures."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(os.fsencode(run.path.resolve()))

    def finish(self) -> bool:
        """Wait for the process; return whether it has drawn the figures."""
        return self._process is not None and self._process.wait() == 0


def _confused_pairs(
    findings: Mapping[str, Any] | None, pictures: ShownImages
) -> list[tuple[str, list[str], list[NDArray[np.uint8]]]]:
    return [
        (
            f"{pair['true']} → {pair['predicted']}, {len(pair['indices'])} times",
            pair["sentences"] or ["No measured property is significantly more frequent"],
            [pictures[index] for index in pair["indices"]],
        )
        for pair in (findings["confusions"] if findings else [])
    ]


def _be_the_second_process() -> None:
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401 - imported before there is anything to draw

    if path := os.fsdecode(sys.stdin.buffer.read()):
        run = Run(path)
        draw_figures(run, Shown.read(run, run.evaluation), SECOND)


if __name__ == "__main__":
    _be_the_second_process()
