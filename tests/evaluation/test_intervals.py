import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from inkwise.evaluation.confusion import average_figures, class_figures, confusion_matrix
from inkwise.evaluation.intervals import (
    UNDEFINED,
    Estimate,
    bootstrap_confusion,
    bootstrap_means,
    delong,
    wilson,
    wilson_f1,
)
from tests.evaluation import Answers, answers

Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def macro_f1(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    return average_figures(matrices)[:, 0, 2:]


def bootstrap_mean(values: NDArray[np.float64]) -> Estimate:
    [estimate] = bootstrap_means(values[:, None], np.zeros(len(values), dtype=np.int64))
    return estimate


def all_figures(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    flat = len(matrices), -1
    return np.hstack(
        [class_figures(matrices).reshape(flat), average_figures(matrices).reshape(flat)]
    )


def noisy_answers(generator: np.random.Generator, count: int) -> Answers:
    """Draw answers of a model that is right four times in five, on uneven classes."""
    labels = generator.choice(3, size=count, p=[0.5, 0.3, 0.2])
    wrong = generator.random(count) < 0.2
    predicted = np.where(wrong, generator.integers(3, size=count), labels)
    return Answers(labels, predicted, 3)


@given(trials=st.integers(1, 100_000), share=st.floats(0, 1))
def test_wilson_is_scipys(trials: int, share: float) -> None:
    successes = round(share * trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    estimate = wilson(successes, trials)
    assert estimate.value == successes / trials
    assert estimate.low == pytest.approx(expected.low, abs=1e-12)
    assert estimate.high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_wilson_at_the_ends_of_the_scale() -> None:
    none, all_ = wilson(0, 20), wilson(20, 20)
    assert (none.value, none.low) == (0, 0)
    assert (all_.value, all_.high) == (1, 1)
    assert none.high == pytest.approx(1 - all_.low) == pytest.approx(0.1611, abs=1e-4)


def test_no_trials_have_no_proportion() -> None:
    assert wilson(0, 0) is UNDEFINED
    assert all(map(math.isnan, UNDEFINED))
    assert not UNDEFINED.defined
    assert Estimate(0.0, 0.0, 0.1).defined


@given(answers=answers())
@settings(max_examples=50)
def test_a_bootstrap_interval_contains_its_figure(answers: Answers) -> None:
    confusion = confusion_matrix(*answers)
    estimates = bootstrap_confusion(confusion, all_figures)
    for estimate, value in zip(estimates, all_figures(confusion[None])[0], strict=True):
        if math.isnan(value):
            assert all(map(math.isnan, estimate))
        else:
            assert estimate.value == value
            assert 0 <= estimate.low <= value <= estimate.high <= 1


def test_an_interval_contains_a_figure_that_most_resamples_miss() -> None:
    # Nine classes of one image each, all taken for the big one: hardly a resample holds them all,
    # and without some of them the macro average is higher.
    confusion = np.zeros((10, 10), dtype=np.int64)
    confusion[:, 0] = [90, *[1] * 9]
    [estimate] = bootstrap_confusion(confusion, macro_f1)
    assert estimate.value == macro_f1(confusion[None])[0, 0]
    assert estimate.low <= estimate.value < estimate.high


@given(
    values=st.lists(st.floats(0, 16), min_size=1, max_size=30).map(np.array),
)
@settings(max_examples=20)
def test_a_bootstrap_interval_of_a_mean_contains_it(values: NDArray[np.float64]) -> None:
    estimate = bootstrap_mean(values)
    assert estimate.value == values.mean()
    slack = 1e-12  # the mean of many equal values is not quite one of them
    assert values.min() - slack <= estimate.low <= estimate.value
    assert estimate.value <= estimate.high <= values.max() + slack


def test_the_same_answers_always_get_the_same_interval() -> None:
    values = np.random.default_rng(1).exponential(size=100)
    confusion = confusion_matrix(*noisy_answers(np.random.default_rng(1), 100))
    np.random.seed(0)  # noqa: NPY002 - the global state must not matter
    once = bootstrap_mean(values), bootstrap_confusion(confusion, macro_f1)
    np.random.seed(1)  # noqa: NPY002
    assert (bootstrap_mean(values), bootstrap_confusion(confusion, macro_f1)) == once


def test_intervals_shrink_as_the_square_root_of_the_number_of_images() -> None:
    generator = np.random.default_rng(2)
    confusion = confusion_matrix(*noisy_answers(generator, 200))
    values = generator.exponential(size=200)
    for few, many in (
        (bootstrap_mean(values), bootstrap_mean(np.tile(values, 16))),
        (
            bootstrap_confusion(confusion, macro_f1)[0],
            bootstrap_confusion(16 * confusion, macro_f1)[0],
        ),
        (wilson(160, 200), wilson(16 * 160, 16 * 200)),
    ):
        assert many.value == pytest.approx(few.value)
        assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.1)


def test_drawing_cells_is_drawing_images() -> None:
    generator = np.random.default_rng(3)
    labels, predicted, classes = noisy_answers(generator, 300)
    estimates = bootstrap_confusion(confusion_matrix(labels, predicted, classes), all_figures)
    places = [np.flatnonzero(labels == k) for k in range(3)]
    resamples = []
    for _ in range(2000):
        # As many of each class as there are.
        drawn = np.concatenate([generator.choice(place, size=len(place)) for place in places])
        cells = np.bincount(3 * labels[drawn] + predicted[drawn], minlength=9).reshape(1, 3, 3)
        resamples.append(all_figures(cells)[0])
    lows, highs = np.quantile(resamples, [0.025, 0.975], axis=0)
    for estimate, low, high in zip(estimates, lows, highs, strict=True):
        # Both ends have a Monte-Carlo error of a few hundredths of the width.
        slack = 0.12 * (high - low)
        assert estimate.low == pytest.approx(low, abs=slack)
        assert estimate.high == pytest.approx(high, abs=slack)


def test_a_bootstrap_of_a_mean_is_about_the_normal_interval() -> None:
    values = np.random.default_rng(4).uniform(size=500)
    estimate = bootstrap_mean(values)
    half = 1.96 * values.std() / math.sqrt(500)
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.1 * half)


@pytest.mark.parametrize(("trials", "share"), [(100, 0.8), (1_000, 0.95), (10_000, 0.992)])
def test_wilson_covers_ninety_five_times_in_a_hundred(trials: int, share: float) -> None:
    # Every outcome with its chance: no simulation is needed.
    outcomes = np.arange(trials + 1)
    chances = stats.binom.pmf(outcomes, trials, share)
    likely = outcomes[chances > 1e-7]
    intervals = [wilson(int(outcome), trials) for outcome in likely]
    covered = [
        chances[outcome]
        for outcome, it in zip(likely, intervals, strict=True)
        if it.low <= share <= it.high
    ]
    assert 0.93 <= sum(covered) <= 0.97


@pytest.mark.slow
def test_ninety_five_bootstrap_intervals_in_a_hundred_contain_the_truth(
    few_resamples: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(5)
    # The classes' images are given, as in a test set, and the answers are drawn.
    shares = np.array([[0.88, 0.08, 0.04], [0.06, 0.9, 0.04], [0.1, 0.02, 0.88]])
    support = np.array([300, 250, 200])
    bootstrapped = [2, 5, 8, *range(9, 18)]  # precision and recall of a class have Wilson's

    def figures(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
        return all_figures(matrices)[:, bootstrapped]

    truth = figures((1_000_000 * support[:, None] * shares)[None].round().astype(np.int64))[0]
    repeats = 1_500
    hits = np.zeros(len(truth))
    for repeat, confusion in enumerate(generator.multinomial(support, shares, size=(repeats, 3))):
        # Few resamples that were the same for all would be wrong to one side for all.
        monkeypatch.setattr("inkwise.evaluation.intervals.SEED", repeat)
        estimates = np.array(bootstrap_confusion(confusion, figures))
        hits += (estimates[:, 1] <= truth) & (truth <= estimates[:, 2])
    assert ((hits >= 0.93 * repeats) & (hits <= 0.97 * repeats)).all(), hits / repeats


def test_the_bootstrap_of_a_mean_is_that_of_a_published_example() -> None:
    # The survival of seven treated mice in B. Efron, R. J. Tibshirani, "An Introduction to the
    # Bootstrap", 1993, tables 2.1 and 2.2: mean 86.86, ideal bootstrap standard error 23.36.
    estimate = bootstrap_mean(np.array([94.0, 197, 16, 38, 99, 141, 23]))
    assert estimate.value == pytest.approx(86.86, abs=0.005)
    assert (estimate.high - estimate.low) / (2 * 1.96) == pytest.approx(23.36, rel=0.05)


def test_stratified_draws_are_scipys_of_several_samples() -> None:
    generator = np.random.default_rng(6)
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    values = generator.exponential(size=100) + 5 * labels
    [estimate] = bootstrap_means(values[:, None], labels)
    expected = stats.bootstrap(
        [values[labels == k] for k in range(3)],
        lambda *parts, axis: sum(part.sum(axis) for part in parts) / 100,
        method="percentile",
        n_resamples=4000,
        rng=generator,
    ).confidence_interval
    width = expected.high - expected.low
    assert estimate.low == pytest.approx(expected.low, abs=0.08 * width)
    assert estimate.high == pytest.approx(expected.high, abs=0.08 * width)
    # The classes lie far apart, and draws that mixed them would move the mean far more.
    assert estimate.high - estimate.low < 0.5 * (np.ptp(bootstrap_mean(values)[1:]))


@given(seed=st.integers(0, 1000), levels=st.integers(2, 12), apart=st.sampled_from([0.8, 1]))
@settings(max_examples=30)
def test_delongs_interval_is_that_of_its_definition(seed: int, levels: int, apart: float) -> None:
    generator = np.random.default_rng(seed)
    positive = np.arange(40) < 15
    # With ties on either side alone and, where they are a whole level apart, on both together.
    scores = generator.integers(levels, size=40) + apart * positive
    scores[[0, 20]] = levels  # on neither side alone
    estimate = delong(positive, scores)
    area = metrics.roc_auc_score(positive, scores)
    assert estimate.value == pytest.approx(area)
    # The structural components, pair by pair.
    difference = scores[positive][:, None] - scores[~positive]
    wins = (difference > 0) + 0.5 * (difference == 0)
    error = math.sqrt(wins.mean(1).var(ddof=1) / 15 + wins.mean(0).var(ddof=1) / 25)
    odds, half = math.log(area / (1 - area)), 1.959964 * error / (area * (1 - area))
    ends = [1 / (1 + math.exp(-(odds + sign * half))) for sign in (-1, 1)]
    assert estimate[1:] == pytest.approx(ends, abs=1e-6)


@pytest.mark.parametrize(("apart", "sides"), [(1.0, (100, 300)), (2.5, (200, 600))])
def test_ninety_five_intervals_of_an_area_in_a_hundred_contain_the_truth(
    apart: float, sides: tuple[int, int]
) -> None:
    generator = np.random.default_rng(7)
    truth = stats.norm.cdf(apart / math.sqrt(2))
    positive = np.repeat([True, False], sides)
    hits = 0
    for _ in range(500):
        estimate = delong(positive, generator.normal(size=sum(sides)) + apart * positive)
        hits += estimate.low <= truth <= estimate.high
    assert 465 <= hits <= 485


def test_an_area_of_one_or_nought_still_has_an_interval() -> None:
    positive = np.repeat([True, False], [30, 50])
    best, worst = (
        delong(positive, positive.astype(float)),
        delong(positive, -positive.astype(float)),
    )
    assert (best.value, best.high) == (1, 1)
    assert best.low == pytest.approx(wilson(30, 30).low * wilson(50, 50).low)
    assert worst == pytest.approx((0, 0, 1 - best.low))


def test_an_area_needs_images_on_both_sides() -> None:
    scores = np.array([0.1, 0.5, 0.9])
    assert delong(np.ones(3, bool), scores) is UNDEFINED
    assert delong(np.zeros(3, bool), scores) is UNDEFINED
    assert delong(np.array([True, False, False]), scores) == (0, 0, 1)


@pytest.mark.parametrize(("hits", "mistakes"), [(36, 0), (0, 36), (30, 6), (1, 0)])
def test_wilson_f1_is_the_f1_within_an_interval_of_some_width(hits: int, mistakes: int) -> None:
    estimate = wilson_f1(hits, mistakes)
    assert estimate.value == pytest.approx(2 * hits / (2 * hits + mistakes))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.high - estimate.low > 0.05


def test_wilson_f1_of_nothing_is_undefined() -> None:
    assert not wilson_f1(0, 0).defined
