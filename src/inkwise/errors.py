"""The project's exceptions: one small hierarchy.

Every message says what is wrong, where, and what to do about it, in one line, because the command
line shows it as it stands.
"""


def one_line(text: str) -> str:
    """Return the text with every character that is not printable replaced by ``?``.

    Names in a message may hold line breaks or control sequences, which a terminal would obey. Bytes
    of a name that are no text, which Python has as surrogates, stay for whoever writes the message.
    """
    return "".join(
        character if character.isprintable() or "\udc80" <= character <= "\udcff" else "?"
        for character in text
    )


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun: ``1 picture``, ``2,000 pictures``."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


_LONGEST = 1000  # characters of a message; two long paths fit


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
        """Return the message in one line that is not endless, whatever the names in it hold."""
        text = one_line(super().__str__())
        if len(text) <= _LONGEST:
            return text
        # What is in the middle was quoted from a file, or from the command line.
        return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 3 :]}"


class ArgumentError(InkwiseError, ValueError):
    """A value that the caller passed makes no sense: a name, a number, a shape, a folder.

    Parameters
    ----------
    message : str
        The message.
    place : tuple of int or str
        Keys and numbers that lead through a document to the value, if it stands in one.
    """

    def __init__(self, message: str, place: tuple[int | str, ...] = ()) -> None:
        super().__init__(message)
        self.place = place


class DataError(InkwiseError):
    """Images or labels that are missing, damaged or do not fit together."""


class NoInkError(DataError):
    """A picture without ink (the foreground, a digit's strokes): blank paper, a gradient, noise."""


class TooManyPixelsError(DataError):
    """A picture with more pixels than inkwise decodes."""


class DownloadError(DataError):
    """A data set that could not be downloaded from any mirror."""


class TrainingError(InkwiseError):
    """A training whose loss is no longer a number, or whose checkpoint does not fit it."""


class ModelError(InkwiseError):
    """A model that is missing, damaged, not inkwise's own, or does not fit the data."""


class LibraryError(InkwiseError):
    """A library that only some commands need, and that is not installed."""


class RunError(InkwiseError):
    """A run directory that is missing, damaged, or lacks what was asked of it."""


class BenchError(InkwiseError):
    """A benchmarked program that crashed, ran out of time, or printed no figures."""


class ServingError(InkwiseError):
    """A service that cannot start, for instance because its address is already in use."""


class StorageError(InkwiseError):
    """A file that the operating system refused to read or write."""
