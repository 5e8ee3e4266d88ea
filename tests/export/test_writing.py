"""Models written for other programs, which must give the same answers."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkwise import Model, Run, export_model, import_model
from inkwise.data.catalogue import load_dataset
from inkwise.data.splits import split_dataset
from inkwise.errors import (
    ArgumentError,
    InkwiseError,
    LibraryError,
    ModelError,
    RunError,
    StorageError,
)
from inkwise.export.writing import SINGLE_ROTATION, SUFFIXES
from inkwise.model.calibration import Calibration
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.folding import fold
from inkwise.networks.layers import Conv, Dense, Flatten, MaxPool, Residual
from inkwise.networks.network import Network
from inkwise.training.calibrating import calibrate as calibrate_model
from tests.networks import draw_weights, ensembles, networks

SMALL = Network((9, 8), (Conv(3, 2, "relu"), MaxPool(2), Flatten(), Dense(2)))
QUICK = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def make(network: Network | Ensemble, temperature: float = 1.0, **provenance: Any) -> Model:
    names = tuple(f"Größe {number}" for number in range(network.classes))
    return Model(network, draw_weights(network), names, provenance, Calibration(temperature))


def images_for(network: Network | Ensemble, count: int = 20) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *network.image_size), np.uint8)


@given(network=networks(), temperature=st.sampled_from([1.0, 0.6, 2.5]))
@QUICK
@pytest.mark.filterwarnings("ignore:You are using a softmax")  # of one class
def test_keras_gives_the_same_answers_for_any_network(
    keras: Any, tmp_path: Path, network: Network, temperature: float
) -> None:
    model, images = make(network, temperature), images_for(network)
    path = export_model(model, "keras", tmp_path / "model.keras")

    loaded = keras.models.load_model(path)

    branches = any(isinstance(layer, Residual) for layer in network.layers)
    assert isinstance(loaded, keras.Sequential) != branches
    answers = loaded(images[..., None].astype(np.float32) / 255).numpy()
    np.testing.assert_allclose(answers, model.predict_proba(images), atol=1e-5)


@given(network=networks())
@QUICK
@pytest.mark.parametrize("file_format", ["keras", "h5"])
def test_a_model_comes_back_from_keras_with_its_answers(
    keras: Any, tmp_path: Path, file_format: str, network: Network
) -> None:
    model, images = make(network), images_for(network)
    path = export_model(model, file_format, tmp_path / f"model.{file_format}")

    again = import_model(path, model.class_names)

    np.testing.assert_allclose(again.predict_proba(images), model.predict_proba(images), atol=1e-5)
    folded, _ = fold(network, model.weights)
    assert len(again.network.summary()) <= len(folded.summary())


@given(
    network=networks() | ensembles(),
    temperature=st.sampled_from([1.0, 0.6, 2.5]),
    rotations=st.sampled_from([(0.0,), (8.0,), (0.0, 8.0, -12.5)]),
)
@QUICK
@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
@pytest.mark.slow
def test_torchscript_gives_the_same_answers_for_any_network(
    tmp_path: Path,
    network: Network | Ensemble,
    temperature: float,
    rotations: tuple[float, ...],
) -> None:
    model = dataclasses.replace(make(network, temperature), rotations=rotations)
    images = images_for(network)
    path = export_model(model, "torchscript", tmp_path / "model.pt")

    loaded = torch.jit.load(path)

    for some in (images, images[:1]):
        answers = loaded(torch.from_numpy(some))
        assert not answers.requires_grad
        np.testing.assert_allclose(answers.numpy(), model.predict_proba(some), atol=1e-5)
    assert loaded.class_names == list(model.class_names)


@pytest.mark.parametrize("file_format", ["keras", "h5", "onnx-int8"])
def test_formats_for_one_look_say_what_to_do_about_several(
    file_format: str, run: Run, tmp_path: Path
) -> None:
    run.save_model(dataclasses.replace(run.model, rotations=(0.0, 8.0)))
    with pytest.raises(
        ArgumentError, match=r"rotates images \(.*\): leave the rotations out with --once"
    ):
        export_model(run.path, file_format, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("calibrate", [True, False])
@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
def test_a_model_that_looks_once_is_calibrated_anew(
    calibrate: bool, run: Run, tmp_path: Path
) -> None:
    path = run.path / "recipe.json"
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**document, "calibrate": calibrate}), "utf-8")
    original = run.model
    run.save_model(dataclasses.replace(original, rotations=(0.0, 20.0, -20.0)))

    path = export_model(run.path, "onnx", tmp_path / "once.onnx", once=True)

    once = Model.from_onnx(path.read_bytes())
    assert once.rotations == (2.0,)
    turned = dataclasses.replace(original, rotations=(2.0,))
    images = load_dataset("optdigits").test.images
    np.testing.assert_array_equal(once.logits(images), turned.logits(images))
    assert (once.calibration != original.calibration) == calibrate
    if calibrate:
        recipe = run.recipe
        validation = split_dataset(load_dataset("optdigits"), recipe.holdout, 0).validation
        assert once.calibration == calibrate_model(turned, validation).calibration
    scripted = export_model(run.path, "torchscript", tmp_path / "once.pt", once=True)
    answers = torch.jit.load(scripted)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(answers, once.predict_proba(images), atol=1e-5)
    plain = export_model(run.path, "onnx", tmp_path / "all.onnx")
    assert Model.from_onnx(plain.read_bytes()).rotations == (0.0, 20.0, -20.0)


def test_where_images_are_not_turned_the_single_look_is_straight(run: Run, tmp_path: Path) -> None:
    original = run.model
    run.save_model(dataclasses.replace(original, rotations=(0.0, 20.0, -20.0)))
    path = export_model(run.path, "onnx-int8", tmp_path / "once.onnx", once=True)
    images = load_dataset("optdigits").test.images
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answers,) = session.run(["probabilities"], {"images": images})
    straight, turned = (
        np.abs(dataclasses.replace(original, rotations=(angle,)).predict_proba(images) - answers)
        for angle in (0.0, SINGLE_ROTATION)
    )
    assert straight.mean() < turned.mean() / 2


def test_looking_once_takes_a_run(tmp_path: Path) -> None:
    model = dataclasses.replace(make(SMALL), rotations=(0.0, 8.0))
    with pytest.raises(RunError, match=r"^a single look is calibrated on the run's own images: n"):
        export_model(model, "onnx", tmp_path / "model.onnx", once=True)
    # Nothing is to be done about a model that does so already.
    assert export_model(make(SMALL), "onnx", tmp_path / "model.onnx", once=True).exists()


@pytest.mark.parametrize(
    ("file_format", "what"), [("keras", "Keras"), ("h5", "Keras"), ("onnx-int8", "onnx-int8")]
)
def test_formats_for_one_network_refuse_an_ensemble(
    keras: Any, file_format: str, what: str, run: Run, tmp_path: Path
) -> None:
    single = run.model
    ensemble = Ensemble((single.network, single.network))  # type: ignore[arg-type]
    weights = {
        f"member{number}.{name}": array
        for number in (1, 2)
        for name, array in single.weights.items()
    }
    run.save_model(dataclasses.replace(single, network=ensemble, weights=weights))
    with pytest.raises(ArgumentError, match=f"^{what} takes a single network, and this is an"):
        export_model(run.path, file_format, tmp_path / "model")


def test_onnx_is_the_file_of_the_model_directory(tmp_path: Path) -> None:
    model = make(SMALL)
    folder = model.save(tmp_path / "model")

    path = export_model(folder, "onnx", tmp_path / "out.onnx")

    assert path.read_bytes() == (folder / "model.onnx").read_bytes()


def test_a_keras_model_is_compiled(keras: Any, tmp_path: Path) -> None:
    model, images = make(SMALL), images_for(SMALL)
    labels = model.predict(images)

    loaded = keras.models.load_model(export_model(model, "keras", tmp_path / "model.keras"))
    loss, accuracy = loaded.evaluate(
        images[..., None].astype(np.float32) / 255, np.eye(2)[labels], verbose=0
    )

    assert accuracy == 1
    expected = -np.log(model.predict_proba(images).max(axis=1)).mean()
    assert loss == pytest.approx(expected, abs=1e-5)


def test_exporting_prints_nothing(
    keras: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for file_format in ("onnx", "keras", "h5", "torchscript"):
        export_model(make(SMALL), file_format, tmp_path / f"model{SUFFIXES[file_format]}")

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("provenance", "name"),
    [
        ({"recipe": {"name": "case-study"}, "dataset": {"name": "mnist"}}, "mnist_cnn_model.onnx"),
        ({"recipe": {"name": "swift"}, "dataset": {"name": "mnist"}}, "mnist_swift_model.onnx"),
        ({"recipe": {"name": "../x"}, "dataset": {"name": "a b/c"}}, "a_b_c_.._x_model.onnx"),
        ({"imported": {"file": "my net.keras"}}, "my_net.onnx"),
        ({"imported": {"file": "../../net.h5"}}, "net.onnx"),
        ({"dataset": "mine"}, "model.onnx"),
        ({}, "model.onnx"),
    ],
    ids=str,
)
def test_a_file_is_named_after_data_set_and_recipe(
    provenance: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    path = export_model(make(SMALL, **provenance), "onnx")

    assert path == Path(name)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_run_is_exported_as_well_as_its_model(run: Run, tmp_path: Path) -> None:
    sources: list[Model | Path] = [run.path, run.path / "model", run.model]
    for number, source in enumerate(sources):
        export_model(source, "onnx", tmp_path / f"{number}.onnx")

    files = {(tmp_path / f"{number}.onnx").read_bytes() for number in range(3)}
    assert files == {run.model.onnx}


def test_a_file_that_stands_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.onnx"

    for model in (make(SMALL), make(SMALL, note="another")):
        export_model(model, "onnx", path)

        assert path.read_bytes() == model.onnx


@pytest.mark.parametrize("file_format", ["onnx", "torchscript", "keras", "h5"])
def test_a_file_of_another_kind_is_left_alone(keras: Any, file_format: str, tmp_path: Path) -> None:
    own, path = tmp_path / f"own{SUFFIXES[file_format]}", tmp_path / "file"
    export_model(make(SMALL), file_format, own)
    others = [
        export_model(make(SMALL), each, tmp_path / each)
        for each in SUFFIXES
        if each not in (file_format, "onnx-int8", "web")  # of which the last is a folder
    ]
    for content in (b"my notes", b"\x89PNG\r\n\x1a\n", *(each.read_bytes() for each in others)):
        path.write_bytes(content)
        with pytest.raises(ArgumentError, match=f"no earlier export as {file_format}"):
            export_model(make(SMALL), file_format, path)
        assert path.read_bytes() == content

    for content in (own.read_bytes(), b""):
        path.write_bytes(content)
        export_model(make(SMALL), file_format, path)
        assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("file_format", "output", "reason"),
    [
        ("tflite", "model.tflite", "unknown format 'tflite': use onnx"),
        ("h5", "model.keras", "model.keras has the suffix of another format than h5"),
        ("keras", "model.h5", "let it end in .keras"),
    ],
)
def test_a_format_that_does_not_fit_is_refused(
    file_format: str, output: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError) as caught:
        export_model(make(SMALL), file_format, tmp_path / output)

    assert reason in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("missing", ModelError), (".", ModelError)], ids=["missing", "empty"]
)
def test_a_path_without_a_model_is_refused(
    name: str, kind: type[InkwiseError], tmp_path: Path
) -> None:
    with pytest.raises(kind, match="neither a run nor a model"):
        export_model(tmp_path / name, "onnx", tmp_path / "out.onnx")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        export_model(make(SMALL), "onnx", tmp_path)


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
@pytest.mark.parametrize("file_format", ["keras", "h5"])
def test_without_keras_the_line_says_how_to_get_it(
    missing: str, file_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / f"model.{file_format}"
    path.touch()  # an empty file would be replaced

    with pytest.raises(LibraryError) as caught:
        export_model(make(SMALL), file_format, path)

    assert str(caught.value) == "exporting to Keras needs Keras: pip install 'inkwise[keras]'"
    assert path.read_bytes() == b""


def test_keras_on_another_backend_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        class backend:  # noqa: N801 - as Keras calls it
            backend = staticmethod(lambda: "jax")

    monkeypatch.setitem(sys.modules, "keras", Other)
    monkeypatch.setitem(sys.modules, "tensorflow", object())

    with pytest.raises(LibraryError, match="has it on jax: set KERAS_BACKEND=tensorflow"):
        export_model(make(SMALL), "keras", tmp_path / "model.keras")
