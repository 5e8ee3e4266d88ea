"""`inkwise read --grid`, `--html` and `--learn`, and `inkwise sheet`."""

import csv
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inkwise import Dataset
from tests.cli.conftest import Call
from tests.forms.test_form import three_boxes
from tests.forms.test_sheet import written_on


@pytest.fixture
def form(tmp_path: Path) -> Path:
    path = tmp_path / "form.png"
    Image.fromarray(three_boxes()).save(path)
    return path


def test_a_table_csv_and_json_say_the_same(call: Call, form: Path) -> None:
    lines = call("read", form, "--grid", "1x3").out.splitlines()
    assert lines[0].split()[1:4] == ["1x3", "1", "empty,"]
    assert lines[1].split() == ["5", ".", "8"]
    entry = json.loads(call("read", form, "--grid", "auto", "--json").out)
    rows = list(csv.DictReader(io.StringIO(call("read", form, "--grid", "auto", "--csv").out)))
    assert (entry["rows"], entry["columns"]) == (1, 3)
    for cell, row in zip(entry["cells"], rows, strict=True):
        for name in ("row", "column", "text", "verdict"):
            assert row[name] == str(cell[name])
        assert [int(row[side]) for side in ("top", "left", "bottom", "right")] == cell["box"]
    assert [cell["verdict"] for cell in entry["cells"]] == ["digit", "empty", "digit"]


def test_what_is_left_out_and_a_turn_are_told(call: Call, tmp_path: Path) -> None:
    sheet = three_boxes()
    cv2.circle(sheet, (22, 60), 2, 0, -1)
    path, page = tmp_path / "form.png", tmp_path / "form.html"
    Image.fromarray(np.rot90(sheet).copy()).save(path)
    line, row, _ = call("read", path, "--grid", "1x3", "--html", page).out.splitlines()
    assert line.endswith("turned by 270°   left out: specks")
    assert row.split() == ["5?", ".", "8"]
    entry = json.loads(call("read", path, "--grid", "1x3", "--json").out)
    assert entry["turned"] == 270
    assert [cell["dropped"] for cell in entry["cells"]] == [["specks"], [], []]
    rows = csv.DictReader(io.StringIO(call("read", path, "--grid", "1x3", "--csv").out))
    assert [(row["dropped"], row["turned"]) for row in rows] == [
        ("specks", "270"),
        ("", "270"),
        ("", "270"),
    ]
    assert page.read_text().count("; left out: specks") == 1
    assert "turned by 270°" in page.read_text()


def test_a_picture_of_a_pixel_stops_no_other(call: Call, form: Path) -> None:
    Image.new("L", (1, 1), 255).save(form.with_name("a.png"))
    Image.new("L", (2400, 1), 255).save(form.with_name("b.png"))
    done = call("read", form.parent, "--grid", "auto")
    assert done.code == 1
    assert [line.split(": ")[2][:7] for line in done.err.splitlines()] == ["no grid", "no grid"]
    assert "5 . 8" in done.out


def test_a_page_is_written_and_named(call: Call, form: Path, tmp_path: Path) -> None:
    page = tmp_path / "form.html"
    done = call("read", form, "--html", page)
    assert (done.code, done.out.splitlines()[-1]) == (0, f"Page: {page}")
    assert page.read_text().count("<input") == 3


def test_a_blank_page_and_another_grid_are_told_and_stop_no_other(
    call: Call, form: Path, tmp_path: Path
) -> None:
    Image.new("L", (200, 100), 230).save(tmp_path / "a.png")
    done = call("read", tmp_path / "a.png", form, "--grid", "auto")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "a.png: no grid" in done.err
    assert "5 . 8" in done.out
    other = call("read", form, "--grid", "4x4")
    assert (other.code, other.out, other.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    "options",
    [
        ("--grid", "9"),
        ("--grid", "auto", "--digits", "2"),
        ("--learn", "mine", "--json"),
        ("--learn", "mine", "--grid", "auto"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: tuple[str, ...], call: Call, form: Path
) -> None:
    done = call("read", form, *options)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1


def test_sheet_and_learn(call: Call, mnist: Dataset, tmp_path: Path) -> None:
    pdf = tmp_path / "sheet.pdf"
    assert call("sheet", "--rows", "2", "-o", pdf).out == f"Sheet: {pdf}\n"
    sheet, empty = written_on(mnist.test, 2, np.random.default_rng(2))
    cv2.imwrite(str(tmp_path / "photo.png"), 255 * (1 - sheet))
    done = call("read", tmp_path / "photo.png", "--learn", tmp_path / "mine")
    assert done.code == 0
    assert f"{20 - empty} pictures" in done.out
    assert f"{empty} boxes are empty" in done.out
    assert len([*(tmp_path / "mine").glob("[01]/*.png")]) == 20 - empty
    assert call("sheet", "--rows", "0", "-o", pdf).code == 2
    assert call("read", tmp_path / "photo.png", tmp_path / "no.png", "--learn", tmp_path).code == 1
