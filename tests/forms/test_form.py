"""Forms, read from their photographs."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scenes import enlarge
from sheets import Form, draw_form

import inkwise
from inkwise import Dataset, Model
from inkwise.errors import ArgumentError, DataError
from inkwise.forms.form import parse_shape

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def model() -> Model:
    return inkwise.load_pretrained()


@pytest.fixture(scope="module")
def sudoku(mnist: Dataset) -> Form:
    return draw_form("sudoku", mnist.test, np.random.default_rng(11))


def right(form: Form, read: inkwise.Form) -> float:
    """Return the share of cells whose text is right."""
    texts = [text for row in form.texts for text in row]
    return float(np.mean([cell.text == text for cell, text in zip(read.cells, texts, strict=True)]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "score sheet", "comb", "boxes", "open table"])
def test_each_kind_of_form_is_read(kind: str, model: Model, mnist: Dataset) -> None:
    form = draw_form(kind, mnist.test, np.random.default_rng([2, len(kind)]))
    read = inkwise.read_form(form.picture, grid=f"{form.rows}x{form.columns}", model=model)
    assert (read.rows, read.columns) == (form.rows, form.columns)
    assert right(form, read) >= 0.9
    for cell, corners in zip(read.cells, form.corners.reshape(-1, 4, 2), strict=True):
        top, left, bottom, right_ = cell.box
        middle = corners.mean(0)
        assert left < middle[0] < right_
        assert top < middle[1] < bottom
        empty = form.texts[cell.row - 1][cell.column - 1] == ""
        if empty and cell.verdict != "empty":
            assert cell.verdict in {"unsure", "not a digit"}
        assert (cell.ink is None) == (cell.verdict == "empty")
        assert (cell.probability is None) == (cell.text == "")


@pytest.mark.slow
def test_what_is_printed_is_told_apart(sudoku: Form, model: Model) -> None:
    whole = inkwise.read_form(sudoku.picture, grid="9x9", model=model)
    hand = inkwise.read_form(sudoku.picture, ignore_printed=True, model=model)
    assert right(sudoku, whole) >= 0.95
    printed = [one for row in sudoku.printed for one in row]
    told = [
        (cell.printed >= 0.5) == one
        for cell, one in zip(whole.cells, printed, strict=True)
        if cell.printed is not None
    ]
    assert np.mean(told) >= 0.9
    for cell, same in zip(hand.cells, whole.cells, strict=True):
        left_out = same.printed is not None and same.printed >= 0.5
        assert cell.verdict == ("printed" if left_out else same.verdict)
        assert cell.text == ("" if left_out else same.text)


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_form_on_its_side_or_head_is_read(quarters: int, sudoku: Form, model: Model) -> None:
    picture = np.rot90(sudoku.picture, quarters).copy()
    read = inkwise.read_form(picture, model=model)
    assert right(sudoku, read) >= 0.95
    assert read.turned == 360 - 90 * quarters


@pytest.mark.slow
def test_a_table_of_digits_on_its_head_is_turned(model: Model, mnist: Dataset) -> None:
    """Two thirds of all digits are sure ones on their head as well."""
    form = squares(mnist.test.images[20:29])
    head = inkwise.read_form(np.rot90(form, 2).copy(), grid="3x3", model=model)
    upright = inkwise.read_form(form, grid="3x3", model=model)
    assert (head.turned, upright.turned) == (180, 0)
    assert head.texts() == upright.texts()


def squares(digits: Any) -> Any:
    """Draw a form of 3 rows and 3 columns with digits in its first cells."""
    sheet = np.full((370, 370), 255, np.uint8)
    for place in range(4):
        at = 20 + 110 * place
        cv2.line(sheet, (20, at), (350, at), 0, 2)
        cv2.line(sheet, (at, 20), (at, 350), 0, 2)
    for place, digit in enumerate(digits):
        top, left = (33 + 110 * one for one in divmod(place, 3))
        large = cv2.resize(digit, (84, 84), interpolation=cv2.INTER_CUBIC)
        sheet[top : top + 84, left : left + 84] = 255 - large
    return sheet


def test_a_single_unsure_digit_does_not_turn_a_form(model: Model, mnist: Dataset) -> None:
    """This 5 is unsure, and on its head a sure 9."""
    read = inkwise.read_form(squares(mnist.test.images[[8]]), grid="3x3", model=model)
    assert read.texts() == [["5", "", ""], ["", "", ""], ["", "", ""]]
    assert (read.cells[0].verdict, read.turned) == ("unsure", 0)


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_few_digits_tell_on_which_side_a_form_lies(quarters: int, model: Model) -> None:
    """By its shape it is known to lie on its side."""
    picture = np.rot90(three_boxes(), quarters).copy()
    read = inkwise.read_form(picture, grid="1x3", model=model)
    assert read.turned == 360 - 90 * quarters
    assert read.texts() == [["5", "", "8"]]


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [0, 1])
def test_a_table_of_numbers_is_upright_where_its_numbers_are(
    quarters: int, model: Model, mnist: Dataset
) -> None:
    form = draw_form("score sheet", mnist.test, np.random.default_rng(5))
    assert sum(len(text) > 1 for row in form.texts for text in row) > 20
    read = inkwise.read_form(np.rot90(form.picture, quarters).copy(), model=model)
    assert (read.rows, read.columns) == (form.rows, form.columns)
    assert right(form, read) >= 0.9


def test_paper_in_a_dark_and_noisy_picture_is_empty(model: Model) -> None:
    sheet = 0.3 * three_boxes() + np.random.default_rng(0).normal(0, 5, (100, 220))
    large = cv2.resize(sheet, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(1).normal(0, 5, large.shape)
    read = inkwise.read_form((large + noise).clip(0, 255).astype(np.uint8), model=model)
    assert [cell.verdict == "empty" for cell in read.cells] == [False, True, False]


def test_a_number_that_climbs_in_its_cell_is_one_number(model: Model, mnist: Dataset) -> None:
    sheet = np.zeros((300, 560), np.float32)
    for left in (30, 280):
        cv2.rectangle(sheet, (left, 30), (left + 250, 270), 1, 3)
    labels = mnist.test.labels[:5].tolist()
    for place, (top, left) in enumerate(((150, 60), (50, 150), (60, 300), (110, 370), (160, 440))):
        shape = enlarge(mnist.test.images[place], 75)
        under = sheet[top : top + shape.shape[0], left : left + shape.shape[1]]
        np.maximum(under, shape, out=under)
    read = inkwise.read_form((255 * (1 - sheet)).astype(np.uint8), grid="1x2", model=model)
    first, second = "".join(map(str, labels[:2])), "".join(map(str, labels[2:]))
    assert read.texts() == [[first, second]]


def three_boxes() -> Any:
    """Draw three boxes; the second stays empty."""
    digits = inkwise.load_dataset("optdigits").test.images
    sheet = np.full((100, 220), 255, np.uint8)
    for left in (10, 75, 140):
        cv2.rectangle(sheet, (left, 15), (left + 65, 80), 0, 2)
    for digit, left in ((4, 28), (2, 160)):
        sheet[33:61, left : left + 28] = 255 - digits[digit]
    return sheet


@pytest.mark.parametrize("radius", [3, 4, 6])
@pytest.mark.parametrize("before", [True, False])
def test_a_point_beside_a_digit_is_told_and_the_digit_is_unsure(
    radius: int, before: bool, model: Model, mnist: Dataset
) -> None:
    sheet = np.full((160, 400), 255, np.uint8)
    for left in (20, 140, 260):
        cv2.rectangle(sheet, (left, 20), (left + 120, 140), 0, 2)
    for left in (20, 260):
        digit = cv2.resize(mnist.test.images[0][4:24, 4:24], (50, 50))
        sheet[55:105, left + 35 : left + 85] = 255 - digit
    cv2.circle(sheet, (285 if before else 355, 101), radius, 0, -1)
    first, empty, last = inkwise.read_form(sheet, grid="1x3", model=model).cells
    assert (first.text, first.verdict, first.dropped) == ("7", "digit", ())
    assert (empty.verdict, empty.dropped) == ("empty", ())
    assert last.verdict == "unsure"
    assert last.dropped or "." in last.text


def test_a_speck_alone_in_a_cell_is_told(model: Model) -> None:
    sheet = three_boxes()
    cv2.circle(sheet, (108, 50), 2, 0, -1)
    cell = inkwise.read_form(sheet, grid="1x3", model=model).cells[1]
    assert (cell.text, cell.verdict, cell.dropped) == ("", "empty", ("specks",))


def test_a_model_of_letters_is_refused(model: Model) -> None:
    letters = dataclasses.replace(model, class_names=tuple("ABCDEFGHIJ"))
    with pytest.raises(ArgumentError, match="the digits 0 to 9"):
        inkwise.read_form(three_boxes(), model=letters)


def test_a_form_of_its_own_colours_and_types(model: Model) -> None:
    sheet = three_boxes()
    blue = np.stack([sheet, np.maximum(sheet, 90), np.maximum(sheet, 160)], -1)
    for picture in (
        sheet,
        blue,
        Image.fromarray(blue),
        sheet / 255,
        np.kron(sheet, np.ones((3, 3))),
    ):
        assert inkwise.read_form(picture, grid="1x3", model=model).texts() == [["5", "", "8"]]


def test_crossed_lines_and_strokes_into_the_neighbour(model: Model, mnist: Dataset) -> None:
    """Digits that reach over the lines are read in the cell in which most of them is."""
    seven = mnist.test.images[0]
    sheet = np.zeros((300, 300), np.float32)
    for place in range(4):
        at = 30 + 80 * place
        cv2.line(sheet, (at, 30), (at, 270), 1, 2)
        cv2.line(sheet, (30, at), (270, at), 1, 2)
    shape = enlarge(seven, 62)
    for row, column in ((0, 0), (1, 1), (2, 0)):
        top, left = 46 + 80 * row, 34 + 80 * column
        under = sheet[top : top + shape.shape[0], left : left + shape.shape[1]]
        np.maximum(under, shape, out=under)
    read = inkwise.read_form((255 * (1 - sheet)).astype(np.uint8), grid="3x3", model=model)
    assert read.texts() == [["7", "", ""], ["", "7", ""], ["7", "", ""]]


@pytest.mark.parametrize("grid", ["", "9", "9x", "x9", "0x4", "101x4", "-1x3", "3x3x3", "a"])
def test_grids_that_make_no_sense_are_refused(grid: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(repr(grid))):
        parse_shape(grid)


def test_shapes() -> None:
    assert [parse_shape(text) for text in ("auto", "10x5", "3X4", "2×7")] == [
        None,
        (10, 5),
        (3, 4),
        (2, 7),
    ]


def test_a_page_without_a_grid_is_told_in_one_line(tmp_path: Path) -> None:
    Image.new("L", (300, 200), 230).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match=r"blank\.png: no grid") as caught:
        inkwise.read_form(tmp_path / "blank.png")
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator["Chrome"]:
    from selenium import webdriver

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("chromium and chromedriver are not both installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1000,900"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "localhost,127.0.0.1")
        chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    yield chrome
    chrome.quit()


@pytest.mark.browser
def test_the_page_is_corrected_by_keyboard_and_saved(
    chrome: "Chrome", downloads: Path, model: Model, tmp_path: Path
) -> None:
    import time

    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    form = inkwise.read_form(three_boxes(), model=model)
    page = inkwise.write_form_page({'odd "<name>".png': form}, tmp_path / "form.html")
    chrome.get(page.as_uri())
    inputs = chrome.find_elements("css selector", ".cell input")
    assert [one.get_attribute("value") for one in inputs][-1] == ""  # empty cells come last
    inputs[0].click()
    place = inputs[0].get_attribute("data-column")
    keys = ActionChains(chrome).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL)
    keys.send_keys('1,"2', Keys.ENTER).perform()
    assert chrome.switch_to.active_element == inputs[1]
    assert chrome.find_elements("css selector", ".changed")
    chrome.find_element("css selector", ".download").click()
    deadline = time.monotonic() + 20
    while not [*downloads.glob("*.csv")] and time.monotonic() < deadline:
        time.sleep(0.05)
    (saved,) = downloads.glob("*.csv")
    row = form.texts()[0]
    row[int(place or 0) - 1] = '"1,""2"'
    assert saved.read_text() == ",".join(row) + "\n"
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]
    axe = pytest.importorskip("axe_selenium_python").Axe(chrome)
    axe.inject()
    violations = axe.run()["violations"]
    assert violations == [], json.dumps(violations, indent=1)[:2000]
