import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import ArgumentError, ModelError
from inkwise.model.calibration import Calibration


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
