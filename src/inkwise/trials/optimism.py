"""How much better the best of many looks than it is."""

import numpy as np
from numpy.typing import ArrayLike

_DRAWS, _SEED = 4_000, 0
_IQR = 1.349  # of the standard normal distribution


def expected_optimism(values: ArrayLike, noise: float) -> float:
    """Return by how much the best of several measured values is expected to overstate the truth.

    The spread of the values is that of the truth and that of the noise together. What is left for
    the truth, robustly by the quartiles, says how far each value is drawn towards the median; from
    these truths, values are measured again and again, and the best of each draw is compared with
    the truth behind it.

    Parameters
    ----------
    values : array-like of float, shape (N,)
        What was measured, the higher the better.
    noise : float
        Standard deviation of a measurement around the truth, taken as independent.

    Returns
    -------
    float
        At least 0, in the unit of the values; 0 for a single one.

    References
    ----------
    J. E. Smith, R. L. Winkler, "The optimizer's curse: skepticism and postdecision surprise in
    decision analysis", Management Science 52 (2006) 311–322; shrinkage as in B. Efron, C. Morris,
    "Data analysis using Stein's estimator and its generalizations", Journal of the American
    Statistical Association 70 (1975) 311–319.
    """
    measured = np.asarray(values, np.float64)
    if len(measured) < 2 or not noise > 0:
        return 0.0
    low, median, high = np.quantile(measured, [0.25, 0.5, 0.75])
    spread = ((high - low) / _IQR) ** 2
    share = max(0.0, spread - noise**2) / spread if spread else 0.0
    truth = median + share * (measured - median)
    generator = np.random.default_rng(_SEED)
    total = 0.0
    for _ in range(_DRAWS):
        drawn = truth + generator.normal(0.0, noise, len(truth))
        best = int(drawn.argmax())
        total += float(drawn[best] - truth[best])
    return max(0.0, total / _DRAWS)
