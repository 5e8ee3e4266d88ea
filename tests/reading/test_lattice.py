"""All ways through a line: their weight together, and the likeliest."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.reading.lattice import likeliest_ways, total_weight
from inkwise.reading.segments import FIGURES, Segments


def lattice(cuts: int, labels: int, seed: int) -> tuple[Segments, np.ndarray]:
    """Return segments between most pairs of cuts, and random prices."""
    generator = np.random.default_rng(seed)
    pairs = [
        (start, stop)
        for start, stop in itertools.combinations(range(cuts), 2)
        if stop == start + 1 or generator.random() < 0.7
    ]
    starts, stops = np.array(pairs).T
    empty = np.zeros((len(pairs), FIGURES), np.float32)
    images = np.zeros((len(pairs), 28, 28), np.uint8)
    segments = Segments(starts, stops, images, empty, empty, [(0, 0, 1, 1)] * len(pairs), cuts)
    return segments, generator.normal(0, 1.5, (len(pairs), labels))


def all_ways(segments: Segments, price: np.ndarray) -> list[float]:
    """Return the weight of every way, found one by one."""

    def from_(cut: int) -> list[float]:
        if cut == segments.cuts - 1:
            return [0.0]
        return [
            float(price[one, label]) + rest
            for one in np.flatnonzero(segments.starts == cut)
            for label in range(price.shape[1])
            for rest in from_(int(segments.stops[one]))
        ]

    return from_(0)


@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_weights_are_those_of_every_way(cuts: int, labels: int, seed: int) -> None:
    segments, price = lattice(cuts, labels, seed)
    weights = sorted(all_ways(segments, price), reverse=True)
    assert total_weight(segments, price) == pytest.approx(math.log(np.exp(weights).sum()))
    ways = likeliest_ways(segments, price, 10)
    assert [weight for weight, _ in ways] == pytest.approx(weights[:10], abs=1e-9)
    for weight, way in ways:
        assert sum(price[one, label] for one, label in way) == pytest.approx(weight)
        cuts_of = [(int(segments.starts[one]), int(segments.stops[one])) for one, _ in way]
        assert all(left[1] == right[0] for left, right in itertools.pairwise(cuts_of))
        assert (cuts_of[0][0], cuts_of[-1][1]) == (0, cuts - 1)
