"""A comparison of runs as one self-contained HTML page."""

import os
from pathlib import Path

from inkwise.comparison.compared_runs import CAUTION, SEEDS_CAUTION, Comparison
from inkwise.errors import RunError
from inkwise.pages.templates import data_uri, page_template
from inkwise.system.extras import require_training
from inkwise.system.files import write_text
from inkwise.version import __version__

TEMPLATE = "comparison.html.jinja"


def write_comparison(comparison: Comparison, path: str | os.PathLike[str]) -> Path:
    """Write a comparison as a page, with the images on which the runs disagree.

    Parameters
    ----------
    comparison : Comparison
    path : path-like
        The file, which is replaced if it exists.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    RunError
        The stored images of a run are missing or damaged.
    StorageError
        The page cannot be written.
    LibraryError
        The libraries of the extra ``train`` are not installed.
    """
    require_training("the page of a comparison")
    html = page_template(TEMPLATE, "comparison").render(
        comparison=comparison,
        caution=CAUTION,
        seeds_caution=SEEDS_CAUTION,
        first=comparison.runs[0],
        names=comparison.runs[0].evaluation.class_names,
        record=comparison.runs[0].run.record,
        shown=_find_pictures(comparison),
        version=__version__,
    )
    return write_text(path, html)


def _find_pictures(comparison: Comparison) -> list[tuple[int, str]]:
    """Return the index and the image of each disagreement, from a run that misclassifies it."""
    pictures = [compared.run.pictures for compared in comparison.runs]
    shown = []
    for index in comparison.disagreements.tolist():
        wrong = next(
            place for place, compared in enumerate(comparison.runs) if not compared.right[index]
        )
        try:
            shown.append((index, data_uri(pictures[wrong][index])))
        except KeyError as error:
            path = comparison.runs[wrong].run.path
            raise RunError(
                f"{path} lacks the picture of image {error}: run `inkwise evaluate {path}`"
            ) from error
    return shown
