"""Real browsers for the tests of pages; a pytest plugin."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.devtools import Browser
    from tests.firefox import Firefox

PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it refuses to start as root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def open_chrome(profile: Path, *flags: str) -> Iterator["Chrome"]:
    """Open Chromium with a profile of its own; a FileNotFoundError where it is not installed."""
    from selenium import webdriver

    browser, driver = map(shutil.which, PROGRAMS)
    if not browser or not driver:
        raise FileNotFoundError(f"{' and '.join(PROGRAMS)} are not both installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "localhost,127.0.0.1")
        chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chrome"]:
    try:
        with open_chrome(tmp_path_factory.mktemp("chromium")) as chrome:
            yield chrome
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Firefox"]:
    from tests.firefox import open_firefox

    try:
        with open_firefox(tmp_path_factory.mktemp("firefox")) as firefox:
            yield firefox
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["chrome", "firefox"])
def browser(request: pytest.FixtureRequest) -> "Browser":
    """Each of the browsers in turn."""
    browser: Browser = request.getfixturevalue(request.param)
    return browser
