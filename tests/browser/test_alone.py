"""The page with no server, in a real browser, from a plain file server, in a sub-folder."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from inkwise import load_pretrained
from inkwise.browser.index import page_html
from inkwise.browser.site import write_site
from tests.browser.hosts import Host, hosted
from tests.devtools import Browser, collect_garbage, complaints, first, requests
from tests.page import ONE, SEVEN, STAR, Line, Page, picture
from tests.serving.processes import servers

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

FOLDER = "school/digits"


@pytest.fixture(scope="module")
def host(site: Path) -> Iterator[Host]:
    with hosted(site.parent.parent) as host:
        yield host


def page_at(browser: Browser, address: str) -> Page:
    page = Page(browser, address)
    page.look(1280, 820)
    return page


@pytest.fixture
def page(browser: Browser, host: Host) -> Page:
    """The page with an empty sheet; opened only where it is not: that takes seconds."""
    page = page_at(browser, f"{host.address}/{FOLDER}/")
    started = "return 'started' in document.documentElement.dataset"
    if browser.current_url == page.address and page.run(started):
        page.clear()
    else:
        page.open()
    return page


# --- the same page ---


def test_a_drawn_digit_is_told(browser: Browser, host: Host) -> None:
    page = page_at(browser, f"{host.address}/{FOLDER}/")
    complaints(browser)
    page.open()
    assert page.violations() == []
    page.draw(SEVEN)
    page.wait_for("#said", "7 digit, ")
    assert page.text("#chances .best th") == "7"
    assert page.ink("#seen") > 30
    page.shoot("alone-desktop")
    assert complaints(browser) == []


def test_nothing_is_asked_of_anybody_else(chrome: "Chrome", host: Host) -> None:
    requests(chrome)
    page = page_at(chrome, f"{host.address}/{FOLDER}/")
    page.open()
    page.draw(SEVEN)
    page.wait_for("#said", "7 digit, ")
    asked = requests(chrome)
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((page.address, "data:", "blob:"))] == []


def test_answers_come_while_the_line_is_drawn(page: Page) -> None:
    page.line(SEVEN, release=False)
    page.wait(lambda: page.text("#label") == "7")  # about all of it, though the pen rests
    assert page.text("#said") == ""
    actions = page.pointer()
    actions.pointer_action.pointer_up()
    actions.perform()
    page.wait_for("#said", "7 digit")


def test_a_picture_is_uploaded_or_pasted(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "my seven.png"
    file.write_bytes(picture())
    page.find("#upload").send_keys(str(file))
    page.wait_for("#said", "7 digit")
    assert page.text("#file-name") == "my seven.png"
    page.clear()
    page.give("paste", picture("JPEG"), "pasted.jpg", "image/jpeg")
    page.wait_for("#said", "7 digit")
    page.give("drop", b"Dear diary", "diary.txt", "text/plain")
    page.wait(lambda: page.find("#trouble").is_displayed())
    assert page.text("#label") == ""


# AVIF is left out, of which browsers decode some frames only.
@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_a_blank_first_frame_does_not_hide_the_others(
    page: Page, kind: str, tmp_path: Path
) -> None:
    seven = Image.open(io.BytesIO(picture())).convert("L")
    frames = [seven, seven.rotate(3, fillcolor=255)]
    file = tmp_path / f"moving.{kind.lower()}"
    Image.new("L", seven.size, 255).save(
        file, kind, save_all=True, append_images=frames, duration=200
    )
    page.find("#upload").send_keys(str(file))
    page.wait_for("#said", "7 digit")
    assert "3 pages, read as –, 7, 7: this is the answer for page 2" in page.text("#trouble")
    page.find("#looked").send_keys(" ")
    page.wait_for("#looked-note", "speaks most for 7")
    page.find("#looked").send_keys(" ")


def test_a_number_is_read(page: Page) -> None:
    for left in (0.08, 0.48, 0.88):
        page.line([(left, 0.36), (left, 0.65)])
    page.wait_for("#said", "111 number, ")


def test_which_ink_matters_is_shown(page: Page) -> None:
    page.draw(SEVEN)
    page.wait_for("#label", "7")
    page.find("#looked").send_keys(" ")
    page.wait_for("#looked-note", "speaks most for 7")
    page.find("#looked").send_keys(" ")


def test_the_page_fits_light_and_dark(page: Page) -> None:
    page.draw(SEVEN)
    page.wait_for("#said", "7")
    page.run("scrollTo(0, 0)")
    for width, height in ((320, 640), (360, 740), (1280, 900)):
        for scheme in ("light", "dark"):
            page.look(width, height, scheme)
            assert page.run("return document.documentElement.scrollWidth") <= width
            if width in (320, 1280):  # a page of 360 pixels is laid out as one of 320
                assert page.violations() == []
            page.shoot(f"alone-{width}-{scheme}")


DIGITS: dict[str, list[Line]] = {
    "0": [[(0.5, 0.2), (0.3, 0.35), (0.3, 0.65), (0.5, 0.8), (0.7, 0.65), (0.7, 0.35), (0.5, 0.2)]],
    "1": [ONE],
    "2": [[(0.3, 0.35), (0.4, 0.22), (0.6, 0.22), (0.68, 0.38), (0.3, 0.8), (0.72, 0.8)]],
    "3": [
        [(0.3, 0.25), (0.6, 0.2), (0.68, 0.35), (0.45, 0.48), (0.7, 0.62), (0.6, 0.8), (0.3, 0.75)]
    ],
    "4": [[(0.35, 0.2), (0.3, 0.55), (0.72, 0.55)], [(0.62, 0.3), (0.6, 0.82)]],
    "5": [
        [(0.68, 0.2), (0.35, 0.2), (0.33, 0.45), (0.6, 0.45), (0.7, 0.62), (0.6, 0.8), (0.3, 0.78)]
    ],
    "6": [
        [
            (0.62, 0.2),
            (0.4, 0.4),
            (0.32, 0.65),
            (0.45, 0.8),
            (0.65, 0.7),
            (0.55, 0.55),
            (0.35, 0.62),
        ]
    ],
    "7": [SEVEN],
    "8": [
        [
            *((0.6, 0.3), (0.45, 0.2), (0.35, 0.32), (0.62, 0.62), (0.55, 0.8), (0.4, 0.75)),
            *((0.4, 0.6), (0.6, 0.3)),
        ]
    ],
    "9": [
        [
            (0.64, 0.32),
            (0.5, 0.2),
            (0.36, 0.35),
            (0.5, 0.48),
            (0.64, 0.32),
            (0.62, 0.55),
            (0.56, 0.8),
        ]
    ],
}


def answers(page: Page) -> dict[str, Any]:
    """Draw the ten digits and a star, and note what the page says of them."""
    told = {}
    for name, lines in {**DIGITS, "star": STAR}.items():
        page.clear()
        said = page.draw_and_hear(*lines)
        chances = page.run(
            "return [...document.querySelectorAll('#chances td:last-child')]"
            ".map((cell) => cell.textContent)"
        )
        told[name] = (said, *chances)
    return told


def test_served_and_alone_it_gives_the_same_answers(
    chrome: "Chrome", host: Host, tmp_path: Path
) -> None:
    # In one browser: that others answer as the service does is tested with the module.
    page = page_at(chrome, f"{host.address}/{FOLDER}/")
    # The speed of the pointer changes the width of a line: time shall stand still.
    with first(chrome, "Object.defineProperty(Event.prototype, 'timeStamp', {get: () => 0})"):
        page.open()
        alone = answers(page)
        with servers(tmp_path, load_pretrained().save(tmp_path / "model")) as start:
            served = Page(chrome, start().address)
            served.open()
            assert answers(served) == alone
    assert [name for name in DIGITS if alone[name][0].startswith(f"{name} digit")] == [*DIGITS]


ICONS = """
    const done = arguments[0];
    // What an app's icon may be cut to is smaller; the paper goes to its edges.
    const pixels = async (address, size, scale) => {
      const shown = new Image(size, size);
      shown.src = address;
      await shown.decode();
      const context = new OffscreenCanvas(size, size).getContext("2d");
      context.fillStyle = "#fffdf6";
      context.fillRect(0, 0, size, size);
      const edge = size * (1 - scale) / 2;
      context.drawImage(shown, edge, edge, size * scale, size * scale);
      return context.getImageData(0, 0, size, size).data;
    };
    Promise.all([192, 512].map(async (size) => {
      const drawn = await pixels("page/icon.svg", size, 0.84);
      const kept = await pixels(`page/icon-${size}.png`, size, 1);
      return drawn.filter((level, k) => Math.abs(level - kept[k]) > 60).length / drawn.length;
    })).then(done);
    """


def test_the_icons_of_pixels_are_the_one_of_lines(page: Page) -> None:
    for share in page.browser.execute_async_script(ICONS):
        assert share < 0.02


# --- without a connection ---

KEPT = """
    const done = arguments[0];
    navigator.serviceWorker.ready.then(() => done(true));
    """


def kept(page: Page) -> None:
    """Wait until the browser has kept the site."""
    page.browser.set_script_timeout(30)
    assert page.browser.execute_async_script(KEPT)


def test_after_one_visit_it_works_without_the_server(browser: Browser, copy: Path) -> None:
    with hosted(copy.parent) as host:
        page = page_at(browser, f"{host.address}/digits/")
        page.open()
        kept(page)
    page.open()
    page.draw(SEVEN)
    page.wait_for("#said", "7 digit")
    page.clear()
    for left in (0.08, 0.48, 0.88):
        page.line([(left, 0.36), (left, 0.65)])
    page.wait_for("#said", "111 number")
    page.give("paste", picture(), "seven.png", "image/png")
    page.wait_for("#said", "7 digit")
    page.find("#looked").send_keys(" ")
    page.wait_for("#looked-note", "speaks most for 7")


def test_a_new_version_comes_whole_with_the_next_opening(
    browser: Browser, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(title: str) -> None:
        monkeypatch.setattr(
            "inkwise.browser.site.page_html",
            lambda *kind, **values: page_html(*kind, **values).replace(
                "<title>", f"<title>{title}"
            ),
        )
        write_site(load_pretrained(), copy)

    waiting = "return navigator.serviceWorker.getRegistration().then((there) => !!there.waiting)"
    with hosted(copy.parent) as host:
        page = page_at(browser, f"{host.address}/digits/")
        page.open()
        kept(page)
        publish("two ")
        # One file is still the earlier one, as while somebody uploads the others.
        later = (copy / "index.html").read_bytes()
        (copy / "index.html").write_bytes(later.replace(b"two ", b"one "))
        page.open()
        time.sleep(1)
        assert not page.run(waiting)
        (copy / "index.html").write_bytes(later)
        browser.get(page.address)
        page.wait(lambda: page.run(waiting))
        assert not browser.title.startswith("two")
        browser.get(page.address)
        page.wait(lambda: browser.title.startswith("two"))
    page.open()
    page.wait(lambda: browser.title.startswith("two"))
    page.draw(SEVEN)
    page.wait_for("#said", "7 digit")
    names = page.run("return caches.keys()")
    assert len(names) == 1


def test_on_an_isolated_page_it_runs_in_threads(browser: Browser, site: Path) -> None:
    headers = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
    }
    with hosted(site, headers) as host:
        page = page_at(browser, host.address)
        complaints(browser)
        page.open()
        assert page.run("return crossOriginIsolated")
        page.draw(SEVEN)
        page.wait_for("#said", "7 digit")
        assert complaints(browser) == []  # before the host is gone, which the worker may notice


# --- in other pages ---

FRAME = '<!doctype html><title>A lesson</title><iframe src="{}" width="900" height="900"></iframe>'


def test_it_works_in_a_frame_of_another_site(browser: Browser, host: Host, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(FRAME.format(f"{host.address}/{FOLDER}/"))
    Page(browser, "").look(1280, 1000)
    with hosted(tmp_path) as other:
        # By another name, so that it is another site.
        browser.get(other.address.replace("127.0.0.1", "localhost"))
        browser.switch_to.frame(0)
        page = Page(browser, "")
        page.wait_for("#about", "Model")
        page.draw(SEVEN)
        page.wait_for("#said", "7 digit")
        browser.switch_to.default_content()


MODULE = """<!doctype html><title>A page of somebody's own</title>
<canvas id="mine" width="280" height="280"></canvas><p id="told"></p>
<script type="module">
import { Inkwise } from "./digits/package/inkwise.js";
const context = document.getElementById("mine").getContext("2d");
context.fillStyle = "white";
context.fillRect(0, 0, 280, 280);
context.lineWidth = 20;
context.lineCap = "round";
context.beginPath();
context.moveTo(140, 60);
context.lineTo(140, 220);
context.stroke();
const answer = await new Inkwise().classify(document.getElementById("mine"));
document.getElementById("told").textContent = `${answer.label}, ${answer.verdict}`;
</script>"""


def test_the_module_answers_in_a_page_of_somebody_s_own(
    browser: Browser, host: Host, site: Path
) -> None:
    (site.parent / "mine.html").write_text(MODULE)
    page = page_at(browser, f"{host.address}/school/mine.html")
    browser.get(page.address)

    def told() -> bool:
        collect_garbage(browser)  # the page keeps nothing but the promise of an answer
        return page.text("#told") == "1, digit"

    page.wait(told)
