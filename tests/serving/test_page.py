"""The page in a real browser: drawn on, fed with pictures, without a network, in the dark."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from inkwise import Model, load_pretrained
from inkwise.data.optdigits import load_optdigits
from inkwise.explanation.neighbours import FILE, make_neighbours
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from inkwise.training.forms import FORMS
from inkwise.training.pens import trace, vary
from tests.devtools import logged, requests
from tests.mixed import BROKEN, NO_PICTURES, PAGED, SINGLE, write_mixed
from tests.page import ONE, SEVEN, STAR, Line, Page, picture
from tests.serving.conftest import TOKEN
from tests.serving.processes import Running, servers

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def services(folder: Path) -> Iterator[tuple[Running, Running]]:
    """One with all that there is, behind a token; and a plain one, whose classes are no digits."""
    model = load_pretrained()
    digits = load_optdigits().train
    path = model.save(folder / "model")
    make_neighbours(model, digits, count=300).save(path / FILE)
    weights = np.zeros((3, 24 * 20), np.float32)
    for place in range(3):
        weights[place].reshape(24, 20)[8 * place : 8 * place + 8] = 0.02
    others = Model(
        Network((24, 20), (Flatten(), Dense(3))),
        {"dense1.weight": weights, "dense1.bias": np.zeros(3, np.float32)},
        ("<b>&amp;", "bee", "donaudampfschifffahrt" * 3),
    ).save(folder / "others")
    with servers(folder, path) as start:
        everything = start("--keep-corrections", folder / "kept", INKWISE_TOKEN=TOKEN)
        yield everything, start(model=others, INKWISE_TOKEN="")


@pytest.fixture
def page(chrome: "Chrome", services: tuple[Running, Running]) -> Iterator[Page]:
    """The page of the service with all that there is, its token given."""
    page = Page(chrome, services[0].address)
    page.look(1280, 820)
    if not chrome.current_url.startswith(page.address):
        chrome.get(f"{page.address}/page/icon.svg")
    page.run("sessionStorage.setItem('inkwise-token', arguments[0])", TOKEN)
    for kind in ("browser", "performance"):
        logged(chrome, kind)
    page.open()
    yield page
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.fixture
def plain(chrome: "Chrome", services: tuple[Running, Running]) -> Page:
    """The page of the service whose classes are no digits, and which keeps nothing."""
    page = Page(chrome, services[1].address)
    page.look(1280, 900)
    page.open()
    return page


# --- drawing ---


def test_a_drawn_digit_is_told_with_all_that_belongs_to_it(page: Page, chrome: "Chrome") -> None:
    assert page.violations() == []
    page.draw(SEVEN)
    page.wait_for("#label", "7")
    page.wait_for("#verdict", "digit, ")
    assert page.text("#chances .best th") == "7"
    assert float(page.text("#chances .best td:last-child").strip("> %")) > 90
    others = page.run(
        "return [...document.querySelectorAll('#chances tr:not(.best) i')]"
        ".map((bar) => bar.style.transform)"
    )
    assert len(others) == 9
    assert page.ink("#seen") > 30
    page.wait(lambda: page.run("return document.querySelectorAll('#near li').length") == 8)
    assert page.text("#near li").strip()
    # A screen reader hears the answer once, when the line has ended.
    page.wait_for("#said", "7 digit, ")
    # The fixture looks at the icon by itself, for which Chromium asks for an icon as well.
    told = [entry["message"] for entry in logged(chrome, "browser")]
    assert [message for message in told if "/favicon.ico" not in message] == []


def test_answers_come_while_the_line_is_drawn(page: Page) -> None:
    page.line(SEVEN, release=False)
    page.wait(lambda: page.text("#label") == "7")  # about all of it, though the pen rests
    assert page.text("#said") == ""
    actions = page.pointer()
    actions.pointer_action.pointer_up()
    actions.perform()
    page.wait_for("#said", "7 digit")


def test_a_star_is_no_digit_and_a_dot_is_ink(page: Page) -> None:
    page.draw(*STAR)
    page.wait(lambda: "not a digit" in page.text("#said") and page.text("#label") == "")
    page.find("#clear").click()
    page.line([(0.5, 0.5), (0.5, 0.5)])
    assert page.ink("#sheet") > 100


def test_a_number_is_read_while_it_is_drawn(page: Page) -> None:
    seven: Line = [(0.4 * (x - 0.28), 0.5 * y + 0.25) for x, y in SEVEN]
    one: Line = [(0, 0.36), (0, 0.65)]
    places = (0.08, 0.36, 0.48, 0.6, 0.88)
    for shape, left in zip((seven, one, one, seven, one), places, strict=True):
        page.line([(left + x, y) for x, y in shape])
    page.wait_for("#said", "71171 number, ")
    assert page.text("#label") == "71171"
    assert page.text("#chances").count("–") == 10
    page.shoot("number")


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("1", "with a long upstroke"),
        ("7", "with a bar"),
        ("9", "with a curled leg"),
        ("4", "open, in two strokes"),
        ("0", "slashed"),
    ],
)
def test_forms_that_are_rare_in_america_are_read(page: Page, label: str, name: str) -> None:
    (form,) = (form for form in FORMS[label] if form.name == name)
    labels = []
    for seed in range(5):
        generator = np.random.default_rng(seed)
        strokes = vary(trace(form, generator), generator)
        points = np.vstack(strokes)
        low, size = points.min(0), np.ptp(points, axis=0).max()
        page.clear()
        page.draw_and_hear(
            *((0.25 + 0.5 * (stroke[::5] - low) / size).tolist() for stroke in strokes)
        )
        told = page.text("#label")
        unsure_number = told.endswith("?") and told != f"{label}?"
        labels.append("unsure" if unsure_number else told)
    # None of them is taken for another digit.
    assert set(labels) <= {label, f"{label}?", "unsure", ""}
    assert labels.count("") <= 1  # which the page says is not a digit


def test_the_hand_of_the_writer_is_asked_for(page: Page, plain: Page) -> None:
    def chance() -> float:
        row = "#chances tr[data-name='1'] td:last-child"
        return float(page.text(row).strip("> %"))

    page.open()
    page.draw([(0.4, 0.3), (0.6, 0.2), (0.57, 0.5), (0.55, 0.8)])
    page.wait(lambda: page.text("#said"))
    chances = [chance()]
    for hand in ("europe", "america"):
        page.run(
            "const hand = document.getElementById('hand'); hand.value = arguments[0];"
            "hand.dispatchEvent(new Event('change'))",
            hand,
        )
        page.wait(lambda: chance() != chances[-1])
        chances.append(chance())
    assert chances[2] < chances[0] < chances[1]
    plain.open()
    assert plain.run("return document.getElementById('hands').hidden")


def test_undo_redo_and_clear(page: Page) -> None:
    from selenium.webdriver import ActionChains, Keys

    assert not page.find("#undo").is_enabled()
    page.draw(ONE)
    page.wait_for("#label", "1")
    one = page.ink("#sheet")
    page.draw([(0.2, 0.8), (0.8, 0.8)])
    assert page.ink("#sheet") > one
    page.find("#undo").click()
    assert page.ink("#sheet") == one
    page.wait_for("#label", "1")
    page.find("#clear").click()
    assert page.ink("#sheet") == 0
    page.wait_for("#verdict", "Waiting")
    assert not page.find("#redo").is_enabled()
    ActionChains(page.browser).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    assert page.ink("#sheet") == one
    page.wait_for("#label", "1")
    page.find("#redo").click()
    assert page.ink("#sheet") == 0
    assert page.find("#undo").is_enabled()


def test_a_pen_that_is_pressed_draws_a_wider_line(page: Page) -> None:
    inks = []
    for pressure in (0.2, 0.9):
        page.line(ONE, "pen", pressure=pressure)
        inks.append(page.ink("#sheet"))
        page.find("#clear").click()
    assert inks[1] > 1.5 * inks[0]
    page.line(ONE, "touch")
    assert page.ink("#sheet") > 0


# --- pictures from elsewhere ---


def test_a_picture_can_be_uploaded_pasted_and_dropped(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "my seven.png"
    file.write_bytes(picture())
    page.find("#upload").send_keys(str(file))
    page.wait_for("#said", "7 digit")
    assert page.text("#file-name") == "my seven.png"
    assert page.ink("#sheet") > 10_000
    page.shoot("desktop-upload")
    page.draw(ONE)  # a new sheet, which undoing takes away again
    page.wait_for("#label", "1")
    page.find("#undo").click()
    page.wait_for("#label", "7")
    for event, kind in (("paste", "JPEG"), ("drop", "WEBP")):
        page.clear()
        page.give(event, picture(kind), f"{event}.x", f"image/{kind.lower()}")
        page.wait_for("#said", "7 digit")


def test_what_only_the_service_can_read_is_answered_all_the_same(page: Page) -> None:
    page.give("paste", picture("TIFF", 60), "scan.tif", "image/tiff")
    page.wait_for("#said", "7 digit")
    assert page.text("#file-name") == "scan.tif"


def test_what_is_no_picture_is_said(page: Page) -> None:
    page.draw(SEVEN)
    page.wait_for("#label", "7")
    page.give("drop", b"Dear diary", "diary.txt", "text/plain")
    page.wait_for("#trouble", "is not a picture")
    assert page.text("#label") == ""
    assert page.violations() == []
    page.find("#undo").click()
    page.wait_for("#label", "7")
    assert not page.find("#trouble").is_displayed()


def test_what_is_too_large_is_said_or_made_smaller(page: Page) -> None:
    page.run(
        """
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(17 << 20)], "film.raw", {type: "image/x-raw"}));
        document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
        """
    )
    page.wait_for("#trouble", "film.raw is too large: the service accepts at most 16 MB.")
    page.give("paste", picture("WEBP", 5100), "huge.webp", "image/webp")  # 26 million pixels
    page.wait_for("#said", "7 digit")


# --- what answers hang on, and corrections ---


def test_where_it_looked_is_shown_when_asked_for(page: Page) -> None:
    page.draw(SEVEN)
    page.wait_for("#label", "7")
    assert not page.find("#map").is_displayed()
    page.find("#looked").send_keys(" ")
    page.wait_for("#looked-note", "speaks most for 7")
    coloured = """
        const canvas = document.getElementById("looked-at");
        const {data} = canvas.getContext("2d").getImageData(0, 0, 28, 28);
        return data.some((red, i) => i % 4 === 0 && data[i + 2] > red + 60);
        """
    assert page.run(coloured)
    assert page.violations() == []
    page.shoot("desktop-looked")


def test_a_correction_is_kept_and_can_be_corrected(page: Page, folder: Path) -> None:
    assert "keeps only the pictures that you correct" in page.text("footer")
    assert not page.find("#wrong").is_displayed()
    page.draw(SEVEN)
    page.wait_for("#said", "7 digit")
    page.find("#wrong summary").click()
    assert page.violations() == []
    for name in ("1", "7"):
        page.find(f"#names button:nth-child({int(name) + 1})").click()
        page.wait_for("#kept-note", f"The picture was kept as {name}.")
        (file,) = (folder / "kept").glob("*/*.png")
        assert file.parent.name == name
    assert load_pretrained().classify([file])[0].label == "7"


def test_another_model_s_classes_and_images_are_no_matter(plain: Page) -> None:
    assert "keeps none of it" in plain.text("footer")
    assert plain.text("#hint-what").startswith("Draw one of <b>&amp;, bee")
    box = plain.find("#sheet").size
    assert box["height"] / box["width"] == pytest.approx(24 / 20, rel=0.01)
    plain.draw([(0.2, 0.5), (0.8, 0.5)])
    plain.wait_for("#label", "bee")
    assert plain.run("const {width, height} = document.getElementById('seen'); "
                     "return [width, height]") == [20, 24]  # fmt: skip
    assert not plain.find("#wrong").is_displayed()
    plain.draw([(0.1, 0.85), (0.9, 0.85)], [(0.1, 0.9), (0.9, 0.9)])
    plain.wait_for("#label", "donau")
    assert plain.violations() == []
    for width in (320, 360, 768, 1280):
        plain.look(width, 740)
        assert plain.run("return document.documentElement.scrollWidth") <= width
    plain.look(320, 740)
    plain.shoot("phone-others")


# --- when something is wrong ---


def test_a_token_is_asked_for(page: Page) -> None:
    page.run("sessionStorage.clear()")
    page.browser.get(page.address)
    page.wait(lambda: page.find("#token-form").is_displayed())
    assert page.violations() == []
    page.shoot("desktop-token")
    page.draw(SEVEN)  # answered as soon as it may be
    for told, token in (("is not the token", "x" * 20), ("no spaces", "ä b"), ("", TOKEN)):
        page.find("#token").send_keys(token + "\n")
        page.wait_for("#trouble", told)
    page.wait_for("#label", "7")
    assert not page.find("#token-form").is_displayed()


def test_a_service_that_is_gone_is_waited_for(page: Page) -> None:
    def network(*, there: bool) -> None:
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        page.browser.execute_cdp_cmd("Network.enable", {})
        page.browser.execute_cdp_cmd(
            "Network.emulateNetworkConditions", {"offline": not there, **conditions}
        )

    network(there=False)
    page.draw(SEVEN)
    page.wait_for("#trouble", "does not answer")
    assert page.text("#label") == ""
    network(there=True)
    page.wait_for("#label", "7")
    assert not page.find("#trouble").is_displayed()


def test_a_service_that_is_busy_is_asked_again(page: Page) -> None:
    page.run(
        """
        const ask = window.fetch;
        window.fetch = async (...request) => {
          const problem = {detail: "the queue is full"};
          return new Response(JSON.stringify(problem), {status: 503, headers: {"Retry-After": 1}});
        };
        setTimeout(() => { window.fetch = ask; }, 1500);
        """
    )
    page.draw(SEVEN)
    page.wait_for("#trouble", "is busy")
    page.wait_for("#label", "7")
    assert not page.find("#trouble").is_displayed()


# --- everybody ---


def test_all_controls_can_be_reached_with_the_keyboard(page: Page) -> None:
    from selenium.webdriver import ActionChains, Keys

    page.draw(SEVEN, ONE)
    page.wait_for("#said", " ")
    page.find("#undo").click()
    page.wait(lambda: page.find("#wrong").is_displayed())
    page.run("const top = document.querySelector('h1'); top.tabIndex = -1; top.focus()")
    reached = []
    ActionChains(page.browser).send_keys(Keys.TAB).perform()
    while (focused := page.browser.switch_to.active_element).tag_name != "body":
        name = focused.get_attribute("id") or focused.tag_name
        if name in reached:
            break
        reached.append(name)
        shown = page.run(
            "const e = document.activeElement; const f = e.closest('.button, .switch');"
            "const of = (x) => x && getComputedStyle(x).outlineStyle;"
            "return [of(e), of(f), of(f?.querySelector('span'))].includes('solid')"
        )
        assert shown, name
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
    assert reached == ["a", "undo", "redo", "clear", "upload", "hand", "looked", "summary"]


def test_the_page_fits_light_and_dark(page: Page) -> None:
    page.draw(SEVEN)
    page.wait_for("#said", "7")
    page.run("scrollTo(0, 0)")
    for width, height in ((320, 640), (360, 740), (768, 1000), (1280, 900)):
        for scheme in ("light", "dark"):
            page.look(width, height, scheme)
            assert page.run("return document.documentElement.scrollWidth") <= width
            if width in (320, 1280):
                assert page.violations() == []
            page.shoot(f"{width}-{scheme}")


def test_light_ink_is_dark_on_paper(page: Page) -> None:
    darkest = """
        const {data} = document.getElementById("sheet").getContext("2d")
          .getImageData(0, 0, 2000, 2000);
        return data.reduce((low, v, i) =>
          (i % 4 === 0 && data[i + 3] === 255 ? Math.min(low, v) : low), 255);
        """
    page.look(1280, 820, "dark")
    page.draw(SEVEN)
    page.wait_for("#label", "7")
    assert page.run(darkest) > 150
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    page.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "print", "features": [feature]}
    )
    page.wait(lambda: page.run(darkest) < 50)


def test_nothing_moves_for_those_who_ask_for_that(page: Page) -> None:
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    page.draw(SEVEN)
    page.wait_for("#label", "7")
    assert page.run("return document.getAnimations().length") == 0


def test_the_page_is_small_and_comes_from_the_service_alone(page: Page, chrome: "Chrome") -> None:
    sizes = page.run(
        "return performance.getEntries().filter((e) => 'decodedBodySize' in e)"
        ".map((e) => [e.name, e.decodedBodySize])"
    )
    static = {name: size for name, size in sizes if "/v1/" not in name}
    assert {Path(name).name for name in static} >= {"canvas.css", "canvas.js", "pen.js"}
    assert sum(static.values()) < 150_000
    asked = requests(chrome)
    assert asked
    assert [url for url in asked if not url.startswith((page.address, "data:"))] == []


def test_everything_in_a_mixed_folder_is_answered_or_refused(page: Page, tmp_path: Path) -> None:
    seven = Image.open(io.BytesIO(picture())).convert("L")
    folder = write_mixed(tmp_path / "mixed", lambda _: seven)
    for name in (*SINGLE, *PAGED):
        page.clear()
        page.find("#upload").send_keys(str(folder / name))
        page.wait_for("#said", "7 digit")
        assert page.text("#file-name") == Path(name).name
        assert ("3 pages, read as 7, " in page.text("#trouble")) == (name in PAGED)
    for name in (*BROKEN, *NO_PICTURES):
        page.clear()
        page.find("#upload").send_keys(str(folder / name))
        page.wait_for("#trouble", "is")
        assert page.text("#label") == ""


def test_a_blank_cover_does_not_hide_the_other_pages(page: Page, tmp_path: Path) -> None:
    seven = Image.open(io.BytesIO(picture())).convert("L")
    blank = Image.new("L", seven.size, 255)
    blank.save(tmp_path / "scan.tiff", save_all=True, append_images=[seven])
    page.find("#upload").send_keys(str(tmp_path / "scan.tiff"))
    page.wait_for("#said", "7 digit")
    assert "2 pages, read as –, 7: this is the answer for page 2" in page.text("#trouble")


def test_files_are_asked_for_again_and_sent_once(services: tuple[Running, Running]) -> None:
    import requests

    url = f"{services[1].address}/page/canvas.js"
    first = requests.get(url, timeout=30)
    assert first.headers["Cache-Control"] == "no-cache"
    again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")
    assert "unsafe-inline" not in first.headers["Content-Security-Policy"]
