"""The figures of a report as files, drawn by two processes at once.

To draw them takes most of the time that a report takes, and threads of one process would only take
turns at it: Python runs one at a time.
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
from inkwise.runs.directory import Run, ShownImages
from inkwise.system.files import write_bytes
from inkwise.system.machine import available_cores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(NamedTuple):
    """What the figures of an evaluation show.

    Parameters
    ----------
    evaluation : Evaluation
        Of the run's own test split.
    pictures : ShownImages
    pairs : sequence of tuple
        Of every frequent confusion: a title, what is known about it, and its images,
        uint8 (H, W).
    lowest_probability : float
        With which the model answers.
    """

    evaluation: Evaluation
    pictures: ShownImages
    pairs: Sequence[tuple[str, list[str], list[NDArray[np.uint8]]]]
    lowest_probability: float

    @classmethod
    def read(cls, run: Run, evaluation: Evaluation) -> Self:
        """Read from a run what is not in its evaluation.

        Raises
        ------
        RunError
            A file is damaged, or the picture of an image that is to be shown is missing.
        """
        pictures, calibration = run.pictures, run.model.calibration
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
"""What the second process draws of an evaluation: half of the work, and nothing with intervals."""

FIRST = tuple(name for name in _DRAW if name not in SECOND)


def draw_history(run: Run) -> None:
    """Draw a run's accuracy and loss by epoch into it."""
    history = run.history
    _write(run, "accuracy", charts.accuracy_curve(history))
    _write(run, "loss", charts.loss_curve(history))


def draw_evaluation(run: Run, shown: Shown, names: Iterable[str]) -> None:
    """Draw figures of a run's evaluation into it."""
    for name in names:
        if name != "confusions" or shown.pairs:
            _write(run, name, _DRAW[name](shown))


def _write(run: Run, name: str, figure: "Figure") -> None:
    write_bytes(run.figures_path / f"{name}.svg", drawing.to_bytes(figure, "svg"))
    write_bytes(run.figures_path / f"{name}.png", drawing.to_bytes(figure, "png"))


class SecondProcess:
    """A process that draws its share of a run's figures while the first one works on.

    It starts with what shows the history, so that the evaluation need not be there yet.

    There is none where it would be of no use: on a single core; in a session that has imported
    matplotlib, and may have set it up in a way that no other process knows of; and in a program
    frozen into one file, which would start itself again. If there is none, or it fails, its figures
    are left to the first process.

    Parameters
    ----------
    run : Run
        Whose training is over.
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
                pass  # closes the pipe, at whose end it ends, and waits

    def go_on(self) -> None:
        """Let it draw what shows the evaluation, which is in the run now."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(_GO_ON)

    def finish(self) -> bool:
        """Wait until it is done; return False where its figures are not drawn."""
        return self._process is not None and self._process.wait() == 0


_GO_ON = b"go on"


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


def _be_the_second_process(run: Run) -> None:
    gc.disable()  # which takes a tenth of the time; the process ends before garbage matters
    draw_history(run)
    # If the first process ends, or has no evaluation to show, the pipe ends without a word.
    if sys.stdin.buffer.read() == _GO_ON:
        draw_evaluation(run, Shown.read(run, run.evaluation), SECOND)


if __name__ == "__main__":
    _be_the_second_process(Run(sys.argv[1]))
