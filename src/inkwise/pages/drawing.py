"""What all figures share: their style, their colours, and how they are rendered to files.

Figures are made without pyplot, so no global state changes and no window opens.
"""

import functools
import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINING, VALIDATION = "#1f77b4", "#ff7f0e"
INK = "#24292f"
"""Colour of text and axes; a page may replace it by its own."""
GRID = "#8c959f"
RIGHT, WRONG = "#1a7f37", "#cf222e"
FOR, AGAINST = (75, 165, 255), (255, 130, 40)
"""Colours that can be told apart with any colour vision, on the digits' black background."""

FAINT = 0.4
"""Share of its brightness that the image under a map keeps."""

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,  # a class may be called “$” or “x_1”
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text, which is smaller and uses the page's own font
    "svg.hashsalt": "inkwise",
    "image.composite_image": False,  # would merge all images of an SVG into one coarse image
}

_RESOLUTION = 160
"""Resolution of files, in dots per inch; a notebook shows figures at matplotlib's own."""


P = ParamSpec("P")


def styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Make a function draw in the style that all figures share."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return in_style


def paint(values: NDArray[np.float32], image: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Paint an array of numbers: blue where they are positive, orange where they are negative.

    The largest absolute value gets the full colour.

    Parameters
    ----------
    values : ndarray of float32, shape (H, W)
    image : ndarray of uint8, shape (H, W), optional
        An image that shows faintly where the values are close to 0.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    scale = float(np.abs(values).max()) or 1.0
    strength = (np.abs(values) / scale)[..., None]
    colour = np.where(values[..., None] >= 0, FOR, AGAINST)
    background = np.zeros(values.shape) if image is None else FAINT * image
    return (strength * colour + (1 - strength) * background[..., None]).round().astype(np.uint8)


def to_bytes(figure: "Figure", kind: Literal["png", "svg"], *, transparent: bool = False) -> bytes:
    """Render a figure; the same figure always gives the same bytes."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    # No date, which would change; nor the rest, which is about matplotlib.
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type")) if kind == "svg" else {}
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The font lacks some scripts: boxes in the PNG, but the SVG is drawn in the reader's font.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        if (layout := figure.get_layout_engine()) is not None:
            # Once and for all: it takes as long as drawing, and matplotlib would do it every time.
            figure.set_dpi(_RESOLUTION)
            layout.execute(figure)
            figure.set_layout_engine(None)
        figure.savefig(
            buffer, format=kind, dpi=_RESOLUTION, transparent=transparent, metadata=metadata
        )
    return buffer.getvalue()


def short(name: str, most: int = 12) -> str:
    """Return a class name of at most `most` characters, shortened with an ellipsis if needed."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def new_figure(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Create a figure with one pair of axes; width and height are in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()
