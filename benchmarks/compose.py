"""Numbers composed of images of digits, as a hand with one pen writes them.

They are for measuring and for fitting the reader, and are drawn on papers of a few kinds.
"""

import dataclasses

import cv2
import numpy as np
from scenes import Generator, Levels, Shape, blank, enlarge, finish, put, write

from inkwise.data.dataset import Split
from inkwise.ink.components import stroke_width
from inkwise.reading.alphabet import OTHER


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of composed number.

    Parameters
    ----------
    least, most : float
        Least and greatest mean gap between neighbours' ink, in the row where they are nearest, as
        shares of their height; negative gaps overlap.
    spread : float
        Standard deviation of the gaps of one number, as a share of the height.
    digits : tuple of int
        Least and greatest number of digits.
    marks : float
        Share of the numbers with a point, a comma, a minus or the like.
    papers : tuple of str
        What they are written on.
    tight : bool
        Whether a picture may be cut out close to the number, or a little through it.
    one_pen : bool
        Whether all strokes are brought near one width, which makes some digits hard to tell.
    """

    least: float
    most: float
    spread: float = 0.05
    digits: tuple[int, int] = (5, 5)
    marks: float = 0.0
    papers: tuple[str, ...] = ("plain", "plain", "ruled", "squared", "stained")
    tight: bool = False
    one_pen: bool = True


KINDS = {
    "apart to overlapping": Kind(-0.03, 0.4),
    "every neighbour touching": Kind(-0.05, -0.01, spread=0.015),
    "with marks": Kind(0.02, 0.3, digits=(1, 7), marks=1.0),
    "one to nine digits": Kind(-0.03, 0.3, digits=(1, 9)),
    "apart to overlapping, strokes as in MNIST": Kind(-0.03, 0.4, one_pen=False),
    "every neighbour touching, strokes as in MNIST": Kind(
        -0.05, -0.01, spread=0.015, one_pen=False
    ),
    "on cheques and in registers": Kind(
        -0.04,
        0.2,
        digits=(3, 7),
        papers=("guilloche", "guilloche", "stamp", "pencil", "register", "register"),
        tight=True,
    ),
}


def compose(digits: Split, kind: Kind, generator: Generator) -> tuple[Levels, str]:
    """Return a picture of a number, and what is written, with `OTHER` for what is printed."""
    size = float(np.exp(generator.uniform(np.log(24), np.log(140))))
    least, most = kind.digits
    count = int(generator.integers(least, most + 1))
    places = generator.integers(len(digits), size=count)
    width, lean = size * generator.uniform(0.05, 0.15), generator.normal(0, 0.13)
    wide = np.exp(generator.normal(0, 0.1))
    shapes = []
    for image in digits.images[places]:
        shape = enlarge(image, size * np.exp(generator.normal(0, 0.09)))
        shape = slanted(shape, lean, wide)
        shapes.append(by_pen(shape, width, generator) if kind.one_pen else shape)
    text = "".join(map(str, digits.labels[places].tolist()))
    mean = generator.uniform(kind.least, kind.most)
    gaps = size * generator.normal(mean, kind.spread, count)
    if kind.most <= 0:
        gaps = np.minimum(gaps, -1.0)
    bases = [float(fall) for fall in generator.normal(0, 0.04 * size, count)]
    if generator.random() < kind.marks:
        text = add_mark(shapes, bases, gaps, text, size, width, generator)
        gaps = np.resize(gaps, len(shapes))
    sheet = lay(shapes, bases, [float(gap) for gap in gaps], generator.normal(0, 0.05))
    margins = np.rint(size * generator.uniform(0.1, 1.2, 4)).astype(int)
    if kind.tight:
        margins = np.rint(size * generator.uniform(0.0, 0.35, 4)).astype(int)
    sheet = np.pad(sheet, ((margins[0], margins[1]), (margins[2], margins[3])))
    return finish_on(sheet, size, str(generator.choice(kind.papers)), generator), text


def slanted(shape: Shape, lean: float, wide: float) -> Shape:
    """Slant a shape by pixels to the right for a pixel up, and widen it."""
    height, width = shape.shape
    room = round(abs(lean) * height) + 2
    start = room if lean < 0 else 0
    matrix = np.array([[wide, -lean, lean * height + start], [0, 1, 0]], np.float32)
    turned = cv2.warpAffine(
        shape, matrix, (round(width * wide) + 2 * room, height), flags=cv2.INTER_LINEAR
    )
    return _trim(turned)


def _trim(shape: Shape) -> Shape:
    rows, columns = (np.flatnonzero(shape.max(axis=axis) > 0.3) for axis in (1, 0))
    if not len(rows):
        return shape
    return shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def by_pen(shape: Shape, width: float, generator: Generator) -> Shape:
    """Bring a shape's strokes near the width of the pen, in pixels."""
    own = stroke_width((shape > 0.5).astype(np.uint8))
    by = round(0.8 * (width * np.exp(generator.normal(0, 0.06)) - own))
    if by == 0:
        return shape
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(by) + 1, abs(by) + 1))
    if by > 0:
        return _trim(cv2.dilate(np.pad(shape, by), kernel))
    thinner = cv2.erode(np.pad(shape, 1), kernel)
    # A pen leaves a line wherever it was, so that an erosion must not break a stroke.
    parts = [cv2.connectedComponents((one > 0.5).astype(np.uint8))[0] for one in (shape, thinner)]
    return _trim(thinner) if parts[0] == parts[1] and thinner.max() > 0.6 else shape


def lay(shapes: list[Shape], bases: list[float], gaps: list[float], climb: float) -> Shape:
    """Lay shapes side by side, with gaps between ink in the row where it is nearest."""
    tallest = max(shape.shape[0] for shape in shapes)
    width = sum(shape.shape[1] for shape in shapes) + round(sum(max(0, gap) for gap in gaps)) + 8
    room = round(tallest + abs(climb) * width + max(map(abs, bases))) + 4
    sheet = blank(tallest + 2 * room, width + 8)
    edge = np.full(len(sheet), -1e6)  # the last column of ink in each row so far
    left = 4.0
    for place, shape in enumerate(shapes):
        top = round(room + tallest - shape.shape[0] + bases[place] - climb * left)
        rows = slice(top, top + shape.shape[0])
        inked = (shape > 0.5).any(1)
        first = np.where(inked, np.argmax(shape > 0.5, axis=1), 1e6)
        last = np.where(inked, shape.shape[1] - np.argmax(shape[:, ::-1] > 0.5, axis=1), -1e6)
        if place:
            # Neighbouring rows count as well: ink that nearly meets looks as if it touches.
            near = np.maximum(edge, np.maximum(np.roll(edge, 2), np.roll(edge, -2)))
            start = float((near[rows] - first).max()) + gaps[place - 1]
            previous = np.flatnonzero(sheet.any(0))
            # Digits that are far apart in height still stand side by side.
            left = max(start, float(np.median(previous[-5:])) - 0.45 * tallest, 1.0)
        put(sheet, shape, top, left)
        edge[rows] = np.maximum(edge[rows], last + round(left))
    return _trim(sheet)


def add_mark(
    shapes: list[Shape],
    bases: list[float],
    gaps: np.ndarray,
    text: str,
    size: float,
    width: float,
    generator: Generator,
) -> str:
    """Add a point, a comma, an apostrophe, a minus, a final dash or ``=``, or print beside it."""
    kind = str(
        generator.choice(
            ["point", "comma", "minus", "dash", "equals", "apostrophe", "print", "dirt"]
        )
    )
    width = max(width, 2.0)
    if kind in {"point", "comma", "apostrophe"} and len(text) < 2:
        kind = "minus"
    if kind == "print":
        letters = str(
            generator.choice(["kg", "€", "$", "No.", "cm", "EUR", "Nr", "m", "km", "A", "B", "£"])
        )
        shape = write(letters, size * generator.uniform(0.35, 0.8), generator)
        first = bool(generator.random() < 0.5)
        shapes.insert(0 if first else len(shapes), shape)
        bases.insert(0 if first else len(bases), 0.0)
        return OTHER + text if first else text + OTHER
    if kind == "dirt":
        side = max(2, round(size * generator.uniform(0.02, 0.08)))
        shape = np.pad(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), 1).astype(
            np.float32
        )
        at = int(generator.integers(0, len(shapes) + 1))
        shapes.insert(at, shape)
        bases.insert(at, -size * generator.uniform(0.2, 1.1))
        return text
    if kind in {"minus", "dash", "equals"}:
        length = round(size * generator.uniform(0.25, 0.6))
        bars = 2 if kind == "equals" else 1
        apart = size * generator.uniform(0.18, 0.32)
        shape = blank(width * 2 + apart * (bars - 1) + 4, length + 2 * width)
        for bar in range(bars):
            y = width + 1 + bar * apart
            tilt = generator.normal(0, 0.03 * size)
            cv2.line(
                shape,
                (int(width * 16), int((y + tilt) * 16)),
                (int((width + length) * 16), int(y * 16)),
                1.0,
                max(1, round(width)),
                cv2.LINE_AA,
                4,
            )
        shape = _trim(shape)
        raised = -size * generator.uniform(0.35, 0.55) + shape.shape[0] / 2
        first = kind == "minus"
        shapes.insert(0 if first else len(shapes), shape)
        bases.insert(0 if first else len(bases), raised)
        mark = "=" if kind == "equals" else "-"
        return mark + text if first else text + mark
    at = int(generator.integers(1, len(text)))
    if kind == "point":
        side = max(2, round(width * generator.uniform(0.9, 1.6)))
        shape = np.pad(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), 1).astype(
            np.float32
        )
        fall = generator.uniform(-0.06, 0.06) * size
    else:
        tail = size * generator.uniform(0.16, 0.32)
        shape = blank(tail + 2 * width, tail + 2 * width)
        x = width + tail * generator.uniform(0.4, 0.9)
        cv2.line(
            shape,
            (round(x * 16), round(width * 16)),
            (round((x - tail * generator.uniform(0.1, 0.6)) * 16), round((width + tail) * 16)),
            1.0,
            max(1, round(width)),
            cv2.LINE_AA,
            4,
        )
        shape = _trim(shape)
        below = kind == "comma"
        fall = (
            shape.shape[0] * generator.uniform(0.3, 0.9)
            if below
            else -size * generator.uniform(0.75, 0.95)
        )
    shapes.insert(at, shape)
    bases.insert(at, float(fall))
    gaps[:] = np.maximum(gaps, 0.03 * size)
    return text[:at] + {"point": ".", "comma": ",", "apostrophe": "'"}[kind] + text[at:]


def finish_on(sheet: Shape, size: float, paper: str, generator: Generator) -> Levels:
    """Colour ink and a paper."""
    if paper == "plain":
        return finish(sheet, generator)
    if paper == "pencil":
        return finish(on_grain(sheet, generator), generator, pencil=True)
    drawn = PAPERS[paper](sheet.shape, size, generator)
    if paper == "register":
        sheet = on_grain(sheet, generator)
    # Ink covers what is printed, and darkens a stain.
    both = 1 - (1 - sheet) * (1 - drawn)
    return finish(both.astype(np.float32), generator, faint=paper == "register")


def on_grain(sheet: Shape, generator: Generator) -> Shape:
    """Let the grain of a paper show through what is written, as pencils and dry pens leave it."""
    fine = generator.random(tuple(-(-side // 2) for side in sheet.shape), dtype=np.float32)
    grain = cv2.resize(fine, sheet.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (sheet * (generator.uniform(0.3, 0.8) + 0.7 * grain)).clip(0, 1)


def squared(
    shape: tuple[int, int], size: float, generator: Generator, *, upright: bool = True
) -> Shape:
    """Draw ruled lines, and upright ones."""
    drawn = blank(*shape)
    shade, pitch = generator.uniform(0.1, 0.35), size * generator.uniform(0.45, 1.6)
    thick = max(1, round(size / 60))
    for y in np.arange(generator.uniform(0, pitch), shape[0], pitch):
        cv2.line(drawn, (0, round(y)), (shape[1], round(y)), shade, thick)
    if upright:
        for x in np.arange(generator.uniform(0, pitch), shape[1], pitch):
            cv2.line(drawn, (round(x), 0), (round(x), shape[0]), shade, thick)
    return drawn


def ruled(shape: tuple[int, int], size: float, generator: Generator) -> Shape:
    """Draw ruled lines."""
    return squared(shape, size, generator, upright=False)


def stained(shape: tuple[int, int], size: float, generator: Generator) -> Shape:
    """Draw soft stains."""
    drawn = blank(*shape)
    for _ in range(generator.integers(1, 4)):
        centre = tuple(round(generator.uniform(0, side)) for side in shape[::-1])
        axes = [max(2, round(size * generator.uniform(0.3, 1.5))) for _ in range(2)]
        cv2.ellipse(drawn, centre, axes, 0, 0, 360, float(generator.uniform(0.08, 0.28)), -1)
    return cv2.GaussianBlur(drawn, (0, 0), size * 0.1).astype(np.float32)


def guilloche(shape: tuple[int, int], size: float, generator: Generator) -> Shape:
    """Draw waves of fine lines that cross each other, as on cheques, perhaps in a frame."""
    drawn = blank(*shape)
    height, width = shape
    x = np.arange(-10, width + 10, 2.0)
    thick = max(1, round(size / generator.uniform(40, 80)))
    for _ in range(int(generator.integers(1, 4))):
        shade = float(generator.uniform(0.1, 0.45))
        pitch, wave = size * generator.uniform(0.08, 0.5), size * generator.uniform(0.3, 3)
        swing, turn = size * generator.uniform(0.05, 0.6), generator.uniform(0, 2 * np.pi)
        drift = generator.normal(0, 0.3)
        for start in np.arange(-0.6 * height, 1.6 * height, pitch):
            y = start + swing * np.sin(2 * np.pi * x / wave + turn) + drift * x * 0.2
            turn += generator.uniform(0, 0.1)
            path = np.round(np.column_stack([x, y]) * 16).astype(np.int32)
            cv2.polylines(drawn, [path], False, shade, thick, cv2.LINE_AA, 4)
    if generator.random() < 0.3:  # an edge of the field
        y = round(generator.uniform(0, 0.08) * height)
        y = y if generator.random() < 0.5 else height - 1 - y
        cv2.line(drawn, (0, y), (width, y), float(generator.uniform(0.3, 0.9)), thick)
    return drawn


def stamp(shape: tuple[int, int], size: float, generator: Generator) -> Shape:
    """Draw rings and letters of a stamp behind a number."""
    drawn = blank(*shape)
    height, width = shape
    shade = float(generator.uniform(0.15, 0.45))
    centre = (round(generator.uniform(0, width)), round(generator.uniform(0, height)))
    radius = size * generator.uniform(0.6, 2)
    for share in (1.0, 0.85, 0.5)[: int(generator.integers(1, 4))]:
        thick = max(1, round(size / 25))
        cv2.circle(drawn, centre, round(radius * share), shade, thick, cv2.LINE_AA)
    letters = write(
        str(generator.choice(["PAID", "BANK", "COPY", "1889", "OK"])), size * 0.4, generator
    )
    turned = slanted(letters, generator.normal(0, 0.5), 1.0) * shade
    top = int(np.clip(centre[1] - turned.shape[0] // 2, 0, max(0, height - turned.shape[0])))
    left = int(np.clip(centre[0] - turned.shape[1] // 2, 0, max(0, width - turned.shape[1])))
    put(drawn, turned[: height - top, : width - left], top, left)
    return drawn


def register(shape: tuple[int, int], size: float, generator: Generator) -> Shape:
    """Draw an old page: uneven, stained, with what shines through from the other side."""
    drawn = blank(*shape)
    for cells, most in ((3, 0.25), (12, 0.15), (60, 0.1)):
        coarse = generator.random((cells, cells), dtype=np.float32)
        smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
        drawn += smooth.clip(0, 1) * np.float32(generator.uniform(0, most))
    if generator.random() < 0.4:
        behind = write(
            str(generator.integers(100, 10**5)), size * generator.uniform(0.7, 1.1), generator
        )
        behind = cv2.GaussianBlur(behind[:, ::-1], (0, 0), size / 40)
        behind = behind[: shape[0], : shape[1]] * np.float32(generator.uniform(0.08, 0.25))
        drawn[: behind.shape[0], : behind.shape[1]] += behind
    if generator.random() < 0.5:
        drawn = np.maximum(drawn, ruled(shape, size, generator))
    return drawn.clip(0, 0.7)


PAPERS = {
    "ruled": ruled,
    "squared": squared,
    "stained": stained,
    "guilloche": guilloche,
    "stamp": stamp,
    "register": register,
}
