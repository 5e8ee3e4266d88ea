"""A sweep as one self-contained HTML page."""

from pathlib import Path
from urllib.parse import quote

from inkwise.pages.network_drawing import draw_network
from inkwise.pages.templates import page_template
from inkwise.system.files import write_text
from inkwise.trials.outcome import Sweep, Trial, show_value
from inkwise.trials.sweep_charts import draw_curves, draw_parallel
from inkwise.version import __version__

TEMPLATE = "sweep.html.jinja"

_DRAWN = 3  # designs, if none was trained anew


def write_sweep_page(swept: Sweep) -> Path:
    """Write the page of a sweep into its folder.

    Parameters
    ----------
    swept : Sweep

    Returns
    -------
    Path
        ``sweep.html`` in the folder.

    Raises
    ------
    StorageError
        The page cannot be written.
    """
    html = page_template(TEMPLATE, "trials", value=show_value).render(
        swept=swept,
        parallel=draw_parallel(swept),
        curves=draw_curves(swept),
        drawings=_draw_designs(swept),
        address=lambda path: quote(path.relative_to(swept.path).as_posix()),
        version=__version__,
    )
    return write_text(swept.page_path, html)


def _draw_designs(swept: Sweep) -> list[tuple[str, str]]:
    """Return captions and drawings of the best networks; of one alone where they are all alike."""
    best: list[Trial] = [design.trial for design in swept.designs] or [*swept.ranked[:_DRAWN]]
    captions: dict[str, list[str]] = {}
    for trial in best:
        network = swept.recipe_of(trial).describe_network(swept.image_size, swept.classes)
        captions.setdefault(draw_network(network), []).append(f"trial {trial.number}")
    return [(", ".join(names), drawing) for drawing, names in captions.items()]
