"""ROC and precision–recall curves, over all thresholds on a score.

They agree with scikit-learn's point by point. scikit-learn is not used here because importing it
would add most of a second to every training.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class RankingCurve(NamedTuple):
    """A curve of one class against all others.

    Parameters
    ----------
    x, y : ndarray of float64, shape (P,)
        False and true positive rate; or recall and precision. Empty if there are no positive or no
        negative images.
    area : float
        Area under the curve, or average precision; NaN if the curve is empty.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float


_NO_CURVE = RankingCurve(np.empty(0), np.empty(0), float("nan"))


def roc_curve(actual: NDArray[np.bool_], scores: NDArray[np.floating]) -> RankingCurve:
    """Return the receiver operating characteristic, from the highest threshold to the lowest.

    Parameters
    ----------
    actual : ndarray of bool, shape (N,)
        Whether each image belongs to the class.
    scores : ndarray of float, shape (N,)
        Score of each image for the class, for instance its probability.

    Returns
    -------
    RankingCurve
        False and true positive rate, from (0, 0) to (1, 1), and the area by the trapezoidal rule.
        Points on a straight line between others are left out.
    """
    if actual.all() or not actual.any():
        return _NO_CURVE
    false, true = _positives(actual, scores)
    corner = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    kept = np.concatenate([[True], corner, [True]]) if len(true) > 2 else slice(None)
    x = np.concatenate([[0.0], false[kept] / false[-1]])
    y = np.concatenate([[0.0], true[kept] / true[-1]])
    return RankingCurve(x, y, float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)))


def precision_recall_curve(actual: NDArray[np.bool_], scores: NDArray[np.floating]) -> RankingCurve:
    """Return precision against recall, from the lowest threshold to the highest.

    Parameters
    ----------
    actual, scores
        As for `roc_curve`.

    Returns
    -------
    RankingCurve
        Recall, descending, and precision, down to the point (0, 1), and the average precision: the
        area under the curve taken as steps, each as high as the curve at its right end.
    """
    if actual.all() or not actual.any():
        return _NO_CURVE
    false, true = _positives(actual, scores)
    recall = np.concatenate([(true / true[-1])[::-1], [0.0]])
    precision = np.concatenate([(true / (true + false))[::-1], [1.0]])
    return RankingCurve(recall, precision, float(-np.sum(np.diff(recall) * precision[:-1])))


def _positives(
    actual: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count false and true positives at every threshold, the highest first, int64 (T,) each."""
    highest_first = np.argsort(-scores, kind="stable")
    ordered = scores[highest_first]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each score
    true = np.cumsum(actual[highest_first], dtype=np.int64)[last]
    return last + 1 - true, true
