"""Fixtures that the tests of every package share."""

import copy
import functools
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import pytest

from inkwise.data.catalogue import DATA_DIR_VARIABLE, load_dataset
from inkwise.data.dataset import Dataset
from inkwise.data.optdigits import load_optdigits
from inkwise.data.published import PUBLISHED
from inkwise.networks.as_keras import require_keras

if TYPE_CHECKING:
    from tests.shared_runs import MakeOnce

pytest_plugins = ["tests.shared_runs", "tests.chromium", "tests.scheduling"]

FAIL_ON_SKIP = "INKWISE_FAIL_ON_SKIP"

hypothesis.settings.register_profile("inkwise", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.load_profile("inkwise")


@pytest.fixture(scope="session")
def cache_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders that are not there yet, one after the other."""
    parent = tmp_path_factory.mktemp("caches")
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def cache_home(
    cache_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch, matplotlib_home: None
) -> Path:
    """Each test's own, empty cache: none sees what another, or the developer, has downloaded."""
    home = next(cache_homes)
    home.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def matplotlib_home(make_once: "MakeOnce") -> None:
    """One font cache for all tests and their subprocesses: building it takes seconds."""
    os.environ.setdefault("MPLCONFIGDIR", str(make_once("matplotlib", Path.mkdir)))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy stands between a test and the server that it runs."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C ends this test's processes, even where all that the parent starts ignores it.

    As what stands behind ``nohup make test &`` does.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder with MNIST's four original files."""
    folder = Path(os.environ.get(DATA_DIR_VARIABLE, ""))
    if not all((folder / f"{file.name}.gz").is_file() for file in PUBLISHED["mnist"].files):
        pytest.skip(f"MNIST is not at hand: set {DATA_DIR_VARIABLE}")
    return folder


@pytest.fixture(scope="session")
def mnist(mnist_dir: Path) -> Dataset:
    return load_dataset("mnist", mnist_dir)


@pytest.fixture(scope="session")
def optdigits() -> Dataset:
    return load_optdigits_once()


@functools.cache
def load_optdigits_once() -> Dataset:
    return load_optdigits()


@pytest.fixture(scope="session", autouse=True)
def quick_optdigits() -> Iterator[None]:
    """Prepare the images of optdigits once, and not for every test: that takes half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "inkwise.data.catalogue.load_optdigits", lambda: copy.deepcopy(load_optdigits_once())
        )
        yield


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras in the tests' own process."""
    return require_keras("a test")


@pytest.fixture(autouse=True)
def no_secret_training(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that trains a run says so: it requests the fixture ``trains``."""
    if "trains" not in request.fixturenames:
        monkeypatch.setattr("inkwise.study._fit", _refuse_to_train)
        monkeypatch.setattr("inkwise.training.fit.Fit.__next__", _refuse_to_train)


def _refuse_to_train(*_: object) -> NoReturn:
    raise AssertionError("request the fixture `trains`, so that `make quick` leaves this out")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that train, and those that start TensorFlow."""
    for item in items:
        requested = getattr(item, "fixturenames", ())
        for fixture, marker in (("trains", "trains"), ("keras", "tensorflow")):
            if fixture in requested:
                item.add_marker(marker)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where everything must be at hand, a skipped test is a failed one."""
    if exitstatus == pytest.ExitCode.OK and _forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    if skips := _forbidden_skips(config):
        terminalreporter.section("skipped tests count as failures", red=True, bold=True)
        terminalreporter.line(f"{skips} skipped, and {FAIL_ON_SKIP}=1 allows none")


def _forbidden_skips(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get(FAIL_ON_SKIP) != "1":
        return 0
    return len(reporter.stats.get("skipped", []))
