"""How numbers are written, on pages, in figures and on the screen alike."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inkwise.evaluation.intervals import Estimate

UNDEFINED = "–"


def percent(value: "Estimate | float", digits: int = 2) -> str:
    """Write a share, or an estimate of one, as a percentage."""
    share = _value(value)
    return UNDEFINED if math.isnan(share) else f"{share:.{digits}%}"


def number(value: "Estimate | float", digits: int = 4) -> str:
    """Write a number, or an estimate of one, with so many decimals."""
    plain = _value(value)
    return UNDEFINED if math.isnan(plain) else f"{plain:.{digits}f}"


def ends(estimate: "Estimate", digits: int = 2, *, share: bool = True) -> str:
    """Write where an interval begins and ends, without a sign: of a share, in percent."""
    if not estimate.defined:
        return UNDEFINED
    scale = 100 if share else 1
    return f"{scale * estimate.low:.{digits}f}–{scale * estimate.high:.{digits}f}"


def interval(estimate: "Estimate", digits: int = 2, *, share: bool = True) -> str:
    """Write an interval: of a share, as percentages."""
    return ends(estimate, digits, share=share) + ("%" if share and estimate.defined else "")


def duration(seconds: float) -> str:
    """Write a time in seconds, or in minutes from two of them on."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _value(value: "Estimate | float") -> float:
    return value.value if isinstance(value, tuple) else float(value)
