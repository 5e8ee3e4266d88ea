"""Pictures of digits among other things: numbers, labels, boxes, rings, specks, figures.

They are for evaluation only, and are drawn from images of digits by pens and papers of many kinds.
"""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Levels = NDArray[np.uint8]
Shape = NDArray[np.float32]
"""How much of every pixel is covered with ink, float32 (H, W), from 0 to 1."""
Generator = np.random.Generator

FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmr10")
LETTERS = "ABCDEFGHKLMNPQRSTUVWXYZabcdefhkmnprtuvwxy"
OPERATORS = "+-=×÷/<>±*:"
UNITS = ("cm", "kg", "m", "€", "$", "%", "°C", "km/h", "h", "ml", "£", "EUR")
LABELS = (
    "No.",
    "Age",
    "Date",
    "Name:",
    "Total",
    "Page",
    "Klasse",
    "Q1.",
    "Score:",
    "Points",
    "Nr.",
)
COLOUR_MAPS = (
    *("viridis", "plasma", "inferno", "magma", "cividis", "jet", "hot", "gray", "gray_r"),
    *("binary", "bone", "Blues", "Greens", "Reds", "Greys", "coolwarm", "turbo", "cubehelix"),
    *("copper", "YlGnBu", "RdBu", "hsv", "nipy_spectral", "rainbow", "winter", "summer"),
)


class NotPossibleError(Exception):
    """A digit cannot be drawn as its kind asks."""


def crop(shape: Shape) -> Shape:
    """Cut off what has no ink."""
    rows, columns = (np.flatnonzero(shape.max(axis=axis) > 0.3) for axis in (1, 0))
    return shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def enlarge(digit: Levels, height: float) -> Shape:
    """Return a digit as crisp as ink is, whose longer side has `height` pixels."""
    small = digit.astype(np.float32) / np.float32(255)
    ink = crop(small)
    scale = height / max(ink.shape)
    size = max(3, round(28 * scale))
    soft = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    crisp = 1 / (1 + np.exp(-(soft - 0.5) * 6 * max(1.0, scale / 2)))
    return crop(((crisp - 0.1) / 0.85).clip(0, 1).astype(np.float32))


def put(sheet: Shape, shape: Shape, top: float, left: float) -> None:
    """Draw a shape onto a sheet; it must lie inside."""
    y, x = round(top), round(left)
    place = sheet[y : y + shape.shape[0], x : x + shape.shape[1]]
    np.maximum(place, shape[: place.shape[0], : place.shape[1]], out=place)


def write(text: str, height: float, generator: Generator) -> Shape:
    """Return a printed text, whose capitals have about `height` pixels."""
    font = FONTS[generator.integers(len(FONTS))]
    if not text.isascii():
        font = "DejaVuSans"
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    type_ = ImageFont.truetype(file, max(6, round(height * 1.35)))
    left, top, right, bottom = map(round, type_.getbbox(text))
    image = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, 255, type_)
    return np.asarray(image).astype(np.float32) / np.float32(255)


def finish(
    sheet: Shape, generator: Generator, *, faint: bool = True, pencil: bool = False
) -> Levels:
    """Colour ink and paper, and add noise and compression as pictures have them."""
    paper = generator.uniform(200, 255)
    ink = generator.uniform(90, 180) if pencil else generator.uniform(0, 110 if faint else 60)
    levels = sheet * ink + (1 - sheet) * paper
    if generator.random() < 0.3:
        slope = np.linspace(1, generator.uniform(0.75, 1), sheet.shape[1], dtype=np.float32)
        levels = levels * slope
    if generator.random() < 0.5:
        levels = levels + generator.normal(0, generator.uniform(1, 5), levels.shape)
    grey = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    if generator.random() < 0.25:
        grey = 255 - grey
    if generator.random() < 0.3:
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "JPEG", quality=int(generator.integers(60, 95)))
        grey = np.asarray(Image.open(file))
    return grey


def blank(height: float, width: float) -> Shape:
    """Return an empty sheet."""
    return np.zeros((round(height), round(width)), np.float32)


def on_paper(shape: Shape, size: float, generator: Generator) -> Shape:
    """Lay a shape on a sheet with margins of 0.15 to 4 times `size`, small ones more often."""
    margins = size * 0.15 * (4 / 0.15) ** (generator.random() * generator.random(4))
    top, left, bottom, right = np.rint(margins).astype(int)
    return np.pad(shape, ((top, bottom), (left, right)))


def row(shapes: list[Shape], gaps: list[float], size: float, generator: Generator) -> Shape:
    """Write shapes side by side with gaps in pixels, on a baseline that is not quite level."""
    tallest = max(shape.shape[0] for shape in shapes)
    room = round(0.12 * size) + 1
    width = sum(shape.shape[1] for shape in shapes) + sum(max(0, gap) for gap in gaps) + 4
    sheet = blank(tallest + 2 * room, width + 4)
    left = 1.0
    for shape, gap in zip(shapes, [*gaps, 0.0], strict=True):
        fall = generator.uniform(-room, room)
        put(sheet, shape, room + tallest - shape.shape[0] + fall, left)
        left += shape.shape[1] + gap
    return sheet[:, : np.flatnonzero(sheet.any(axis=0))[-1] + 1]


# Numbers


def number(digits: Levels, generator: Generator, *, least: float, most: float) -> Levels:
    """Draw a number of two to five digits, with gaps as shares of their height."""
    size = generator.uniform(24, 160)
    count = generator.integers(2, 6)
    some = digits[generator.integers(len(digits), size=count)]
    shapes = [enlarge(digit, size * generator.uniform(0.85, 1.1)) for digit in some]
    gaps = (size * generator.uniform(least, most, count - 1)).tolist()
    if most <= 0:
        shapes, gaps = _touch(shapes, gaps)
    return finish(on_paper(row(shapes, gaps, size, generator), size, generator), generator)


def _touch(shapes: list[Shape], gaps: list[float]) -> tuple[list[Shape], list[float]]:
    """Move every digit to the left until its ink meets its neighbour's, and by the gap more."""
    for place, (left, right) in enumerate(itertools.pairwise(shapes)):
        height = min(len(left), len(right))
        end = np.argmax(left[-height:, ::-1] > 0.5, axis=1) + 1e3 * ~(left[-height:] > 0.5).any(1)
        start = np.argmax(right[-height:] > 0.5, axis=1) + 1e3 * ~(right[-height:] > 0.5).any(1)
        gaps[place] -= float((end + start).min())
    return shapes, gaps


def tiles(digits: Levels, generator: Generator) -> Levels:
    """Put two to five images of 28×28 pixels side by side, as they are."""
    some = digits[generator.integers(len(digits), size=generator.integers(2, 6))]
    side = np.hstack(list(some))
    return 255 - side if generator.random() < 0.5 else side


def two_in_a_square(digits: Levels, generator: Generator) -> Levels:
    """Draw two digits on a square canvas, as of a drawing page."""
    side = int(generator.choice([200, 280, 400]))
    size = side * generator.uniform(0.3, 0.45)
    shapes = [enlarge(digit, size) for digit in digits[generator.integers(len(digits), size=2)]]
    pair = row(shapes, [size * generator.uniform(0.05, 0.4)], size, generator)[:side, :side]
    sheet = blank(side, side)
    put(sheet, pair, *(generator.uniform(0, side - length) for length in pair.shape))
    return finish(sheet, generator, faint=False)


# Digits beside other things


def beside(
    texts: tuple[str, ...] | str,
    smallest: float,
    largest: float,
    digits: Levels,
    generator: Generator,
) -> Levels:
    """Draw a digit beside a printed text, whose size is a share of the digit's."""
    size = generator.uniform(40, 160)
    digit = enlarge(digits[generator.integers(len(digits))], size)
    text = write(
        texts[generator.integers(len(texts))],
        size * generator.uniform(smallest, largest),
        generator,
    )
    shapes = [digit, text] if generator.random() < 0.5 else [text, digit]
    sheet = row(shapes, [size * generator.uniform(0.05, 0.7)], size, generator)
    return finish(on_paper(sheet, size, generator), generator)


# Single digits that are not clean


def alone(digits: Levels, generator: Generator) -> Shape:
    """Draw a digit on a sheet."""
    size = generator.uniform(40, 160)
    shape = enlarge(digits[generator.integers(len(digits))], size)
    return on_paper(shape, size, generator)


def specks(digits: Levels, generator: Generator) -> Levels:
    """Draw a digit among a few specks, each narrower than half a stroke."""
    sheet = alone(digits, generator)
    size = max(crop(sheet).shape)
    for _ in range(generator.integers(1, 8)):
        dot(sheet, size * generator.uniform(0.01, 0.03), generator)
    return finish(sheet, generator)


def dirt(digits: Levels, generator: Generator) -> Levels:
    """Draw a digit and a dot of dirt about as wide as a stroke."""
    sheet = alone(digits, generator)
    dot(sheet, max(crop(sheet).shape) * generator.uniform(0.03, 0.06), generator)
    return finish(sheet, generator)


def dot(sheet: Shape, radius: float, generator: Generator) -> None:
    """Draw a dot somewhere off the ink."""
    away = cv2.distanceTransform((sheet < 0.1).astype(np.uint8), cv2.DIST_L2, 3) > 2 * radius + 2
    places = np.argwhere(away)
    if len(places):
        y, x = places[generator.integers(len(places))].tolist()
        axes = [max(1, round(radius * generator.uniform(0.7, 1.3))) for _ in range(2)]
        cv2.ellipse(sheet, (x, y), axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)


def broken(digits: Levels, generator: Generator) -> Levels:
    """Draw a digit whose pen lifted once, so that it is in two pieces."""
    for _ in range(50):
        size = generator.uniform(40, 160)
        shape = enlarge(digits[generator.integers(len(digits))], size)
        height, width = shape.shape
        y, x = generator.uniform(0.15, 0.85) * height, generator.uniform(0.1, 0.9) * width
        angle = generator.uniform(0, np.pi)
        rows, columns = np.mgrid[:height, :width]
        off = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        cut = shape * (np.abs(off) > size * generator.uniform(0.02, 0.06))
        count, _, stats, _ = cv2.connectedComponentsWithStats((cut > 0.5).astype(np.uint8))
        areas = np.sort(stats[1:, 4])[::-1]
        if count >= 3 and areas[1] > 0.08 * areas[0]:
            return finish(on_paper(cut.astype(np.float32), size, generator), generator)
    raise NotPossibleError("no digit could be broken")


def flag(fives: Levels, generator: Generator) -> Levels:
    """Draw a 5 whose flag is loose."""
    for _ in range(200):
        size = generator.uniform(40, 160)
        shape = enlarge(fives[generator.integers(len(fives))], size)
        height, width = shape.shape
        x, y = generator.uniform(0.35, 0.75) * width, generator.uniform(0.1, 0.45) * height
        off = np.abs(np.arange(width) - x)[None] < size * generator.uniform(0.015, 0.05)
        cut = shape * ~(off & (np.arange(height) < y)[:, None])
        count, labels, stats, _ = cv2.connectedComponentsWithStats((cut > 0.5).astype(np.uint8))
        if count == 3:
            small = 1 + int(stats[1:, 4].argmin())
            right = stats[small, 0] >= x - 1 and stats[small, 1] + stats[small, 3] < 0.6 * height
            if right and stats[small, 4] > 0.06 * stats[1:, 4].max():
                away, room = round(size * generator.uniform(0, 0.06)), round(0.1 * size)
                loose = np.pad((labels == small) * cut, ((0, 0), (away, room - away)))
                rest = np.pad((labels != small) * cut, ((0, 0), (0, room)))
                both = np.maximum(rest, loose).astype(np.float32)
                return finish(on_paper(both, size, generator), generator)
    raise NotPossibleError("no flag could be loosened")


# Digits inside other things


def framed(
    draw: Callable[[Shape, float, Generator], Shape],
    digits: Levels,
    generator: Generator,
    *,
    without: bool = False,
) -> Levels:
    """Draw a digit inside something, whose ink may be of another shade, or `without` it."""
    size = generator.uniform(40, 160)
    digit = enlarge(digits[generator.integers(len(digits))], size)
    height, width = digit.shape
    # The side of the room that the surroundings leave, as a multiple of the digit's longer side.
    room = size * generator.uniform(1.15, 2.6)
    sheet = blank(room * 2.2, room * 2.2 if draw is not cells else room * 3.6)
    middle = np.array(sheet.shape) / 2
    shift = (room - size) * generator.uniform(-0.25, 0.25, 2)
    # A pen leaves a gap between what it writes and what it draws around it.
    inner = blank(*sheet.shape)
    put(inner, digit, middle[0] - height / 2 + shift[0], middle[1] - width / 2 + shift[1])
    frame = draw(blank(*sheet.shape), room, generator)
    shades = np.array([1.0, generator.choice([1.0, generator.uniform(0.35, 1.0)])])
    if generator.random() < 0.3:
        shades = shades[::-1]
    inner = inner * shades[0]
    both = np.maximum(inner, frame * shades[1])
    margin = room * 0.02 * (2 / 0.02) ** generator.random()
    rows, columns = (np.flatnonzero(both.max(axis=axis) > 0.2) for axis in (1, 0))
    top, left = (round(max(0, each[0] - margin)) for each in (rows, columns))
    bottom, right = (round(each[-1] + margin) for each in (rows, columns))
    over = round(margin)
    chosen = np.pad(inner if without else both, over)
    return finish(chosen[top : bottom + 2 * over, left : right + 2 * over], generator)


def pen(sheet: Shape, points: NDArray[np.floating], width: float, *, closed: bool = False) -> Shape:
    """Draw a line through points (M, 2), x to the right and y down, in pixels."""
    fixed = np.rint(points * 16).astype(np.int32)
    cv2.polylines(sheet, [fixed], closed, 1.0, max(1, round(width)), cv2.LINE_AA, 4)
    return sheet


def _width(room: float, generator: Generator) -> float:
    return max(1.0, room * float(np.exp(generator.uniform(np.log(0.008), np.log(0.09)))))


def _by_hand(
    points: NDArray[np.floating], room: float, generator: Generator
) -> NDArray[np.floating]:
    """Make a line unsteady."""
    steps = generator.normal(0, 1, (len(points), 2))
    kernel = np.hanning(max(3, len(points) // 6))
    slow = np.stack([np.convolve(axis, kernel / kernel.sum(), "same") for axis in steps.T], 1)
    return (points + slow * room * generator.uniform(0.01, 0.05)).astype(np.float32)


def box(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw a printed box."""
    width = _width(room, generator)
    ratio = generator.uniform(0.9, 1.25)
    half = np.array([room * ratio, room / min(1, ratio)]) / 2 + width / 2
    corners = np.array(sheet.shape[::-1]) / 2 + half * [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    return pen(sheet, corners, width, closed=True)


def box_by_hand(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw a box with a pen, with corners that overshoot or do not meet."""
    width = _width(room, generator)
    half = np.array([room, room]) / 2 + width / 2
    corners = np.array(sheet.shape[::-1]) / 2 + half * [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    corners += generator.normal(0, 0.02 * room, corners.shape)
    if generator.random() < 0.5:  # in one line
        path = np.concatenate(
            [
                np.linspace(start, end, 30)
                for start, end in zip(corners, np.roll(corners, -1, 0), strict=True)
            ]
        )
        path = path[: len(path) - generator.integers(0, 8)]
        return pen(sheet, _by_hand(path, room, generator), width)
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        low, high = generator.uniform(-0.08, 0.06), generator.uniform(0.94, 1.08)
        line = start + np.linspace(low, high, 30)[:, None] * (end - start)
        pen(sheet, _by_hand(line, room * 0.4, generator), width)
    return sheet


def ring(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw a circle or an ellipse, exact or by hand, closed or nearly."""
    width = _width(room, generator)
    turn = generator.uniform(0.92, 1.08) if generator.random() < 0.6 else 1.0
    angle = generator.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi * turn, 120)
    # The corners of the digit's box must fit in.
    axes = room * generator.uniform(0.56, 0.75, 2) + width / 2
    grow = 1 + generator.uniform(0, 0.08) * np.linspace(0, 1, 120)
    path: NDArray[np.floating] = np.array(sheet.shape[::-1]) / 2 + axes * np.column_stack(
        [np.cos(angle) * grow, np.sin(angle) * grow]
    )
    if generator.random() < 0.6:
        path = _by_hand(path, room, generator)
    return pen(sheet, path, width)


def brackets(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw round or square brackets to the left and right."""
    width = min(_width(room, generator), 0.06 * room)
    centre = np.array(sheet.shape[::-1]) / 2
    height = room * generator.uniform(0.5, 0.65)
    reach = room * generator.uniform(0.1, 0.2)
    apart = room * generator.uniform(0.5, 0.65)
    if generator.random() < 0.5:
        t = np.linspace(-1, 1, 40)
        right = np.column_stack([apart + reach * (1 - t**2) - reach, height * t])
    else:
        right = np.array([[-reach, -1], [0, -1], [0, 1], [-reach, 1]]) * [1, height] + [apart, 0]
    pen(sheet, centre + right, width)
    return pen(sheet, centre + right * [-1, 1], width)


def cells(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw a table around the digit, whose other cells are empty, or three cells of a comb."""
    width = min(_width(room, generator), 0.05 * room)
    y, x = np.array(sheet.shape) / 2
    half = room / 2 + width / 2
    columns = [x - half, x + half]
    columns += [x - 3 * half] * bool(generator.random() < 0.6)
    columns += [x + 3 * half] * bool(generator.random() < 0.6)
    columns.sort()
    rows = [y - half, y + half]
    for row_ in rows:
        pen(sheet, np.array([[columns[0], row_], [columns[-1], row_]]), width)
    for column in columns:
        pen(sheet, np.array([[column, rows[0]], [column, rows[-1]]]), width)
    return sheet


def comb(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw a comb: a line below the digit, with teeth at its sides."""
    width = min(_width(room, generator), 0.05 * room)
    y, x = np.array(sheet.shape) / 2
    half = room / 2 + width / 2
    columns = [x - half, x + half]
    top = y - half * generator.uniform(-0.4, 1.0)
    pen(sheet, np.array([[columns[0], y + half], [columns[-1], y + half]]), width)
    for column in columns:
        pen(sheet, np.array([[column, top], [column, y + half]]), width)
    return sheet


def dashed(
    outline: Callable[[float], NDArray[np.floating]],
    sheet: Shape,
    room: float,
    generator: Generator,
) -> Shape:
    """Draw dashes or dots along a closed outline, which is given for half of its width."""
    width = min(_width(room, generator), 0.05 * room)
    corners = np.array(sheet.shape[::-1]) / 2 + outline(room / 2 + width / 2)
    corners = np.concatenate([corners, corners[:1]])
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    reached = np.concatenate([[0], np.cumsum(lengths)])
    dash = width * (0.1 if generator.random() < 0.3 else generator.uniform(1.5, 5))
    gap = width * generator.uniform(1.2, 3)
    count = max(8, round(reached[-1] / (dash + gap)))
    for start in np.linspace(0, reached[-1], count, endpoint=False):
        places = np.linspace(start, start + reached[-1] / count * dash / (dash + gap), 8)
        places = np.minimum(places, reached[-1])
        line = np.column_stack([np.interp(places, reached, axis) for axis in corners.T])
        pen(sheet, line, width)
    return sheet


def square(half: float) -> NDArray[np.floating]:
    """Return the outline of a square around the origin."""
    return half * np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


def circle(half: float) -> NDArray[np.floating]:
    """Return the outline of a circle around the origin, in which such a square has room."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    return 1.3 * half * np.column_stack([np.cos(angle), np.sin(angle)])


def corner_marks(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw the four corners of a box."""
    width = min(_width(room, generator), 0.05 * room)
    length = room * generator.uniform(0.12, 0.35)
    mark = np.array([[length, 0], [0, 0], [0, length]])
    middle = np.array(sheet.shape[::-1]) / 2
    for corner in square(1.0):
        pen(sheet, middle + corner * (room / 2 + width / 2 - mark), width)
    return sheet


def curly_brackets(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw curly brackets to the left and right."""
    width = min(_width(room, generator), 0.05 * room)
    centre = np.array(sheet.shape[::-1]) / 2
    height = room * generator.uniform(0.5, 0.65)
    reach = room * generator.uniform(0.08, 0.16)
    apart = room * generator.uniform(0.5, 0.65)
    t = np.linspace(-1, 1, 81)
    bend, point = np.clip((np.abs(t) - 0.85) / 0.15, 0, 1), np.clip(1 - np.abs(t) / 0.15, 0, 1)
    right = np.column_stack([apart + reach * (point**1.5 - bend**1.5), height * t])
    pen(sheet, centre + right, width)
    return pen(sheet, centre + right * [-1, 1], width)


def large_table(sheet: Shape, room: float, generator: Generator) -> Shape:
    """Draw a table of two or three rows and columns, all around the digit's cell or beside it."""
    width = min(_width(room, generator), 0.04 * room)
    y, x = np.array(sheet.shape) / 2
    step = room + width
    left, up = generator.integers(0, 2, 2)
    across, down = (int(generator.integers(2, 4)) for _ in range(2))
    columns = x - step / 2 + step * (np.arange(across + 1) - left)
    rows = y - step / 2 + step * (np.arange(down + 1) - up)
    for row_ in rows:
        pen(sheet, np.array([[columns[0], row_], [columns[-1], row_]]), width)
    for column in columns:
        pen(sheet, np.array([[column, rows[0]], [column, rows[-1]]]), width)
    return sheet


# Second things that are easily overlooked


def index(digits: Levels, generator: Generator) -> Levels:
    """Draw a digit with a small one as its index or exponent, which nearly touches it."""
    size = generator.uniform(40, 160)
    some = digits[generator.integers(len(digits), size=2)]
    digit, small = enlarge(some[0], size), enlarge(some[1], size * generator.uniform(0.3, 0.5))
    gap = round(size * generator.uniform(0.03, 0.12))
    height, width = small.shape[0], digit.shape[1] + gap + small.shape[1]
    sheet = blank(digit.shape[0] + height, width)
    put(sheet, digit, height / 2, 0)
    above = generator.random() < 0.5
    put(sheet, small, 0 if above else digit.shape[0], digit.shape[1] + gap)
    return finish(on_paper(sheet, size, generator), generator)


def colon(digits: Levels, generator: Generator) -> Levels:
    """Draw a digit and a colon, whose dots a pen has made."""
    size = generator.uniform(40, 160)
    digit = enlarge(digits[generator.integers(len(digits))], size)
    wide = round(0.4 * size)
    dots = blank(digit.shape[0], wide)
    for share in generator.uniform([0.2, 0.6], [0.35, 0.8]):
        axes = [max(1, round(size * generator.uniform(0.03, 0.07))) for _ in range(2)]
        place = round(wide * generator.uniform(0.4, 0.6)), round(share * len(dots))
        angle = float(generator.uniform(0, 180))
        cv2.ellipse(dots, place, axes, angle, 0, 360, 1.0, -1, cv2.LINE_AA)
    shapes = [digit, dots] if generator.random() < 0.5 else [dots, digit]
    return finish(on_paper(np.hstack(shapes), size, generator), generator)


def cut_by_the_border(digits: Levels, generator: Generator) -> Levels:
    """Draw a digit, and a second one of which the picture's left or right side shows a part."""
    size = generator.uniform(40, 160)
    shapes = [enlarge(each, size) for each in digits[generator.integers(len(digits), size=2)]]
    sheet = row(shapes, [size * generator.uniform(0.1, 0.4)], size, generator)
    shown = sheet.shape[1] - round(shapes[1].shape[1] * generator.uniform(0.25, 0.75))
    rest = round(size * generator.uniform(0.15, 0.6))
    sheet = np.pad(sheet[:, :shown], ((rest, rest), (rest, 0)))
    return finish(sheet if generator.random() < 0.5 else sheet[:, ::-1].copy(), generator)


def one_above_the_other(digits: Levels, generator: Generator) -> Levels:
    """Draw two digits, one above the other."""
    size = generator.uniform(30, 120)
    some = digits[generator.integers(len(digits), size=2)]
    shapes = [enlarge(digit, size * generator.uniform(0.85, 1.1)) for digit in some]
    gap = size * generator.uniform(0.05, 0.5)
    widest = max(shape.shape[1] for shape in shapes)
    sheet = blank(sum(shape.shape[0] for shape in shapes) + gap, 1.3 * widest)
    top = 0.0
    for shape in shapes:
        put(sheet, shape, top, generator.uniform(0, sheet.shape[1] - shape.shape[1]))
        top += shape.shape[0] + gap
    return finish(on_paper(sheet, size, generator), generator)


# Zeros, which look like rings


def thick_zero(zeros: Levels, generator: Generator) -> Levels:
    """Draw a 0 with a broad pen."""
    size = generator.uniform(40, 160)
    shape = enlarge(zeros[generator.integers(len(zeros))], size)
    side = max(2, round(size * generator.uniform(0.05, 0.12)))
    shape = np.pad(shape, side)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return finish(on_paper(cv2.dilate(shape, kernel), size, generator), generator)


def double_zero(_: Levels, generator: Generator) -> Levels:
    """Draw a 0 twice in one go, the second time a little beside the first."""
    size = generator.uniform(40, 160)
    turns = generator.uniform(1.7, 2.4)
    angle = -np.pi / 2 + np.linspace(0, 2 * np.pi * turns, 240)
    wide = generator.uniform(0.5, 0.8)
    drift = generator.uniform(0.6, 1.0), generator.uniform(0.75, 1.0)
    grow = np.column_stack([np.linspace(each, 1, 240) for each in drift])
    path = np.column_stack([np.cos(angle) * wide, np.sin(angle)]) * grow * size / 2
    path_by_hand = _by_hand(path + size, size, generator)
    sheet = pen(blank(2 * size, 2 * size), path_by_hand, size * generator.uniform(0.05, 0.11))
    return finish(on_paper(crop(sheet), size, generator), generator)


# Figures


def figure(digits: Levels, generator: Generator) -> Levels:
    """Draw a figure as matplotlib saves it, of a digit in one of its colour maps."""
    digit = digits[generator.integers(len(digits))]
    inches = generator.uniform(2, 6.4), generator.uniform(2, 4.8)
    if generator.random() < 0.4:
        inches = 6.4, 4.8
    drawn = Figure(figsize=inches, dpi=int(generator.choice([72, 100, 150])))
    axes = drawn.add_subplot()
    shown = axes.imshow(
        digit,
        cmap=COLOUR_MAPS[generator.integers(len(COLOUR_MAPS))],
        interpolation=str(generator.choice(["antialiased", "nearest", "bilinear"])),
    )
    if generator.random() < 0.4:
        axes.axis("off")
    if generator.random() < 0.4:
        axes.set_title(str(generator.choice(["Label: 3", "digit", "Prediction: 5", "7", "Sample"])))
    if generator.random() < 0.2:
        drawn.colorbar(shown)
    file = io.BytesIO()
    tight = "tight" if generator.random() < 0.4 else None
    drawn.savefig(file, format="png", bbox_inches=tight)
    return np.asarray(Image.open(file).convert("RGB"))
