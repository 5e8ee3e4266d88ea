"""The figures' files: the same, whichever process draws them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inkwise import Run
from inkwise.report.figures import SecondProcess

NAMES = {
    *("accuracy", "loss", "confusion", "per-class", "samples", "misclassified"),
    *("reliability", "confidence", "roc", "precision-recall", "selective"),
}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def report_in_a_fresh_process(run: Run, before: str = "") -> dict[str, bytes]:
    """Write a run's report where nothing has imported matplotlib, and return its figures."""
    shutil.rmtree(run.figures_path)
    script = (
        f"import inkwise, inkwise.report.figures, sys\n{before}\ninkwise.write_report(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", script, run.path], check=True, timeout=120)
    return files(run.figures_path)


ALONE = "inkwise.report.figures.available_cores = lambda: 1"
TOGETHER = """
inkwise.report.figures.available_cores = lambda: 2
finish = inkwise.report.figures.SecondProcess.finish
def finish_well(self):
    assert finish(self)
    return True
inkwise.report.figures.SecondProcess.finish = finish_well
"""
FAILING = """
import types
inkwise.report.figures.drawing = types.SimpleNamespace(to_bytes=lambda _, kind: b"<svg></svg>")
inkwise.report.figures.available_cores = lambda: 2
inkwise.report.figures.sys = type("", (), {"executable": %r, "modules": {}, "path": []})
"""


def test_two_processes_draw_what_one_does(run: Run) -> None:
    alone = report_in_a_fresh_process(run, ALONE)
    assert {Path(name).stem for name in alone} >= NAMES
    assert {Path(name).suffix for name in alone} == {".png", ".svg"}
    assert report_in_a_fresh_process(run, TOGETHER) == alone


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
def test_one_process_draws_all_where_the_other_fails(run: Run, program: str) -> None:
    drawn = report_in_a_fresh_process(run, FAILING % program)
    assert {Path(name).stem for name in drawn} >= NAMES


def test_a_second_process_without_an_evaluation_to_show_ends(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(run.figures_path)
    monkeypatch.setattr("inkwise.report.figures.available_cores", lambda: 2)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    with SecondProcess(run) as second:
        pass
    assert second.finish()
    assert {path.stem for path in run.figures_path.iterdir()} == {"accuracy", "loss"}


def test_there_is_no_second_process_where_it_would_be_of_no_use(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(run.figures_path)
    monkeypatch.setattr("inkwise.report.figures.available_cores", lambda: 2)
    monkeypatch.setitem(sys.modules, "matplotlib", sys)  # which may have been set up
    with SecondProcess(run) as second:
        assert not second.finish()
    monkeypatch.delitem(sys.modules, "matplotlib")
    monkeypatch.setattr("inkwise.report.figures.available_cores", lambda: 1)
    with SecondProcess(run) as second:
        assert not second.finish()
    assert not run.figures_path.exists()
