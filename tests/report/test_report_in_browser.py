"""The report in a real browser: on a phone, in the dark, on paper, and without a network."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inkwise import Run
from tests.devtools import logged

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

CONTRASTS = r"""
const parse = (colour) => {
  const parts = colour.match(/[\d.]+/g).map(Number);
  return [parts[0], parts[1], parts[2], parts[3] ?? 1];
};
const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
const luminance = (colour) => {
  const [r, g, b] = colour.map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const chain = (element) => {
  const ancestors = [];
  for (let e = element; e; e = e.parentElement) ancestors.unshift(getComputedStyle(e));
  return ancestors;
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  if (!text || element.closest("style") || !element.getClientRects().length) continue;
  let ground = [255, 255, 255];
  let opacity = 1;
  for (const style of chain(element)) {
    opacity *= style.opacity;
    const [r, g, b, a] = parse(style.backgroundColor);
    ground = over([r, g, b, a * opacity], ground);
  }
  const style = getComputedStyle(element);
  const [r, g, b, a] = parse(element.closest("svg") ? style.fill : style.color);
  const [low, high] = [luminance(ground), luminance(over([r, g, b, a * opacity], ground))]
    .sort((x, y) => x - y);
  found.push([(high + 0.05) / (low + 0.05), `${element.tagName}.${element.className}: ${text}`]);
}
return found;
"""


@pytest.fixture(params=["finished", "awkward"])
def report(request: pytest.FixtureRequest, chrome: "Chrome", trains: None) -> Iterator[Path]:
    """A report, open in the browser with nothing left of the page before it."""
    from selenium.webdriver.support.wait import WebDriverWait

    run = request.getfixturevalue(request.param)
    path = Run(run if isinstance(run, Path) else run.path).report_path
    chrome.get("about:blank")
    for kind in ("browser", "performance"):
        logged(chrome, kind)
    chrome.get(path.as_uri())
    # On a busy machine the driver has been seen to go on before all of the page was there.
    whole = "return document.readyState === 'complete' && location.href"
    WebDriverWait(chrome, 60).until(lambda _: chrome.execute_script(whole) == path.as_uri())
    yield path
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def open_all(chrome: "Chrome") -> None:
    chrome.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")


def emulate(chrome: "Chrome", scheme: str, media: str = "screen") -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})


def background(chrome: "Chrome") -> list[int]:
    colour = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def requests(chrome: "Chrome") -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in logged(chrome, "performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def test_opens_without_complaints_or_requests(chrome: "Chrome", report: Path) -> None:
    resources: list[Any] = chrome.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )

    assert logged(chrome, "browser") == []
    assert resources == []
    assert [url for url in requests(chrome) if not url.startswith("data:")] == [report.as_uri()]


def test_every_image_is_decoded(chrome: "Chrome", report: Path) -> None:
    sizes = chrome.execute_script(
        "return [...document.querySelectorAll('.digit img')]"
        ".map((i) => [i.complete, i.naturalHeight, i.naturalWidth])"
    )

    height, width = Run(report.parent).model.network.image_size
    assert len(sizes) > 24
    assert all(size == [True, height, width] for size in sizes)
    assert chrome.execute_script(
        "return [...document.images].every((i) => i.complete && i.naturalHeight > 0)"
    )


@pytest.mark.parametrize("width", [320, 360, 768, 1400])
@pytest.mark.usefixtures("report")
def test_page_never_scrolls_sideways(chrome: "Chrome", width: int) -> None:
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 740, "deviceScaleFactor": 2, "mobile": width < 500},
    )
    open_all(chrome)

    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    # Nor is anything simply cut off: what is wider than the page scrolls in a box of its own.
    cut = chrome.execute_script(
        """
        const scrolls = (e) =>
          e && (getComputedStyle(e).overflowX === "auto" || scrolls(e.parentElement));
        return [...document.querySelectorAll("body *")]
          .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
          .filter((e) => !scrolls(e.parentElement))
          .map((e) => e.outerHTML.slice(0, 80));
        """
    )
    assert cut == []


@pytest.mark.usefixtures("report")
def test_dark_mode_changes_the_background(chrome: "Chrome") -> None:
    emulate(chrome, "light")
    light = background(chrome)
    emulate(chrome, "dark")

    assert min(light) > 200
    assert max(background(chrome)) < 60


@pytest.mark.parametrize(
    ("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("dark", "print")]
)
@pytest.mark.usefixtures("report")
def test_all_text_is_readable(chrome: "Chrome", scheme: str, media: str) -> None:
    emulate(chrome, scheme, media)
    open_all(chrome)

    contrasts: list[tuple[float, str]] = chrome.execute_script(CONTRASTS)

    assert len(contrasts) > 300
    # WCAG 2.2, success criterion 1.4.3, for text of any size.
    assert [(ratio, text) for ratio, text in contrasts if ratio < 4.5] == []


def test_prints_on_light_paper(chrome: "Chrome", report: Path) -> None:
    emulate(chrome, "dark", "print")
    assert min(background(chrome)) == 255

    printed = chrome.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})

    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert pdf.count(b"/Type /Page\n") > 3


@pytest.mark.usefixtures("report")
def test_every_fold_prints_open(chrome: "Chrome") -> None:
    heights = "return [...document.querySelectorAll('.fold > section')].map((s) => s.offsetHeight)"
    assert chrome.execute_script("return document.querySelectorAll('.fold:not([open])').length") > 5
    emulate(chrome, "light", "print")

    closed = chrome.execute_script(heights)
    open_all(chrome)

    assert closed == chrome.execute_script(heights)
    assert min(closed) > 20


@pytest.mark.parametrize(
    ("report", "scheme", "width"),
    [("finished", "light", 1400), ("awkward", "dark", 390)],
    indirect=["report"],
)
@pytest.mark.usefixtures("report")
def test_axe_finds_nothing(chrome: "Chrome", scheme: str, width: int) -> None:
    from axe_selenium_python import Axe

    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    emulate(chrome, scheme)
    open_all(chrome)
    axe = Axe(chrome)
    chrome.set_script_timeout(300)
    axe.inject()

    violations = axe.run(options={"resultTypes": ["violations"]})["violations"]

    assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []


@pytest.mark.usefixtures("report")
def test_the_keyboard_folds_and_unfolds(chrome: "Chrome") -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    fold = chrome.find_element("css selector", ".fold:not([open])")
    opened = "return arguments[0].open"
    chrome.execute_script("arguments[0].firstElementChild.focus()", fold)
    ActionChains(chrome).send_keys(Keys.ENTER).perform()
    assert chrome.execute_script(opened, fold)
    ActionChains(chrome).send_keys(Keys.SPACE).perform()
    assert not chrome.execute_script(opened, fold)


@pytest.mark.usefixtures("report")
def test_links_lead_to_their_sections(chrome: "Chrome") -> None:
    from selenium.webdriver.common.by import By

    chrome.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    for link in chrome.find_elements(By.CSS_SELECTOR, "nav a"):
        chrome.execute_script("scrollTo(0, 0); arguments[0].click()", link)
        # The browser itself unfolds what a link leads into.
        assert chrome.execute_script(
            "return document.querySelector(location.hash).closest('details').open"
        )
        target = chrome.execute_script(
            "const box = document.querySelector(location.hash).getBoundingClientRect();"
            "return [box.top, box.bottom, innerHeight]"
        )
        top, bottom, height = target
        assert top < height
        assert bottom > 0
