"""The page of forms that were read, on which a person corrects: one self-contained HTML file."""

import os
from collections.abc import Mapping
from pathlib import Path

from inkwise.forms.form import Form, in_order_of_doubt
from inkwise.pages.templates import data_uri, page_template
from inkwise.system.files import write_text
from inkwise.version import __version__

TEMPLATE = "form.html.jinja"


def write_form_page(forms: Mapping[str, Form], path: str | os.PathLike[str]) -> Path:
    """Write a page that shows each cell beside what was read, the least sure first.

    What was read can be corrected there by keyboard, and saved as CSV.

    Parameters
    ----------
    forms : mapping of str to Form
        The forms, by the names of their pictures.
    path : path-like
        The file to write; an existing one is replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    StorageError
        The page cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> form = inkwise.read_form("form.jpg")  # doctest: +SKIP
    >>> inkwise.write_form_page({"form.jpg": form}, "form.html")  # doctest: +SKIP
    """
    template = page_template(TEMPLATE, "forms", percent=lambda share: f"{share:.1%}")
    html = template.render(
        version=__version__,
        forms=[
            {
                "name": name,
                "form": form,
                "cells": [(cell, data_uri(cell.picture)) for cell in in_order_of_doubt(form)],
            }
            for name, form in forms.items()
        ],
        unsure=sum(
            cell.verdict in ("unsure", "not a digit")
            for form in forms.values()
            for cell in form.cells
        ),
    )
    return write_text(Path(path), html)
