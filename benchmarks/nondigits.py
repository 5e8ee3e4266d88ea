"""Out-of-distribution pictures, as small and as well centred as digits: a model should abstain.

They are for evaluation only. The outliers that models are trained on are made elsewhere, in other
ways.
"""

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import CubicSpline
from sklearn import metrics

from inkwise.errors import ArgumentError
from inkwise.ink import BOX, CANVAS, fit_and_centre

KINDS = ("specks", "scribble", "letter", "shape", "noise", "two digits")
"""The kinds of pictures that `draw_non_digits` draws."""

Picture = NDArray[np.uint8]
Path2D = NDArray[np.float64]
"""The corners of a line, float64 (M, 2): x to the right and y down, in any unit."""

FINE = 8
"""Factor by which pictures are drawn larger, before ink reduces them with antialiasing."""

LETTERS = "ABCDEFGHKLMNPQRSTUVWXYZacdefhijkmnprstuvwxyz"
"""Letters that cannot be mistaken for digits: without O, o (0), I, J, l (1), b (6), g, q (9)."""

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "cmr10",
    "cmb10",
    "cmss10",
    "cmti10",
    "cmtt10",
)
"""Fonts that matplotlib includes: with and without serifs, upright and slanted, thin and bold."""


def draw_non_digits(digits: Picture, count: int, seed: int = 0) -> dict[str, Picture]:
    """Draw pictures that are not digits, of six kinds.

    - ``specks``: dust on a blank background;
    - ``scribble``: lines as made when trying a pen or crossing something out;
    - ``letter``: printed letters that do not look like a digit, slightly slanted and rotated;
    - ``shape``: polygons, stars, crosses, arrows, hearts, outlined or filled; no rings, which
      would be zeros;
    - ``noise``: single pixels all over the picture, or blots of the size of strokes;
    - ``two digits``: two of `digits` side by side in one picture.

    All of them except noise all over the picture have the geometry of a digit: they fit a 20×20
    box, with strokes about as wide as those of a digit, and all but the specks are centred by mass.

    Parameters
    ----------
    digits : ndarray of uint8, shape (N, H, W)
        Light ink on a black background; every image has some ink.
    count : int
        Number of pictures of each kind.
    seed : int
        Seed, not negative. The same seed draws the same pictures; a larger `count` adds to them.

    Returns
    -------
    dict of str to ndarray of uint8, shape (`count`, 28, 28)
        Pictures by kind, in the order of `KINDS`.

    Raises
    ------
    ArgumentError
        There are no digits, or the seed is negative.
    """
    if digits.dtype != np.uint8 or digits.ndim != 3 or digits.size == 0:
        raise ArgumentError(
            f"digits must be uint8 images of shape (N, H, W), not {digits.dtype} of shape "
            f"{digits.shape}"
        )
    if seed < 0:
        raise ArgumentError(f"the seed must be 0 or more, not {seed}")
    letters = _Letters()
    draws: dict[str, Callable[[np.random.Generator], Picture]] = {
        "specks": _specks,
        "scribble": _scribble,
        "letter": letters,
        "shape": _shape,
        "noise": _noise,
        "two digits": lambda generator: _two_digits(digits, generator),
    }
    pictures = {}
    for place, kind in enumerate(KINDS):
        generator = np.random.default_rng([seed, place])
        drawn = np.empty((count, CANVAS, CANVAS), np.uint8)
        for picture in drawn:
            picture[:] = draws[kind](generator)
        pictures[kind] = drawn
    return pictures


def _specks(generator: np.random.Generator) -> Picture:
    """Draw one to twelve specks, at most three pixels across, at random places in the box."""
    fine = np.zeros((CANVAS * FINE, CANVAS * FINE), np.uint8)
    margin = (CANVAS - BOX) / 2
    for _ in range(generator.integers(1, 13)):
        place = (margin + BOX * generator.random(2)) * FINE
        axes = generator.uniform(0.5, 1.5, size=2) * FINE
        cv2.ellipse(
            fine,
            np.rint(place).astype(int).tolist(),
            np.rint(axes).astype(int).tolist(),
            generator.uniform(0, 180),
            0,
            360,
            int(generator.integers(100, 256)),
            -1,
        )
    small = cv2.resize(fine, (CANVAS, CANVAS), interpolation=cv2.INTER_AREA)
    return np.rint(small * (255 / small.max())).astype(np.uint8)


def _scribble(generator: np.random.Generator) -> Picture:
    """Draw a tangle, a row of loops or a hatching: a long line that crosses itself or goes back."""
    form = generator.integers(3)
    if form == 0:
        corners = generator.random((generator.integers(8, 12), 2)) * generator.uniform(0.6, 1, 2)
        places = np.arange(len(corners))
        line = CubicSpline(places, corners)(np.linspace(0, places[-1], 16 * len(places)))
    elif form == 1:
        turns = generator.integers(3, 5)
        angle = np.linspace(0, 2 * np.pi * turns, 24 * turns)
        advance = generator.uniform(0.7, 1.2) * angle / np.pi
        height = generator.uniform(1.2, 2.5) * (
            1 + 0.3 * np.sin(angle * generator.uniform(0.1, 0.4))
        )
        line = np.column_stack([advance + np.cos(angle), height * np.sin(angle)])
    else:
        strokes = generator.integers(6, 9)
        ends = np.arange(strokes) % 2 + generator.uniform(-0.2, 0.2, strokes)
        rows = np.linspace(0, generator.uniform(0.9, 1.4), strokes)
        line = np.column_stack([ends, rows + generator.uniform(-0.03, 0.03, strokes)])
    return _pen([_turn(line, generator.uniform(0, 2 * np.pi))], generator.uniform(1.4, 2.4))


class _Letters:
    """Printed letters, each of which is rendered once."""

    def __init__(self) -> None:
        self._rendered: dict[tuple[str, str], Picture] = {}

    def __call__(self, generator: np.random.Generator) -> Picture:
        """Draw a letter, slanted by up to 14° and rotated by up to 10°."""
        font = FONTS[generator.integers(len(FONTS))]
        upright = self._render(font, LETTERS[generator.integers(len(LETTERS))])
        slant, angle = generator.uniform(-0.25, 0.25), generator.uniform(-0.175, 0.175)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]]) @ [[1, -slant], [0, 1]]
        height, width = upright.shape
        side = height + width
        shift = side / 2 - turn @ [width / 2, height / 2]
        changed = cv2.warpAffine(upright, np.column_stack([turn, shift]), (side, side))
        return fit_and_centre(np.asarray(changed, np.uint8))

    def _render(self, font: str, letter: str) -> Picture:
        if (font, letter) not in self._rendered:
            file = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
            type_ = ImageFont.truetype(file, BOX * FINE)
            left, top, right, bottom = map(round, type_.getbbox(letter))
            image = Image.new("L", (right - left, bottom - top))
            ImageDraw.Draw(image).text((-left, -top), letter, 255, type_)
            self._rendered[font, letter] = np.array(image)
        return self._rendered[font, letter]


def _shape(generator: np.random.Generator) -> Picture:
    """Draw a polygon, star, cross, arrow, heart, crescent, grid or disc, outlined or filled."""
    form = generator.choice(
        ["polygon", "star", "cross", "arrow", "heart", "crescent", "grid", "disc"]
    )
    filled = generator.random() < 0.3
    match form:
        case "polygon":
            # The outline of a polygon with more corners looks like a 0 at this size.
            lines = [_regular(int(generator.integers(3, 7 if filled else 5)))]
        case "star":
            points = int(generator.integers(4, 7))
            lines = [
                _regular(2 * points) * np.tile([1, generator.uniform(0.35, 0.55)], points)[:, None]
            ]
        case "cross":
            lines = [np.array([[-1.0, 0], [1, 0]]), np.array([[0, -1.0], [0, 1]])]
        case "arrow":
            lines = [np.array([[-1.0, 0], [1, 0]]), np.array([[0.4, -0.6], [1, 0], [0.4, 0.6]])]
        case "heart":
            angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
            across = 16 * np.sin(angle) ** 3
            waves = np.cos(np.outer([1, 2, 3, 4], angle))
            down = -np.array([13, -5, -2, -1]) @ waves
            lines = [np.column_stack([across, down])]
        case "crescent":
            angle = np.linspace(0.35 * np.pi, 1.65 * np.pi, 40)
            outer = np.column_stack([np.cos(angle), np.sin(angle)])
            inner = outer[::-1] * [generator.uniform(0.3, 0.6), 1]
            lines = [np.concatenate([outer, inner])]
        case "grid":
            places = (-0.4, 0.4)
            lines = [np.array([[-1.0, at], [1, at]]) for at in places]
            lines += [np.array([[at, -1.0], [at, 1]]) for at in places]
        case _:
            lines, filled = [_regular(48)], True
    closed = form not in ("cross", "arrow", "grid")
    # Upside-down hearts and rotated crescents are shapes, too.
    turn, squeeze = generator.uniform(0, 2 * np.pi), [1, generator.uniform(0.75, 1)]
    lines = [_turn(line * squeeze, turn) for line in lines]
    return _pen(lines, generator.uniform(1.6, 3.6), closed=closed, filled=filled and closed)


def _noise(generator: np.random.Generator) -> Picture:
    """Draw noise of single pixels all over the picture, or blots as wide as strokes in the box."""
    if generator.random() < 0.3:
        share = generator.uniform(0.05, 0.5)
        levels = generator.random((CANVAS, CANVAS)) * (generator.random((CANVAS, CANVAS)) < share)
        return np.rint(255 * levels).astype(np.uint8)
    rough = generator.normal(size=(BOX, BOX)).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(rough, (0, 0), generator.uniform(0.8, 2)))
    bound = np.quantile(smooth, generator.uniform(0.55, 0.8))
    blots = np.clip((smooth - bound) / smooth.std() * generator.uniform(1, 3), 0, 1)
    return fit_and_centre(np.rint(255 * blots).astype(np.uint8))


def _two_digits(digits: Picture, generator: np.random.Generator) -> Picture:
    """Put two digits side by side, from 1 pixel of overlap to 5 pixels apart, not quite level."""
    left, right = (_crop(digits[place]) for place in generator.integers(len(digits), size=2))
    gap, sink = generator.integers(-1, 6), int(generator.integers(-3, 4))
    start = max(1, left.shape[1] + int(gap))
    fall = (len(left) - len(right)) // 2 + sink
    top, other = max(0, -fall), max(0, fall)
    height = max(top + len(left), other + len(right))
    pair = np.zeros((height, max(left.shape[1], start + right.shape[1])), np.uint8)
    pair[top : top + len(left), : left.shape[1]] = left
    beside = pair[other : other + len(right), start : start + right.shape[1]]
    np.maximum(beside, right, out=beside)
    return fit_and_centre(pair)


def _crop(picture: Picture) -> Picture:
    rows, columns = (np.flatnonzero(picture.max(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        raise ArgumentError("a digit is blank: two digits need images with ink")
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _pen(
    lines: list[Path2D], width: float, *, closed: bool = False, filled: bool = False
) -> Picture:
    """Draw lines that are `width` pixels wide in the result, or fill the area they enclose."""
    corners = np.concatenate(lines)
    least, extent = corners.min(axis=0), np.ptp(corners, axis=0).max()
    scale, margin = (BOX - width) / extent * FINE, BOX * FINE // 4
    fine = np.zeros((BOX * FINE + 2 * margin,) * 2, np.uint8)
    drawn = [np.rint((line - least) * scale + margin).astype(np.int32) for line in lines]
    if filled:
        cv2.fillPoly(fine, drawn, 255)
    cv2.polylines(fine, drawn, closed, 255, round(width * FINE))
    return fit_and_centre(fine)


def _regular(corners: int) -> Path2D:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _turn(line: Path2D, angle: float) -> Path2D:
    cosine, sine = np.cos(angle), np.sin(angle)
    return line @ np.array([[cosine, sine], [-sine, cosine]])


def auroc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> float:
    """Return the area under the ROC of a score that separates classes from other pictures.

    Parameters
    ----------
    inside, outside : ndarray of float, shapes (N,) and (M,)
        Scores of images that belong to the classes, and of images that do not.

    Returns
    -------
    float
        The area under the receiver operating characteristic: the chance that one from inside
        scores above one from outside, ties counting half. NaN where a side has none.
    """
    if len(inside) == 0 or len(outside) == 0:
        return math.nan
    truth = np.repeat([True, False], [len(inside), len(outside)])
    return float(metrics.roc_auc_score(truth, np.concatenate([inside, outside])))
