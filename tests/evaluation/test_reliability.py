import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nondigits import auroc
from numpy.typing import NDArray
from scipy import stats
from sklearn.calibration import calibration_curve

from inkwise.errors import ArgumentError
from inkwise.evaluation.reliability import (
    calibration_error_interval,
    expected_calibration_error,
    reliability_bins,
    selective_accuracy,
)
from inkwise.model.calibration import energy_score, softmax
from inkwise.training.calibrating import fit_calibration, fit_temperature

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]


def honest(count: int, seed: int = 0, classes: int = 10) -> tuple[Logits, Labels]:
    """Draw logits, and labels as often of a class as its probability says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 3, size=(count, classes)).astype(np.float32)
    # The largest of logits with Gumbel noise is a draw from their softmax.
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return logits, labels


def cross_entropy(logits: Logits, labels: Labels, temperature: float) -> float:
    tensor = torch.from_numpy(logits).double() / temperature
    return float(torch.nn.functional.cross_entropy(tensor, torch.from_numpy(labels)))


def test_a_confidence_that_rounding_put_above_one_is_certainty() -> None:
    bins = reliability_bins(np.array([0, 0, 0]), np.array([[1 + 1e-7, 0], [0, 1], [0.6, 0.4]]))
    assert bins.counts.tolist() == [1, 2]
    assert bins.right.tolist() == [1, 1]


def test_an_honest_model_has_no_calibration_error() -> None:
    logits, labels = honest(200_000)
    assert expected_calibration_error(labels, softmax(logits)) < 0.004
    assert expected_calibration_error(labels, softmax(logits, 0.4)) > 0.03
    assert expected_calibration_error(labels, softmax(logits, 2.5)) > 0.1


@pytest.mark.parametrize("bins", [5, 15])
def test_the_calibration_error_is_the_gap_of_scikit_learns_curve(bins: int) -> None:
    logits, labels = honest(500, seed=1)
    probabilities = softmax(logits, 0.5)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=bins, strategy="uniform")
    counts, _ = np.histogram(confidence, bins, (0, 1))
    expected = np.sum(counts[counts > 0] / 500 * np.abs(accuracy - mean))
    assert expected_calibration_error(labels, probabilities, bins) == pytest.approx(expected)


def test_the_calibration_error_by_hand() -> None:
    # Three answers at 0.9, of which two are right; one at 0.55, right. |0.9·3 - 2|, |0.55 - 1|.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.45, 0.55]])
    labels = np.array([0, 1, 1, 1])
    assert expected_calibration_error(labels, probabilities) == pytest.approx((0.7 + 0.45) / 4)
    # In one bin the gaps of both signs make up for each other.
    assert expected_calibration_error(labels, probabilities, bins=1) == pytest.approx(0.25 / 4)
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert expected_calibration_error(np.array([0, 1]), certain) == 0
    assert expected_calibration_error(np.array([1, 0]), certain) == 1
    assert math.isnan(expected_calibration_error(labels[:0], probabilities[:0]))


@pytest.mark.parametrize("temperature", [0.2, 1.0, 4.0])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    logits, labels = honest(20_000)
    found = fit_temperature(logits * np.float32(temperature), labels)
    assert found == pytest.approx(temperature, rel=0.03)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), factor=st.floats(0.1, 10))
@settings(max_examples=40)
def test_no_temperature_makes_the_labels_likelier(seed: int, count: int, factor: float) -> None:
    logits, labels = honest(count, seed, classes=4)
    logits *= np.float32(factor)
    found = fit_temperature(logits, labels)
    assert 0.05 <= found <= 20
    least = cross_entropy(logits, labels, found)
    for other in np.geomspace(0.05, 20, 60):
        assert least <= cross_entropy(logits, labels, float(other)) + 1e-6


def test_the_temperature_stays_in_bounds_where_none_is_best() -> None:
    logits, _ = honest(100)
    assert fit_temperature(logits, logits.argmax(axis=1)) == pytest.approx(0.05)
    assert fit_temperature(logits, logits.argmin(axis=1)) == pytest.approx(20)


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 1500),
    refused=st.sampled_from([0.01, 0.1, 0.3]),
)
@settings(max_examples=40)
def test_a_calibration_refuses_the_share_that_it_may(seed: int, count: int, refused: float) -> None:
    logits, labels = honest(count, seed)
    calibration = fit_calibration(logits, labels, refused)
    strange = energy_score(logits) < calibration.lowest_score
    sure = softmax(logits, calibration.temperature).max(axis=1)
    unsure = ~strange & (sure < calibration.lowest_probability)
    assert strange.sum() == int(refused / 2 * count)
    # Answers that are equally sure, as where all are certain, are refused together or not at all.
    exact = len(np.unique(sure)) == count
    assert int(refused * count) - (strange | unsure).sum() in ([0] if exact else range(count))
    assert calibration.temperature == fit_temperature(logits, labels)


def test_images_that_are_all_alike_are_all_answered() -> None:
    logits = np.tile(np.array([[2.0, 0.0]], np.float32), (1000, 1))
    calibration = fit_calibration(logits, np.zeros(1000, np.int64))
    assert (energy_score(logits) >= calibration.lowest_score).all()
    sure = softmax(logits, calibration.temperature).max(axis=1)
    assert (sure >= calibration.lowest_probability).all()


def test_nothing_to_refuse_refuses_nothing() -> None:
    logits, labels = honest(1000)
    calibration = fit_calibration(logits, labels, refused=0)
    assert (calibration.lowest_score, calibration.lowest_probability) == (-math.inf, 0)
    assert fit_calibration(logits[:50], labels[:50]).lowest_probability == 0  # 1% is no image


def test_thresholds_hold_for_other_images_of_the_same_kind() -> None:
    calibration = fit_calibration(*honest(20_000, seed=1))
    logits, _ = honest(20_000, seed=2)
    strange = energy_score(logits) < calibration.lowest_score
    sure = softmax(logits, calibration.temperature).max(axis=1)
    refused = strange | (sure < calibration.lowest_probability)
    assert refused.mean() == pytest.approx(0.01, abs=0.003)


@given(
    inside=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    outside=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_auroc_is_the_chance_that_inside_scores_above_outside(
    inside: list[int], outside: list[int]
) -> None:
    statistic = stats.mannwhitneyu(inside, outside).statistic
    area = auroc(np.array(inside, float), np.array(outside, float))
    assert area == pytest.approx(statistic / (len(inside) * len(outside)))


def test_auroc_of_nothing_is_undefined() -> None:
    some, none = np.array([1.0]), np.array([])
    assert math.isnan(auroc(some, none))
    assert math.isnan(auroc(none, some))


@given(
    answers=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40),
    share=st.integers(0, 97).map(lambda part: part / 97),
)
def test_selective_accuracy_is_that_of_those_above_each_threshold(
    answers: list[tuple[bool, int]], share: float
) -> None:
    right = np.array([it[0] for it in answers])
    scores = np.array([it[1] for it in answers], np.float64)
    curve = selective_accuracy(right, scores)
    assert curve.thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    for threshold, answered, accuracy in zip(*curve, strict=True):
        given_ = scores >= threshold
        assert answered == pytest.approx(given_.mean())
        assert accuracy == pytest.approx(right[given_].mean())
    assert curve.answered[-1] == 1
    assert curve.at(1.0) == pytest.approx(right.mean())
    enough = [pair for pair in zip(curve.answered, curve.accuracy, strict=True) if pair[0] >= share]
    assert curve.at(share) == enough[0][1]


def test_a_share_of_whole_images_is_not_missed_by_rounding() -> None:
    right = np.arange(10_000) < 9_000
    curve = selective_accuracy(right, -np.arange(10_000.0))
    for share in (0.1, 0.3, 0.7, 0.9):
        assert curve.at(share) == 1
    assert curve.at(0.95) == pytest.approx(0.9 / 0.95)


ONE = np.zeros((1, 3), np.float32), np.zeros(1, np.int64)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (ONE[0][0], ONE[1], r"not \(3,\) and \(1,\)"),
        (ONE[0], np.zeros(2, np.int64), r"not \(1, 3\) and \(2,\)"),
        (ONE[0][:0], ONE[1][:0], "at least one of each"),
        (ONE[0] * np.float32("nan"), ONE[1], "infinite or NaN"),
        (ONE[0] + np.float32("inf"), ONE[1], "infinite or NaN"),
        (ONE[0], ONE[1] + 3, "of the 3 classes, but go from 3 to 3"),
        (ONE[0], ONE[1] - 1, "but go from -1"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(logits: Any, labels: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        fit_temperature(logits, labels)
    with pytest.raises(ArgumentError, match=message):
        fit_calibration(logits, labels)


@pytest.mark.parametrize("refused", [-0.1, 1.0, math.nan])
def test_a_share_out_of_range_is_refused(refused: float) -> None:
    with pytest.raises(ArgumentError, match="at least 0 and below 1"):
        fit_calibration(*ONE, refused=refused)


def test_answers_and_scores_must_go_together() -> None:
    with pytest.raises(ArgumentError, match=r"not \(2,\) and \(3,\)"):
        selective_accuracy(np.ones(2, bool), np.ones(3))
    for shape in ((0,), (2, 2), ()):
        with pytest.raises(ArgumentError, match="of one shape"):
            selective_accuracy(np.ones(shape, bool), np.ones(shape))


@pytest.mark.parametrize("adaptive", [False, True])
def test_bins_are_those_of_scikit_learn(adaptive: bool) -> None:
    logits, labels = honest(500)
    probabilities = softmax(logits, 0.5)
    bins = reliability_bins(labels, probabilities, 10, adaptive=adaptive)
    accuracy, confidence = calibration_curve(
        probabilities.argmax(1) == labels,
        probabilities.max(1),
        n_bins=10,
        strategy="quantile" if adaptive else "uniform",
    )
    np.testing.assert_allclose(bins.accuracy, accuracy)
    np.testing.assert_allclose(bins.confidence, confidence)
    assert bins.counts.sum() == 500
    if adaptive:
        assert bins.counts.tolist() == [50] * 10
    error = expected_calibration_error(labels, probabilities, 10, adaptive=adaptive)
    assert error == pytest.approx(np.average(np.abs(accuracy - confidence), weights=bins.counts))


def test_images_of_one_confidence_stay_in_one_bin() -> None:
    confidence = np.array([0.6] * 3 + [0.9] * 7)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, 0, 1] + [0] * 6 + [1])
    bins = reliability_bins(labels, probabilities, 5, adaptive=True)
    assert bins.counts.tolist() == [3, 7]
    assert bins.right.tolist() == [2, 6]
    assert bins.error == pytest.approx((abs(1.8 - 2) + abs(6.3 - 6)) / 10)


def test_no_images_have_no_calibration_error_and_no_interval() -> None:
    for adaptive in (False, True):
        bins = reliability_bins(np.zeros(0, np.int64), np.zeros((0, 3)), adaptive=adaptive)
        assert math.isnan(bins.error)
        assert not calibration_error_interval(bins).defined


def test_certain_answers_have_an_interval() -> None:
    certain = np.tile([1.0, 0.0], (50, 1))
    all_right = calibration_error_interval(reliability_bins(np.zeros(50, np.int64), certain))
    assert (all_right.value, all_right.low) == (0, 0)
    some_wrong = np.repeat([0, 1], [45, 5])
    estimate = calibration_error_interval(reliability_bins(some_wrong, certain))
    assert estimate.value == pytest.approx(0.1)
    assert 0.02 < estimate.low < 0.1 < estimate.high < 0.25


@pytest.mark.slow
@pytest.mark.parametrize(("sharpened", "least", "most"), [(1.0, 0.95, 1.0), (1.6, 0.93, 0.97)])
def test_intervals_of_a_calibration_error_contain_the_truth(
    sharpened: float, least: float, most: float, few_resamples: None
) -> None:
    # Of a calibrated model the true error, 0, can be missed to one side only: 2.5%.
    generator = np.random.default_rng(0)

    def draw(count: int) -> tuple[Labels, NDArray[np.float64]]:
        chance = generator.uniform(0.5, 1, size=count)
        odds = (chance / (1 - chance)) ** sharpened
        stated = np.stack([odds, np.ones(count)], axis=1) / (1 + odds)[:, None]
        return (generator.random(count) > chance).astype(np.int64), stated

    truth = 0.0 if sharpened == 1 else reliability_bins(*draw(2_000_000), 6).error
    estimates = [calibration_error_interval(reliability_bins(*draw(1_000), 6)) for _ in range(200)]
    covered = np.mean([it.low <= truth <= it.high for it in estimates])
    assert least <= covered <= most
