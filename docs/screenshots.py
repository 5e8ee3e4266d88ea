"""Take the pictures of pages that README and docs show, in a real Chromium.

Needs Debian's packages chromium and chromium-driver. RUN is a finished run on MNIST of which an
image was explained (`inkwise explain RUN --index 0`), so that its training images are beside it.
"""

import argparse
import base64
import tempfile
from pathlib import Path

from selenium.webdriver import Chrome

from tests.chromium import open_chrome
from tests.page import SEVEN, Page
from tests.serving.processes import servers

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1000, 820
"""Of the window, in pixels."""
MISTAKES = 18

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
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        open_chrome(Path(scratch) / "profile", "--hide-scrollbars") as browser,
        servers(Path(scratch), run) as serve,
    ):
        page = Page(browser, serve().address)
        page.look(WIDTH, HEIGHT)
        browser.get((run / "report.html").resolve().as_uri())
        page.run(SHORTEN, MISTAKES)
        take(browser, "report.png", page.run("return document.documentElement.scrollHeight"))
        page.open()
        page.moves = 4
        page.draw(SEVEN)
        page.wait_for("#label", "7")
        page.wait(lambda: page.find("#near").is_displayed())
        take(browser, "page.png", HEIGHT)


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


if __name__ == "__main__":
    main()
