"""The engine in a browser, and the page with no server, for all tests of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inkwise import load_pretrained
from inkwise.browser.site import ENGINE, write_site
from tests.browser.engine import Engine
from tests.browser.hosts import hosted

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def engine(chrome: "Chrome") -> Iterator[Engine]:
    with hosted(ENGINE) as host:
        yield Engine(chrome, host.address)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the package's model, two folders down; it is shared: copy it to change it."""
    pytest.importorskip("inkwise_web", reason="`make web` builds it")
    return write_site(load_pretrained(), tmp_path_factory.mktemp("host") / "school" / "digits")


@pytest.fixture
def copy(site: Path, tmp_path: Path) -> Path:
    """A copy of the site to change."""
    return Path(shutil.copytree(site, tmp_path / "host" / "digits"))
