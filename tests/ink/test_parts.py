"""Several things, and one thing with specks or in pieces."""

import cv2
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from inkwise.ink import normalise
from tests.ink.pictures import Levels


def strokes(*boxes: tuple[int, int, int, int]) -> Levels:
    """Draw filled boxes: top, left, bottom, right."""
    sheet = np.full((300, 400), 235, np.uint8)
    for top, left, bottom, right in boxes:
        sheet[top:bottom, left:right] = 40
    return sheet


STEM = (100, 120, 200, 132)
FEW = settings(max_examples=40)
"""For rules about whole pictures, each of which takes a while."""


@FEW
@given(height=st.integers(30, 120), apart=st.integers(30, 200), lower=st.integers(-40, 40))
def test_a_second_stroke_is_never_dropped(height: int, apart: int, lower: int) -> None:
    start = 150 - height // 2 + lower
    other = start, 132 + apart, start + height, 144 + apart
    ink = normalise(strokes(STEM, other))
    assert ink.parts == (STEM, other)
    assert ink.dropped == ()


@FEW
@given(radius=st.integers(1, 5), x=st.integers(150, 390), y=st.integers(10, 290))
def test_a_speck_is_dropped_and_told(radius: int, x: int, y: int) -> None:
    sheet = strokes(STEM)
    cv2.circle(sheet, (x, y), radius, 40, -1)
    ink = normalise(sheet)
    assert (ink.parts, ink.apart) == ((), False)
    assert ink.box == normalise(strokes(STEM)).box


@FEW
@given(gap=st.integers(2, 8), at=st.integers(130, 170))
def test_a_stroke_broken_in_two_is_one(gap: int, at: int) -> None:
    ink = normalise(strokes((100, 120, at, 132), (at + gap, 120, 200, 132)))
    assert (ink.parts, ink.apart) == ((), False)
    assert ink.box == STEM


@FEW
@given(
    width=st.integers(8, 24),
    share=st.floats(0.3, 0.75),
    length=st.integers(50, 80),
    at=st.integers(110, 170),
)
def test_a_piece_across_a_gap_narrower_than_the_stroke_is_left_to_the_model(
    width: int, share: float, length: int, at: int
) -> None:
    start = 120 + width + round(share * width)
    ink = normalise(strokes((100, 120, 200, 120 + width), (at, start, at + width, start + length)))
    assert (ink.apart, ink.alone) == (False, ())
    assert ink.box == (100, 120, max(200, at + width), start + length)


@FEW
@given(width=st.integers(4, 16), gap=st.floats(1.3, 3), high=st.integers(60, 100))
def test_a_piece_across_a_wider_gap_may_be_a_digit(width: int, gap: float, high: int) -> None:
    start = 120 + width + round(gap * width)
    ink = normalise(strokes((100, 120, 200, 120 + width), (100, start, 100 + high, start + width)))
    assert ink.apart or len(ink.alone) == len(ink.parts) == 2


@FEW
@given(size=st.integers(9, 60), x=st.integers(20, 300), y=st.integers(20, 200))
def test_pieces_are_kept_together_where_signs_are_made_of_them(size: int, x: int, y: int) -> None:
    assume(not (120 - size - 2 <= x <= 134 and 100 - size - 2 <= y <= 202))  # they do not touch
    sheet = strokes(STEM, (y, x, y + size, x + size))
    ink = normalise(sheet, together=True)
    assert ink.box == (min(100, y), min(120, x), max(200, y + size), max(132, x + size))
    assert (ink.pieces, ink.lost, ink.apart, ink.parts, ink.alone) == (2, 0, False, (), ())


def test_dirt_smaller_than_the_strokes_is_no_piece() -> None:
    for together in (True, False):
        ink = normalise(strokes(STEM, (120, 180, 125, 185)), together=together)
        assert (ink.box, ink.pieces, ink.dropped) == (STEM, 1, ("specks",))


def test_a_colon_a_dash_and_print_are_no_specks() -> None:
    colon = [(120, 160, 132, 172), (160, 160, 172, 172)]
    dash = [(146, 170, 154, 200)]
    print_ = [(150, left, 165, left + 10) for left in range(170, 240, 16)]
    for things in (colon, dash, print_):
        assert normalise(strokes(STEM, *things)).apart


@FEW
@given(
    radii=st.sampled_from([(5, 5), (5, 7), (8, 6)]),
    apart=st.integers(30, 70),
    off=st.integers(-4, 4),
)
def test_a_colon_by_hand_is_a_second_thing(radii: tuple[int, int], apart: int, off: int) -> None:
    sheet = strokes(STEM)
    for place, radius in enumerate(radii):
        cv2.circle(sheet, (165 + place * off, 115 + place * apart), radius, 40, -1)
    assert normalise(sheet).apart


@FEW
@given(length=st.integers(30, 60), width=st.integers(8, 16), top=st.integers(60, 200))
def test_a_stroke_that_the_border_cuts_is_a_second_thing(length: int, width: int, top: int) -> None:
    assert normalise(strokes(STEM, (top, 400 - length, top + width, 400))).apart
    assert not normalise(strokes(STEM, (top, 397, top + 45, 400))).apart  # an edge of paper


def test_what_is_at_the_border_and_much_larger_is_not_a_second_thing() -> None:
    assert not normalise(strokes(STEM, (0, 380, 300, 400))).apart


def test_parts_near_each_other_can_be_looked_at_alone() -> None:
    ink = normalise(strokes(STEM, (100, 145, 200, 157)))
    assert not ink.apart
    assert len(ink.parts) == len(ink.alone) == 2
    upright = normalise(strokes(STEM)).image
    for (alone,) in ink.alone:
        np.testing.assert_allclose(alone.max(0)[10:18].sum(), upright.max(0).sum(), atol=255)
        assert alone.any(axis=1).sum() == 20


def test_wide_ink_is_cut_where_two_digits_may_touch() -> None:
    ink = normalise(strokes(STEM, (100, 200, 200, 212), (146, 120, 154, 212)))
    assert ink.parts == ()
    assert ink.alone
    for left, right in ink.alone:  # a stem with half of the bar between them
        assert left.any(axis=1).sum() == right.any(axis=1).sum() == 20
        assert left.any(axis=0).sum() < 14 > right.any(axis=0).sum()
