"""Layers as JSON values, in recipes and in models."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from inkwise.errors import ArgumentError
from inkwise.networks.layers import KINDS, LAYERS, Layer, nearest


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
        raise ArgumentError(f"a network is a list of layers, not {documents!r}")
    layers = []
    for place, document in enumerate(documents):
        try:
            layers.append(_layer_from_dict(document))
        except ArgumentError as error:
            raise ArgumentError(str(error), (place, *error.place)) from error
    return tuple(layers)


def _layer_from_dict(document: Mapping[str, Any]) -> Layer:
    if not isinstance(document, Mapping):
        raise ArgumentError(f"a layer is written as {{layer = …, …}}, and here stands {document!r}")
    values = dict(document)
    kind = values.pop("layer", None)
    if not isinstance(kind, str) or kind not in LAYERS:
        known = ", ".join(LAYERS)
        found = "a layer without a kind" if kind is None else f"unknown layer {kind!r}"
        raise ArgumentError(
            f"{found}{nearest(kind, LAYERS) or f': layer must be one of {known}'}",
            () if kind is None else ("layer",),
        )
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
