"""The bench on the screen: what runs now, and the tables of what came of it."""

import math
import time
from collections.abc import Callable, Mapping

from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from inkwise.bench.contenders import CONTENDERS
from inkwise.bench.measurement import Failure, Measurement
from inkwise.bench.rounds import Bench
from inkwise.bench.summary import Spread
from inkwise.cli.progress import Display
from inkwise.cli.show import console, new_table, show_path, show_table
from inkwise.runs.directory import INTERRUPTED

Form = Callable[[float], str]


class BenchDisplay(Display):
    """What the bench shows while it works."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.monotonic()
        self._steps = self._new_bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            per_second=1,  # what draws must not take from what is measured
        )
        self._step = self._steps.add_task("", total=None)

    def step(self, text: str) -> None:
        """Show what runs now: beside the time since the start, or as a line with it."""
        if not self._drawn:
            seconds = round(time.monotonic() - self._start)
            self._console.print(f"{seconds // 60}:{seconds % 60:02} {text}", soft_wrap=True)
            return
        self._draw(self._steps)
        self._steps.update(self._step, description=text)

    def outcome(self, outcome: Measurement | Failure) -> None:
        """Show what came of a contender as a line that stays."""
        self._console.print(_line(outcome), soft_wrap=True)


def show_bench(bench: Bench) -> None:
    """Show the tables of a bench, who failed, and where everything stands."""
    summary = bench.summary
    if summary:
        rounds = bench.about["rounds"]
        often = "One round" if rounds == 1 else f"{rounds} rounds: median, and least to most"
        console.print(f"{often}. Times are in seconds.")
        show_table(_table(summary, _TRAINING))
        show_table(_table(summary, _PREDICTION))
    for reference, ratios in bench.ratios.items():
        if reference in _OURS and ratios:
            console.print(f"How many times as long as {_title(reference)}, round by round")
            show_table(_table(ratios, _RATIOS))
    for growth in bench.growth.values():
        if (law := growth.fit) is not None:
            console.print(
                f"{growth.title}: time grows with the {law.exponent:.2f}th power of the size, "
                f"fitted from {law.smallest:,} to {law.largest:,} {growth.unit}",
                soft_wrap=True,
            )
    for failure in bench.failures:
        console.print(Text(_line(failure), "red"), soft_wrap=True)
    if bench.status == INTERRUPTED:
        console.print("The bench was interrupted; what was finished is kept.")
    show_path("Bench", bench.path)


def _title(contender: str) -> str:
    return CONTENDERS[contender].title if contender in CONTENDERS else contender


def _line(outcome: Measurement | Failure) -> str:
    if isinstance(outcome, Failure):
        return f"{_title(outcome.contender)} failed in round {outcome.round}: {outcome.reason}"
    return (
        f"{_title(outcome.contender)}: {outcome.test_accuracy:.2%} "
        f"after {_seconds(outcome.training_seconds)} s of training"
    )


def _seconds(seconds: float) -> str:
    if math.isinf(seconds):
        return "–"
    return (
        f"{seconds:.2f}"
        if seconds < 10
        else f"{seconds:.1f}"
        if seconds < 100
        else f"{seconds:.0f}"
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}" if size < 1e8 else f"{size / 1e6:,.0f}"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _percent(share: float) -> str:
    return f"{share:.2%}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


_TRAINING: dict[str, tuple[str, Form]] = {
    "training_images": ("training images", _whole),
    "startup_seconds": ("start-up", _seconds),
    "training_seconds": ("training", _seconds),
    "seconds_to_98.84%": ("to 98.84%", _seconds),
    "seconds_to_99%": ("to 99%", _seconds),
    "whole_seconds": ("start to last figure", _seconds),
    "test_accuracy": ("test accuracy", _percent),
}
_PREDICTION: dict[str, tuple[str, Form]] = {
    "images_per_second": ("images a second", _whole),
    "single_seconds": ("one image, ms", _milliseconds),
    "training_memory": ("memory to train, MB", _megabytes),
    "prediction_memory": ("to predict, MB", _megabytes),
    "model_bytes": ("model, MB", _megabytes),
}
_RATIOS: dict[str, tuple[str, Form]] = {
    "training_seconds": ("training", _times),
    "whole_seconds": ("start to last figure", _times),
    "batch_seconds": ("predicting all", _times),
    "single_seconds": ("one image", _times),
}
_OURS = ("swift", "case-study")


def _table(
    rows: Mapping[str, Mapping[str, Spread]], columns: Mapping[str, tuple[str, Form]]
) -> Table:
    table = new_table("contender", *(heading for heading, _ in columns.values()))
    for contender, figures in rows.items():
        cells = (_cell(figures.get(name), form) for name, (_, form) in columns.items())
        table.add_row(_title(contender), *cells)
    return table


def _cell(spread: Spread | None, form: Form) -> Text | str:
    """Write the median, and below it the least and the most, unless they look the same."""
    if spread is None:
        return "–"
    median, least, most = map(form, (spread.median, spread.least, spread.most))
    if least == most:
        return median
    span = f"{least} or never" if math.isinf(spread.most) else f"{least}–{most}"
    return Text.assemble(median, "\n", (span, "dim"))
