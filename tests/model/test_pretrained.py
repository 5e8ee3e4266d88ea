"""The model that comes with the package."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

import inkwise
from inkwise.data.dataset import Dataset
from inkwise.errors import ModelError
from inkwise.model import Model
from inkwise.robustness.corruptions import corrupt
from tests.strokes import draw, strokes


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the package would hold its model: here there is one for strokes."""
    monkeypatch.setattr("inkwise.model.pretrained.FOLDER", tmp_path)
    path = tmp_path / "pretrained.onnx"
    path.write_bytes(strokes().onnx)
    return path


@pytest.mark.slow
def test_the_package_brings_a_small_one_that_is_right(mnist: Dataset) -> None:
    assert (Path(inkwise.__file__).parent / "model" / "pretrained.onnx").stat().st_size <= 1_500_000
    model = inkwise.load_pretrained()
    assert model.class_names == tuple("0123456789")
    assert model.provenance["recipe"]["name"] == "precise"
    assert np.mean(model.predict(mnist.test.images) == mnist.test.labels) > 0.995


@pytest.mark.parametrize("tilt", [-15, 0, 15])
@pytest.mark.parametrize("width", [4, 12, 30])
@pytest.mark.parametrize("edge", [cv2.LINE_8, cv2.LINE_AA])
def test_a_straight_stroke_is_a_one(tilt: int, width: int, edge: int) -> None:
    picture = np.full((280, 280), 255, np.uint8)
    across = round(84 * np.tan(np.radians(tilt)))
    cv2.line(picture, (140 - across, 224), (140 + across, 56), 0, width, edge)
    (answer,) = inkwise.load_pretrained().classify([picture])
    assert (answer.label, answer.verdict) == ("1", "digit")


@pytest.mark.parametrize("width", [6, 12, 24])
@pytest.mark.parametrize("edge", [cv2.LINE_8, cv2.LINE_AA])
def test_a_flag_makes_a_one_no_seven_and_a_cross_is_no_digit(width: int, edge: int) -> None:
    one = [[(98, 106), (140, 56), (140, 224)]]
    times = [[(56, 56), (224, 224)], [(224, 56), (56, 224)]]
    plus = [[(28, 140), (252, 140)], [(140, 28), (140, 252)]]
    pictures = []
    for lines in (one, times, plus):
        picture = np.full((280, 280), 255, np.uint8)
        points = [np.array(line) for line in lines]
        cv2.polylines(picture, points, False, 0, width, edge)
        pictures.append(picture)
    answers = inkwise.load_pretrained().classify(pictures)
    assert (answers[0].label, answers[0].verdict) == ("1", "digit")
    assert [answer.verdict for answer in answers[1:]] == ["not a digit"] * 2


@pytest.mark.parametrize("corruption", ["stripe", "zigzag", "dotted line"])
@pytest.mark.parametrize("dark", [False, True])
def test_a_spoilt_digit_of_mnists_size_is_looked_at_as_it_is_too(
    corruption: str, dark: bool, mnist: Dataset
) -> None:
    digits = mnist.train.take(np.arange(100))
    spoilt = corrupt(digits.images, corruption)
    answers = inkwise.load_pretrained().classify(255 - spoilt if dark else spoilt)
    right = [
        answer.label == mnist.class_names[label]
        for answer, label in zip(answers, digits.labels, strict=True)
    ]
    assert np.mean(right) >= 0.95
    for answer in answers:
        assert answer.ink is not None
        assert answer.ink.unchanged is None  # it says what the network saw, and that alone


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("offset", [(0, 0), (150, 90)])
def test_it_reads_digits_of_any_polarity_anywhere(
    dark: bool, offset: tuple[int, int], mnist: Dataset
) -> None:
    digits = mnist.test.take(np.arange(40))
    pictures = np.zeros((40, 300, 250), np.uint8)
    top, left = offset
    pictures[:, top : top + 112, left : left + 112] = np.kron(
        digits.images, np.ones((4, 4), np.uint8)
    )
    answers = inkwise.load_pretrained().classify(255 - pictures if dark else pictures)
    right = [
        answer.label == str(label) for answer, label in zip(answers, digits.labels, strict=True)
    ]
    assert np.mean(right) > 0.97


@pytest.mark.parametrize("side", [7, 8, 10, 16])
def test_it_reads_tiny_digits_and_no_tiny_noise(side: int, mnist: Dataset) -> None:
    digits = mnist.train.take(np.arange(500))
    tiny = [
        cv2.resize(image[4:24, 4:24], (side, side), interpolation=cv2.INTER_AREA)
        for image in digits.images
    ]
    answers = inkwise.load_pretrained().classify(tiny)
    right = [
        answer.label == str(label) for answer, label in zip(answers, digits.labels, strict=True)
    ]
    refused = [answer.verdict == "not a digit" for answer in answers]
    assert np.mean(right) > (0.94 if side < 8 else 0.96)
    assert np.mean(right) + np.mean(refused) > (0.97 if side < 8 else 0.975)

    generator = np.random.default_rng(0)
    noise = [
        *generator.integers(0, 256, (250, side, side), np.uint8),
        *(255 * generator.integers(0, 2, (250, side, side), np.uint8)),
    ]
    verdicts = [answer.verdict for answer in inkwise.load_pretrained().classify(noise)]
    assert verdicts.count("not a digit") > 0.98 * len(verdicts)


def test_it_declines_where_there_is_no_digit() -> None:
    model = inkwise.load_pretrained()
    generator = np.random.default_rng(0)
    nothing = [
        np.full((50, 60), 200, np.uint8),
        np.zeros((28, 28), np.uint8),
        generator.integers(0, 256, (28, 28), dtype=np.uint8),
        generator.integers(0, 256, (400, 300), dtype=np.uint8),
    ]
    assert [answer.verdict for answer in model.classify(nothing)] == ["not a digit"] * 4


def test_it_is_loaded_and_answers_as_the_model_that_was_exported(shipped: Path) -> None:
    model = inkwise.load_pretrained()
    assert model.class_names == strokes().class_names
    assert model.calibration == strokes().calibration
    for kind in ("upright", "plus", "cross", "blank"):
        (answer,), (expected,) = (each.classify([draw(kind)]) for each in (model, strokes()))
        assert (answer.verdict, answer.top) == (expected.verdict, expected.top)


def test_what_export_writes_can_be_shipped(shipped: Path, tmp_path: Path) -> None:
    folder = strokes().save(tmp_path / "model")
    inkwise.export_model(folder, "onnx", shipped)
    model = inkwise.load_pretrained()
    assert {name: array.tolist() for name, array in model.weights.items()} == {
        name: array.tolist() for name, array in strokes().weights.items()
    }
    # It is as whole as any other: it can be saved, and what was saved loaded.
    assert Model.load(model.save(tmp_path / "again")).onnx == shipped.read_bytes()


def test_a_package_without_one_says_so_in_a_line(shipped: Path) -> None:
    shipped.unlink()
    with pytest.raises(
        ModelError, match="was built without the pretrained model: train one"
    ) as caught:
        inkwise.load_pretrained()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"garbage", strokes().onnx[:-100]])
def test_a_damaged_one_is_a_line(shipped: Path, content: bytes) -> None:
    shipped.write_bytes(content)
    with pytest.raises(ModelError, match="the model that comes with inkwise is damaged") as caught:
        inkwise.load_pretrained()
    assert "\n" not in str(caught.value)


def test_what_predicts_leaves_nothing_in_the_home_directory(tmp_path: Path) -> None:
    script = """
import numpy as np
import inkwise
inkwise.load_pretrained().classify([np.zeros((90, 90), np.uint8)])
"""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CI", "ORT_"))
    }
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], env={**kept, **homes}, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []


def test_it_is_found_in_a_zip_file_and_nothing_of_training_is_imported(tmp_path: Path) -> None:
    package = Path(inkwise.__file__).parent
    with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, Path("inkwise") / path.relative_to(package))
        archive.writestr("inkwise/model/pretrained.onnx", strokes().onnx)
    script = """
import sys
sys.path.insert(0, sys.argv[1])
for name in ("torch", "onnx", "sklearn", "scipy", "matplotlib"):
    sys.modules[name] = None  # as if it were not installed
import numpy as np
import inkwise
assert inkwise.__file__.startswith(sys.argv[1])
picture = np.full((90, 90), 230, np.uint8)
picture[10:80, 40:50] = 20
print(inkwise.load_pretrained().classify([picture])[0].label)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "site.zip")]
    assert subprocess.check_output(command, text=True, timeout=120) == "upright\n"
