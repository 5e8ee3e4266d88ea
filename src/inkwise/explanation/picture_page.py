"""The page of an explanation: one self-contained HTML file."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.explanation.evidence import Explanation, where
from inkwise.pages.drawing import paint
from inkwise.pages.templates import data_uri, page_template
from inkwise.system.files import write_text

TEMPLATE = "explanation.html.jinja"

CLASSES_SHOWN = 10
"""Largest number of classes in the page's table."""


def write_explanation(explanation: Explanation, path: str | os.PathLike[str]) -> Path:
    """Write an explanation as a page: pictures, maps, and what each does and does not show.

    Parameters
    ----------
    explanation : Explanation
        The explanation, from `explain`.
    path : path-like
        The HTML file; it is replaced if it exists.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    StorageError
        The file cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> explanation = inkwise.explain("runs/small", index=0)
    >>> inkwise.write_explanation(explanation, "explained.html").name
    'explained.html'
    """
    template = page_template(
        TEMPLATE,
        "explanation",
        grey=data_uri,
        coloured=lambda values: data_uri(paint(values, explanation.image)),
        percent=_percent,
        number=lambda value: f"{value:.2f}".replace("-", "−"),
        where=where,
    )
    likeliest = (-explanation.probabilities).argsort(kind="stable")[:CLASSES_SHOWN]
    html = template.render(
        it=explanation,
        likeliest=[int(label) for label in likeliest],
        kernels=[] if explanation.filters is None else [*map(paint, explanation.filters.kernels)],
        maps=_light_maps(explanation),
    )
    return write_text(path, html)


def _percent(share: float) -> str:
    """Write a probability as a percentage, but never round it to 0% or 100%."""
    if share > 0.9995:
        return "over 99.9%"
    return "under 0.1%" if share < 0.0005 else f"{share:.1%}"


def _light_maps(explanation: Explanation) -> list[NDArray[np.uint8]]:
    if explanation.filters is None:
        return []
    maps = explanation.filters.maps
    lit = maps.clip(0) / (maps.max() if maps.max() > 0 else 1)
    return [*(255 * lit).round().astype(np.uint8)]
