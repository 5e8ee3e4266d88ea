"""Going on from a model: the recipe, the weights to start from, and those to keep."""

import dataclasses

import numpy as np
import pytest

from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError
from inkwise.model import Model
from inkwise.networks.layers import Conv, Dense, Flatten, Layer, MaxPool
from inkwise.networks.network import complete
from inkwise.training.going_on import (
    FINE_TUNING,
    describe_going_on,
    keep_some,
    start_weights,
    trained_by,
)
from inkwise.training.named_recipes import RECIPES, get_recipe
from inkwise.training.recipe import Recipe

OWN: tuple[Layer, ...] = (Conv(4, 3, "relu"), MaxPool(2), Flatten(), Dense())
NAMES = tuple("abcdefghij")


def make_model(recipe: Recipe | None, seed: int = 0) -> Model:
    """Make a model with random weights that says it was trained by a recipe."""
    network = (recipe or get_recipe("swift", network=OWN)).describe_network((28, 28), 10)
    generator = np.random.default_rng(seed)
    weights = {
        name: generator.normal(0, 0.1, shape).astype(np.float32)
        for line in network.summary()
        for name, shape in line.parameters.items()
    }
    weights = {
        name: np.abs(array) if name.endswith("_var") else array for name, array in weights.items()
    }
    provenance = {} if recipe is None else {"recipe": recipe.to_dict()}
    return Model(network, weights, NAMES, provenance, rotations=(0.0, 5.0))


@pytest.mark.parametrize("name", RECIPES)
def test_the_network_keeps_its_name(name: str) -> None:
    model = make_model(RECIPES[name])

    recipe = describe_going_on(model)

    assert recipe.network == RECIPES[name].network
    assert recipe.describe_network((28, 28), 10) == model.network
    assert recipe.describe_network((28, 28), 3).classes == 3
    assert not recipe.batch_norm
    assert recipe.rotations == model.rotations
    assert (recipe.holdout, recipe.pens) == (RECIPES[name].holdout, RECIPES[name].pens)
    assert (recipe.epochs, recipe.optimiser) == (FINE_TUNING.epochs, FINE_TUNING.optimiser)
    assert recipe.augmentation == RECIPES[name].augmentation or FINE_TUNING.augmentation


@pytest.mark.parametrize("known", [True, False])
def test_layers_are_named_where_no_recipe_names_the_network(known: bool) -> None:
    made_by = get_recipe("swift", network=OWN, dropout=0.2) if known else None
    model = make_model(made_by)

    recipe = describe_going_on(model)

    assert recipe.network == OWN
    assert recipe.describe_network((28, 28), 10) == model.network
    assert trained_by(model) == made_by


def test_a_recipe_of_ones_own_trains_but_does_not_change_the_network() -> None:
    model, chosen = make_model(RECIPES["swift"]), get_recipe("case-study", epochs=9, seed=5)

    recipe = describe_going_on(model, chosen)

    assert recipe.network == "swift"
    same = {"network", "holdout", "rotations", "batch_norm"}
    for field in dataclasses.fields(Recipe):
        if field.name not in same:
            assert getattr(recipe, field.name) == getattr(chosen, field.name)


def test_an_ensemble_that_no_recipe_describes_is_refused() -> None:
    model = dataclasses.replace(make_model(RECIPES["ensemble"]), provenance={})
    with pytest.raises(ArgumentError, match="going on from a model takes a single network"):
        describe_going_on(model)


@pytest.mark.parametrize("recipe", ["swift", "ensemble"])
def test_known_classes_keep_their_weights_and_new_ones_start_at_their_images(recipe: str) -> None:
    model = make_model(RECIPES[recipe])
    generator = np.random.default_rng(1)
    images = generator.integers(0, 20, (60, 28, 28))
    for place in range(3):  # two new classes, and a known one
        images[20 * place : 20 * place + 20, 9 * place : 9 * place + 9] = 230
    train = Split(images, np.repeat([10, 11, 0], 20))
    names = (*NAMES, "new", "newer")
    network = RECIPES[recipe].describe_network((28, 28), 12)

    weights = start_weights(model, network, names, train)

    begun = Model(network, weights, names)
    new = begun.logits(train.images)[:, 10:]
    assert (new[:20, 0] > 0).all()
    assert (new[:20, 1] < new[:20, 0]).all()
    assert (new[20:40, 1] > new[20:40, 0]).all()
    if recipe == "swift":  # of an ensemble they are means of probabilities over all classes
        old = dataclasses.replace(model, rotations=(0.0,)).logits(train.images)
        np.testing.assert_allclose(begun.logits(train.images)[:, :10], old, atol=1e-3)
    again = start_weights(model, model.network, NAMES, train)
    for name, array in model.weights.items():
        np.testing.assert_array_equal(again[name], array)


@pytest.mark.parametrize("needed", [0.1, 0.3, 0.5, 0.7, 0.9, 2.0])
def test_no_more_of_the_new_is_kept_than_the_own_images_need(needed: float) -> None:
    network = complete((4, 4), (Flatten(), Dense()), 2)
    old = {"dense1.weight": np.zeros((2, 16), np.float32), "dense1.bias": np.zeros(2, np.float32)}
    new = {name: array.copy() for name, array in old.items()}
    old["dense1.bias"] += np.array([needed, 0], np.float32)
    new["dense1.bias"] += np.array([needed - 1, 0], np.float32)
    own = Split(np.zeros((3, 4, 4), np.uint8), np.array([1, 1, 1]))

    kept = keep_some(network, old, new, own)

    share = needed - float(kept["dense1.bias"][0])
    shares = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
    enough = shares[shares > needed]
    assert share == pytest.approx(enough[0] if len(enough) else 0.2)
