"""Medians, ratios round by round, and power laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.bench.measurement import Measurement
from inkwise.bench.summary import Growth, Spread, compare, fit_power_law, summarise
from tests.bench import measurement


def training(contender: str, *seconds: float) -> list[Measurement]:
    return [
        measurement(contender, number, history=((time, 0.99),))
        for number, time in enumerate(seconds, start=1)
    ]


def test_summary_is_median_least_and_most() -> None:
    measurements = [
        measurement(number=number, startup_seconds=seconds)
        for number, seconds in enumerate((2.0, 9.0, 3.0), start=1)
    ]

    summary = summarise(measurements)["swift"]

    assert summary["startup_seconds"] == Spread(3, 2, 9)
    assert summary["training_seconds"] == Spread(6, 6, 6)
    assert summary["whole_seconds"] == Spread(10, 9, 16)
    assert summary["images_per_second"] == Spread(50_000, 50_000, 50_000)
    assert summary["test_accuracy"].median == 0.991


def test_time_to_a_target_counts_rounds_that_never_reached_it() -> None:
    reached = [0.991, 0.989, 0.991]
    measurements = [
        measurement(number=number, history=((5.0 + number, accuracy),))
        for number, accuracy in enumerate(reached, start=1)
    ]

    summary = summarise(measurements)["swift"]

    assert summary["seconds_to_98.84%"] == Spread(7, 6, 8)
    assert summary["seconds_to_99%"] == Spread(8, 6, math.inf)
    assert summary["seconds_to_99%"].to_dict() == {"median": 8, "least": 6, "most": None}


def test_what_was_not_measured_is_left_out() -> None:
    summary = summarise([measurement(prediction_memory=None)])["swift"]

    assert "prediction_memory" not in summary
    assert "training_memory" in summary


def test_ratios_are_taken_round_by_round() -> None:
    # The machine slows down by ten in the third round; the ratio stays what it is.
    measurements = [*training("swift", 1, 2, 10), *training("keras", 4, 7, 40)]

    ratios = compare(measurements, "swift")

    assert list(ratios) == ["keras"]
    assert ratios["keras"]["training_seconds"] == Spread(4, 3.5, 4)
    assert compare(measurements, "keras")["swift"]["training_seconds"].median == 0.25


def test_only_rounds_that_both_finished_are_compared() -> None:
    measurements = [*training("swift", 1, 2), *training("keras", 3, 4, 1000)]

    assert compare(measurements, "swift")["keras"]["training_seconds"] == Spread(2.5, 2, 3)
    assert compare(measurements, "mlp") == {}
    assert compare([measurement("swift", 1), measurement("keras", 2)], "swift") == {}


@given(
    exponent=st.floats(0.2, 3),
    factor=st.floats(1e-6, 1e3),
    sizes=st.sets(st.integers(1, 10**6), min_size=2, max_size=8),
)
def test_power_law_is_found_again(exponent: float, factor: float, sizes: set[int]) -> None:
    law = fit_power_law({size: factor * size**exponent for size in sizes})

    assert law.exponent == pytest.approx(exponent, abs=1e-3)
    assert (law.smallest, law.largest) == (min(sizes), max(sizes))
    for size in sizes:
        assert law(size) == pytest.approx(factor * size**exponent, rel=1e-3)


def test_growth_is_fitted_to_the_medians_from_a_size_on() -> None:
    growth = Growth("prediction", "images", fitted_from=100)
    growth.seconds.update({1: [5.0], 1_000: [20.0, 2.0, 1.0], 100: [0.2, 0.1, 0.2]})

    law = growth.fit

    assert growth.medians == {1: 5.0, 100: 0.2, 1_000: 2.0}
    assert law is not None
    assert law.exponent == pytest.approx(1)
    assert (law.smallest, law.largest) == (100, 1_000)
    document = growth.to_dict()
    assert document["points"][2] == {"size": 1_000, "rounds": [20.0, 2.0, 1.0], "median": 2.0}
    assert document["fit"]["exponent"] == law.exponent


def test_one_size_has_no_exponent() -> None:
    growth = Growth("prediction", "images", fitted_from=100)
    growth.seconds.update({1: [5.0], 100: [0.2]})

    assert growth.fit is None
    assert growth.to_dict()["fit"] is None
