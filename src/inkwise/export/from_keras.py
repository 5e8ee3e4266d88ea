"""Import of models that Keras saved, without Keras; no code from the file is run."""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, ModelError
from inkwise.export.hdf5 import MAGIC, Node
from inkwise.model import Model
from inkwise.networks.as_keras import from_keras_layout
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, Layer, MaxPool
from inkwise.networks.network import LayerSummary, Network, Shape
from inkwise.system.extras import require_training
from inkwise.system.file_kinds import recognise
from inkwise.system.files import read_bytes

_ZIP_MAGIC = b"PK\x03\x04"
_MOST_BYTES = 1 << 30  # a small archive must not be able to fill the memory when it is unpacked
_GROUPS = {"Conv2D": "conv2d", "Dense": "dense", "BatchNormalization": "batch_normalization"}
_KINDS = (
    "InputLayer",
    "Rescaling",
    "Conv2D",
    "MaxPooling2D",
    "Flatten",
    "Dropout",
    "Dense",
    "BatchNormalization",
    "ReLU",
    "Softmax",
    "Activation",
)
_SUPPORTED = f"a plain chain of {', '.join(_KINDS)}"

Description = Mapping[str, Any]
"""Keras' description of a model, as JSON values."""

Variables = Callable[[str], list[Node]]
"""A function from a layer's name to its variables, in Keras' order."""


_TORCH = (
    "it is a pickle, as PyTorch's .pt and .pth files are, which could run code when it is read: "
    "import takes what Keras saved as .keras or .h5"
)


class _Refusal(Exception):  # noqa: N818 - it never leaves this file
    """The reason why a file cannot be imported; the text follows "cannot import FILE: "."""


@dataclasses.dataclass(frozen=True)
class _KerasLayer:
    """A layer as Keras describes it."""

    kind: str
    name: str
    config: Mapping[str, Any]

    def refusal(self, reason: str) -> _Refusal:
        return _Refusal(f"its layer {self.name!r} ({self.kind}) {reason}")

    def require(self, **wanted: Any) -> None:
        """Refuse a layer whose configuration has other values than the wanted ones."""
        for key, value in wanted.items():
            found = self.config.get(key, value)
            if found != value:
                raise self.refusal(f"has {key} = {found!r}, and inkwise takes {value!r}")

    def side(self, key: str) -> int:
        """Return the side of a kernel, window or stride that must be square."""
        height, width = self.config[key]
        if height != width:
            raise self.refusal(f"has {key} = {height}×{width}, and inkwise takes squares")
        side: int = height
        return side

    @property
    def activation(self) -> Any:
        """The activation's name; a value that is not a name stands for a custom function."""
        match self.kind:
            case "ReLU":
                self.require(max_value=None, negative_slope=0.0, threshold=0.0)
                return "relu"
            case "Softmax":
                self.require(axis=-1)
                return "softmax"
            case _:
                return self.config.get("activation") or "linear"


def import_keras(path: str | os.PathLike[str], class_names: Sequence[str] | None = None) -> Model:
    """Read a model that Keras saved as ``.keras`` or ``.h5``.

    Supported are sequential models, and functional models that are a plain chain of layers. The
    layers may be InputLayer, Rescaling (by 1/255, as the first layer), Conv2D (a square kernel,
    equal strides, no padding), MaxPooling2D (square windows without overlap or padding), Flatten,
    Dropout, Dense, ReLU, Activation and Softmax. Activations may be relu and, at the end, softmax.
    Batch normalisation directly behind a Conv2D or Dense without activation is folded into its
    weights. A model that ends in logits is given a softmax, which Keras leaves to the loss.

    The file does not say how pixels were scaled. Without a Rescaling layer the model is assumed to
    take grey levels divided by 255. It is assumed to take light ink on a black background.

    Parameters
    ----------
    path : path-like
        The file.
    class_names : sequence of str, optional
        The names of the classes, in the order of the outputs. The file has none, so the default is
        0, 1, 2 and so on.

    Returns
    -------
    Model
        A model that gives the same probabilities as in Keras, within rounding. Its provenance
        names the file, its hash, and the version of Keras that wrote it.

    Raises
    ------
    ModelError
        The file is damaged or was not saved by Keras, or has a layer that is not supported; or
        the number of class names is not that of the outputs.
    StorageError
        The file cannot be read.
    LibraryError
        The libraries of the extra ``train`` are not installed, which write the model's ONNX file.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015, for the batch normalisation that is folded.

    Examples
    --------
    >>> import inkwise
    >>> path = inkwise.export_model("runs/small", "keras", "small.keras")
    >>> model = inkwise.import_keras(path)
    >>> [line.name for line in model.network.summary()][:3]
    ['conv1', 'pool1', 'conv2']
    """
    require_training("importing from Keras")
    path = Path(path)
    raw = read_bytes(path)
    with _explained(path):
        description, variables, version = _open(raw)
        network, sources = _translate(description)
        weights = {
            name: array
            for line, source in zip(network.summary(), sources, strict=True)
            for name, array in _weights(line, source, variables).items()
        }
    names = map(str, range(network.classes)) if class_names is None else class_names
    source = {"file": path.name, "sha256": hashlib.sha256(raw).hexdigest(), "keras": version}
    return Model(network, weights, tuple(names), {"imported": source})


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn any error in reading a file into a `ModelError` of one line."""
    try:
        yield
    except (_Refusal, ArgumentError) as error:  # ArgumentError: layers that do not fit together
        raise ModelError(f"cannot import {path}: {error}") from error
    except Exception as error:  # zipfile, HDF5 and JSON raise many kinds of errors
        raise ModelError(
            f"{path} is damaged, or not a model that Keras saved ({type(error).__name__}: "
            f"{error}): save it in Keras again with model.save"
        ) from error


def _open(raw: bytes) -> tuple[Description, Variables, str]:
    """Open a file of either format; return the description, the variables, and Keras' version."""
    if raw.startswith(_ZIP_MAGIC):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if any(name.split("/")[-1] == "data.pkl" for name in archive.namelist()):
                raise _Refusal(_TORCH)
            description = json.loads(_member(archive, "config.json"))
            version = json.loads(_member(archive, "metadata.json"))["keras_version"]
            weights = _member(archive, "model.weights.h5")
        return description, _numbered_variables(Node(weights), description), str(version)
    if raw.startswith(MAGIC):
        root = Node(raw)
        try:
            description = json.loads(root.text("model_config"))
        except KeyError:
            raise _Refusal(
                "it holds weights but no model: save both in Keras with model.save"
            ) from None
        return description, _named_variables(root), root.text("keras_version")
    kind = recognise(raw)
    if kind == "a Python pickle":
        raise _Refusal(_TORCH)
    raise _Refusal(
        f"it is {f'{kind}, ' if kind else ''}neither a .keras nor an .h5 file: save the model in "
        "Keras with model.save('model.keras')"
    )


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > _MOST_BYTES:
        raise _Refusal(f"its {name} is larger than {_MOST_BYTES:,} bytes")
    return archive.read(entry)


def _numbered_variables(root: Node, description: Description) -> Variables:
    """Find variables in a ``.keras`` file, which numbers the layers of each class."""
    places: dict[str, str] = {}
    counts: dict[str, int] = {}
    for entry in _entries(description):
        if group := _GROUPS.get(entry["class_name"]):
            number = counts.get(group, 0)
            counts[group] = number + 1
            places[entry["config"]["name"]] = f"{group}_{number}" if number else group

    def find(layer: str) -> list[Node]:
        if "layers" not in root.members:
            raise _Refusal("it has the old .keras format of Keras 2.12: save the model as .h5")
        variables = root[f"layers/{places[layer]}/vars"]
        return [variables[str(number)] for number in range(len(variables.members))]

    return find


def _named_variables(root: Node) -> Variables:
    """Find variables in an ``.h5`` file, which lists them for each layer."""

    def find(layer: str) -> list[Node]:
        group = root["model_weights"][layer]
        return [group[name] for name in group.texts("weight_names")]

    return find


def _entries(description: Description) -> list[Description]:
    """Return the layers' descriptions in the order of the file, not that of the connections."""
    kind, config = description["class_name"], description["config"]
    if kind not in ("Sequential", "Functional", "Model"):
        raise _Refusal(f"it is of the class {kind}, and inkwise takes Sequential and Functional")
    # Keras before 2.2.3 wrote the list of layers without the enclosing object.
    entries: list[Description] = config if isinstance(config, list) else config["layers"]
    return entries


def _chain(description: Description) -> list[_KerasLayer]:
    """Return the layers in the order in which an image passes through them."""
    entries = _entries(description)
    if description["class_name"] != "Sequential":
        entries = _sorted_chain(entries, description["config"]["output_layers"])
    layers = []
    for entry in entries:
        layer = _KerasLayer(entry["class_name"], entry["config"]["name"], entry["config"])
        if layer.kind not in _KINDS:
            raise layer.refusal(f"is not supported: inkwise takes {_SUPPORTED}")
        if entry.get("registered_name") or not entry.get("module", "keras.").startswith("keras."):
            raise layer.refusal("is a custom layer: inkwise takes only the layers of Keras itself")
        layers.append(layer)
    return layers


def _sorted_chain(entries: list[Description], outputs: Any) -> list[Description]:
    by_name = {entry["name"]: entry for entry in entries}
    following: dict[str | None, str] = {}
    for name, entry in by_name.items():
        sources: list[str | None] = [*_layer_names(entry["inbound_nodes"])] or [None]
        if len(sources) > 1 or sources[0] in following:
            raise _Refusal(f"it branches at its layer {name!r}: inkwise takes {_SUPPORTED}")
        following[sources[0]] = name
    names: list[str] = []
    place: str | None = None
    while place in following:
        place = following.pop(place)
        names.append(place)
    if len(names) < len(entries) or list(_layer_names(outputs)) != names[-1:]:
        raise _Refusal(f"its layers do not lead to one output: inkwise takes {_SUPPORTED}")
    return [by_name[name] for name in names]


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


def _translate(description: Description) -> tuple[Network, list[list[_KerasLayer]]]:
    """Return the network and, for each of its layers, the Keras layers that hold its weights."""
    chain = _chain(description)
    image_size = _image_size(description, chain[0])
    if chain[0].kind == "InputLayer":
        chain = chain[1:]
    if chain[0].kind == "Rescaling":
        _check_rescaling(chain[0])
        chain = chain[1:]
    layers: list[Layer] = []
    sources: list[list[_KerasLayer]] = []
    ended = False
    for layer in chain:
        if ended:
            raise layer.refusal("follows the softmax, which inkwise takes only at the end")
        if layer.kind == "BatchNormalization":
            _check_normalisation(layer, layers)
            sources[-1].append(layer)
        elif layer.kind not in ("Activation", "ReLU", "Softmax"):
            layers.append(_own_layer(layer))
            sources.append([layer] if layer.kind in _GROUPS else [])
        match layer.activation:
            case "linear":
                pass
            case "relu":
                _add_relu(layer, layers)
            case "softmax":
                ended = True
            case other:
                raise layer.refusal(
                    f"has the activation {other!r}, and inkwise takes relu, linear and, at the "
                    "end, softmax"
                )
    return Network(image_size, tuple(layers)), sources


def _image_size(description: Description, first: _KerasLayer) -> tuple[int, int]:
    config = description["config"]
    shapes = (
        first.config.get("batch_shape"),
        first.config.get("batch_input_shape"),
        config.get("build_input_shape") if isinstance(config, Mapping) else None,
    )
    match next((shape for shape in shapes if shape), None):
        case [_, int(height), int(width)] | [_, int(height), int(width), 1]:
            return height, width
        case None:
            raise _Refusal("it does not say how large its images are")
        case shape:
            raise _Refusal(
                f"it takes inputs of shape {tuple(shape[1:])}, and inkwise takes grey images of "
                "one size, (height, width, 1)"
            )


def _check_rescaling(layer: _KerasLayer) -> None:
    scale, offset = layer.config["scale"], layer.config["offset"]
    if offset != 0 or abs(255 * scale - 1) > 1e-6:
        raise layer.refusal(f"scales by {scale} and adds {offset}: inkwise takes 1/255 and 0")


def _check_normalisation(layer: _KerasLayer, layers: list[Layer]) -> None:
    match layers:
        case [*_, Conv(activation="linear")]:
            last_axis = 3
        case [*_, Dense(activation="linear")]:
            last_axis = 1
        case _:
            raise layer.refusal("does not directly follow a Conv2D or Dense without activation")
    axis = layer.config["axis"]
    if axis not in (-1, last_axis, [-1], [last_axis]):
        raise layer.refusal(f"has axis = {axis}, and inkwise takes the last one")


def _own_layer(layer: _KerasLayer) -> Layer:
    """Return our layer for a layer of Keras, without its activation."""
    config = layer.config
    match layer.kind:
        case "Conv2D":
            layer.require(
                padding="valid", data_format="channels_last", dilation_rate=[1, 1], groups=1
            )
            return Conv(config["filters"], layer.side("kernel_size"), stride=layer.side("strides"))
        case "MaxPooling2D":
            layer.require(padding="valid", data_format="channels_last", strides=config["pool_size"])
            return MaxPool(layer.side("pool_size"))
        case "Flatten":
            layer.require(data_format="channels_last")
            return Flatten()
        case "Dropout":
            layer.require(noise_shape=None)
            return Dropout(config["rate"])
        case "Dense":
            return Dense(config["units"])
        case _:  # an InputLayer or Rescaling
            raise layer.refusal("is not at the front")


def _add_relu(layer: _KerasLayer, layers: list[Layer]) -> None:
    """Add a ReLU to the convolution or dense layer before it."""
    for place in reversed(range(len(layers))):
        match layers[place]:
            case Conv() | Dense() as weighted:
                layers[place] = dataclasses.replace(weighted, activation="relu")
                return
            case MaxPool() | Flatten() | Dropout():
                pass  # this layer commutes with a ReLU
            case _:
                break
    raise layer.refusal("is a ReLU before any Conv2D or Dense")


def _weights(
    line: LayerSummary, source: list[_KerasLayer], variables: Variables
) -> dict[str, NDArray[np.float32]]:
    """Read the weights of one of our layers, with batch normalisation folded into them."""
    if not source:
        return {}
    layer, *normalisations = source
    (weight_name, shape), (bias_name, bias_shape) = line.parameters.items()
    # Keras stores kernels as (H, W, in, out) or (in, out), we as (out, in, H, W) or (out, in).
    shapes = [(*shape[2:], shape[1], shape[0])]
    if layer.config.get("use_bias", True):
        shapes.append(bias_shape)
    with np.errstate(all="ignore"):  # the results are checked below
        kernel, *biases = _read(layer, shapes, variables)
        bias = biases[0] if biases else np.zeros(bias_shape)
        for normalisation in normalisations:
            scale, centre = (normalisation.config.get(key, True) for key in ("scale", "center"))
            shapes = [bias_shape] * (scale + centre + 2)
            *affine, mean, variance = _read(normalisation, shapes, variables)
            gamma = affine.pop(0) if scale else 1.0
            beta = affine.pop(0) if centre else 0.0
            factor = gamma / np.sqrt(variance + normalisation.config["epsilon"])
            kernel = kernel * factor  # (..., out) * (out,)
            bias = (bias - mean) * factor + beta
        arrays = {
            weight_name: from_keras_layout(kernel).astype(np.float32),
            bias_name: bias.astype(np.float32),
        }
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise layer.refusal("has weights that are not finite numbers: train it again")
    return arrays


def _read(
    layer: _KerasLayer, shapes: list[Shape], variables: Variables
) -> list[NDArray[np.float64]]:
    """Read a layer's variables, and check their shapes against its description."""
    found = variables(layer.name)
    if [variable.shape for variable in found] != shapes:
        raise layer.refusal("has weights of other shapes than its description says")
    return [variable.array().astype(np.float64) for variable in found]
