from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moved import halve_contrast, move_within
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError
from inkwise.robustness.corruptions import (
    CORRUPTIONS,
    corrupt,
    move,
    resize,
    turn,
)

Images = NDArray[np.uint8]

MNIST_C = [
    "shot noise",
    "impulse noise",
    "glass blur",
    "motion blur",
    "shear",
    "scale",
    "rotate",
    "brightness",
    "translate",
    "stripe",
    "fog",
    "spatter",
    "dotted line",
    "zigzag",
    "canny edges",
]
RANDOM = [name for name in MNIST_C if name not in ("scale", "brightness", "stripe", "canny edges")]


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Images:
    return mnist.train.images[-200:]


def centres(images: Images) -> NDArray[np.float64]:
    """Return where the ink's centre of mass lies, (N, 2): x and y."""
    mass = images.sum(axis=(1, 2), dtype=np.float64)
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    return np.column_stack([(images * part).sum(axis=(1, 2)) / mass for part in (x, y)])


def moment(images: Images, power: tuple[int, int]) -> NDArray[np.float64]:
    """Return central moments of the ink, (N,): the mean of x and y to these powers."""
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    middle = centres(images)
    x, y = x - middle[:, 0, None, None], y - middle[:, 1, None, None]
    mass = images.sum(axis=(1, 2), dtype=np.float64)
    return (images * x ** power[0] * y ** power[1]).sum(axis=(1, 2)) / mass


def bar(height: int = 28, width: int = 28) -> Images:
    """Draw one upright bar in the middle, four pixels wide."""
    image = np.zeros((1, height, width), np.uint8)
    image[:, height // 4 : height - height // 4, width // 2 - 2 : width // 2 + 2] = 255
    return image


def test_there_are_the_fifteen_of_mnist_c() -> None:
    assert list(CORRUPTIONS) == MNIST_C


@pytest.mark.parametrize("name", MNIST_C)
@given(
    images=st.tuples(st.integers(0, 3), st.integers(8, 40), st.integers(8, 40)).flatmap(
        lambda shape: st.integers(0, 2**32).map(
            lambda seed: np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)
        )
    ),
    severity=st.sampled_from([None, 1, 2, 3, 4, 5]),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=15)
def test_any_size_is_corrupted_alike_in_any_batch(
    name: str, images: Images, severity: int | None, seed: int
) -> None:
    before = images.copy()
    changed = corrupt(images, name, seed, severity)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(images, before)
    for place in range(len(images)):
        alone = corrupt(images[place : place + 1], name, seed, severity)
        assert np.array_equal(alone[0], changed[place])
    assert np.array_equal(corrupt(images[::-1], name, seed, severity), changed[::-1])


@pytest.mark.parametrize("name", MNIST_C)
def test_every_digit_is_changed(name: str, digits: Images) -> None:
    changed = corrupt(digits, name)
    assert (changed != digits).any(axis=(1, 2)).all()
    assert changed.max() > 100


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_draws_anew(name: str, digits: Images) -> None:
    changed, other = corrupt(digits, name, seed=1), corrupt(digits, name, seed=2)
    assert np.mean((changed != other).any(axis=(1, 2))) > 0.4  # of two directions half are the same


@pytest.mark.parametrize("name", MNIST_C)
def test_the_default_is_one_of_the_severities(name: str, digits: Images) -> None:
    usual = corrupt(digits[:20], name)
    grades = [corrupt(digits[:20], name, severity=grade) for grade in range(1, 6)]
    assert sum(np.array_equal(usual, grade) for grade in grades) == 1
    assert np.array_equal(usual, grades[CORRUPTIONS[name].severity - 1])


# Of the others, some have severities that change less and are harder all the same.
@pytest.mark.parametrize(
    "name",
    [
        "shot noise",
        "impulse noise",
        "glass blur",
        "shear",
        "scale",
        "rotate",
        "brightness",
        "translate",
        "stripe",
        "dotted line",
        "zigzag",
    ],
)
def test_each_severity_changes_more_than_the_one_below(name: str, digits: Images) -> None:
    changes = [
        np.abs(corrupt(digits, name, severity=grade).astype(float) - digits).mean()
        for grade in range(1, 6)
    ]
    assert changes == sorted(changes)
    assert changes[4] > 1.2 * changes[0]


def test_shot_noise_keeps_the_mean_and_knows_few_levels(digits: Images) -> None:
    changed = corrupt(np.full((200, 28, 28), 85, np.uint8), "shot noise")
    assert changed.mean() == pytest.approx(85, rel=0.03)
    assert set(np.unique(corrupt(digits, "shot noise"))) == {0, 85, 170, 255}  # thirds
    assert not corrupt(np.zeros((1, 28, 28), np.uint8), "shot noise").any()


def test_impulse_noise_makes_as_much_salt_as_pepper() -> None:
    changed = corrupt(np.full((300, 28, 28), 100, np.uint8), "impulse noise", seed=3)
    # Images that are alike are changed alike, so that this is one image's 784 pixels.
    assert np.ptp(changed, axis=0).max() == 0
    assert np.mean(changed[0] == 255) == pytest.approx(0.085, abs=0.04)
    assert np.mean(changed[0] == 0) == pytest.approx(0.085, abs=0.04)
    assert np.mean(changed[0] == 100) == pytest.approx(0.83, abs=0.05)


def test_scale_shrinks_to_seven_tenths(digits: Images) -> None:
    smaller = corrupt(digits, "scale")
    for power in ((2, 0), (0, 2)):
        ratio = np.sqrt(moment(smaller, power) / moment(digits, power))
        assert np.median(ratio) == pytest.approx(0.7, abs=0.03)


def test_translate_moves_three_pixels_along_a_diagonal(digits: Images) -> None:
    inner = np.pad(digits[:, 6:22, 6:22], ((0, 0), (6, 6), (6, 6)))  # so that no ink is lost
    moved = np.rint(centres(corrupt(inner, "translate")) - centres(inner))
    assert {tuple(row) for row in moved} == {(3, 3), (3, -3), (-3, 3), (-3, -3)}


def test_rotate_turns_by_23_degrees_to_both_sides() -> None:
    turned = np.concatenate([corrupt(bar(), "rotate", seed) for seed in range(40)])
    angle = 0.5 * np.arctan2(
        2 * moment(turned, (1, 1)), moment(turned, (0, 2)) - moment(turned, (2, 0))
    )
    assert np.abs(angle) == pytest.approx(0.4, abs=0.02)
    assert 8 < np.sum(angle > 0) < 32


def test_shear_slants_to_both_sides_without_turning() -> None:
    slanted = np.concatenate([corrupt(bar(), "shear", seed) for seed in range(40)])
    slope = moment(slanted, (1, 1)) / moment(slanted, (0, 2))
    assert np.abs(slope) == pytest.approx(np.sin(0.4), abs=0.02)
    assert 8 < np.sum(slope > 0) < 32
    # A level line stays level: its slant is that of its few rows.
    level = corrupt(bar().transpose(0, 2, 1), "shear")
    assert moment(level, (1, 1)) / moment(level, (2, 0)) == pytest.approx(0, abs=0.05)


def test_brightness_adds_half_of_full_ink() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    changed = corrupt(image, "brightness").astype(int)
    assert np.abs(changed - np.minimum(image + 127.5, 255)).max() <= 0.5


def test_stripe_inverts_a_quarter_at_each_side(digits: Images) -> None:
    changed = corrupt(digits, "stripe")
    assert np.array_equal(changed[:, :, 7:21], digits[:, :, 7:21])
    for side in (slice(7), slice(21, 28)):
        assert np.array_equal(changed[:, :, side], 255 - digits[:, :, side])


def test_blur_spreads_ink_and_loses_none(digits: Images) -> None:
    for name in ("glass blur", "motion blur"):
        changed = corrupt(digits, name)
        assert changed.sum() == pytest.approx(digits.sum(), rel=0.06)
        sharpness = [np.abs(np.diff(part.astype(int))).sum() for part in (changed, digits)]
        assert sharpness[0] < 0.75 * sharpness[1]


def test_motion_blur_smears_along_one_direction() -> None:
    dot = np.zeros((1, 41, 41), np.uint8)
    dot[:, 19:22, 19:22] = 255
    for seed in range(10):
        smeared = corrupt(dot, "motion blur", seed)
        spread = [moment(smeared, power)[0] for power in ((2, 0), (1, 1), (0, 2))]
        small, large = np.linalg.eigvalsh([[spread[0], spread[1]], [spread[1], spread[2]]])
        assert large > 2.5 * small
        assert spread[0] > spread[2] - 0.5  # at most 45° off the horizontal


def test_fog_lies_on_everything_and_hides_contrast(digits: Images) -> None:
    changed = corrupt(digits, "fog")
    ink, ground = digits > 200, digits == 0
    assert changed[ground].mean() > 60
    assert 0 < changed[ink].mean() - changed[ground].mean() < 80


def test_spatter_covers_with_mud(digits: Images) -> None:
    full = np.full((1, 28, 28), 255, np.uint8)
    covered = np.concatenate([corrupt(full, "spatter", seed) for seed in range(30)])
    assert covered.min() == pytest.approx(63, abs=1)
    assert 0.05 < np.mean(covered < 130) < 0.6


@pytest.mark.parametrize("name", ["dotted line", "zigzag"])
def test_lines_reach_from_side_to_side_and_hide_no_ink(name: str, digits: Images) -> None:
    changed = corrupt(digits, name)
    assert (changed >= digits).all()
    added = (changed.astype(int) - digits).max(axis=1) > 60
    assert added[:, 3:8].any(axis=1).mean() > 0.9
    assert added[:, 20:25].any(axis=1).mean() > 0.9


def test_canny_edges_leaves_thin_outlines() -> None:
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 8:20, 8:20] = 255
    edges = corrupt(square, "canny edges")
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[0, 11:17, 11:17].any()
    assert not edges[0, :5].any()
    assert 30 < np.sum(edges == 255) < 60  # about the 44 pixels of its rim


@given(pixels=st.integers(0, 12), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_move_takes_one_of_four_diagonals(pixels: int, seed: int) -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 12:16, 12:15] = np.arange(1, 13).reshape(4, 3)
    moved = move(image, pixels, seed)
    expected = [
        np.roll(image, (down, right), axis=(1, 2))
        for down in (-pixels, pixels)
        for right in (-pixels, pixels)
    ]
    assert any(np.array_equal(moved, one) for one in expected)


@pytest.mark.parametrize("change", [move, move_within])
def test_what_moves_out_does_not_come_back(change: Callable[..., Images]) -> None:
    for seed in range(5):
        moved = change(np.full((1, 20, 30), 200, np.uint8), 6, seed)[0]
        rows, columns = np.flatnonzero(moved.any(axis=1)), np.flatnonzero(moved.any(axis=0))
        # What is left is one rectangle, cut off at two edges.
        assert moved[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].min() == 200
        assert len(rows) >= 14
        assert len(columns) >= 24


def test_an_image_can_move_out_altogether(digits: Images) -> None:
    assert not move(digits, 60).any()


def test_move_and_move_within_reach_every_place(digits: Images) -> None:
    inner = np.pad(digits[:, 6:22, 6:22], ((0, 0), (6, 6), (6, 6)))  # so that no ink is lost
    moved = np.rint(centres(move(inner, 4)) - centres(inner))
    assert {tuple(row) for row in moved} == {(4, 4), (4, -4), (-4, 4), (-4, -4)}
    within = np.rint(centres(move_within(inner, 2)) - centres(inner))
    assert {tuple(row) for row in within} == {(x, y) for x in range(-2, 3) for y in range(-2, 3)}


def test_half_contrast_keeps_the_mean_and_halves_the_rest(digits: Images) -> None:
    pale = halve_contrast(digits)
    assert pale.dtype == np.uint8
    assert pale.mean(axis=(1, 2)) == pytest.approx(digits.mean(axis=(1, 2)), abs=0.5)
    assert pale.std(axis=(1, 2)) == pytest.approx(digits.std(axis=(1, 2)) / 2, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda it: corrupt(it, "sepia"), "unknown corruption 'sepia': use one of shot noise, "),
        (lambda it: corrupt(it, "fog", severity=0), "from 1 to 5, not 0"),
        (lambda it: corrupt(it, "fog", severity=6), "from 1 to 5, not 6"),
        (lambda it: corrupt(it, "fog", severity=cast(Any, 2.5)), "from 1 to 5, not 2.5"),
        (lambda it: corrupt(it, "fog", seed=-1), "must be 0 or more, not -1"),
        (lambda it: corrupt(it.astype(float), "fog"), "not float64 of shape"),
        (lambda it: corrupt(it[0], "fog"), r"of shape \(28, 28\)"),
        (lambda it: corrupt(it[:, :7], "fog"), "8×8 pixels or more"),
        (lambda it: move(it, -1), "0 pixels or more, not -1"),
        (lambda it: move_within(it, -2), "0 pixels or more, not -2"),
        (lambda it: resize(it, 0), "must be positive, not 0"),
        (lambda it: turn(it[0], 3), r"of shape \(28, 28\)"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[Any], Images], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call(np.zeros((2, 28, 28), np.uint8))


def test_turning_and_resizing_by_nothing_change_nothing(digits: Images) -> None:
    assert np.array_equal(turn(digits, 0), digits)
    assert np.array_equal(resize(digits, 1), digits)
    assert np.array_equal(move(digits, 0), digits)


@pytest.mark.parametrize("degrees", [-60, -20, 15, 45])
def test_turn_turns_clockwise(degrees: float) -> None:
    turned = turn(bar(), degrees)
    across, down = moment(turned, (1, 1)), moment(turned, (0, 2)) - moment(turned, (2, 0))
    angle = np.degrees(-0.5 * np.arctan2(2 * across, down))
    assert angle == pytest.approx(degrees, abs=1.5)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.4])
def test_resize_scales_about_the_middle(factor: float) -> None:
    resized = resize(bar(), factor)
    spread = np.sqrt(moment(resized, (0, 2)) / moment(bar(), (0, 2)))
    assert spread == pytest.approx(factor, abs=0.04)
    assert centres(resized)[0] == pytest.approx([13.5, 13.5], abs=0.1)


def test_the_levels_behind_recorded_figures_stay() -> None:
    usual = {name: it.levels[it.severity - 1] for name, it in CORRUPTIONS.items()}
    assert usual == {
        "shot noise": 3,
        "impulse noise": 0.17,
        "glass blur": (0.7, 1, 2),
        "motion blur": (10, 3),
        "shear": 0.4,
        "scale": 0.7,
        "rotate": 0.4,
        "brightness": 0.5,
        "translate": 3,
        "stripe": 1 / 4,
        "fog": (3, 1.4),
        "spatter": (0.65, 0.3, 1, 0.65, 1.5),
        "dotted line": 1,
        "zigzag": 1,
        "canny edges": 1.0,
    }
