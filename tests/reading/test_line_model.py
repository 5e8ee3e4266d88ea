"""The network of lines in the package."""

from pathlib import Path

import numpy as np
import pytest

from inkwise.errors import ModelError
from inkwise.reading import line_model
from inkwise.reading.line_model import LineModel, load_line_model, open_line_model


@pytest.fixture(scope="module")
def content() -> bytes:
    return Path(line_model.__file__).with_name(line_model.FILE).read_bytes()


@pytest.mark.parametrize("width", [1, 15, 16, 17, 300])
def test_a_line_of_any_width_has_probabilities_along_it(width: int) -> None:
    line = np.random.default_rng(width).integers(0, 256, (32, width), np.uint8)
    probabilities = load_line_model().run(line)
    assert probabilities.shape[1] == 17
    assert width <= 2 * len(probabilities) < width + 16
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-4)


def test_it_is_small_enough_for_the_package(content: bytes) -> None:
    pretrained = Path(line_model.__file__).parents[1] / "model" / "pretrained.onnx"
    assert len(content) + pretrained.stat().st_size < 4e6


@pytest.mark.parametrize("keep", [0, 1000, 700_000])
def test_a_damaged_file_is_told(
    keep: int, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / line_model.FILE).write_bytes(content[:keep])
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    load_line_model.cache_clear()
    try:
        with pytest.raises(ModelError, match=r"lines\.onnx.* is damaged: install it again"):
            load_line_model()
        (tmp_path / line_model.FILE).unlink()
        with pytest.raises(ModelError, match="without"):
            load_line_model()
    finally:
        load_line_model.cache_clear()


def test_calibration_keeps_the_order_and_stays_a_probability(content: bytes) -> None:
    session = open_line_model(content)._session
    model = LineModel(session, 0.6, -0.3)
    values = [model.calibrate(each) for each in (0.0, 1e-6, 0.3, 0.5, 0.9, 1 - 1e-9, 1.0)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1
    assert LineModel(session, 1.0, 0.0).calibrate(0.3) == pytest.approx(0.3)
