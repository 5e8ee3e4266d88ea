"""The page's HTML: for the service, or for a site without one."""

import json
from pathlib import Path
from typing import Any

import jinja2

PAGE = Path(__file__).with_name("page")
"""The folder of the page's files: style sheet, scripts, icons, words."""

_KINDS = ("served", "alone")


def words() -> dict[str, Any]:
    """Return all words of the page; those that only one kind of page has are in ``served``."""
    read: dict[str, Any] = json.loads((PAGE / "words.json").read_text(encoding="utf-8"))
    return read


def page_html(kind: str, **values: object) -> str:
    """Return the page, whose addresses are relative to its own and begin with ``page/``.

    Parameters
    ----------
    kind : {"served", "alone"}
        Whether a service answers, or the browser alone.
    **values : object
        Further values for the template.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string((PAGE / "index.html.jinja").read_text(encoding="utf-8"))
    carried = {name: text for name, text in words().items() if name not in {*_KINDS} - {kind}}
    return template.render(kind=kind, words=carried, **values)
