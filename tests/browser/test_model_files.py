"""The files of a model for the engine in a browser."""

import json
from pathlib import Path

import numpy as np
import onnxruntime

from inkwise.browser.model_files import write_model_files
from inkwise.model.pretrained import load_pretrained
from tests.models import small


def test_a_model_of_digits_comes_with_the_network_of_lines(tmp_path: Path) -> None:
    model = load_pretrained()
    paths = write_model_files(model, tmp_path / "new" / "model")
    assert [path.name for path in paths] == [
        "model.onnx",
        "model.json",
        "lines.onnx",
        "lines.json",
    ]
    document = json.loads(paths[1].read_bytes())
    assert document["class_names"] == list("0123456789")
    assert document["image_size"] == [28, 28]
    assert document["lowest_score"] == model.calibration.lowest_score
    assert document["lowest_probability"] == model.calibration.lowest_probability
    assert document["reads_numbers"]
    assert json.loads(paths[3].read_bytes()).keys() == {"slope", "offset"}
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    (probabilities,) = onnxruntime.InferenceSession(paths[0]).run(
        ["probabilities"], {"images": images}
    )
    np.testing.assert_allclose(probabilities, model.predict_proba(images), atol=1e-6)


def test_a_model_of_other_classes_reads_no_numbers(tmp_path: Path) -> None:
    paths = write_model_files(small(), tmp_path)
    assert [path.name for path in paths] == ["model.onnx", "model.json"]
    document = json.loads(paths[1].read_bytes())
    assert document["class_names"] == ["zero", "ein", "七"]
    assert not document["reads_numbers"]


def test_a_model_without_thresholds_is_json_that_every_browser_reads(tmp_path: Path) -> None:
    import dataclasses

    from inkwise.model.calibration import Calibration

    model = dataclasses.replace(small(), calibration=Calibration())
    document = json.loads(write_model_files(model, tmp_path)[1].read_bytes())
    assert document["lowest_score"] is None
