"""What the page with no server says where it cannot work."""

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.hosts import hosted
from tests.devtools import Browser, first
from tests.page import SEVEN, Page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.firefox import Firefox

pytestmark = pytest.mark.browser


def trouble(browser: Browser, address: str) -> str:
    """Open a page, and return the one sentence that it says in place of working."""
    page = Page(browser, address)
    browser.get(address)
    page.wait(lambda: page.find("#trouble").is_displayed())
    time.sleep(0.3)  # nothing takes its place
    told = page.text("#trouble")
    assert told.endswith(".")
    assert told.count(". ") == 0, told
    return told


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("delete AbortSignal.timeout", "This browser is too old for this page"),
        ("delete window.AbortSignal; delete window.WebAssembly", "This browser is too old"),
        ("WebAssembly.validate = () => false", "This browser is too old"),
        ("delete window.WebAssembly", "This browser allows no WebAssembly here"),
    ],
)
def test_an_old_browser_is_told(browser: Browser, site: Path, script: str, told: str) -> None:
    with first(browser, script), hosted(site) as host:
        assert told in trouble(browser, host.address)


def test_a_host_that_blocks_webassembly_is_told(browser: Browser, site: Path) -> None:
    with hosted(site, {"Content-Security-Policy": "script-src 'self'"}) as strict:
        assert "This browser allows no WebAssembly here" in trouble(browser, strict.address)
        assert Page(browser, "").violations() == []  # of a page that began, and then could not


def test_a_page_opened_from_a_disk_is_told(browser: Browser, site: Path) -> None:
    assert "only from a web server" in trouble(browser, (site / "index.html").as_uri())
    assert Page(browser, "").violations() == []  # of a page that did not begin


WAYS = ("missing", "damaged")
FILES = (
    "page/pen.js",
    "package/inkwise.js",
    "package/worker.js",
    "package/model/model.json",
    "package/model/model.onnx.gz",
    "package/runtime/ort-wasm-simd-threaded.wasm.gz",
    "package/runtime/ort.wasm.bundle.min.js",
)


def assert_told(browser: Browser, site: Path, file: str, how: str) -> None:
    whole = (site / file).read_bytes()
    (site / file).unlink()
    if how == "damaged":
        (site / file).write_bytes(whole[: len(whole) // 2])
    with hosted(site) as host:
        told = trouble(browser, host.address)
    assert "missing" in told or "damaged" in told
    assert "publish" in told


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", WAYS)
def test_a_missing_or_damaged_file_is_told(
    chrome: "Chrome", copy: Path, file: str, how: str
) -> None:
    assert_told(chrome, copy, file, how)


# Scripts of a page, of a worker and of neither, and what is decompressed: each browser has its
# own way to tell that these fail. What the engine finds itself is the same in both.
@pytest.mark.parametrize(
    ("file", "how"),
    [
        *itertools.product(
            ["page/pen.js", "package/worker.js", "package/runtime/ort.wasm.bundle.min.js"], WAYS
        ),
        ("package/model/model.onnx.gz", "damaged"),
    ],
)
def test_firefox_s_own_way_to_fail_is_told(
    firefox: "Firefox", copy: Path, file: str, how: str
) -> None:
    assert_told(firefox, copy, file, how)


@pytest.mark.parametrize("file", ["model/lines.onnx.gz", "reading/read.js"])
def test_a_file_that_only_numbers_need_is_missing(chrome: "Chrome", copy: Path, file: str) -> None:
    assert_read_no_number(chrome, copy, file)


def test_firefox_misses_a_module_that_only_numbers_need(firefox: "Firefox", copy: Path) -> None:
    assert_read_no_number(firefox, copy, "reading/read.js")


def assert_read_no_number(browser: Browser, site: Path, file: str) -> None:
    (site / "package" / file).unlink()
    with hosted(site) as host:
        page = Page(browser, host.address)
        page.look(1280, 820)
        page.open()
        page.draw(SEVEN)
        page.wait_for("#said", "7 digit")
        page.find("#clear").click()
        for left in (0.08, 0.48, 0.88):
            page.line([(left, 0.36), (left, 0.65)])
        page.wait_for("#trouble", "A file of this page is missing or damaged")
        assert page.text("#label") == ""
        page.find("#clear").click()
        page.draw(SEVEN)
        page.wait_for("#said", "7 digit")
        assert not page.find("#trouble").is_displayed()
