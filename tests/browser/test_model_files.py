"""The files of a model for the engine in a browser."""

import dataclasses
import json

import numpy as np
import onnxruntime

from inkwise.browser.model_files import model_files
from inkwise.model.calibration import Calibration
from inkwise.model.pretrained import load_pretrained
from tests.models import small


def test_a_model_of_digits_comes_with_the_network_of_lines() -> None:
    model = load_pretrained()
    files = model_files(model)
    assert [*files] == ["model.onnx", "model.json", "lines.onnx", "lines.json"]
    document = json.loads(files["model.json"])
    assert document["class_names"] == list("0123456789")
    assert document["image_size"] == [28, 28]
    assert document["lowest_score"] == model.calibration.lowest_score
    assert document["lowest_probability"] == model.calibration.lowest_probability
    assert document["reads_numbers"]
    assert json.loads(files["lines.json"]).keys() == {"slope", "offset"}
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    (probabilities,) = onnxruntime.InferenceSession(files["model.onnx"]).run(
        ["probabilities"], {"images": images}
    )
    np.testing.assert_allclose(probabilities, model.predict_proba(images), atol=1e-6)


def test_a_model_of_other_classes_reads_no_numbers() -> None:
    files = model_files(small())
    assert [*files] == ["model.onnx", "model.json"]
    document = json.loads(files["model.json"])
    assert document["class_names"] == ["zero", "ein", "七"]
    assert not document["reads_numbers"]


def test_a_model_without_thresholds_is_json_that_every_browser_reads() -> None:
    model = dataclasses.replace(small(), calibration=Calibration())
    document = json.loads(model_files(model)["model.json"])
    assert document["lowest_score"] is None
