"""Lines of a page."""

import contextlib
import dataclasses

import cv2
import numpy as np
import pytest
from compose import KINDS, Kind, compose
from numpy.typing import NDArray

from inkwise import Dataset
from inkwise.errors import NoInkError
from inkwise.ink.all_ink import find_all_ink
from inkwise.reading.text_lines import ABOVE, HEIGHT, find_lines


def blocks(*places: tuple[int, int], size: int = 40, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw hollow blocks, as high as digits, with their top left corners at these places."""
    picture = np.full(shape, 255, np.uint8)
    for top, left in places:
        cv2.rectangle(picture, (left, top), (left + size // 2, top + size), 0, 4)
    return picture


@pytest.mark.parametrize("size", [24, 40, 90])
@pytest.mark.parametrize("climb", [-0.12, 0.0, 0.12])
def test_lines_come_from_top_to_bottom_level_and_of_one_size(size: int, climb: float) -> None:
    """A climbing line stays one, and its digits come to stand between the same rows."""
    counts = (3, 5, 4)
    places = [
        (round((1.5 + 2 * row + climb * column) * size), round((0.5 + column) * size))
        for row, count in enumerate(counts)
        for column in range(count)
    ]
    lines = find_lines(find_all_ink(blocks(*places, size=size, shape=(9 * size, 7 * size)))).found
    assert len(lines) == len(counts)
    for line, count in zip(lines, counts, strict=True):
        ink = line.levels > 127
        assert cv2.connectedComponents(ink.astype(np.uint8))[0] - 1 == count
        rows = np.flatnonzero(ink.any(1))
        assert abs(rows[0] - ABOVE) <= 4
        assert abs(rows[-1] - ABOVE - HEIGHT) <= 4


def test_numbers_side_by_side_are_apart_from_left_to_right() -> None:
    picture = blocks((30, 20), (32, 50), (28, 300), (30, 330), (31, 360), shape=(110, 420))
    counts = [
        cv2.connectedComponents((line.levels > 127).astype(np.uint8))[0] - 1
        for line in find_lines(find_all_ink(picture)).found
    ]
    assert counts == [2, 3]


def test_a_place_in_a_line_is_known_on_the_page() -> None:
    picture = blocks((60, 100), (60, 130), (60, 160), shape=(200, 300))
    (line,) = find_lines(find_all_ink(picture)).found
    rows, columns = (np.flatnonzero((line.levels > 127).any(axis)) for axis in (1, 0))
    box = line.on_the_page((rows[0], columns[0], rows[-1] + 1, columns[-1] + 1))
    assert box == pytest.approx((58, 98, 103, 183), abs=3)


def test_a_frame_around_a_number_is_left_out() -> None:
    picture = blocks((40, 60), (40, 90), (40, 120), shape=(130, 220))
    cv2.rectangle(picture, (30, 20), (190, 100), 0, 2)
    page = find_all_ink(picture)
    assert page.dropped == ("surroundings",)
    (line,) = find_lines(page).found
    assert cv2.connectedComponents((line.levels > 127).astype(np.uint8))[0] - 1 == 3


@pytest.mark.parametrize("paper", ["ruled", "squared", "stained", "guilloche", "register", "stamp"])
def test_a_number_is_one_line_on_any_paper(paper: str, mnist: Dataset) -> None:
    digits = mnist.train.take(np.arange(57_000, 60_000))
    kind = Kind(0.0, 0.3, digits=(2, 7), papers=(paper,))
    alone = 0
    for seed in range(12):
        picture, _ = compose(digits, kind, np.random.default_rng([2, seed]))
        alone += len(find_lines(find_all_ink(picture)).found) == 1
    assert alone >= 11


def test_thick_digits_on_a_tight_guilloche_are_found(mnist: Dataset) -> None:
    # The pattern passes for noise, or makes a frame of the digits that it joins.
    digits = mnist.train.take(np.arange(57_000, 60_000))
    kind = dataclasses.replace(KINDS["on cheques and in registers"], papers=("guilloche",))
    alone = 0
    for seed in range(60):
        picture, _ = compose(digits, kind, np.random.default_rng([3, seed]))
        with contextlib.suppress(NoInkError):
            alone += len(find_lines(find_all_ink(picture)).found) == 1
    assert alone >= 58


def waves(shape: tuple[int, int], level: int) -> NDArray[np.uint8]:
    """Draw waves all over a white paper."""
    paper = np.full(shape, 255, np.uint8)
    x = np.arange(shape[1])
    for start in range(-20, shape[0] + 20, 6):
        path = np.column_stack([x, start + 8 * np.sin(x / 9)]).round().astype(np.int32)
        cv2.polylines(paper, [path], False, level, 1)
    return paper


@pytest.mark.parametrize("level", [130, 160, 190])
def test_a_pattern_is_taken_off_and_told(level: int) -> None:
    shape = (70, 150)
    plain = blocks((20, 20), (20, 60), (20, 100), shape=shape)
    page = find_all_ink(np.minimum(plain, waves(shape, level)))
    assert page.dropped == ("pale ink",)
    assert np.mean((page.levels > 127) != (plain < 127)) < 0.01


def test_digits_in_paler_ink_are_no_pattern() -> None:
    shape = (60, 220)
    strong = blocks((15, 20), (15, 60), shape=shape)
    pale = 255 - (255 - blocks((15, 100), (15, 140), (15, 180), shape=shape)) // 2
    page = find_all_ink(np.minimum(strong, pale))
    assert page.dropped == ()
    assert cv2.connectedComponents(page.mask)[0] - 1 == 5


def test_what_shines_through_is_no_line() -> None:
    picture = blocks((40, 60), (40, 90), (40, 120), shape=(130, 420))
    picture = np.minimum(picture, 255 - (255 - blocks((42, 300), (42, 340), shape=(130, 420))) // 3)
    (line,) = find_lines(find_all_ink(picture)).found
    assert line.levels.shape[1] < 80
