"""Scaling, against Pillow's."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from PIL import Image

from inkwise.ink.scaling import scale_levels

SIDES = strategies.integers(1, 160)


def by_pillow(levels: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC))


@hypothesis.settings(max_examples=150)
@hypothesis.given(SIDES, SIDES, strategies.integers(1, 40), strategies.integers(1, 40), SIDES)
def test_it_is_pillow_s_to_the_level(
    rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 256, (rows, columns), dtype=np.uint8)
    if seed % 2:  # full strokes overshoot most
        levels = np.where(levels > 127, np.uint8(255), np.uint8(0))
    scaled = scale_levels(levels, height, width)
    assert scaled.dtype == np.uint8
    np.testing.assert_array_equal(scaled, by_pillow(levels, height, width))


@pytest.mark.parametrize("shape", [(800, 500), (640, 800), (800, 3), (2, 700)])
def test_large_ink_is_pillow_s_as_well(shape: tuple[int, int]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    longest = max(shape)
    height, width = (max(1, round(20 * side / longest)) for side in shape)
    np.testing.assert_array_equal(
        scale_levels(levels, height, width), by_pillow(levels, height, width)
    )
