"""From a network's description to an ONNX file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

import inkwise
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool, Network, Shape

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET, IR_VERSION = 17, 8
"""Of June 2022, so that ONNX Runtime from 1.12 on reads the file, and others do."""

INPUT, OUTPUT = "images", "probabilities"


def to_onnx(
    network: Network, weights: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str]
) -> bytes:
    """Write a trained network as an ONNX model.

    Everything between grey levels and probabilities is in its graph: the division by 255, the
    layers, the softmax. The same arguments give the same bytes.

    Parameters
    ----------
    network : Network
    weights : mapping of str to ndarray of float32
        By the names and of the shapes that ``network.summary()`` states.
    metadata : mapping of str to str
        Entries for the file's ``metadata_props``.

    Returns
    -------
    bytes
        A serialised ModelProto: ``images``, uint8 (N, H, W), to ``probabilities``, float32
        (N, classes). N is free.

    References
    ----------
    Open Neural Network Exchange, operators of opset 17, https://onnx.ai/onnx/operators/.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    values = graph.add("Cast", INPUT, "levels", to=TensorProto.FLOAT)
    values = graph.add("Div", values, "inputs", {"white": np.array(255, np.float32)})
    height, width = network.image_size
    values = graph.add("Reshape", values, "maps", {"shape": np.array([-1, 1, height, width])})
    flattened: Shape | None = None
    shape: Shape = (height, width, 1)
    for line in network.summary():
        name, layer = line.name, line.layer
        parameters = {parameter: weights[parameter] for parameter in line.parameters}
        match layer:
            case Conv():
                strides = [layer.stride, layer.stride]
                values = graph.add("Conv", values, name, parameters, strides=strides)
            case MaxPool():
                window = [layer.size, layer.size]
                values = graph.add("MaxPool", values, name, kernel_shape=window, strides=window)
            case Flatten():
                values = graph.add("Flatten", values, name)
                flattened = shape
            case Dropout():
                pass
            case Dense():
                if flattened is not None:
                    weight = f"{name}.weight"
                    parameters[weight] = _channels_first(weights[weight], flattened)
                    flattened = None
                values = graph.add("Gemm", values, name, parameters, transB=1)
            case _:
                assert_never(layer)
        # At once, unlike in training: ONNX Runtime makes it part of the convolution.
        if isinstance(layer, Conv | Dense) and layer.relu:
            values = graph.add("Relu", values, f"{name}_relu")
        shape = line.output_shape
    graph.add("Softmax", values, OUTPUT, axis=1)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "inkwise",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", height, width])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", network.classes])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="inkwise",
        producer_version=inkwise.__version__,
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


class _Graph:
    """The nodes and constants of a graph that grows one node at a time."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(
        self,
        kind: str,
        values: str,
        name: str,
        constants: Mapping[str, NDArray[Any]] | None = None,
        **options: Any,
    ) -> str:
        """Add a node that takes the output of another and constants; return its output's name."""
        from onnx import helper, numpy_helper

        constants = constants or {}
        for constant, array in constants.items():
            self.constants.append(numpy_helper.from_array(array, constant))
        self.nodes.append(helper.make_node(kind, [values, *constants], [name], name, **options))
        return name


def _channels_first(weight: NDArray[np.float32], maps: Shape) -> NDArray[np.float32]:
    """Reorder a dense layer's columns from rows, columns, channels to ONNX's channels first.

    Done once here, it saves a transposition of every image's maps in prediction.
    """
    return weight.reshape(-1, *maps).transpose(0, 3, 1, 2).reshape(weight.shape)
