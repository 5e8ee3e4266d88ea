"""What is around a digit is not the digit, and a 0 is not around anything."""

import itertools
import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkwise.ink import normalise
from tests.ink.pictures import Levels

SIDE = 400
AROUND = (
    *("box", "ring", "ellipse", "nearly closed", "sides", "table", "comb", "round", "square"),
    *("dashed box", "dotted ring", "corners"),
)
"""Kinds of what is around a digit; `draw_dashes` draws the last three."""


def draw_dashes(sheet: Levels, kind: str, room: int, width: int, level: int) -> None:
    """Draw a frame of dashes, of dots or of its corners alone."""
    half, middle = room // 2 + width, SIDE // 2
    low, high = middle - half, middle + half
    line: dict[str, Any] = {"color": level, "thickness": width}
    match kind:
        case "dashed box":
            for at in range(low, high - 3, 8 + 4 * width):
                for edge in (low, high):
                    cv2.line(sheet, (at, edge), (min(high, at + 4 + 2 * width), edge), **line)
                    cv2.line(sheet, (edge, at), (edge, min(high, at + 4 + 2 * width)), **line)
        case "dotted ring":
            for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
                x, y = (round(middle + 1.45 * half * each(angle)) for each in (np.cos, np.sin))
                cv2.circle(sheet, (x, y), width + 2, level, -1)
        case "corners":
            for x, y in itertools.product((low, high), (low, high)):
                across, down = np.sign(middle - x) * 30, np.sign(middle - y) * 30
                points = [(x + across, y), (x, y), (x, y + down)]
                cv2.polylines(sheet, [np.array(points)], False, **line)


def draw_around(sheet: Levels, kind: str, room: int, width: int, level: int) -> None:
    """Draw something around the middle of a sheet that leaves a square of `room` pixels free."""
    half, middle = room // 2 + width, SIDE // 2
    low, high = middle - half, middle + half
    line: dict[str, Any] = {"color": level, "thickness": width}
    corners = [(low, low), (high, low), (high, high), (low, high)]
    reach = round(half * 1.45)
    match kind:
        case "box":
            cv2.rectangle(sheet, corners[0], corners[2], **line)
        case "ring":
            cv2.circle(sheet, (middle, middle), reach, **line)
        case "ellipse":
            cv2.ellipse(sheet, (middle, middle), (reach, round(1.2 * reach)), 20, 0, 360, **line)
        case "nearly closed":
            cv2.ellipse(sheet, (middle, middle), (reach, reach), 0, 20, 350, **line)
        case "sides":
            for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
                dx, dy = np.sign(x1 - x0) * 2 * width, np.sign(y1 - y0) * 2 * width
                cv2.line(sheet, (x0 + dx, y0 + dy), (x1 - dx, y1 - dy), **line)
        case "table":
            cv2.rectangle(sheet, (low - 60, low), corners[2], **line)
            cv2.line(sheet, corners[0], corners[3], **line)
        case "comb":
            points = [corners[0], corners[3], corners[2], corners[1]]
            cv2.polylines(sheet, [np.array(points)], False, **line)
        case "round":
            for side in (0, 180):
                cv2.ellipse(sheet, (middle, middle), (half, reach), side, -50, 50, **line)
        case "square":
            for outer, inner in ((low, low + 20), (high, high - 20)):
                points = [(inner, low), (outer, low), (outer, high), (inner, high)]
                cv2.polylines(sheet, [np.array(points)], False, **line)


def two(level: int) -> Levels:
    """Draw a 2 in the middle of a sheet, 100 pixels high."""
    sheet = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(sheet, (200, 178), (28, 28), 0, 180, 400, level, 9)
    cv2.line(sheet, (222, 196), (172, 248), level, 9)
    cv2.line(sheet, (172, 248), (232, 248), level, 9)
    return sheet


@pytest.mark.parametrize("kind", AROUND)
@settings(deadline=None, max_examples=12)
@given(
    room=st.integers(120, 220),
    width=st.integers(1, 9),
    shades=st.sampled_from([(200, 200), (220, 90), (110, 230)]),
    dark=st.booleans(),
)
def test_a_digit_is_found_inside(
    kind: str, room: int, width: int, shades: tuple[int, int], dark: bool
) -> None:
    alone = two(shades[0])
    inside = alone.copy()
    draw = draw_dashes if kind in AROUND[-3:] else draw_around
    draw(inside, kind, room, width, shades[1])
    plain, found = (normalise(255 - each if dark else each) for each in (alone, inside))
    assert found.dropped == ("surroundings",)
    assert found.parts == ()
    assert np.abs(np.subtract(found.box, plain.box)).max() <= 3
    assert np.corrcoef(found.image.ravel(), plain.image.ravel())[0, 1] > 0.97


@settings(max_examples=50)
@given(
    wide=st.floats(0.45, 0.75),
    turns=st.floats(1, 2.5),
    grow=st.floats(1, 1.2),
    width=st.integers(4, 24),
    inside=st.sampled_from(["nothing", "a dot", "a slash"]),
)
def test_a_zero_is_no_ring(wide: float, turns: float, grow: float, width: int, inside: str) -> None:
    angle = np.linspace(0, 2 * math.pi * turns, 200)
    reach = np.linspace(100, 100 * grow, 200)
    path = np.column_stack([np.sin(angle) * wide * reach, -np.cos(angle) * reach]) + 200
    sheet = np.zeros((SIDE, SIDE), np.uint8)
    cv2.polylines(sheet, [np.rint(path).astype(np.int32)], False, 255, width)
    alone = normalise(sheet).box
    if inside == "a dot":
        cv2.circle(sheet, (200, 200), 4, 255, -1)
    if inside == "a slash" and width <= 10:
        cv2.line(sheet, (180, 245), (220, 155), 255, 5)
    found = normalise(sheet)
    assert "surroundings" not in found.dropped
    assert found.box == alone


@settings(max_examples=40)
@given(share=st.floats(0.2, 0.35), thick=st.integers(1, 13), turns=st.integers(0, 3))
def test_a_small_thick_digit_is_no_dot_of_a_zero(share: float, thick: int, turns: int) -> None:
    digit = cv2.dilate(two(255)[140:260, 140:260], np.ones((thick, thick), np.uint8))
    side = round(1.2 * share * 300)  # the digit is as high as this share of the ring
    sheet = np.zeros((SIDE, SIDE), np.uint8)
    middle = slice(200 - side // 2, 200 - side // 2 + side)
    sheet[middle, middle] = cv2.resize(np.rot90(digit, turns), (side, side))
    cv2.circle(sheet, (200, 200), 150, 255, 7)
    assert normalise(sheet).dropped == ("surroundings",)


def test_small_print_outside_a_frame_is_left_out_too_and_large_print_is_not() -> None:
    for size, apart in ((0.4, False), (2.0, True)):
        sheet = two(255)
        draw_around(sheet, "box", 160, 3, 255)
        for at in ((100, 380), (220, 380)):
            cv2.putText(sheet, "25", at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 2)
        assert normalise(sheet).apart == apart
