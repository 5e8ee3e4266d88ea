"""The signs that the network of lines tells apart."""

from inkwise.errors import ArgumentError

DIGITS = "0123456789"

MARKS = ".,'-="
"""Separators and dashes; in the order of the network's outputs after the digits."""

OTHER = "?"
"""Anything else: letters, currency signs, scribbles. It stands for a run of them."""

SIGNS = DIGITS + MARKS + OTHER
"""All signs, in the order of the network's outputs; the output after them is the blank of CTC."""


def require_digits(class_names: tuple[str, ...]) -> None:
    """Raise `ArgumentError` if a model's classes are not the ten digits."""
    if class_names != tuple(DIGITS):
        raise ArgumentError("only a model whose classes are the digits 0 to 9 reads numbers")
