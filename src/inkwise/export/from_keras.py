"""Import of models that Keras saved, without Keras; no code from the file is run."""

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from inkwise.export.assembling import Pixels, Refusal, Step, assemble
from inkwise.export.hdf5 import Node
from inkwise.export.imported import Found
from inkwise.export.keras_layers import KINDS, LEFT_OUT, SUPPORTED, KerasLayer, is_of_keras

ZIP_MAGIC = b"PK\x03\x04"
_MOST_BYTES = 1 << 30  # a small archive must not be able to fill the memory when it is unpacked
_MODELS = ("Sequential", "Functional", "Model")


Description = Mapping[str, Any]
"""Keras' description of a model, as JSON values."""

Variables = Callable[[tuple[str, ...]], list[Node]]
"""A function from the names of nested models and of a layer to its variables, in Keras' order."""


def read_keras(raw: bytes, pixels: Pixels | None = None) -> Found:
    """Read what Keras saved; arguments and errors are those of `assemble`.

    Batch normalisation directly behind a convolution or dense layer without activation is folded
    into its weights. A model that ends in logits is given a softmax, which Keras leaves to the
    loss. One that ends without a dense layer, for instance in global pooling, is given one that
    changes nothing.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015, for the batch normalisation that is folded.
    """
    description, variables, version = _open(raw)
    entries = _entries(description)
    image_size, flat = _image_size(description, entries)
    layers: list[KerasLayer] = []
    steps, output = _connect(description, variables, layers)
    left_out = [layer.name for layer in layers if layer.kind in LEFT_OUT]
    source = {"keras": version, "left_out": left_out}
    return Found(*assemble(image_size, steps, output, flat, pixels), source)


def _open(raw: bytes) -> tuple[Description, Variables, str]:
    """Open a file of either format; return the description, the variables, and Keras' version."""
    if raw.startswith(ZIP_MAGIC):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            description = json.loads(_member(archive, "config.json"))
            version = json.loads(_member(archive, "metadata.json"))["keras_version"]
            weights = _member(archive, "model.weights.h5")
        return description, _numbered_variables(Node(weights), description), str(version)
    root = Node(raw)
    try:
        description = json.loads(root.text("model_config"))
    except KeyError:
        raise Refusal("it holds weights but no model: save both in Keras with model.save") from None
    return description, _named_variables(root), root.text("keras_version")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > _MOST_BYTES:
        raise Refusal(f"its {name} is larger than {_MOST_BYTES:,} bytes")
    return archive.read(entry)


def _numbered_variables(root: Node, description: Description) -> Variables:
    """Find variables in a ``.keras`` file, which numbers the layers of each class."""
    places: dict[tuple[str, ...], str] = {}

    def number(model: Description, names: tuple[str, ...], place: str) -> None:
        counts: dict[str, int] = {}
        for entry in _entries(model):
            kind = _in_snake_case(entry["class_name"])
            count = counts[kind] = counts.get(kind, -1) + 1
            here = (*names, _name(entry))
            places[here] = f"{place}layers/{kind}_{count}" if count else f"{place}layers/{kind}"
            if entry["class_name"] in _MODELS:
                number(entry, here, f"{places[here]}/")

    number(description, (), "")

    def find(names: tuple[str, ...]) -> list[Node]:
        if "layers" not in root.members:
            raise Refusal("it has the old .keras format of Keras 2.12: save the model as .h5")
        variables = root[f"{places[names]}/vars"]
        return [variables[str(number)] for number in range(len(variables.members))]

    return find


def _in_snake_case(name: str) -> str:
    """Write a class's name as Keras does in its files."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _named_variables(root: Node) -> Variables:
    """Find variables in an ``.h5`` file, which lists them for each layer."""

    def find(names: tuple[str, ...]) -> list[Node]:
        if len(names) > 1:  # those of all its layers stand in one list
            raise Refusal(f"its model {names[0]!r} within the model has weights: save it as .keras")
        group = root["model_weights"][names[0]]
        return [group[name] for name in group.texts("weight_names")]

    return find


def _entries(description: Description) -> list[Description]:
    """Return the layers' descriptions in the order of the file, not that of the connections."""
    kind, config = description["class_name"], description["config"]
    if kind not in _MODELS:
        raise Refusal(f"it is of the class {kind}, and inkwise takes Sequential and Functional")
    # Keras before 2.2.3 wrote the list of layers without the enclosing object.
    entries: list[Description] = config if isinstance(config, list) else config["layers"]
    return entries


def _name(entry: Description) -> str:
    name: str = entry["config"]["name"]
    return name


def _connect(
    description: Description,
    variables: Variables,
    layers: list[KerasLayer],
    names: tuple[str, ...] = (),
    start: str = "",
) -> tuple[dict[str, Step], str]:
    """Return the steps of a model that takes the value `start`, and the name of its output.

    The layers are added to `layers`, also those of models within the model, whose steps have the
    names of both.
    """
    steps: dict[str, Step] = {}
    entries = _entries(description)
    sequential = description["class_name"] == "Sequential"
    before = start
    for entry in entries:
        here = (*names, _name(entry))
        layer = _layer(entry, here, variables)
        layers.append(layer)
        inputs: tuple[str, ...] = (start,)
        if sequential:
            inputs = (before,)
        elif layer.kind != "InputLayer":
            nodes = entry["inbound_nodes"]
            if len(nodes) != 1:
                raise layer.refusal("is applied more than once, which inkwise does not take")
            inputs = tuple(_place(names, name) for name in _layer_names(nodes))
        before = _place(names, layer.name)
        if layer.kind in _MODELS:
            inner, end = _connect(entry, variables, layers, here, *inputs)
            steps |= inner
            steps[before] = Step(layer.told, (end,))
        else:
            steps[before] = Step(layer.told, inputs, layer.translate)
    if not sequential:
        takes = [entry for entry in entries if entry["class_name"] == "InputLayer"]
        outputs = [*_layer_names(description["config"]["output_layers"])]
        if len(takes) != 1 or len(outputs) != 1:
            raise Refusal(
                f"it has {len(takes)} inputs and {len(outputs)} outputs, and inkwise takes one "
                "of each"
            )
        before = _place(names, outputs[0])
    return steps, before


def _place(names: tuple[str, ...], layer: str) -> str:
    return "\n".join((*names, layer))  # which no name of a layer has


def _layer(entry: Description, names: tuple[str, ...], variables: Variables) -> KerasLayer:
    layer = KerasLayer(entry["class_name"], _name(entry), entry["config"], lambda: variables(names))
    if layer.kind not in (*KINDS, *LEFT_OUT, *_MODELS, "InputLayer"):
        raise layer.refusal(f"is not supported: inkwise takes {SUPPORTED}")
    if not is_of_keras(entry):
        raise layer.refusal("is a custom layer: inkwise takes only the layers of Keras itself")
    return layer


def _layer_names(tensors: Any) -> Iterator[str]:
    """Name the layers that tensors come from, in the formats of Keras 3 and of Keras 2."""
    match tensors:
        case [str(layer), *_]:  # followed by the indices of its node and tensor
            yield layer
        case {"keras_history": history}:
            yield from _layer_names(history)
        case list() | dict():
            for part in tensors.values() if isinstance(tensors, dict) else tensors:
                yield from _layer_names(part)


def _image_size(
    description: Description, entries: Sequence[Description]
) -> tuple[tuple[int, int], bool]:
    """Return the size of the images, and whether the model takes them as vectors."""
    config, first = description["config"], entries[0]["config"]
    shapes = (
        first.get("batch_shape"),
        first.get("batch_input_shape"),
        config.get("build_input_shape") if isinstance(config, Mapping) else None,
    )
    match next((shape for shape in shapes if shape), None):
        case [_, int(height), int(width)] | [_, int(height), int(width), 1]:
            return (height, width), False
        case [_, int(pixels)]:
            for entry in entries:
                match entry["config"].get("target_shape"):
                    case [int(height), int(width)] | [int(height), int(width), 1] if (
                        height * width == pixels
                    ):
                        return (height, width), False  # as the Reshape finds it done
            side = math.isqrt(pixels)
            if side * side == pixels:
                return (side, side), True
            raise Refusal(f"it takes vectors of {pixels} numbers, which are no square image")
        case None:
            raise Refusal("it does not say how large its images are")
        case shape:
            raise Refusal(
                f"it takes inputs of shape {tuple(shape[1:])}, and inkwise takes grey images of "
                "one size, (height, width, 1)"
            )
