import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import ArgumentError, ModelError
from inkwise.model.calibration import Calibration, at_another_temperature, energy_score, softmax

LOGITS = np.random.default_rng(0).normal(0, 3, size=(50, 10)).astype(np.float32)


def test_scores_and_probabilities_are_pytorchs() -> None:
    tensor = torch.from_numpy(LOGITS).double()
    np.testing.assert_allclose(energy_score(LOGITS), tensor.logsumexp(1))
    np.testing.assert_allclose(softmax(LOGITS), tensor.softmax(1))
    np.testing.assert_allclose(softmax(LOGITS, 2.5), (tensor / 2.5).softmax(1))
    huge = np.array([[1e4, 0, -1e4]], np.float32)
    assert energy_score(huge) == [1e4]
    assert softmax(huge).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_probabilities_are_seen_as_before_their_temperature(temperature: float) -> None:
    calibrated = softmax(LOGITS, temperature)
    np.testing.assert_allclose(at_another_temperature(calibrated, temperature), softmax(LOGITS))


def test_the_default_changes_and_refuses_nothing() -> None:
    assert Calibration() == Calibration(1.0, -math.inf, 0.0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": 0.0}, "temperature must lie in"),
        ({"temperature": -1.0}, "temperature must lie in"),
        ({"temperature": math.nan}, "temperature must lie in"),
        ({"temperature": math.inf}, "temperature must lie in"),
        ({"lowest_score": math.nan}, "lowest score must be a number"),
        ({"lowest_score": math.inf}, "lowest score must be a number"),
        ({"lowest_probability": -0.1}, "lowest probability must lie in"),
        ({"lowest_probability": 1.1}, "lowest probability must lie in"),
        ({"lowest_probability": math.nan}, "lowest probability must lie in"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, float], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        Calibration(**change)


@given(
    st.builds(
        Calibration,
        st.floats(0.01, 100),
        st.floats(allow_nan=False, max_value=1e300),
        st.floats(0, 1),
    )
)
def test_any_calibration_survives_strict_json(calibration: Calibration) -> None:
    text = json.dumps(calibration.to_dict(), allow_nan=False)
    assert Calibration.from_dict(json.loads(text)) == calibration


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"temperature": 1.0, "lowest_score": None},
        {"temperature": None, "lowest_score": None, "lowest_probability": 0.0},
        {"temperature": "1", "lowest_score": None, "lowest_probability": 0.0},
        {"temperature": True, "lowest_score": None, "lowest_probability": 0.0},
        {"temperature": 10**400, "lowest_score": None, "lowest_probability": 0.0},
        {"temperature": 0.0, "lowest_score": None, "lowest_probability": 0.0},
        {"temperature": 1.0, "lowest_score": math.nan, "lowest_probability": 0.0},
    ],
)
def test_what_is_no_calibration_is_a_damaged_model(document: object) -> None:
    with pytest.raises(ModelError, match="the calibration is damaged"):
        Calibration.from_dict(document)  # type: ignore[arg-type]


def test_verdicts_turn_below_their_limits() -> None:
    calibration = Calibration(1.0, lowest_score=2.0, lowest_probability=0.5)
    probabilities, scores = np.array([0.5, 0.49, 0.9, 0.1]), np.array([2.0, 2.0, 1.9, 1.9])
    assert calibration.verdicts(probabilities, scores) == [
        "digit",
        "unsure",
        "not a digit",
        "not a digit",
    ]


def test_the_ends_of_the_ranges_belong_to_them() -> None:
    for temperature, lowest_probability in ((0.01, 0.0), (100.0, 1.0)):
        Calibration(temperature, 1e300, lowest_probability)
    for temperature in (0.0099, 100.1):
        with pytest.raises(ArgumentError, match=r"must lie in \[0\.01, 100\]"):
            Calibration(temperature)
