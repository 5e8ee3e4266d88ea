"""The project's exceptions: one small hierarchy.

Every message says what is wrong, where, and what to do about it, in one line, because the command
line shows it as it stands.
"""


def one_line(text: str) -> str:
    """Keep a name from breaking the line it is in, or from giving a terminal orders."""
    return "".join(character if character.isprintable() else "?" for character in text)


class InkwiseError(Exception):
    """Anything that inkwise refuses or fails to do.

    Examples
    --------
    >>> import inkwise
    >>> try:
    ...     inkwise.load_dataset("mist")
    ... except inkwise.InkwiseError as error:
    ...     print(error)
    unknown data...'mist'...
    """

    def __str__(self) -> str:
        """Return the message in one line, whatever the names in it hold."""
        return one_line(super().__str__())


class ArgumentError(InkwiseError, ValueError):
    """A value that the caller passed makes no sense: a name, a number, a shape, a folder."""


class DataError(InkwiseError):
    """Images or labels that are missing, damaged or do not fit together."""


class NoInkError(DataError):
    """A picture in which there is no ink: blank paper, a gradient, noise."""


class TooManyPixelsError(DataError):
    """A picture with more pixels than are decoded."""


class DownloadError(DataError):
    """A data set could not be fetched from any mirror."""


class TrainingError(InkwiseError):
    """A training that went astray: its loss is no longer a number."""


class ModelError(InkwiseError):
    """A saved model that is missing, damaged, foreign, or does not fit the data."""


class LibraryError(InkwiseError):
    """A library that only some commands need is not installed."""


class RunError(InkwiseError):
    """A run directory that is missing, damaged, or lacks what was asked of it."""


class BenchError(InkwiseError):
    """A program of the bench that crashed, ran out of time, or gave no figures."""


class ServingError(InkwiseError):
    """The service cannot start: its address is taken or is not this machine's."""


class StorageError(InkwiseError):
    """The operating system refused to read or write a file."""
