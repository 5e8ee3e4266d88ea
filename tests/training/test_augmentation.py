import math
from typing import Any

import pytest
import torch
from torch import Tensor

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError
from inkwise.training.augmentation import Augmentation
from inkwise.training.step import to_inputs

COUNT = 400
SIZES = [(28, 28), (21, 40), (40, 21)]


def blobs(height: int, width: int, dy: float = 0, dx: float = 0) -> Tensor:
    """Draw `COUNT` images of one round blob, `dy` below and `dx` right of the middle."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = y - (height - 1) / 2 - dy, x - (width - 1) / 2 - dx
    return torch.exp(-(x**2 + y**2) / 4).float().expand(COUNT, 1, height, width)


def centres(images: Tensor) -> Tensor:
    """Return where the ink's centre of mass lies, (N, 2), right of and below the middle."""
    height, width = images.shape[2:]
    ink = images[:, 0]
    mass = ink.sum((1, 2))
    x = (ink.sum(1) * (torch.arange(width) - (width - 1) / 2)).sum(1) / mass
    y = (ink.sum(2) * (torch.arange(height) - (height - 1) / 2)).sum(1) / mass
    return torch.stack([x, y], 1)


def spans(values: Tensor, low: float, high: float, tolerance: float) -> bool:
    """Tell whether values stay inside of two bounds, and nearly reach both."""
    reach = 0.05 * (high - low)
    return bool(
        low - tolerance <= values.min() <= low + reach
        and high - reach <= values.max() <= high + tolerance
    )


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("size", SIZES)
def test_limits_of_zero_change_nothing(size: tuple[int, int]) -> None:
    images = torch.rand(10, 1, *size)
    torch.testing.assert_close(
        Augmentation(shift=0, rotation=0, zoom=0)(images), images, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_shift_moves_along_both_axes_by_up_to_its_limit(size: tuple[int, int]) -> None:
    moved = centres(Augmentation(shift=3.0, rotation=0, zoom=0)(blobs(*size)))
    assert spans(moved[:, 0], -3, 3, 1e-3)
    assert spans(moved[:, 1], -3, 3, 1e-3)
    # Uniform, and the axes apart from each other.
    assert moved.std(0).tolist() == pytest.approx([3 / math.sqrt(3)] * 2, rel=0.1)
    assert abs(torch.corrcoef(moved.T)[0, 1]) < 0.15


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("offset", [(5.0, 0.0), (0.0, 5.0), (-4.0, 4.0)])
def test_a_rotation_turns_about_the_middle_by_up_to_its_limit(
    size: tuple[int, int], offset: tuple[float, float]
) -> None:
    images = blobs(*size, *offset)
    turned = centres(Augmentation(shift=0, rotation=30, zoom=0)(images))
    before = centres(images)
    torch.testing.assert_close(turned.norm(dim=1), before.norm(dim=1), atol=0.05, rtol=0)
    angles = torch.atan2(turned[:, 1], turned[:, 0]) - torch.atan2(before[:, 1], before[:, 0])
    degrees = (angles.rad2deg() + 180) % 360 - 180
    assert spans(degrees, -30, 30, 0.5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("offset", [(4.0, 0.0), (0.0, 4.0), (-3.0, 3.0)])
def test_a_zoom_scales_distances_and_areas_by_up_to_its_limit(
    size: tuple[int, int], offset: tuple[float, float]
) -> None:
    images = blobs(*size, *offset)
    zoomed = Augmentation(shift=0, rotation=0, zoom=0.2)(images)
    ratio = centres(zoomed).norm(dim=1) / centres(images).norm(dim=1)
    assert spans(ratio, 0.8, 1.2, 0.01)
    # Away from the middle in one direction: nothing turns.
    cosine = torch.cosine_similarity(centres(zoomed), centres(images))
    assert cosine.min() > 0.9999
    # The same factor along both axes, whatever the image's sides; sampling costs a few percent.
    torch.testing.assert_close(
        zoomed.sum((1, 2, 3)) / images.sum((1, 2, 3)), ratio**2, atol=0, rtol=0.08
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_shift_keeps_its_limit_when_all_act_at_once(size: tuple[int, int]) -> None:
    # Rotation and zoom leave the middle where it is, so a blob there moves by the shift alone.
    moved = centres(Augmentation(shift=3.0, rotation=40, zoom=0.3)(blobs(*size)))
    assert spans(moved[:, 0], -3, 3, 0.02)
    assert spans(moved[:, 1], -3, 3, 0.02)


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_ink_that_leaves_on_one_side_does_not_come_back_on_another(edge: str) -> None:
    side = {
        "left": (..., slice(None), slice(0, 6)),
        "right": (..., slice(None), slice(22, 28)),
        "top": (..., slice(0, 6), slice(None)),
        "bottom": (..., slice(22, 28), slice(None)),
    }[edge]
    images = torch.zeros(COUNT, 1, 28, 28)
    images[side] = 1
    moved = Augmentation(shift=6, rotation=0, zoom=0)(images)
    away = moved.flip(3) if edge in ("left", "right") else moved.flip(2)
    assert away[side].max() == 0
    # Some of it did leave, and what came in was ground.
    assert moved.sum((1, 2, 3)).min() < 0.5 * 6 * 28
    assert moved.sum((1, 2, 3)).max() < 1.001 * 6 * 28


def test_every_image_of_a_batch_and_every_call_draws_anew() -> None:
    augmentation = Augmentation()
    once, again = augmentation(blobs(28, 28, 4, 4)), augmentation(blobs(28, 28, 4, 4))
    moved = torch.cat([centres(once), centres(again)])
    assert len(moved.unique(dim=0)) == 2 * COUNT


def test_the_seed_decides_the_draws() -> None:
    images = blobs(28, 28, 4, 4)

    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return Augmentation()(images)

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


def test_digits_stay_images_of_the_same_kind(mnist: Dataset) -> None:
    images = to_inputs(torch.from_numpy(mnist.train.images[:500]))
    before = images.clone()
    changed = Augmentation()(images)
    assert torch.equal(images, before)
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert changed.min() >= 0
    assert changed.max() <= 1.0001  # the weights of four neighbours sum to 1 within rounding
    # The usual limits are made for digits with their margin: the ink stays inside.
    share = changed.sum() / images.sum()
    assert share.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "limits",
    [
        {"shift": -1},
        {"rotation": -0.1},
        {"zoom": -0.1},
        {"zoom": 1.0},
        *(
            {name: value}
            for name in ("shift", "rotation", "zoom")
            for value in (math.nan, math.inf)
        ),
    ],
)
def test_impossible_limits_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="augmentation limits must be"):
        Augmentation(**limits)


def test_a_shear_slants_and_keeps_the_middle() -> None:
    bar = torch.zeros(COUNT, 1, 29, 29)
    bar[..., 4:25, 14] = 1
    slanted = Augmentation(shift=0, rotation=0, zoom=0, shear=0.5)(bar)
    x = (slanted * torch.arange(29)).sum(3) / slanted.sum(3).clamp(min=1e-6) - 14
    slope = (x[:, 0, 8] - x[:, 0, 20]) / 12
    assert spans(slope, -0.5, 0.5, 0.02)
    torch.testing.assert_close(x[:, 0, 14], torch.zeros(COUNT), atol=0.05, rtol=0)


def test_a_stretch_widens_as_it_flattens() -> None:
    square = torch.zeros(COUNT, 1, 41, 41)
    square[..., 13:28, 13:28] = 1
    stretched = Augmentation(shift=0, rotation=0, zoom=0, stretch=0.4)(square)
    width, height = stretched[:, 0, 20].sum(1), stretched[:, 0, :, 20].sum(1)
    assert spans((width / 15).log(), -0.4, 0.4, 0.03)
    torch.testing.assert_close(width * height, torch.full((COUNT,), 225.0), rtol=0.03, atol=0)


def test_an_elastic_displacement_bends_by_up_to_its_limit() -> None:
    ramp = (torch.arange(28) / 27).expand(COUNT, 1, 28, 28).contiguous()
    bent = Augmentation(shift=0, rotation=0, zoom=0, elastic=1.5)(ramp)
    moved = 27 * (bent - ramp)[..., 6:-6, 6:-6]
    deviation = moved.std((1, 2, 3))
    assert 0.2 < deviation.mean() < 1.5
    assert (moved.diff(dim=2).abs().amax() < 1.5).all()  # smooth: a pixel moves as its neighbours
