"""The engine in a browser, for all tests of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.engine import FOLDER, Engine, serve_folder

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def engine(chrome: "Chrome") -> Iterator[Engine]:
    for address in serve_folder(FOLDER):
        yield Engine(chrome, address)
