"""What a model takes for black and white: given, found out on training images, or assumed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inkwise import Dataset, Model, Split, import_model
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

    model = import_model(path, images=optdigits.train, progress=told)

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
    shuffled = Split(optdigits.train.images, (optdigits.train.labels + 3) % 10)

    with pytest.raises(ModelError, match=r"is right on no more than .* say what it takes"):
        import_model(path, images=shuffled)


@pytest.mark.parametrize("pixels", [(1.0, 1.0), (0.0, float("nan"))])
def test_pixels_are_two_numbers(pixels: tuple[float, float], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="two different numbers"):
        import_model(tmp_path / "model.keras", pixels=pixels)


def test_images_of_another_size_are_told(keras: Any, padded: Model, tmp_path: Path) -> None:
    path = trained_on(padded, (0, 1), tmp_path / "model.keras")
    larger = Split(np.zeros((2, 8, 8), np.uint8), np.array([0, 1]))

    with pytest.raises(ModelError, match="on images of 28×28, which the images are not"):
        import_model(path, images=larger)
