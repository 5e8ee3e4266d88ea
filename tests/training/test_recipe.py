import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkwise.data.splits import Holdout
from inkwise.errors import ArgumentError, RunError
from inkwise.networks.named import case_study
from inkwise.training.augmentation import Augmentation
from inkwise.training.named_recipes import get_recipe
from inkwise.training.recipe import SGD, Adam, Muon, Recipe
from inkwise.training.schedules import Cosine, OneCycle, Plateau, rate_factor
from inkwise.training.value_checks import MOST

NAN, INFINITY = float("nan"), float("inf")

SHARES = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
LIMITS = st.floats(0, allow_infinity=False)
ADAMS = st.builds(Adam, POSITIVE, SHARES, SHARES, POSITIVE)
SGDS = st.builds(SGD, POSITIVE, SHARES)
MUONS = st.builds(Muon, POSITIVE, SHARES, ADAMS)
ABOVE_0 = st.floats(0, 1, exclude_min=True)
CYCLES = st.builds(OneCycle, st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0, 1))
COSINES = st.builds(Cosine, SHARES.filter(lambda share: share < 0.99), st.floats(0, 1))
PLATEAUS = st.builds(Plateau, st.floats(0.01, 0.99), st.integers(1, MOST), st.floats(0, 1))
RECIPES_DRAWN = st.builds(
    Recipe,
    name=st.text(),
    network=st.just("case-study"),
    dropout=SHARES,
    augmentation=st.none() | st.builds(Augmentation, LIMITS, LIMITS, SHARES),
    optimiser=ADAMS | SGDS | MUONS,
    schedule=st.none() | CYCLES | COSINES | PLATEAUS,
    clip_norm=st.floats(0, MOST),
    patience=st.integers(0, MOST),
    best_epoch=st.booleans(),
    positive=st.text(),
    class_weights=st.sampled_from(["none", "balanced"])
    | st.dictionaries(st.text(), st.floats(0, MOST, exclude_min=True)),
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


@given(cosine=COSINES, done=st.floats(0, 1))
def test_a_cosine_rises_in_its_warm_up_and_falls_from_there(cosine: Cosine, done: float) -> None:
    assert cosine(0) == pytest.approx(0 if cosine.warm_up else 1)
    assert cosine(cosine.warm_up) == pytest.approx(1)
    assert cosine(1) == pytest.approx(cosine.end)
    assert cosine((cosine.warm_up + 1) / 2) == pytest.approx((1 + cosine.end) / 2)
    if done >= cosine.warm_up:
        assert cosine.end - 1e-9 <= cosine(done) <= 1 + 1e-9
        assert cosine((done + 1) / 2) <= cosine(done) + 1e-9
    else:
        assert cosine(done) == pytest.approx(done / cosine.warm_up)


@pytest.mark.usefixtures("keras")
@given(
    plateau=st.builds(Plateau, st.floats(0.1, 0.9), st.integers(1, 3), st.floats(0, 0.5)),
    losses=st.lists(st.sampled_from([0.5, 0.49995, 0.4998, 0.3, 0.2, 0.6]), max_size=12),
)
@settings(max_examples=50, deadline=None)
def test_a_plateau_lowers_the_rate_as_keras_does(plateau: Plateau, losses: list[float]) -> None:
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=plateau.factor, patience=plateau.patience, min_lr=plateau.least
    )
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
    expected = float(model.optimizer.learning_rate)
    assert plateau.after(losses) == pytest.approx(expected, rel=1e-5)
    assert rate_factor(plateau, 0.7, losses) == plateau.after(losses)


@pytest.mark.parametrize("schedule", [OneCycle(start=0.3), OneCycle(peak=0.5), OneCycle()])
def test_a_schedule_of_an_earlier_version_is_a_cycle(schedule: OneCycle) -> None:
    document = get_recipe("case-study", schedule=schedule).to_dict()
    assert document["schedule"].pop("kind") == "one_cycle"
    assert Recipe.from_dict(document).schedule == schedule


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Cosine(warm_up=1), "the warm-up of a cosine must lie in"),
        (lambda: Cosine(end=NAN), "the end of a cosine must lie in"),
        (lambda: Plateau(factor=1), "the factor of a plateau must lie in"),
        (lambda: Plateau(factor=0), "the factor of a plateau must lie in"),
        (lambda: Plateau(patience=0), "the patience of a plateau must be a whole number"),
        (
            lambda: Plateau(patience=1.5),  # type: ignore[arg-type]
            "the patience of a plateau must be a whole number",
        ),
        (lambda: Plateau(least=-1), "the least of a plateau must lie in"),
    ],
)
def test_another_schedule_out_of_range_is_refused(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        make()


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


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50).map(np.array))
def test_balanced_classes_count_the_same_in_all(labels: np.ndarray) -> None:
    weights = get_recipe("swift", class_weights="balanced").weigh_classes(labels, tuple("abcde"))
    assert weights is not None
    in_all = [weights[labels[labels == label]].sum() for label in np.unique(labels)]
    assert in_all == pytest.approx([len(labels) / len(in_all)] * len(in_all))


def test_class_weights_are_found_by_name() -> None:
    labels, names = np.array([0, 0, 1]), ("ant", "bee", "cat")
    weights = get_recipe("swift", class_weights={"cat": 3, "ant": 0.5}).weigh_classes(labels, names)
    assert weights is not None
    assert weights.tolist() == [0.5, 1, 3]
    assert weights.dtype == np.float32
    assert get_recipe("swift").weigh_classes(labels, names) is None
    with pytest.raises(ArgumentError, match=r"no class 'cart' \(did you mean 'cat'\?\): use ant"):
        get_recipe("swift", class_weights={"cart": 3}).weigh_classes(labels, names)
