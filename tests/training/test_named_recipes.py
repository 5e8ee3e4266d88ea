import dataclasses
from typing import Any

import pytest

from inkwise.data.splits import Holdout
from inkwise.errors import ArgumentError
from inkwise.training.augmentation import Augmentation
from inkwise.training.named_recipes import RECIPES, SMALL, SMALL_FACTOR, get_recipe, scale_epochs
from inkwise.training.recipe import SGD, Adam, Recipe

NAN, INFINITY = float("nan"), float("inf")


def test_the_case_study_trains_as_the_textbook_says() -> None:
    assert get_recipe("case-study") == Recipe(
        name="case-study",
        network="case-study",
        dropout=0.0,
        augmentation=None,
        optimiser=Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7),
        epochs=5,
        batch_size=64,
        holdout=Holdout("last", 0.2),
        seed=0,
        schedule=None,
        label_smoothing=0.0,
        hardest=1.0,
        freeze_after=1.0,
    )


def test_every_recipe_goes_by_its_own_name() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert get_recipe(name) == recipe


def test_a_recipe_is_looked_up_with_changes() -> None:
    recipe = get_recipe(
        "case-study",
        augment=True,
        optimiser="sgd",
        learning_rate=0.1,
        dropout=0.25,
        epochs=2,
        batch_size=32,
        seed=7,
        holdout=Holdout("stratified", 0.1),
    )
    assert recipe == Recipe(
        "case-study",
        "case-study",
        dropout=0.25,
        augmentation=Augmentation(),
        optimiser=SGD(0.1, 0.9),
        epochs=2,
        batch_size=32,
        holdout=Holdout("stratified", 0.1),
        seed=7,
    )
    # A recipe is a starting point like any name, and itself stays as it is.
    assert get_recipe(recipe, learning_rate=0.2).optimiser == SGD(0.2, 0.9)
    assert recipe.optimiser == SGD(0.1, 0.9)


def test_a_learning_rate_alone_keeps_the_rest_of_the_optimiser() -> None:
    assert get_recipe("case-study", learning_rate=0.01).optimiser == Adam(0.01, 0.9, 0.999, 1e-7)
    slow = get_recipe("case-study", optimiser=Adam(beta1=0.5))
    assert get_recipe(slow, learning_rate=0.01).optimiser == Adam(0.01, beta1=0.5)


@pytest.mark.parametrize(
    ("recipe", "changes", "told"),
    [
        (
            "case-studie",
            {},
            "unknown recipe 'case-studie' .did you mean 'case-study'.*: use case-study, swift, ",
        ),
        ("", {}, "unknown recipe '': use case-study"),
        (
            "case-study",
            {"optimiser": "adamw"},
            "unknown optimiser 'adamw' .did you mean 'adam'.*: use adam, sgd, muon",
        ),
        ("case-study", {"optimiser": ""}, "unknown optimiser '': use adam, sgd"),
        ("case-study", {"network": "lenet"}, "unknown network 'lenet' .did you mean 'lenet-5'"),
        ("case-study", {"epoch": 3}, "'epoch': a recipe has name, network, .*epochs"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(
    recipe: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ArgumentError, match=told):
        get_recipe(recipe, **changes)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("dropout", [-0.1, 1, 1.5, NAN, INFINITY, "0.5", None], "the dropout rate must lie in"),
        ("epochs", [0, -1, 2.5, 2.0, True, NAN, "3", None], "the epochs must be a whole number"),
        ("batch_size", [0, -1, 64.0, True, "64"], "the batch size must be a whole number"),
        ("seed", [-1, 2**32, 0.5, True, "0", None], "the seed must be a whole number from 0 to 2³"),
        ("learning_rate", [0, -1e-3, NAN, INFINITY, "fast"], "the learning rate must be above 0"),
        ("augmentation", [True, 2.0, "shift"], "the augmentation must be of type"),
        ("optimiser", [0.1], "the optimiser must be of type"),
        ("schedule", [0.1, "one-cycle"], "the schedule must be of type"),
        ("label_smoothing", [-0.1, 1, NAN, "0.1", None], "the label smoothing must lie in"),
        ("positive", [7, None, True], "positive must be the name of a class"),
        (
            "class_weights",
            ["balance", 2.0, None, ["balanced"]],
            "class_weights must be none or bal",
        ),
        ("class_weights", [{"7": 0}, {"7": NAN}, {"7": "2"}], "the weight of the class 7 must be"),
        ("hardest", [0, 1.1, NAN, True, "all"], "the share of hardest images must lie in"),
        ("freeze_after", [0, 1.1, NAN, None], "the share of steps before freezing must lie in"),
        ("holdout", [0.2, None], "the holdout must be of type"),
        ("rotations", [(), [0.0], (0.0, 91.0), None], "the rotations must be 1 to 16 different"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, values: list[Any], told: str) -> None:
    for value in values:
        with pytest.raises(ArgumentError, match=told):
            get_recipe("case-study", **{name: value})


def test_few_images_get_more_epochs_and_a_notice() -> None:
    recipe = get_recipe("case-study", epochs=3, seed=9)
    scaled, notice = scale_epochs(recipe, SMALL - 1)
    assert scaled == dataclasses.replace(recipe, epochs=3 * SMALL_FACTOR)
    assert notice is not None
    assert f"{3 * SMALL_FACTOR} epochs rather than 3" in notice
    assert "9,999 training images" in notice


def test_enough_images_leave_the_epochs_as_they_are() -> None:
    recipe = get_recipe("case-study")
    assert scale_epochs(recipe, SMALL) == (recipe, None)
