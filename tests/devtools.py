"""What a browser tells of itself, and what it can be made to show and to run."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from selenium.webdriver import Chrome

from tests.firefox import Firefox

Browser = Chrome | Firefox

_RESIZE = """
const [width, height, scheme] = arguments;
for (const [side, pixels] of Object.entries({ width, height })) {
  for (const end of ["min", "max"]) {
    gBrowser.selectedBrowser.style.setProperty(`${end}-${side}`, `${pixels}px`);
  }
}
Services.prefs.setIntPref(
  "layout.css.prefers-color-scheme.content-override", scheme === "dark" ? 0 : 1);
Services.prefs.setIntPref("ui.prefersReducedMotion", 1);
"""

_COMPLAINTS = """
const told = Services.console.getMessageArray()
  .filter((each) => each instanceof Ci.nsIScriptError && each.sourceName.startsWith("http"))
  .map((each) => each.message);
Services.console.reset();
return told;
"""


def logged(chrome: Chrome, kind: str) -> list[dict[str, Any]]:
    """Return what Chromium has logged since it was asked last: ``browser`` or ``performance``."""
    entries: list[dict[str, Any]] = chrome.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def complaints(browser: Browser) -> list[str]:
    """Return what a browser found wrong with pages since it was asked last."""
    if not isinstance(browser, Firefox):
        return [entry["message"] for entry in logged(browser, "browser")]
    with browser.itself():
        told: list[str] = browser.execute_script(_COMPLAINTS)
    return told


def requests(chrome: Chrome) -> list[str]:
    """Return the addresses that Chromium has asked for since it was asked last."""
    messages = [json.loads(each["message"])["message"] for each in logged(chrome, "performance")]
    return [
        each["params"]["request"]["url"]
        for each in messages
        if each["method"] == "Network.requestWillBeSent"
    ]


def look(browser: Browser, width: int, height: int, scheme: str) -> None:
    """Show pages in a size, in light or in dark, and without motion."""
    if isinstance(browser, Firefox):
        with browser.itself():
            browser.execute_script(_RESIZE, width, height, scheme)
        return
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def collect_garbage(browser: Browser) -> None:
    """Let a browser free what nothing refers to."""
    if isinstance(browser, Firefox):
        with browser.itself():
            browser.execute_script('Services.obs.notifyObservers(null, "child-gc-request")')
        return
    browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})


@contextlib.contextmanager
def first(browser: Browser, script: str) -> Iterator[None]:
    """Run a script before those of a page."""
    if isinstance(browser, Firefox):
        pinned = browser.script.pin(f"() => {{ {script} }}")
        try:
            yield
        finally:
            browser.script.unpin(pinned)  # type: ignore[no-untyped-call]
        return
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
