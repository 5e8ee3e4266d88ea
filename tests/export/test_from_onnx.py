"""Reading ONNX models of other programs: the same answers, or one line that says why not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from inkwise import Model, import_model
from inkwise.errors import ModelError
from inkwise.networks.as_torch import build
from inkwise.networks.layers import Conv, Dense, Flatten
from inkwise.networks.network import Network
from tests.networks import draw_weights, networks

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 28, 28), np.uint8)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def from_torch(module: nn.Module, shape: tuple[int, ...], path: Path) -> bytes:
    """Export a module as torch.onnx does."""
    torch.onnx.export(
        module.eval(),
        (torch.zeros(1, *shape),),
        path,
        input_names=["input"],
        dynamic_axes={"input": {0: "N"}},
        dynamo=False,
    )
    return path.read_bytes()


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def check(content: bytes, inputs: NDArray[np.floating[Any]], tmp_path: Path) -> Model:
    """Import a model, and compare it with what ONNX Runtime makes of the file."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    session = onnxruntime.InferenceSession(content)
    (logits,) = session.run(None, {session.get_inputs()[0].name: inputs})
    imported = import_model(path)
    np.testing.assert_allclose(imported.predict_proba(IMAGES), softmax(logits), atol=1e-5)
    return imported


class Basic(nn.Module):
    """A network as people write it, with a view that computes its shape."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(4, 6, 3, 2, 1, bias=False),
            nn.BatchNorm2d(6),
            nn.SiLU(),
            nn.Conv2d(6, 6, 3, padding=1),
        )
        self.skip = nn.Conv2d(4, 6, 1, 2)
        self.end = nn.Linear(6 * 7 * 7, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.stem((images - 0.1307) / 0.3081)
        maps = nn.functional.max_pool2d(torch.relu(self.block(maps) + self.skip(maps)), 2)
        return self.end(maps.view(maps.size(0), -1))


KINDS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "perceptron": (
        nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10)),
        (1, 28, 28),
    ),
    "flat": (nn.Sequential(nn.Linear(784, 20), nn.Sigmoid(), nn.Linear(20, 10)), (784,)),
    "LeNet-5": (
        nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(400, 30), nn.Tanh(), nn.Linear(30, 10),
        ),
        (1, 28, 28),
    ),
    "global pooling": (
        nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2), nn.LeakyReLU(0.2), nn.Conv2d(8, 10, 3), nn.ELU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ),
        (1, 28, 28),
    ),
    "with a skip": (Basic(), (1, 28, 28)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_torch_exports_gives_its_answers(kind: str, tmp_path: Path) -> None:
    module, shape = KINDS[kind]
    inputs = IMAGES.reshape(-1, *shape) / np.float32(255)
    model = check(from_torch(module, shape, tmp_path / "exported.onnx"), inputs, tmp_path)
    assert model.provenance["imported"]["onnx"].startswith("pytorch")


@given(network=networks())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_network_of_ours_that_torch_exports_comes_back(
    tmp_path: Path, network: Network
) -> None:
    module = build(network)
    weights = draw_weights(network)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    path = tmp_path / "model.onnx"
    from_torch(module, (1, *network.image_size), path)
    images = IMAGES[:, : network.image_size[0], : network.image_size[1]]

    try:
        imported = import_model(path)
    except ModelError as error:  # PyTorch has no single operator for these
        assert any(told in str(error) for told in ("(Erf)", "(Pad)", "(ConstantOfShape)"))  # noqa: PT017
        return

    expected = Model(network, weights, imported.class_names).predict_proba(images)
    np.testing.assert_allclose(imported.predict_proba(images), expected, atol=1e-5)


def nhwc() -> bytes:
    """A model as tf2onnx writes it, with the channels last around its convolution."""
    generator = np.random.default_rng(1)
    arrays = {
        "scale": np.array(1 / 255, np.float32),
        "kernel": generator.normal(0, 0.3, (4, 1, 3, 3)).astype(np.float32),
        "bias": generator.normal(0, 0.3, (1, 4, 1, 1)).astype(np.float32),
        "shape": np.array([-1, 4 * 13 * 13]),
        "dense": generator.normal(0, 0.3, (4 * 13 * 13, 10)).astype(np.float32),
        "offset": generator.normal(0, 0.3, 10).astype(np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["input", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "kernel"], ["conv"], auto_pad="VALID"),
        helper.make_node("Add", ["conv", "bias"], ["biased"]),
        helper.make_node("Relu", ["biased"], ["relu"]),
        helper.make_node("MaxPool", ["relu"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Transpose", ["pool"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["product"]),
        helper.make_node("Add", ["product", "offset"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 28, 28, 1])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def test_channels_at_the_end_and_raw_pixels_are_understood(tmp_path: Path) -> None:
    model = check(nhwc(), IMAGES[..., None].astype(np.float32), tmp_path)
    assert model.provenance["imported"]["pixels"] == [0, 255]


def test_our_own_export_comes_back_as_it_was(tmp_path: Path) -> None:
    network = Network((28, 28), (Conv(2, 3, "gelu"), Flatten(), Dense(3)))
    model = Model(network, draw_weights(network), tuple("abc"))
    path = tmp_path / "ours.onnx"
    path.write_bytes(model.onnx)

    again = import_model(path)

    assert again.class_names == ("a", "b", "c")
    assert again.onnx == model.onnx
    assert import_model(path, ["x", "y", "z"]).class_names == ("x", "y", "z")


def change(**options: Any) -> onnx.ModelProto:
    model = onnx.ModelProto.FromString(nhwc())
    for place, kind in options.items():
        model.graph.node[int(place[1:])].op_type = kind
    return model


def external() -> onnx.ModelProto:
    model = onnx.ModelProto.FromString(nhwc())
    tensor = model.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model


def of_another_domain() -> onnx.ModelProto:
    model = onnx.ModelProto.FromString(nhwc())
    model.graph.node[4].domain = "com.example"
    return model


def two_outputs() -> onnx.ModelProto:
    model = onnx.ModelProto.FromString(nhwc())
    model.graph.output.add(name="relu")
    return model


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (change(n4="Selu").SerializeToString(), r"'relu' \(Selu\) is not supported"),
        (change(n4="Loop").SerializeToString(), r"'relu' \(Loop\) is not supported"),
        (of_another_domain().SerializeToString(), r"'relu' \(Relu\) is not supported"),
        (external().SerializeToString(), "its weights are in other files"),
        (two_outputs().SerializeToString(), "1 inputs and 2 outputs"),
        (b"no model at all", "damaged, or no"),
        (b"", "0 inputs and 0 outputs"),
    ],
    ids=["Selu", "Loop", "domain", "external", "outputs", "text", "empty"],
)
def test_what_is_not_supported_is_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=reason) as caught:
        import_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_one_line(share: float, tmp_path: Path) -> None:
    content = nhwc()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"model\.onnx"):
        import_model(path)
