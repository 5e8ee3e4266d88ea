"""The optimism of the best of many, against what is known of it."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from inkwise.trials.optimism import expected_optimism


@pytest.mark.parametrize("count", [20, 100, 300])
def test_of_designs_that_are_all_alike_it_is_the_expected_maximum_of_the_noise(count: int) -> None:
    generator = np.random.default_rng(count)
    found = [expected_optimism(0.98 + generator.normal(0, 0.002, count), 0.002) for _ in range(5)]
    maxima = generator.normal(0, 0.002, (4_000, count)).max(axis=1).mean()
    # Half of the samples spread more than the noise, and part of that is taken for the truth.
    assert 0.6 * maxima < np.mean(found) < 1.05 * maxima


def test_of_designs_that_are_far_apart_it_is_nothing() -> None:
    assert expected_optimism([0.5, 0.6, 0.7, 0.8, 0.9], 0.001) < 1e-4


def test_more_trials_and_more_noise_are_more_optimistic() -> None:
    generator = np.random.default_rng(0)
    many = generator.normal(0.9, 0.01, 200)
    by_count = [expected_optimism(many[:count], 0.01) for count in (2, 10, 200)]
    assert by_count == sorted(by_count)
    by_noise = [expected_optimism(many, noise) for noise in (0, 0.001, 0.01)]
    assert by_noise == sorted(by_noise)
    assert by_noise[0] == 0


@hypothesis.settings(max_examples=15)
@hypothesis.given(
    strategies.lists(strategies.floats(0, 1), min_size=1, max_size=20),
    strategies.floats(0, 0.1),
)
def test_it_is_never_negative_and_never_more_than_the_noise_can_do(
    values: list[float], noise: float
) -> None:
    found = expected_optimism(values, noise)
    assert 0 <= found <= 3 * noise
    assert len(values) > 1 or found == 0
