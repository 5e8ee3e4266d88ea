"""Progress that remembers what it heard, and progress that presses Ctrl-C."""

from collections.abc import Callable

from inkwise import Progress
from inkwise.system.progress import Batch


class Heard(Progress):
    """Remembers notices, steps (as they were told) and batches."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.steps: list[tuple[str, int, int]] = []
        self.batches: list[Batch] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def step(self, what: str, done: int = 0, total: int = 0) -> None:
        self.steps.append((what, done, total))

    def batch(self, batch: Batch) -> None:
        self.batches.append(batch)


class AtEachBatch(Progress):
    """Calls a function with every batch, which may raise `KeyboardInterrupt` as Ctrl-C does."""

    def __init__(self, act: Callable[[Batch], object]) -> None:
        self._act = act

    def batch(self, batch: Batch) -> None:
        self._act(batch)
