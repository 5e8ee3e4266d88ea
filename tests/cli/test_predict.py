"""`inkwise predict`: pictures in files, and a line for each."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inkwise
from inkwise import Dataset, Model, Run
from inkwise.networks.layers import Dense, Flatten, Network
from tests.cli.conftest import Call

pytest_plugins = ["tests.runs"]


@pytest.fixture
def pictures(optdigits: Dataset, tmp_path: Path) -> list[Path]:
    """Five digits, just as the model takes them."""
    paths = [tmp_path / f"digit-{number}.png" for number in range(5)]
    for path, image in zip(paths, optdigits.test.images, strict=False):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A model for images of 2×3 pixels, which tells the brighter row."""
    network = Network((2, 3), (Flatten(), Dense(3, relu=False)))
    weight = np.zeros((3, 6), np.float32)
    weight[0, :3] = weight[1, 3:] = 1
    bias = np.array([0, 0, -20], np.float32)
    weights = {"dense1.weight": weight, "dense1.bias": bias}
    return Model(network, weights, ("top", "foot", "[/] 七")).save(tmp_path / "bars")


def test_a_line_a_file_in_the_order_given(
    call: Call, finished: Path, pictures: list[Path], optdigits: Dataset
) -> None:
    pictures = pictures[::-1]
    probabilities = Run(finished).model.predict_proba(optdigits.test.images[:5])[::-1]

    result = call("predict", finished, *pictures)

    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert len(lines) == 5
    for line, path, row in zip(lines, pictures, probabilities, strict=True):
        assert line.startswith(f"{path}: {row.argmax()} ({row.max():.2%})")


def test_a_close_second_is_named_and_a_distant_one_is_not(
    call: Call, bars: Path, tmp_path: Path
) -> None:
    even, clear = tmp_path / "even.png", tmp_path / "clear.png"
    Image.fromarray(np.array([[60, 0, 0], [0, 20, 0]], np.uint8)).save(even)
    Image.fromarray(np.array([[255, 255, 255], [0, 0, 0]], np.uint8)).save(clear)

    result = call("predict", bars, even, clear)

    share = 1 / (1 + np.exp(-40 / 255))
    tall = 1 / (1 + np.exp(-3))
    assert result.out.splitlines() == [
        f"{even}: top ({share:.2%}), or foot ({1 - share:.2%})",
        f"{clear}: top ({tall:.2%})",
    ]


def test_a_model_directory_answers_as_its_run_does(
    call: Call, finished: Path, pictures: list[Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(finished / "model", tmp_path / "elsewhere")
    expected = call("predict", finished, *pictures)

    assert call("predict", finished / "model", *pictures) == expected
    assert call("predict", copy, *pictures) == expected


def test_json_has_an_object_a_line(
    call: Call, finished: Path, pictures: list[Path], optdigits: Dataset, tmp_path: Path
) -> None:
    probabilities = Run(finished).model.predict_proba(optdigits.test.images[:5])

    result = call("predict", "--json", finished, *pictures, tmp_path / "nowhere.png")

    assert (result.code, result.err) == (1, "")
    *entries, failed = map(json.loads, result.out.splitlines())
    for entry, path, row in zip(entries, pictures, probabilities, strict=True):
        assert entry["file"] == str(path)
        assert entry["class"] == str(row.argmax())
        assert entry["probability"] == float(row.max())
        assert entry["probabilities"] == {str(name): float(p) for name, p in enumerate(row)}
        assert next(iter(entry["probabilities"])) == entry["class"]
    assert failed.keys() == {"file", "error"}
    assert failed["file"] == str(tmp_path / "nowhere.png")


def test_files_that_cannot_be_read_do_not_stop_the_others(
    call: Call, finished: Path, pictures: list[Path], tmp_path: Path
) -> None:
    blank, cut, huge, text = (tmp_path / name for name in ("blank", "cut.png", "huge.png", "text"))
    Image.new("L", (50, 40), 255).save(blank, "PNG")
    cut.write_bytes(pictures[0].read_bytes()[:100])
    Image.new("1", (15_000, 15_000), 1).save(huge)
    text.write_text("seven")
    bad = [blank, cut, tmp_path, huge, text, tmp_path / "nowhere.png"]

    result = call("predict", finished, *bad[:3], *pictures, *bad[3:])

    assert result.code == 1
    assert result.out == call("predict", finished, *pictures).out
    lines = result.err.splitlines()
    assert len(lines) == len(bad)
    for line, path in zip(lines, bad, strict=True):
        assert line.startswith("error: ")
        assert str(path) in line


def test_a_model_of_another_size_and_other_classes(call: Call, bars: Path, tmp_path: Path) -> None:
    fitting, larger = tmp_path / "fitting.png", tmp_path / "larger.png"
    Image.fromarray(np.array([[0, 0, 0], [90, 90, 255]], np.uint8)).save(fitting)
    Image.fromarray(np.array([[0, 0, 0], [90, 90, 255]], np.uint8)).resize((30, 20)).save(larger)

    result = call("predict", bars, larger, fitting)

    assert result.code == 1
    assert result.out.startswith(f"{fitting}: foot (")
    assert result.err.startswith(f"error: {larger} is not what this model takes: bring it to 3×2")
    assert result.err.count("\n") == 1


def test_any_picture_goes_through_the_ink(
    call: Call, finished: Path, optdigits: Dataset, tmp_path: Path
) -> None:
    image = optdigits.test.images[3]
    paper = Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BICUBIC)
    paper.convert("RGB").save(tmp_path / "scan.jpg")

    result = call("predict", finished, tmp_path / "scan.jpg")

    assert result.out.startswith(
        f"{tmp_path / 'scan.jpg'}: {Run(finished).model.predict(image[None])[0]} ("
    )


def test_the_same_from_python(finished: Path, pictures: list[Path]) -> None:
    model = inkwise.Run(finished).model
    seen = model.predict(inkwise.read_picture(pictures[2])[None])
    assert seen.shape == (1,)


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_no_model_is_one_line(call: Call, pictures: list[Path], tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()

    result = call("predict", tmp_path / name, *pictures)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: there is neither a run nor a model at {tmp_path / name}")
    assert result.err.count("\n") == 1


def test_a_damaged_model_is_one_line(call: Call, run: Run, pictures: list[Path]) -> None:
    (run.path / "model" / "model.onnx").write_bytes(b"")

    result = call("predict", run.path, *pictures)

    assert (result.code, result.out) == (1, "")
    assert "model.onnx is not the file that model.json was written with" in result.err
    assert result.err.count("\n") == 1


def test_a_run_without_a_finished_epoch_is_one_line(
    call: Call, run: Run, pictures: list[Path]
) -> None:
    shutil.rmtree(run.path / "model")

    result = call("predict", run.path, *pictures)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {run.path} has no model")
    assert result.err.count("\n") == 1


def test_no_files_is_bad_usage(call: Call, finished: Path) -> None:
    result = call("predict", finished)

    assert result.code == 2
    assert "FILE" in result.err


def test_prediction_imports_what_it_needs_and_no_more(finished: Path, pictures: list[Path]) -> None:
    heavy = ["torch", "onnx", "sklearn", "scipy", "matplotlib", "jinja2", "requests", "pooch"]
    script = f"""
import sys
from inkwise.cli.app import main
sys.argv = ["inkwise", "predict", {str(finished)!r}, {str(pictures[0])!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print([name for name in {heavy!r} if name in sys.modules])
"""
    out = subprocess.check_output([sys.executable, "-c", script], text=True, timeout=120)

    assert out.splitlines()[-1] == "[]"
