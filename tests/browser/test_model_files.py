"""The files of a model for the engine in a browser."""

import dataclasses
import gzip
import json
from importlib import resources

import numpy as np
import onnxruntime

from inkwise.browser.model_files import model_files
from inkwise.data.optdigits import load_optdigits
from inkwise.model.calibration import Calibration
from inkwise.model.pretrained import load_pretrained
from inkwise.reading.line_model import FILE as LINES
from tests.models import small


def test_a_model_of_digits_comes_with_the_network_of_lines() -> None:
    model = load_pretrained()
    files = model_files(model)
    assert [*files] == ["model.onnx.gz", "model.json", "lines.onnx.gz", "lines.json"]
    document = json.loads(files["model.json"])
    assert document["class_names"] == list("0123456789")
    assert document["image_size"] == [28, 28]
    assert document["lowest_score"] == model.calibration.lowest_score
    assert document["lowest_probability"] == model.calibration.lowest_probability
    assert document["reads_numbers"]
    assert json.loads(files["lines.json"]).keys() == {"slope", "offset"}
    images = load_optdigits().test.images
    (probabilities,) = onnxruntime.InferenceSession(gzip.decompress(files["model.onnx.gz"])).run(
        ["probabilities"], {"images": images}
    )
    np.testing.assert_allclose(probabilities, model.predict_proba(images), atol=1e-4)


def test_a_model_of_other_classes_reads_no_numbers() -> None:
    files = model_files(small())
    assert [*files] == ["model.onnx.gz", "model.json"]
    document = json.loads(files["model.json"])
    assert document["class_names"] == ["zero", "ein", "七"]
    assert not document["reads_numbers"]


def test_a_model_without_thresholds_is_json_that_every_browser_reads() -> None:
    model = dataclasses.replace(small(), calibration=Calibration())
    document = json.loads(model_files(model)["model.json"])
    assert document["lowest_score"] is None


def test_rounded_weights_compress_better() -> None:
    model = load_pretrained()
    for name, content in (
        ("model.onnx.gz", model.onnx),
        ("lines.onnx.gz", resources.files("inkwise.reading").joinpath(LINES).read_bytes()),
    ):
        compressed = model_files(model)[name]
        assert len(gzip.decompress(compressed)) == len(content)
        assert len(compressed) < 0.88 * len(gzip.compress(content))
