"""A binary task on a multi-class model: is an image of this class or not."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.confusion import OneVersusRest
from inkwise.evaluation.intervals import Estimate, delong, wilson
from inkwise.evaluation.ranking import precision_recall_curve

THRESHOLD = 0.5
"""The answer is yes if the probability of the class is above this."""


@dataclasses.dataclass(frozen=True)
class BinaryTask:
    """How well a model answers "is it this class?" from the probability of that class alone.

    The one-versus-rest matrix of a multi-class evaluation counts which class was *the most
    probable*. Here the answer is yes if the probability of the class exceeds ½, whatever the
    others are. The two differ on images where no class has a probability above ½.

    Parameters
    ----------
    positive : str
        Name of the positive class.
    matrix : OneVersusRest
        Counts of the yes/no answers.
    accuracy : Estimate
        Share of correct answers, with Wilson's interval.
    always_no : float
        Accuracy of always answering no, the baseline to compare the accuracy with.
    roc_auc : Estimate
        Area under the receiver operating characteristic, with DeLong's interval; undefined if
        there are no positive or no negative images.
    average_precision : float
        Area under the precision–recall curve, taken as steps; NaN if there are no positive or no
        negative images.
    """

    positive: str
    matrix: OneVersusRest
    accuracy: Estimate
    always_no: float
    roc_auc: Estimate
    average_precision: float


def matrix_at(
    threshold: float, actual: NDArray[np.bool_], score: NDArray[np.float32]
) -> OneVersusRest:
    """Count the answers if they are yes where a score is above a threshold.

    Parameters
    ----------
    threshold : float
        The threshold, in [0, 1].
    actual : ndarray of bool, shape (N,)
        Whether each image is of the positive class.
    score : ndarray of float32, shape (N,)
        The probability of the positive class.

    Returns
    -------
    OneVersusRest
    """
    answer = score > threshold
    return OneVersusRest(
        tp=int(np.sum(answer & actual)),
        fp=int(np.sum(answer & ~actual)),
        fn=int(np.sum(~answer & actual)),
        tn=int(np.sum(~answer & ~actual)),
    )


def binary_task(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], positive: int, name: str
) -> BinaryTask:
    """Evaluate a model on the binary task of one class.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        The true classes.
    probabilities : ndarray of float32, shape (N, K)
    positive : int
        Index of the positive class.
    name : str
        Name of the positive class.

    Returns
    -------
    BinaryTask
    """
    actual = labels == positive
    score = probabilities[:, positive]
    matrix = matrix_at(THRESHOLD, actual, score)
    return BinaryTask(
        positive=name,
        matrix=matrix,
        accuracy=wilson(matrix.tp + matrix.tn, len(labels)),
        always_no=float(1 - actual.mean()),
        roc_auc=delong(actual, score),
        average_precision=precision_recall_curve(actual, score).area,
    )
