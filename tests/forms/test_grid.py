"""Grids in photographs: found at any angle, and told where there are none."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkwise.errors import DataError
from inkwise.forms.grid import Grid, find_grid

Picture = NDArray[np.uint8]


def ruled(
    rows: int, columns: int, *, cell: int = 60, width: int = 2, margin: int = 50, ink: int = 40
) -> Picture:
    """Draw an empty grid on white."""
    size = rows * cell + 2 * margin, columns * cell + 2 * margin
    sheet = np.full(size, 235, np.uint8)
    right, bottom = margin + columns * cell, margin + rows * cell
    for row in range(rows + 1):
        y = margin + row * cell
        cv2.line(sheet, (margin, y), (right, y), ink, width)
    for column in range(columns + 1):
        x = margin + column * cell
        cv2.line(sheet, (x, margin), (x, bottom), ink, width)
    return sheet


def seen(sheet: Picture, corners: Any) -> tuple[Picture, NDArray[np.float64]]:
    """See a sheet from a side: its corners come to lie at these places."""
    height, width = sheet.shape
    own = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(own, np.array(corners, np.float32))
    size = np.ceil(np.max(corners, axis=0)).astype(int) + 20
    return cv2.warpPerspective(sheet, matrix, size.tolist(), borderValue=90), matrix


def expected(grid: Grid, matrix: NDArray[np.float64], cell: int = 60, margin: int = 50) -> float:
    """Return how far the corners of a grid are from where they must be, in sides of their cells."""
    rows, columns = grid.shape
    y, x = np.mgrid[0:rows, 0:columns]
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    true = margin + cell * (np.stack([x, y], -1)[:, :, None] + square)
    moved = cv2.perspectiveTransform(true.reshape(-1, 1, 2).astype(np.float64), matrix)
    moved = moved.reshape(grid.corners.shape)
    # As they are seen: from a side, the nearest cells are several times as large as the farthest.
    sides = np.linalg.norm(moved - np.roll(moved, 1, axis=-2), axis=-1).mean(axis=-1)
    return float((np.abs(moved - grid.corners).max(axis=(-2, -1)) / sides).max())


@settings(max_examples=15)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(3, 9),
    angle=st.floats(-30, 30),
    tilt=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
    width=st.integers(1, 4),
    known=st.booleans(),
)
def test_a_grid_is_found_from_any_side(
    rows: int, columns: int, angle: float, tilt: tuple[float, float], width: int, known: bool
) -> None:
    sheet = ruled(rows, columns, width=width)
    half = np.array(sheet.shape[::-1]) / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    turn = np.radians(angle)
    turned = square @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners = turned / (1 + turned @ np.array(tilt) / half.max())[:, None]
    picture, matrix = seen(sheet, corners - corners.min(0) + 10)
    grid = find_grid(picture, (rows, columns) if known else None)
    assert grid.shape == (rows, columns)
    # Where the nearest corner is over twice as near as the farthest, far cells are very small.
    assert expected(grid, matrix) < (0.15 if np.abs(tilt).max() <= 0.15 else 0.25)


@pytest.mark.parametrize("ink", [60, 150, 200])
def test_pale_lines_in_a_shadow_with_noise(ink: int) -> None:
    sheet = ruled(6, 5, ink=ink).astype(np.float64)
    sheet[:, sheet.shape[1] // 2 :] *= 0.6
    sheet += np.random.default_rng(0).normal(0, 3, sheet.shape)
    assert find_grid(sheet.clip(0, 255).astype(np.uint8)).shape == (6, 5)


def test_light_lines_on_a_board() -> None:
    assert find_grid(255 - ruled(4, 6)).shape == (4, 6)


def test_separate_boxes_are_cells_and_gaps_are_none() -> None:
    sheet = np.full((330, 620), 235, np.uint8)
    for row in range(3):
        for column in range(7):
            x, y = 30 + 80 * column, 40 + 90 * row
            cv2.rectangle(sheet, (x, y), (x + 60, y + 60), 30, 2)
    grid = find_grid(sheet)
    assert grid.shape == (3, 7)
    sides = grid.corners[:, :, 1, 0] - grid.corners[:, :, 0, 0]
    assert np.abs(sides - 60).max() < 5


@pytest.mark.parametrize("known", [True, False])
def test_a_row_of_separate_boxes_that_bends(known: bool) -> None:
    sheet = np.full((300, 900), 235, np.uint8)
    for column in range(9):
        x = 40 + 90 * column
        cv2.rectangle(sheet, (x, 120), (x + 60, 180), 30, 2)
    y, x = np.mgrid[0 : sheet.shape[0], 0 : sheet.shape[1]].astype(np.float32)
    wave = 45 * np.sin(x / 300).astype(np.float32)
    bent = cv2.remap(sheet, x, y + wave, cv2.INTER_LINEAR, borderValue=235)
    grid = find_grid(bent, (1, 9) if known else None)
    assert grid.shape == (1, 9)
    middles = grid.corners[0].mean(1)
    np.testing.assert_allclose(middles[:, 0], 70 + 90 * np.arange(9), atol=3)
    np.testing.assert_allclose(middles[:, 1], 150 - 45 * np.sin(middles[:, 0] / 300), atol=4)


def test_a_box_that_a_stroke_opens_is_where_its_neighbours_say() -> None:
    sheet = np.full((420, 620), 235, np.uint8)
    for row in range(4):
        for column in range(7):
            x, y = 30 + 80 * column, 40 + 90 * row
            cv2.rectangle(sheet, (x, y), (x + 60, y + 60), 30, 2)
    cv2.rectangle(sheet, (205, 225), (225, 260), 235, -1)  # a piece of a side is missing
    cv2.circle(sheet, (380, 70), 12, 30, 3)  # a zero is no box
    grid = find_grid(sheet)
    assert grid.shape == (4, 7)
    middles = np.stack(np.meshgrid(60 + 80 * np.arange(7), 70 + 90 * np.arange(4)), -1)
    assert np.abs(grid.corners.mean(2) - middles).max() < 4


def test_boxes_of_all_sizes_are_a_grid() -> None:
    """Too few of them are as wide and as high as their neighbours to say where the others are."""
    sizes = [
        [(60, 60), (60, 88), (64, 76)],
        [(76, 60), (76, 60), (60, 88)],
        [(92, 88), (60, 64), (76, 60)],
    ]
    sheet = np.full((360, 360), 255, np.uint8)
    for row, column in np.ndindex(3, 3):
        width, height = sizes[row][column]
        x, y = 80 + 100 * column - width // 2, 80 + 100 * row - height // 2
        cv2.rectangle(sheet, (x, y), (x + width, y + height), 0, 3)
    grid = find_grid(sheet)
    assert grid.shape == (3, 3)
    middles = np.stack(np.meshgrid(80 + 100 * np.arange(3), 80 + 100 * np.arange(3)), -1)
    assert np.abs(grid.corners.mean(2) - middles).max() < 20


def test_strokes_that_divide_cells_do_not_move_them() -> None:
    sheet = ruled(6, 3)
    for row, column in ((1, 0), (3, 1), (4, 2), (4, 0)):
        x, y = 50 + 60 * column + 25, 50 + 60 * row
        cv2.line(sheet, (x, y), (x + 6, y + 60), 40, 5)
    grid = find_grid(sheet)
    assert grid.shape == (6, 3)
    assert expected(grid, np.eye(3)) < 0.06


def test_lines_that_are_hardly_darker_than_the_noise() -> None:
    sheet = np.full((500, 760), 200.0)
    for row in range(3):
        for column in range(6):
            x, y = 40 + 115 * column, 40 + 150 * row
            cv2.rectangle(sheet, (x, y), (x + 80, y + 100), 182, 2)
    sheet += np.random.default_rng(0).normal(0, 5, sheet.shape)
    assert find_grid(sheet.clip(0, 255).astype(np.uint8), (3, 6)).shape == (3, 6)


@pytest.mark.parametrize("turned", [False, True])
def test_two_columns_that_only_one_line_divides(turned: bool) -> None:
    sheet = np.full((640, 420), 235, np.uint8)
    for row in range(8):
        cv2.line(sheet, (60, 60 + 70 * row), (360, 60 + 70 * row), 40, 2)
    cv2.line(sheet, (200, 60), (200, 550), 40, 2)
    cv2.rectangle(sheet, (0, 0), (12, 639), 90, -1)  # the desk beside the paper
    grid = find_grid(sheet.T.copy() if turned else sheet)
    assert grid.shape == ((2, 7) if turned else (7, 2))


def test_a_dark_desk_has_no_lines() -> None:
    sheet = np.full((700, 700), 30, np.float64)
    sheet[100:596, 100:596] = ruled(6, 6, cell=66)
    sheet += np.random.default_rng(0).normal(0, 6, sheet.shape)
    assert find_grid(sheet.clip(0, 255).astype(np.uint8)).shape == (6, 6)


def test_a_table_without_its_outer_columns_lines_is_whole() -> None:
    sheet = ruled(5, 4)
    sheet[:, 40:60] = 235
    sheet[:, 280:310] = 235
    for row in range(6):
        cv2.line(sheet, (50, 50 + 60 * row), (290, 50 + 60 * row), 40, 2)
    assert find_grid(sheet).shape == (5, 4)


def test_a_bent_sheet() -> None:
    sheet = ruled(8, 8)
    y, x = np.mgrid[0 : sheet.shape[0], 0 : sheet.shape[1]].astype(np.float32)
    bent = cv2.remap(sheet, x, y + 9 * np.sin(x / 110).astype(np.float32), cv2.INTER_LINEAR)
    grid = find_grid(bent)
    assert grid.shape == (8, 8)
    lines = np.abs(bent[grid.corners[..., 1].astype(int), grid.corners[..., 0].astype(int)])
    assert lines.shape == (8, 8, 4)


def test_a_folded_corner_and_a_written_line_change_nothing() -> None:
    sheet = ruled(7, 7)
    cv2.fillPoly(sheet, [np.array([[0, 0], [120, 0], [0, 120]])], 140)
    cv2.line(sheet, (60, 480), (460, 510), 20, 3)
    assert find_grid(sheet).shape == (7, 7)


def test_another_grid_than_said_is_told() -> None:
    with pytest.raises(DataError, match="9 rows and 9 columns, not 10 and 5"):
        find_grid(ruled(9, 9), (10, 5))
    # One that lies on its side is the same.
    assert find_grid(ruled(4, 7), (7, 4)).shape == (4, 7)


def landscape() -> Picture:
    """Draw hills under a sky, with trees."""
    generator = np.random.default_rng(1)
    y, x = np.mgrid[0:400, 0:600]
    hills = 200 - 40 * np.sin(x / 90) - 25 * np.sin(x / 37 + 1)
    picture = np.where(y < hills, 210 - y / 8, 90 + generator.normal(0, 14, (400, 600)))
    for _ in range(60):
        at = generator.integers([20, 220], [580, 390]).tolist()
        cv2.circle(
            picture, at, int(generator.integers(4, 16)), float(generator.integers(30, 90)), -1
        )
    return picture.clip(0, 255).astype(np.uint8)


def page_of_text() -> Picture:
    """Print lines of words."""
    page = np.full((700, 500), 240, np.uint8)
    words = "the quick brown fox jumps over 13 lazy dogs and 27 cats"
    for line in range(22):
        cv2.putText(page, words[line % 9 :][:38], (30, 50 + 29 * line), 0, 0.62, 30, 1, cv2.LINE_AA)
    return page


@pytest.mark.parametrize(
    "picture",
    [
        landscape(),
        page_of_text(),
        np.full((200, 300), 220, np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
        np.zeros((5, 5), np.uint8),
        np.full((1, 1), 255, np.uint8),
        np.full((1, 2400), 255, np.uint8),
        np.full((2400, 1), 255, np.uint8),
        cv2.circle(np.full((300, 300), 230, np.uint8), (150, 150), 90, 20, 3),
    ],
    ids=["landscape", "text", "blank", "noise", "tiny", "pixel", "flat", "thin", "ring"],
)
@pytest.mark.parametrize("shape", [None, (10, 5)])
def test_no_grid_is_told(picture: Picture, shape: tuple[int, int] | None) -> None:
    with pytest.raises(DataError, match="grid"):
        find_grid(picture, shape)
