import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.numpy
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import inkwise
from inkwise.data.dataset import Dataset
from inkwise.errors import ModelError, StorageError
from inkwise.model import Model
from inkwise.model.calibration import Calibration
from inkwise.model.saving import DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE
from inkwise.networks.as_onnx import to_onnx
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.network import Network
from inkwise.system.machine import describe_machine, library_versions
from inkwise.training.named_recipes import get_recipe
from inkwise.training.recipe import Recipe
from tests.models import CALIBRATION, PROVENANCE, ROTATIONS, SMALL, make, same, small
from tests.networks import ensembles, networks

# --- save and load ---


def test_a_loaded_model_gives_the_same_probabilities_to_the_bit(
    model: Model, mnist: Dataset, tmp_path: Path
) -> None:
    images = mnist.test.images[:2000]
    before = model.predict_proba(images)
    assert model.save(tmp_path / "new" / "model") == tmp_path / "new" / "model"
    loaded = Model.load(str(tmp_path / "new" / "model"))
    assert same(loaded, model)
    assert loaded.predict_proba(images).tobytes() == before.tobytes()


@given(network=networks() | ensembles(), data=st.data())
@settings(max_examples=25)
def test_any_model_survives_the_way_through_its_files(
    network: Network | Ensemble, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-model"
    names = st.lists(
        st.text(st.characters(exclude_categories=["Cs"])),
        min_size=network.classes,
        max_size=network.classes,
        unique=True,
    )
    drawn = make(network, tuple(data.draw(names)))
    drawn = dataclasses.replace(drawn, rotations=data.draw(ROTATIONS))
    drawn.save(folder)  # in the place of the one before
    loaded = Model.load(folder)
    assert same(loaded, drawn)
    images = np.arange(2 * 14 * 14, dtype=np.uint8).reshape(2, 14, 14)
    images = images[:, : network.image_size[0], : network.image_size[1]]
    assert loaded.predict_proba(images).tobytes() == drawn.predict_proba(images).tobytes()


def test_a_saved_model_is_three_files_and_says_what_it_takes(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE}
    document = json.loads((saved / DOCUMENT_FILE).read_text("utf-8"))
    assert document["schema"] == "inkwise-model/3"
    assert document["input"]["shape"] == ["N", 6, 7]
    assert document["class_names"] == ["zero", "ein", "七"]
    assert document["calibration"] == CALIBRATION.to_dict()
    assert document["provenance"] == PROVENANCE
    # Other programs read the weights without ours.
    weights = safetensors.numpy.load_file(saved / WEIGHTS_FILE)
    assert weights.keys() == small().weights.keys()
    for file, key in ((WEIGHTS_FILE, "weights_sha256"), (ONNX_FILE, "onnx_sha256")):
        assert document[key] == hashlib.sha256((saved / file).read_bytes()).hexdigest()


def test_the_onnx_file_serves_other_programs(saved: Path) -> None:
    images = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)
    session = onnxruntime.InferenceSession(saved / ONNX_FILE)
    (probabilities,) = session.run(["probabilities"], {"images": images})
    np.testing.assert_array_equal(probabilities, small().predict_proba(images))
    (logits,) = session.run(["logits"], {"images": images})
    np.testing.assert_array_equal(logits, small().logits(images))
    metadata = session.get_modelmeta().custom_metadata_map
    assert Calibration.from_dict(json.loads(metadata["calibration"])) == CALIBRATION
    assert json.loads(metadata["class_names"]) == ["zero", "ein", "七"]
    assert json.loads(metadata["input"]) == json.loads((saved / DOCUMENT_FILE).read_text())["input"]
    assert metadata["dataset_sha256"] == "0" * 64
    assert metadata["inkwise_version"] == inkwise.__version__
    assert "recipe" not in metadata  # this model's provenance tells none
    recipe = get_recipe("case-study").to_dict()
    session = onnxruntime.InferenceSession(small().with_provenance(recipe=recipe).onnx)
    metadata = session.get_modelmeta().custom_metadata_map
    assert Recipe.from_dict(json.loads(metadata["recipe"])) == get_recipe("case-study")


@pytest.mark.parametrize("dataset", [None, "mnist", {}, {"sha256": None}, ["sha256"]])
def test_a_provenance_without_a_hash_of_the_data_does_no_harm(dataset: Any) -> None:
    session = onnxruntime.InferenceSession(small().with_provenance(dataset=dataset).onnx)
    assert "dataset_sha256" not in session.get_modelmeta().custom_metadata_map


def test_a_model_carries_where_it_was_made(tmp_path: Path) -> None:
    made = small().with_provenance(machine={**describe_machine(), "versions": library_versions()})
    machine = Model.load(made.save(tmp_path)).provenance["machine"]
    assert machine == made.provenance["machine"]
    assert machine["processor"]
    assert machine["system"]
    assert machine["cores"] >= 1
    assert machine["versions"]["torch"] == torch.__version__
    assert machine["versions"]["onnxruntime"] == onnxruntime.__version__
    assert machine["versions"]["numpy"] == np.__version__
    assert machine["versions"]["scikit-learn"] == sklearn.__version__
    assert {"python", "inkwise"} <= machine["versions"].keys()


def test_a_description_that_is_no_json_is_not_saved_over_a_good_model(saved: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        small().with_provenance(loss=float("nan")).save(saved)
    assert same(Model.load(saved), small())


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        small().save(tmp_path / "file" / "model")


# --- the ONNX file alone ---


@given(network=networks() | ensembles(), temperature=st.floats(0.1, 10), rotations=ROTATIONS)
@settings(max_examples=25)
def test_any_model_is_read_back_from_its_onnx_file(
    network: Network | Ensemble, temperature: float, rotations: tuple[float, ...]
) -> None:
    names = tuple(f"Größe {place}" for place in range(network.classes))
    made = make(network, names)
    calibration = Calibration(temperature, -1.5, 0.5)
    made = dataclasses.replace(made, calibration=calibration, rotations=rotations)
    again = Model.from_onnx(made.onnx)
    assert same(again, made)
    assert again.onnx == made.onnx
    images = np.arange(2 * 14 * 14, dtype=np.uint8).reshape(2, 14, 14)
    images = images[:, : network.image_size[0], : network.image_size[1]]
    assert again.predict_proba(images).tobytes() == made.predict_proba(images).tobytes()


def test_of_its_provenance_an_onnx_file_tells_recipe_and_data(tmp_path: Path) -> None:
    recipe = get_recipe("case-study").to_dict()
    again = Model.from_onnx(small().with_provenance(recipe=recipe).onnx)
    dataset = {"name": "Ziffern, größer", "sha256": "0" * 64}
    assert again.provenance == {"recipe": recipe, "dataset": dataset}
    assert Model.from_onnx(make(SMALL, ("a", "b", "c")).onnx).provenance == {}
    assert same(Model.load(again.save(tmp_path)), again)


def with_metadata(content: bytes, **entries: str) -> bytes:
    model = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**metadata, **entries})
    return model.SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        to_onnx(SMALL, small().weights, {}),
        with_metadata(small().onnx, network="[]"),
        with_metadata(small().onnx, network="[" * 100_000),
        with_metadata(small().onnx, network="7"),
        with_metadata(small().onnx, class_names='["a"]'),
        with_metadata(small().onnx, class_names="nonsense"),
        with_metadata(small().onnx, input="{}"),
        with_metadata(small().onnx, calibration="{}"),
        with_metadata(small().onnx, network=json.dumps(SMALL.to_list()[2:])),
        with_metadata(small().onnx, network=json.dumps([{"layer": "flatten"}])),
    ],
)
def test_an_onnx_file_that_inkwise_did_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(
        ModelError, match="the ONNX file was not written by inkwise, or is damaged"
    ) as caught:
        Model.from_onnx(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        (b"\x12\x01N", b"\x12\x01\xce"),  # the name of a dimension, no longer UTF-8
        (b"probabilities", b"probabilitie\xf3"),
        (b"Conv", b"Con\xf6"),
    ],
)
def test_a_damaged_name_in_an_onnx_file_is_one_clear_line(
    whole: bytes, damaged: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    content = small().onnx.replace(whole, damaged)
    assert content != small().onnx
    with pytest.raises(ModelError, match="train") as caught:
        Model.from_onnx(content).predict_proba(np.zeros((2, 6, 7), np.uint8))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@given(data=st.data())
@settings(max_examples=200)
def test_a_damaged_onnx_file_is_refused_or_works(data: st.DataObject) -> None:
    content = bytearray(small().onnx)
    place = data.draw(st.integers(0, len(content) - 1), label="place")
    if data.draw(st.booleans(), label="cut"):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    try:
        answer = Model.from_onnx(bytes(content)).predict_proba(np.zeros((2, 6, 7), np.uint8))
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017 - an error is one of two right outcomes
    else:
        assert answer.shape == (2, 3)
        assert np.isfinite(answer).all()
