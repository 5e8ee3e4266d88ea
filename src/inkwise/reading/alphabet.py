"""The signs that the network of lines tells apart."""

DIGITS = "0123456789"

MARKS = ".,'-="
"""Separators and dashes; in the order of the network's outputs after the digits."""

OTHER = "?"
"""Anything else: letters, currency signs, scribbles. It stands for a run of them."""

SIGNS = DIGITS + MARKS + OTHER
"""All signs, in the order of the network's outputs; the output after them is the blank of CTC."""
