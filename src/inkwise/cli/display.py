"""Progress of a command: bars in a terminal, lines elsewhere."""

import os
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from inkwise.system.progress import Batch, Progress

if TYPE_CHECKING:
    from inkwise.training.history import Epoch


class Display(Progress):
    """Shows the progress of a command. It is a context manager, which removes bars at its end."""

    def __init__(self) -> None:
        # Brackets and colons in paths and class names are printed as they are, not as markup.
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._drawn = self._console.is_interactive and not os.environ.get("CI")
        self._bars: list[rich_progress.Progress] = []
        self._progress = self._new_bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
        )
        self._downloads = self._new_bars(
            TextColumn("{task.description}"),
            BarColumn(),
            rich_progress.DownloadColumn(),
            rich_progress.TransferSpeedColumn(),
        )
        self._epoch: rich_progress.TaskID | None = None
        self._steps: rich_progress.TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop(self._bars)

    def _new_bars(
        self, *columns: rich_progress.ProgressColumn, per_second: float = 10
    ) -> rich_progress.Progress:
        """Create bars that are drawn in a terminal only, and removed at the end."""
        bars = rich_progress.Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._drawn,
            refresh_per_second=per_second,
        )
        self._bars.append(bars)
        return bars

    def _draw(self, bars: rich_progress.Progress) -> None:
        """Draw only these bars from now on, since a terminal shows one set at a time."""
        if self._drawn and not bars.live.is_started:
            self._stop(self._bars)
            bars.start()

    @staticmethod
    def _stop(several: Iterable[rich_progress.Progress]) -> None:
        for bars in several:
            if bars.live.is_started:  # otherwise some terminals would get an empty line
                bars.stop()

    def notice(self, text: str) -> None:
        """Show a notice in a colour of its own, so that users do not miss it."""
        self._console.print(text, style="yellow", soft_wrap=True)

    def line(self, text: str) -> None:
        """Show a line that stays."""
        self._console.print(text, soft_wrap=True)

    def step(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show what is done next, as a bar if the number of steps is known, else as a line."""
        if not total:
            self.line(what)
            return
        self._draw(self._progress)
        if self._steps is None:
            self._steps = self._progress.add_task("", figures="")
        self._progress.update(self._steps, description=what, completed=done, total=total)

    def download(self, file_name: str) -> "Bar":
        """Return a bar for a download."""
        self._draw(self._downloads)
        return Bar(self._downloads, f"fetching {file_name}")

    def reading(self, folder: str) -> "Bar":
        """Return a bar for the reading of a folder of pictures."""
        self._draw(self._progress)
        return Bar(self._progress, f"reading {folder}", figures="pictures")

    def batch(self, batch: Batch) -> None:
        """Show the progress within the epoch."""
        if not self._drawn:
            return
        self._draw(self._progress)
        figures = (
            f"loss {batch.loss:.4f}  accuracy {batch.accuracy:.2%}  "
            f"{batch.seen / batch.seconds:,.0f} images/s"
        )
        description = f"epoch {batch.epoch}/{batch.epochs}"
        if self._epoch is None:
            for read in self._progress.task_ids:
                self._progress.remove_task(read)
            self._epoch = self._progress.add_task(description, total=batch.images, figures=figures)
        self._progress.update(
            self._epoch, completed=batch.seen, description=description, figures=figures
        )

    def epoch(self, epoch: "Epoch") -> None:
        """Show a finished epoch as a line that stays."""
        if self._epoch is not None:
            self._progress.remove_task(self._epoch)
            self._epoch = None
        self.line(str(epoch))


class BenchDisplay(Display):
    """Shows the progress of the bench: what is running, and the time since the start."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.monotonic()
        self._spinner = self._new_bars(
            rich_progress.SpinnerColumn(),
            TextColumn("{task.description}"),
            rich_progress.TimeElapsedColumn(),
            per_second=1,  # drawing must not disturb the measurements
        )
        self._running = self._spinner.add_task("", total=None)

    def step(self, what: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG002 - unknown
        """Show what is running, and the time since the start."""
        if not self._drawn:
            seconds = round(time.monotonic() - self._start)
            self.line(f"{seconds // 60}:{seconds % 60:02} {what}")
            return
        self._draw(self._spinner)
        self._spinner.update(self._running, description=what)


class Bar:
    """The bar of one download, or of the reading of a folder."""

    def __init__(
        self, progress: rich_progress.Progress, description: str, figures: str = ""
    ) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None, figures=figures)

    @property
    def total(self) -> float:
        """Number of bytes or pictures in all; 0 if the server does not tell."""
        return self._progress.tasks[self._progress.task_ids.index(self._task)].total or 0.0

    @total.setter
    def total(self, total: float) -> None:
        # A new total means a new attempt, from another mirror: start again from 0.
        self._progress.reset(self._task, total=total or None)

    def update(self, n: int, /) -> None:
        """Advance the bar by `n` bytes or pictures."""
        self._progress.advance(self._task, n)
