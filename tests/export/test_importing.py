"""What a model takes for black and white: given, found out on training images, or assumed."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inkwise import Dataset, Model, Split, get_recipe, import_model
from inkwise.errors import ArgumentError, ModelError
from inkwise.export.importing import USUAL_PIXELS
from inkwise.networks.as_keras import build_keras, set_weights
from inkwise.networks.layers import BatchNorm, Conv, Dense, Flatten
from inkwise.networks.network import Network
from tests.telling import Heard


@pytest.fixture(scope="session")
def padded(optdigits: Dataset) -> Model:
    """A model that is right about optdigits, with zeros around its map, where offsets matter."""
    pixels = optdigits.train.images.reshape(len(optdigits.train), -1) / 255
    targets = np.eye(10)[optdigits.train.labels] - 0.1
    inputs = np.c_[pixels, np.ones(len(pixels))]
    solved = np.linalg.solve(inputs.T @ inputs + np.eye(785), inputs.T @ targets)
    logits = inputs @ solved
    own = logits[np.arange(len(logits)), optdigits.train.labels]
    # As confident as a model is that was trained to have a small loss on these images.
    losses = {
        scale: np.mean(np.log(np.exp(scale * logits).sum(axis=1)) - scale * own)
        for scale in range(1, 40)
    }
    solved = solved * min(losses, key=lambda scale: losses[scale])
    conv = np.zeros((1, 1, 3, 3), np.float32)
    conv[0, 0, 1, 1] = 1
    network = Network((28, 28), (Conv(1, 3, padding="same"), Flatten(), Dense(10)))
    weights = {
        "conv1.weight": conv,
        "conv1.bias": np.zeros(1, np.float32),
        "dense1.weight": np.ascontiguousarray(solved[:-1].T, np.float32),
        "dense1.bias": solved[-1].astype(np.float32),
    }
    return Model(network, weights, tuple("0123456789"))


def trained_on(model: Model, pixels: tuple[float, float], path: Path) -> Path:
    """Save, with Keras, the model as it would be if it had learnt from these pixels."""
    black, white = pixels
    assert isinstance(model.network, Network)
    kernel = model.weights["conv1.weight"] / np.float32(white - black)
    # It undoes the scale at each pixel, as the kernel has but its middle, which sees no zeros.
    bias = model.weights["conv1.bias"] - np.float32(black / (white - black))
    keras = build_keras(model.network)
    set_weights(keras, {**model.weights, "conv1.weight": kernel, "conv1.bias": bias})
    keras.save(path)
    return path


@pytest.mark.parametrize("pixels", USUAL_PIXELS)
def test_what_a_model_takes_is_found_out(
    keras: Any, padded: Model, optdigits: Dataset, pixels: tuple[float, float], tmp_path: Path
) -> None:
    path, told = trained_on(padded, pixels, tmp_path / "model.keras"), Heard()

    model = import_model(path, dataset=optdigits, progress=told)

    assert model.provenance["imported"]["pixels"] == pytest.approx(pixels)
    expected = padded.predict_proba(optdigits.test.images)
    np.testing.assert_allclose(model.predict_proba(optdigits.test.images), expected, atol=1e-5)
    given = import_model(path, pixels=pixels)
    np.testing.assert_array_equal(
        given.predict_proba(optdigits.test.images), model.predict_proba(optdigits.test.images)
    )
    (notice,) = told.notices
    assert f"{pixels[0]:.4g} for a black and {pixels[1]:.4g} for a white pixel" in notice


def test_without_images_it_is_assumed_and_said(keras: Any, padded: Model, tmp_path: Path) -> None:
    path, told = trained_on(padded, (0, 1), tmp_path / "model.keras"), Heard()

    model = import_model(path, progress=told)

    assert model.provenance["imported"]["pixels"] == [0, 1]
    assert not any(isinstance(line.layer, BatchNorm) for line in model.network.summary())
    (notice,) = told.notices
    assert "0 for black and 1 for white are assumed" in notice


def test_a_model_that_is_right_with_none_is_refused(
    keras: Any, padded: Model, optdigits: Dataset, tmp_path: Path
) -> None:
    path = trained_on(padded, (3, 11), tmp_path / "model.keras")
    other = Split(optdigits.train.images, (optdigits.train.labels + 3) % 10)
    shuffled = dataclasses.replace(optdigits, train=other)

    with pytest.raises(ModelError, match=r"is right on no more than .* say what it takes"):
        import_model(path, dataset=shuffled)


@pytest.mark.parametrize("pixels", [(1.0, 1.0), (0.0, float("nan"))])
def test_pixels_are_two_numbers(pixels: tuple[float, float], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="two different numbers"):
        import_model(tmp_path / "model.keras", pixels=pixels)


@pytest.mark.parametrize("pixels", [None, (0.0, 1.0)])
def test_data_of_another_size_are_told(
    keras: Any, padded: Model, pixels: tuple[float, float] | None, tmp_path: Path
) -> None:
    path = trained_on(padded, (0, 1), tmp_path / "model.keras")
    larger = Split(np.zeros((20, 8, 8), np.uint8), np.arange(20) % 10)
    dataset = Dataset("small", "Small", tuple("0123456789"), larger, larger, "here")

    with pytest.raises(ModelError, match=r"on images of 28×28, and the data have .* of 8×8"):
        import_model(path, dataset=dataset, pixels=pixels)


def test_given_pixels_are_checked_on_the_data(
    keras: Any, padded: Model, optdigits: Dataset, tmp_path: Path
) -> None:
    path, told = trained_on(padded, (3, 11), tmp_path / "model.keras"), Heard()

    model = import_model(path, pixels=(3, 11), dataset=optdigits, progress=told)

    assert model.provenance["imported"]["pixels"] == [3, 11]
    (notice,) = told.notices
    assert "3 for a black and 11 for a white pixel: with these it is right on 9" in notice
    with pytest.raises(ModelError, match="with 11 for a black and 3 for a white pixel: leave"):
        import_model(path, pixels=(11, 3), dataset=optdigits)


def test_better_pixels_than_those_given_are_told(
    keras: Any, padded: Model, optdigits: Dataset, tmp_path: Path
) -> None:
    path, told = trained_on(padded, (0, 1), tmp_path / "model.keras"), Heard()

    model = import_model(path, pixels=(0, 0.5), dataset=optdigits, progress=told)

    assert model.provenance["imported"]["pixels"] == [0, 0.5]
    assert told.notices[1].startswith("With 0 for a black and 1 for a white pixel it would be")


def test_classes_are_named_as_in_the_data(
    keras: Any, padded: Model, optdigits: Dataset, tmp_path: Path
) -> None:
    path = trained_on(padded, (0, 1), tmp_path / "model.keras")
    spelt = ("nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    dataset = dataclasses.replace(optdigits, class_names=spelt)

    assert import_model(path, dataset=dataset).class_names == spelt
    assert import_model(path, tuple("abcdefghij"), dataset=dataset).class_names[1] == "b"
    (tmp_path / "ours.onnx").write_bytes(padded.onnx)  # which has names of its own
    assert import_model(tmp_path / "ours.onnx", dataset=dataset).class_names[1] == "1"


def test_a_file_of_ours_knows_its_pixels(padded: Model, tmp_path: Path) -> None:
    (tmp_path / "ours.onnx").write_bytes(padded.onnx)
    with pytest.raises(ArgumentError, match="knows its pixels: give none"):
        import_model(tmp_path / "ours.onnx", pixels=(0, 1))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "model.keras",
            b"import os",
            r"no model: give what Keras saved \(\.keras, \.h5\), an ONNX",
        ),
        ("notes.txt", b"hello", r"in \.onnx, or PyTorch's weights \(\.pt, \.pth\) with the recipe"),
        ("page.h5", b"<!DOCTYPE html>", "it is a web page, as"),
        ("digit.png", b"\x89PNG\r\n\x1a\n", "it is a picture, no model"),
        ("weights.pth", b"no pickle", r"name the recipe .* \(--recipe mine\.toml\)"),
    ],
)
def test_other_files_are_told_as_what_they_are(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=reason) as caught:
        import_model(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_folders_are_told_as_what_they_are(padded: Model, tmp_path: Path) -> None:
    (tmp_path / "saved_model").mkdir()
    with pytest.raises(ModelError, match=r"is a folder: .* model\.save\('model\.keras'\)"):
        import_model(tmp_path / "saved_model")
    with pytest.raises(ModelError, match="is inkwise's already"):
        import_model(padded.save(tmp_path / "model"))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ModelError, match="is inkwise's already"):
        import_model(tmp_path)


def test_a_recipe_is_for_pytorchs_weights_alone(keras: Any, padded: Model, tmp_path: Path) -> None:
    path = trained_on(padded, (0, 1), tmp_path / "model.keras")
    (tmp_path / "ours.onnx").write_bytes(padded.onnx)
    for each in (path, tmp_path / "ours.onnx"):
        with pytest.raises(ArgumentError, match="describes its network itself"):
            import_model(each, recipe=get_recipe("case-study"))
