"""Models in int8, which must give the labels of the model that they were made from."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import inkwise
from inkwise import Dataset, Model, Run, Split, export_model, load_pretrained
from inkwise.cli.main import main
from inkwise.data.splits import split_dataset
from inkwise.errors import ModelError, RunError, StorageError
from inkwise.export.int8 import CALIBRATION, int8_bytes
from inkwise.model.calibration import Calibration
from inkwise.networks.network import Network
from tests.networks import draw_weights, networks
from tests.shared_runs import without_report

QUICK = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answer(content: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer as a user of ONNX Runtime does, with its own options."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"images": images})[0]


def contract(content: bytes) -> list[tuple[str, str, list[str | int]]]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    ends = [*session.get_inputs(), *session.get_outputs()]
    return [(end.name, end.type, end.shape) for end in ends]


def metadata(content: bytes) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}


def fused(content: bytes, path: Path) -> list[str]:
    """Return the operators of the graph that ONNX Runtime really runs, in order."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3  # it warns that such a file fits this processor only
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.fixture(scope="module", params=["case-study", "swift"])
def small(
    request: pytest.FixtureRequest,
    small_mnist: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    trains: None,
) -> Run:
    """A run of each recipe on a tenth of MNIST."""
    path = tmp_path_factory.mktemp("small") / "run"
    epochs = 1 if request.param == "case-study" else 2
    with without_report():
        return inkwise.train(request.param, small_mnist, epochs=epochs, output=path)


def training_images(run: Run, dataset: Dataset) -> Split:
    return split_dataset(dataset, run.recipe.holdout, run.recipe.seed).train


def test_real_digits_get_the_labels_of_the_float_model(small: Run, small_mnist: Dataset) -> None:
    model, test = small.model, small_mnist.test

    content = int8_bytes(model, training_images(small, small_mnist))

    probabilities = answer(content, test.images)
    labels, expected = probabilities.argmax(axis=1), model.predict(test.images)
    assert (labels == expected).mean() >= 0.99
    accuracies = [(some == test.labels).mean() for some in (labels, expected)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.005)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities, model.predict_proba(test.images), atol=0.15)
    assert content != model.onnx
    assert len(content) < 0.5 * len(model.onnx)
    with pytest.raises(ModelError, match="does not hold the weights of the network"):
        Model.from_onnx(content)


def test_onnx_runtime_runs_it_in_the_fast_order(
    small: Run, small_mnist: Dataset, tmp_path: Path
) -> None:
    content = int8_bytes(small.model, training_images(small, small_mnist))

    kinds = fused(content, tmp_path / "fused.onnx")

    # Pooled in float32 before the step to uint8; behind it, no layer with weights is float.
    step = kinds.index("QuantizeLinear")
    assert kinds[:step].count("MaxPool") == kinds[:step].count("Conv") == 1
    assert not {"MaxPool", "Conv", "FusedConv", "Gemm", "Relu"} & set(kinds[step:])
    assert "QLinearConv" in kinds[step:]


def test_the_file_says_what_the_float_one_says_and_how_it_was_made(
    small: Run, small_mnist: Dataset
) -> None:
    model, train = small.model, training_images(small, small_mnist)

    content = int8_bytes(model, train)

    assert contract(content) == contract(model.onnx)
    entries = metadata(content)
    quantisation = json.loads(entries.pop("quantisation"))
    assert entries == metadata(model.onnx)
    assert (quantisation["weights"], quantisation["activations"]) == ("int8", "uint8")
    assert {"conv1", "conv1_relu", "pool1", "probabilities", "score"} <= {*quantisation["float32"]}
    calibration = quantisation["calibration"]
    assert len(calibration.pop("sha256")) == 64
    assert calibration == {
        "split": "train",
        "images": CALIBRATION,
        "of": len(train),
        "seed": 0,
    }
    initial = onnx.load_from_string(content).graph.initializer
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in initial]
    weights = [array for array in arrays if array.dtype == np.int8 and array.ndim > 1]
    assert weights
    assert all(abs(array.astype(int)).max() <= 64 for array in weights)  # 7 bits


def test_the_same_run_gives_the_same_bytes(small: Run, small_mnist: Dataset) -> None:
    train = training_images(small, small_mnist)
    assert int8_bytes(small.model, train) == int8_bytes(small.model, train)


def test_a_run_is_calibrated_on_its_training_images_alone(
    run: Run, optdigits: Dataset, tmp_path: Path
) -> None:
    path = export_model(run.path, "onnx-int8", tmp_path / "model.onnx")

    # Too few to draw from: all of them.
    train = training_images(run, optdigits)
    calibration = json.loads(metadata(path.read_bytes())["quantisation"])["calibration"]
    assert calibration["images"] == calibration["of"] == len(train) == 1150
    assert calibration["sha256"] == hashlib.sha256(train.images.tobytes()).hexdigest()
    labels = answer(path.read_bytes(), optdigits.test.images).argmax(axis=1)
    assert (labels == run.model.predict(optdigits.test.images)).mean() >= 0.98


@given(network=networks(), temperature=st.sampled_from([1.0, 2.5]))
@QUICK
@pytest.mark.slow
def test_any_network_keeps_its_contract(network: Network, temperature: float) -> None:
    names = tuple(f"Größe {place}" for place in range(network.classes))
    weights = draw_weights(network)
    model = Model(network, weights, names, calibration=Calibration(temperature))
    images = np.random.default_rng(0).integers(0, 256, (40, *network.image_size), np.uint8)

    content = int8_bytes(model, Split(images, np.zeros(40, np.int64)))

    assert contract(content) == contract(model.onnx)
    np.testing.assert_allclose(answer(content, images), model.predict_proba(images), atol=0.1)


def test_the_command_writes_one_file_and_tells_its_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["inkwise", "export", str(run.path), "--format", "onnx-int8"])
    before = {path.name for path in tmp_path.iterdir()}

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 0
    name = "optdigits_cnn_model.int8.onnx"
    assert capfd.readouterr() == (f"Model: {name}\n", "")
    assert {path.name for path in tmp_path.iterdir()} - before == {name}


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Path]:
    """A file that a refused export must leave as it is."""
    path, before = tmp_path / "out.onnx", load_pretrained().onnx
    path.write_bytes(before)
    yield path
    assert path.read_bytes() == before


def test_what_has_no_training_images_is_refused(run: Run, standing: Path) -> None:
    sources: list[Any] = [run.model, run.path / "model"]
    for source in sources:
        with pytest.raises(RunError, match="name the directory of a run") as caught:
            export_model(source, "onnx-int8", standing)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="neither a run nor a model"):
        export_model(run.path / "missing", "onnx-int8", standing)


def test_data_that_cannot_be_found_again_is_refused(small: Run, run: Run, standing: Path) -> None:
    with pytest.raises(RunError, match=r"is not the data that .* was trained on"):
        export_model(small.path, "onnx-int8", standing)

    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    record["dataset"]["sha256"] = "0" * 64
    (run.path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RunError, match=r"not the data that .* was trained on .* pass"):
        export_model(run.path, "onnx-int8", standing)


def test_a_file_that_stands_there_is_replaced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(load_pretrained().onnx)

    export_model(run.path, "onnx-int8", path)

    onnx.checker.check_model(onnx.load(path))
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(StorageError, match="cannot write"):
        export_model(run.path, "onnx-int8", path / "below.onnx")
