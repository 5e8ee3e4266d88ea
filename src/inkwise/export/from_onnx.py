"""Import of ONNX models that other programs wrote; nothing from the file is run."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.export.assembling import (
    Affine,
    Arrays,
    Padding,
    Part,
    Pixels,
    Refusal,
    Softmax,
    Step,
    assemble,
    norm_arrays,
)
from inkwise.export.imported import Found
from inkwise.networks.as_onnx import from_channels_first
from inkwise.networks.layer_summaries import Shape
from inkwise.networks.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    MaxPool,
)

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_FUNCTIONS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
_UNCHANGED = ("Identity", "Dropout", "Cast", "Squeeze", "Unsqueeze", "Transpose")
_ARITHMETIC = ("Add", "Sub", "Mul", "Div")
_POOLS = ("MaxPool", "AveragePool")
_GLOBAL_POOLS = ("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax")
_KINDS = (
    *_ARITHMETIC,
    *_FUNCTIONS,
    *_POOLS,
    *_GLOBAL_POOLS,
    *_UNCHANGED,
    *("BatchNormalization", "Conv", "Elu", "Flatten", "Gelu", "Gemm", "LeakyRelu", "LogSoftmax"),
    *("MatMul", "Reshape", "Softmax"),
)
_FLOATS = (1, 10, 11)  # of 32, 16 and 64 bits, in TensorProto.DataType
_OF_SHAPES = ("Constant", "Shape", "Gather", "Concat", "Slice")


def read_onnx(raw: bytes, pixels: Pixels | None = None) -> Found:
    """Read a network from an ONNX model.

    Parameters
    ----------
    raw : bytes
        Content of the file.
    pixels : tuple of float, optional
        As for `assemble`.

    Raises
    ------
    Refusal
        The model has an operator that none of our layers is for, or does not take one grey image.
    ArgumentError
        Layers do not fit together.

    References
    ----------
    Open Neural Network Exchange, operators, https://onnx.ai/onnx/operators/.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(raw)
    except DecodeError:
        raise Refusal("it is damaged, or no ONNX model: write it again") from None
    graph = _Graph(model.graph)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise Refusal(
            f"it has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, and inkwise "
            "takes one of each"
        )
    image_size, flat = graph.image_size()
    steps = graph.steps()
    network, weights, taken = assemble(image_size, steps, graph.outputs[0], flat, pixels)
    if graph.flattens_channels_first:
        try:
            weights = from_channels_first(network, weights)
        except ValueError:
            raise Refusal("something else than a dense layer follows where it flattens") from None
    program = f"{model.producer_name} {model.producer_version}".strip()
    return Found(network, weights, taken, {"onnx": program})


class _Graph:
    """The nodes and constants of an ONNX graph."""

    def __init__(self, graph: "GraphProto") -> None:
        from onnx import numpy_helper

        self.nodes = [_Node(node) for node in graph.node]
        self.constants: dict[str, NDArray[Any]] = {}
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in self.nodes:
            if node.kind == "Constant" and "value" in node.options:
                tensors[node.output] = node.options["value"]
        for name, tensor in tensors.items():
            if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
                raise Refusal("its weights are in other files: write it as a single one")
            self.constants[name] = numpy_helper.to_array(tensor)
        values = [each for each in graph.input if each.name not in self.constants]
        self.inputs = [each.name for each in values]
        self.outputs = [each.name for each in graph.output]
        self.flattens_channels_first = False
        self._shapes = [
            [side.dim_value or None for side in each.type.tensor_type.shape.dim] for each in values
        ]

    def image_size(self) -> tuple[tuple[int, int], bool]:
        """Return the size of the images, and whether the graph takes and uses them as vectors."""
        (shape,) = self._shapes
        match shape:
            case [_, 1, int(height), int(width)] | [_, int(height), int(width), 1]:
                return (height, width), False
            case [_, int(height), int(width)]:
                return (height, width), False
            case [_, int(pixels)]:
                for node in self.nodes:
                    match node.kind == "Reshape" and self._target(node):
                        case [_, 1, int(height), int(width)] | [_, int(height), int(width), 1] if (
                            height * width == pixels
                        ):
                            return (height, width), False  # as the Reshape finds it done
                side = math.isqrt(pixels)
                if side * side == pixels:
                    return (side, side), True
        told = ", ".join(str(side or "?") for side in shape)
        raise Refusal(
            f"it takes inputs of shape ({told}), and inkwise takes grey images of one size, "
            "(N, 1, height, width)"
        )

    def steps(self) -> dict[str, Step]:
        """Return the steps, by the names of the values that they make."""
        (start,), (shape,) = self.inputs, self._shapes
        # Whether each value has the channels last, as TensorFlow has them.
        last = {start: len(shape) == 4 and shape[-1] == 1 and shape[1] != 1}
        steps = {start: Step("input", ("",))}
        for node in self.nodes:
            if node.kind in _OF_SHAPES:
                continue
            if node.kind not in _KINDS or node.domain not in ("", "ai.onnx"):
                raise node.refusal(f"is not supported: inkwise takes {', '.join(_KINDS)}")
            values = [name for name in node.inputs if name in steps]
            if node.kind not in _ARITHMETIC:
                values = values[:1]
            if not values:
                continue  # it computes a shape, or a constant
            last[node.output] = _is_last(node, last[values[0]])
            gate = self._gate(node, values)
            if gate is not None:
                steps[node.output] = Step(node.told, (gate,), lambda _: [(Activation("silu"), {})])
            elif len(values) == 2 and node.kind != "Add":
                raise node.refusal("of two values is not supported: inkwise takes their sum")
            elif len(values) == 2:
                steps[node.output] = Step(node.told, tuple(values))
            else:
                steps[node.output] = self._step(node, values[0], last[values[0]])
        return steps

    def _gate(self, node: "_Node", values: list[str]) -> str | None:
        """Return the value that a product has multiplied with its own sigmoid."""
        makers = {each.output: each for each in self.nodes}
        for value, other in (values, values[::-1]) if len(values) == 2 else ():
            maker = makers.get(other)
            if maker is None or (node.kind, maker.kind) != ("Mul", "Sigmoid"):
                continue
            if maker.inputs == [value]:
                return value
        return None

    def _step(self, node: "_Node", value: str, last: bool) -> Step:
        return Step(node.told, (value,), lambda shape: self._translate(node, value, shape, last))

    def _translate(self, node: "_Node", value: str, shape: Shape, last: bool) -> list[Part]:
        """Return the parts that do what a node does with an input of this shape."""
        options = node.options
        match node.kind:
            case "Conv":
                return self._convolution(node)
            case "MaxPool" | "AveragePool":
                return [(_pool(node, shape), {})]
            case "GlobalAveragePool" | "GlobalMaxPool":
                return [(GlobalPool("max" if "Max" in node.kind else "average"), {})]
            case "ReduceMean" | "ReduceMax":
                axes = options.get("axes") or [*self._constant(node, 1)]
                rank = len(shape) + 1
                if sorted(axis % rank for axis in axes) != ([1, 2] if last else [2, 3]):
                    raise node.refusal(f"is over the axes {axes}, and inkwise takes whole maps")
                return [(GlobalPool("max" if "Max" in node.kind else "average"), {})]
            case "BatchNormalization":
                gamma, beta, mean, variance = (self._constant(node, place) for place in range(1, 5))
                epsilon = options.get("epsilon", 1e-5)
                return [(BatchNorm(), norm_arrays(gamma, beta, mean, variance, epsilon))]
            case "Gemm" | "MatMul":
                return [self._dense(node, value)]
            case "Flatten" | "Reshape":
                return self._flatten(node, shape, last)
            case kind if kind in _ARITHMETIC:
                return [(Affine(), self._affine(node, value, shape, last))]
            case "Cast" if options.get("to") not in _FLOATS:
                raise node.refusal("makes other numbers than floats")
            case kind if kind in _UNCHANGED:
                return []
        return _activation(node, shape)

    def _constant(self, node: "_Node", place: int) -> NDArray[np.float64]:
        name = node.inputs[place] if place < len(node.inputs) else ""
        if name not in self.constants:
            raise node.refusal("has weights that are computed, and inkwise takes constants")
        return self.constants[name].astype(np.float64)

    def _convolution(self, node: "_Node") -> list[Part]:
        weight = self._constant(node, 1)
        if weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
            raise node.refusal(
                f"has a kernel of shape {weight.shape[2:]}, and inkwise takes squares"
            )
        filters, _, side, _ = weight.shape
        bias = self._constant(node, 2) if len(node.inputs) > 2 else np.zeros(filters)
        stride, dilation = node.square("strides", 1), node.square("dilations", 1)
        conv = Conv(filters, side, stride=stride, dilation=dilation, groups=node.groups)
        padding: list[Part] = []
        match node.options.get("auto_pad", "NOTSET"):
            case "SAME_UPPER":
                conv = Conv(filters, side, "linear", stride, "same", dilation, node.groups)
            case "NOTSET" | "VALID":
                top, left, bottom, right = node.options.get("pads", [0, 0, 0, 0])
                padding = [(Padding((top, bottom), (left, right)), {})]
            case other:
                raise node.refusal(f"has auto_pad {other}, and inkwise takes SAME_UPPER")
        return [*padding, (conv, {"weight": weight, "bias": bias})]

    def _dense(self, node: "_Node", value: str) -> Part:
        weight = self._constant(node, 1)
        if node.inputs[0] != value or weight.ndim != 2 or node.options.get("transA", 0):
            raise node.refusal("is not a product of a vector with a constant matrix")
        if not node.options.get("transB", 0):
            weight = weight.T
        weight = weight * node.options.get("alpha", 1.0)
        bias = np.zeros(len(weight))
        if len(node.inputs) > 2:
            bias = bias + self._constant(node, 2).reshape(-1) * node.options.get("beta", 1.0)
        return Dense(len(weight)), {"weight": weight, "bias": bias}

    def _target(self, node: "_Node") -> list[int | None]:
        """Return the shape that a Reshape makes, as far as it is constant."""
        name = node.inputs[1]
        if name in self.constants:
            return [int(side) for side in self.constants[name].reshape(-1)]
        for each in self.nodes:
            if each.output == name and each.kind == "Concat":
                sides = [self.constants.get(part) for part in each.inputs]
                return [None if side is None else int(side.reshape(-1)[0]) for side in sides]
        raise node.refusal("has a shape that is computed, and inkwise takes a constant one")

    def _flatten(self, node: "_Node", shape: Shape, last: bool) -> list[Part]:
        if node.kind == "Flatten":
            sides: list[int | None] = [None, -1]
            if node.options.get("axis", 1) != 1:
                raise node.refusal("has another axis than 1")
        else:
            sides = self._target(node)
        if len(sides) == 2:
            if len(shape) == 3 and min(math.prod(shape[:2]), shape[2]) > 1 and not last:
                self.flattens_channels_first = True
            return [(Flatten(), {})] if len(shape) == 3 else []
        if sorted(sides[1:], key=str) == sorted(shape, key=str) and shape[-1] == 1:
            return []  # it makes an image of the input
        raise node.refusal(f"makes {sides[1:]} of {shape}: inkwise takes it where it flattens")

    def _affine(self, node: "_Node", value: str, shape: Shape, last: bool) -> Arrays:
        place = 1 - list(node.inputs).index(value)
        constant = self._constant(node, place)
        axis = constant.ndim - 1 if last or len(shape) == 1 else constant.ndim - 3
        if any(side != 1 for each, side in enumerate(constant.shape) if each != axis):
            raise node.refusal(
                f"has a constant of shape {constant.shape}, another than a channel's"
            )
        constant = constant.reshape(-1)
        one, zero = np.ones_like(constant), np.zeros_like(constant)
        with np.errstate(all="ignore"):  # what is not finite is refused
            match node.kind, place:
                case "Add", _:
                    return {"scale": one, "offset": constant}
                case "Mul", _:
                    return {"scale": constant, "offset": zero}
                case "Sub", 1:
                    return {"scale": one, "offset": -constant}
                case "Sub", 0:
                    return {"scale": -one, "offset": constant}
                case "Div", 1:
                    return {"scale": 1 / constant, "offset": zero}
        raise node.refusal("divides a constant, which no layer does")


class _Node:
    """A node of an ONNX graph."""

    def __init__(self, node: "NodeProto") -> None:
        from onnx import AttributeProto, helper

        self.kind, self.name, self.domain = node.op_type, node.name, node.domain
        self.inputs = list(node.input)
        self.output = node.output[0] if node.output else ""
        plain = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
        self.options: dict[str, Any] = {
            each.name: helper.get_attribute_value(each)
            for each in node.attribute
            if each.type not in plain
        }
        for key, value in self.options.items():
            if isinstance(value, bytes):
                self.options[key] = value.decode(errors="replace")

    @property
    def told(self) -> str:
        """How messages name it."""
        return f"node {self.name or self.output!r} ({self.kind})"

    @property
    def groups(self) -> int:
        """Number of groups of a convolution."""
        groups: int = self.options.get("group", 1)
        return groups

    def refusal(self, reason: str) -> Refusal:
        """Return the refusal for a reason that goes on from the node's name."""
        return Refusal(f"its {self.told} {reason}")

    def square(self, key: str, default: int) -> int:
        """Return the side of what must be square."""
        sides = self.options.get(key) or [default]
        if len({*sides}) != 1:
            raise self.refusal(f"has {key} = {list(sides)}, and inkwise takes squares")
        side: int = sides[0]
        return side


def _is_last(node: _Node, last: bool) -> bool:
    """Return whether a node's output has the channels last, if its input has them there or not."""
    if node.kind != "Transpose":
        return last
    perm = list(node.options.get("perm", []))
    if perm not in (_TO_LAST, _TO_FIRST):
        raise node.refusal(f"has perm = {perm}, and inkwise takes what moves the channels")
    return perm == _TO_LAST


def _pool(node: _Node, shape: Shape) -> MaxPool | AveragePool:
    kind = MaxPool if node.kind == "MaxPool" else AveragePool
    size, stride = node.square("kernel_shape", 1), node.square("strides", 1)
    step = None if stride == size else stride
    if node.square("dilations", 1) != 1:
        raise node.refusal("is dilated, which none of inkwise's is")
    plain, padded = kind(size, step), kind(size, step, "same")
    ends = [padded.pads(side) for side in shape[:2]]
    same = [ends[0][0], ends[1][0], ends[0][1], ends[1][1]]
    pads = list(node.options.get("pads", [0, 0, 0, 0]))
    counted = node.kind == "AveragePool" and node.options.get("count_include_pad", 0)
    up = node.options.get("ceil_mode", 0) and any(
        (side - size) % (step or size) for side in shape[:2]
    )
    auto = node.options.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID") and not any(pads) and not up:
        return plain
    if (auto == "SAME_UPPER" or (auto == "NOTSET" and pads == same)) and not up and not counted:
        return padded
    if auto == "NOTSET" and not any(pads) and same[:2] == [0, 0]:
        return padded  # rounded up, as the last window begins within the map
    raise node.refusal(f"has pads {pads}, which no padding of inkwise does")


def _activation(node: _Node, shape: Shape) -> list[Part]:
    options = node.options
    match node.kind:
        case "Softmax" | "LogSoftmax" if options.get("axis", -1) in (-1, len(shape)):
            return [(Softmax(), {})]
        case "LeakyRelu":
            return [(Activation("leaky_relu", options.get("alpha", 0.01)), {})]
        case "Elu" if options.get("alpha", 1.0) == 1:
            return [(Activation("elu"), {})]
        case "Gelu" if options.get("approximate", "none") == "none":
            return [(Activation("gelu"), {})]
        case kind if kind in _FUNCTIONS:
            return [(Activation(_FUNCTIONS[kind]), {})]
    told = ", ".join(f"{key} = {value}" for key, value in options.items())
    raise node.refusal(f"has {told}, which none of inkwise's has")
