"""Tests of the evaluation, and labels with predictions drawn at random for them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


class Answers(NamedTuple):
    """What a drawn model answered: labels and predictions, int64 (N,), of K classes."""

    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    classes: int


@st.composite
def answers(draw: st.DrawFn, max_images: int = 30) -> Answers:
    """Draw few images of up to six classes: some absent, some never predicted, some neither."""
    classes = draw(st.integers(2, 6))
    index = st.integers(0, classes - 1)
    pairs = draw(st.lists(st.tuples(index, index), min_size=1, max_size=max_images))
    labels, predicted = np.array(pairs, dtype=np.int64).T
    return Answers(labels, predicted, classes)
