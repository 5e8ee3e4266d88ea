"""How objects show themselves in a notebook: tables in plain HTML."""

from collections.abc import Iterable
from html import escape


class Shade(str):
    """The text of a cell, with a share, from 0 to 1, by which its background is shaded."""

    share: float

    def __new__(cls, text: str, share: float) -> "Shade":
        """Make a text with a share."""
        cell = super().__new__(cls, text)
        cell.share = share
        return cell


def html_table(
    caption: str, rows: Iterable[Iterable[object]], header: Iterable[object] = ()
) -> str:
    """Return a table as HTML; the first cell of a row is its heading.

    Parameters
    ----------
    caption : str
        What the table is about.
    rows : iterable
        The cells of each row, whose texts are escaped.
    header : iterable, optional
        The headings of the columns.
    """
    headings = "".join(f'<th scope="col">{escape(str(cell))}</th>' for cell in header)
    lines = [f"<tr>{headings}</tr>"] if headings else []
    for first, *others in rows:
        cells = "".join(f"<td{_style(cell)}>{escape(str(cell))}</td>" for cell in others)
        lines.append(f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>')
    return f"<table><caption>{escape(caption)}</caption>{''.join(lines)}</table>"


def _style(cell: object) -> str:
    # Half transparent, so that the text is readable on a light and on a dark page.
    if not isinstance(cell, Shade) or not cell.share > 0:
        return ""
    return f' style="background: rgba(66, 133, 244, {cell.share / 2:.2f})"'
