import json
from pathlib import Path

import numpy as np
import pytest

from inkwise import Dataset, Model, Run
from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError
from inkwise.evaluation.intervals import wilson
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from inkwise.robustness.corruptions import CORRUPTIONS, corrupt, move, resize, turn
from inkwise.robustness.curves import (
    ANGLES,
    BUDGETS,
    FACTORS,
    SHIFTS,
    Robustness,
    measure_models,
)
from tests.telling import Heard


def blind(classes: int = 10) -> Model:
    """Make a model that answers the first class whatever it sees."""
    return Model(
        Network((28, 28), (Flatten(), Dense(classes))),
        {
            "dense1.weight": np.zeros((classes, 784), np.float32),
            "dense1.bias": np.eye(classes, dtype=np.float32)[0],
        },
        tuple(map(str, range(classes))),
    )


@pytest.fixture(scope="module")
def digits(optdigits: Dataset) -> Split:
    return optdigits.train.take(np.arange(40))


@pytest.fixture(scope="module")
def model(finished: Path) -> Model:
    return Run(finished).model


@pytest.fixture(scope="module")
def measured(model: Model, digits: Split) -> list[Robustness]:
    models = {"trained": model, "blind": blind()}
    return measure_models(models, digits, "optdigits", "train", attacks=True)


def test_every_curve_holds_the_models_own_answers(
    measured: list[Robustness], model: Model, digits: Split
) -> None:
    def right(images: np.ndarray) -> list[bool]:
        return (model.predict(images) == digits.labels).tolist()

    result = measured[0]
    assert result.clean.tolist() == right(digits.images)
    assert list(result.corruptions) == list(CORRUPTIONS)
    for name in ("shot noise", "fog"):
        for severity in (1, 5):
            changed = corrupt(digits.images, name, severity=severity)
            assert result.corruptions[name].at(severity).tolist() == right(changed)
    geometry = result.geometry
    assert {name: curve.levels for name, curve in geometry.items()} == {
        "shift": SHIFTS,
        "rotation": ANGLES,
        "size": FACTORS,
    }
    assert geometry["shift"].at(3).tolist() == right(move(digits.images, 3))
    assert geometry["rotation"].at(-40).tolist() == right(turn(digits.images, -40))
    assert geometry["size"].at(0.6).tolist() == right(resize(digits.images, 0.6))


def test_where_nothing_is_changed_nothing_changes(measured: list[Robustness]) -> None:
    for result in measured:
        curves = {**result.geometry, **result.attacks}
        for name, level in {"shift": 0, "rotation": 0, "size": 1, "FGSM": 0, "PGD": 0}.items():
            assert np.array_equal(curves[name].at(level), result.clean)


def test_an_answer_that_is_always_the_same_is_as_right_under_everything(
    measured: list[Robustness], digits: Split
) -> None:
    _, result = measured
    assert result.clean.tolist() == (digits.labels == 0).tolist()
    for curve in (*result.corruptions.values(), *result.geometry.values()):
        assert (curve.right == result.clean).all()
    error = 1 - result.clean.mean()
    assert result.mean_error == pytest.approx(error)
    assert result.mean_error_all == pytest.approx(error)
    # No gradient leads anywhere, and so no attack.
    assert (result.attacks["PGD"].right == result.clean).all()


def test_a_larger_budget_never_helps_against_the_worst_case(measured: list[Robustness]) -> None:
    shares = measured[0].attacks["PGD"].right.mean(axis=1)
    assert len(shares) == len(BUDGETS)
    assert shares.tolist() == sorted(shares, reverse=True)
    assert (shares <= measured[0].attacks["FGSM"].right.mean(axis=1)).all()
    assert shares[-1] < 0.5 < shares[0]


def test_figures_are_those_of_mnist_cs_severity(measured: list[Robustness]) -> None:
    result = measured[0]
    for name, corruption in CORRUPTIONS.items():
        right = result.corruptions[name].at(corruption.severity)
        assert result.usual(name) == wilson(int(right.sum()), len(right))
    errors = [1 - result.usual(name).value for name in CORRUPTIONS]
    assert result.mean_error == pytest.approx(np.mean(errors))


def test_models_are_compared_image_by_image(measured: list[Robustness]) -> None:
    trained, untrained = measured
    forth, back = trained.differences(untrained), untrained.differences(trained)
    for name, difference in forth.items():
        gap = trained.usual(name).value - untrained.usual(name).value
        assert difference.value == pytest.approx(gap)
        assert back[name].value == pytest.approx(-gap)
        assert back[name].p == difference.p
    assert forth["spatter"].significant
    assert forth["spatter"].value > 0.3
    same = trained.differences(trained)
    assert all((it.value, it.p, it.significant) == (0, 1, False) for it in same.values())


def test_the_document_is_json_and_complete(measured: list[Robustness]) -> None:
    alone, both = measured[0].to_dict(), measured[0].to_dict(measured[1])
    assert json.loads(json.dumps(both, allow_nan=False)) == both
    assert alone["baseline"] is None
    assert alone == {**both, "baseline": None}
    assert (both["model"], both["images"], both["split"]) == ("trained", 40, "train")
    fog = both["corruptions"]["fog"]
    assert fog["severity"] == 5
    assert [point["level"] for point in fog["points"]] == [1, 2, 3, 4, 5]
    assert fog["points"][4]["value"] == measured[0].usual("fog").value
    assert both["baseline"]["model"] == "blind"
    assert set(both["baseline"]["differences"]) == set(CORRUPTIONS)


def test_through_ink_images_take_the_road_of_a_users_pictures(
    model: Model, digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All corruptions take the same road: one of them will do.
    monkeypatch.setattr("inkwise.robustness.curves.CORRUPTIONS", {"fog": CORRUPTIONS["fog"]})
    few = digits.take(np.arange(4))
    blank = Split(np.concatenate([few.images, np.zeros((1, 28, 28), np.uint8)]), np.arange(5))
    sighted, unsighted = measure_models(
        {"trained": model, "blind": blind()}, blank, "optdigits", "train", through_ink=True
    )
    # Blank is a mistake even for a model that would be right about it by chance.
    likeliest = [answer.top[0][0] for answer in model.classify(turn(few.images, 30))]
    expected = [*(name == model.class_names[k] for k, name in enumerate(likeliest)), False]
    assert sighted.geometry["rotation"].at(30).tolist() == expected
    assert unsighted.through_ink
    blank_first = Split(blank.images[[4]], np.array([0]))
    (nothing,) = measure_models({"blind": blind()}, blank_first, "a", "test", through_ink=True)
    assert not nothing.clean.any()


@pytest.mark.slow
def test_progress_counts_every_step_to_the_end(digits: Split) -> None:
    heard = Heard()
    measure_models(
        {"blind": blind()},
        digits.take(np.arange(2)),
        "optdigits",
        "train",
        attacks=True,
        progress=heard,
    )
    assert [done for _, done, _ in heard.steps] == list(range(len(heard.steps)))
    assert {total for *_, total in heard.steps} == {len(heard.steps)}
    assert {"as they are", "fog", "shift", "PGD"} <= {what for what, *_ in heard.steps}


def test_what_cannot_be_measured_is_refused(model: Model, digits: Split) -> None:
    with pytest.raises(ArgumentError, match="by ink has none: leave out one of the two"):
        measure_models({"m": model}, digits, "a", "test", through_ink=True, attacks=True)
    wide = Split(np.zeros((2, 28, 30), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(ArgumentError, match="takes only images of 28×28 pixels, not 28×30"):
        measure_models({"m": model}, wide, "a", "test", through_ink=True)
    with pytest.raises(ArgumentError, match="this model takes images"):
        measure_models({"m": model}, wide, "a", "test")
