"""The page of an audit in a real browser: deciding, keeping, exporting, and for whom it works."""

import csv
import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Split
from inkwise.auditing.findings import Audit
from inkwise.data.label_corrections import LabelCorrections

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.browser

FLIPPED = np.arange(0, 300, 20)
DOWNLOAD_SECONDS = 20


@pytest.fixture(scope="module")
def found(animals: Dataset, tmp_path_factory: pytest.TempPathFactory, trains: None) -> Audit:
    """The audit of classes with awkward names, wrong labels among them, and two copies."""
    images, labels = animals.train.images.copy(), animals.train.labels.copy()
    labels[FLIPPED] = (labels[FLIPPED] + 1) % 3
    images[1] = images[2]
    data = dataclasses.replace(
        animals,
        class_names=("ant", 'bee, "the"', "<b>cat</b>"),
        train=Split(images, labels),
    )
    return inkwise.audit(data, output=tmp_path_factory.mktemp("audit") / "audit")


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
    for flag in (
        "--headless=new",
        "--no-sandbox",  # it refuses to start as root otherwise
        "--disable-gpu",
        "--window-size=1000,900",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "localhost,127.0.0.1")
        chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    yield chrome
    chrome.quit()


@pytest.fixture
def page(chrome: "Chrome", found: Audit) -> "Chrome":
    """The page, with nothing decided."""
    chrome.get(found.page_path.as_uri())
    chrome.execute_script("localStorage.clear()")
    chrome.refresh()
    return chrome


def cards(page: "Chrome") -> list["WebElement"]:
    return page.find_elements("css selector", ".card")


def states(page: "Chrome") -> list[str]:
    found: list[str] = page.execute_script(
        "return [...document.querySelectorAll('.card .state')].map((e) => e.textContent)"
    )
    return found


def press(page: "Chrome", *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys(*keys).perform()


def focused(page: "Chrome") -> int:
    place: int = page.execute_script(
        "return [...document.querySelectorAll('.card')].indexOf(document.activeElement)"
    )
    return place


def fetch(page: "Chrome", downloads: Path, button: str, name: str) -> Path:
    path = downloads / name
    path.unlink(missing_ok=True)
    page.find_element("id", button).click()
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return path


def complaints(page: "Chrome") -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = page.get_log("browser")  # type: ignore[no-untyped-call]
    return entries


def test_shows_every_suspect_with_its_picture(page: "Chrome", found: Audit) -> None:
    sizes = page.execute_script(
        "return [...document.images].map((i) => [i.complete, i.naturalHeight, i.naturalWidth])"
    )

    indices = [int(card.get_attribute("data-index") or -1) for card in cards(page)]
    assert indices == found.suspects.tolist()
    assert set(FLIPPED.tolist()) <= set(indices)
    assert all(size == [True, 20, 24] for size in sizes)
    assert "exact" in page.find_element("id", "duplicates").text
    assert complaints(page) == []


def test_buttons_accept_reject_and_take_back(page: "Chrome", found: Audit) -> None:
    first, second = cards(page)[:2]
    given, suggested = (first.get_attribute(f"data-{name}") for name in ("given", "suggested"))

    first.find_element("css selector", ".accept").click()
    second.find_element("css selector", ".reject").click()

    assert states(page)[:2] == [
        f"becomes {suggested}",
        f"stays {second.get_attribute('data-given')}",
    ]
    assert first.find_element("css selector", ".accept").get_attribute("aria-pressed") == "true"
    assert page.find_element("id", "decided").text == f"2 of {len(found.suspects)}"

    first.find_element("css selector", ".accept").click()

    assert states(page)[0] == "open"
    assert page.find_element("id", "decided").text == f"1 of {len(found.suspects)}"
    assert given != suggested


def test_another_label_can_be_chosen(page: "Chrome", found: Audit) -> None:
    from selenium.webdriver.support.select import Select

    card = cards(page)[0]
    select = Select(card.find_element("css selector", "select"))
    other = next(
        option.text
        for option in select.options
        if option.text != card.get_attribute("data-suggested")
    )

    select.select_by_visible_text(other)

    assert states(page)[0] == f"becomes {other}"
    assert other in found.dataset.class_names
    assert other != card.get_attribute("data-given")


def test_the_keyboard_is_enough(page: "Chrome") -> None:
    from selenium.webdriver.common.keys import Keys

    press(page, Keys.ARROW_RIGHT)
    assert focused(page) == 0
    press(page, "a")
    assert focused(page) == 1
    press(page, "r")
    press(page, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert focused(page) == 0
    press(page, Keys.ARROW_DOWN)
    below = focused(page)
    assert below > 2
    press(page, Keys.ARROW_UP)
    assert focused(page) == 0

    assert [state.split()[0] for state in states(page)[:3]] == ["becomes", "stays", "open"]
    press(page, "a")
    assert states(page)[0] == "open"


def test_letters_elsewhere_decide_nothing(page: "Chrome") -> None:
    from selenium.webdriver.common.keys import Keys

    press(page, "a", "r")
    cards(page)[0].find_element("css selector", "select").send_keys("a")
    press(page, Keys.CONTROL + "a")

    assert set(states(page)[1:]) == {"open"}


def test_a_reload_keeps_what_was_decided(page: "Chrome") -> None:
    cards(page)[0].find_element("css selector", ".accept").click()
    cards(page)[2].find_element("css selector", ".reject").click()
    before = states(page)

    page.refresh()

    assert states(page) == before
    assert page.find_element("id", "decided").text.startswith("2 of")
    assert page.find_element("id", "progress").get_attribute("value") == "2"


def test_what_is_kept_may_be_damaged(page: "Chrome") -> None:
    page.execute_script("localStorage.setItem(document.querySelector('main').dataset.store, '{oh')")
    page.refresh()

    assert set(states(page)) == {"open"}
    assert complaints(page) == []


def test_the_table_that_it_makes_is_taken(
    page: "Chrome", found: Audit, downloads: Path, animals: Dataset
) -> None:
    for card in cards(page)[:3]:
        card.find_element("css selector", ".accept").click()
    cards(page)[3].find_element("css selector", ".reject").click()

    path = fetch(page, downloads, "csv", "labels.csv")

    corrections = LabelCorrections.read(path)
    corrected = corrections.apply(found.dataset)
    changed = np.flatnonzero(corrected.train.labels != found.dataset.train.labels)
    assert set(changed.tolist()) == set(found.suspects[:3].tolist())
    assert (corrected.train.labels[changed] == found.suggested[changed]).all()
    assert [decision.decision for decision in corrections.decisions[:5]] == [
        "accept",
        "accept",
        "accept",
        "reject",
        "",
    ]
    with path.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == len(found.suspects) + 1


def test_the_json_that_it_makes_says_the_same(
    page: "Chrome", found: Audit, downloads: Path
) -> None:
    cards(page)[0].find_element("css selector", ".accept").click()

    document = json.loads(fetch(page, downloads, "json", "labels.json").read_text())

    assert document["schema"] == "inkwise-labels/1"
    assert document["split"] == "train"
    assert len(document["decisions"]) == len(found.suspects)
    assert document["decisions"][0] == {
        **dataclasses.asdict(found.decisions()[0]),
        "decision": "accept",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: "Chrome", scheme: str) -> None:
    from axe_selenium_python import Axe

    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    cards(page)[0].find_element("css selector", ".accept").click()
    cards(page)[1].find_element("css selector", ".reject").click()
    axe = Axe(page)
    axe.inject()

    violations = axe.run(options={"resultTypes": ["violations"]})["violations"]

    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert [violation["id"] for violation in violations] == []


@pytest.mark.parametrize("width", [320, 768])
def test_fits_a_phone(page: "Chrome", width: int) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 740, "deviceScaleFactor": 2, "mobile": width < 500},
    )
    widest = page.execute_script("return document.documentElement.scrollWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    assert widest <= width


def test_prints_what_was_decided(page: "Chrome") -> None:
    cards(page)[0].find_element("css selector", ".accept").click()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = page.execute_script(
        "return ['.bar', '.buttons', '.card.accept .state']"
        ".map((s) => document.querySelector(s).getClientRects().length > 0)"
    )
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

    assert shown == [False, False, True]
