"""From a network's description and weights to an ONNX model, and back to the weights."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.networks.ensemble import Ensemble, members
from inkwise.networks.layer_summaries import LayerSummary, Shape
from inkwise.networks.layers import (
    BATCH_NORM_EPSILON,
    LEAKY_SLOPE,
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    MaxPool,
    Pool,
    Residual,
    SpatialDropout,
)
from inkwise.networks.network import Network
from inkwise.networks.rotations import rotation_grid
from inkwise.system.extras import require_training
from inkwise.system.files import to_utf8
from inkwise.version import __version__

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET, IR_VERSION = 17, 8
"""From June 2022, so that ONNX Runtime from version 1.12 on and other runtimes read the file."""

INPUT = "images"
PROBABILITIES, LOGITS, SCORE = OUTPUTS = "probabilities", "logits", "score"


def to_onnx(
    network: Network | Ensemble,
    weights: Mapping[str, NDArray[np.float32]],
    metadata: Mapping[str, str],
    temperature: float = 1.0,
    rotations: Sequence[float] = (0.0,),
) -> bytes:
    """Write a trained network as an ONNX model.

    Its graph has everything from grey levels to probabilities: the division by 255, the layers, the
    temperature scaling and the softmax. The same arguments give the same bytes.

    Parameters
    ----------
    network : Network or Ensemble
        The description of the network.
    weights : mapping of str to ndarray of float32
        Arrays with the names and shapes that ``network.summary()`` states.
    metadata : mapping of str to str
        Entries for the file's ``metadata_props``.
    temperature : float
        Number by which the logits are divided before the softmax.
    rotations : sequence of float
        Angles of the test-time augmentation, in degrees. With several, the logits are combined as
        those of an `Ensemble`, with a member for each angle.

    Returns
    -------
    bytes
        A serialised ModelProto: ``images``, uint8 (N, H, W), to ``probabilities``, float32
        (N, classes); ``logits``, float32 (N, classes), before the temperature; and ``score``,
        float32 (N,), the logsumexp of an image's logits. N is not fixed.

    Raises
    ------
    LibraryError
        The onnx package is not installed.

    References
    ----------
    Open Neural Network Exchange, operators of opset 17, https://onnx.ai/onnx/operators/.
    """
    require_training("writing a model")
    import onnx
    from onnx import TensorProto, helper

    graph = Graph()
    values = graph.add("Cast", INPUT, "levels", to=TensorProto.FLOAT)
    values = graph.add("Div", values, "inputs", {"white": np.array(255, np.float32)})
    height, width = network.image_size
    maps = graph.add("Reshape", values, "maps", {"shape": np.array([-1, 1, height, width])})
    if any(rotations):
        maps = _add_rotations(graph, maps, network.image_size, rotations)
    ends = [
        _add_layers(graph, maps, prefix, member, weights) for prefix, member in members(network)
    ]
    if len(ends) * len(rotations) > 1:
        _add_mean(graph, ends, len(ends) * len(rotations), network.classes)
    graph.nodes[-1].output[0] = scaled = LOGITS
    if temperature != 1:
        divisor = {"temperature": np.array(temperature, np.float32)}
        scaled = graph.add("Div", LOGITS, "scaled", divisor)
    graph.add("Softmax", scaled, PROBABILITIES, axis=1)
    graph.add("ReduceLogSumExp", LOGITS, SCORE, axes=[1], keepdims=0)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "inkwise",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", height, width])],
            [
                helper.make_tensor_value_info(
                    PROBABILITIES, TensorProto.FLOAT, ["N", network.classes]
                ),
                helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["N", network.classes]),
                helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, ["N"]),
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="inkwise",
        producer_version=__version__,
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _add_layers(
    graph: "Graph",
    maps: str,
    prefix: str,
    network: Network,
    weights: Mapping[str, NDArray[np.float32]],
) -> str:
    """Add the layers of one network to the graph; return the name of its logits."""
    flattened = _flattened(network)
    values = {"": maps}
    for line in network.summary():
        name, layer = prefix + line.name, line.layer
        parameters = {prefix + each: weights[prefix + each] for each in line.parameters}
        if line.name in flattened:
            weight, shape = f"{name}.weight", flattened[line.name].input_shape
            parameters[weight] = _channels_first(weights[weight], shape)
        first, *others = (values[each] for each in line.inputs)
        activation, slope = "linear", LEAKY_SLOPE
        match layer:
            case Conv():
                result = _add_convolution(graph, first, name, layer, line, parameters)
                activation = layer.activation
            case BatchNorm():
                epsilon = BATCH_NORM_EPSILON
                result = graph.add("BatchNormalization", first, name, parameters, epsilon=epsilon)
            case MaxPool() | AveragePool():
                kind = "MaxPool" if isinstance(layer, MaxPool) else "AveragePool"
                options: dict[str, Any] = {
                    "kernel_shape": [layer.size] * 2,
                    "strides": [layer.step] * 2,
                }
                options |= _pads(layer, line)
                result = graph.add(kind, first, name, **options)
            case GlobalPool():
                kind = "ReduceMax" if layer.kind == "max" else "ReduceMean"
                result = graph.add(kind, first, name, axes=[2, 3], keepdims=0)
            case Flatten():
                in_order = line in flattened.values()
                maps = first if in_order else _channels_to_the_end(graph, first, name)
                result = graph.add("Flatten", maps, name)
            case Dropout() | SpatialDropout():
                result = first
            case Activation():
                result, activation, slope = first, layer.function, layer.slope
            case Residual():
                result = graph.join("Add", [first, *others], name)
            case Dense():
                result = graph.add("Gemm", first, name, parameters, transB=1)
                activation = layer.activation
            case _:
                assert_never(layer)
        # Before a pooling, unlike in training: ONNX Runtime fuses it with the convolution.
        values[line.name] = _add_activation(graph, result, name, activation, slope)
    return values[line.name]


def _add_convolution(
    graph: "Graph",
    values: str,
    name: str,
    layer: Conv,
    line: LayerSummary,
    parameters: Mapping[str, NDArray[np.float32]],
) -> str:
    options: dict[str, Any] = _pads(layer, line)
    if layer.dilation > 1:
        options["dilations"] = [layer.dilation] * 2
    if layer.groups > 1:
        options["group"] = layer.groups
    return graph.add("Conv", values, name, parameters, strides=[layer.stride] * 2, **options)


def _pads(layer: Conv | Pool, line: LayerSummary) -> dict[str, list[int]]:
    rows, columns = (layer.pads(side) for side in line.input_shape[:2])
    if not any((*rows, *columns)):
        return {}
    return {"pads": [rows[0], columns[0], rows[1], columns[1]]}


def _channels_to_the_end(graph: "Graph", values: str, name: str) -> str:
    return graph.add("Transpose", values, f"{name}_last", perm=[0, 2, 3, 1])


def _add_activation(graph: "Graph", values: str, name: str, activation: str, slope: float) -> str:
    """Add an activation behind a layer of this name; return the name of its output."""
    end = f"{name}_{activation}"
    match activation:
        case "relu" | "tanh" | "sigmoid":
            return graph.add(activation.title(), values, end)
        case "leaky_relu":
            return graph.add("LeakyRelu", values, end, alpha=slope)
        case "elu":
            return graph.add("Elu", values, end, alpha=1.0)
        case "silu":
            gate = graph.add("Sigmoid", values, f"{end}_gate")
            return graph.join("Mul", [values, gate], end)
        case "gelu":  # an operator of its own only from opset 20 on
            root = {f"{end}_root": np.array(math.sqrt(2), np.float32)}
            error = graph.add("Erf", graph.add("Div", values, f"{end}_scaled", root), f"{end}_erf")
            one = {f"{end}_one": np.array(1, np.float32)}
            half = {f"{end}_half": np.array(0.5, np.float32)}
            gate = graph.add("Add", error, f"{end}_sum", one)
            product = graph.join("Mul", [values, gate], f"{end}_product")
            return graph.add("Mul", product, end, half)
    return values


def _add_rotations(
    graph: "Graph", maps: str, image_size: tuple[int, int], rotations: Sequence[float]
) -> str:
    """Add the rotated images to the graph: all of the first angle, then all of the next."""
    # All images become channels of one, (1, N, H, W), so that they share a grid that is a constant.
    as_channels = {"channels_shape": np.array([1, -1, *image_size])}
    channels = graph.add("Reshape", maps, "as_channels", as_channels)
    rotated = [
        graph.add(
            "GridSample",
            channels,
            f"rotated{number}",
            {f"grid{number}": rotation_grid(image_size, degrees)},
            align_corners=0,
        )
        for number, degrees in enumerate(rotations, start=1)
    ]
    together = graph.join("Concat", rotated, "rotated", axis=1)
    as_maps = {"maps_shape": np.array([-1, 1, *image_size])}
    return graph.add("Reshape", together, "rotated_maps", as_maps)


def _add_mean(graph: "Graph", ends: Sequence[str], looks: int, classes: int) -> None:
    """Add the mean over members and rotations (`looks` in all) of every image, see `Ensemble`."""
    joined = graph.join("Concat", ends, "joined", axis=0)
    shape = {"looks_shape": np.array([looks, -1, classes])}
    each = graph.add("Reshape", joined, "looks", shape)
    scores = graph.add("ReduceLogSumExp", each, "scores", axes=[2])
    logs = graph.join("Sub", [each, scores], "log_probabilities")
    total = graph.add("ReduceLogSumExp", logs, "log_sum", axes=[0], keepdims=0)
    count = {"log_looks": np.array(math.log(looks), np.float32)}
    mean = graph.add("Sub", total, "log_mean", count)
    score = graph.add("ReduceMean", scores, "mean_score", axes=[0], keepdims=0)
    graph.join("Add", [mean, score], "mean_logits")


def read_weights(content: bytes, network: Network | Ensemble) -> dict[str, NDArray[np.float32]]:
    """Read the weights from an ONNX model that `to_onnx` wrote, without the package onnx.

    Parameters
    ----------
    content : bytes
        Content of the file.
    network : Network or Ensemble
        The network that the file was written from.

    Returns
    -------
    dict of str to ndarray of float32
        The weights that `to_onnx` was given, to the bit.

    Raises
    ------
    ModelError
        The file is damaged, or holds the weights of another network.

    References
    ----------
    ONNX's messages and the numbers of their fields,
    https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
    """
    tensors = [tensor for graph in _fields(content, 7) for tensor in _fields(graph, 5)]
    raw = {_text(tensor, 8): b"".join(_fields(tensor, 9)) for tensor in tensors}
    return {
        name: array
        for prefix, member in members(network)
        for name, array in _read_arrays(raw, prefix, member)
    }


def _read_arrays(
    raw: Mapping[str, bytes], prefix: str, network: Network
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    flattened = _flattened(network)
    for line in network.summary():
        for own, dimensions in line.parameters.items():
            name = prefix + own
            if len(raw.get(name, b"")) != 4 * math.prod(dimensions):
                raise ModelError(f"the file does not hold the weights of the network: {name}")
            array = np.frombuffer(raw[name], "<f4").astype(np.float32).reshape(dimensions)
            if line.name in flattened and array.ndim > 1:
                array = _channels_last(array, flattened[line.name].input_shape)
            yield name, array


def from_channels_first(
    network: Network, weights: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Reorder weights for feature maps that are flattened with the channels first, as PyTorch does.

    Raises
    ------
    ValueError
        Something else than a dense layer takes the numbers of such a map.
    """
    flattened = _flattened(network)
    maps = [line for line in network.summary() if isinstance(line.layer, Flatten)]
    if any(line not in flattened.values() for line in maps if line.input_shape[-1] > 1):
        raise ValueError("a flattened map goes elsewhere than into a dense layer")
    reordered = {
        f"{name}.weight": _channels_last(weights[f"{name}.weight"], line.input_shape)
        for name, line in flattened.items()
    }
    return {**weights, **reordered}


def read_metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX model; raise `ModelError` if `content` is not one."""
    return {_text(entry, 1): _text(entry, 2) for entry in _fields(content, 14)}


def round_weights(
    content: bytes, dtype: np.dtype[Any] | type[np.floating[Any]], bits: int
) -> bytes:
    """Return a model whose weights have so many bits fewer, which are 0: it compresses better.

    Parameters
    ----------
    content : bytes
        An ONNX model.
    dtype : dtype
        The type of its weights: ``float16`` or ``float32``.
    bits : int
        How many of the last bits are rounded away.

    Returns
    -------
    bytes
        The model, as long as before. Arrays of less than a kibibyte, such as biases, are kept.

    Raises
    ------
    ModelError
        `content` is not an ONNX model.
    """
    whole = np.dtype(f"<u{np.dtype(dtype).itemsize}")
    for graph in _fields(content, 7):
        for tensor in _fields(graph, 5):
            for raw in _fields(tensor, 9):
                if len(raw) < 1024:
                    continue
                words = np.frombuffer(raw, whole) + whole.type(1 << bits - 1)
                rounded = words >> whole.type(bits) << whole.type(bits)
                content = content.replace(raw, rounded.astype(whole).tobytes())
    return content


def expose(
    content: bytes, network: Network | Ensemble, combined: bool = False
) -> tuple[bytes, dict[str, str]]:
    """Make the values of a network's inner layers outputs of its ONNX model, without onnx.

    Parameters
    ----------
    content : bytes
        Content of the file, as `to_onnx` wrote it.
    network : Network or Ensemble
        The network that the file was written from.
    combined : bool
        Whether the model's logits are a mean over members of an ensemble or over rotations.

    Returns
    -------
    content : bytes
        The same model, with further outputs.
    outputs : dict of str to str
        Name of the output for each name of a layer. Its values, after the layer's activation,
        are float32 (N, C, H, W), or (N, features) in the order of the file. The output of a
        dropout is that of the layer before it, and that of the last layer the logits.

    References
    ----------
    "Last one wins", and why messages can be joined end to end,
    https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """
    outputs: dict[str, str] = {}
    for prefix, member in members(network):
        values = {"": "maps"}
        for line in member.summary():
            name, layer = prefix + line.name, line.layer
            value = values[line.inputs[0]]
            match layer:
                case Dropout() | SpatialDropout() | Activation("linear"):
                    pass
                case Conv(activation=activation) | Dense(activation=activation) if (
                    activation != "linear"
                ):
                    value = f"{name}_{activation}"
                case Activation(function):
                    value = f"{name}_{function}"
                case _:
                    value = name
            values[line.name] = outputs[name] = value
    if not combined:  # in every model the logits have the same name
        outputs[name] = LOGITS
    # Protobuf merges messages that follow each other: a graph that has only outputs adds them to
    # those in the file.
    inner = {*outputs.values()} - {LOGITS}
    added = (_field(7, _field(12, _field(1, to_utf8(value)))) for value in inner)
    return b"".join([content, *sorted(added)]), outputs


def _field(number: int, content: bytes) -> bytes:
    """Return a protobuf field of fewer than 16,384 bytes; its number must be below 16."""
    low, high = len(content) & 127, len(content) >> 7
    return bytes([number << 3 | 2, *([low | 128, high] if high else [low])]) + content


def _fields(message: bytes, number: int) -> list[bytes]:
    """Return the values of a field of a protobuf message: messages, text or bytes."""
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet

    try:
        # In a message type without fields all fields are unknown, and are kept.
        fields = UnknownFieldSet(Empty.FromString(message))
    except DecodeError as error:
        raise ModelError("the file is no ONNX model") from error
    of_bytes = 2  # the wire type
    return [
        field.data
        for field in fields
        if (field.field_number, field.wire_type) == (number, of_bytes)
    ]


def _text(message: bytes, number: int) -> str:
    return b"".join(_fields(message, number)).decode(errors="replace")


class Graph:
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
        """Add a node whose inputs are another's output and constants; return its output's name."""
        each = [self.constant(array, constant) for constant, array in (constants or {}).items()]
        return self.join(kind, [values, *each], name, **options)

    def constant(self, array: NDArray[Any], name: str) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def join(self, kind: str, inputs: Sequence[str], name: str, **options: Any) -> str:
        """Add a node whose inputs are outputs or constants by name; return its output's name."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name, **options))
        return name


def _flattened(network: Network) -> dict[str, LayerSummary]:
    """Return for each dense layer the flattening just before it, which it can do without.

    Their feature maps are flattened with the channels first, and the columns of the dense layer are
    reordered instead. Only what treats all numbers alike may stand between the two.
    """
    lines = network.summary()
    takers: dict[str, list[LayerSummary]] = {}
    for line in lines:
        for name in line.inputs:
            takers.setdefault(name, []).append(line)
    found = {}
    for line in lines:
        if isinstance(line.layer, Flatten):
            followers = takers[line.name]
            while len(followers) == 1 and isinstance(followers[0].layer, Dropout | Activation):
                followers = takers[followers[0].name]
            if len(followers) == 1 and isinstance(followers[0].layer, Dense):
                found[followers[0].name] = line
    return found


def _channels_first(weight: NDArray[np.float32], maps: Shape) -> NDArray[np.float32]:
    """Reorder a dense layer's columns from (rows, columns, channels) to ONNX's channels first.

    Done once here, this saves a transposition of every image's feature maps in prediction.
    """
    return weight.reshape(-1, *maps).transpose(0, 3, 1, 2).reshape(weight.shape)


def _channels_last(weight: NDArray[np.float32], maps: Shape) -> NDArray[np.float32]:
    """Undo `_channels_first`."""
    height, width, channels = maps
    first = weight.reshape(-1, channels, height, width)
    return np.ascontiguousarray(first.transpose(0, 2, 3, 1)).reshape(weight.shape)
