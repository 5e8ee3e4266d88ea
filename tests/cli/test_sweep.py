"""``inkwise sweep``: on a small data set, killed in the middle, refused."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inkwise import Run
from tests.cli.conftest import Call

OPTIONS = (
    *("sweep", "perceptron", "--set", "epochs=2", "--at-once", "1"),
    *("--vary", "optimiser.learning_rate=log:1e-3..1e-1", "--trials", "3"),
    *("--best", "1", "--seeds", "1"),
)

# Dies, as by a power cut, when so many files have been brought to the disk.
KILL = """
import os, signal, sys
flush, left = os.fsync, [int(sys.argv.pop(1))]
def die(file):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(file)
os.fsync = die
from inkwise.cli.main import main
main()
"""


@pytest.mark.usefixtures("unreported")
def test_a_sweep_is_told_and_goes_on_after_kill_9(
    call: Call, archive: Path, tmp_path: Path
) -> None:
    options = (*OPTIONS, "--data", archive)
    whole = call(*options, "-o", tmp_path / "whole")
    assert whole.code == 0, whole.err
    assert [line.partition(":")[0] for line in whole.err.splitlines() if "trial " in line] == [
        "trial 0",
        "trial 1",
        "trial 2",
    ]
    assert "3 trials: 3 trained to the end." in whole.out
    assert "over images" in whole.out
    assert f"Page: {tmp_path / 'whole' / 'sweep.html'}" in whole.out

    killed = subprocess.run(
        [sys.executable, "-c", KILL, "33", *options, "-o", str(tmp_path / "killed")],
        env={**os.environ},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    begun = [Run(path).history for path in sorted((tmp_path / "killed" / "trials").iterdir())]
    assert begun
    again = call(*options, "-o", tmp_path / "killed")

    assert again.code == 0, again.err
    assert again.out.replace("killed", "whole") == whole.out
    # What was trained before the kill was not trained again.
    for number, history in enumerate(begun):
        run = Run(tmp_path / "killed" / "trials" / f"{number:03}")
        assert run.history[: len(history)] == history


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "a sweep varies something: name it, such as --vary optimiser.learning_rate="),
        (("--vary", "epochs"), "--vary epochs is not of the form KEY=VALUES: write 0.1..0.5, "),
        (("--vary", "epochs=1..3"), "must be a whole number, not 1.0; write int:"),
        (("--vary", "epoch=1,3"), "did you mean 'epochs'?"),
        (("--vary", "epochs=1,3", "--sampler", "gird"), "did you mean 'grid'?"),
    ],
)
def test_a_sweep_is_refused_in_a_line(
    call: Call, options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    result = call("sweep", "--dataset", "optdigits", *options, "-o", tmp_path / "sweep")
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert told in result.err
    assert not (tmp_path / "sweep").exists()


def test_without_optuna_it_says_what_to_install(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = call("sweep", "--vary", "epochs=1,2")
    assert result.code == 1
    assert result.err == "error: a sweep needs Optuna: pip install 'inkwise[sweep]'\n"


@pytest.mark.usefixtures("unreported")
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(
    call: Call, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*OPTIONS, "--data", archive)

    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("inkwise.runs.directory.Run.save_checkpoint", press_ctrl_c)
        result = call(*options, "-o", tmp_path / "sweep")
    assert result.code == 130
    assert result.out == "Interrupted. The same command goes on where this one was.\n"
    assert call(*options, "-o", tmp_path / "sweep").code == 0
