"""The lattice: all ways through a line's segments, and what each is worth.

Each segment may be one of the labels, at a price. A way through the line is a chain of segments
from the first cut to the last, and its weight is the exponential of the sum of its prices. This is
a semi-Markov conditional random field, so that a reading's probability as a whole is the weight of
its ways among that of all ways.

References
----------
S. Sarawagi, W. Cohen, "Semi-Markov conditional random fields for information extraction", NIPS
2004.
"""

import functools
import heapq
import math
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from inkwise.reading.segments import Segments

MARKS = ("", ".", ",", "-", "=", "'")
"""What a segment may be that is no digit; the first is what is left out, such as dirt."""

DIGITS = 10

UNLIKELY = -7.0
"""Least difference of a label's price from that of a segment's best label."""

FILE = "prices.npz"
"""The weights of the prices, which `benchmarks/fit_reader.py` chooses on composed numbers."""


@functools.cache
def load_weights() -> dict[str, NDArray[np.float32]]:
    """Return the weights of the prices by their names."""
    with (
        resources.files("inkwise.reading").joinpath(FILE).open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return {name: arrays[name] for name in arrays.files}


def inputs(
    segments: Segments, logits: NDArray[np.float32], scores: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return what the prices depend on: the figures, the score, and the network's confidence.

    Parameters
    ----------
    segments : Segments
        The segments.
    logits : ndarray of float32, shape (S, 10)
        Logarithms of the digits' probabilities.
    scores : ndarray of float32, shape (S,)
        How much each image looks like a digit, less the lowest score of a digit.

    Returns
    -------
    ndarray of float32, shape (S, `FIGURES` + 2)
    """
    return np.column_stack([segments.figures, scores, logits.max(1)]).astype(np.float32)


def prices(
    figures: NDArray[np.float32],
    logits: NDArray[np.float32],
    weights: dict[str, NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Return the price of each label for each segment, float64 (S, 10 + marks).

    A network of one hidden layer sees the figures; the digits' own logarithms are added.
    """
    values = ((figures - weights["mean"]) / weights["spread"]).clip(-6, 6)
    hidden = np.tanh(values @ weights["hidden"] + weights["hidden_bias"])
    price = (hidden @ weights["out"] + weights["out_bias"]).astype(np.float64)
    price[:, :DIGITS] += float(weights["trust"]) * logits.clip(-12, 0)
    return price


def total_weight(segments: Segments, price: NDArray[np.float64]) -> float:
    """Return the logarithm of the weight of all ways through the line."""
    reach = np.full(segments.cuts, -np.inf)
    reach[0] = 0.0
    high = price.max(1)
    each = high + np.log(np.exp(price - high[:, None]).sum(1))
    for stop in range(1, segments.cuts):
        here = segments.stops == stop
        if here.any():
            values = reach[segments.starts[here]] + each[here]
            top = values.max()
            if top > -np.inf:
                reach[stop] = top + math.log(np.exp(values - top).sum())
    return float(reach[-1])


Way = tuple[tuple[int, int], ...]
"""Indices of segments and of their labels, from left to right."""


def likeliest_ways(
    segments: Segments, price: NDArray[np.float64], count: int
) -> list[tuple[float, Way]]:
    """Return the `count` likeliest ways and the logarithms of their weights, the best first.

    Labels that are `UNLIKELY` beside a segment's best one are left out.
    """
    ways: list[list[tuple[float, Way]]] = [[] for _ in range(segments.cuts)]
    ways[0] = [(0.0, ())]
    likely = price >= price.max(1, keepdims=True, initial=-np.inf) + UNLIKELY
    for stop in range(1, segments.cuts):
        longer = []
        for one in np.flatnonzero(segments.stops == stop).tolist():
            before = ways[int(segments.starts[one])]
            for label in np.flatnonzero(likely[one]).tolist():
                more = float(price[one, label])
                longer += [(weight + more, (*way, (one, label))) for weight, way in before]
        ways[stop] = heapq.nlargest(count, longer, key=lambda entry: entry[0])
    return ways[-1]
