"""The network that reads a line of digits at once.

Columns of convolutions give, for every second column of a line, scores of the signs in
`inkwise.reading.alphabet` and of the blank; connectionist temporal classification (CTC) sums over
all ways in which a text can lie along them.

References
----------
A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, "Connectionist temporal classification: labelling
unsegmented sequence data with recurrent neural networks", 2006.
"""

import json
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from inkwise.networks.as_onnx import IR_VERSION, OPSET, Graph
from inkwise.reading.alphabet import SIGNS
from inkwise.reading.line_model import CALIBRATION, LINES, PROBABILITIES, STEP
from inkwise.reading.text_lines import ROWS
from inkwise.version import __version__


class _Conv(nn.Module):
    """A convolution, batch normalisation and ReLU."""

    def __init__(
        self, before: int, after: int, size: tuple[int, int] = (3, 3), stride: int = 1
    ) -> None:
        super().__init__()
        pad = size[0] // 2 if size[0] % 2 else 0, size[1] // 2
        self.conv = nn.Conv2d(before, after, size, stride, pad, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, values: Tensor) -> Tensor:
        return self.norm(self.conv(values)).relu()

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the same convolution without the normalisation."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None  # noqa: PT018, S101 - they are tracked
        factor = self.norm.weight / (variance + self.norm.eps).sqrt()
        return self.conv.weight * factor[:, None, None, None], self.norm.bias - mean * factor


class _Residual(nn.Module):
    def __init__(self, filters: int, size: tuple[int, int] = (3, 3)) -> None:
        super().__init__()
        self.conv = _Conv(filters, filters, size)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.conv(values)


def line_network() -> nn.Sequential:
    """Return an untrained network: lines, float32 (N, 1, 32, W), to scores, (N, 17, 1, W/2)."""
    halve = nn.MaxPool2d((2, 1))
    return nn.Sequential(
        _Conv(1, 16),
        _Conv(16, 32, stride=STEP),  # (N, 32, 16, W/2)
        _Conv(32, 48),
        halve,
        _Conv(48, 80),
        _Residual(80),
        halve,
        _Conv(80, 128),
        _Residual(128),
        halve,  # (N, 128, 2, W/2)
        _Conv(128, 192, (2, 5)),
        _Residual(192, (1, 5)),
        nn.Dropout(0.1),
        nn.Conv2d(192, len(SIGNS) + 1, 1),
    )


def to_onnx(network: nn.Sequential, slope: float, offset: float) -> bytes:
    """Write a trained network as an ONNX model: ``lines`` to ``probabilities``.

    Batch normalisation is folded into the convolutions. The weights are stored in half precision,
    and computed with in single.

    Parameters
    ----------
    network : torch.nn.Sequential
        As `line_network` returns it.
    slope, offset : float
        Of the calibration, see `inkwise.reading.line_model.LineModel.calibrate`.

    Returns
    -------
    bytes
        A serialised ModelProto: ``lines``, uint8 (N, 32, W), to ``probabilities``, float32
        (N, W/2, 17).
    """
    import onnx
    from onnx import TensorProto, helper

    graph = Graph()
    values = graph.add("Cast", LINES, "levels", to=TensorProto.FLOAT)
    values = graph.add("Div", values, "inputs", {"white": np.array(255, np.float32)})
    values = graph.add("Unsqueeze", values, "maps", {"channel": np.array([1])})
    for place, layer in enumerate(network):
        values = _add(graph, values, f"layer{place}", layer)
    values = graph.add("Squeeze", values, "columns", {"row": np.array([2])})
    values = graph.add("Transpose", values, "places", perm=[0, 2, 1])
    graph.add("Softmax", values, PROBABILITIES, axis=2)
    end = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "inkwise",
            [end(LINES, TensorProto.UINT8, ["N", ROWS, "W"])],
            [end(PROBABILITIES, TensorProto.FLOAT, ["N", "T", len(SIGNS) + 1])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="inkwise",
        producer_version=__version__,
    )
    helper.set_model_props(model, {CALIBRATION: json.dumps([slope, offset])})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _add(graph: Graph, values: str, name: str, layer: nn.Module) -> str:
    if isinstance(layer, _Residual):
        inner = _add(graph, values, f"{name}.inner", layer.conv)
        return graph.join("Add", [values, inner], name)
    if isinstance(layer, _Conv):
        weight, bias = layer.folded()
        return graph.add(
            "Relu", _convolve(graph, values, f"{name}.conv", layer.conv, weight, bias), name
        )
    if isinstance(layer, nn.Conv2d):
        assert layer.bias is not None  # noqa: S101 - only those of `_Conv` have none
        return _convolve(graph, values, name, layer, layer.weight, layer.bias)
    if isinstance(layer, nn.MaxPool2d):
        return graph.add("MaxPool", values, name, kernel_shape=[2, 1], strides=[2, 1])
    return values  # dropout does nothing outside training


def _convolve(
    graph: Graph, values: str, name: str, conv: nn.Conv2d, weight: Tensor, bias: Tensor
) -> str:
    wide = [
        graph.add(
            "Cast", graph.constant(_half(array), f"{name}.{role}"), f"{name}.{role}.single", to=1
        )
        for role, array in (("weight", weight), ("bias", bias))
    ]
    down, across = cast(tuple[int, int], conv.padding)
    return graph.join(
        "Conv",
        [values, *wide],
        name,
        pads=[down, across, down, across],
        strides=list(conv.stride),
    )


def _half(array: Tensor) -> NDArray[np.float16]:
    return array.detach().numpy().astype(np.float16)
