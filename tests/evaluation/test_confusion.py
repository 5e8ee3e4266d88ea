import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from inkwise.evaluation.confusion import (
    AVERAGES,
    OneVersusRest,
    agreement_figures,
    average_figures,
    class_figures,
    confusion_matrix,
    normalise_rows,
    one_versus_rest,
)
from tests.evaluation import Answers, answers

NAN = float("nan")


@given(answers=answers())
def test_rows_are_actual_and_columns_predicted(answers: Answers) -> None:
    confusion = confusion_matrix(*answers)
    expected = np.zeros((answers.classes, answers.classes), dtype=np.int64)
    for label, predicted in zip(answers.labels, answers.predicted, strict=True):
        expected[label, predicted] += 1
    np.testing.assert_array_equal(confusion, expected)
    assert confusion.dtype == np.int64


@given(answers=answers())
@settings(max_examples=40)
def test_precision_recall_and_f1_are_those_of_scikit_learn(answers: Answers) -> None:
    labels, predicted, classes = answers
    figures = class_figures(confusion_matrix(*answers))
    expected = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=np.nan
    )
    np.testing.assert_allclose(figures.T, expected[:3], rtol=1e-12)


@given(answers=answers())
@settings(max_examples=40)
def test_averages_are_those_of_scikit_learn(answers: Answers) -> None:
    labels, predicted, classes = answers
    averages = average_figures(confusion_matrix(*answers)[None])[0]
    for row, kind in zip(averages, AVERAGES, strict=True):
        expected = metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(classes), average=kind, zero_division=np.nan
        )
        np.testing.assert_allclose(row, expected[:3], rtol=1e-12)
    accuracy = metrics.accuracy_score(labels, predicted)
    np.testing.assert_allclose(averages[AVERAGES.index("micro")], accuracy, rtol=1e-12)


@given(answers=answers())
@settings(max_examples=40)
def test_one_versus_rest_is_scikit_learns_multilabel_matrix(answers: Answers) -> None:
    labels, predicted, classes = answers
    expected = metrics.multilabel_confusion_matrix(labels, predicted, labels=range(classes))
    matrices = one_versus_rest(confusion_matrix(*answers))
    assert [[[it.tn, it.fp], [it.fn, it.tp]] for it in matrices] == expected.tolist()


@given(answers=answers())
def test_binary_and_class_figures_agree(answers: Answers) -> None:
    confusion = confusion_matrix(*answers)
    for matrix, figures in zip(one_versus_rest(confusion), class_figures(confusion), strict=True):
        np.testing.assert_allclose(
            [matrix.precision, matrix.recall, matrix.f1], figures, rtol=1e-12
        )
        assert matrix.accuracy == (matrix.tp + matrix.tn) / len(answers.labels)


@given(drawn=st.lists(answers(), min_size=1, max_size=4))
def test_many_matrices_at_once_give_what_each_gives_alone(drawn: list[Answers]) -> None:
    stack = np.stack([confusion_matrix(it.labels, it.predicted, 6) for it in drawn])
    for confusion, figures, averages in zip(
        stack, class_figures(stack), average_figures(stack), strict=True
    ):
        np.testing.assert_array_equal(figures, class_figures(confusion))
        np.testing.assert_array_equal(averages, average_figures(confusion[None])[0])


@given(answers=answers())
def test_normalised_rows_are_shares(answers: Answers) -> None:
    confusion = confusion_matrix(*answers)
    for counts, shares in zip(confusion, normalise_rows(confusion), strict=True):
        if counts.any():
            assert shares.sum() == pytest.approx(1)
            np.testing.assert_allclose(shares * counts.sum(), counts)
        else:
            assert np.isnan(shares).all()


# Rows: right; never predicted; predicted but absent; neither.
CONFUSION = np.array([[6, 0, 2, 0], [3, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.int64)


def test_what_has_no_denominator_is_undefined() -> None:
    expected = [
        [6 / 9, 6 / 8, 12 / 17],
        [NAN, 0, 0],  # never predicted: no precision
        [0, NAN, 0],  # absent: no recall
        [NAN, NAN, NAN],  # neither: no F1
    ]
    np.testing.assert_array_equal(class_figures(CONFUSION), expected)
    assert [
        [math.isnan(figure) for figure in (it.precision, it.recall, it.f1)]
        for it in one_versus_rest(CONFUSION)
    ] == np.isnan(expected).tolist()


def test_averages_leave_out_what_is_undefined() -> None:
    expected = {
        "macro": [(6 / 9 + 0) / 2, (6 / 8 + 0) / 2, (12 / 17 + 0 + 0) / 3],
        "micro": [6 / 12] * 3,
        # 8 and 4 images; the class without precision gives no weight to it.
        "weighted": [6 / 9, 6 / 8 * 8 / 12, 12 / 17 * 8 / 12],
    }
    for kind, row in zip(AVERAGES, average_figures(CONFUSION[None])[0], strict=True):
        np.testing.assert_allclose(row, expected[kind], err_msg=kind)


def test_a_weighted_precision_of_absent_classes_only_weighs_them_alike() -> None:
    # All images are of class 0, all were taken for 1 or 2: the only precisions have no weight.
    confusion = np.array([[0, 2, 1], [0, 0, 0], [0, 0, 0]], dtype=np.int64)
    weighted = average_figures(confusion[None])[0][AVERAGES.index("weighted")]
    np.testing.assert_array_equal(weighted, [0, 0, 0])


def test_an_empty_binary_matrix_has_no_figures() -> None:
    empty = OneVersusRest(tp=0, fp=0, fn=0, tn=0)
    assert all(map(math.isnan, (empty.accuracy, empty.precision, empty.recall, empty.f1)))


@given(answers=answers())
@settings(max_examples=50)
def test_agreement_is_that_of_scikit_learn(answers: Answers) -> None:
    labels, predicted, _ = answers
    kappa, matthews = agreement_figures(confusion_matrix(*answers)[None])[0]
    one_label, one_answer = len(set(labels)) == 1, len(set(predicted)) == 1
    if one_label and (labels == predicted).all():
        assert math.isnan(kappa)
    else:
        assert kappa == pytest.approx(metrics.cohen_kappa_score(labels, predicted))
    if one_label or one_answer:  # scikit-learn has 0 here
        assert math.isnan(matthews)
    else:
        assert matthews == pytest.approx(metrics.matthews_corrcoef(labels, predicted))


def test_agreement_is_that_of_a_worked_example() -> None:
    # Two readers of fifty proposals, as Cohen's kappa is usually explained: 35 agreed on, where
    # chance alone would give 25.
    [[kappa, matthews]] = agreement_figures(np.array([[[20, 5], [10, 15]]]))
    assert kappa == pytest.approx(0.4)
    assert matthews == pytest.approx((20 * 15 - 5 * 10) / math.sqrt(25 * 30 * 20 * 25))
