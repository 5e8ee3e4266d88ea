"""Comparison: McNemar, the paired bootstrap, Holm and seeds, against published examples."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from inkwise.comparison.statistics import (
    compare_over_seeds,
    compare_paired,
    over_folds,
    spread_over_seeds,
)
from inkwise.errors import ArgumentError
from inkwise.evaluation.intervals import wilson
from inkwise.evaluation.significance import holm


def answers(
    both_right: int, only_first: int, only_second: int, both_wrong: int
) -> list[NDArray[np.bool_]]:
    """Two models' answers, by how many images both, only one, or neither has right."""
    pairs = [
        *[(True, True)] * both_right,
        *[(True, False)] * only_first,
        *[(False, True)] * only_second,
        *[(False, False)] * both_wrong,
    ]
    return [np.array(side) for side in zip(*pairs, strict=True)]


def test_mcnemar_is_that_of_a_published_example() -> None:
    # M. P. Fay, "Exact McNemar's test and matching confidence intervals", the vignette of R's
    # package exact2x2: 9 and 2 discordant pairs of 44, p-value = 0.06543.
    paired = compare_paired(*answers(21, 9, 2, 12))
    assert paired.p_value == pytest.approx(0.06543, abs=5e-6)
    assert (paired.both_right, paired.both_wrong, paired.images) == (21, 12, 44)
    assert (paired.only_first_wrong, paired.only_second_wrong) == (2, 9)


def test_the_paired_bootstrap_is_that_of_a_published_example() -> None:
    # A. Agresti, "Categorical Data Analysis", 2nd edition, Wiley, 2002, section 10.1: approval of
    # a prime minister in two surveys of 1,600 people, 0.59 and 0.55; the difference has a
    # standard error of 0.0095 and the 95% interval (0.021, 0.059).
    paired = compare_paired(*answers(794, 150, 86, 570))
    assert paired.difference.value == pytest.approx(0.04)
    assert paired.difference.low == pytest.approx(0.021, abs=0.002)
    assert paired.difference.high == pytest.approx(0.059, abs=0.002)
    assert paired.fewer_errors.value == 64


def test_the_paired_bootstrap_is_scipys() -> None:
    first, second = answers(150, 20, 8, 22)
    expected = stats.bootstrap(
        (first.astype(float), second.astype(float)),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    difference = compare_paired(first, second).difference
    assert difference.low == pytest.approx(expected.low, abs=0.007)
    assert difference.high == pytest.approx(expected.high, abs=0.007)


@given(counts=st.tuples(*[st.integers(0, 40)] * 4).filter(any))
@example(counts=(0, 0, 1, 0))
@example(counts=(0, 30, 0, 0))
@settings(max_examples=40)
def test_a_comparison_is_statsmodels_and_turns_round_with_its_sides(
    counts: tuple[int, int, int, int],
) -> None:
    first, second = answers(*counts)
    paired, turned = compare_paired(first, second), compare_paired(second, first)
    table = [[counts[0], counts[1]], [counts[2], counts[3]]]
    if counts[1] + counts[2]:
        assert paired.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9)
    assert paired.p_value == pytest.approx(turned.p_value)
    assert paired.difference.value == pytest.approx(-turned.difference.value)
    assert paired.difference.low <= paired.difference.value <= paired.difference.high
    assert paired.difference.low < paired.difference.high
    assert paired.difference.value == pytest.approx(first.mean() - second.mean())


def test_the_same_answers_differ_by_what_the_images_may_have_missed() -> None:
    same = np.arange(10_000) > 80
    paired = compare_paired(same, same)
    assert (paired.p_value, paired.difference.value) == (1, 0)
    assert paired.fewer_errors == (0, -4, 4)  # none of 10,000 may be up to 3.8


def test_two_that_are_never_right_together_differ_by_what_the_images_may_have_missed() -> None:
    right = np.ones(100, bool)
    most = wilson(0, 100).high  # so many images of others may be the other way round
    assert compare_paired(right, ~right).difference == pytest.approx((1, 1 - 2 * most, 1))
    assert compare_paired(~right, right).difference == pytest.approx((-1, -1, 2 * most - 1))


@pytest.mark.slow
def test_ninety_five_paired_intervals_in_a_hundred_contain_the_truth() -> None:
    generator = np.random.default_rng(0)
    shares = [0.9, 0.05, 0.03, 0.02]
    hits = 0
    for counts in generator.multinomial(1_000, shares, size=500):
        low, high = compare_paired(*answers(*counts)).difference[1:]
        hits += low <= 0.02 <= high
    assert 465 <= hits <= 485


def test_answers_to_compare_must_fit_together() -> None:
    with pytest.raises(ArgumentError, match=r"same shape \(N,\).*\(2,\) and \(3,\)"):
        compare_paired(np.ones(2, bool), np.ones(3, bool))
    for shape in ((0,), (2, 2), ()):
        with pytest.raises(ArgumentError, match="at least one image"):
            compare_paired(np.ones(shape, bool), np.ones(shape, bool))


def test_holm_is_the_worked_example() -> None:
    # Four tests: the smallest p is taken four times, the next three times, and none falls below
    # the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4]) == [0.4]


def test_the_spread_over_seeds_is_scipys() -> None:
    values = [0.9917, 0.9908, 0.9924, 0.9915]
    spread = spread_over_seeds(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert spread.mean == pytest.approx((np.mean(values), expected.low, expected.high))
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    assert spread.values == tuple(values)


def test_one_training_has_no_spread() -> None:
    spread = spread_over_seeds([0.99])
    assert spread.mean.value == 0.99
    assert math.isnan(spread.deviation)
    assert math.isnan(spread.mean.low)
    with pytest.raises(ArgumentError, match="no values to summarise"):
        spread_over_seeds([])


def test_recipes_are_compared_as_in_a_published_example() -> None:
    # B. L. Welch's test on "Student's" sleep data of 1908, as in the help of R's t.test: the mean
    # difference is -1.58, t = -1.8608, p-value = 0.07939, the 95% interval -3.3654832 to 0.2054832.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    difference, p_value = compare_over_seeds(first, second)
    assert difference == pytest.approx((-1.58, -3.3654832, 0.2054832))
    assert p_value == pytest.approx(0.07939, abs=5e-6)


@pytest.mark.parametrize(("first", "second"), [([1.0], [1.0, 2.0]), ([1.0, 1.0], [2.0, 2.0])])
def test_recipes_without_spread_are_not_compared(first: list[float], second: list[float]) -> None:
    difference, p_value = compare_over_seeds(first, second)
    assert not difference.defined
    assert math.isnan(p_value)


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=30).filter(
        lambda v: np.ptp(v) > 1e-3
    ),
    st.floats(0, 1),
)
def test_folds_are_students_t_test_with_a_larger_variance(
    values: list[float], ratio: float
) -> None:
    expected = stats.ttest_1samp(values, 0)
    mean, p_value = over_folds(values, 0)
    assert mean == pytest.approx((np.mean(values), *expected.confidence_interval(0.95)))
    assert p_value == pytest.approx(expected.pvalue)
    corrected, larger = over_folds(values, ratio)
    grown = math.sqrt(1 + ratio * len(values))
    assert corrected.value == mean.value
    assert corrected.high - corrected.low == pytest.approx(grown * (mean.high - mean.low))
    assert larger >= p_value - 1e-12


def test_folds_of_trainings_that_share_their_images_seldom_differ_by_chance_alone() -> None:
    # Two recipes that are equally good: what ten folds have in common moves all differences.
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 1, 2_000)[:, None]
    differences = shared + generator.normal(0, 3, (2_000, 10))  # a correlation of a tenth
    corrected = [over_folds(row, 1 / 9)[1] for row in differences]
    naive = [over_folds(row, 0)[1] for row in differences]
    assert np.mean(np.array(corrected) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(np.array(naive) < 0.05) > 0.12


@pytest.mark.parametrize("values", [[0.9], [0.9, 0.9, 0.9]])
def test_folds_without_spread_have_no_interval(values: list[float]) -> None:
    mean, p_value = over_folds(values, 0.1)
    assert mean.value == pytest.approx(0.9)
    assert math.isnan(mean.low)
    assert math.isnan(p_value)
