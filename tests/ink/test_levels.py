"""Quantiles of grey levels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inkwise.ink.levels import quantiles


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    st.floats(0, 1),
)
def test_quantiles_are_numpys_lower_ones(values: np.ndarray, share: float) -> None:
    expected = np.quantile(values, [0, share, 1], method="lower")
    # Just below a whole number NumPy may round up.
    if abs(share * (values.size - 1) % 1 - 0.5) < 0.49:
        assert quantiles(values, 0, share, 1) == pytest.approx(expected)
    assert quantiles(values, 0, 1) == [values.min(), values.max()]
