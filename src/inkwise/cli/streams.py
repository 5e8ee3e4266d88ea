"""Standard output and standard error, on which no character fails and no name is lost."""

import codecs
import io
import sys
import unicodedata

import typer


def prepare() -> None:
    """Make both streams write what their encoding has no character for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="escape names")


def echo(text: str, *, err: bool = False, color: bool | None = None) -> None:
    """Print a line; with `color` even a file or a pipe gets terminal colour codes unchanged."""
    # Left to itself, click replaces a stream in ASCII by one in UTF-8, with question marks.
    typer.echo(text, file=sys.stderr if err else sys.stdout, err=err, color=color)


def _escape_names(error: UnicodeError) -> tuple[str, int]:
    """Replace what a terminal or a pipe cannot encode, as an error handler of `codecs`.

    Signs such as “×” and “→” become question marks. Names are escaped, so that none is lost: they
    may be in any language, and hold bytes that are no text.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    shown = "?" if unicodedata.category(character)[0] in "PS" else ascii(character)[1:-1]
    return shown, error.start + 1


codecs.register_error("escape names", _escape_names)
