import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from inkwise import Evaluation
from inkwise.errors import ArgumentError
from inkwise.evaluation.binary import binary_task, matrix_at
from inkwise.evaluation.confusion import OneVersusRest, confusion_matrix, one_versus_rest
from inkwise.evaluation.intervals import wilson


def draw_probabilities(seed: int, count: int, classes: int) -> NDArray[np.float32]:
    """Draw rows that sum to 1, some sure and some not; rounding makes for ties."""
    raw = np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), size=count)
    return np.round(raw, 2).astype(np.float32)


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=40).map(np.array),
    seed=st.integers(0, 1000),
    positive=st.integers(0, 3),
)
@settings(max_examples=60)
def test_figures_are_those_of_scikit_learn(
    labels: NDArray[np.int64], seed: int, positive: int
) -> None:
    probabilities = draw_probabilities(seed, len(labels), 4)
    task = binary_task(labels, probabilities, positive, "it")
    actual, score = labels == positive, probabilities[:, positive]

    assert task.positive == "it"
    [[tn, fp], [fn, tp]] = metrics.confusion_matrix(actual, score > 0.5, labels=[False, True])
    assert task.matrix == OneVersusRest(tp=tp, fp=fp, fn=fn, tn=tn)
    assert task.accuracy == wilson(tp + tn, len(labels))
    assert task.accuracy.value == metrics.accuracy_score(actual, score > 0.5)
    assert task.always_no == pytest.approx(
        metrics.accuracy_score(actual, np.zeros(len(labels), dtype=bool))
    )
    if actual.all() or not actual.any():
        assert not task.roc_auc.defined
        assert math.isnan(task.average_precision)
    else:
        assert task.roc_auc.value == metrics.roc_auc_score(actual, score)
        assert task.average_precision == metrics.average_precision_score(actual, score)


def test_areas_are_what_they_are_by_hand() -> None:
    labels = np.array([0, 1, 0, 1])
    score = np.array([0.9, 0.8, 0.7, 0.1])
    probabilities = np.stack([1 - score, score], axis=1).astype(np.float32)
    task = binary_task(labels, probabilities, 1, "one")
    # Of four pairs of a positive and a negative, one is in the right order.
    assert task.roc_auc.value == 1 / 4
    # Ranks 2 and 4 are positive: half of the recall at precision 1/2, half at 2/4.
    assert task.average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_a_binary_task_differs_from_one_versus_rest_where_no_class_has_half() -> None:
    labels = np.array([0, 0, 1])
    probabilities = np.array(
        [
            [0.4, 0.3, 0.3],  # the most probable class, but not more probable than not
            [0.6, 0.3, 0.1],
            [0.5, 0.4, 0.1],  # half is not more than half
        ],
        dtype=np.float32,
    )
    predicted = probabilities.argmax(1)
    assert one_versus_rest(confusion_matrix(labels, predicted, 3))[0] == OneVersusRest(2, 1, 0, 0)
    assert binary_task(labels, probabilities, 0, "zero").matrix == OneVersusRest(1, 0, 1, 1)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_a_binary_task_is_one_versus_rest_where_every_image_has_a_class_with_more_than_half(
    seed: int,
) -> None:
    probabilities = draw_probabilities(seed, 60, 4)
    probabilities = probabilities[probabilities.max(1) > 0.5]
    labels = np.random.default_rng(seed).integers(4, size=len(probabilities))
    matrices = one_versus_rest(confusion_matrix(labels, probabilities.argmax(1), 4))
    tasks = [binary_task(labels, probabilities, positive, "") for positive in range(4)]
    assert [task.matrix for task in tasks] == matrices


def test_always_no_is_hard_to_beat_on_a_rare_class() -> None:
    labels = np.repeat([0, 1], [90, 10])
    probabilities = np.tile(np.array([0.9, 0.1], dtype=np.float32), (100, 1))
    task = binary_task(labels, probabilities, 1, "rare")
    assert task.always_no == task.accuracy.value == 0.9
    assert task.matrix.recall == 0
    assert math.isnan(task.matrix.precision)
    assert task.roc_auc.value == 0.5


@given(seed=st.integers(0, 1000), positive=st.sampled_from("abcd"))
@settings(max_examples=20)
def test_answers_to_all_classes_are_read_as_those_of_a_binary_task(
    seed: int, positive: str
) -> None:
    labels = np.random.default_rng(seed).integers(4, size=40)
    evaluation = Evaluation("it", "test", tuple("abcd"), labels, draw_probabilities(seed, 40, 4))
    binary = evaluation.as_binary(positive)
    assert binary.class_names == (f"not {positive}", positive)
    assert binary.binary(positive) == evaluation.binary(positive)
    assert binary.classes[1].one_versus_rest == evaluation.binary(positive).matrix
    assert binary.as_binary(positive).predicted.tolist() == binary.predicted.tolist()
    with pytest.raises(ArgumentError, match="there is no class 'e': use one of a, b, c, d"):
        evaluation.as_binary("e")


@given(seed=st.integers(0, 1000), threshold=st.floats(0, 1))
@settings(max_examples=20)
def test_a_higher_threshold_never_says_yes_more_often(seed: int, threshold: float) -> None:
    score = draw_probabilities(seed, 40, 2)[:, 1]
    actual = np.random.default_rng(seed).random(40) < score
    low, high = (matrix_at(each, actual, score) for each in (threshold / 2, threshold))
    assert (low.tp + low.fp, low.tp) >= (high.tp + high.fp, high.tp)
    assert (high.tp + high.fp) == int((score > threshold).sum())
    assert sum(vars(high).values()) == 40
