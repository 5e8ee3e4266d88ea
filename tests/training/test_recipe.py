import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.data.splits import Holdout
from inkwise.errors import ArgumentError, RunError
from inkwise.networks.named import case_study
from inkwise.training.augmentation import Augmentation
from inkwise.training.named_recipes import get_recipe
from inkwise.training.recipe import MOST, SGD, Adam, Muon, OneCycle, Recipe

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


def test_a_recipe_describes_its_network() -> None:
    recipe = get_recipe("case-study", dropout=0.25)
    assert recipe.describe_network((28, 28), 10) == case_study((28, 28), 10, 0.25)
    with pytest.raises(ArgumentError, match=r"pool2, layer 3 .* 2×2 pixels, and 1×1×64 comes"):
        recipe.describe_network((8, 8), 10)


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
