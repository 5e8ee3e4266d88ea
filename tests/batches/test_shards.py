"""Shards: what they say about themselves, what does not go on with them, and how they are read."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow.parquet
import pytest

from inkwise import Tally, answer_pictures
from inkwise.batches.rows import COLUMNS, answer_row
from inkwise.errors import ArgumentError, DataError
from inkwise.model.pretrained import load_pretrained
from tests.batches.conftest import encoded, numbered, write_folder, write_tar
from tests.strokes import draw, strokes


def test_a_shard_says_what_made_it(tmp_path: Path) -> None:
    model = load_pretrained()
    answer_pictures(write_tar(tmp_path / "a.tar", 5), tmp_path / "answers", hand="europe")
    [file] = (tmp_path / "answers").glob("*.parquet")

    told = json.loads(pyarrow.parquet.read_metadata(file).metadata[b"inkwise"])

    assert told["version"] == 1
    assert told["task"] == "predict"
    assert told["options"] == {"first": False, "hand": "europe"}
    assert told["recipe"] == json.loads(json.dumps(model.provenance["recipe"]))
    assert len(told["model"]) == 64
    assert told["shard"] | {"end": 0} == {
        "piece": 0,
        "number": 0,
        "end": 0,
        "last": True,
        "pictures": 5,
        "errors": 0,
        "others": 10,
    }


OTHERWISE: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"model": strokes()}, "with another model"),
    "hand": ({"hand": "europe"}, "with other options"),
    "first": ({"first": True}, "with other options"),
    "task": ({"task": "read"}, "by another command"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_another_model_or_option_does_not_go_on(what: str, tmp_path: Path) -> None:
    changed, told = OTHERWISE[what]
    source = write_tar(tmp_path / "a.tar", 5)
    answer_pictures(source, tmp_path / "answers")

    with pytest.raises(ArgumentError, match=told):
        answer_pictures(source, tmp_path / "answers", resume=True, **changed)


def test_other_sources_do_not_go_on(tmp_path: Path) -> None:
    answer_pictures(write_tar(tmp_path / "a.tar", 5), tmp_path / "answers", model=strokes())
    other = write_tar(tmp_path / "b.tar", 5)
    with pytest.raises(ArgumentError, match="with other sources"):
        answer_pictures(other, tmp_path / "answers", model=strokes(), resume=True)


def test_a_shard_of_another_job_does_not_slip_in(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "a.tar", 5)
    answer_pictures(source, tmp_path / "mine", model=strokes())
    answer_pictures(source, tmp_path / "other", hand="europe")
    [shard] = (tmp_path / "other").glob("*.parquet")
    shutil.copy(shard, tmp_path / "mine" / shard.name)

    with pytest.raises(ArgumentError, match="with another model"):
        answer_pictures(source, tmp_path / "mine", model=strokes(), resume=True)


def test_a_folder_with_files_is_not_written_into(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "a.tar", 5)
    output = tmp_path / "answers"
    answer_pictures(source, output, model=strokes())
    with pytest.raises(ArgumentError, match="holds answers already: go on with --resume"):
        answer_pictures(source, output, model=strokes())
    shutil.rmtree(output)
    output.mkdir()
    (output / "mine.parquet").touch()
    for resume in (False, True):
        with pytest.raises(ArgumentError, match="holds other files"):
            answer_pictures(source, output, model=strokes(), resume=resume)


@pytest.mark.parametrize("name", ["_job.json", "part-000000-0000.parquet"])
def test_damaged_files_of_a_job_are_refused_in_a_line(name: str, tmp_path: Path) -> None:
    source = write_tar(tmp_path / "a.tar", 5)
    answer_pictures(source, tmp_path / "answers", model=strokes())
    file = tmp_path / "answers" / name
    content = file.read_bytes()
    for harmed in (b"", content[: len(content) // 2], b"{}", b"[]", b"PAR1" * 9):
        file.write_bytes(harmed)
        with pytest.raises(DataError, match="damaged"):
            answer_pictures(source, tmp_path / "answers", model=strokes(), resume=True)


def test_a_lost_shard_is_told_unless_it_was_the_last(tmp_path: Path, small_shards: None) -> None:
    source, output = write_tar(tmp_path / "a.tar", 30), tmp_path / "answers"
    answer_pictures(source, output, model=strokes())
    first, *_, last = sorted(output.glob("part-*"))
    last.unlink()
    assert answer_pictures(source, output, model=strokes(), resume=True) == Tally(30, 0, 60)
    first.unlink()
    with pytest.raises(DataError, match="does not follow the shard before it"):
        answer_pictures(source, output, model=strokes(), resume=True)


def test_duckdb_pandas_and_polars_read_the_same(tmp_path: Path, small_shards: None) -> None:
    pictures = {name: encoded(kind) for name, kind in numbered(30)} | {"bad.png": b"x"}
    answer_pictures(write_tar(tmp_path / "a.tar", 0, pictures), tmp_path / "out", model=strokes())
    shard_files = str(tmp_path / "out" / "*.parquet")

    by_pandas = pandas.read_parquet(tmp_path / "out", dtype_backend="pyarrow")
    by_polars = polars.read_parquet(shard_files)
    by_duckdb = duckdb.read_parquet(shard_files)

    columns = [name for name, _ in COLUMNS["predict"]]
    assert list(by_pandas.columns) == by_polars.columns == by_duckdb.columns == columns
    assert by_duckdb.fetchall() == by_polars.rows()
    assert [*by_pandas.astype(object).where(by_pandas.notna(), None).label] == [*by_polars["label"]]
    counted = by_duckdb.filter("error is null").aggregate("label, count(*)").order("label")
    assert counted.fetchall() == [("flat", 6), ("upright", 12), (None, 12)]


def test_rows_are_the_model_s_answers(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "scans", 5)
    draw("pair").save(folder / "9-pair.png")
    model = strokes()
    answer_pictures(folder, tmp_path / "out", model=model)
    for row in polars.read_parquet(str(tmp_path / "out" / "*.parquet")).to_dicts():
        [answer] = model.classify([row["file"]])
        expected = answer_row(row["file"], answer)
        assert {name for name in row if row[name] is not None} == {
            name for name, value in expected.items() if value is not None
        }
        for name, value in expected.items():
            assert row[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_numbers_have_a_row_each(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"x")
    draw("blank").save(folder / "blank.png")
    draw("pair").resize((240, 240)).save(folder / "pair.png")
    output = tmp_path / "out"

    assert answer_pictures(folder, output, task="read", marks=False).errors == 1

    table = polars.read_parquet(str(output / "*.parquet"))
    assert table.columns == [name for name, _ in COLUMNS["read"]]
    model = load_pretrained()
    by_name = {Path(row["file"]).name: row for row in table.to_dicts()}
    assert "not a picture" in by_name["bad.png"]["error"]
    assert by_name["blank.png"].pop("dropped") == []
    assert {*by_name["blank.png"].values()} == {str(folder / "blank.png"), None}
    numbers = model.read(folder / "pair.png", marks=False)
    assert [row["number"] for row in table.to_dicts() if row["file"].endswith("pair.png")] == [
        number.text for number in numbers
    ]


def test_a_model_that_is_not_of_digits_reads_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="digits 0 to 9"):
        answer_pictures(
            write_folder(tmp_path / "scans", 3), tmp_path / "out", model=strokes(), task="read"
        )
