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

from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool, Network
from inkwise.networks.module import build
from inkwise.networks.named import NETWORKS, case_study
from inkwise.networks.onnx import to_onnx
from tests.networks import networks

MIXED = Network(
    (13, 11),
    (
        Conv(5, 3, stride=2),
        MaxPool(2),
        Conv(4, 2, relu=False),
        Dropout(0.5),
        Flatten(),
        Dense(7),
        Dense(3, relu=False),
    ),
)


def draw_weights(network: Network, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(0, 0.3, shape).astype(np.float32)
        for line in network.summary()
        for name, shape in line.parameters.items()
    }


def draw_images(network: Network, count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *network.image_size), np.uint8)


def answers_of_torch(
    network: Network, weights: dict[str, NDArray[np.float32]], images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    module = build(network).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    with torch.no_grad():
        logits = module(torch.from_numpy(images).unsqueeze(1).float() / 255)
    answers: NDArray[np.float32] = logits.softmax(1).numpy()
    return answers


def answers_of(model: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    (probabilities,) = onnxruntime.InferenceSession(model).run(None, {"images": images})
    return probabilities


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
        Network((4, 6), (Flatten(), Dense(2))),
        Network((5, 5), (MaxPool(2), Dropout(0.1), Flatten(), Dense(1, relu=False))),
        Network((9, 9), (Conv(2, 3, stride=3), Flatten(), Dense(2, relu=False))),
    ],
)
def test_a_network_answers_as_in_torch(network: Network) -> None:
    weights, images = draw_weights(network), draw_images(network, 20)
    expected = answers_of_torch(network, weights, images)
    np.testing.assert_allclose(
        answers_of(to_onnx(network, weights, {}), images), expected, atol=1e-5
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_images_is_answered(count: int) -> None:
    model = to_onnx(MIXED, draw_weights(MIXED), {})
    answers = answers_of(model, draw_images(MIXED, count))
    assert (answers.shape, answers.dtype.name) == ((count, 3), "float32")
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-6)


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
    (images,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["N", 13, 11])
    assert probabilities.name == "probabilities"
    assert (probabilities.type, probabilities.shape) == ("tensor(float)", ["N", 3])


def test_prediction_does_only_what_it_must() -> None:
    network = case_study((28, 28), 10, dropout=0.5)
    graph = onnx.load(io.BytesIO(to_onnx(network, draw_weights(network), {}))).graph
    kinds = [node.op_type for node in graph.node]
    # No dropout, and no transposition: the first dense layer's weights lie as the maps do.
    preparation = ["Cast", "Div", "Reshape"]
    maps = ["Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Conv", "Relu"]
    assert kinds == [*preparation, *maps, "Flatten", "Gemm", "Relu", "Gemm", "Softmax"]


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
