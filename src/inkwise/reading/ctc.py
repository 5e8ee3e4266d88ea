"""From the network's scores along a line to its likeliest readings, and where their signs stand.

The readings come from a prefix beam search, as in A. Y. Hannun et al., "First-pass large vocabulary
continuous speech recognition using bi-directional recurrent DNNs", 2014, without a language model.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from inkwise.reading.alphabet import SIGNS

_UNLIKELY = 1e-4
"""Least probability of a sign at a place that is followed."""

_CERTAIN = 1 - 1e-4
"""Probability of the blank from which on nothing else is followed."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """A reading of a line.

    Parameters
    ----------
    text : str
        Its signs, of `inkwise.reading.alphabet.SIGNS`.
    probability : float
        The network's probability of this text, not calibrated.
    """

    text: str
    probability: float


def decode(probabilities: NDArray[np.float32], beams: int) -> list[Reading]:
    """Return the likeliest readings of a line, the likeliest first.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (T, 17)
        Probabilities of the signs, and of the blank, at each place along the line.
    beams : int
        Number of beginnings that are followed, and greatest number of readings.
    """
    blank = len(SIGNS)
    # Of each beginning, the probabilities that the last place is a blank and that it is a sign.
    ends: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for place in probabilities.astype(np.float64):
        silent = float(place[blank])
        if silent >= _CERTAIN:
            ends = {text: ((b + s) * silent, 0.0) for text, (b, s) in ends.items()}
            continue
        likely = [(sign, float(place[sign])) for sign in np.flatnonzero(place > _UNLIKELY).tolist()]
        after: dict[tuple[int, ...], list[float]] = {}
        for text, (b, s) in ends.items():
            both = b + s
            last = text[-1] if text else -1
            for sign, share in likely:
                if sign == blank:
                    after.setdefault(text, [0.0, 0.0])[0] += both * share
                    continue
                if sign == last:
                    after.setdefault(text, [0.0, 0.0])[1] += s * share
                    came = b * share
                else:
                    came = both * share
                if came > 0:
                    after.setdefault((*text, sign), [0.0, 0.0])[1] += came
        kept = sorted(after.items(), key=lambda one: -sum(one[1]))[:beams]
        ends = {text: (b, s) for text, (b, s) in kept}
    return sorted(
        (Reading("".join(SIGNS[sign] for sign in text), b + s) for text, (b, s) in ends.items()),
        key=lambda reading: -reading.probability,
    )


def align(probabilities: NDArray[np.float32], text: str) -> list[tuple[int, int]]:
    """Return the first place of each sign of a text and the place after its last, by Viterbi.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (T, 17)
        As for `decode`.
    text : str
        One of the readings.
    """
    blank = len(SIGNS)
    states = [blank]
    for sign in text:
        states += [SIGNS.index(sign), blank]
    labels = np.array(states)
    costs = -np.log(np.maximum(probabilities[:, labels], 1e-30))  # (T, S)
    # A sign may follow its neighbour without a blank between if they differ.
    skips = np.zeros(len(labels), bool)
    skips[3::2] = labels[3::2] != labels[1:-2:2]
    best = np.full(len(labels), math.inf)
    best[:2] = costs[0, :2]
    came = np.zeros(costs.shape, np.int64)
    for place in range(1, len(costs)):
        ways = np.stack([best, np.append(math.inf, best[:-1]), np.full(len(best), math.inf)])
        ways[2, 2:] = np.where(skips[2:], best[:-2], math.inf)
        came[place] = ways.argmin(0)
        best = ways.min(0) + costs[place]
    state = len(labels) - 1 if len(labels) == 1 or best[-1] <= best[-2] else len(labels) - 2
    spans = [[len(costs), 0] for _ in text]
    for place in range(len(costs) - 1, -1, -1):
        if state % 2:
            span = spans[state // 2]
            span[0], span[1] = min(span[0], place), max(span[1], place + 1)
        state -= came[place, state]
    return [(first, last) for first, last in spans]
