"""Forms drawn as people fill them in and photograph them: tables, score sheets, sudokus, combs.

They are for measuring, and are drawn from images of digits. The paper is bent and turned, seen at
an angle, in uneven light, with a shadow, out of focus, with noise, as a JPEG.
"""

import dataclasses
import io
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scenes import FONTS, Generator, Shape, enlarge, write

from inkwise.data.dataset import Split

FINE = 1400
"""Longest side of a drawn form, in pixels."""

Pixels = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class Form:
    """A form that was drawn.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        The photograph.
    rows, columns : int
        Its grid.
    texts : tuple of tuple of str
        What is written in each cell; empty if nothing is.
    printed : tuple of tuple of bool
        Which of it is printed.
    corners : ndarray of float64, shape (R, C, 4, 2)
        Corners of each cell in the picture, x and y, clockwise from the top left.
    """

    picture: Pixels
    rows: int
    columns: int
    texts: tuple[tuple[str, ...], ...]
    printed: tuple[tuple[bool, ...], ...]
    corners: NDArray[np.float64]


KINDS = ("table", "sudoku", "score sheet", "comb", "boxes", "open table")


def draw_form(kind: str, digits: Split, generator: Generator, *, angle: float = 12) -> Form:
    """Draw a form of a kind, fill it in and photograph it, turned by up to `angle` degrees."""
    rows, columns = _size(kind, generator)
    lefts, tops, gap = _edges(kind, rows, columns, generator)
    height, width = round(tops[-1][1]), round(lefts[-1][1])
    margins = np.rint(FINE * generator.uniform(0.05, 0.22, 4)).astype(int)
    sheet = np.zeros(
        (height + margins[0] + margins[1], width + margins[2] + margins[3]), np.float32
    )
    lefts, tops = lefts + margins[2], tops + margins[0]
    cell = float(min((lefts[:, 1] - lefts[:, 0]).min(), (tops[:, 1] - tops[:, 0]).min()))
    ruled = np.zeros_like(sheet)
    _rule(ruled, kind, lefts, tops, cell, gap, generator)
    shade = generator.uniform(0.35, 1.0)
    texts, printed = _fill(sheet, kind, digits, lefts, tops, cell, generator)
    sheet = np.maximum(sheet, ruled * shade)
    _write_around(sheet, tops, generator)
    corners = np.array(
        [
            [[[l, t], [r, t], [r, b], [l, b]] for l, r in lefts]  # noqa: E741
            for t, b in tops
        ],
        np.float64,
    )
    picture, corners = photograph(sheet, corners, generator, angle=angle)
    return Form(picture, rows, columns, texts, printed, corners)


def _size(kind: str, generator: Generator) -> tuple[int, int]:
    match kind:
        case "sudoku":
            return 9, 9
        case "comb":
            return 1, int(generator.integers(5, 13))
        case "boxes":
            return int(generator.integers(1, 7)), int(generator.integers(4, 11))
        case "score sheet":
            return int(generator.integers(6, 19)), int(generator.integers(3, 10))
    return int(generator.integers(3, 13)), int(generator.integers(2, 10))


def _edges(
    kind: str, rows: int, columns: int, generator: Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return left and right of each column, top and bottom of each row, and the gap between."""
    gap = generator.uniform(0.15, 0.6) if kind == "boxes" else 0.0
    wide = np.ones(columns)
    high = np.ones(rows)
    if kind in {"table", "open table"}:
        wide = generator.uniform(1.0, 2.4) * np.exp(generator.normal(0, 0.25, columns))
        high = np.exp(generator.normal(0, 0.08, rows))
    elif kind == "score sheet":
        wide = wide * generator.uniform(1.2, 2.2)
    elif kind in {"comb", "boxes"}:
        wide = wide * generator.uniform(0.65, 1.1)
    scale = FINE / max((wide + gap).sum(), (high + gap).sum(), 5.0)
    ends = []
    for sizes in (wide * scale, high * scale):
        starts = np.concatenate([[0], np.cumsum(sizes + gap * scale)[:-1]])
        ends.append(np.stack([starts, starts + sizes], 1))
    return ends[0], ends[1], gap


def _rule(
    sheet: Shape,
    kind: str,
    lefts: NDArray[np.float64],
    tops: NDArray[np.float64],
    cell: float,
    gap: float,
    generator: Generator,
) -> None:
    thin = max(1.0, cell * float(np.exp(generator.uniform(np.log(0.012), np.log(0.05)))))
    x0, x1, y0, y1 = lefts[0, 0], lefts[-1, 1], tops[0, 0], tops[-1, 1]

    def line(start: tuple[float, float], end: tuple[float, float], width: float) -> None:
        one, other = ((round(x * 16), round(y * 16)) for x, y in (start, end))
        cv2.line(sheet, one, other, 1.0, max(1, round(width)), cv2.LINE_AA, 4)

    if gap:
        for left, right in lefts:
            for top, bottom in tops:
                path = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
                fixed = np.rint(path * 16).astype(np.int32)
                cv2.polylines(sheet, [fixed], True, 1.0, max(1, round(thin)), cv2.LINE_AA, 4)
        return
    thick = thin * generator.uniform(2, 4) if kind == "sudoku" else thin
    outer = thin * (generator.uniform(1, 3) if generator.random() < 0.4 else 1)
    for place, x in enumerate([*lefts[:, 0], x1]):
        outermost = place in (0, len(lefts))
        if kind == "open table" and outermost:
            continue
        width = thick if kind == "sudoku" and place % 3 == 0 else outer if outermost else thin
        line((x, y0), (x, y1), width)
    for place, y in enumerate([*tops[:, 0], y1]):
        outermost = place in (0, len(tops))
        width = thick if kind == "sudoku" and place % 3 == 0 else outer if outermost else thin
        line((x0, y), (x1, y), width)


def _fill(
    sheet: Shape,
    kind: str,
    digits: Split,
    lefts: NDArray[np.float64],
    tops: NDArray[np.float64],
    cell: float,
    generator: Generator,
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[bool, ...], ...]]:
    """Write into the cells with one pen, and print some of a sudoku."""
    share = generator.uniform(0.5, 0.95)
    size = cell * generator.uniform(0.5, 0.75)
    font, height = str(generator.choice(FONTS)), cell * generator.uniform(0.45, 0.62)
    ink = generator.uniform(0.55, 1.0)
    width = generator.uniform(0.05, 0.12)
    texts: list[tuple[str, ...]] = []
    printed: list[tuple[bool, ...]] = []
    numbers = kind in {"table", "open table", "score sheet"} and generator.random() < 0.5
    for top, bottom in tops:
        row, by_print = [], []
        for left, right in lefts:
            text, is_printed = "", False
            middle = np.array([(left + right) / 2, (top + bottom) / 2])
            if kind == "sudoku" and generator.random() < 0.35:
                text, is_printed = str(generator.integers(1, 10)), True
                _print_digit(sheet, text, font, height, middle)
            elif generator.random() < share:
                room = (right - left) / size
                most = int(min(3, room / 0.95)) if numbers else 1
                count = int(generator.integers(1, most + 1)) if most > 1 else 1
                shapes = []
                for _ in range(count):
                    place = int(generator.integers(len(digits)))
                    if kind == "sudoku":
                        while digits.labels[place] == 0:
                            place = int(generator.integers(len(digits)))
                    text += str(digits.labels[place])
                    shape = enlarge(digits.images[place], size * np.exp(generator.normal(0, 0.08)))
                    shapes.append(_by_pen(shape, size * width))
                gap = size * generator.uniform(0.08, 0.2)
                whole = sum(shape.shape[1] for shape in shapes) + gap * (count - 1)
                free = max(0.0, (right - left - whole) / 2 - 0.04 * cell)
                start = middle[0] - whole / 2 + free * generator.uniform(-0.6, 0.6)
                for shape in shapes:
                    above = max(0.0, (bottom - top - shape.shape[0]) / 2 - 0.04 * cell)
                    up = middle[1] - shape.shape[0] / 2 + above * generator.uniform(-0.6, 0.6)
                    _put(sheet, shape * ink, up, start)
                    start += shape.shape[1] + gap
            row.append(text)
            by_print.append(is_printed)
        texts.append(tuple(row))
        printed.append(tuple(by_print))
    return tuple(texts), tuple(printed)


def _by_pen(shape: Shape, width: float) -> Shape:
    own = (
        4
        * cv2.mean(
            cv2.distanceTransform((shape > 0.5).astype(np.uint8), cv2.DIST_L2, 5),
            (shape > 0.5).astype(np.uint8),
        )[0]
        - 2
    )
    by = round(0.6 * (width - own))
    if by <= 0:
        return shape
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1))
    return cv2.dilate(np.pad(shape, by), kernel)


def _put(sheet: Shape, shape: Shape, top: float, left: float) -> None:
    y, x = max(0, round(top)), max(0, round(left))
    place = sheet[y : y + shape.shape[0], x : x + shape.shape[1]]
    np.maximum(place, shape[: place.shape[0], : place.shape[1]], out=place)


def _print_digit(
    sheet: Shape, text: str, font: str, height: float, middle: NDArray[np.float64]
) -> None:
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    type_ = ImageFont.truetype(file, max(6, round(height * 1.35)))
    image = Image.new("L", sheet.shape[::-1])
    ImageDraw.Draw(image).text(tuple(middle), text, 255, type_, anchor="mm")
    np.maximum(sheet, np.asarray(image).astype(np.float32) / np.float32(255), out=sheet)


def _write_around(sheet: Shape, tops: NDArray[np.float64], generator: Generator) -> None:
    """Print a heading above the form, and something below it."""
    for top, bottom in ((0, tops[0, 0]), (tops[-1, 1], len(sheet))):
        room = bottom - top
        if generator.random() < 0.6 and room > 60:
            words = generator.choice(
                ["Total", "Name", "No. 7", "Round 3", "Date 12.5.", "Points"], 3
            )
            text = write(" ".join(words), room * 0.25, generator)
            left = generator.uniform(0.05, 0.4) * sheet.shape[1]
            _put(sheet, text[:, : round(sheet.shape[1] - left) - 2], top + room * 0.35, left)


def photograph(
    sheet: Shape, places: NDArray[np.float64], generator: Generator, *, angle: float = 12
) -> tuple[Pixels, NDArray[np.float64]]:
    """Photograph a sheet; returns the picture, and where places of the sheet are in it.

    Parameters
    ----------
    sheet : ndarray of float32, shape (H, W)
        How much of every pixel is covered with ink.
    places : ndarray of float64, shape (..., 2)
        Places on the sheet, x and y.
    generator : Generator
        Draws the camera's place, the light and the noise.
    angle : float
        Greatest angle by which the sheet is turned, in degrees.
    """
    height, width = sheet.shape
    paper = generator.uniform(0.75, 1.0)
    tint = 1 - generator.uniform(0, 0.12, 3) * [0.2, 0.5, 1.0]
    pen = generator.uniform(0.0, 0.35) + generator.uniform(0, 0.25, 3) * [0.2, 0.4, 1.0]
    colours = paper * tint * (1 - sheet[..., None]) + sheet[..., None] * pen * 0.7
    size = int(generator.integers(900, 1700))
    turn = np.radians(generator.uniform(-angle, angle))
    square = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    centred = (square - [width / 2, height / 2]) / max(width, height)
    tilt = generator.normal(0, 0.12, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = centred @ rotation.T
    seen = seen / (1 + seen @ tilt)[:, None] * size * generator.uniform(0.85, 1.25)
    seen -= seen.min(0)
    room = size * generator.uniform(0.0, 0.08)
    frame = np.rint(seen.max(0) + 2 * room).astype(int)
    seen += room
    matrix = cv2.getPerspectiveTransform(square.astype(np.float32), seen.astype(np.float32))
    # A page that is bent: each place moves along a smooth wave.
    bend = generator.uniform(0, 0.012) * max(width, height)
    phase, way = generator.uniform(0, 2 * np.pi, 2), generator.uniform(0.6, 1.6, 2)

    def bent(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = points[..., 0] / width, points[..., 1] / height
        return points + bend * np.stack(
            [0.5 * np.sin(np.pi * way[0] * y + phase[0]), np.sin(np.pi * way[1] * x + phase[1])], -1
        )

    flat = places.reshape(-1, 1, 2)
    # Where places go: bent first, then seen.
    moved = cv2.perspectiveTransform(bent(flat), matrix).reshape(places.shape)
    # The way back is smooth, so that every eighth pixel is enough.
    coarse = [np.linspace(0, side - 1, side // 8 + 2) for side in frame.tolist()]
    seen_from = np.stack(np.meshgrid(*coarse), -1).reshape(-1, 1, 2)
    back = cv2.perspectiveTransform(seen_from, np.linalg.inv(matrix))
    source = back
    for _ in range(4):  # the inverse of the bend, by iteration
        source = source - (bent(source) - back)
    source = source.reshape(len(coarse[1]), len(coarse[0]), 2).astype(np.float32)
    across = np.linspace(0, len(coarse[0]) - 1, frame[0], dtype=np.float32)
    down = np.linspace(0, len(coarse[1]) - 1, frame[1], dtype=np.float32)
    fine = cv2.remap(source, *np.meshgrid(across, down), cv2.INTER_LINEAR)
    shrink = max(width, height) / size
    colours = colours.astype(np.float32)
    soft = cv2.GaussianBlur(colours, (0, 0), max(0.3, 0.35 * shrink))
    desk = generator.uniform(0.05, 0.6, 3)
    photo = cv2.remap(
        soft,
        fine[..., 0],
        fine[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(desk),
    )
    light = _light(frame[1], frame[0], generator)
    photo = photo * light[..., None]
    photo = cv2.GaussianBlur(photo, (0, 0), generator.uniform(0.3, 1.3) * size / 1300)
    sigma = generator.uniform(0.003, 0.025)
    photo += sigma * generator.standard_normal(photo.shape, np.float32)
    levels = np.clip(np.rint(photo * 255), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=int(generator.integers(50, 95)))
    return np.asarray(Image.open(file)), moved


def _light(height: int, width: int, generator: Generator) -> Shape:
    """Return how bright the light is in every pixel: a slope, and perhaps a shadow."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)
    way = generator.uniform(0, 2 * np.pi)
    slope = (np.cos(way) * (x - 0.5) + np.sin(way) * (y - 0.5)) * generator.uniform(0, 0.5)
    light = 0.95 + slope - float(np.abs(slope).max()) * 0.5
    if generator.random() < 0.5:
        edge = (np.cos(way + 1) * (x - 0.5) + np.sin(way + 1) * (y - 0.5)) - generator.uniform(
            -0.3, 0.3
        )
        soft = generator.uniform(0.005, 0.1)
        light = light * (1 - generator.uniform(0.15, 0.5) / (1 + np.exp(-edge / soft)))
    return light.astype(np.float32)
