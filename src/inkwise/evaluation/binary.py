"""A binary task on a multi-class model: is it this class, yes or no."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.confusion import OneVersusRest
from inkwise.evaluation.intervals import Estimate, delong, wilson
from inkwise.evaluation.ranking import precision_recall_curve

THRESHOLD = 0.5
"""The answer is yes where the class' probability is above this."""


@dataclasses.dataclass(frozen=True)
class BinaryTask:
    """How well the model answers "is it this class?", from the class' probability alone.

    The one-versus-rest matrix of a multi-class evaluation counts which class was *the most
    probable*; here the answer is yes where the class' own probability exceeds ½, whatever the
    others are. The two differ on images where no class gets more than half.

    Parameters
    ----------
    positive : str
        Name of the class that is asked for.
    matrix : OneVersusRest
        Counts of the yes/no answers.
    accuracy : Estimate
        With Wilson's interval.
    always_no : float
        Accuracy of answering no to everything: what the accuracy must be compared with.
    roc_auc : Estimate
        Area under the receiver operating characteristic, with DeLong's interval; undefined where
        a side has no images.
    average_precision : float
        Area under the precision–recall curve, as steps; NaN where a side has no images.
    """

    positive: str
    matrix: OneVersusRest
    accuracy: Estimate
    always_no: float
    roc_auc: Estimate
    average_precision: float


def binary_task(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], positive: int, name: str
) -> BinaryTask:
    """Evaluate a model on the binary task of one class.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    probabilities : ndarray of float32, shape (N, K)
    positive : int
        Index of the class.
    name : str
        Its name.

    Returns
    -------
    BinaryTask
    """
    actual = labels == positive
    score = probabilities[:, positive]
    answer = score > THRESHOLD
    matrix = OneVersusRest(
        tp=int(np.sum(answer & actual)),
        fp=int(np.sum(answer & ~actual)),
        fn=int(np.sum(~answer & actual)),
        tn=int(np.sum(~answer & ~actual)),
    )
    return BinaryTask(
        positive=name,
        matrix=matrix,
        accuracy=wilson(matrix.tp + matrix.tn, len(labels)),
        always_no=float(1 - actual.mean()),
        roc_auc=delong(actual, score),
        average_precision=precision_recall_curve(actual, score).area,
    )
