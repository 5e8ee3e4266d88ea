"""A disk that fills up: a clear line, what is finished stays, and the same command goes on."""

import random
from pathlib import Path

import pandas
import pyarrow.parquet
import pytest

from tests.batches.conftest import encoded, write_tar
from tests.full_disk import run_on_a_full_disk
from tests.strokes import strokes

pytestmark = pytest.mark.slow


def modified(folder: Path) -> dict[str, int]:
    """Return when each file below a folder was written."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("command", ["predict", "read"])
def test_whole_shards_stay_and_the_job_goes_on(command: str, tmp_path: Path) -> None:
    drawn = random.Random(0)  # noqa: S311 - names that do not compress
    for number, pictures in enumerate((3, 3, 150, 3)):
        names = [f"{drawn.getrandbits(320):080x}.png" for _ in range(pictures)]
        write_tar(tmp_path / f"{number}.tar", 0, {name: encoded("blank") for name in names})
    options: list[str | Path] = []
    if command == "predict":
        options = ["--model", strokes().save(tmp_path / "strokes")]
    answers = tmp_path / "scratch" / "disk" / "answers"
    job: list[str | Path] = [command, tmp_path / "*.tar", *options, "--output", answers]

    full, later = run_on_a_full_disk(
        tmp_path / "scratch", job, [*job, "--resume"], size=32, file=10
    )

    assert full.code == 1
    assert full.out == ""
    [line] = full.err.splitlines()
    assert line.startswith(f"error: cannot write {answers}/part-000002-0000.parquet: ")
    shards = {path.name: path for path in (full.left / "answers").glob("part-*")}
    assert sorted(shards) == ["part-000000-0000.parquet", "part-000001-0000.parquet"]
    assert all(pyarrow.parquet.read_table(path).num_rows == 3 for path in shards.values())
    assert not [*(full.left / "answers").glob(".*")]  # no part of the one that did not fit

    assert (later.code, later.err) == (0, "")
    assert later.out.startswith(f"159 pictures in {answers};")
    rows = pandas.read_parquet(later.left / "answers")
    assert len(rows) == rows.file.nunique() == 159
    before, after = modified(full.left / "answers"), modified(later.left / "answers")
    assert before.items() <= after.items()


@pytest.mark.usefixtures("trains")
def test_finished_trials_stay_and_the_sweep_goes_on(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'epochs = 1\nnetwork = [{layer = "flatten"}, {layer = "dense", units = 4}, '
        '{layer = "dense"}]\n'
    )
    folder = tmp_path / "scratch" / "disk" / "sweep"
    command: list[str | Path] = [
        *("sweep", tmp_path / "mine.toml", "--data", archive, "--at-once", "1"),
        *("--vary", "network.1.units=2,400", "--sampler", "grid", "--best", "0", "-o", folder),
    ]

    full, later = run_on_a_full_disk(tmp_path / "scratch", command, command, size=1000, file=200)

    assert full.code == 1
    _, told, line = full.err.splitlines()  # the first is of the data
    assert told.startswith("trial 0: network.1.units 2; complete")
    assert line.startswith(f"error: cannot write {folder}/trials/001/")
    trials = full.left / "sweep" / "trials"
    assert (later.code, later.err.count("\n")) == (0, 2)
    assert "2 trials: 2 trained to the end." in later.out
    before, after = modified(trials / "000"), modified(later.left / "sweep" / "trials" / "000")
    assert before == after
