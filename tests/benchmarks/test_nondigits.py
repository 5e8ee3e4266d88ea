from typing import Any

import numpy as np
import pytest
from nondigits import KINDS, draw_non_digits
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError

Pictures = NDArray[np.uint8]

COUNT = 150


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Pictures:
    return mnist.train.images[-500:]


@pytest.fixture(scope="module")
def drawn(digits: Pictures) -> dict[str, Pictures]:
    return draw_non_digits(digits, COUNT)


def boxes(pictures: Pictures) -> NDArray[np.int64]:
    """Return the height and width of every picture's ink, (N, 2)."""
    return np.array(
        [[np.ptp(part) + 1 for part in np.nonzero(picture > 20)] for picture in pictures]
    )


def stroke_width(pictures: Pictures) -> float:
    """Return twice the ink's area by its rim: how wide a line of that area and rim is."""
    ink = (pictures > 127).astype(int)
    rim = np.abs(np.diff(ink, axis=1)).sum() + np.abs(np.diff(ink, axis=2)).sum()
    return float(2 * ink.sum() / rim)


def test_there_are_six_kinds_and_none_is_blank(drawn: dict[str, Pictures]) -> None:
    assert tuple(drawn) == KINDS
    assert len(KINDS) == 6
    for pictures in drawn.values():
        assert pictures.shape == (COUNT, 28, 28)
        assert pictures.dtype == np.uint8
        assert (pictures.max(axis=(1, 2)) > 60).all()


def test_no_two_pictures_are_alike(drawn: dict[str, Pictures]) -> None:
    everything = np.concatenate(list(drawn.values())).reshape(len(KINDS) * COUNT, -1)
    assert len(np.unique(everything, axis=0)) == len(everything)


def test_the_seed_decides_and_more_begin_with_the_same(
    digits: Pictures, drawn: dict[str, Pictures]
) -> None:
    again, other = draw_non_digits(digits, 10), draw_non_digits(digits, 10, seed=1)
    for kind in KINDS:
        assert np.array_equal(again[kind], drawn[kind][:10])
        assert not np.array_equal(again[kind], other[kind])


@pytest.mark.parametrize("kind", ["scribble", "letter", "shape", "two digits"])
def test_they_have_a_digits_geometry(
    kind: str, drawn: dict[str, Pictures], digits: Pictures
) -> None:
    pictures = drawn[kind]
    sides = boxes(pictures).max(axis=1)
    assert sides.max() <= 20
    assert np.median(sides) >= 19
    mass = pictures.sum(axis=(1, 2), dtype=float)
    y, x = np.mgrid[:28, :28]
    centres = np.array([(pictures * part).sum(axis=(1, 2)) / mass for part in (x, y)])
    assert np.quantile(np.abs(centres - 14), 0.95) <= 0.6
    # As bright as digits, and in strokes about as wide.
    assert np.median(pictures.max(axis=(1, 2))) >= 250
    assert 0.6 < stroke_width(pictures) / stroke_width(digits) < 1.7


def test_two_digits_hold_the_digits_that_were_given() -> None:
    # A digit of one bar: two of them are two bars, whatever the gap between them.
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 4:24, 12:15] = 255
    pairs = draw_non_digits(bar, 40)["two digits"]
    across = (pairs.max(axis=1) > 127).astype(int)
    apart = np.sum(np.diff(across, axis=1) > 0, axis=1) == 2
    assert apart.mean() > 0.3
    assert np.median(boxes(pairs)[:, 1]) > 6
    assert not np.array_equal(
        draw_non_digits(bar.transpose(0, 2, 1), 5)["two digits"],
        draw_non_digits(bar, 5)["two digits"],
    )


def test_specks_are_few_and_small(drawn: dict[str, Pictures]) -> None:
    share = (drawn["specks"] > 60).mean(axis=(1, 2))
    assert 0 < share.min() < 0.01
    assert share.max() < 0.12


@pytest.mark.parametrize(
    ("digits", "seed", "message"),
    [
        (np.zeros((0, 28, 28), np.uint8), 0, r"of shape \(0, 28, 28\)"),
        (np.ones((3, 28), np.uint8), 0, r"of shape \(3, 28\)"),
        (np.ones((3, 28, 28)), 0, "not float64"),
        (np.ones((3, 28, 28), np.uint8), -1, "must be 0 or more, not -1"),
        (np.zeros((3, 28, 28), np.uint8), 0, "a digit is blank"),
    ],
)
def test_what_makes_no_sense_is_refused(digits: Any, seed: int, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        draw_non_digits(digits, 2, seed)
