"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import hypothesis
import pytest

from inkwise.data.dataset import Dataset
from inkwise.data.mnist import DATA_DIR_VARIABLE, SHA256, load_mnist
from inkwise.data.optdigits import load_optdigits

pytest_plugins = ["tests.shared_runs", "tests.browser"]

FAIL_ON_SKIP = "INKWISE_FAIL_ON_SKIP"

hypothesis.settings.register_profile("inkwise", deadline=None)
hypothesis.settings.load_profile("inkwise")


@pytest.fixture(autouse=True)
def cache_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, matplotlib_home: None
) -> Path:
    """Each test's own, empty cache: none sees what another, or the developer, has downloaded."""
    home = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def matplotlib_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One font cache for all tests and their subprocesses: building it takes seconds."""
    os.environ.setdefault("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy stands between a test and the server that it runs."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder with MNIST's four original files."""
    folder = Path(os.environ.get(DATA_DIR_VARIABLE, ""))
    if not all((folder / f"{name}.gz").is_file() for name in SHA256):
        pytest.skip(f"MNIST is not at hand: set {DATA_DIR_VARIABLE}")
    return folder


@pytest.fixture(scope="session")
def mnist(mnist_dir: Path) -> Dataset:
    return load_mnist(mnist_dir)


@pytest.fixture(scope="session")
def optdigits() -> Dataset:
    return load_optdigits()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that hold slow tests: at the end one would keep one process busy alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
