"""The drawing of a network as an SVG file, as one sees them in papers, from top to bottom."""

import dataclasses
import html
import math
import textwrap
from collections.abc import Iterator

from inkwise.networks.ensemble import Ensemble, members
from inkwise.networks.layer_summaries import LayerSummary, Shape
from inkwise.networks.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    MaxPool,
    Residual,
    SpatialDropout,
)
from inkwise.networks.network import Network

_WIDTH = 360  # of a phone
_LEFT, _TEXT = 20.0, 158.0
_SIDE = 72.0  # of the image
_CHANNELS, _CARDS, _STEP = 8, 10, 3.5  # channels for a card, most cards, and their offset
_LINE, _GAP = 14.0, 14.0
_COLUMNS = 32  # characters of a line of text
_MAP, _VECTOR, _KERNEL = "#9ecae1", "#a1d99b", "#d94801"


@dataclasses.dataclass
class _Row:
    """A layer in the drawing, with those that change no shape after it, by their names."""

    line: LayerSummary | None
    shape: Shape
    texts: list[str]
    share: float
    names: list[str]
    top: float = 0.0

    @property
    def cards(self) -> int:
        return min(_CARDS, math.ceil(self.shape[-1] / _CHANNELS)) if len(self.shape) == 3 else 1

    def size(self, scale: float) -> tuple[float, float]:
        """Return height and width of the front card, or of a vector's bar."""
        if len(self.shape) == 3:
            return max(2.0, self.shape[0] * scale), max(2.0, self.shape[1] * scale)
        return 8.0, min(110.0, 12 * math.log2(self.shape[0] + 1))

    def height(self, scale: float) -> float:
        lines = len(self.texts) + (self.share > 0)
        return max(self.size(scale)[0] + (self.cards - 1) * _STEP, lines * _LINE) + _GAP


def draw_network(network: Network | Ensemble) -> str:
    """Draw a network.

    Feature maps are drawn to scale as stacks of cards, one for every eight channels; kernels and
    windows as squares on the maps that they look at; vectors as bars, whose length grows with the
    logarithm of theirs. Beside each stand its shape, its parameters and its share of the
    multiplications.

    Parameters
    ----------
    network : Network or Ensemble
        The network; the members of an ensemble stand below one another.

    Returns
    -------
    str
        An SVG document, 360 units wide.
    """
    parts: list[str] = []
    top = 6.0
    for prefix, member in members(network):
        if prefix:
            parts.append(_text(8, top + 10, prefix.rstrip("."), bold=True))
            top += 2 * _LINE
        drawn, top = _draw(member, top)
        parts += drawn
    title = f"The network, {network.parameter_count:,} parameters"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top:.0f}" '
        f'width="{_WIDTH}" role="img" font-family="sans-serif" font-size="11" '
        f'fill="currentColor"><title>{title}</title>{"".join(parts)}</svg>\n'
    )


def _draw(network: Network, top: float) -> tuple[list[str], float]:
    scale = _SIDE / max(network.image_size)
    rows = [*_rows(network)]
    for row in rows:
        row.top = top
        top += row.height(scale)
    parts: list[str] = []
    by_name = {name: row for row in rows for name in row.names}
    for row in rows:
        parts += _picture(row, scale)
        if row.line is not None and isinstance(row.line.layer, Residual):
            parts.append(_shortcut(row, _input_row(row.line, rows), scale))
    for row in rows:
        if row.line is not None and "shortcut" not in row.line.name:
            parts += _kernel(by_name[row.line.inputs[0]], row, scale)
    for row in rows:
        parts += _labels(row)
    return parts, top


def _rows(network: Network) -> Iterator[_Row]:
    """Yield a row for the image and for each layer that changes the shape or has weights."""
    total = sum(line.multiply_adds for line in network.summary()) or 1
    shape: Shape = (*network.image_size, 1)
    row = _Row(None, shape, ["the image", _times(shape)], 0.0, [""])
    for line in network.summary():
        if isinstance(line.layer, BatchNorm | Activation | Dropout | SpatialDropout):
            row.texts += textwrap.wrap(f"then {line.layer}", _COLUMNS)
            row.names.append(line.name)
            continue
        yield row
        where = "on the shortcut: " if ".shortcut." in line.name else ""
        told = textwrap.wrap(f"{where}{line.layer}", _COLUMNS)
        count = f", {line.parameter_count:,} parameters" if line.parameter_count else ""
        share = line.multiply_adds / total
        texts = [*told, _times(line.output_shape) + count]
        row = _Row(line, line.output_shape, texts, share, [line.name])
    yield row


def _input_row(line: LayerSummary, rows: list[_Row]) -> _Row:
    """Return the row of what a residual block takes."""
    inside = [row for row in rows if row.line and row.line.name.startswith(f"{line.name}.")]
    return rows[rows.index(inside[0]) - 1]


def _picture(row: _Row, scale: float) -> Iterator[str]:
    height, width = row.size(scale)
    colour = _MAP if len(row.shape) == 3 else _VECTOR
    for card in reversed(range(row.cards)):
        x, y = _LEFT + card * _STEP, row.top + (row.cards - 1 - card) * _STEP
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}" stroke="#24292f" stroke-width="0.6"/>'
        )
    if row.line is not None and isinstance(row.line.layer, Residual):
        x, y = _LEFT - 8, row.top + (row.cards - 1) * _STEP + height / 2
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#fff" stroke="{_KERNEL}"/>'
            f'<path d="M{x - 3:.1f} {y:.1f}h6M{x:.1f} {y - 3:.1f}v6" stroke="{_KERNEL}"/>'
        )


def _front(row: _Row, scale: float) -> tuple[float, float]:
    """Return the centre of a row's front card."""
    height, width = row.size(scale)
    return _LEFT + width / 2, row.top + (row.cards - 1) * _STEP + height / 2


def _shortcut(row: _Row, source: _Row, scale: float) -> str:
    _, middle = _front(source, scale)
    start = middle + source.size(scale)[0] / 3  # below the sign of a sum that is the source
    _, end = _front(row, scale)
    path = f"M{_LEFT:.1f} {start:.1f}H{_LEFT - 8:.1f}V{end - 5:.1f}"
    return f'<path d="{path}" fill="none" stroke="{_KERNEL}" stroke-dasharray="3 2"/>'


def _kernel(source: _Row, row: _Row, scale: float) -> Iterator[str]:
    """Draw the window of a layer on what it looks at, and lines to what it gives."""
    match row.line.layer if row.line else None:
        case Conv(kernel=size, dilation=dilation):
            side = (dilation * (size - 1) + 1) * scale
        case MaxPool(size) | AveragePool(size):
            side = size * scale
        case _:
            return
    x, y = _front(source, scale)
    end_x, end_y = _front(row, scale)
    yield (
        f'<g stroke="{_KERNEL}" stroke-width="0.8" fill="none"><rect x="{x - side / 2:.1f}" '
        f'y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"/>'
        f'<path d="M{x - side / 2:.1f} {y + side / 2:.1f}L{end_x:.1f} {end_y:.1f}'
        f'L{x + side / 2:.1f} {y + side / 2:.1f}"/></g>'
    )


def _labels(row: _Row) -> Iterator[str]:
    y = row.top + 10
    for text in row.texts:
        yield _text(_TEXT, y, text, bold=text.startswith(_times(row.shape)))
        y += _LINE
    if row.share > 0:
        yield (
            f'<rect x="{_TEXT}" y="{y - 8:.1f}" width="{100 * row.share:.1f}" height="8" '
            f'fill="{_KERNEL}" opacity="0.6"/>'
        )
        yield _text(_TEXT + 100 * row.share + 4, y, f"{_percent(row.share)} of the work")


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{weight}>{html.escape(text)}</text>'


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))
