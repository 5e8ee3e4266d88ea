from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional

from inkwise.errors import ArgumentError
from inkwise.networks.rotations import check_rotations, rotation_grid


def rotate(image: Any, degrees: float) -> Any:
    grid = torch.from_numpy(rotation_grid(image.shape, degrees))
    maps = torch.from_numpy(image)[None, None]
    return functional.grid_sample(maps, grid, align_corners=False)[0, 0].numpy()


@pytest.mark.parametrize("degrees", [0, 12, -30, 90])
def test_pictures_turn_as_pillow_turns_them(degrees: float) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 13:15] = image[4:6, 13:20] = 255
    expected = np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR))
    turned = rotate(image.astype(np.float32), degrees)
    assert np.abs(turned - expected).max() < 2


@given(st.integers(2, 20), st.integers(2, 20), st.floats(-90, 90))
def test_a_rotation_keeps_distances_from_the_centre(
    height: int, width: int, degrees: float
) -> None:
    half = np.array([width / 2, height / 2])
    turned = rotation_grid((height, width), degrees)[0] * half
    plain = rotation_grid((height, width), 0)[0] * half
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=-1), np.linalg.norm(plain, axis=-1), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("rotations", [(0.0,), (5,), (0.0, 90.0, -90.0)])
def test_angles_are_accepted(rotations: Any) -> None:
    check_rotations(rotations)


@pytest.mark.parametrize(
    "rotations",
    [(), [0.0], 0.0, (91.0,), (float("nan"),), (True,), ("1",), (None,), (1, 1.0), (*range(17),)],
)
def test_other_things_are_refused(rotations: Any) -> None:
    with pytest.raises(ArgumentError, match="rotations must be 1 to 16 different angles"):
        check_rotations(rotations)
