"""Probably wrong labels and outliers, from predicted probabilities."""

import numpy as np
from numpy.typing import NDArray

OUTLIERS = 100
"""Number of outliers, images that fit no class, that are listed; they are ranked, not judged."""


def find_suspects(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.intp], int]:
    """Rank the images whose labels the models contradict, and estimate how many labels are wrong.

    This is confident learning. The number of wrong labels is estimated from the confident joint:
    it counts the images with one label that are as probable under another label as images of that
    other label usually are. The wrong labels are then those with the lowest probabilities.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        The given labels.
    probabilities : ndarray of float32, shape (N, K)
        Probabilities from models that were not trained on these images' labels.

    Returns
    -------
    suspects : ndarray of intp, shape (M,)
        Indices of the images whose most probable class is not their label, in ascending order of
        the probability of the label.
    wrong : int
        Number of the suspects, from the first, whose labels are probably wrong; 0 to M.

    References
    ----------
    C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset
    labels", JAIR 70, 2021.
    """
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_label_quality_scores

    quality = get_label_quality_scores(labels, probabilities, method="self_confidence")
    order = np.argsort(quality, kind="stable")
    suspects = order[probabilities.argmax(1)[order] != labels[order]]
    estimate = num_label_issues(labels, probabilities, estimation_method="off_diagonal_calibrated")
    return suspects, min(int(estimate), len(suspects))


def find_outliers(probabilities: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the outliers: the images about which the models are least certain, by entropy.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (N, K)
        Predicted probabilities.

    Returns
    -------
    ndarray of intp, shape (min(N, `OUTLIERS`),)
        Indices of the images, the one with the highest entropy first.
    """
    from cleanlab.outlier import OutOfDistribution

    # The labels are not used, because they do not change what an image shows.
    scorer = OutOfDistribution({"adjust_pred_probs": False, "method": "entropy"})
    return np.argsort(scorer.score(pred_probs=probabilities), kind="stable")[:OUTLIERS]
