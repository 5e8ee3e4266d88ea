"""The words of the page: all in one file, each of them used, and none left in the code."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from inkwise.browser.index import PAGE, page_html, words

COMMENT = re.compile(r"^\s*//.*$|\s// .*$", re.MULTILINE)
CODE = {
    path.name: COMMENT.sub("", path.read_text("utf-8"))
    for path in PAGE.iterdir()
    if path.suffix == ".js"
}
TEMPLATE = (PAGE / "index.html.jinja").read_text("utf-8")


def names(read: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, text in read.items():
        if isinstance(text, dict):
            yield from names(text, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_word_is_used_and_every_used_word_is_there() -> None:
    there = set(names(words()))
    everything = "\n".join([*CODE.values(), TEMPLATE])
    used = set(re.findall(r"(?<!/)\bwords\.([a-z]\w*(?:\.\w+)?)", everything)) - {"stopped"}
    used |= {f"stopped.{why}" for why in re.findall(r"\b(old|disk|incomplete)\b", CODE["early.js"])}
    assert used == there
    # In a template, `words.clear` would be the method of a dict.
    assert not [name for name in there if hasattr(dict, name)]


@pytest.mark.parametrize("name", sorted(CODE))
def test_no_sentence_is_left_in_the_code(name: str) -> None:
    texts = re.findall(r'"([^"\n]*)"|`([^`]*)`', CODE[name])
    assert [text for pair in texts for text in pair if re.search(r"[a-z] [a-z]+ [a-z]", text)] == []


def test_no_sentence_is_left_in_the_template() -> None:
    shown = re.sub(r"{%.*?%}|{{.*?}}|<svg.*?</svg>|<[^>]*>", " ", TEMPLATE, flags=re.DOTALL)
    assert shown.split() == ["inkwise"]


def test_a_page_alone_has_no_trace_of_a_service() -> None:
    page = page_html("alone", policy="")
    for trace in ("token", "correct", "similar", "service", "wrong", "docs", "served"):
        assert trace not in page.lower(), trace
    assert "token-form" in page_html("served")
