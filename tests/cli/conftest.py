"""Two ways to call the command: in this process, which is quick, and in one of its own."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inkwise.cli.main import main


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str


Call = Callable[..., Result]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command in this process; any exception but its exit fails the test."""

    def in_process(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["inkwise", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        assert isinstance(code, int)
        return Result(code, *capsys.readouterr())

    return in_process


@pytest.fixture
def command(tmp_path: Path) -> Call:
    """Run the command in a process of its own, whose output goes into pipes."""

    def in_subprocess(*arguments: str | Path, **environment: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "inkwise", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return in_subprocess
