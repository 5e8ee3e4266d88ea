"""What all pages share: loading a template, and embedding an image in a page."""

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.significance import format_p, format_p_alone
from inkwise.pages.number_formats import duration, interval, number, percent

if TYPE_CHECKING:
    import jinja2


def page_template(name: str, package: str, **filters: Callable[..., Any]) -> "jinja2.Template":
    """Load the template of a page.

    Parameters
    ----------
    name : str
        Name of the template's file.
    package : str
        The subpackage of inkwise that contains it; files of `inkwise.pages` are found as well.
    **filters : function
        Further filters by name; they replace shared ones of the same name.
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
        "percent": percent,
        "interval": interval,
        "number": number,
        "count": lambda n: f"{n:,}",
        "p_value": format_p,
        "p_alone": format_p_alone,
        "duration": duration,
    }
    environment.filters.update(shared | filters)
    return environment.get_template(name)


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return an image, uint8 (H, W) or (H, W, 3), as a data URI that contains a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
