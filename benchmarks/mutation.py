"""Try how many small mistakes in the heart of the package its quick tests notice.

The mistakes are cosmic-ray's. Its own runner tries all of them, and there are twelve thousand, with
one command for all. So this draws a sample, and tries each mutant on those tests of its own package
that run the changed line, the shortest first. A trial is forked from a process that has imported
the heavy libraries, which takes longer than most trials.
"""

import argparse
import collections
import contextlib
import importlib.metadata
import importlib.util
import itertools
import json
import math
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest
from mutants import Mutant, draw_mutants

ROOT = Path(__file__).parents[1]
HEART = {
    "ink/*.py": "tests/ink tests/test_values.py",
    "model/*.py": "tests/model tests/test_values.py",
    "networks/*.py": "tests/networks tests/model/test_artifact.py tests/test_values.py",
    "evaluation/*.py": "tests/evaluation tests/test_values.py",
    "comparison/*.py": "tests/comparison tests/test_values.py",
    "training/step.py": "tests/training/test_step.py",
    "training/averaging.py": "tests/training/test_step.py",
}
"""What is changed, and the tests that mirror it."""

NEEDS_TENSORFLOW = "networks/as_keras.py"  # left out
QUICK = ("-x", "-q", "-m", "not slow and not trains and not browser", "-p", "no:cacheprovider")
HEAVY = (
    "cv2",
    "matplotlib.pyplot",
    "onnx",
    "onnxruntime",
    "schemathesis",
    "scipy.stats",
    "sklearn.metrics",
    "torch",
)
MEMORY = 8 << 30  # bytes: a mutant may ask for any amount
EQUIVALENT = ROOT / "benchmarks" / "equivalent_mutants.toml"
LEAST = 0.85
ON_IMPORT = ""  # the context of what runs before any test


class Watch:
    """A plugin of pytest's that notes how long each test takes.

    Told how long tests usually take, it lets pytest run just these, the shortest first.
    """

    def __init__(self, usual: dict[str, float] | None = None) -> None:
        self._usual = usual
        self.seconds: dict[str, float] = collections.defaultdict(float)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:  # noqa: D102
        if (usual := self._usual) is not None:
            chosen = [item for item in items if item.nodeid in usual]
            items[:] = sorted(chosen, key=lambda item: usual[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:  # noqa: D102
        usual = (self._usual or {}).get(nodeid, 10)
        signal.alarm(math.ceil(10 + 10 * usual))  # nothing handles the signal, so it kills
        if measured := coverage.Coverage.current():
            measured.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:  # noqa: D102
        self.seconds[report.nodeid] += report.duration


def fork(work: Callable[..., None], *arguments: Any) -> int:
    """Return the exit status of a function in a process of its own, or minus a signal."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    process.join()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)  # what tests left behind
    return process.exitcode or 0


def run_tests(tests: str, home: Path, watch: Watch) -> None:
    """Run quick tests on the copy of the package in a folder; exit where one fails."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(60)  # to import the package and the tests
    os.environ["PYTHONPATH"] = str(home)
    sys.path.insert(0, str(home))
    with (home / "output").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "mutation", deadline=None, derandomize=True, max_examples=30, phases=phases
    )
    options = ("--hypothesis-profile=mutation", f"--basetemp={home / 'pytest'}")
    failed = pytest.main([*tests.split(), *QUICK, *options], plugins=[watch])
    if failed not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        sys.exit(failed)


def watch_tests(tests: str, home: Path) -> None:
    """Write how long each test takes on the package as it is, and which lines it runs."""
    measured = coverage.Coverage(None, config_file=False, source=[str(home / "inkwise")])
    watch = Watch()
    with measured.collect():
        run_tests(tests, home, watch)
    data = measured.get_data()
    lines = {file: data.contexts_by_lineno(file) for file in data.measured_files()}
    (home / "watched.json").write_text(json.dumps([watch.seconds, lines]))


def try_mutant(tests: str, home: Path, path: Path, line: int) -> None:
    """Run the tests that may notice that a line of a module of the copy is changed."""
    sys.dont_write_bytecode = True
    seconds, lines = json.loads((home / "watched.json").read_text())
    ran = {file: {*itertools.chain(*of_file.values())} for file, of_file in lines.items()}
    # Of an expression on several lines, not each is known to run: then all that run the module do.
    chosen = {*lines[str(path)].get(str(line), ())} or ran[str(path)]
    if ON_IMPORT not in chosen:
        chosen |= seconds.keys() - set().union(*ran.values())  # what runs in other processes
        seconds = {test: seconds[test] for test in chosen}
    run_tests(tests, home, Watch(seconds))


def try_all(count: int, seed: int, home: Path) -> Iterator[tuple[Mutant, int]]:
    """Generate mutants of a copy of the package, each with the exit status of its tests."""
    package = home / "inkwise"
    shutil.copytree(ROOT / "src" / "inkwise", package, ignore=shutil.ignore_patterns("__pycache__"))
    tests_of = {
        path: tests
        for pattern, tests in HEART.items()
        for path in sorted(package.glob(pattern))
        if path != package / NEEDS_TENSORFLOW
    }
    sources = {str(path.relative_to(package)): path.read_text() for path in tests_of}
    watched = ""
    for mutant in draw_mutants(sources, count, seed):
        path = package / mutant.module
        if watched != tests_of[path]:
            watched = tests_of[path]
            if fork(watch_tests, watched, home):
                sys.exit((home / "output").read_text() + f"{watched} fails without a mutant")
        Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
        path.write_text(mutant.mutated)
        yield mutant, fork(try_mutant, watched, home, path, mutant.change[0])
        path.write_text(mutant.source)


def main() -> None:
    """Try mutants, print those that nobody noticed and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=200, help="about how many")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in HEAVY:
        importlib.import_module(name)
    reasons = {
        (each["module"], each["line"], each["mutated"]): each["why"]
        for each in tomllib.loads(EQUIVALENT.read_text())["mutant"]
    }
    modules: dict[str, Counter[str]] = collections.defaultdict(Counter)
    survivors = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        for mutant, status in try_all(arguments.mutants, arguments.seed, Path(home)):
            _, line, mutated = mutant.change
            why = reasons.get((mutant.module, line, mutated))
            fate = "timeout" if status == -signal.SIGALRM else "killed"
            if status == 0:
                fate = "equivalent" if why else "survived"
                survivors.append([mutant.module, line, mutated, why])
                print(f"{mutant.diff}\n{fate}: {why}\n", flush=True)
            modules[mutant.module][fate] += 1
    total = sum(modules.values(), Counter())
    share = (total["killed"] + total["timeout"]) / total.total()
    # Only now, for it imports the package, which the trials take from their copy.
    path = importlib.import_module("record").write_record(
        "mutation",
        {
            "seed": arguments.seed,
            "cosmic-ray": importlib.metadata.version("cosmic-ray"),
            "minutes": round((time.monotonic() - begun) / 60, 1),
            "mutants": total.total(),
            **total,
            "noticed": round(share, 3),
            "modules": modules,
            "survivors": survivors,
        },
    )
    print(f"{share:.1%} of {total.total()} mutants noticed; wrote {path}")
    sys.exit(share < LEAST)


if __name__ == "__main__":
    main()
