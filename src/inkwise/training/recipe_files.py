"""Recipes as TOML files, which people read and write, and the schema of both."""

import codecs
import contextlib
import dataclasses
import json
import os
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inkwise.errors import ArgumentError
from inkwise.networks.layer_documents import layers_to_list
from inkwise.networks.layers import LAYERS, Dense, Layer
from inkwise.networks.named import NETWORKS
from inkwise.networks.network import Network, complete
from inkwise.system.files import read_bytes
from inkwise.training.augmentation import Augmentation
from inkwise.training.dataclass_documents import Tagged, explain_fields, schema_of
from inkwise.training.named_recipes import RECIPES, UsualEpochs
from inkwise.training.recipe import OPTIMISERS, TAGGED, Recipe, look_up, recipe_of
from inkwise.training.schedules import SCHEDULES, OneCycle
from inkwise.training.toml_syntax import explain_syntax, parse_toml

SCHEMA = "inkwise-recipe/1"
"""Version of the recipes' schema."""

_SHOWN_SIZE, _SHOWN_CLASSES = (28, 28), 10
"""The images for which the comments of a file state shapes."""

Place = tuple[int | str, ...]


class RecipeFile:
    """A recipe as a TOML file, with changes of some of its values.

    Parameters
    ----------
    path : path-like
        The file.
    changes : sequence of str
        Changes such as ``optimiser.learning_rate=0.01`` or ``network.2.filters=48``. Layers are
        counted from 0.

    Attributes
    ----------
    recipe : Recipe
        The recipe.

    Raises
    ------
    ArgumentError
        The file is not a recipe; the message names its line and key, and the nearest right word.
    StorageError
        The file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], changes: Sequence[str] = ()) -> None:
        self._path = Path(path)
        self._text = _read_text(self._path)
        # No TOML begins with a brace: it is the recipe.json of a run, or what was made of one.
        self._is_json = self._text.lstrip()[:1] == "{"
        document = self._parse()
        document.setdefault("name", self._path.stem)
        if document.pop("schema", SCHEMA) != SCHEMA:
            raise ArgumentError(f"{self._path} is a recipe of another version than {SCHEMA}")
        optimiser = document.setdefault("optimiser", {})
        if isinstance(optimiser, dict):
            optimiser.setdefault("kind", "adam")
        self._changed = change(document, changes)
        with self.explained():
            try:
                self.recipe = recipe_of(document)
            except ArgumentError as error:
                if error.place:
                    raise
                raise ArgumentError(f"{self._path}: {error}") from error

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Name the file, line and key in an error about a value of this recipe."""
        try:
            yield
        except ArgumentError as error:
            if not error.place:  # of something else than a value of the recipe
                raise
            raise ArgumentError(f"{self._where(error.place)}: {error}") from error

    def _where(self, place: Place) -> str:
        told = _told(place, self._changed)
        line = None if told.startswith("--set") or self._is_json else line_of(self._text, place)
        return ", ".join([str(self._path), *([f"line {line}"] if line else []), told])

    def _parse(self) -> dict[str, Any]:
        line: int | None
        try:
            if self._is_json:
                return json.loads(self._text, object_pairs_hook=_unrepeated)
            return parse_toml(self._text)
        except tomllib.TOMLDecodeError as error:
            line, told = explain_syntax(self._text, error)
            cause: Exception = error
        except json.JSONDecodeError as error:
            line, told, cause = error.lineno, f"{error.msg}, in what begins as JSON does", error
        except (ValueError, RecursionError) as error:
            line, told, cause = None, f"{error}, in what begins as JSON does", error
        if self._path.suffix not in (".toml", ".json"):
            told += "; is it a recipe? Pictures and tables to train on are named with --data"
        raise ArgumentError(f"{self._path}{f', line {line}' if line else ''}: {told}") from cause


def _read_text(path: Path) -> str:
    """Return the text of a file, with line feeds at the ends of lines."""
    content = read_bytes(path)
    # Windows PowerShell writes UTF-16 behind `>`, and Notepad a byte order mark.
    encoding = (
        "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ArgumentError(
            f"{path} is not text in UTF-8, as a recipe is: save it as UTF-8 in your editor; "
            "pictures and tables to train on are named with --data"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError(f"a key of {', '.join(document)} stands there twice")
    return document


def read_recipe(path: str | os.PathLike[str], changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe from a TOML file.

    Parameters
    ----------
    path : path-like
        The file, such as ``inkwise recipes show case-study`` prints. What it leaves out is as by
        default.
    changes : sequence of str, optional
        Changes such as ``optimiser.learning_rate=0.01`` or ``network.2.filters=48``.

    Returns
    -------
    Recipe

    Raises
    ------
    ArgumentError
        The file is not a recipe; the message names its line and key, and the nearest right word.
    StorageError
        The file cannot be read.

    Examples
    --------
    >>> import inkwise, pathlib
    >>> text = 'network = [{layer = "flatten"}, {layer = "dense"}]'
    >>> _ = pathlib.Path("linear.toml").write_text(text)
    >>> recipe = inkwise.read_recipe("linear.toml", ["epochs=3"])
    >>> recipe.name, recipe.epochs, recipe.network
    ('linear', 3, (Flatten(), Dense(units=None, ...)))
    """
    return RecipeFile(path, changes).recipe


def find_recipe(
    name_or_path: str, changes: Sequence[str] = ()
) -> tuple[str | Recipe, Callable[[], contextlib.AbstractContextManager[None]]]:
    """Return the recipe of a name or file, and what explains errors about its values.

    A name without changes is returned as it is, and one with changes but of its epochs becomes
    `UsualEpochs`, so that a small data set can have more epochs.
    """
    path = Path(name_or_path)
    if path.is_file() or (path.suffix and not path.is_dir()):  # no recipe of ours has a point
        file = RecipeFile(path, changes)
        return file.recipe, file.explained
    if name_or_path not in RECIPES:
        _refuse_beside(path)
    if not changes:
        return name_or_path, contextlib.nullcontext
    document = look_up("recipe", name_or_path, RECIPES).to_dict()
    places = change(document, changes)

    @contextlib.contextmanager
    def explained() -> Iterator[None]:
        try:
            yield
        except ArgumentError as error:
            if not error.place:
                raise
            raise ArgumentError(f"{_told(error.place, places)}: {error}") from error

    with explained():
        recipe = recipe_of(document)
    if ("epochs",) not in places:
        recipe = UsualEpochs(**vars(recipe))
    return recipe, explained


def _refuse_beside(path: Path) -> None:
    """Refuse what is no recipe, but lies beside one or is taken for one."""
    if (path / "recipe.json").is_file():
        raise ArgumentError(
            f"{path} is a run: {path / 'recipe.json'} is its recipe, `inkwise resume {path}` "
            f"trains it further, `inkwise train --from {path} --data FOLDER` goes on from its model"
        )
    if path.is_dir():
        raise ArgumentError(
            f"{path} is a folder, and a recipe is a file or one of {', '.join(RECIPES)}: pictures "
            "to train on are named with --data"
        )
    for suffix in (".toml", ".json"):
        if (file := path.with_name(f"{path.name}{suffix}")).is_file():
            raise ArgumentError(f"there is no recipe {path} (did you mean {file}?)")


def _told(place: Place, changed: Sequence[Place]) -> str:
    """Name a place of a recipe as the change on the command line that it comes from, if any."""
    for each in changed:
        if place[: len(each)] == each or (place and each[: len(place)] == place):
            return f"--set {'.'.join(map(str, each))}"
    return ".".join(map(str, place))


_KINDS = (("optimiser", "kind"), ("schedule", "kind"))


def change(document: dict[str, Any], changes: Sequence[str], option: str = "--set") -> list[Place]:
    """Change values of a recipe's document, and return their places.

    `option` is what the changes are called in messages.

    Raises
    ------
    ArgumentError
        A change is not of the form KEY=VALUE, or leads nowhere.
    """
    places = []
    for text in changes:
        keys, equals, value = text.partition("=")
        if not equals or not keys:
            raise ArgumentError(f"{option} {text} is not of the form KEY=VALUE, such as epochs=3")
        place = tuple(int(key) if key.isdecimal() else key for key in keys.strip().split("."))
        if place[0] == "network" and len(place) > 1 and isinstance(document.get("network"), str):
            document["network"] = layers_to_list(template(document["network"]))
        if place[0] == "class_weights" and len(place) > 1:
            place = ("class_weights", keys.strip().partition(".")[2])
            if isinstance(document.get("class_weights"), str):
                document["class_weights"] = {}
        inner: Any = document
        for key in place[:-1]:
            inner = _step(inner, key)
        if not _has_room(inner, place[-1]):
            raise ArgumentError(f"{option} {text}: there is no {keys.strip()} in the recipe")
        new = _parse(value)
        if place in _KINDS and inner.get("kind") != new:
            inner.clear()  # another kind has other values, and begins with its usual ones
        inner[place[-1]] = new
        places.append(place)
    return places


def _step(inner: Any, key: int | str) -> Any:
    """Return what a document holds under a key; a table that is not there yet begins empty."""
    if isinstance(inner, dict):
        inner[key] = {} if inner.get(key) is None else inner[key]
        return inner[key]
    return inner[key] if _has_room(inner, key) else None


def _has_room(inner: Any, key: int | str) -> bool:
    if isinstance(inner, list):
        return isinstance(key, int) and key < len(inner)
    return isinstance(inner, dict)


def _parse(text: str) -> Any:
    """Return a TOML value; what is none is text, so that no quotation marks are needed."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def template(network: str) -> tuple[Layer, ...]:
    """Return the layers of a named network, the last without units.

    Raises
    ------
    ArgumentError
        The name is unknown, or is that of an ensemble, which has no single list of layers.
    """
    described = look_up("network", network, NETWORKS)(_SHOWN_SIZE, _SHOWN_CLASSES, 0.0)
    if not isinstance(described, Network):
        raise ArgumentError(f"the network {network} is an ensemble: its layers cannot be listed")
    *front, _ = described.layers
    return (*front, Dense())


def line_of(text: str, place: Place) -> int | None:
    """Return the line of a TOML document, from 1, in which a value begins, or what holds it."""
    lines = text.splitlines()
    while place:
        complete_to = 0
        for end in range(1, len(lines) + 1):
            document = _try("\n".join(lines[:end]))
            if document is None:
                continue
            if _holds(document, place):
                return _begins(lines, complete_to, end, place)
            complete_to = end
        place = place[:-1]
    return None


_CLOSERS = ("", "]", "}]", "]}]", "}]}]")


def _begins(lines: list[str], start: int, end: int, place: Place) -> int:
    """Return the line of a value that a statement after line `start` and up to `end` holds."""
    for line in range(start + 1, end + 1):
        for closer in _CLOSERS:
            document = _try("\n".join([*lines[:line], closer]))
            if document is not None and _holds(document, place):
                return line
    return end


def _try(text: str) -> dict[str, Any] | None:
    try:
        return parse_toml(text)
    except tomllib.TOMLDecodeError:
        return None


def _holds(document: Any, place: Place) -> bool:
    for key in place:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def to_toml(recipe: Recipe) -> str:
    """Write a recipe as TOML, with a comment for every value.

    A named network is written as its layers, with the shapes that they give for images of 28×28.
    """
    told = explain_fields(Recipe)
    document = recipe.to_dict()
    network = recipe.network
    if isinstance(network, str) and isinstance(
        NETWORKS[network](_SHOWN_SIZE, _SHOWN_CLASSES, 0.0), Network
    ):
        network = template(network)
    lines = ["# A recipe of inkwise. `inkwise train FILE` trains by it.", ""]
    for key, value in document.items():
        if key == "network":
            lines += _network_lines(network)
        elif key not in ("augmentation", "optimiser", "schedule", "holdout"):
            lines += [*_comment(told[key]), f"{key} = {_toml(value)}", ""]
    lines += _section("augmentation", recipe.augmentation, Augmentation())
    lines += _section("optimiser", recipe.optimiser, recipe.optimiser, OPTIMISERS)
    lines += _section("schedule", recipe.schedule, OneCycle(), SCHEDULES)
    lines += _section("holdout", recipe.holdout, recipe.holdout)
    return "\n".join(lines)


def _section(name: str, value: Any, usual: Any, kinds: Tagged | None = None) -> list[str]:
    """Write a part of a recipe as a table, with its kind; commented out if there is none."""
    lines = [f"[{name}]"]
    for kind, cls in (kinds or {}).items():
        if type(value or usual) is cls:
            lines += [f"# One of {', '.join(kinds or ())}, each with values of its own."]
            lines += [f"kind = {_toml(kind)}"]
    lines += _value_lines(value or usual, name)
    if value is None:
        one = f" one of {', '.join(kinds)}, such as" if kinds else ""
        told = f"{explain_fields(Recipe)[name]} There is none; it would be{one}:"
        return [*_comment(told), *(f"#{line}" for line in lines if line[:1] != "#"), ""]
    return [*_comment(explain_fields(Recipe)[name]), *lines, ""]


def _value_lines(values: Any, name: str = "optimiser") -> list[str]:
    told = explain_fields(type(values))
    lines, tables = [], []
    for field in dataclasses.fields(values):
        value = getattr(values, field.name)
        if dataclasses.is_dataclass(value):
            tables += [*_comment(told[field.name]), f"[{name}.{field.name}]", *_value_lines(value)]
        elif isinstance(value, Mapping):
            tables += [*_comment(told[field.name]), f"[{name}.{field.name}]"]
            tables += [f"{key} = {_toml(share)}" for key, share in value.items()]
        else:
            lines += [*_comment(told[field.name]), f"{field.name} = {_toml(value)}"]
    return [*lines, *tables]


def _network_lines(network: str | Sequence[Layer]) -> list[str]:
    told = "The network: a list of layers in the order of the data"
    if isinstance(network, str):
        return [f"# {told}, or a name: {', '.join(NETWORKS)}.", f"network = {_toml(network)}", ""]
    shapes: dict[str, str] = {}
    with contextlib.suppress(ArgumentError):  # it may be meant for larger images
        described = complete(_SHOWN_SIZE, network, _SHOWN_CLASSES)
        shapes = {line.name: "×".join(map(str, line.output_shape)) for line in described.summary()}
    size = "×".join(map(str, _SHOWN_SIZE))
    names = iter(shapes)
    return [
        *_comment(f"{told}, each with its shape for images of {size}."),
        "network = [",
        *_layer_lines(network, shapes, names, 2),
        "]",
        "",
    ]


def _layer_lines(
    layers: Sequence[Layer], shapes: Mapping[str, str], names: Iterator[str], indent: int
) -> Iterator[str]:
    space = " " * indent
    for layer, document in zip(layers, layers_to_list(layers), strict=True):
        inner = {key: value for key, value in document.items() if isinstance(value, list)}
        plain = [f"{key} = {_toml(value)}" for key, value in document.items() if key not in inner]
        if not inner:
            comment = _layer_comment(layer, shapes, names)
            yield f"{space}{{ {', '.join(plain)} }},  # {comment}"
            continue
        start = f"{space}{{ {', '.join(plain)}"
        for part in inner:
            yield f"{start}, {part} = ["
            yield from _layer_lines(getattr(layer, part), shapes, names, indent + 4)
            start = f"{space}  ]"
        yield f"{start} }},  # {_layer_comment(layer, shapes, names)}"


def _layer_comment(layer: Layer, shapes: Mapping[str, str], names: Iterator[str]) -> str:
    shape = shapes.get(next(names, ""))
    return f"{layer}: {shape}" if shape else str(layer)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 96)]


def _toml(value: Any) -> str:
    """Write a value as TOML, whose text, numbers and lists are JSON's, but for one character."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema of recipes, of ``recipe.json`` and of TOML files alike."""
    layer = {"type": "array", "items": {"$ref": "#/$defs/layer"}, "minItems": 1}
    network = {"anyOf": [{"enum": [*NETWORKS]}, layer]}
    schema = schema_of(Recipe, TAGGED, {"network": network})
    schema["properties"]["schema"] = {"const": SCHEMA}
    schema["required"] = ["network"]
    ways = {"layers": layer, "shortcut": {**layer, "minItems": 0}}
    layers = [
        schema_of(cls, {}, ways if kind == "residual" else None, layer=kind)
        for kind, cls in LAYERS.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A recipe of inkwise",
        **schema,
        "$defs": {"layer": {"anyOf": layers}},
    }
