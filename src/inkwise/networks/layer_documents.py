"""Layers as JSON values, in recipes and in models."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from inkwise.errors import ArgumentError
from inkwise.networks.layers import ACTIVATIONS, KINDS, LAYERS, Layer
from inkwise.networks.words import instead_of, nearest, shown


def layers_to_list(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return layers as JSON values, without what is as by default."""
    return [_layer_to_dict(layer) for layer in layers]


def _layer_to_dict(layer: Layer) -> dict[str, Any]:
    document: dict[str, Any] = {"layer": KINDS[type(layer)]}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if value != field.default:
            document[field.name] = layers_to_list(value) if isinstance(value, tuple) else value
    return document


def layers_from_list(documents: Sequence[Mapping[str, Any]]) -> tuple[Layer, ...]:
    """Make layers from what `layers_to_list` returned, or versions before 0.2 wrote.

    Raises
    ------
    ArgumentError
        A layer or key is unknown, or a value is missing or out of range.
    """
    if not isinstance(documents, list | tuple):
        raise ArgumentError(
            "must be a name in quotation marks or a list of layers, each written as "
            f'{{layer = "…", …}}, not {shown(documents)}'
        )
    layers = []
    for place, document in enumerate(documents):
        try:
            layers.append(_layer_from_dict(document))
        except ArgumentError as error:
            raise ArgumentError(str(error), (place, *error.place)) from error
    return tuple(layers)


def _layer_from_dict(document: Mapping[str, Any]) -> Layer:
    if not isinstance(document, Mapping):
        raise ArgumentError(
            f'a layer is written as {{layer = "…", …}}, and here stands {shown(document)}'
        )
    values = dict(document)
    kind = values.pop("layer", None)
    if not isinstance(kind, str) or kind not in LAYERS:
        raise _refuse_kind(kind)
    fields = {field.name: field for field in dataclasses.fields(LAYERS[kind])}
    if "activation" in fields and isinstance(values.get("relu"), bool):  # of version 0.1
        values["activation"] = "relu" if values.pop("relu") else "linear"
    for key in values:
        if key not in fields:
            told = nearest(key, fields) or f": it has {', '.join(fields) or 'none'}"
            raise ArgumentError(f"unknown key {key!r} of {kind}{told}", (key,))
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in values:
            raise ArgumentError(f"{kind} needs {name}")
    for part in ("layers", "shortcut"):
        if kind == "residual" and part in values:
            try:
                values[part] = layers_from_list(values[part])
            except ArgumentError as error:
                raise ArgumentError(str(error), (part, *error.place)) from error
    return LAYERS[kind](**values)


def _refuse_kind(kind: object) -> ArgumentError:
    known = ", ".join(LAYERS)
    if kind is None:
        return ArgumentError(f'a layer without a kind: begin it with layer = "…", one of {known}')
    activation = str(kind).lower()
    if activation in ACTIVATIONS and activation != "linear":
        told = (
            f': write activation = "{activation}" in the layer before it, or '
            f'{{layer = "activation", function = "{activation}"}}'
        )
    elif instead := instead_of(kind):
        told = f": {instead}"
    else:
        told = nearest(kind, LAYERS) or f": layer must be one of {known}"
    return ArgumentError(f"unknown layer {kind!r}{told}", ("layer",))
