"""Answers about pictures on the screen; without rich, which takes longer than the answers."""

import json
from collections.abc import Iterable
from pathlib import Path

import typer

from inkwise.errors import InkwiseError

CLOSE = 0.1
"""From this probability on, the second likeliest class is shown too."""


def show_answers(
    answers: Iterable[tuple[Path, dict[str, float] | InkwiseError]], *, as_json: bool
) -> bool:
    """Show a line a file as it comes, and return whether all of them could be read."""
    complete = True
    for path, answer in answers:
        if isinstance(answer, InkwiseError):
            complete = False
        if as_json:
            typer.echo(json.dumps(_entry(path, answer)))
        elif isinstance(answer, InkwiseError):
            typer.echo(f"error: {answer}", err=True)
        else:
            (name, probability), *others = answer.items()
            line = f"{path}: {name} ({probability:.2%})"
            if others and others[0][1] >= CLOSE:
                line += f", or {others[0][0]} ({others[0][1]:.2%})"
            typer.echo(line)
    return complete


def _entry(path: Path, answer: dict[str, float] | InkwiseError) -> dict[str, object]:
    if isinstance(answer, InkwiseError):
        return {"file": str(path), "error": str(answer)}
    name, probability = next(iter(answer.items()))
    return {
        "file": str(path),
        "class": name,
        "probability": probability,
        "probabilities": answer,
    }
