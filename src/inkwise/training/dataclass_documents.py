"""Frozen dataclasses as documents (JSON or TOML values): reading, checks, and their schema."""

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar, Union

from inkwise.errors import ArgumentError
from inkwise.networks.words import nearest, shown

T = TypeVar("T")

Tagged = Mapping[str, type]
"""Classes by the word that stands for them in a document, under the key ``kind``."""

_WORDS = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "text in quotation marks",
    Mapping: "a table of names and numbers",
    tuple: "a list of numbers",
}
_JSON_TYPES = {float: "number", int: "integer", bool: "boolean", str: "string"}


def read(cls: type[T], document: object, tagged: Tagged, place: tuple[int | str, ...] = ()) -> T:
    """Make an object of a dataclass from a document.

    Parameters
    ----------
    cls : type
        The dataclass. A value that is already of the type that a field states is taken as it is.
    document : object
        The document, which must be a mapping of the fields' names to their values.
    tagged : mapping of str to type
        The classes of fields that may be of one of several.
    place : tuple of int or str
        Where the document stands in a larger one.

    Raises
    ------
    ArgumentError
        A key is unknown or missing, or a value is of the wrong type or out of range; with its
        place.
    """
    if not isinstance(document, Mapping):
        raise _no_table(document, place)
    hints = _hints(typing.cast("type", cls))
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in document:
        refuse_unknown(key, fields, place)
    values = {
        key: _value(hints[key], value, tagged, (*place, key)) for key, value in document.items()
    }
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ArgumentError(f"{name} is missing", place)
    try:
        return cls(**values)
    except ArgumentError as error:
        raise ArgumentError(
            str(error), (*place, *(error.place or _culprit(cls, values)))
        ) from error


def _no_table(value: object, place: tuple[int | str, ...]) -> ArgumentError:
    header = ".".join(map(str, place))
    below = f", written below a line [{header}]" if place else ""
    return ArgumentError(f"must be a table of values{below}, not {shown(value)}", place)


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def refuse_unknown(key: str, known: Collection[str], place: tuple[int | str, ...]) -> None:
    """Raise `ArgumentError` unless a key is one of the known ones."""
    if key not in known:
        told = nearest(key, known) or f": use {', '.join(known)}"
        raise ArgumentError(f"unknown key {key!r}{told}", (*place, key))


def _culprit(cls: type, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the field whose value alone is refused; none if that is a matter of several."""
    required = {
        field.name: values[field.name]
        for field in dataclasses.fields(cls)
        if field.default is field.default_factory is dataclasses.MISSING
    }
    for name in ("", *values):
        try:
            cls(**{**required, **({name: values[name]} if name else {})})
        except ArgumentError:
            return (name,) if name else ()
    return ()


def _value(hint: Any, value: Any, tagged: Tagged, place: tuple[int | str, ...]) -> Any:
    """Return a value as a field of this type takes it."""
    if isinstance(value, tuple):  # which no document holds: it was read already
        return value
    choices = typing.get_args(hint) if _is_union(hint) else (hint,)
    classes: list[Any] = [choice for choice in choices if dataclasses.is_dataclass(choice)]
    if (value is None and type(None) in choices) or any(isinstance(value, it) for it in classes):
        return value
    if len(classes) > 1:
        kinds = {word: cls for word, cls in tagged.items() if cls in classes}
        if isinstance(value, str):
            name = ".".join(map(str, place))
            others = nearest(value, kinds) or f", of which there are {', '.join(kinds)}"
            told = "" if value in kinds else others
            raise ArgumentError(f"write {name}.kind = {value!r} in its place{told}", place)
        if not isinstance(value, Mapping):
            raise _no_table(value, place)
        values = dict(value)
        kind = values.pop("kind", None)
        if not isinstance(kind, str) or kind not in kinds:
            found = f"unknown kind {kind!r}{nearest(kind, kinds)}" if kind else "kind is missing"
            where = (*place, "kind") if kind else place
            raise ArgumentError(f"{found}: use {', '.join(kinds)}", where)
        return read(kinds[kind], values, tagged, place)
    if classes:
        return read(classes[0], value, tagged, place)
    tables = [it for it in choices if typing.get_origin(it) is Mapping]
    return _plain(tables[0] if tables and isinstance(value, Mapping) else choices[0], value, place)


def _plain(hint: Any, value: Any, place: tuple[int | str, ...]) -> Any:
    if typing.get_origin(hint) is Literal:
        known = typing.get_args(hint)
        if value not in known:
            message = f"must be {' or '.join(known)}, not {shown(value)}{nearest(value, known)}"
            raise ArgumentError(message, place)
        return value
    kind = typing.get_origin(hint) or hint
    fits = {
        float: isinstance(value, int | float) and not isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        Mapping: isinstance(value, Mapping),
        tuple: isinstance(value, list | tuple),
    }
    if not fits[kind]:
        raise ArgumentError(f"must be {_WORDS[kind]}, not {shown(value)}", place)
    return tuple(value) if kind is tuple else value


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (Union, types.UnionType)


def explain_fields(cls: type) -> dict[str, str]:
    """Return what a dataclass' docstring says of each of its fields."""
    found: dict[str, str] = {}
    section = re.search(r"Parameters\n +-+\n(.*?)(?:\n\n|\Z)", cls.__doc__ or "", re.DOTALL)
    names: list[str] = []
    for line in section[1].splitlines() if section else []:
        head = re.fullmatch(r" {4}(\w[\w, ]*) : .*", line)
        if head:
            names = head[1].split(", ")
            found |= dict.fromkeys(names, "")
        else:
            for name in names:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return {name: text.replace("``", "").replace("`", "") for name, text in found.items()}


def schema_of(
    cls: type,
    tagged: Tagged,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    **constants: str,
) -> dict[str, Any]:
    """Return the JSON Schema of a dataclass' documents.

    Parameters
    ----------
    cls : type
        The dataclass.
    tagged : mapping of str to type
        As for `read`.
    given : mapping of str to dict, optional
        Schemas of fields that their types do not tell.
    **constants
        Keys that a document also holds, and their only values.
    """
    hints, told, given = _hints(cls), explain_fields(cls), given or {}
    properties: dict[str, Any] = {key: {"const": value} for key, value in constants.items()}
    required = [*constants]
    for field in dataclasses.fields(cls):
        schema = dict(given.get(field.name) or _schema(hints[field.name], tagged))
        if field.name in told:
            schema["description"] = told[field.name]
        if isinstance(field.default, int | float | str):
            schema["default"] = field.default
        if field.default is field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        properties[field.name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _schema(hint: Any, tagged: Tagged) -> dict[str, Any]:
    if _is_union(hint):
        choices = typing.get_args(hint)
        several = sum(map(dataclasses.is_dataclass, choices)) > 1
        words = {cls: word for word, cls in tagged.items()} if several else {}
        return {
            "anyOf": [
                schema_of(choice, tagged, kind=words[choice])
                if choice in words
                else _schema(choice, tagged)
                for choice in choices
            ]
        }
    if hint is type(None):
        return {"type": "null"}
    if dataclasses.is_dataclass(hint):
        return schema_of(typing.cast("type", hint), tagged)
    if typing.get_origin(hint) is Literal:
        return {"enum": [*typing.get_args(hint)]}
    if typing.get_origin(hint) is tuple:
        return {"type": "array", "items": _schema(typing.get_args(hint)[0], tagged)}
    kind = typing.get_origin(hint) or hint
    if issubclass(kind, Mapping):
        return {"type": "object", "additionalProperties": {"type": "number"}}
    return {"type": _JSON_TYPES[kind]}
