import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.augment.augmentation import Augmentation
from inkwise.data.splits import Holdout
from inkwise.errors import ArgumentError, RunError
from inkwise.networks.named import case_study
from inkwise.recipes import (
    MOST,
    RECIPES,
    SGD,
    SMALL,
    SMALL_FACTOR,
    Adam,
    Muon,
    OneCycle,
    Recipe,
    get_recipe,
    scale_epochs,
)

NAN, INFINITY = float("nan"), float("inf")

SHARES = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
LIMITS = st.floats(0, allow_infinity=False)
ADAMS = st.builds(Adam, POSITIVE, SHARES, SHARES, POSITIVE)
SGDS = st.builds(SGD, POSITIVE, SHARES)
MUONS = st.builds(Muon, POSITIVE, SHARES, ADAMS)
ABOVE_0 = st.floats(0, 1, exclude_min=True)
CYCLES = st.builds(OneCycle, st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0, 1))
RECIPES_DRAWN = st.builds(
    Recipe,
    name=st.text(),
    network=st.just("case-study"),
    dropout=SHARES,
    augmentation=st.none() | st.builds(Augmentation, LIMITS, LIMITS, SHARES),
    optimiser=ADAMS | SGDS | MUONS,
    schedule=st.none() | CYCLES,
    label_smoothing=SHARES,
    hardest=ABOVE_0,
    freeze_after=ABOVE_0,
    epochs=st.integers(1, MOST),
    batch_size=st.integers(1, MOST),
    holdout=st.builds(
        Holdout, st.sampled_from(["last", "stratified"]), SHARES.filter(lambda share: share > 0)
    ),
    seed=st.integers(0, 2**32 - 1),
)


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


def test_a_recipe_describes_its_network() -> None:
    recipe = get_recipe("case-study", dropout=0.25)
    assert recipe.describe_network((28, 28), 10) == case_study((28, 28), 10, 0.25)
    with pytest.raises(ArgumentError, match="less than 2×2 pixels left to pool"):
        recipe.describe_network((8, 8), 10)


def test_every_recipe_goes_by_its_own_name() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert get_recipe(name) == recipe


@given(recipe=RECIPES_DRAWN)
def test_the_way_through_json_changes_nothing(recipe: Recipe) -> None:
    document = json.loads(json.dumps(recipe.to_dict(), allow_nan=False))
    assert Recipe.from_dict(document) == recipe


def test_a_recipe_on_paper_is_readable() -> None:
    document = get_recipe("case-study", augment=True, optimiser="sgd").to_dict()
    assert document["optimiser"] == {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9}
    assert document["augmentation"] == {
        "shift": 2.0,
        "rotation": 10.0,
        "zoom": 0.1,
        "shear": 0.0,
        "stretch": 0.0,
        "elastic": 0.0,
        "effects": {},
    }
    assert document["holdout"] == {"method": "last", "share": 0.2}


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
            "unknown recipe 'case-studie': use case-study, swift, precise, ensemble",
        ),
        ("", {}, "unknown recipe '': use case-study"),
        ("case-study", {"optimiser": "adamw"}, "unknown optimiser 'adamw': use adam, sgd, muon"),
        ("case-study", {"optimiser": ""}, "unknown optimiser '': use adam, sgd"),
        ("case-study", {"network": "lenet"}, "unknown network 'lenet': use case-study"),
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


@pytest.mark.parametrize("share", [-0.1, 1.0, NAN, "0.9"])
def test_an_optimiser_that_pytorch_would_refuse_is_refused_when_it_is_named(share: Any) -> None:
    for make in (
        lambda: Adam(beta1=share),
        lambda: Adam(beta2=share),
        lambda: SGD(momentum=share),
        lambda: Muon(momentum=share),
    ):
        with pytest.raises(ArgumentError, match=r"must lie in \[0, 1\)"):
            make()
    for epsilon in (0, -1e-7, NAN, INFINITY):
        with pytest.raises(ArgumentError, match="the epsilon of Adam must be above 0"):
            Adam(epsilon=epsilon)
    with pytest.raises(ArgumentError, match="the learning rate must be above 0"):
        SGD(learning_rate=NAN)
    with pytest.raises(ArgumentError, match="the learning rate must be above 0"):
        Muon(learning_rate=0)
    with pytest.raises(ArgumentError, match="the adam of Muon must be an Adam"):
        Muon(adam=SGD())  # type: ignore[arg-type]


@given(cycle=CYCLES, done=st.floats(0, 1))
def test_a_cycle_goes_up_to_its_peak_and_down_from_there(cycle: OneCycle, done: float) -> None:
    assert cycle(0) == cycle.start
    assert cycle(cycle.peak) == pytest.approx(1)
    assert cycle(1) == pytest.approx(cycle.end)
    low = cycle.start if done < cycle.peak else cycle.end
    assert low - 1e-9 <= cycle(done) <= 1 + 1e-9
    middle = (cycle(cycle.peak) + cycle(1)) / 2
    assert cycle((cycle.peak + 1) / 2) == pytest.approx(middle)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"start": -0.1}, "the start of a cycle must lie in"),
        ({"end": 1.1}, "the end of a cycle must lie in"),
        ({"peak": 0}, "the peak of a cycle must lie in"),
        ({"peak": 1}, "the peak of a cycle must lie in"),
        ({"peak": "soon"}, "the peak of a cycle must lie in"),
    ],
)
def test_a_cycle_out_of_range_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        OneCycle(**values)


def changed(**values: Any) -> dict[str, Any]:
    return {**get_recipe("case-study").to_dict(), **values}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {name: value for name, value in changed().items() if name != "holdout"},
        {name: value for name, value in changed().items() if name != "network"},
        changed(colour="blue"),
        changed(epochs="5"),
        changed(dropout=2),
        changed(network=["case-study"]),
        changed(optimiser=None),
        changed(optimiser={}),
        changed(optimiser={"kind": "adamw"}),
        changed(optimiser={"kind": "sgd", "beta1": 0.9}),
        changed(optimiser={"kind": "muon", "adam": {"kind": "adam"}}),
        changed(optimiser={"kind": "sgd", "adam": {}}),
        changed(schedule={"start": 2.0}),
        changed(schedule="one-cycle"),
        changed(augmentation="usual"),
        changed(augmentation={"skew": 1.0}),
        changed(augmentation={"effects": ["fog"]}),
        changed(augmentation={"effects": {"rain": 0.1}}),
        changed(augmentation={"effects": {"fog": "much"}}),
        changed(batch_norm=1),
        changed(mixed_precision=1),
        changed(averaging=1.0),
        changed(outliers=-0.1),
        changed(calibrate="yes"),
        changed(augmentation={"shift": NAN}),
        changed(holdout=0.2),
        changed(holdout={"method": "first"}),
    ],
)
def test_a_damaged_recipe_is_a_run_error(document: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="the recipe is damaged"):
        Recipe.from_dict(document)


def test_reading_a_recipe_leaves_its_document_as_it_was() -> None:
    document = changed()
    Recipe.from_dict(document)
    assert document == changed()


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
