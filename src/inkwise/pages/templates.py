"""What all pages share: how a template is loaded, and how numbers and pictures are written."""

import base64
import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.intervals import Estimate
from inkwise.evaluation.significance import format_p, format_p_alone

if TYPE_CHECKING:
    import jinja2


def page_template(name: str, package: str, **filters: Callable[..., Any]) -> "jinja2.Template":
    """Load a page's template.

    Parameters
    ----------
    name : str
        Its file.
    package : str
        The package of inkwise that has it; what all pages share is found besides.
    **filters : function
        Besides those that all pages use, or in their place.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("inkwise", place) for place in (package, "pages")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = {
        "percent": _percent,
        "interval": _interval,
        "number": _number,
        "count": lambda n: f"{n:,}",
        "p_value": format_p,
        "p_alone": format_p_alone,
        "duration": _duration,
    }
    environment.filters.update(shared | filters)
    return environment.get_template(name)


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return a grey or coloured picture, (H, W) or (H, W, 3), as PNG inside an address."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _percent(value: Estimate | float, digits: int = 2) -> str:
    value = value.value if isinstance(value, Estimate) else value
    return "–" if math.isnan(value) else f"{value:.{digits}%}"


def _number(value: Estimate | float, digits: int = 4) -> str:
    value = value.value if isinstance(value, Estimate) else value
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _interval(estimate: Estimate, digits: int = 2, *, share: bool = True) -> str:
    if not estimate.defined:
        return "–"
    if share:
        return f"{100 * estimate.low:.{digits}f}–{100 * estimate.high:.{digits}f}%"
    return f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}"
