"""Check the links of the built site and of the Markdown files beside it.

A link inside the site, or to a file of the source tree, must lead somewhere, and so must the part
behind its `#`. Of a link to another host, only the form is checked: it has to be a whole address.
"""

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
SITE = DOCS / "_build" / "html"
MARKDOWN = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HOST = re.compile(r"(localhost|127\.0\.0\.1|([a-z0-9-]+\.)+[a-z]{2,})(:\d+)?", re.IGNORECASE)


class Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag's link and anchor."""
        for key, value in attrs:
            if not value:
                continue
            if key == "id" or (key == "name" and tag == "a"):
                self.anchors.add(value)
            elif key in ("href", "src"):
                self.links.add(value)


def main() -> int:
    """Check every page; print what is wrong."""
    problems: list[str] = []
    pages = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
    for path in pages:
        problems += check(path, read(path).links)
    files = [*ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md"]
    for path in files:
        problems += check(path, set(MARKDOWN.findall(path.read_text("utf-8"))))
    print(*problems, f"{len(pages) + len(files)} pages, {len(problems)} broken links", sep="\n")
    return 1 if problems else 0


def check(path: Path, links: set[str]) -> list[str]:
    """Return what is wrong with the links of a page, a line each."""
    found = ((link, look(path, link)) for link in sorted(links))
    return [f"{path.relative_to(ROOT)}: {link}: {problem}" for link, problem in found if problem]


@cache
def read(path: Path) -> Page:
    """Return what a page of the site holds."""
    return Page(path.read_text("utf-8"))


def look(path: Path, link: str) -> str:
    """Return what is wrong with a link, or nothing."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        return "" if HOST.fullmatch(parts.netloc) else "not a whole address"
    if parts.scheme or parts.netloc:
        return "" if parts.scheme in ("mailto", "data") else "not an address of the web"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return "there is no such file"
    if target.suffix == ".md" and target.is_relative_to(DOCS) and parts.fragment:
        target = SITE / target.relative_to(DOCS).with_suffix(".html")
    if target.suffix == ".html" and parts.fragment:
        anchor = unquote(parts.fragment)
        return "" if anchor in read(target).anchors else "there is no such place on the page"
    return ""


if __name__ == "__main__":
    sys.exit(main())
