"""Drawing the figures of a report to files, in two processes at once.

Drawing takes most of the time of a report. Threads of one process would not make it faster, because
Python runs one thread at a time.
"""

import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import RunError
from inkwise.evaluation.results import Evaluation
from inkwise.pages import drawing
from inkwise.report import charts, probability_charts
from inkwise.runs.directory import Run
from inkwise.runs.shown_images import ShownImages
from inkwise.system.files import write_bytes
from inkwise.system.machine import available_cores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(NamedTuple):
    """The data that the figures of an evaluation show.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation on the run's own test split.
    pictures : ShownImages
        The images that the run has stored.
    pairs : sequence of tuple
        For every frequent confusion: a title, lines of text, and its images, uint8 (H, W).
    lowest_probability : float
        Threshold on the probability below which the model abstains.
    """

    evaluation: Evaluation
    pictures: ShownImages
    pairs: Sequence[tuple[str, list[str], list[NDArray[np.uint8]]]]
    lowest_probability: float

    @classmethod
    def read(cls, run: Run, evaluation: Evaluation) -> Self:
        """Read the rest of the data from a run.

        Raises
        ------
        RunError
            A file is damaged, or an image that a figure shows is missing.
        """
        pictures, calibration = run.pictures, run.model.calibration
        if pictures.indices.max(initial=0) >= len(evaluation):
            raise RunError(
                f"{run.path} has pictures of more images than were evaluated: run "
                f"`inkwise evaluate {run.path}`"
            )
        try:
            for index in (*pictures.samples.tolist(), *evaluation.misclassified.tolist()):
                pictures[index]
            pairs = _confused_pairs(run.slices(evaluation), pictures)
        except KeyError as error:
            raise RunError(
                f"{run.path} lacks the picture of image {error}: run `inkwise evaluate {run.path}`"
            ) from error
        return cls(evaluation, pictures, pairs, calibration.lowest_probability)


_DRAW: dict[str, Callable[[Shown], "Figure"]] = {
    "per-class": lambda shown: charts.per_class_figures(shown.evaluation),
    "reliability": lambda shown: probability_charts.reliability_diagram(shown.evaluation),
    "roc": lambda shown: probability_charts.roc_curves(shown.evaluation),
    "precision-recall": lambda shown: probability_charts.precision_recall_curves(shown.evaluation),
    "selective": lambda shown: probability_charts.selective_curve(
        shown.evaluation, shown.lowest_probability
    ),
    "confidence": lambda shown: probability_charts.confidence_histogram(shown.evaluation),
    "confusion": lambda shown: charts.confusion_heatmap(shown.evaluation),
    "samples": lambda shown: charts.sample_grid(shown.evaluation, shown.pictures),
    "misclassified": lambda shown: charts.mistake_grid(shown.evaluation, shown.pictures),
    "confusions": lambda shown: charts.picture_rows(shown.pairs),
}

SECOND = ("confidence", "confusion", "samples", "misclassified", "confusions")
"""The figures of an evaluation that the second process draws: none that need the bootstrap."""

FIRST = tuple(name for name in _DRAW if name not in SECOND)


def draw_history(run: Run) -> None:
    """Draw the curves of accuracy and loss by epoch, if there are epochs, and write them."""
    if history := run.history:
        _write(run, "accuracy", charts.accuracy_curve(history))
        _write(run, "loss", charts.loss_curve(history))


def draw_evaluation(run: Run, shown: Shown, names: Iterable[str]) -> None:
    """Draw figures of an evaluation, and write them into a run."""
    for name in names:
        if name != "confusions" or shown.pairs:
            _write(run, name, _DRAW[name](shown))


def _write(run: Run, name: str, figure: "Figure") -> None:
    write_bytes(run.figures_path / f"{name}.svg", drawing.to_bytes(figure, "svg"))
    write_bytes(run.figures_path / f"{name}.png", drawing.to_bytes(figure, "png"))


class SecondProcess:
    """A process that draws its share of the figures while the calling process works on.

    It begins with the curves of the training, so it can start before the evaluation is there; the
    two processes then have about half of the work each.

    It is not started on a single core; nor if matplotlib has been imported already, since the user
    may have configured it in a way that another process does not know; nor in a frozen program,
    which would start itself again. If there is no such process, or it fails, the caller has to draw
    the figures.

    Parameters
    ----------
    run : Run
        A run whose training has ended.
    """

    def __init__(self, run: Run) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        frozen = getattr(sys, "frozen", False)
        if available_cores() > 1 and "matplotlib" not in sys.modules and not frozen:
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    # -P: a file in the working directory must not stand in for a library.
                    [sys.executable, "-P", "-m", __name__, run.path.resolve()],
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

    def go_on(self) -> None:
        """Make the process draw its figures of the evaluation, which the run has now."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(_GO_ON)

    def finish(self) -> bool:
        """Wait for the process; return whether it has drawn its figures."""
        return self._process is not None and self._process.wait() == 0


_GO_ON = b"go on"


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


def _be_the_second_process(run: Run) -> None:
    # Looking for garbage takes a tenth of the time, and the process ends before it would matter.
    gc.disable()
    draw_history(run)
    # The pipe ends without the word if the first process ends, or has no evaluation to show.
    if sys.stdin.buffer.read() == _GO_ON:
        draw_evaluation(run, Shown.read(run, run.evaluation), SECOND)


if __name__ == "__main__":
    _be_the_second_process(Run(sys.argv[1]))
