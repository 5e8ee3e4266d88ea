"""From probabilities to labels that are probably wrong, and to images that fit no class."""

import numpy as np
from numpy.typing import NDArray

OUTLIERS = 100
"""How many of the images that fit no class are listed. They are ranked; there is no verdict."""


def find_suspects(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.intp], int]:
    """Rank the images whose label the models contradict, and estimate how many are wrong.

    Confident learning: the number of wrong labels is estimated from how often images of one label
    are as probable as usual for another; those are then taken that are least probable under their
    own label.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
    probabilities : ndarray of float32, shape (N, K)
        From models that did not learn the images' own labels.

    Returns
    -------
    suspects : ndarray of intp, shape (M,)
        The images with another most probable class than their label, least probable label first.
    wrong : int
        How many of them, from the first, are probably wrong; 0 to M.

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
    """Return the images that the models can make least of, by the entropy of their probabilities.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (N, K)

    Returns
    -------
    ndarray of intp, shape (min(N, `OUTLIERS`),)
        The least typical image first.
    """
    from cleanlab.outlier import OutOfDistribution

    # Without labels: what an image shows does not depend on what it is called.
    scorer = OutOfDistribution({"adjust_pred_probs": False, "method": "entropy"})
    return np.argsort(scorer.score(pred_probs=probabilities), kind="stable")[:OUTLIERS]
