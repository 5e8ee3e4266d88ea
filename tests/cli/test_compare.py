"""``inkwise compare``."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Call


@pytest.fixture
def twins(finished: Path, tmp_path: Path) -> list[Path]:
    """A run twice."""
    return [shutil.copytree(finished, tmp_path / name) for name in ("one", "two")]


def test_compare_tells_what_may_be_concluded(call: Call, twins: list[Path], tmp_path: Path) -> None:
    result = call("compare", *twins, "--output", tmp_path / "page.html")
    assert (result.code, result.err) == (0, "")
    assert "one and two make equally many errors" in result.out
    assert "exact McNemar p = 1)" in result.out
    assert "says nothing about another training of the same recipe" in result.out
    assert "0 of 359 images did not get the same label" in result.out
    assert f"Page: {tmp_path / 'page.html'}" in result.out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_compare_refuses_in_a_line(call: Call, twins: list[Path], tmp_path: Path) -> None:
    result = call("compare", twins[0])
    assert result.code == 2
    assert result.err == "error: a comparison takes at least two runs, not 1: name more runs\n"
    result = call("compare", twins[0], tmp_path / "nowhere")
    assert result.code == 1
    assert result.err.startswith("error: there is no run at ")
    (twins[1] / "predictions.csv").unlink()
    result = call("compare", *twins)
    assert result.code == 1
    assert "has no predictions yet: run `inkwise evaluate " in result.err
