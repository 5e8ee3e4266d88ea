"""How long-running work reports its progress: notices, steps, downloads and batches."""

import dataclasses
from typing import Protocol


class ProgressBar(Protocol):
    """A progress bar of a download, or of the reading of a folder."""

    total: float
    """Number of bytes or pictures in all; 0 if it is not known."""

    def update(self, n: int, /) -> object:
        """Count `n` more; `n` is negative to take back the bytes of a mirror that failed."""


class UnseenBar:
    """A progress bar that is not drawn."""

    total = 0.0

    def update(self, n: int, /) -> None:
        """Do nothing."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """The progress of an epoch after one of its batches.

    Parameters
    ----------
    epoch, epochs : int
        Number of the current epoch, from 1, and number of epochs in all.
    seen, images : int
        Number of images that the network has seen in this epoch, and number of images in it.
    loss, accuracy : float
        Means over the images seen in this epoch; the accuracy lies in [0, 1].
    seconds : float
        Training time of the epoch so far, in seconds.
    """

    epoch: int
    epochs: int
    seen: int
    images: int
    loss: float
    accuracy: float
    seconds: float


class Progress:
    """Receiver of progress reports; this base class ignores all of them.

    Every function that may take long has a parameter ``progress``. Pass an instance of a subclass
    that overrides the methods for the reports you want. An exception raised in a method ends the
    work; a `KeyboardInterrupt` ends it as Ctrl-C does.

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
        """Receive one line that the user should read, such as that optdigits replaces MNIST."""

    def step(self, what: str, done: int = 0, total: int = 0) -> None:
        """Receive what begins now, and how many of `total` steps are finished.

        `total` is 0 if it is not known.
        """

    def download(self, file_name: str) -> ProgressBar:  # noqa: ARG002 - for subclasses
        """Return the progress bar for the download of a file."""
        return UnseenBar()

    def reading(self, folder: str) -> ProgressBar:  # noqa: ARG002 - for subclasses
        """Return the progress bar for the reading of a folder of pictures."""
        return UnseenBar()

    def batch(self, batch: Batch) -> None:
        """Receive the progress of a training epoch."""


SILENT = Progress()
"""The default for parameters ``progress``: it ignores every report."""
