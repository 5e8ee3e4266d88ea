"""Run the example of every public name, in one folder, as one would type them in turn.

The first two leave runs behind that the others use.
"""

import doctest
import inspect
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import inkwise

FIRST = ["train", "resume"]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def main() -> int:
    """Run all examples; return how many failed, or the name that has none."""
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    missing: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        home = Path.cwd()
        os.chdir(scratch)
        try:
            for name in [*FIRST, *(name for name in inkwise.__all__ if name not in FIRST)]:
                value = getattr(inkwise, name)
                tests = [
                    test
                    for member in (value, *_members(value))
                    for test in finder.find(member, name, globs={})
                    if test.examples
                ]
                if not any("inkwise." in e.source for test in tests for e in test.examples):
                    missing.append(name)
                for test in tests:
                    runner.run(test)
        finally:
            os.chdir(home)
    results = runner.summarize(verbose=False)
    print(f"{results.attempted} lines of examples, {results.failed} wrong")
    for name in missing:
        print(f"inkwise.{name} has no example in its docstring")
    return 1 if results.failed or missing else 0


def _members(value: Any) -> list[Any]:
    """Return the methods of a public class that are its own."""
    if not inspect.isclass(value):
        return []
    return [m for n, m in vars(value).items() if inspect.isfunction(m) and not n.startswith("_")]


if __name__ == "__main__":
    sys.exit(main())
