"""`inkwise read`: numbers in files, and a line for each."""

import csv
import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkwise import Dataset
from tests.cli.conftest import Call
from tests.reading.test_numbers import written


@pytest.fixture
def pictures(mnist: Dataset, tmp_path: Path) -> Path:
    """A column of two numbers, a single number, and blank paper."""
    digits = mnist.train.take(np.arange(57_000, 60_000))
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(written(digits, "402", "73", seed=1)[0]).save(folder / "1-column.png")
    Image.fromarray(written(digits, "40213", seed=2)[0]).save(folder / "2-number.png")
    Image.new("L", (90, 60), 255).save(folder / "3-blank.png")
    return folder


def test_a_line_a_number(call: Call, pictures: Path) -> None:
    done = call("read", pictures)
    lines = [line.split()[:2] for line in done.out.splitlines()]
    assert done.code == 0
    assert [text for _, text in lines] == ["402", "73", "40213", "no"]
    assert [Path(name).name[0] for name, _ in lines] == ["1", "1", "2", "3"]


def test_an_unsure_number_says_so(call: Call, pictures: Path) -> None:
    file = pictures / "2-number.png"
    unsure, sure = (call("read", file, "--digits", digits).out for digits in ("7", "5"))
    assert "unsure" in unsure.replace(str(file), "")
    assert "unsure" not in sure.replace(str(file), "")


def test_json_and_csv_say_the_same(call: Call, pictures: Path) -> None:
    entries = [json.loads(line) for line in call("read", pictures, "--json").out.splitlines()]
    rows = list(csv.DictReader(io.StringIO(call("read", pictures, "--csv").out)))
    assert [len(entry["numbers"]) for entry in entries] == [2, 1, 0]
    numbers = [(entry["file"], number) for entry in entries for number in entry["numbers"]]
    for (file, number), row in zip(numbers, rows[:3], strict=True):
        assert row["file"] == file
        assert row["number"] == number["text"] == "".join(d["label"] for d in number["digits"])
        assert float(row["probability"]) == number["probability"]
        assert row["verdict"] == number["verdict"]
        assert [int(row[side]) for side in ("top", "left", "bottom", "right")] == number["box"]
    assert rows[3]["file"] == entries[2]["file"]
    assert not any(value for name, value in rows[3].items() if name != "file")


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
def test_a_damaged_picture_is_told_and_stops_no_other(
    form: tuple[str, ...], call: Call, pictures: Path
) -> None:
    (pictures / "0-cut.png").write_bytes((pictures / "1-column.png").read_bytes()[:90])
    done = call("read", pictures / "0-cut.png", pictures / "1-column.png", *form)
    assert done.code == 1
    assert "0-cut.png" in done.out + done.err
    assert "402" in done.out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_read_and_not_waited_for_again(
    command: Call, call: Call, pictures: Path, tmp_path: Path
) -> None:
    picture = pictures / "2-number.png"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(picture.read_bytes(),), daemon=True)
    writer.start()
    done = command("read", pipe)  # in a process of its own, that would be stopped if it waited
    assert done.code == 0
    assert done.out == call("read", picture).out.replace(str(picture), str(pipe))


@pytest.mark.parametrize(
    "options",
    [("--check", "sum"), ("--pattern", "ab"), ("--digits", "0"), ("--json", "--csv")],
)
def test_options_that_make_no_sense_are_refused(
    options: tuple[str, ...], call: Call, pictures: Path
) -> None:
    done = call("read", pictures, *options)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
