"""Confusion matrices, multi-class and binary, and the metrics that follow from them.

A metric whose denominator is zero is undefined: NaN here, ``null`` in files, a dash on the page.
Averages leave undefined metrics out. This is scikit-learn's ``zero_division=nan``: a class that was
never predicted has no precision, a class without images in the split has no recall, and a class to
which both apply has no F1.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from inkwise.system.extras import require_training


@dataclasses.dataclass(frozen=True)
class OneVersusRest:
    """The 2×2 confusion matrix of one class against all others.

    Parameters
    ----------
    tp : int
        True positives: images of the class that were predicted as it.
    fp : int
        False positives: images of other classes that were predicted as this one.
    fn : int
        False negatives: images of the class that were predicted as another.
    tn : int
        True negatives: images neither of the class nor predicted as it.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all."""
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Count how often each class was predicted as each.

    Parameters
    ----------
    labels, predicted : ndarray of int64, shape (N,)
        The true and the predicted classes.
    classes : int
        Number of classes, K; classes that do not occur have rows and columns of zeros.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Rows are the true classes, columns the predicted ones.
    """
    require_training("an evaluation")
    cells = np.bincount(classes * labels + predicted, minlength=classes**2)
    return cells.reshape(classes, classes)


def normalise_rows(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix with rows that sum to 1, float64 (K, K); rows without images are NaN."""
    with np.errstate(invalid="ignore"):
        return confusion / confusion.sum(axis=1, keepdims=True)


def one_versus_rest(confusion: NDArray[np.int64]) -> list[OneVersusRest]:
    """Return the K one-versus-rest matrices of a confusion matrix, int64 (K, K)."""
    total = int(confusion.sum())
    matrices = []
    for k in range(len(confusion)):
        tp = int(confusion[k, k])
        fp = int(confusion[:, k].sum()) - tp
        fn = int(confusion[k].sum()) - tp
        matrices.append(OneVersusRest(tp, fp, fn, total - tp - fp - fn))
    return matrices


def class_figures(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return precision, recall and F1 of every class, for many matrices at once.

    Parameters
    ----------
    confusion : ndarray of int64, shape (..., K, K)

    Returns
    -------
    ndarray of float64, shape (..., K, 3)
        Undefined metrics are NaN.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)  # (..., K)
    predicted, actual = confusion.sum(axis=-2), confusion.sum(axis=-1)  # (..., K)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([hits / predicted, hits / actual, 2 * hits / (predicted + actual)], axis=-1)


AVERAGES = ("macro", "micro", "weighted")


def average_figures(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the averages of precision, recall and F1, for many matrices at once.

    ``macro`` is the unweighted mean over the classes, ``weighted`` the mean weighted by the number
    of images of each class; ``micro`` adds up the counts of all classes before dividing. As every
    image gets exactly one label, micro precision, recall and F1 all equal the accuracy.

    Parameters
    ----------
    confusion : ndarray of int64, shape (R, K, K)

    Returns
    -------
    ndarray of float64, shape (R, 3, 3)
        Rows as in `AVERAGES`, columns precision, recall, F1. NaN if the metric is defined for
        no class.
    """
    figures = class_figures(confusion)  # (R, K, 3)
    defined = ~np.isnan(figures)
    filled = np.where(defined, figures, 0.0)
    support = confusion.sum(axis=-1)[..., None]  # (R, K, 1)
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        macro = filled.sum(axis=1) / defined.sum(axis=1)
        weight = (defined * support).sum(axis=1)
        # If only classes without images were predicted, they weigh the same, as in scikit-learn.
        weighted = np.where(weight > 0, (filled * support).sum(axis=1) / weight, macro)
        micro = np.repeat((hits / confusion.sum(axis=(-2, -1)))[:, None], 3, axis=1)
    return np.stack([macro, micro, weighted], axis=1)


AGREEMENTS = ("kappa", "matthews")


def agreement_figures(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return Cohen's kappa and Matthews' correlation coefficient, for many matrices at once.

    Both are 1 if every prediction is correct and about 0 if the predictions are independent of the
    true labels, whatever the shares of the classes.

    Parameters
    ----------
    confusion : ndarray of int64, shape (R, K, K)

    Returns
    -------
    ndarray of float64, shape (R, 2)
        Columns as in `AGREEMENTS`. Both are NaN if all images are of one class and were predicted
        as it; Matthews' coefficient is also NaN if all images are of one class or all were
        predicted as one.

    References
    ----------
    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
    Measurement 20 (1960) 37–46; J. Gorodkin, "Comparing two K-category assignments by a
    K-category correlation coefficient", Computational Biology and Chemistry 28 (2004) 367–374.
    """
    counts = confusion.astype(np.float64)  # squares of large counts would overflow
    total = counts.sum(axis=(-2, -1))
    hits = np.trace(counts, axis1=-2, axis2=-1)
    predicted, actual = counts.sum(axis=-2), counts.sum(axis=-1)
    chance = (predicted * actual).sum(axis=-1)
    spread_predicted, spread_actual = (
        total**2 - (side**2).sum(axis=-1) for side in (predicted, actual)
    )
    beyond = hits * total - chance
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = beyond / (total**2 - chance)
        matthews = beyond / np.sqrt(spread_predicted * spread_actual)
    return np.stack([kappa, matthews], axis=-1)


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else float("nan")
