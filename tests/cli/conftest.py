"""Two ways to call the command: in this process, which is quick, and in one of its own."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inkwise import Dataset, Run, train
from inkwise.cli.main import main
from tests.shared_runs import without_report


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


@pytest.fixture(scope="session")
def oddly_named(
    animals: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    trains: None,
    matplotlib_home: None,
) -> Run:
    """A run whose path and class names look like markup and like emoji. It is shared."""
    dataset = dataclasses.replace(
        animals,
        title="bars [/red]",
        class_names=("[bold]ant", ":bee:", "cat" * 20),
        notice="[/blue] is no MNIST",
    )
    with without_report():
        path = tmp_path_factory.mktemp("odd") / "[/dim] :cat:"
        return train(dataset=dataset, epochs=1, output=path)
