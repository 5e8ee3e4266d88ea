"""Lines of digits, composed of images of single digits as a hand with one pen writes them.

The network that reads lines learns from such lines, and from those that are found in composed
pictures. A line has the geometry that `inkwise.reading.text_lines` brings a written one to: its
digits are about 20 pixels high, as MNIST's.
"""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.reading.alphabet import OTHER
from inkwise.reading.text_lines import ABOVE, HEIGHT, ROWS

Ink = NDArray[np.float32]
"""How much of every pixel is covered with ink, float32 (H, W), from 0 to 1."""

_ROOM = 48
"""Rows and columns of the canvas that a single sign is drawn on."""

_INKED = 0.4
"""Least ink of a pixel that counts as the sign's outline."""

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    cv2.FONT_ITALIC | cv2.FONT_HERSHEY_TRIPLEX,
)

_LETTERS = "ACDEFGHKLMNPRTUVWXYacdefhkmnprtuvwxy$&%#*@?R"


@dataclasses.dataclass(frozen=True)
class _Hand:
    """What the signs of one line have in common."""

    scale: float
    aspect: float
    slant: float
    uneven: float
    heavier: float
    gap: float
    spread: float
    rise: float
    wobble: float


@dataclasses.dataclass(frozen=True, eq=False)
class Composer:
    """Composes lines of the digits of a data set.

    Parameters
    ----------
    digits : Split
        Images of digits, uint8 (N, 28, 28), and their labels, 0 to 9.
    """

    digits: Split

    def __post_init__(self) -> None:
        places = [np.flatnonzero(self.digits.labels == label) for label in range(10)]
        object.__setattr__(self, "_places", places)

    def compose(self, generator: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
        """Compose a line.

        Parameters
        ----------
        generator : numpy.random.Generator
            Where all choices come from.

        Returns
        -------
        levels : ndarray of uint8, shape (32, W)
            Light ink on a black background.
        text : str
            What is written: digits, marks, and `OTHER` for each run of other signs.
        """
        hand = _some_hand(generator)
        text = _some_text(generator)
        shapes = [self._draw(sign, hand, generator) for sign in text]
        sheet = _lay(shapes, text, hand, generator)
        sheet = _add_paper(sheet, generator)
        return _expose(sheet, generator), "".join(_merge(text))

    def _draw(self, sign: str, hand: _Hand, generator: np.random.Generator) -> Ink:
        if sign.isdigit():
            places = self._places[int(sign)]  # type: ignore[attr-defined]
            image = self.digits.images[places[generator.integers(len(places))]]
            return _warp(image.astype(np.float32) / np.float32(255), hand, generator)
        if sign == OTHER:
            return _letter(hand, generator)
        return _mark(sign, hand, generator)


def _merge(text: str) -> list[str]:
    """Write one `OTHER` for each run of them."""
    return [
        sign for place, sign in enumerate(text) if sign != OTHER or text[place - 1 : place] != OTHER
    ]


def _some_hand(generator: np.random.Generator) -> _Hand:
    """Choose how a line is written."""
    kind = generator.random()
    if kind < 0.3:  # neighbours touch
        gap, spread = generator.uniform(-0.08, 0.02), 0.03
    elif kind < 0.75:
        gap, spread = generator.uniform(-0.02, 0.25), 0.06
    else:
        gap, spread = generator.uniform(0.1, 0.9), generator.uniform(0.03, 0.15)
    return _Hand(
        scale=float(np.exp(generator.normal(0, 0.12))),
        aspect=float(np.exp(generator.normal(0, 0.15))),
        slant=generator.normal(0.03, 0.17),
        uneven=generator.choice([0.05, 0.1, 0.18]),
        heavier=generator.normal(0, 0.6),
        gap=HEIGHT * gap,
        spread=HEIGHT * spread,
        rise=generator.normal(0, 0.02) + (generator.random() < 0.15) * generator.normal(0, 0.06),
        wobble=HEIGHT * generator.choice([0.02, 0.05, 0.1]),
    )


def _some_text(generator: np.random.Generator) -> str:
    """Choose what is written: numbers, amounts, years, with marks and among other signs."""
    count = int(generator.choice(np.arange(1, 11), p=_COUNTS))
    signs = generator.integers(10, size=count).tolist()
    for place in range(1, count):
        if generator.random() < 0.1:
            signs[place] = signs[place - 1]
    text = "".join(map(str, signs))
    kind = generator.random()
    if kind < 0.08 and count >= 3:
        text = text[:-2] + "00"
    elif kind < 0.13:
        text = str(generator.choice(["18", "19", "20"])) + text[:2]
    if generator.random() < 0.35 and len(text) >= 2:
        place = len(text) - 2 if generator.random() < 0.6 else int(generator.integers(1, len(text)))
        if place >= 1:
            text = text[:place] + str(generator.choice([*".,"] * 3 + [*"'-"])) + text[place:]
        if place > 3 and generator.random() < 0.5:
            text = text[: place - 3] + str(generator.choice([*".,'"])) + text[place - 3 :]
    if generator.random() < 0.08:
        text = "-" + text
    if generator.random() < 0.12:
        text += str(generator.choice(["-", "=", ".-", "--"]))
    if generator.random() < 0.15:
        text = OTHER * int(generator.integers(1, 3)) + text
    if generator.random() < 0.15:
        text += OTHER * int(generator.integers(1, 4))
    if generator.random() < 0.04:
        text = OTHER * int(generator.integers(1, 9))
    return text


_COUNTS = np.array([5, 8, 12, 16, 18, 14, 11, 8, 5, 3]) / 100


def _warp(ink: Ink, hand: _Hand, generator: np.random.Generator) -> Ink:
    """Scale, slant, turn and thicken a digit, and draw it on a canvas."""
    scale = hand.scale * float(np.exp(generator.normal(0, hand.uneven)))
    wide = hand.aspect * float(np.exp(generator.normal(0, 0.06)))
    turn, slant = generator.normal(0, 0.05), hand.slant + generator.normal(0, 0.05)
    matrix = scale * np.array([[wide, -slant - turn], [turn * wide, 1.0]])
    start = _ROOM / 2 - matrix @ (13.5, 13.5)
    canvas = cv2.warpAffine(
        ink, np.column_stack([matrix, start]), (_ROOM, _ROOM), flags=cv2.INTER_LINEAR
    )
    return _thicken(canvas, hand.heavier + generator.normal(0, 0.12))


def _thicken(ink: Ink, by: float) -> Ink:
    """Make strokes wider by about as many pixels, or narrower where it is negative."""
    share = min(abs(by), 1.0)
    if share < 0.1:
        return ink
    other = (cv2.dilate if by > 0 else cv2.erode)(ink, _CROSS)
    if by < 0:  # a pen leaves a line wherever it was
        share *= 0.7
    return cv2.addWeighted(ink, 1 - share, other, share, 0)


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def _letter(hand: _Hand, generator: np.random.Generator) -> Ink:
    """Draw a sign that is no digit: a letter, a currency, or a scribble."""
    canvas = np.zeros((_ROOM, _ROOM), np.float32)
    width = float(np.exp(generator.normal(0.7, 0.3)))
    if generator.random() < 0.25:
        points = np.cumsum(generator.normal(0, 5, (int(generator.integers(4, 9)), 2)), 0)
        points += 24 - points.mean(0)
        cv2.polylines(
            canvas,
            [np.round(points.clip(4, 44) * 16).astype(np.int32)],
            bool(generator.random() < 0.2),
            1.0,
            max(1, round(width)),
            cv2.LINE_AA,
            4,
        )
        return canvas
    letter = _LETTERS[generator.integers(len(_LETTERS))]
    font = int(generator.choice(_FONTS))
    size = generator.uniform(0.45, 1.0)
    (across, down), _ = cv2.getTextSize(letter, font, size, 1)
    place = (round(24 - across / 2), round(24 + down / 2))
    levels = np.zeros((_ROOM, _ROOM), np.uint8)
    cv2.putText(levels, letter, place, font, size, 255, max(1, round(width)), cv2.LINE_AA)
    canvas = levels.astype(np.float32) / np.float32(255)
    slant = hand.slant + generator.normal(0, 0.1)
    matrix = np.array([[1, -slant, 24 * slant], [0, 1, 0]])
    return cv2.warpAffine(canvas, matrix, (_ROOM, _ROOM), flags=cv2.INTER_LINEAR)


def _mark(sign: str, hand: _Hand, generator: np.random.Generator) -> Ink:
    """Draw a point, comma, apostrophe, dash or equals sign in the middle of a canvas."""
    canvas = np.zeros((_ROOM, _ROOM), np.float32)
    width = max(1.0, 2.6 + hand.heavier + generator.normal(0, 0.3))

    def line(*points: tuple[float, float], wide: float = width) -> None:
        path = np.round(np.array(points) * 16).astype(np.int32)
        cv2.polylines(canvas, [path], False, 1.0, max(1, round(wide)), cv2.LINE_AA, 4)

    size = HEIGHT * hand.scale
    if sign == ".":
        line((24, 24), (24 + generator.uniform(0, 1.2), 24), wide=width * generator.uniform(1, 1.5))
    elif sign in ",'":
        tail = size * generator.uniform(0.15, 0.35)
        lean = generator.uniform(0, 0.7)
        line((24, 24 - tail / 2), (24 - lean * tail, 24 + tail / 2))
    else:
        half = size * generator.uniform(0.12, 0.35)
        slope = generator.normal(0, 0.1) * half
        if sign == "=":
            apart = size * generator.uniform(0.1, 0.18)
            line((24 - half, 24 - apart + slope), (24 + half, 24 - apart - slope))
            line((24 - half, 24 + apart + slope), (24 + half, 24 + apart - slope))
        else:
            line((24 - half, 24 + slope), (24 + half, 24 - slope))
    return canvas


def _lay(shapes: list[Ink], text: str, hand: _Hand, generator: np.random.Generator) -> Ink:
    """Lay signs side by side, each as far from its neighbour as the hand leaves gaps."""
    margin = int(generator.integers(2, 14))
    # Rows of a tall sheet, of which the line's own are cut out at the end.
    tall = ROWS + 2 * _ROOM
    sheet = np.zeros(
        (tall, margin + len(shapes) * (_ROOM + int(max(0.0, hand.gap)) + 8)), np.float32
    )
    base = _ROOM + ABOVE + HEIGHT + generator.normal(0, 1.2)
    edge = np.full(tall, -1e6)
    left, right = float(margin), margin
    middle = margin + 8 * len(shapes)
    for shape, sign in zip(shapes, text, strict=True):
        inked = shape > _INKED
        rows = np.flatnonzero(inked.any(1))
        if not len(rows):
            continue
        foot, head = int(rows[-1]) + 1, int(rows[0])
        climb = hand.rise * (left - middle)
        bottom = base - climb + generator.normal(0, hand.wobble)
        if sign in "-=":
            bottom -= HEIGHT * hand.scale * generator.uniform(0.3, 0.6) - (foot - head) / 2
        elif sign == ",":
            bottom += (foot - head) * generator.uniform(0.2, 0.9)
        elif sign == "'":
            bottom -= HEIGHT * hand.scale * generator.uniform(0.65, 0.95)
        elif sign == OTHER:
            bottom += HEIGHT * (generator.normal(0, 0.05) + 0.25 * (generator.random() < 0.2))
        top = int(np.clip(round(bottom) - foot, 0, tall - _ROOM))
        first = np.where(inked.any(1), np.argmax(inked, axis=1), 10**6)
        last = np.where(inked.any(1), _ROOM - np.argmax(inked[:, ::-1], axis=1), -(10**6))
        gap = generator.normal(hand.gap, hand.spread)
        if sign in ".,'-=":
            gap = max(gap, generator.uniform(0, 0.2) * HEIGHT)
        window = slice(top, top + _ROOM)
        # Ink that nearly meets in a row below or above counts as well.
        near = np.maximum(edge, np.maximum(np.roll(edge, 2), np.roll(edge, -2)))[window]
        start = float((near - first).max()) + gap
        columns = np.flatnonzero(inked.any(0))
        least = right - columns[0] - 0.4 * (columns[-1] - columns[0] + 1)
        start = max(start, float(least), float(margin - columns[0]))
        left = round(start)
        place = sheet[window, max(0, left) : left + _ROOM]
        source = shape[:, max(0, -left) :][:, : place.shape[1]]
        if generator.random() < 0.06 and right > margin:
            _join(sheet, edge, window, first + left, generator)
        np.maximum(place, source, out=place)
        edge[window] = np.maximum(edge[window], last + left)
        right = max(right, left + int(columns[-1]) + 1)
    end = min(sheet.shape[1], right + int(generator.integers(2, 14)))
    return sheet[_ROOM : _ROOM + ROWS, :end]


def _join(
    sheet: Ink,
    edge: NDArray[np.float64],
    window: slice,
    first: NDArray[np.int64],
    generator: np.random.Generator,
) -> None:
    """Draw a stroke from a sign to its neighbour, as a pen that is not lifted does."""
    before = np.flatnonzero(edge > 0)
    after = np.flatnonzero(first < 10**5)
    if not len(before) or not len(after):
        return
    y, other = int(generator.choice(before)), int(generator.choice(after))
    start, end = (edge[y] - 1, y), (first[other] + 1, other + window.start)
    if not 0 < end[0] - start[0] < HEIGHT or abs(end[1] - start[1]) > HEIGHT / 2:
        return
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + generator.normal(0, 2))
    path = np.round(np.array([start, middle, end]) * 16).astype(np.int32)
    cv2.polylines(sheet, [path], False, 1.0, 1 + (generator.random() < 0.5), cv2.LINE_AA, 4)


def _add_paper(sheet: Ink, generator: np.random.Generator) -> Ink:
    """Add what preprocessing leaves of a paper, and take away what it takes with it."""
    height, width = sheet.shape
    sheet = np.ascontiguousarray(sheet)
    kind = generator.random()
    if kind < 0.1:  # what remains of a ruled line
        y = generator.uniform(2, height - 2)
        shade = generator.uniform(0.2, 1)
        tilt = generator.normal(0, 0.01) * width
        line = np.zeros_like(sheet)
        start, end = (0, round(y * 16)), (width * 16, round((y + tilt) * 16))
        cv2.line(line, start, end, shade, 1 + (generator.random() < 0.3), cv2.LINE_AA, 4)
        if generator.random() < 0.6:
            line *= np.repeat(generator.random(width // 6 + 1) < 0.4, 6)[:width]
        np.maximum(sheet, line, out=sheet)
    elif kind < 0.17:  # what a ruled line took with it
        y = int(generator.integers(ABOVE, ABOVE + HEIGHT))
        sheet[y : y + int(generator.integers(1, 3))] *= generator.uniform(0, 0.5)
    elif kind < 0.27:  # a pattern, a stamp or a stain behind the number
        cells = generator.random((int(generator.integers(3, 12)), max(2, width // 5)))
        pattern = cv2.resize(
            cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        pattern = (pattern - generator.uniform(0.4, 0.8)).clip(0, 1) * generator.uniform(0.3, 1.5)
        np.maximum(sheet, pattern.clip(0, 0.6), out=sheet)
    elif kind < 0.34:  # curves of a guilloche, or of a stamp
        for _ in range(int(generator.integers(1, 6))):
            centre = (round(generator.uniform(0, width)), round(generator.uniform(-20, 52)))
            axes = (int(generator.integers(8, 70)), int(generator.integers(4, 40)))
            shade = float(generator.uniform(0.15, 0.7))
            layer = np.zeros_like(sheet)
            cv2.ellipse(layer, centre, axes, 0, 0, 360, shade, 1, cv2.LINE_AA)
            np.maximum(sheet, layer, out=sheet)
    elif kind < 0.4:  # upright lines, of a table or a comb
        for _ in range(int(generator.integers(1, 4))):
            x = int(generator.integers(0, width))
            cv2.line(sheet, (x, 0), (x, height), float(generator.uniform(0.3, 1)), 1, cv2.LINE_AA)
    if generator.random() < 0.15:  # specks and dirt
        for _ in range(int(generator.integers(1, 5))):
            place = (int(generator.integers(0, width)), int(generator.integers(0, height)))
            cv2.circle(
                sheet, place, int(generator.integers(0, 2)), float(generator.uniform(0.3, 1)), -1
            )
    if generator.random() < 0.12:  # a dry pen or a pale pencil leaves gaps
        grain = generator.random((height // 2, width // 2 + 1), dtype=np.float32)
        grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
        sheet *= (1.5 * grain + generator.uniform(0, 0.6)).clip(0, 1)
    return sheet


def _expose(sheet: Ink, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Blur, stretch and add noise, as pictures of different kinds differ."""
    if generator.random() < 0.35:
        sheet = cv2.GaussianBlur(sheet, (0, 0), generator.uniform(0.3, 1.1))
    kind = generator.random()
    if kind < 0.3:  # soft or hard edges
        sheet = ((sheet - 0.5) * generator.uniform(0.8, 4) + generator.uniform(0.4, 0.7)).clip(0, 1)
        sheet[sheet < 0.05] = 0
    elif kind < 0.45:
        sheet = sheet ** generator.uniform(0.5, 1.8)
    sheet = sheet * generator.uniform(0.7, 1.0)
    if generator.random() < 0.25:
        noise = generator.normal(0, generator.uniform(0.01, 0.08), sheet.shape)
        sheet = sheet + noise.astype(np.float32)
    return (sheet.clip(0, 1) * 255).astype(np.uint8)
