"""`inkwise predict`: pictures in files, and a line for each."""

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkwise import Model, Run
from inkwise.errors import InkwiseError
from inkwise.ink.sources import find_pictures
from inkwise.model.pretrained import load_pretrained
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from tests.cli.conftest import Call
from tests.mixed import BROKEN, NO_PICTURES, PAGED, PAGES, SINGLE, write_mixed
from tests.strokes import draw, strokes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return strokes().save(tmp_path / "strokes")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """An upright stroke, a flat one, a plus, a cross and blank paper, in this order."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [
        folder / f"{number}-{kind}.png"
        for number, kind in enumerate(("upright", "flat", "plus", "cross", "blank"))
    ]
    for path in paths:
        draw(path.stem[2:]).save(path)
    return paths


@pytest.fixture
def bad(tmp_path: Path) -> list[Path]:
    """Files that are no pictures, and a folder without any."""
    (tmp_path / "empty").mkdir()
    cut, text = tmp_path / "cut.png", tmp_path / "text"
    draw("plus").save(cut)
    cut.write_bytes(cut.read_bytes()[:100])
    text.write_text("seven")
    return [cut, text, tmp_path / "empty", tmp_path / "nowhere.png", tmp_path / "*.nothing"]


# --- a folder as people have them ---


def test_everything_in_a_mixed_folder_is_answered_or_told(
    call: Call, model: Path, tmp_path: Path
) -> None:
    folder = write_mixed(tmp_path / "mixed", lambda _: draw("flat"))
    result = call("predict", "--model", model, "--json", folder, folder / "inner" / "deeper")
    told = [json.loads(line) for line in result.out.splitlines()]
    labels = {Path(entry["file"]).relative_to(folder).as_posix(): entry for entry in told}
    pages = [f"{name}#{page}" for name in PAGED for page in range(2, PAGES + 1)]
    assert labels.keys() == {*SINGLE, *PAGED, *pages, *BROKEN}
    assert all(labels[name]["error"] for name in BROKEN)
    assert {labels[name]["label"] for name in (*SINGLE, *PAGED, *pages)} == {"flat"}
    assert result.code == 1
    passed = f"In {folder}, {len(NO_PICTURES)} files that are no pictures"
    assert passed in result.err
    assert "2 folders (inner/, nothing in it/) are passed over" in result.err
    assert len(result.err.splitlines()) == 1


# --- lines ---


def test_a_line_a_picture_with_label_probability_and_verdict(
    call: Call, model: Path, pictures: list[Path]
) -> None:
    upright, flat, plus, *_ = strokes().classify(pictures)

    result = call("predict", "--model", model, *pictures)

    assert (result.code, result.err) == (0, "")
    second = f"{plus.top[1][0]} ({plus.top[1][1]:.3f})"
    shown = (
        f"upright   ({upright.probability:.3f})",
        f"flat   ({flat.probability:.3f})",
        f"upright   ({plus.probability:.3f})   unsure, or {second}",
        "not a digit",
        "not a digit",
    )
    width = len(str(pictures[0]))
    assert result.out.splitlines() == [
        f"{path!s:{width}}   {told}" for path, told in zip(pictures, shown, strict=True)
    ]


def test_one_picture_is_one_line(call: Call, model: Path, pictures: list[Path]) -> None:
    for path, label in zip(pictures, ("upright", "flat", "upright", None, None), strict=True):
        result = call("predict", path, "--model", model)

        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"{path}   {label or 'not a digit'}")
        assert result.out.count("\n") == 1


def test_a_name_is_in_a_line_of_its_own_and_gives_no_orders(
    call: Call, model: Path, tmp_path: Path
) -> None:
    name = str(tmp_path / "\x1b[31m red\n.png")
    draw("flat").save(name)

    lines = call("predict", name, name[:-1], "--model", model)
    assert lines.out.startswith(f"{tmp_path}/?[31m red?.png   flat   (")
    assert (lines.out.count("\n"), lines.err.count("\n")) == (1, 1)
    assert f"{tmp_path}/?[31m red?.pn" in lines.err

    entries = call("predict", name, "--model", model, "--json").out.splitlines()
    assert [json.loads(entry)["file"] for entry in entries] == [name]
    table = call("predict", name, "--model", model, "--csv").out
    assert [row["file"] for row in csv.DictReader(io.StringIO(table, newline=""))] == [name]
    _, row = at_a_terminal(name, "--model", model, "--csv")
    assert f"{tmp_path}/?[31m red?.png" in row

    refused = call("predict", name, "--model", f"{tmp_path}/\x1b]0;no\x07\nmodel")
    assert f"{tmp_path}/?]0;no??model" in refused.err
    assert (refused.code, refused.err.count("\n")) == (1, 1)


def test_folders_and_patterns_are_the_pictures_in_them(
    call: Call, model: Path, pictures: list[Path]
) -> None:
    expected = call("predict", "--model", model, *pictures)

    assert call("predict", "--model", model, pictures[0].parent) == expected
    assert call("predict", "--model", model, pictures[0].parent / "*.png") == expected


def test_a_picture_can_come_through_standard_input(
    call: Call, model: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    give(pictures[1].read_bytes())
    assert call("predict", "-", "--model", model).out.startswith("-   flat   (")
    give(pictures[1].read_bytes())
    result = call("predict", pictures[0], "-", "--model", model, "--json")
    assert [json.loads(line)["label"] for line in result.out.splitlines()] == ["upright", "flat"]

    for content in (b"", b"seven"):
        give(content)
        result = call("predict", "-", "--model", model)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("error: standard input: ")
        assert result.err.count("\n") == 1


def test_without_end_standard_input_is_no_picture(
    call: Call, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.cli.predict.LARGEST", 1000)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes(1001))))

    result = call("predict", "-", "--model", model)

    assert (result.code, result.out) == (1, "")
    told = "error: standard input: there are more than 1,000 bytes: send a smaller picture\n"
    assert result.err == told


@pytest.mark.parametrize(
    ("arguments", "closed", "code", "told"),
    [
        ("-", "<&-", 1, "error: standard input: it is closed: send a picture, or name a file\n"),
        ("0-upright.png", ">&-", 0, ""),
        ("0-upright.png --csv", ">&-", 0, ""),
    ],
)
def test_a_closed_standard_stream_is_no_trouble(
    arguments: str, closed: str, code: int, told: str, model: Path, pictures: list[Path]
) -> None:
    line = f'"$0" -m inkwise predict --model "$1" {arguments} {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, model],
        cwd=pictures[0].parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", told)


def test_files_that_cannot_be_read_do_not_stop_the_others(
    call: Call, model: Path, pictures: list[Path], bad: list[Path]
) -> None:
    result = call("predict", "--model", model, *bad[:2], *pictures, *bad[2:])

    assert result.code == 1
    assert [line.split()[0] for line in result.out.splitlines()] == [str(p) for p in pictures]
    lines = result.err.splitlines()
    assert len(lines) == len(bad)
    for line, path in zip(lines, bad, strict=True):
        assert line.startswith("error: ")
        assert str(path) in line


def test_a_model_of_another_size_and_other_classes(call: Call, tmp_path: Path) -> None:
    weight = np.zeros((2, 6), np.float32)
    weight[0, :3] = weight[1, 3:] = 1
    weights = {"dense1.weight": weight, "dense1.bias": np.zeros(2, np.float32)}
    network = Network((2, 3), (Flatten(), Dense(2)))
    bars = Model(network, weights, ("top", "[/] 七")).save(tmp_path / "bars")
    fitting, larger = tmp_path / "fitting.png", tmp_path / "larger.png"
    Image.fromarray(np.array([[0, 0, 0], [90, 90, 255]], np.uint8)).save(fitting)
    draw("flat").save(larger)

    result = call("predict", "--model", bars, larger, fitting)

    assert result.code == 1
    assert " ".join(result.out.split()).startswith(f"{fitting} [/] 七 (")
    assert result.err.startswith(f"error: {larger} is not what this model takes: bring it to 3×2")
    assert result.err.count("\n") == 1


# --- for other programs ---


def expected_entries(sources: list[Path]) -> list[dict[str, Any]]:
    found = [source for path in sources for source in find_pictures(path)]
    entries: list[dict[str, Any]] = []
    answers = strokes().classify_each(source.picture for source in found)
    for (name, _), answer in zip(found, answers, strict=True):
        if isinstance(answer, InkwiseError):
            entries.append({"file": name, "error": str(answer)})
            continue
        ink = answer.ink
        entries.append(
            {
                "file": name,
                "label": answer.label,
                "probability": answer.probability,
                "verdict": answer.verdict,
                "top": [list(candidate) for candidate in answer.top],
                "score": answer.score if ink else None,
                "box": [*ink.box] if ink else None,
                "polarity": ink.polarity if ink else None,
                "scale": ink.scale if ink else None,
                "dropped": [*ink.dropped] if ink else None,
                "parts": [[*box] for box in answer.parts],
            }
        )
    return entries


def test_json_has_an_object_a_line(
    call: Call, model: Path, pictures: list[Path], bad: list[Path]
) -> None:
    result = call("predict", "--json", "--model", model, *pictures, *bad)

    assert (result.code, result.err) == (1, "")
    entries = [json.loads(line) for line in result.out.splitlines()]
    assert entries == expected_entries([*pictures, *bad])
    assert [entry.get("polarity") for entry in entries[:5]] == ["dark ink"] * 4 + [None]
    assert call("predict", "--json", "--model", model, *pictures).code == 0


def test_csv_has_a_header_and_a_line_a_picture(
    call: Call, model: Path, pictures: list[Path], bad: list[Path]
) -> None:
    result = call("predict", "--csv", "--model", model, *pictures, *bad)

    assert (result.code, result.err) == (1, "")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert result.out.splitlines()[0] == (
        "file,label,probability,verdict,label_2,probability_2,label_3,probability_3,score,"
        "top,left,bottom,right,polarity,scale,dropped,parts,error"
    )
    for row, entry in zip(rows, expected_entries([*pictures, *bad]), strict=True):
        values = {**entry}
        for place, (label, probability) in enumerate(values.pop("top", [])[1:], 2):
            values |= {f"label_{place}": label, f"probability_{place}": probability}
        values |= zip(
            ("top", "left", "bottom", "right"), values.pop("box", None) or (), strict=False
        )
        values["dropped"] = " ".join(values.get("dropped") or ()) or None
        boxes = [" ".join(map(str, box)) for box in values.get("parts") or ()]
        values["parts"] = "; ".join(boxes) or None
        told = {key: str(value) for key, value in values.items() if value is not None}
        assert {key: value for key, value in row.items() if value} == told


def test_what_was_left_out_of_a_picture_is_told(call: Call, tmp_path: Path) -> None:
    image = draw("flat").convert("L").resize((300, 300))
    image.paste(0, (20, 20, 28, 28))
    path = tmp_path / "specked.png"
    image.save(path)
    (answer,) = load_pretrained().classify([path])
    assert answer.ink is not None
    assert answer.ink.dropped == ("specks",)
    line, table, document = (
        call("predict", path, *option) for option in ([], ["--csv"], ["--json"])
    )
    assert line.out.splitlines()[0].endswith("   left out: specks")
    assert next(csv.DictReader(io.StringIO(table.out)))["dropped"] == "specks"
    assert json.loads(document.out)["dropped"] == ["specks"]


def test_several_things_are_told_with_their_boxes(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "pair.png"
    draw("pair").save(path)
    (answer,) = load_pretrained().classify([path])
    line, table, document = (
        call("predict", path, *option) for option in ([], ["--csv"], ["--json"])
    )
    assert line.out.splitlines()[0] == f"{path}   several   2 parts"
    entry = json.loads(document.out)
    assert (entry["verdict"], entry["label"], entry["top"]) == ("several", None, [])
    assert entry["parts"] == [[*box] for box in answer.parts]
    (row,) = csv.DictReader(io.StringIO(table.out))
    assert (row["verdict"], row["label"]) == ("several", "")
    assert row["parts"] == "; ".join(" ".join(map(str, box)) for box in answer.parts)


def test_json_and_csv_at_once_are_bad_usage(call: Call, pictures: list[Path]) -> None:
    result = call("predict", "--csv", "--json", *pictures)

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: --json and --csv")


def test_answers_come_as_they_are_found(model: Path, pictures: list[Path], tmp_path: Path) -> None:
    slow = tmp_path / "slow.png"
    os.mkfifo(slow)  # whoever reads it waits until somebody writes
    files = [*pictures, *pictures[:3], slow]
    command = [sys.executable, "-m", "inkwise", "predict", "--model", *map(str, [model, *files])]

    with subprocess.Popen(command, stdout=-1, stderr=-1) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline().decode() for _ in range(8)]
        still_running = run.poll() is None
        slow.write_bytes(b"no picture")
        run.communicate(timeout=60)

    assert still_running
    assert [line.split()[0] for line in lines] == [str(path) for path in files[:-1]]
    assert run.returncode == 1


# --- at a terminal ---


def at_a_terminal(*arguments: str | Path, **environment: str) -> list[str]:
    """Run the command at a terminal of 100 columns and return the lines that it shows."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "inkwise", "predict", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
    ):
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 1 << 16):
                shown += part
        except OSError:  # Linux's way to say that nobody will write any more
            pass
    os.close(ours)
    return shown.decode().splitlines()


def test_a_single_picture_is_drawn_in_greys(model: Path, pictures: list[Path]) -> None:
    answer, *drawing = at_a_terminal(pictures[0], "--model", model)

    assert answer.startswith(f"{pictures[0]}   upright   (")
    assert [line.count("▀") for line in drawing] == [28] * 14
    (seen,) = strokes().classify([pictures[0]])
    assert seen.ink is not None
    above, below = seen.ink.image[8:10, 14]
    grey = f"\x1b[38;2;{above};{above};{above};48;2;{below};{below};{below}m▀"
    assert grey in drawing[4]


@pytest.mark.parametrize(
    "environment",
    [
        {"NO_COLOR": "1"},
        {"TERM": "dumb"},
        {"PYTHONIOENCODING": "ascii"},
    ],
)
def test_without_colours_or_characters_it_is_drawn_in_shades(
    environment: dict[str, str], model: Path, pictures: list[Path]
) -> None:
    _, *drawing = at_a_terminal(pictures[0], "--model", model, **environment)

    assert [len(line) for line in drawing] == [28] * 14
    assert drawing[0].isspace()
    assert drawing[6][13:15] == "@@"
    assert drawing[6][:8].isspace()


@pytest.mark.slow
def test_several_pictures_and_blank_ones_are_not_drawn(model: Path, pictures: list[Path]) -> None:
    assert len(at_a_terminal(*pictures[:2], "--model", model)) == 2
    assert len(at_a_terminal(pictures[4], "--model", model)) == 1


# --- models ---


def test_without_a_model_the_one_in_the_package_answers(
    call: Call, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.model.pretrained.FOLDER", tmp_path)
    result = call("predict", pictures[1])
    assert (result.code, result.out) == (1, "")
    told = "error: this copy of inkwise was built without the pretrained model"
    assert result.err.startswith(told)
    assert result.err.count("\n") == 1

    (tmp_path / "pretrained.onnx").write_bytes(strokes().onnx)
    assert call("predict", pictures[1]).out.startswith(f"{pictures[1]}   flat   (")


def test_a_run_answers_as_its_model_directory_does(
    call: Call, finished: Path, pictures: list[Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(finished / "model", tmp_path / "elsewhere")
    expected = call("predict", *pictures, "--json", "--model", finished)

    assert expected.code == 0
    assert call("predict", *pictures, "--json", "--model", finished / "model") == expected
    assert call("predict", *pictures, "--json", "--model", copy) == expected


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere", "there is neither a run nor a model at {}"),
        ("empty", "there is neither a run nor a model at {}"),
        ("file", "{} holds no model of inkwise's"),
    ],
)
def test_no_model_is_one_line(
    call: Call, pictures: list[Path], tmp_path: Path, name: str, told: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()

    result = call("predict", "--model", tmp_path / name, *pictures)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {told.format(tmp_path / name)}")
    assert result.err.count("\n") == 1


def test_a_damaged_model_is_one_line(call: Call, run: Run, pictures: list[Path]) -> None:
    (run.path / "model" / "model.onnx").write_bytes(b"")

    result = call("predict", "--model", run.path, *pictures)

    assert (result.code, result.out) == (1, "")
    assert "model.onnx is not the file that was saved with model.json" in result.err
    assert result.err.count("\n") == 1


def test_a_run_without_a_finished_epoch_is_one_line(
    call: Call, run: Run, pictures: list[Path]
) -> None:
    shutil.rmtree(run.path / "model")

    result = call("predict", "--model", run.path, *pictures)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {run.path} has no model")
    assert result.err.count("\n") == 1


def test_no_files_is_bad_usage(call: Call, model: Path) -> None:
    result = call("predict", "--model", model)

    assert result.code == 2
    assert "FILE" in result.err


def test_prediction_imports_what_it_needs_and_no_more(model: Path, pictures: list[Path]) -> None:
    heavy = ["torch", "onnx", "sklearn", "scipy", "matplotlib", "jinja2", "requests", "pooch"]
    script = f"""
import sys
from inkwise.cli.main import main
sys.argv = ["inkwise", "predict", {str(pictures[0])!r}, "--model", {str(model)!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print([name for name in {heavy!r} if name in sys.modules])
"""
    out = subprocess.check_output([sys.executable, "-c", script], text=True, timeout=120)

    assert out.splitlines()[-1] == "[]"
