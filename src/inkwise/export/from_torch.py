"""Import of PyTorch's state dictionaries, for a network that a recipe describes."""

import io
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import counted
from inkwise.export.assembling import Arrays, Part, Pixels, Refusal, Step, assemble
from inkwise.export.imported import Found
from inkwise.networks.as_onnx import from_channels_first
from inkwise.networks.ensemble import require_single
from inkwise.networks.layer_summaries import LayerSummary, Shape
from inkwise.networks.network import named_layers
from inkwise.system.file_kinds import recognise
from inkwise.training.recipe import Recipe

_WITHIN = ("state_dict", "model_state_dict", "model")

Group = dict[str, NDArray[np.float32]]
"""The arrays of a module by their roles, such as ``weight``."""


def is_torch(raw: bytes) -> bool:
    """Tell whether content is a pickle, as PyTorch's files are, by itself or in a ZIP archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return any(name.split("/")[-1] == "data.pkl" for name in archive.namelist())
    except Exception:  # zipfile raises many kinds of errors
        return recognise(raw) == "a Python pickle"


def read_torch(
    raw: bytes, recipe: Recipe, image_size: tuple[int, int], pixels: Pixels | None = None
) -> Found:
    """Read the weights of a recipe's network; only tensors are unpickled.

    The modules of the file belong to the layers in order, if their shapes are those of the layers;
    otherwise each to the one layer that has its shapes. Their names do not matter.

    Parameters
    ----------
    raw : bytes
        Content of the file.
    recipe : Recipe
        The recipe that describes the network.
    image_size : tuple of int
        Height and width of the images, in pixels.
    pixels : tuple of float, optional
        As for `assemble`.

    Raises
    ------
    Refusal
        The file holds something else than tensors, or other ones than the network has.
    ArgumentError
        The images are too small for the network.
    """
    groups = _groups(raw)
    *_, last = groups.values()
    shape = last["weight"].shape if "weight" in last else ()
    classes = shape[0] if shape else 1
    network = require_single(recipe.describe_network(image_size, classes), "a state dictionary")
    lines = [line for line in network.summary() if line.parameters]
    matched = _match(lines, groups)
    weights = {
        f"{line.name}.{role}": groups[name].get(role, np.zeros(shape, np.float32))
        for line, name in zip(lines, matched, strict=True)
        for role, shape in _shapes(line).items()
    }
    try:
        weights = from_channels_first(network, weights)
    except ValueError:
        raise Refusal("something else than a dense layer follows where it flattens") from None
    parts: list[Part] = []
    for name, layer in named_layers(network.layers):
        start = f"{name}."
        arrays: Arrays = {
            key.removeprefix(start): array.astype(np.float64)
            for key, array in weights.items()
            if key.startswith(start)
        }
        parts.append((layer, arrays))
    steps = {"network": Step("network", ("",), lambda _: parts)}
    found = assemble(image_size, steps, "network", pixels=pixels)
    source = {"torch": {line.name: name for line, name in zip(lines, matched, strict=True)}}
    return Found(*found, source)


def _groups(raw: bytes) -> dict[str, Group]:
    """Return the arrays of each module, by its name, in the order of the file."""
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # about the pickle of another program
            content: Any = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises many kinds of errors
        raise Refusal(
            "it is damaged, or holds more than tensors, which could run code: save "
            "model.state_dict()"
        ) from error
    for key in _WITHIN:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    groups: dict[str, Group] = {}
    for key, tensor in content.items() if isinstance(content, Mapping) else ():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise Refusal(f"it has {key!r}, which is no tensor: save model.state_dict()")
        name, _, role = key.rpartition(".")
        if role != "num_batches_tracked":
            groups.setdefault(name, {})[role] = tensor.float().numpy()
    if not groups:
        raise Refusal("it holds no tensors: save model.state_dict()")
    return groups


def _shapes(line: LayerSummary) -> dict[str, Shape]:
    return {name.rpartition(".")[2]: shape for name, shape in line.parameters.items()}


def _fits(line: LayerSummary, group: Group) -> bool:
    """Return whether a module has a layer's arrays; a bias may be missing."""
    wanted, found = _shapes(line), {role: array.shape for role, array in group.items()}
    return {"bias": wanted["bias"], **found} == wanted


def _match(lines: list[LayerSummary], groups: Mapping[str, Group]) -> list[str]:
    """Return the name of the module for each layer."""
    if len(groups) != len(lines):
        raise Refusal(
            f"it has {counted(len(groups), 'module')} with weights ({', '.join(groups)}), and the "
            f"recipe's network {counted(len(lines), 'layer')} with weights: name the recipe that "
            "describes this module"
        )
    if all(map(_fits, lines, groups.values())):
        return [*groups]
    fitting = [[name for name, group in groups.items() if _fits(line, group)] for line in lines]
    for line, names in zip(lines, fitting, strict=True):
        if len(names) != 1:
            told = f"{len(names)} modules have ({', '.join(names)})" if names else "no module has"
            raise Refusal(
                f"its modules are not in the order of the recipe's layers, and {told} the shapes "
                f"of {line.name}: {_shapes(line)}"
            )
    if len({name for (name,) in fitting}) != len(lines):
        raise Refusal("two of the recipe's layers have the shapes of the same module")
    return [name for (name,) in fitting]
