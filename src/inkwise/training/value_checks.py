"""Checks of the values in a recipe."""

import math
from collections.abc import Callable
from typing import Any

from inkwise.errors import ArgumentError
from inkwise.networks.words import shown


def check(what: str, value: Any, kind: Any, fits: Callable[[Any], bool], wanted: str) -> None:
    """Raise `ArgumentError` unless a value is of a kind, no boolean, and fits."""
    if not isinstance(value, kind) or isinstance(value, bool) or not fits(value):
        raise ArgumentError(f"the {what} must {wanted}, not {shown(value)}")


def check_share(what: str, value: Any) -> None:
    """Raise `ArgumentError` unless a value lies in [0, 1)."""
    check(what, value, int | float, lambda share: 0 <= share < 1, "lie in [0, 1)")


def check_above_0(what: str, value: Any) -> None:
    """Raise `ArgumentError` unless a value is finite and above 0."""
    check(what, value, int | float, lambda number: 0 < number < math.inf, "be above 0")


def check_factor(what: str, value: Any) -> None:
    """Raise `ArgumentError` unless a value lies in [0, 1]."""
    check(what, value, int | float, lambda factor: 0 <= factor <= 1, "lie in [0, 1]")


def check_count(what: str, value: Any) -> None:
    """Raise `ArgumentError` unless a value is a whole number from 1 to `MOST`."""
    check(
        what,
        value,
        int,
        lambda count: 1 <= count <= MOST,
        f"be a whole number from 1 to {MOST:,}",
    )


def check_seed(what: str, value: Any) -> None:
    """Raise `ArgumentError` unless a value is a whole number from 0 to 2³² − 1."""
    check(what, value, int, lambda seed: 0 <= seed < 2**32, "be a whole number from 0 to 2³² − 1")


MOST = 1_000_000
"""Greatest count in a recipe, such as of epochs or of images in a batch."""
