import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from inkwise.evaluation.ranking import precision_recall_curve, roc_curve


@given(
    images=st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=40).filter(
        lambda images: len({actual for actual, _ in images}) == 2
    )
)
def test_curves_are_scikit_learns(images: list[tuple[bool, int]]) -> None:
    actual = np.array([of_the_class for of_the_class, _ in images])
    scores = (np.array([score for _, score in images]) / 12).astype(np.float32)  # with ties

    false, true, _ = metrics.roc_curve(actual, scores)
    curve = roc_curve(actual, scores)
    np.testing.assert_array_equal([curve.x, curve.y], [false, true])
    assert curve.area == metrics.roc_auc_score(actual, scores)

    precision, recall, _ = metrics.precision_recall_curve(actual, scores)
    curve = precision_recall_curve(actual, scores)
    np.testing.assert_array_equal([curve.x, curve.y], [recall, precision])
    assert curve.area == metrics.average_precision_score(actual, scores)


@pytest.mark.parametrize("actual", [True, False])
def test_there_is_no_curve_without_images_on_both_sides(actual: bool) -> None:
    for draw in (roc_curve, precision_recall_curve):
        curve = draw(np.full(3, actual), np.array([0.1, 0.2, 0.3]))
        assert np.isnan(curve.area)
        assert len(curve.x) == len(curve.y) == 0
