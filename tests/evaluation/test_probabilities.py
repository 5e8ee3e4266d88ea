"""Probabilities: against scikit-learn, SciPy and examples worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from inkwise.evaluation.intervals import wilson
from inkwise.evaluation.probabilities import Probabilities


def drawn(seed: int, images: int = 200, classes: int = 4, sharpness: float = 2.0) -> Probabilities:
    """Probabilities of a model that knows something, and labels that go by it."""
    generator = np.random.default_rng(seed)
    logits = sharpness * generator.normal(size=(images, classes))
    true = np.exp(logits)
    true /= true.sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < generator.random((images, 1))).sum(axis=1)
    stated = true**1.5
    stated /= stated.sum(axis=1, keepdims=True)
    return Probabilities(np.minimum(labels, classes - 1), stated.astype(np.float32))


@given(seed=st.integers(0, 1000), classes=st.integers(2, 6))
@settings(max_examples=15)
def test_scores_and_curves_are_scikit_learns(seed: int, classes: int) -> None:
    figures = drawn(seed, 60, classes)
    labels, exact = figures.labels, figures.values.astype(np.float64)
    hot = np.eye(classes)[labels]
    assert figures.brier.value == pytest.approx(((exact - hot) ** 2).sum(axis=1).mean())
    expected = metrics.brier_score_loss(
        labels,
        exact / exact.sum(axis=1, keepdims=True),
        labels=range(classes),
        **({"scale_by_half": False} if classes == 2 else {}),
    )
    assert figures.brier.value == pytest.approx(expected, rel=1e-5)
    expected = metrics.log_loss(labels, figures.values, labels=range(classes))
    assert figures.log_loss.value == pytest.approx(expected, rel=1e-5)
    for top in figures.top:
        expected = metrics.top_k_accuracy_score(labels, exact, k=top.k, labels=range(classes))
        assert top.accuracy.value == pytest.approx(expected)
        assert top.accuracy == wilson(top.right, 60)
    assert [top.k for top in figures.top] == [k for k in (2, 3) if k < classes]
    for index in set(labels.tolist()):
        score = figures.values[:, index]
        roc, curve = figures.roc_curve(index), figures.precision_recall_curve(index)
        assert roc.area == pytest.approx(metrics.roc_auc_score(hot[:, index], score))
        assert curve.area == pytest.approx(metrics.average_precision_score(hot[:, index], score))
        assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
        assert (curve.x[-1], curve.y[-1]) == (0, 1)


@given(seed=st.integers(0, 1000), classes=st.integers(2, 6))
@settings(max_examples=15)
def test_the_parts_of_the_brier_score_add_up(seed: int, classes: int) -> None:
    figures = drawn(seed, 60, classes)
    reliability, resolution, uncertainty = figures.brier_parts
    assert reliability - resolution + uncertainty == pytest.approx(figures.brier.value, abs=1e-9)
    assert reliability >= 0
    assert resolution >= 0
    shares = np.bincount(figures.labels, minlength=classes) / 60
    assert uncertainty == pytest.approx(1 - (shares**2).sum())


@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_the_bins_of_the_brier_score_are_scikit_learns_isotonic_regression(seed: int) -> None:
    figures = drawn(seed, 60, 2)
    score = 0.0
    for index in (0, 1):
        stated, hits = figures.values[:, index].astype(np.float64), figures.labels == index
        pooled = IsotonicRegression().fit_transform(stated, hits)
        score += ((stated - hits) ** 2).mean() - ((pooled - hits) ** 2).mean()
    assert figures.brier_parts.reliability == pytest.approx(score, rel=1e-9, abs=1e-12)


def test_the_parts_of_the_brier_score_by_hand() -> None:
    # Rain was given 0.8 on five days and came on four, 0.4 on five and came on one. The shares
    # rise with the probabilities, so that each of them is a bin, and the parts are Murphy's.
    rain = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0])
    stated = np.repeat([0.8, 0.4], 5)
    figures = Probabilities(rain, np.stack([1 - stated, stated], axis=1).astype(np.float32))
    reliability, resolution, uncertainty = figures.brier_parts
    # Both classes count, and in both are the same distances: hence the factor 2.
    assert reliability == pytest.approx(2 * 0.5 * (0.4 - 0.2) ** 2)
    assert resolution == pytest.approx(2 * 0.3**2)
    assert uncertainty == pytest.approx(2 * 0.5 * 0.5)
    assert figures.brier.value == pytest.approx(0.04 - 0.18 + 0.5, abs=1e-6)


def test_a_model_that_knows_nothing_has_uncertainty_alone() -> None:
    labels = np.array([0, 0, 1, 2])
    parts = Probabilities(
        labels, np.tile(np.array([0.5, 0.25, 0.25], np.float32), (4, 1))
    ).brier_parts
    assert parts.reliability == pytest.approx(0)
    assert parts.resolution == pytest.approx(0)
    assert parts.uncertainty == pytest.approx(1 - 0.25 - 2 / 16)


def test_a_class_without_images_has_no_curves() -> None:
    figures = Probabilities(np.array([0, 0]), np.array([[0.5, 0.5], [0.9, 0.1]], np.float32))
    for curve in (
        figures.roc_curve(0),
        figures.roc_curve(1),
        figures.precision_recall_curve(0),
        figures.precision_recall_curve(1),
    ):
        assert math.isnan(curve.area)
        assert len(curve.x) == len(curve.y) == 0


def test_of_equal_probabilities_the_first_counts_as_the_higher() -> None:
    labels = np.array([0, 1, 2, 3])
    figures = Probabilities(labels, np.full((4, 4), 0.25, np.float32))
    assert [(top.k, top.right) for top in figures.top] == [(2, 2), (3, 3)]


def means(seed: int) -> NDArray[np.float64]:
    """Log loss and Brier score of many images, as good as the truth."""
    figures = drawn(seed, 1_000_000)
    exact = figures.values.astype(np.float64)
    true = exact[np.arange(len(exact)), figures.labels]
    return np.array([-np.log(true).mean(), ((exact**2).sum(axis=1) - 2 * true + 1).mean()])


@pytest.mark.slow
def test_ninety_five_intervals_of_scores_in_a_hundred_contain_the_truth(
    few_resamples: None,
) -> None:
    truth = means(10_000)
    hits = np.zeros(2)
    for seed in range(300):
        figures = drawn(seed, 400)
        estimates = np.array([figures.log_loss, figures.brier])
        hits += (estimates[:, 1] <= truth) & (truth <= estimates[:, 2])
    assert ((hits >= 0.93 * 300) & (hits <= 0.97 * 300)).all(), hits / 300
