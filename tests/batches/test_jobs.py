"""Many pictures: every kind of source, shards, and going on after any end."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from inkwise import Progress, Tally, answer_pictures
from inkwise.batches import jobs, shards
from inkwise.batches.shards import find_shards
from inkwise.errors import ArgumentError, DataError, InkwiseError
from tests.batches.conftest import (
    LABELS,
    encoded,
    numbered,
    rows,
    write_folder,
    write_parquet,
    write_tar,
)
from tests.strokes import draw, strokes

COUNT = 47


def write_list(path: Path, end: bytes) -> Path:
    folder = write_folder(path.parent / "listed", COUNT)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    path.write_bytes(b"".join(os.fsencode(file) + end for file in files))
    return path


SOURCES = {
    "folder": lambda tmp: [write_folder(tmp / "scans", COUNT)],
    "pattern": lambda tmp: [write_folder(tmp / "scans", COUNT) / "**" / "*.png"],
    "lines": lambda tmp: [write_list(tmp / "list.txt", b"\n")],
    "lines of Windows": lambda tmp: [write_list(tmp / "list.txt", b"\r\n")],
    "find -print0": lambda tmp: [write_list(tmp / "list.txt", b"\0")],
    "tar": lambda tmp: [write_tar(tmp / "scans.tar", COUNT)],
    "parquet": lambda tmp: [write_parquet(tmp / "scans.parquet", COUNT)],
    "hugging face": lambda tmp: [write_parquet(tmp / "hf.parquet", COUNT, hugging_face=True)],
    "one group of rows": lambda tmp: [write_parquet(tmp / "one.parquet", COUNT, group=COUNT)],
}


def kinds_in_order(names: list[str]) -> list[str]:
    """Return what each row should show: names tell it, but those of tables are numbers."""
    in_tables = [kind for _, kind in numbered(COUNT)]
    return [
        Path(name).stem.rpartition("-")[2]
        if name.endswith("png")
        else in_tables[int(Path(name).name)]
        for name in names
    ]


@pytest.mark.parametrize("kind", SOURCES)
def test_every_picture_of_every_kind_of_source_has_its_answer_once(
    kind: str, tmp_path: Path, small_shards: None
) -> None:
    sources = SOURCES[kind](tmp_path)

    tally = answer_pictures(sources, tmp_path / "answers.parquet", model=strokes())

    answered = rows(tmp_path / "answers.parquet")
    names = [row["file"] for row in answered]
    assert len(set(names)) == len(names) == COUNT == tally.pictures
    assert tally.errors == 0
    assert tally.others == (2 * COUNT if kind == "tar" else 0)
    expected = [LABELS[shown] for shown in kinds_in_order(names)]
    assert [row["label"] if isinstance(row["label"], str) else None for row in answered] == expected
    assert len([*find_shards(str(tmp_path / "answers.parquet"))]) >= 4


class Stopped(BaseException):
    """Stands for the end of a process; nothing catches it."""


@contextlib.contextmanager
def stopping_at(monkeypatch: pytest.MonkeyPatch, shard: int) -> Iterator[None]:
    """End the job when it is about to write a shard."""
    left = [shard]
    write = shards.write_shard

    def stop(*arguments: Any) -> None:
        if left[0] == 0:
            raise Stopped
        left[0] -= 1
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "write_shard", stop)
        with contextlib.suppress(Stopped):
            yield
    assert left[0] == 0


@pytest.mark.parametrize("kind", SOURCES)
def test_a_job_goes_on_behind_any_of_its_shards(
    kind: str, tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, model = SOURCES[kind](tmp_path), strokes()
    answer_pictures(sources, tmp_path / "whole", model=model)
    whole = rows(tmp_path / "whole")
    for stop in (0, 2) if kind == "folder" else (2,):
        output = tmp_path / f"stopped-{stop}"
        with stopping_at(monkeypatch, stop):
            answer_pictures(sources, output, model=model)
        before = {file: file.stat().st_mtime_ns for file in output.glob("part-*")}
        assert len(before) == stop

        tally = answer_pictures(sources, output, model=model, resume=True)

        by_name = sorted(rows(output), key=lambda row: row["file"])
        assert str(by_name) == str(sorted(whole, key=lambda row: row["file"]))
        assert tally.pictures == COUNT
        assert {file: file.stat().st_mtime_ns for file in before} == before


def test_going_on_with_what_is_finished_does_nothing(tmp_path: Path, small_shards: None) -> None:
    source, output = write_tar(tmp_path / "scans.tar", 20), tmp_path / "answers"
    first = answer_pictures(source, output, model=strokes(), resume=True)
    before = {file: file.stat().st_mtime_ns for file in output.iterdir()}

    assert answer_pictures(source, output, model=strokes(), resume=True) == first
    assert {file: file.stat().st_mtime_ns for file in output.iterdir()} == before


@pytest.mark.parametrize("kind", ["folder", "lines"])
def test_relative_paths_are_gone_on_with_from_the_same_folder_only(
    kind: str, tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (absolute,) = SOURCES[kind](tmp_path)
    monkeypatch.chdir(tmp_path)
    source, output = absolute.relative_to(tmp_path), tmp_path / "answers"
    if kind == "lines":
        source.write_text(source.read_text().replace(f"{tmp_path}/", ""))
        source = absolute
    with stopping_at(monkeypatch, 2):
        answer_pictures(source, output, model=strokes())

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(ArgumentError, match=f"was begun in {tmp_path}, where .* go on from there"):
        answer_pictures(source, output, model=strokes(), resume=True)
    monkeypatch.chdir(tmp_path)
    tally = answer_pictures(source, output, model=strokes(), resume=True)
    assert (tally.pictures, tally.errors) == (COUNT, 0)


def test_a_folder_may_grow_or_shrink_while_its_job_is_stopped(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = write_folder(tmp_path / "scans", 30), tmp_path / "answers"
    with stopping_at(monkeypatch, 1):
        answer_pictures(folder, output, model=strokes())
    draw("flat").save(folder / "later.png")
    gone = Path(sorted(_listed(output) - {row["file"] for row in rows(output)})[0])
    gone.unlink()

    tally = answer_pictures(folder, output, model=strokes(), resume=True)

    assert tally == Tally(30, 1, 0)
    [error] = [row for row in rows(output) if isinstance(row["error"], str)]
    assert error["file"] == str(gone)
    assert "later.png" not in str(rows(output))


def _listed(output: Path) -> set[str]:
    return set((output / "_pictures").read_text().split("\0")[:-1])


# --- pictures that cannot be read ---


def test_a_bad_picture_is_a_row_with_its_error(tmp_path: Path) -> None:
    pictures = {"a.png": encoded("flat"), "b.png": b"seven", "c.png": encoded("flat")[:100]}
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, content in pictures.items():
        (folder / name).write_bytes(content)
    tar = write_tar(tmp_path / "scans.tar", 0, pictures)
    for source in (folder, tar):
        output = tmp_path / f"{source.name}-answers"

        assert answer_pictures(source, output, model=strokes())[:2] == (3, 2)

        errors = {Path(row["file"]).name: row["error"] for row in rows(output)}
        assert errors["a.png"] is None or errors["a.png"] != errors["a.png"]
        assert errors["b.png"].startswith(f"{source}/b.png is not a picture: ")
        assert errors["c.png"].startswith(f"{source}/c.png is damaged")


def test_empty_cells_of_a_table_are_errors_of_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "scans.parquet"
    table = pyarrow.table({"image": [encoded("flat"), None, b"", encoded("upright")]})
    pyarrow.parquet.write_table(table, path)

    assert answer_pictures(path, tmp_path / "answers", model=strokes()) == Tally(4, 2, 0)
    told = [row["error"] for row in rows(tmp_path / "answers")]
    assert all("the cell is empty" in error for error in told[1:3])


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("harm", ["cut", "zeros", "noise"])
def test_a_damaged_tar_tells_where_and_what_is_before_it_is_answered(
    share: float, harm: str, tmp_path: Path, small_shards: None
) -> None:
    path = write_tar(tmp_path / "scans.tar", COUNT)
    content = bytearray(path.read_bytes())
    place = int(len(content) * share) // 512 * 512
    if harm == "cut":
        content = content[: place + 100]
    else:
        content[place : place + 8192] = bytes(8192) if harm == "zeros" else os.urandom(8192)
    path.write_bytes(content)
    good = write_tar(tmp_path / "good.tar", 5)

    tally = answer_pictures([path, good], tmp_path / "answers", model=strokes())

    answered = rows(tmp_path / "answers")
    names = [row["file"] for row in answered]
    assert len(set(names)) == len(names) == tally.pictures
    assert sum(name.startswith(str(good)) for name in names) == 5  # the other is not stopped
    if tally.pictures < COUNT + 5:  # otherwise only bytes of a picture, or behind the last
        told = [row["error"] for row in answered if row["file"] == str(path)]
        assert len(told) == 1
        assert "is damaged behind byte" in told[0]


def test_a_source_that_changed_is_not_gone_on_with(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source, write in (("a.tar", write_tar), ("a.parquet", write_parquet)):
        path, output = write(tmp_path / source, 30), tmp_path / f"{source}-answers"
        with stopping_at(monkeypatch, 1):
            answer_pictures(path, output, model=strokes())
        write(path, 17)
        with pytest.raises(DataError, match="has changed since the job was begun"):
            answer_pictures(path, output, model=strokes(), resume=True)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"id": [1]}, "no column of pictures' bytes (id)"),
        ({"a": [b"x"], "b": [b"x"]}, "several columns of pictures (a, b)"),
    ],
)
def test_a_table_without_one_column_of_pictures_is_refused(
    columns: dict[str, list[Any]], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "scans.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(DataError) as caught:
        answer_pictures(path, tmp_path / "answers")
    assert told in str(caught.value)
    assert not (tmp_path / "answers").exists()


# --- what may go wrong ---


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"hand": "asia"}, "hand"),
        ({"digits": 3}, "predict has no option digits"),
        ({"task": "read", "hand": "any"}, "read has no option hand"),
        ({"task": "read", "check": "sum"}, "check"),
        ({"task": "guess"}, "there is no task"),
        ({"engine": "spark"}, "there is no engine"),
    ],
)
def test_arguments_are_checked_before_anything_is_written(
    arguments: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=told):
        answer_pictures(write_folder(tmp_path / "scans", 1), tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("empty", "there is no picture in .*empty"),
        ("empty.txt", "there is no picture in .*empty.txt"),
        ("*.nothing", "no file's name matches"),
        ("packed.tar.gz", "is compressed"),
        ("mistyped", "cannot read .*mistyped: there is no such file or folder"),
        ("mistyped.tar", "cannot read .*mistyped.tar"),
        ("mistyped.tif#2", "cannot read .*mistyped.tif#2"),
    ],
)
def test_sources_without_pictures_are_refused_in_a_line(
    name: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for file in ("empty.txt", "packed.tar.gz"):
        (tmp_path / file).touch()
    with pytest.raises(InkwiseError, match=told):
        answer_pictures(tmp_path / name, tmp_path / "out", model=strokes())
    assert not (tmp_path / "out").exists()


def test_an_output_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="name a folder"):
        answer_pictures(write_tar(tmp_path / "a.tar", 3), "", model=strokes())


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    source, output = write_tar(tmp_path / "a.tar", 3), tmp_path / "out"
    answer_pictures(source, output, model=strokes())
    (output / ".part-000000-0001.parquet.0123.tmp").write_bytes(b"half")
    answer_pictures(source, output, model=strokes(), resume=True)
    assert not [*output.glob(".*")]


def test_progress_tells_the_rate_and_how_many_there_will_be(
    tmp_path: Path, small_shards: None
) -> None:
    told: list[tuple[str, int, int]] = []

    class Told(Progress):
        def step(self, what: str, done: int = 0, total: int = 0) -> None:
            told.append((what, done, total))

    answer_pictures(
        write_tar(tmp_path / "a.tar", 47), tmp_path / "out", model=strokes(), progress=Told()
    )
    counts = [done for _, done, _ in told]
    assert counts == sorted(counts)
    assert told[-1][1:] == (47, 47)
    assert all("/s" in what for what, _, _ in told)
    assert all(40 <= total <= 57 for _, done, total in told if done > 4)  # an estimate


def test_names_that_are_no_text_are_answered_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in (b"caf\xe9.png", b"line\nbreak.png", b"*[a].png"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(encoded("flat"))

    assert answer_pictures(folder, tmp_path / "out", model=strokes()) == Tally(3, 0, 0)
    names = {Path(row["file"]).name for row in rows(tmp_path / "out")}
    assert names == {"caf\\udce9.png", "line\nbreak.png", "*[a].png"}


def test_every_page_of_a_file_is_a_row(tmp_path: Path) -> None:
    pages = [draw(kind) for kind in ("flat", "upright", "flat")]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    answer_pictures(tmp_path / "scan.tif", tmp_path / "out", model=strokes())
    names = [row["file"] for row in rows(tmp_path / "out")]
    assert [Path(name).name for name in names] == ["scan.tif", "scan.tif#2", "scan.tif#3"]
    answer_pictures(tmp_path / "scan.tif", tmp_path / "first", model=strokes(), first=True)
    assert len(rows(tmp_path / "first")) == 1
