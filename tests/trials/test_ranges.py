"""What a sweep varies: what is understood, what is refused, and what comes of it."""

import math
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from inkwise import get_recipe
from inkwise.errors import ArgumentError
from inkwise.trials.ranges import (
    Choices,
    Range,
    check_space,
    grid_of,
    read_options,
    read_space,
    vary_recipe,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1..0.5", Range(0.1, 0.5)),
        ("-1..1", Range(-1, 1)),
        (" 0.1 .. 0.5 ", Range(0.1, 0.5)),
        ("log:1e-4..1e-1", Range(1e-4, 0.1, "log")),
        ("int:16..64", Range(16, 64, "int")),
        ("16,32,64", Choices((16, 32, 64))),
        ("16, 0.5", Choices((16, 0.5))),
        ("adam,sgd", Choices(("adam", "sgd"))),
        ('"adam", "sgd"', Choices(("adam", "sgd"))),
        ("true,false", Choices((True, False))),
        ("[0.0],[0.0, 5.0]", Choices(("[0.0]", "[0.0, 5.0]"))),
        ([16, 32], Choices((16, 32))),
        ([[0.0], [0.0, 5.0]], Choices(("[0.0]", "[0.0, 5.0]"))),
    ],
)
def test_ranges_and_lists_are_understood(text: Any, expected: Choices | Range) -> None:
    assert read_space({"somewhere": text}) == {"somewhere": expected}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("16", "at least two different values"),
        ("16,16", "at least two different values"),
        ("", "at least two different values"),
        ("a,,b", "at least two different values"),
        ([], "at least two different values"),
        ("0.5..0.1", "from a number to a larger one: write 0.1..0.5"),
        ("0.5..0.5", "from a number to a larger one"),
        ("a..b", "from a number to a larger one"),
        ("0..inf", "from a number to a larger one"),
        ("log:0..1", "begins above 0, such as log:1e-4..1e-1"),
        ("log:-1..1", "begins above 0"),
        ("int:0.5..8", "has whole ends, such as int:16..64"),
        ([object(), object()], "a recipe holds no object"),
        (range(2000), "1,000 are the most"),
    ],
)
def test_what_is_neither_is_refused_with_what_would_fit(text: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        read_space({"epochs": text})


@pytest.mark.parametrize("place", ["seed", "name", "positive", "holdout.share", "holdout"])
def test_what_would_make_trials_incomparable_is_not_varied(place: str) -> None:
    with pytest.raises(ArgumentError, match=f"--vary {place}: a sweep does not vary it, as "):
        read_space({place: "1,2"})


def test_options_are_split_at_the_first_equals_sign() -> None:
    assert read_options(["a.b=1,2", " c =x=y,z"]) == {"a.b": "1,2", "c": "x=y,z"}
    for texts, told in (
        (["a"], "not of the form KEY=VALUES"),
        (["=1,2"], "not of the form KEY=VALUES"),
        (["a=1,2", "a=3,4"], "--vary a is given twice"),
    ):
        with pytest.raises(ArgumentError, match=told):
            read_options(texts)
    with pytest.raises(ArgumentError, match="a sweep varies something: name it, such as --vary"):
        read_space({})


RECIPE = get_recipe("case-study")


@pytest.mark.parametrize(
    ("place", "values", "told"),
    [
        ("optimiser.learning_rat", "0.1,0.2", r"did you mean 'learning_rate'\?"),
        ("learning_rate", "0.1,0.2", "write optimiser.learning_rate"),
        ("network.2.filter", "1,2", r"--vary network.2.filter=1: unknown key 'filter'.*'filters'"),
        ("network.99.filters", "1,2", "there is no network.99.filters in the recipe"),
        ("batch_size", "16..64", r"--vary batch_size=16.0: must be a whole number.*write int:"),
        ("dropout", "0.5..1.5", "--vary dropout=1.5: the dropout rate must"),
        ("optimiser.kind", "adam,adma", r"--vary optimiser.kind=adma: .*did you mean 'adam'"),
        ("network.0.kernel", "3,99", "--vary network.0.kernel=99: "),
        ("batch_norm", "1,2", "--vary batch_norm=1: must be true or false"),
    ],
)
def test_what_a_recipe_does_not_take_is_refused_at_once(place: str, values: str, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        check_space(read_space({place: values}), RECIPE, (28, 28), 10)


def test_values_reach_the_recipe_and_a_kind_comes_before_its_values() -> None:
    varied = vary_recipe(
        RECIPE,
        {
            "optimiser.momentum": 0.5,
            "optimiser.kind": "sgd",
            "network.0.filters": 7,
            "rotations": "[0.0, 5.0]",
            "batch_norm": True,
        },
    )
    assert varied.to_dict()["optimiser"]["kind"] == "sgd"
    assert varied.to_dict()["optimiser"]["momentum"] == 0.5
    assert varied.to_dict()["network"][0]["filters"] == 7
    assert varied.rotations == (0.0, 5.0)
    assert varied.batch_norm
    assert get_recipe("case-study") == RECIPE


@hypothesis.given(
    strategies.floats(1e-6, 1e3), strategies.floats(1.001, 1e6), strategies.floats(0, 1)
)
def test_every_value_of_a_range_stands_on_its_axis_in_order(
    low: float, factor: float, share: float
) -> None:
    high = low * factor
    for kind in ("", "log"):
        axis = Range(low, high, kind)
        inside = low + share * (high - low)
        assert axis.position(low) == 0
        assert math.isclose(axis.position(high), 1)
        assert -1e-9 <= axis.position(inside) <= 1 + 1e-9
        assert axis.position(low) <= axis.position(inside) + 1e-9


def test_a_grid_has_every_combination_once_and_no_endless_range() -> None:
    grid = grid_of(read_space({"a": "1,2,3", "b": "int:0..4", "c": "x,y"}))
    assert len({repr(each) for each in grid}) == len(grid) == 30
    with pytest.raises(ArgumentError, match=r"--vary a: a grid takes a list, such as a=0.1,0.5"):
        grid_of(read_space({"a": "0.1..0.5"}))
    with pytest.raises(ArgumentError, match="is too large: use the sampler tpe"):
        grid_of(read_space({"a": "int:0..99999", "b": "int:0..99999"}))
