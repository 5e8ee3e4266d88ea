"""What a browser tells of itself."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def logged(chrome: "Chrome", kind: str) -> list[dict[str, Any]]:
    """Return what it has logged since it was asked last: ``browser`` or ``performance``."""
    entries: list[dict[str, Any]] = chrome.get_log(kind)  # type: ignore[no-untyped-call]
    return entries
