"""Progress on the screen: a bar where there is a terminal, a line an epoch where there is none."""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from inkwise.training.history import Epoch

if TYPE_CHECKING:
    from inkwise.training.loop import Batch


class Display:
    """What a command shows while it works. A context manager: bars vanish when it is left."""

    def __init__(self) -> None:
        # Paths and class names hold what they hold: brackets and colons mean nothing here.
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._drawn = self._console.is_interactive and not os.environ.get("CI")
        self._bars: list[Progress] = []
        self._progress = self._new_bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
        )
        self._downloads = self._new_bars(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop(self._bars)

    def _new_bars(self, *columns: ProgressColumn, per_second: float = 10) -> Progress:
        """Make bars that are drawn this often, at a terminal only, and vanish at the end."""
        bars = Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._drawn,
            refresh_per_second=per_second,
        )
        self._bars.append(bars)
        return bars

    def _draw(self, bars: Progress) -> None:
        """Draw these bars from now on, and no others: a terminal shows one kind at a time."""
        if self._drawn and not bars.live.is_started:
            self._stop(self._bars)
            bars.start()

    @staticmethod
    def _stop(several: Iterable[Progress]) -> None:
        for bars in several:
            if bars.live.is_started:  # else it would print an empty line on some terminals
                bars.stop()

    def notice(self, text: str) -> None:
        """Show a line that the user should not miss."""
        self._console.print(text, style="yellow", soft_wrap=True)

    def download(self, file_name: str) -> "Download":
        """Start to draw a download."""
        self._draw(self._downloads)
        return Download(self._downloads, f"fetching {file_name}")

    def read(self, folder: str) -> "Download":
        """Start to draw how many pictures of a folder have been read."""
        self._draw(self._progress)
        return Download(self._progress, f"reading {folder}", figures="pictures")

    def batch(self, batch: "Batch") -> None:
        """Draw how far the epoch has come."""
        if not self._drawn:
            return
        self._draw(self._progress)
        figures = (
            f"loss {batch.loss:.4f}  accuracy {batch.accuracy:.2%}  "
            f"{batch.seen / batch.seconds:,.0f} images/s"
        )
        description = f"epoch {batch.epoch}/{batch.epochs}"
        if self._task is None:
            for read in self._progress.task_ids:
                self._progress.remove_task(read)
            self._task = self._progress.add_task(description, total=batch.images, figures=figures)
        self._progress.update(
            self._task, completed=batch.seen, description=description, figures=figures
        )

    def epoch(self, epoch: Epoch) -> None:
        """Show a finished epoch as a line that stays."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._console.print(str(epoch), soft_wrap=True)


class Download:
    """Draws one download, or the reading of a folder, as a bar."""

    def __init__(self, progress: Progress, description: str, figures: str = "") -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None, figures=figures)

    @property
    def total(self) -> float:
        """Bytes or pictures to come; 0 where the mirror does not say."""
        return self._progress.tasks[self._progress.task_ids.index(self._task)].total or 0.0

    @total.setter
    def total(self, total: float) -> None:
        # A new total is a new attempt, from another mirror: begin again.
        self._progress.reset(self._task, total=total or None)

    def update(self, n: int, /) -> None:
        """Note that `n` more of them have come."""
        self._progress.advance(self._task, n)
