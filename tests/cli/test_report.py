"""report: what it writes, and opening it."""

import os
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from inkwise import Run
from tests.cli.conftest import Call

BLANK = """
import types
import inkwise.report.figures as figures
from inkwise.cli.main import main
figures.drawing = types.SimpleNamespace(to_bytes=lambda _, kind: b"<svg></svg>")
figures.available_cores = lambda: 1
main()
"""
"""The command in a process of its own, without figures, which take seconds."""


def test_report_is_written_again(call: Call, run: Run) -> None:
    before = run.report_path.read_bytes()
    run.report_path.unlink()
    (run.figures_path / "loss.png").unlink()

    result = call("report", run.path, "--notebook")

    assert (result.code, result.err) == (0, "")
    assert str(run.report_path) in result.out
    assert run.report_path.read_bytes() == before
    assert (run.figures_path / "loss.png").exists()
    assert (run.path / "report.ipynb").exists()
    assert "report.ipynb" in result.out


def test_report_opens_in_the_users_browser(run: Run, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)

    subprocess.run(
        [sys.executable, "-c", BLANK, "report", run.path, "--open"],
        env={**os.environ, "BROWSER": str(browser)},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )

    assert opened.read_text().split() == [run.report_path.as_uri()]


@pytest.mark.usefixtures("blank_figures")
def test_report_says_when_no_browser_answers(
    call: Call, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)

    result = call("report", run.path, "--open")

    assert result.code == 0
    assert str(run.report_path) in result.out
    assert len(result.err.splitlines()) == 1
