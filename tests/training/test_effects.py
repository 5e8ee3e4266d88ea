import inspect

import pytest
import torch
from torch import Tensor

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError
from inkwise.training import effects
from inkwise.training.augmentation import EFFECTS, Augmentation
from inkwise.training.step import to_inputs

STILL = {"shift": 0.0, "rotation": 0.0, "zoom": 0.0}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Tensor:
    return to_inputs(torch.from_numpy(mnist.train.images[:200]))


def changed(name: str, images: Tensor) -> Tensor:
    effect: Tensor = getattr(effects, name)(images)
    return effect


def ink(images: Tensor) -> Tensor:
    return images.sum((1, 2, 3))


def test_the_names_are_those_of_all_effects() -> None:
    functions = inspect.getmembers(effects, inspect.isfunction)
    here = {name for name, each in functions if each.__module__ == effects.__name__}
    assert {name for name in here if not name.startswith("_")} == set(EFFECTS)


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("size", [(28, 28), (16, 21)])
def test_an_effect_changes_every_image_in_a_way_of_its_own(
    name: str, size: tuple[int, int]
) -> None:
    one = torch.zeros(1, 1, *size)
    one[..., 4:-4, size[1] // 2 - 1 : size[1] // 2 + 1] = 0.9
    images = one.expand(50, -1, -1, -1).contiguous()
    before = images.clone()
    after = changed(name, images)
    assert torch.equal(images, before)  # the arguments stay as they are
    assert after.shape == images.shape
    assert after.dtype == torch.float32
    assert after.isfinite().all()
    assert after.min() >= -1e-6
    assert after.max() <= 1 + 1e-6
    moved = (after - images).abs().amax((1, 2, 3)) > 1e-3
    assert moved.float().mean() > 0.7  # a line may pass by
    if name != "invert":
        assert len(torch.unique(after.flatten(1), dim=0)) > 25


def test_serifs_add_a_flag_or_a_foot_to_the_digit_and_take_nothing_away(digits: Tensor) -> None:
    after = changed("serifs", digits)
    assert (after >= digits).all()
    more = (ink(after) - ink(digits)) / ink(digits)
    assert more.median() > 0.02
    assert more.max() < 1
    # On a plain stroke what is new touches its upper or its lower end.
    stroke = torch.zeros(300, 1, 28, 28)
    stroke[..., 5:23, 13:15] = 0.8
    drawn = changed("serifs", stroke)
    new = drawn > stroke + 0.1
    rows = new.any(3).squeeze(1)
    ends = rows[:, :8].any(1) | rows[:, 20:].any(1)
    assert ends.float().mean() > 0.9  # a short one may lie on the stroke itself
    assert not rows[:, :2].any()
    assert drawn.max() <= 0.8 + 1e-6
    upper = new[:, 0, :12]
    assert upper[..., :13].sum() > 2 * upper[..., 15:].sum()  # most flags are on the left


def test_strokes_grow_and_shrink(digits: Tensor) -> None:
    assert (ink(changed("thicker", digits)) > ink(digits)).all()
    assert (ink(changed("thinner", digits)) < ink(digits)).all()


def test_low_resolution_keeps_the_ink_and_loses_detail(digits: Tensor) -> None:
    after = changed("low_resolution", digits)
    torch.testing.assert_close(ink(after), ink(digits), rtol=0.12, atol=2)

    def detail(images: Tensor) -> Tensor:
        return images.diff(dim=3).abs().mean((1, 2, 3))

    assert (detail(after) < detail(digits)).float().mean() > 0.95


def test_a_form_reader_evens_out_height_slant_and_ink(digits: Tensor) -> None:
    small = torch.nn.functional.pad(digits[..., ::2, ::2], (7, 7, 7, 7))
    for images in (digits, small):
        after = changed("form_reader", images)
        inked = (after > 0.3).any(3)[:, 0]
        height = 28 - inked.int().argmax(1) - inked.flip(1).int().argmax(1)
        assert ((height >= 18) & (height <= 22)).float().mean() > 0.95
    many = digits.repeat(5, 1, 1, 1)
    after = changed("form_reader", many)
    assert ink(after).std() / ink(after).mean() < 0.8 * ink(many).std() / ink(many).mean()

    # A slanted stroke mostly stands upright afterwards.
    slanted = torch.zeros(300, 1, 28, 28)
    for row in range(4, 24):
        slanted[:, :, row, 18 - row // 2 : 21 - row // 2] = 0.9
    read = changed("form_reader", slanted)[:, 0]
    centre = (read * torch.arange(28)).sum(2) / read.sum(2).clamp(min=1e-6)
    leaning = (centre[:, 7] - centre[:, 20]).abs()
    assert 0.5 < (leaning < 2).float().mean() < 0.95


@pytest.mark.parametrize("name", ["blur", "motion_blur"])
def test_blur_spreads_the_ink_and_keeps_it(name: str, digits: Tensor) -> None:
    after = changed(name, digits)
    torch.testing.assert_close(ink(after), ink(digits), rtol=0.05, atol=0.5)
    assert (after.amax((1, 2, 3)) < digits.amax((1, 2, 3)) + 1e-5).all()


def test_a_threshold_leaves_little_grey(digits: Tensor) -> None:
    def grey(images: Tensor) -> Tensor:
        return ((images > 0.2) & (images < 0.8)).float().mean()

    assert grey(changed("threshold", digits)) < 0.75 * grey(digits)


def test_a_move_reaches_six_pixels_and_no_further() -> None:
    dot = torch.zeros(400, 1, 28, 28)
    dot[..., 13:15, 13:15] = 1
    after = changed("move", dot)
    x = (after.sum(2) * torch.arange(28)).sum((1, 2)) / ink(after) - 13.5
    assert 5.5 < x.abs().max() <= 6 + 1e-3


def test_an_inverted_image_comes_back(digits: Tensor) -> None:
    torch.testing.assert_close(changed("invert", changed("invert", digits)), digits)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_an_effect_meets_its_share_of_the_images(share: float, digits: Tensor) -> None:
    after = Augmentation(**STILL, effects={"invert": share})(digits)
    inverted = ink(after) > 28 * 28 / 2
    assert inverted.sum() == round(share * len(digits))
    torch.testing.assert_close(after[~inverted], digits[~inverted], atol=1e-5, rtol=0)


def test_other_images_are_met_every_time(digits: Tensor) -> None:
    augmentation = Augmentation(**STILL, effects={"invert": 0.5})
    first, second = (ink(augmentation(digits)) > 28 * 28 / 2 for _ in range(2))
    assert not torch.equal(first, second)


def test_effects_follow_their_own_order_not_the_mappings(digits: Tensor) -> None:
    backwards = Augmentation(**STILL, effects={"invert": 1.0, "thicker": 1.0})(digits)
    assert (ink(1 - backwards) > ink(digits)).all()  # grown first: as light ink


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"rain": 0.1}, "unknown effect 'rain': use serifs, "),
        ({"fog": 1.5}, "the share of the effect fog must lie in"),
        ({"fog": -0.1}, "the share of the effect fog must lie in"),
        ({"fog": float("nan")}, "the share of the effect fog must lie in"),
    ],
)
def test_a_wrong_effect_is_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Augmentation(effects=shares)
