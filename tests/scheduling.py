"""Which tests are run by one process, and in what order; a pytest plugin."""

import gc

import pytest
from xdist.scheduler import LoadScopeScheduling

UNITS = {
    # Starting TensorFlow takes seconds: one process does.
    "tests/export/": "tensorflow",
    "tests/training/test_keras_loop.py": "tensorflow",
    "tests/cli/test_export.py": "tensorflow",
    # Two processes would both want the notebook's run at once, and one would wait a minute for it.
    "tests/test_notebook.py": "study",
    "tests/test_study.py": "study",
}
"""What is handed to a process as a whole, by the beginning of the files' names."""

LONGEST = ("tensorflow", "study")
"""These units come first: at the end, one would keep one process busy alone."""


def unit_of(nodeid: str) -> str:
    """Return what a test is handed out with: mostly, its file."""
    file = nodeid.split("::", maxsplit=1)[0]
    return next((unit for start, unit in UNITS.items() if file.startswith(start)), file)


class UnitScheduling(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Hands out units, one after the other, to whichever process is free."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> UnitScheduling | None:
    """Take the place of ``--dist loadfile``."""
    if config.getvalue("dist") != "loadfile":
        return None
    return UnitScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest units, and then with files that hold slow tests."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def order(item: pytest.Item) -> tuple[int, bool]:
        unit = unit_of(item.nodeid)
        place = LONGEST.index(unit) if unit in LONGEST else len(LONGEST)
        return place, item.path not in slow

    items.sort(key=order)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported, which stays, and run less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
