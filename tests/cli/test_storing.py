"""`inkwise predict --output` and `inkwise read --output`: answers that are stored."""

import sys
from pathlib import Path

import pandas
import pytest

from tests.batches.conftest import write_folder
from tests.cli.conftest import Call
from tests.strokes import strokes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return strokes().save(tmp_path / "strokes")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "scans", 12)


def test_a_line_says_how_many_and_where(
    call: Call, model: Path, scans: Path, tmp_path: Path
) -> None:
    output = tmp_path / "answers.parquet"
    result = call("predict", scans, "--model", model, "--output", output)
    assert result == type(result)(0, f"12 pictures in {output}\n", "")
    assert len(pandas.read_parquet(output)) == 12
    assert call("predict", scans, "--model", model, "--output", output).code == 2
    assert call("predict", scans, "--model", model, "--output", output, "--resume") == result


def test_pictures_that_cannot_be_read_are_counted_and_files_passed_over_told(
    call: Call, model: Path, scans: Path, tmp_path: Path
) -> None:
    (scans / "bad.png").write_bytes(b"x")
    for number in range(5):
        (scans / "deep" / f"note-{number}.md").write_text("note")
    result = call("predict", scans, "--model", model, "--output", tmp_path / "out")
    assert result.code == 1
    assert result.out.endswith("out, of which 1 could not be read\n")
    [line] = result.err.splitlines()
    assert line.startswith(f"5 files in {scans} are no pictures, passed over: deep/note-")
    assert line.endswith(", …")


def test_numbers_are_stored(call: Call, scans: Path, tmp_path: Path) -> None:
    result = call("read", scans, "--output", tmp_path / "out", "--digits", "1")
    assert (result.code, result.err) == (0, "")
    assert pandas.read_parquet(tmp_path / "out").file.nunique() == 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["predict", "x", "--resume"], "add --output"),
        (["predict", "x", "--engine", "ray"], "add --output"),
        (["read", "x", "--address", "auto"], "add --output"),
        (["predict", "x", "--output", "y", "--csv"], "choose one"),
        (["read", "x", "--output", "y", "--json"], "choose one"),
        (["predict", "x", "--output", "y", "--address", "auto"], "add --engine ray"),
        (["read", "x", "--output", "y", "--grid", "auto"], "--output are not for forms"),
        (["read", "x", "--output", "y", "--learn", "z"], "--output are not for forms"),
        (["predict", "x", "--output", "y", "--engine", "dask"], "use here or ray"),
    ],
)
def test_options_that_make_no_sense_together_are_one_line(
    arguments: list[str], told: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert (result.code, result.out) == (2, "")
    [line] = result.err.splitlines()
    assert told in line
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize(
    ("module", "arguments", "told"),
    [
        ("pyarrow", [], "needs PyArrow: pip install 'inkwise[parquet]'"),
        ("ray", ["--engine", "ray"], "needs Ray: pip install 'inkwise[scale]'"),
    ],
)
def test_a_missing_library_is_one_line(
    module: str,
    arguments: list[str],
    told: str,
    call: Call,
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = call("predict", scans, "--output", tmp_path / "y", *arguments)
    assert (result.code, result.out) == (1, "")
    assert told in result.err
    assert not (tmp_path / "y").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    ["auto", "nonsense", "localhost:9", "ray://localhost:9", "localhost:99999", "x" * 99 + ":1"],
)
def test_an_address_without_a_cluster_is_one_line(
    address: str, call: Call, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    job = ["predict", scans, "--output", tmp_path / "y", "--engine", "ray", "--address", address]
    result = call(*job)
    assert (result.code, result.out) == (1, "")
    [line] = result.err.splitlines()
    assert line.startswith(f"error: there is no Ray at {address}: ")
