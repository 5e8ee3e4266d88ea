import copy
import dataclasses
import functools
import hashlib
import json
import pickle
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkwise.errors import InkwiseError, ModelError, StorageError
from inkwise.model import Model
from inkwise.model.calibration import Calibration
from inkwise.model.saving import DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.named import case_study
from inkwise.networks.network import Network
from tests.models import (
    CALIBRATION,
    DESCRIBED,
    DIGITS,
    PROVENANCE,
    SMALL,
    make,
    same,
    small,
)


def refused(folder: Path, file: str, told: str | None = None) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        Model.load(folder)
    assert file in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def sealed(
    folder: Path,
    document: Mapping[str, Any] | None = None,
    weights: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a model's files anew, with hashes that agree, as a forger or another version would.

    The ONNX file stays what it is.
    """
    old = json.loads((folder / DOCUMENT_FILE).read_text("utf-8"))
    document = {**(old if document is None else document)}
    document.pop("weights_sha256", None)
    document["onnx_sha256"] = hashlib.sha256((folder / ONNX_FILE).read_bytes()).hexdigest()
    if weights is None:
        weights = safetensors.numpy.load_file(folder / WEIGHTS_FILE)
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False).encode()
    raw = safetensors.numpy.save(
        dict(weights), {"model_json_sha256": hashlib.sha256(canonical).hexdigest()}
    )
    (folder / WEIGHTS_FILE).write_bytes(raw)
    document["weights_sha256"] = hashlib.sha256(raw).hexdigest()
    (folder / DOCUMENT_FILE).write_text(json.dumps(document), "utf-8")


def edit(folder: Path, **entries: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / DOCUMENT_FILE).read_text("utf-8"))
    return {**document, **entries}


@pytest.mark.parametrize("file", [DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_noticed(file: str, saved: Path) -> None:
    (saved / file).unlink()
    refused(saved, file, "there is no model in")
    (saved / file).mkdir()
    refused(saved, file, "there is no model in")


@pytest.mark.parametrize("folder", ["nowhere", "file", "file/model"])
def test_a_folder_without_a_model_is_noticed(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / folder, DOCUMENT_FILE, "there is no model in")


def test_a_folder_that_cannot_be_looked_into_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        Model.load(tmp_path / ("x" * 300))


@pytest.mark.parametrize("file", [DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE])
def test_a_truncated_file_is_noticed(file: str, saved: Path) -> None:
    content = (saved / file).read_bytes()
    for length in (0, 1, 7, 8, 9, len(content) // 2, len(content) - 2):
        (saved / file).write_bytes(content[:length])
        refused(saved, file)


@pytest.mark.parametrize("file", [ONNX_FILE, WEIGHTS_FILE])
def test_a_flipped_bit_is_noticed(file: str, saved: Path) -> None:
    content = bytearray((saved / file).read_bytes())
    # In a weight, so that the file is well-formed still.
    place = content.index(small().weights["dense1.bias"].tobytes())
    content[place] ^= 1
    (saved / file).write_bytes(content)
    refused(saved, file, "is not the file that was saved with model.json")


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": ["ein", "zero", "七"]},
        {"class_names": ["zero", "ein", "sieben"]},
        {"network": Network((6, 7), (*SMALL.layers[:3], SMALL.layers[-1])).to_list()},
        {"input": {"dtype": "uint8", "shape": ["N", 7, 6]}},
        {"provenance": {**PROVENANCE, "metrics": {"accuracy": {"value": 0.9999}}}},
        {"provenance": {}},
        {"calibration": Calibration().to_dict()},
        {"rotations": [0.0, 8.0]},
        {"comment": "added"},
    ],
)
def test_a_changed_description_is_noticed(change: dict[str, Any], saved: Path) -> None:
    (saved / DOCUMENT_FILE).write_text(json.dumps(edit(saved, **change)), "utf-8")
    refused(saved, DOCUMENT_FILE, "was changed after the model was saved")


def test_files_of_two_models_are_noticed(saved: Path, tmp_path: Path) -> None:
    weights = {key: array * np.float32(2) for key, array in small().weights.items()}
    other = dataclasses.replace(small(), weights=weights).save(tmp_path / "other")
    for file in (ONNX_FILE, WEIGHTS_FILE):
        good = (saved / file).read_bytes()
        (saved / file).write_bytes((other / file).read_bytes())
        refused(saved, file, "belongs to another model")
        (saved / file).write_bytes(good)
    (saved / WEIGHTS_FILE).write_bytes((other / WEIGHTS_FILE).read_bytes())
    # With the hash of the right weights, and the description of the other model.
    right = small().with_provenance(seed=1).save(tmp_path / "right")
    right_hash = edit(right)["weights_sha256"]
    document = edit(saved, weights_sha256=right_hash)
    (right / DOCUMENT_FILE).write_text(json.dumps(document), "utf-8")
    refused(right, DOCUMENT_FILE, "was changed after the model was saved")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"weights",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema": "inkwise-model/3", "n": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_description_that_is_not_json_is_noticed(content: bytes, saved: Path) -> None:
    (saved / DOCUMENT_FILE).write_bytes(content)
    refused(saved, DOCUMENT_FILE, "is truncated, or is not JSON")


@pytest.mark.parametrize(
    "document",
    ["null", "[]", '"model"', "7", "{}", '{"schema": "inkwise-model/2"}', '{"schema": ["a"]}'],
)
def test_json_of_another_schema_is_noticed(document: str, saved: Path) -> None:
    (saved / DOCUMENT_FILE).write_text(document)
    refused(saved, DOCUMENT_FILE, "does not describe an inkwise model")


@pytest.mark.parametrize("provenance", ["NaN", "1e999", "-Infinity", r'"\ud800"'])
def test_json_that_no_model_holds_is_noticed(provenance: str, saved: Path) -> None:
    text = json.dumps(edit(saved, provenance="HERE")).replace('"HERE"', provenance)
    (saved / DOCUMENT_FILE).write_text(text)
    refused(saved, DOCUMENT_FILE)


@pytest.mark.parametrize("depth", [900, 980, 5_000, 100_000])
def test_json_nested_too_deep_is_noticed(depth: int, saved: Path) -> None:
    # Where Python gives up, in reading it or in hashing what was read, depends on its version.
    text = json.dumps(edit(saved, provenance="HERE"))
    (saved / DOCUMENT_FILE).write_text(text.replace('"HERE"', "[" * depth + "]" * depth))
    refused(saved, DOCUMENT_FILE)


class Harmful:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    for content in (pickle.dumps(Harmful(mark)), pickle.dumps(Harmful(mark), protocol=0)):
        (saved / WEIGHTS_FILE).write_bytes(content)
        refused(saved, WEIGHTS_FILE, "is not the file that")
        document = edit(saved, weights_sha256=hashlib.sha256(content).hexdigest())
        (saved / DOCUMENT_FILE).write_text(json.dumps(document))
        refused(saved, WEIGHTS_FILE, "is not a safetensors file")
        assert not mark.exists()
    pickle.loads(content)  # noqa: S301 - the trap does work
    assert mark.exists()


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {**small().weights, "extra": np.zeros(3, np.float32)},
        {key: array.astype(np.float16) for key, array in small().weights.items()},
        {key: array[None] for key, array in small().weights.items()},
        make(dataclasses.replace(SMALL, image_size=(8, 9)), ("a", "b", "c")).weights,
        make(case_study((28, 28), 10), DIGITS).weights,
    ],
)
def test_weights_of_another_network_are_noticed_even_when_the_hashes_agree(
    weights: dict[str, NDArray[Any]], saved: Path
) -> None:
    sealed(saved, weights=weights)
    refused(saved, DOCUMENT_FILE, "the weights do not fit the network|the weights must be float32")


def layers_with(place: int, **values: Any) -> list[dict[str, Any]]:
    layers = SMALL.to_list()
    layers[place].update(values)
    return layers


@pytest.mark.parametrize(
    "change",
    [
        {"network": layers_with(-1, units=10**9)},
        {"network": layers_with(-1, units=65_536)},
        {"network": layers_with(0, filters=10**30)},
        {"network": layers_with(0, kernel=10**30)},
        {"network": layers_with(1, size=10**30)},
        {"network": layers_with(0, filters=1e300)},
        {"network": [*SMALL.to_list()[:3], *[{"layer": "dense", "units": 65_536}] * 50]},
        {"input": {"shape": ["N", 10**30, 10**30]}},
        {"input": {"shape": ["N", 65_536, 65_536]}},
        {"input": {"shape": ["N", 6.0, 7.0]}},
        {"input": {"shape": [6, 7]}},
        {"input": None},
        {"network": None},
        {"network": layers_with(0, relu="yes")},
        {"class_names": "abc"[:2]},
        {"class_names": None},
        {"class_names": ["a", "b", ["c"]]},
        {"class_names": ["a", "b", "b"]},
        {"provenance": None},
        {"provenance": 7},
        {"calibration": None},
        {"calibration": {"temperature": 1}},
        {"calibration": {**CALIBRATION.to_dict(), "temperature": 0}},
        {"calibration": {**CALIBRATION.to_dict(), "lowest_score": "low"}},
    ],
)
def test_an_impossible_description_is_noticed_even_when_the_hashes_agree_and_costs_no_memory(
    change: dict[str, Any], saved: Path
) -> None:
    sealed(saved, edit(saved, **change))
    tracemalloc.start()
    try:
        refused(saved, DOCUMENT_FILE, "does not describe a complete model")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("missing", [*DESCRIBED, "provenance"])
def test_a_lacking_entry_is_noticed_even_when_the_hashes_agree(missing: str, saved: Path) -> None:
    document = edit(saved)
    del document[missing]
    sealed(saved, document)
    refused(saved, DOCUMENT_FILE, missing)


def test_the_forger_of_these_tests_writes_models_that_load(saved: Path) -> None:
    sealed(saved, edit(saved, class_names=["a", "b", "c"]))
    assert Model.load(saved).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not an ONNX model"),
        (b"garbage", "is not an ONNX model"),
        (make(SMALL, ("a", "b", "c")).onnx[:-1], "is not an ONNX model"),
        (
            make(dataclasses.replace(SMALL, image_size=(7, 6)), ("a", "b", "c")).onnx,
            "do not describe the same model",
        ),
        (
            make(Network((6, 7), (Flatten(), Dense(4))), ("a", "b", "c", "d")).onnx,
            "do not describe the same model",
        ),
    ],
)
def test_a_foreign_onnx_file_is_noticed_even_when_the_hashes_agree(
    content: bytes, told: str, saved: Path
) -> None:
    (saved / ONNX_FILE).write_bytes(content)
    sealed(saved)
    with pytest.raises(ModelError, match=f"{ONNX_FILE}.* {told}") as caught:
        Model.load(saved).predict(np.zeros((1, 6, 7), np.uint8))
    assert "\n" not in str(caught.value)


@functools.cache
def original(folder: Path) -> dict[str, bytes]:
    small().save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(data=st.data())
@settings(max_examples=200)
def test_no_damage_is_ever_read_as_another_model(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged-model"
    files = original(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    file = data.draw(st.sampled_from(sorted(files)))
    damaged = bytearray(files[file])
    place = data.draw(st.integers(0, len(damaged) - 1), label="place")
    match data.draw(st.sampled_from(["change", "insert", "delete", "cut"])):
        case "change":
            damaged[place] ^= data.draw(st.integers(1, 255))
        case "insert":
            damaged.insert(place, data.draw(st.integers(0, 255)))
        case "delete":
            del damaged[place]
        case "cut":
            del damaged[place:]
    (folder / file).write_bytes(damaged)
    try:
        loaded = Model.load(folder)
    except InkwiseError as error:
        told = str(error)
    else:
        # White space, the spelling of a number: the same model in other words.
        assert file == DOCUMENT_FILE
        assert same(loaded, small())
        return
    assert file in told


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 2, 3, 6, 7, 65_536, 10**30])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(["conv", "pool", "flatten", "dropout", "dense"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["layer", "shape", "units", "filters", "kernel", "size", "rate", "relu"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


def holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON document: what holds it, and its key or index there."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from holders(value[key])


@given(data=st.data())
@settings(max_examples=200)
@pytest.mark.slow
def test_whatever_a_description_says_the_model_is_refused_or_works(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "described-model"
    document = json.loads(original(folder)[DOCUMENT_FILE])
    document = copy.deepcopy({key: document[key] for key in DESCRIBED})
    holder, key = data.draw(st.sampled_from(list(holders(document))))
    if data.draw(st.booleans(), label="delete"):
        del holder[key]
    else:
        holder[key] = data.draw(JSON_VALUES)
    sealed(folder, {"schema": "inkwise-model/3", "provenance": {}, **document}, small().weights)
    try:
        loaded = Model.load(folder)
        answer = loaded.predict_proba(np.zeros((2, *loaded.network.image_size), np.uint8))
    except ModelError as error:
        assert DOCUMENT_FILE in str(error)  # noqa: PT017 - an error is one of two right outcomes
    else:
        assert answer.shape == (2, len(loaded.class_names))
