"""How numbers are formatted, on pages, in figures and in the terminal alike."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inkwise.evaluation.intervals import Estimate

UNDEFINED = "–"


def percent(value: "Estimate | float", digits: int = 2) -> str:
    """Format a share, or an estimate of one, as a percentage."""
    share = _value(value)
    return UNDEFINED if math.isnan(share) else f"{share:.{digits}%}"


def number(value: "Estimate | float", digits: int = 4) -> str:
    """Format a number, or an estimate of one, with `digits` decimals."""
    plain = _value(value)
    return UNDEFINED if math.isnan(plain) else f"{plain:.{digits}f}"


def ends(estimate: "Estimate", digits: int = 2, *, share: bool = True) -> str:
    """Format the ends of an interval; those of a share in percent, without the sign."""
    if not estimate.defined:
        return UNDEFINED
    scale = 100 if share else 1
    return f"{scale * estimate.low:.{digits}f}–{scale * estimate.high:.{digits}f}"


def interval(estimate: "Estimate", digits: int = 2, *, share: bool = True) -> str:
    """Format an interval; that of a share as percentages."""
    return ends(estimate, digits, share=share) + ("%" if share and estimate.defined else "")


def duration(seconds: float) -> str:
    """Format a duration in seconds, or from two minutes on in minutes."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _value(value: "Estimate | float") -> float:
    return value.value if isinstance(value, tuple) else float(value)
