"""info: what it tells of a run."""

from pathlib import Path

import pytest

from inkwise import Run
from tests.cli.conftest import Call


def test_info_on_a_complete_run(call: Call, finished: Path) -> None:
    result = call("info", finished)

    run = Run(finished)
    assert (result.code, result.err) == (0, "")
    assert "complete, 2 of 2 epochs" in result.out
    assert "93,322" in result.out
    assert all(str(epoch) in result.out for epoch in run.history)
    assert f"Accuracy {run.evaluation.accuracy.value:.2%}" in result.out
    assert str(run.report_path) in result.out


def test_info_on_an_interrupted_run(call: Call, stopped: Path) -> None:
    result = call("info", stopped)

    assert (result.code, result.err) == (0, "")
    assert "interrupted, 1 of 3 epochs" in result.out
    assert str(Run(stopped).history[0]) in result.out
    assert "Accuracy" not in result.out


def test_info_on_a_run_that_has_only_begun(call: Call, stopped_run: Run) -> None:
    (stopped_run.path / "history.csv").unlink()
    stopped_run.set_status("unfinished")

    result = call("info", stopped_run.path)

    assert (result.code, result.err) == (0, "")
    assert "unfinished, 0 of 3 epochs" in result.out


@pytest.mark.usefixtures("blank_figures")
def test_paths_and_titles_are_shown_as_they_are(call: Call, oddly_named: Run) -> None:
    report, info = call("report", oddly_named.path), call("info", oddly_named.path)

    assert (info.code, report.code) == (0, 0)
    assert "bars [/red]" in info.out
    assert "[/blue] is no MNIST\n" in info.out
    assert f"{oddly_named.report_path}\n" in info.out
    assert f"{oddly_named.report_path}\n" in report.out
