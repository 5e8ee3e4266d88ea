"""Take the pictures of pages that README and docs show, in a real Chromium.

Needs Debian's packages chromium and chromium-driver. RUN is a finished run on MNIST of which an
image was explained (`inkwise explain RUN --index 0`), so that its training images are beside it.
"""

import argparse
import base64
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver import Chrome
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.support.wait import WebDriverWait

IMAGES = Path(__file__).parent / "images"
WIDTH = 1000
"""Of the pictures, in pixels."""
MISTAKES = 18
SEVEN = [(0.27, 0.26), (0.52, 0.23), (0.74, 0.23), (0.6, 0.55), (0.46, 0.82)]
"""A stroke, as shares of the sheet's width and height."""

# The report's headline, its curves, one confusion matrix and the first mistakes; not all of it.
SHORTEN = """
for (const e of document.querySelectorAll("main > *, nav, footer")) {
  if (!e.querySelector("#curves, #confusion, #mistakes")) e.remove();
}
document.querySelectorAll("#curves .scroll, #mistakes p").forEach(e => e.remove());
const matrix = document.querySelector("#confusion table");
for (let e = matrix.closest("#confusion > *").nextElementSibling; e;) {
  const gone = e; e = e.nextElementSibling; gone.remove();
}
[...document.querySelectorAll("#mistakes figure")].slice(arguments[0]).forEach(e => e.remove());
"""


def main() -> None:
    """Take both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    run: Path = parser.parse_args().run
    with open_browser() as browser:
        browser.get((run / "report.html").resolve().as_uri())
        browser.execute_script(SHORTEN, MISTAKES)
        height = browser.execute_script("return document.documentElement.scrollHeight")
        take(browser, "report.png", height)
        with serve(run) as address:
            browser.get(address)
            draw(browser)
            take(browser, "page.png", 820)


@contextlib.contextmanager
def open_browser() -> Iterator[Chrome]:
    """Open Chromium with a profile of its own, in the light colours."""
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in ("headless=new", "no-sandbox", "hide-scrollbars", f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        browser = Chrome(options, webdriver.ChromeService(found["chromedriver"]))
        size = {"width": WIDTH, "height": 820, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [still]})
        try:
            yield browser
        finally:
            browser.quit()


def take(browser: Chrome, name: str, height: int) -> None:
    """Write the top of the page that the browser shows."""
    shot = browser.execute_cdp_cmd(
        "Page.captureScreenshot",
        {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1},
        },
    )
    path = IMAGES / name
    path.write_bytes(base64.b64decode(shot["data"]))
    print(f"wrote {path}")


@contextlib.contextmanager
def serve(run: Path) -> Iterator[str]:
    """Serve a run's model; the address."""
    command = [sys.executable, "-m", "inkwise", "serve", "--model", str(run), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            told = next(line for line in server.stderr if "serves on" in line)
            yield told.split("serves on ")[1].split(",")[0]
        finally:
            server.terminate()


def draw(browser: Chrome) -> None:
    """Draw a seven on the sheet, and wait for the answer."""
    sheet = browser.find_element("id", "sheet").rect
    actions = ActionBuilder(browser, duration=40)
    pointer: Any = actions.pointer_action
    for place, (x, y) in enumerate(SEVEN):
        pointer.move_to_location(
            round(sheet["x"] + x * sheet["width"]), round(sheet["y"] + y * sheet["height"])
        )
        if place == 0:
            pointer.pointer_down()
    pointer.pointer_up()
    actions.perform()
    wait = WebDriverWait(browser, 60)
    wait.until(lambda page: page.find_element("id", "label").text == "7")
    wait.until(lambda page: page.find_element("id", "near").is_displayed())


if __name__ == "__main__":
    main()
