import contextlib
import io

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from inkwise.errors import ModelError
from inkwise.networks.as_onnx import read_metadata, read_weights, round_weights, to_onnx
from inkwise.networks.as_torch import build
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool
from inkwise.networks.named import NETWORKS, case_study
from inkwise.networks.network import Network
from tests.networks import draw_weights, networks

MIXED = Network(
    (13, 11),
    (
        Conv(5, 3, "relu", stride=2),
        MaxPool(2),
        Conv(4, 2),
        Dropout(0.5),
        Flatten(),
        Dense(7, "relu"),
        Dense(3),
    ),
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def draw_images(network: Network, count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *network.image_size), np.uint8)


def logits_of_torch(
    network: Network, weights: dict[str, NDArray[np.float32]], images: NDArray[np.uint8]
) -> torch.Tensor:
    module = build(network).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    with torch.no_grad():
        logits: torch.Tensor = module(torch.from_numpy(images).unsqueeze(1).float() / 255)
    return logits


def answers_of_torch(
    network: Network, weights: dict[str, NDArray[np.float32]], images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    answers: NDArray[np.float32] = logits_of_torch(network, weights, images).softmax(1).numpy()
    return answers


def outputs_of(model: bytes, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"images": images}), strict=True))


def answers_of(model: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return outputs_of(model, images)["probabilities"]


@given(network=networks(), seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5))
@settings(max_examples=60)
def test_any_network_answers_as_in_torch(network: Network, seed: int, count: int) -> None:
    weights, images = draw_weights(network, seed), draw_images(network, count)
    expected = answers_of_torch(network, weights, images)
    np.testing.assert_allclose(
        answers_of(to_onnx(network, weights, {}), images), expected, atol=1e-5
    )


@pytest.mark.parametrize(
    "network",
    [
        MIXED,
        *(describe((28, 28), 10, 0.25) for describe in NETWORKS.values()),
        Network((4, 6), (Flatten(), Dense(2, "relu"))),
        Network((5, 5), (MaxPool(2), Dropout(0.1), Flatten(), Dense(1))),
        Network((9, 9), (Conv(2, 3, "relu", stride=3), Flatten(), Dense(2))),
    ],
)
def test_a_network_answers_as_in_torch(network: Network) -> None:
    weights, images = draw_weights(network), draw_images(network, 20)
    expected = answers_of_torch(network, weights, images)
    np.testing.assert_allclose(
        answers_of(to_onnx(network, weights, {}), images), expected, atol=1e-5
    )


@given(network=networks(), seed=st.integers(0, 2**32 - 1), temperature=st.floats(0.1, 10))
@settings(max_examples=40)
def test_any_network_tells_its_logits_their_score_and_cooler_or_warmer_probabilities(
    network: Network, seed: int, temperature: float
) -> None:
    weights, images = draw_weights(network, seed), draw_images(network, 3)
    logits = logits_of_torch(network, weights, images)
    outputs = outputs_of(to_onnx(network, weights, {}, temperature), images)
    assert list(outputs) == ["probabilities", "logits", "score"]
    scores = logits.logsumexp(1).numpy()
    np.testing.assert_allclose(outputs["logits"], logits.numpy(), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(outputs["score"], scores, rtol=1e-5, atol=1e-4)
    cooled = (logits / temperature).softmax(1).numpy()
    np.testing.assert_allclose(outputs["probabilities"], cooled, atol=1e-4 / temperature)


def test_a_score_is_exact_where_the_exponentials_are_not() -> None:
    network = Network((1, 2), (Flatten(), Dense(2)))
    images = np.array([[[255, 0]], [[0, 255]]], np.uint8)
    for size in (1e4, -1e4):  # e**1e4 is no number of 32 bits
        weights = {
            "dense1.weight": np.array([[size, 0], [0, size]], np.float32),
            "dense1.bias": np.full(2, size, np.float32),
        }
        score = outputs_of(to_onnx(network, weights, {}), images)["score"]
        np.testing.assert_allclose(score, max(2 * size, size))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_images_is_answered(count: int) -> None:
    outputs = outputs_of(to_onnx(MIXED, draw_weights(MIXED), {}), draw_images(MIXED, count))
    assert [array.shape for array in outputs.values()] == [(count, 3), (count, 3), (count,)]
    assert {array.dtype.name for array in outputs.values()} == {"float32"}
    np.testing.assert_allclose(outputs["probabilities"].sum(1), 1, atol=1e-6)


def test_the_file_is_valid_and_says_what_it_takes() -> None:
    model = to_onnx(MIXED, draw_weights(MIXED), {"colour": "grün", "recipe": "{}"})
    onnx.checker.check_model(model, full_check=True)
    read = onnx.load(io.BytesIO(model))
    # No newer than what ONNX Runtime 1.17 reads: opset 20 in IR version 9.
    assert [(opset.domain, opset.version) for opset in read.opset_import] == [("", 17)]
    assert read.ir_version == 8
    assert {entry.key: entry.value for entry in read.metadata_props} == {
        "colour": "grün",
        "recipe": "{}",
    }
    session = onnxruntime.InferenceSession(model)
    ends = [*session.get_inputs(), *session.get_outputs()]
    assert [(end.name, end.type, end.shape) for end in ends] == [
        ("images", "tensor(uint8)", ["N", 13, 11]),
        ("probabilities", "tensor(float)", ["N", 3]),
        ("logits", "tensor(float)", ["N", 3]),
        ("score", "tensor(float)", ["N"]),
    ]


def test_prediction_does_only_what_it_must() -> None:
    network = case_study((28, 28), 10, dropout=0.5)
    graph = onnx.load(io.BytesIO(to_onnx(network, draw_weights(network), {}))).graph
    kinds = [node.op_type for node in graph.node]
    # No dropout, and no transposition: the first dense layer's weights lie as the maps do.
    preparation = ["Cast", "Div", "Reshape"]
    maps = ["Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Conv", "Relu"]
    dense = ["Flatten", "Gemm", "Relu", "Gemm"]
    assert kinds == [*preparation, *maps, *dense, "Softmax", "ReduceLogSumExp"]
    graph = onnx.load(io.BytesIO(to_onnx(network, draw_weights(network), {}, 2.0))).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds == [*preparation, *maps, *dense, "Div", "Softmax", "ReduceLogSumExp"]


def test_weights_keep_their_names_and_values() -> None:
    weights = draw_weights(MIXED)
    graph = onnx.load(io.BytesIO(to_onnx(MIXED, weights, {}))).graph
    found = {array.name: numpy_helper.to_array(array) for array in graph.initializer}
    assert weights.keys() <= found.keys()
    for name, array in weights.items():
        if name != "dense1.weight":  # whose columns are in another order
            np.testing.assert_array_equal(found[name], array)
    np.testing.assert_array_equal(
        np.sort(found["dense1.weight"]), np.sort(weights["dense1.weight"])
    )


def test_the_same_network_gives_the_same_bytes() -> None:
    weights = draw_weights(MIXED)
    assert to_onnx(MIXED, weights, {"a": "b"}) == to_onnx(MIXED, dict(weights), {"a": "b"})
    weights["conv1.bias"] = weights["conv1.bias"] + 1
    assert to_onnx(MIXED, weights, {"a": "b"}) != to_onnx(MIXED, draw_weights(MIXED), {"a": "b"})


# --- the way back ---


@given(network=networks(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_any_weights_are_read_back_to_the_bit(network: Network, seed: int) -> None:
    weights = draw_weights(network, seed)
    found = read_weights(to_onnx(network, weights, {}, 0.5), network)
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        assert (found[name].shape, found[name].dtype.name) == (array.shape, "float32")
        assert found[name].tobytes() == array.tobytes()


@given(metadata=st.dictionaries(TEXT, TEXT, max_size=5))
@settings(max_examples=40)
def test_any_metadata_are_read_back(metadata: dict[str, str]) -> None:
    small = Network((1, 2), (Flatten(), Dense(1)))
    assert read_metadata(to_onnx(small, draw_weights(small), metadata)) == metadata


def test_what_the_onnx_package_has_written_again_is_read_as_well() -> None:
    weights = draw_weights(MIXED)
    again = onnx.load_from_string(to_onnx(MIXED, weights, {"a": "b"})).SerializeToString()
    assert read_metadata(again) == {"a": "b"}
    for name, array in read_weights(again, MIXED).items():
        np.testing.assert_array_equal(array, weights[name])


def test_weights_of_another_network_are_refused() -> None:
    content = to_onnx(MIXED, draw_weights(MIXED), {})
    wider = Network((13, 11), (*MIXED.layers[:-1], Dense(4)))
    with pytest.raises(ModelError, match=r"does not hold the weights of the network: dense2\."):
        read_weights(content, wider)


@given(data=st.data())
@settings(max_examples=300)
def test_no_damage_is_more_than_an_error(data: st.DataObject) -> None:
    content = bytearray(to_onnx(MIXED, draw_weights(MIXED), {"a": "b"}))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] ^= data.draw(st.integers(1, 255))
        else:
            del content[place:]
            break
    with contextlib.suppress(ModelError):
        found = read_weights(bytes(content), MIXED)
        assert {name: array.shape for name, array in found.items()} == {
            name: array.shape for name, array in draw_weights(MIXED).items()
        }
    with contextlib.suppress(ModelError):
        read_metadata(bytes(content))


def test_rounded_weights_differ_by_what_was_rounded_away() -> None:
    network = Network((9, 8), (Flatten(), Dense(40, "relu"), Dense(3)))
    weights = draw_weights(network)
    found = read_weights(round_weights(to_onnx(network, weights, {}), np.float32, 9), network)
    first = found.pop("dense1.weight")
    assert not (first.view(np.uint32) & 0x1FF).any()
    np.testing.assert_allclose(first, weights["dense1.weight"], rtol=2**-15)
    assert (first != weights["dense1.weight"]).any()
    for name, small in found.items():
        np.testing.assert_array_equal(small, weights[name])
