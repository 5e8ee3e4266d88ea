"""What a sweep varies: lists and ranges of values, at dotted places of a recipe."""

import copy
import dataclasses
import itertools
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inkwise.errors import ArgumentError
from inkwise.training.recipe import Recipe, recipe_of
from inkwise.training.recipe_files import change
from inkwise.training.toml_syntax import parse_toml

if TYPE_CHECKING:
    import optuna

Value = bool | int | float | str
"""A value as a trial has it; a list of a recipe is its JSON."""

FORMS = "0.1..0.5, log:1e-4..1e-1, int:16..64, or a list such as 16,32,64"

_RANGE = re.compile(r"(?:(log|int):)?\s*(\S+?)\s*\.\.\s*(\S+)")
_MOST = 1_000  # values of a list

_FIXED = {
    "name": "it changes nothing",
    "seed": "the best designs are trained anew on fresh seeds by --seeds",
    "positive": "each trial would have another task: start a sweep for each",
    "holdout": "trials would be judged on different validation images",
}
"""What cannot be varied, and why."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """A list of values, in no order that the search would make use of."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that a recipe must be able to take, if it is to take all."""
        return self.values

    @property
    def grid(self) -> tuple[Value, ...]:
        """The values that a grid tries."""
        return self.values

    def suggest(self, trial: "optuna.trial.Trial", name: str) -> Value:
        """Let Optuna choose a value for a trial, or return the one that it has."""
        chosen = trial.suggest_categorical(name, self.values)
        assert chosen is not None  # noqa: S101 - there is no None among the values
        return chosen

    def position(self, value: Value) -> float:
        """Return where a value stands on an axis, from 0 to 1."""
        return (self.values.index(value) + 0.5) / len(self.values)

    @property
    def marks(self) -> tuple[Value, ...]:
        """The values that an axis names."""
        return self.values


@dataclasses.dataclass(frozen=True)
class Range:
    """All numbers between two, both included.

    Parameters
    ----------
    low, high : float
        The ends; `low` is below `high`.
    kind : {"", "log", "int"}
        Whether each number is as likely, each order of magnitude, or each whole number.
    """

    low: float
    high: float
    kind: str = ""

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that a recipe must be able to take, if it is to take all."""
        if self.kind == "int":
            return int(self.low), int(self.high)
        return self.low, self.high

    @property
    def grid(self) -> tuple[Value, ...]:
        """The values that a grid tries, if there are not endless ones."""
        if self.kind != "int":
            return ()
        return tuple(range(int(self.low), int(self.high) + 1))

    def suggest(self, trial: "optuna.trial.Trial", name: str) -> Value:
        """Let Optuna choose a value for a trial, or return the one that it has."""
        if self.kind == "int":
            return trial.suggest_int(name, int(self.low), int(self.high))
        return trial.suggest_float(name, self.low, self.high, log=self.kind == "log")

    def position(self, value: Value) -> float:
        """Return where a value stands on an axis, from 0 to 1."""
        low, high, at = self.low, self.high, float(value)
        if self.kind == "log":
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low)

    @property
    def marks(self) -> tuple[Value, ...]:
        """The values that an axis names."""
        return self.ends


Space = Mapping[str, Choices | Range]
"""What is varied, by its dotted place in the recipe."""


def read_space(vary: Mapping[str, str | Sequence[Any]]) -> Space:
    """Read what is to be varied.

    Parameters
    ----------
    vary : mapping of str to str or sequence
        Values by their place in the recipe, such as ``network.2.filters``: as text like
        ``log:1e-4..1e-1``, ``0.1..0.5``, ``int:16..64`` or ``16,32,64``, or as a list.

    Raises
    ------
    ArgumentError
        There is nothing to vary, a place is not to be varied, or a text is neither range nor list.
    """
    if not vary:
        raise ArgumentError(
            "a sweep varies something: name it, such as "
            "--vary optimiser.learning_rate=log:1e-4..1e-1"
        )
    return {place.strip(): _read_values(place.strip(), values) for place, values in vary.items()}


def read_options(options: Sequence[str]) -> dict[str, str]:
    """Split texts of the form KEY=VALUES, each key once."""
    vary: dict[str, str] = {}
    for text in options:
        key, equals, values = text.partition("=")
        if not equals or not key.strip():
            raise ArgumentError(f"--vary {text} is not of the form KEY=VALUES: write {FORMS}")
        if key.strip() in vary:
            raise ArgumentError(f"--vary {key.strip()} is given twice: leave out one of them")
        vary[key.strip()] = values
    return vary


def _read_values(place: str, values: str | Sequence[Any]) -> Choices | Range:
    first = place.split(".", maxsplit=1)[0]
    if first in _FIXED:
        raise ArgumentError(f"--vary {place}: a sweep does not vary it, as {_FIXED[first]}")
    if isinstance(values, str) and (found := _RANGE.fullmatch(values.strip())):
        return _read_range(f"--vary {place}={values}", *found.groups(default=""))
    told = values if isinstance(values, str) else ",".join(map(str, values))
    listed = _split(values) if isinstance(values, str) else [*values]
    kept = tuple(dict.fromkeys(_as_value(value) for value in listed))
    if any(value == "" for value in kept) or len(kept) < 2 or len(kept) != len(listed):
        raise ArgumentError(
            f"--vary {place}={told}: name at least two different values, as {FORMS}"
        )
    if len(kept) > _MOST:
        raise ArgumentError(f"--vary {place} has {len(kept):,} values, and {_MOST:,} are the most")
    return Choices(kept)


def _read_range(told: str, kind: str, *texts: str) -> Range:
    try:
        low, high = map(float, texts)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ArgumentError(f"{told}: a range goes from a number to a larger one: write {FORMS}")
    if kind == "log" and low <= 0:
        raise ArgumentError(f"{told}: a logarithmic range begins above 0, such as log:1e-4..1e-1")
    if kind == "int" and not (low.is_integer() and high.is_integer()):
        raise ArgumentError(f"{told}: a range of whole numbers has whole ends, such as int:16..64")
    return Range(low, high, kind)


def _split(text: str) -> list[Any]:
    """Return the values of a list, which are TOML's or, if they are none, text."""
    try:
        values: list[Any] = parse_toml(f"value = [{text}]")["value"]
    except tomllib.TOMLDecodeError:
        return [part.strip() for part in text.split(",")]
    return values


def _as_value(value: Any) -> Value:
    if isinstance(value, bool | int | float | str):
        return value
    try:
        return json.dumps(value)
    except TypeError as error:
        raise ArgumentError(f"a recipe holds no {type(value).__name__}: write {FORMS}") from error


def vary_recipe(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """Return a recipe with other values at some places.

    Raises
    ------
    ArgumentError
        The recipe has no such place, or another kind of value there.
    """
    document = copy.deepcopy(recipe.to_dict())
    # A new kind of optimiser or schedule begins with its usual values, and so comes first.
    ordered = sorted(values, key=lambda place: not place.endswith("kind"))
    texts = {place: f"{place}={_toml(values[place])}" for place in ordered}
    try:
        change(document, [*texts.values()], "--vary")
        return recipe_of(document)
    except ArgumentError as error:
        if not error.place:
            raise
        told = ".".join(map(str, error.place))
        for key in values:
            inner = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
            if error.place[: len(inner)] == inner:
                told = f"--vary {texts[key]}"
                hint = "; write int:" if "whole number" in str(error) else ""
                raise ArgumentError(f"{told}: {error}{hint}") from error
        raise ArgumentError(f"{told}: {error}") from error


def _toml(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def check_space(space: Space, recipe: Recipe, size: tuple[int, int], classes: int) -> None:
    """Make sure that a recipe takes every value that is to be tried, for images of this size.

    Each is tried with the first values of the others; combinations are left to the trials.

    Raises
    ------
    ArgumentError
        It does not; the message names the value and what would fit.
    """
    first = {place: values.ends[0] for place, values in space.items()}
    for place, values in space.items():
        for value in values.ends:
            varied = vary_recipe(recipe, {**first, place: value})
            try:
                varied.describe_network(size, classes)
            except ArgumentError as error:
                raise ArgumentError(f"--vary {place}={_toml(value)}: {error}") from error


def grid_of(space: Space) -> list[dict[str, Value]]:
    """Return every combination of the values.

    Raises
    ------
    ArgumentError
        Some range has endless values, or there are too many combinations.
    """
    for place, values in space.items():
        if not values.grid:
            raise ArgumentError(
                f"--vary {place}: a grid takes a list, such as {place}="
                f"{','.join(f'{end:g}' for end in values.ends)}, or the sampler random"
            )
    count = math.prod(len(values.grid) for values in space.values())
    if count > _MOST * _MOST:
        raise ArgumentError(f"a grid of {count:,} combinations is too large: use the sampler tpe")
    combinations = itertools.product(*(values.grid for values in space.values()))
    return [dict(zip(space, each, strict=True)) for each in combinations]
