"""The quality of predicted probabilities: proper scores, calibration, and ranking."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.evaluation.intervals import Estimate, bootstrap_means, wilson
from inkwise.evaluation.ranking import RankingCurve, precision_recall_curve, roc_curve
from inkwise.evaluation.reliability import (
    ReliabilityBins,
    calibration_error_interval,
    reliability_bins,
)

TOP = (2, 3)
"""The values of k for the top-k accuracies."""


class TopK(NamedTuple):
    """How often the true class is among the k most probable ones.

    Parameters
    ----------
    k : int
        Number of classes that are considered.
    right : int
        Number of images whose true class is among them.
    accuracy : Estimate
        Share of these images, with Wilson's interval.
    """

    k: int
    right: int
    accuracy: Estimate


class BrierParts(NamedTuple):
    """The decomposition of a Brier score: score = reliability − resolution + uncertainty.

    Parameters
    ----------
    reliability : float
        Cost of miscalibration, at least 0: how far the probabilities are from the observed
        frequencies of the classes among images with such probabilities.
    resolution : float
        Gain from telling the images apart, at least 0: how far these frequencies are from the
        overall frequencies of the classes.
    uncertainty : float
        Score of always predicting the overall frequencies, which does not depend on the model.
    """

    reliability: float
    resolution: float
    uncertainty: float


@dataclasses.dataclass(frozen=True, eq=False)
class Probabilities:
    """Metrics of predicted probabilities.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        The true classes, N ≥ 1.
    values : ndarray of float32, shape (N, K)
        The predicted probabilities.
    """

    labels: NDArray[np.int64]
    values: NDArray[np.float32]

    @functools.cached_property
    def _means(self) -> list[Estimate]:
        exact = self.values.astype(np.float64)
        true = exact[np.arange(len(exact)), self.labels]
        loss = -np.log(np.maximum(true, np.finfo(np.float32).eps))
        # The sum over the classes of (p − y)², where y is the one-hot true label.
        brier = (exact**2).sum(axis=1) - 2 * true + 1
        return bootstrap_means(np.stack([loss, brier], axis=1), self.labels)

    @property
    def log_loss(self) -> Estimate:
        """Categorical cross-entropy, in nats per image, with a stratified bootstrap interval.

        Probabilities are clipped at 1.2e-7, the resolution of single precision, so that one image
        contributes at most 16 nats.
        """
        return self._means[0]

    @property
    def brier(self) -> Estimate:
        """The Brier score, with a stratified bootstrap interval.

        The squared difference between the probabilities and the one-hot true label, summed over
        the classes and averaged over the images: from 0 to 2, as in Brier's paper.

        References
        ----------
        G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
        Review 78 (1950) 1–3.
        """
        return self._means[1]

    @functools.cached_property
    def brier_parts(self) -> BrierParts:
        """Reliability, resolution and uncertainty of the Brier score, summed over the classes.

        No bins need to be chosen: for each class, isotonic regression pools neighbouring
        probabilities until the observed frequencies increase with them. The parts add up to the
        score exactly.

        References
        ----------
        A. H. Murphy, "A new vector partition of the probability score", Journal of Applied
        Meteorology 12 (1973) 595–600; T. Dimitriadis, T. Gneiting, A. I. Jordan, "Stable
        reliability diagrams for probabilistic classifiers", PNAS 118 (2021) e2016191118, for the
        bins.
        """
        parts = np.zeros(3)
        for index in range(self.values.shape[1]):
            given, where, counts = np.unique(
                self.values[:, index].astype(np.float64), return_inverse=True, return_counts=True
            )
            hits = self.labels == index
            # Images of equal probability are one point, since regression cannot tell them apart.
            shares = np.bincount(where, weights=hits) / counts
            pooled = _isotonic_regression(shares, counts)[where]
            score, calibrated = np.mean((given[where] - hits) ** 2), np.mean((pooled - hits) ** 2)
            base = hits.mean() * (1 - hits.mean())
            parts += score - calibrated, base - calibrated, base
        return BrierParts(*map(float, parts))

    @functools.cached_property
    def bins(self) -> ReliabilityBins:
        """Confidence and accuracy in bins of equal width."""
        return reliability_bins(self.labels, self.values)

    @functools.cached_property
    def adaptive_bins(self) -> ReliabilityBins:
        """Confidence and accuracy in bins of about equally many images."""
        return reliability_bins(self.labels, self.values, adaptive=True)

    @functools.cached_property
    def calibration_error(self) -> Estimate:
        """Expected calibration error over bins of equal width; see `calibration_error_interval`."""
        return calibration_error_interval(self.bins)

    @functools.cached_property
    def adaptive_calibration_error(self) -> Estimate:
        """Expected calibration error over bins of about equally many images."""
        return calibration_error_interval(self.adaptive_bins)

    @functools.cached_property
    def top(self) -> tuple[TopK, ...]:
        """Top-2 and top-3 accuracy, for k below the number of classes."""
        best = np.argsort(
            -self.values, axis=1, kind="stable"
        )  # the first of equal ones, like argmax
        found = best == self.labels[:, None]
        counts = {k: int(found[:, :k].sum()) for k in TOP if k < self.values.shape[1]}
        return tuple(TopK(k, count, wilson(count, len(self.labels))) for k, count in counts.items())

    def roc_curve(self, index: int) -> RankingCurve:
        """Return the receiver operating characteristic of a class against all others."""
        return roc_curve(self.labels == index, self.values[:, index])

    def precision_recall_curve(self, index: int) -> RankingCurve:
        """Return the precision–recall curve of a class against all others."""
        return precision_recall_curve(self.labels == index, self.values[:, index])


def _isotonic_regression(
    values: NDArray[np.float64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the non-decreasing values closest to the given ones in weighted squares, float64 (M,).

    Neighbours that decrease are replaced by their mean, until none do ("pool adjacent violators").
    """
    means: list[float] = []  # of the pools so far, with their weights and their sizes
    pooled: list[int] = []
    sizes: list[int] = []
    for value, count in zip(values.tolist(), weights.tolist(), strict=True):
        mean, weight, size = value, count, 1
        while means and means[-1] > mean:
            total = pooled[-1] + weight
            mean = (means.pop() * pooled.pop() + mean * weight) / total
            weight, size = total, size + sizes.pop()
        means.append(mean)
        pooled.append(weight)
        sizes.append(size)
    return np.repeat(means, sizes)
