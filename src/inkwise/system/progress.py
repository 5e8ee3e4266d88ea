"""What long work tells while it goes on: notices, steps, downloads and batches."""

import dataclasses
from typing import Protocol


class ProgressBar(Protocol):
    """What draws how far a download, or the reading of a folder, has come."""

    total: float
    """Bytes or pictures to come; 0 where that is not known."""

    def update(self, n: int, /) -> object:
        """Note that `n` more have come; `n` is negative where a failed mirror's bytes are void."""


class UnseenBar:
    """A bar that nobody sees."""

    total = 0.0

    def update(self, n: int, /) -> None:
        """Note nothing."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """How far an epoch has come.

    Parameters
    ----------
    epoch, epochs : int
        The epoch under way, from 1, and how many there will be.
    seen, images : int
        Images of the epoch seen so far, and how many there are.
    loss, accuracy : float
        Means over the images seen in this epoch.
    seconds : float
        Training time of the epoch so far.
    """

    epoch: int
    epochs: int
    seen: int
    images: int
    loss: float
    accuracy: float
    seconds: float


class Progress:
    """What long work tells while it goes on; this one keeps it to itself.

    Whatever takes long has a parameter ``progress``. Pass an object of a subclass that overrides
    the methods you want to hear from. An exception that a method raises ends the work; a
    `KeyboardInterrupt` ends it as Ctrl-C does.

    Examples
    --------
    >>> import inkwise
    >>> class Printed(inkwise.Progress):
    ...     def notice(self, text):
    ...         print(text)
    >>> Printed().notice("MNIST is not at hand")
    MNIST is not at hand
    """

    def notice(self, text: str) -> None:
        """Hear in a line what the user should know, such as that a data set stands in for MNIST."""

    def step(self, what: str, done: int = 0, total: int = 0) -> None:
        """Hear what begins now, how many steps are finished, and of how many (0: not known)."""

    def download(self, file_name: str) -> ProgressBar:  # noqa: ARG002 - for subclasses
        """Return what draws the download of a file."""
        return UnseenBar()

    def reading(self, folder: str) -> ProgressBar:  # noqa: ARG002 - for subclasses
        """Return what draws how many pictures of a folder have been read."""
        return UnseenBar()

    def batch(self, batch: Batch) -> None:
        """Hear how far an epoch of a training has come."""


SILENT = Progress()
"""What is used where nobody listens."""
