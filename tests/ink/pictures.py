"""Pictures of digits as pens, papers and cameras make them, drawn from digits of MNIST."""

import io
import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.uint8]
Shape = NDArray[np.float32]
"""How much of every pixel is covered with ink, float32 (H, W), from 0 to 1."""
Colour = float | tuple[float, float, float]
Generator = np.random.Generator


def draw(
    digit: Levels,
    sheet: tuple[int, int],
    size: float,
    *,
    centre: tuple[float, float] | None = None,
    tilt: float = 0.0,
    bolder: float = 0.0,
) -> Shape:
    """Lay a digit, its longest side `size` pixels, on a sheet, crisp as ink is.

    It is tilted by degrees, and made bolder by a share of its size.
    """
    rows, columns = np.nonzero(digit)
    middle = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    scale = size / (max(np.ptp(rows), np.ptp(columns)) + 1)
    turn = cv2.getRotationMatrix2D((0, 0), tilt, scale)
    y, x = centre or (sheet[0] / 2, sheet[1] / 2)
    turn[:, 2] = [x, y] - turn[:, :2] @ middle
    soft = cv2.warpAffine(
        (digit / 255).astype(np.float32), turn, sheet[::-1], flags=cv2.INTER_CUBIC
    )
    crisp = 1 / (1 + np.exp(-(soft - 0.5) * 6 * max(1.0, scale / 2)))
    if bolder:
        side = round(abs(bolder) * size)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        crisp = (cv2.dilate if bolder > 0 else cv2.erode)(crisp, kernel)
    return crisp.astype(np.float32)


def lay(shape: Shape, ink: Colour, paper: Colour | NDArray[Any]) -> NDArray[np.float32]:
    """Colour a shape, and what is around it."""
    ink_levels, paper_levels = np.asarray(ink, np.float32), np.asarray(paper, np.float32)
    if ink_levels.ndim:
        shape = shape[..., None]
    return shape * ink_levels + (1 - shape) * paper_levels


def noisy(levels: NDArray[Any], sigma: float, generator: Generator) -> Levels:
    """Add a camera's noise."""
    noise = generator.normal(0, sigma, levels.shape)
    return np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8)


def encode(levels: Levels, file_format: str = "JPEG", **options: Any) -> bytes:
    """Write an image file."""
    file = io.BytesIO()
    Image.fromarray(levels).save(file, file_format, **options)
    return file.getvalue()


def uneven_light(sheet: tuple[int, int], strength: float, generator: Generator) -> Shape:
    """Return light with a slope and a vignette, 1 at most."""
    y, x = np.mgrid[-0.5 : 0.5 : sheet[0] * 1j, -0.5 : 0.5 : sheet[1] * 1j]
    angle = generator.uniform(0, 2 * math.pi)
    slope = x * math.cos(angle) + y * math.sin(angle)
    light = 1 - strength * (0.5 + 0.7 * slope + 0.4 * (x**2 + y**2))
    return light.astype(np.float32)


def shadow(sheet: tuple[int, int], softness: float, generator: Generator) -> Shape:
    """Return light that a straight edge halves, `softness` pixels wide."""
    y, x = np.mgrid[: sheet[0], : sheet[1]]
    angle = generator.uniform(0, 2 * math.pi)
    off = (x - sheet[1] / 2) * math.cos(angle) + (y - sheet[0] / 2) * math.sin(angle)
    return (1 - 0.5 / (1 + np.exp(-np.clip(off / softness, -50, 50)))).astype(np.float32)


def lined(
    sheet: tuple[int, int],
    spacing: float,
    colour: Colour,
    paper: Colour,
    *,
    thickness: int = 2,
    tilt: float = 0.0,
    squared: bool = False,
) -> NDArray[np.float32]:
    """Return ruled or squared paper, tilted by degrees."""
    lines = np.zeros(sheet, np.float32)
    reach = sum(sheet)
    slope = math.tan(math.radians(tilt))
    for at in np.arange(-reach, reach, spacing).tolist():
        level = (0, at), (reach, at + slope * reach)
        upright = (at, 0), (at - slope * reach, reach)
        for start, end in (level, upright) if squared else (level,):
            (x0, y0), (x1, y1) = ((round(16 * x), round(16 * y)) for x, y in (start, end))
            cv2.line(lines, (x0, y0), (x1, y1), 1.0, thickness, cv2.LINE_8, 4)
    return lay(lines, colour, paper)


Draw = Callable[[Levels, Generator], Levels | bytes]


def photo(digit: Levels, generator: Generator) -> bytes:
    sheet = 600, 800
    centre = generator.uniform(220, 380), generator.uniform(250, 550)
    size, tilt = generator.uniform(100, 380), generator.uniform(-5, 5)
    shape = draw(digit, sheet, size, centre=centre, tilt=tilt)
    light = uneven_light(sheet, 0.45, generator)
    return encode(noisy(lay(shape, 60, 225) * light, 6, generator), quality=75)


def chalk(digit: Levels, generator: Generator) -> bytes:
    sheet = 480, 640
    shape = draw(digit, sheet, generator.uniform(120, 350), tilt=generator.uniform(-5, 5))
    light = uneven_light(sheet, 0.3, generator)
    return encode(noisy(lay(shape, 220, 45) * light, 6, generator), quality=75)


def ruled(digit: Levels, generator: Generator) -> bytes:
    sheet = 480, 640
    spacing, tilt = generator.uniform(40, 90), generator.uniform(-3, 3)
    paper = lined(sheet, spacing, (120, 150, 210), (238, 236, 225), tilt=tilt)
    shape = draw(digit, sheet, generator.uniform(110, 330))
    return encode(noisy(lay(shape, (40, 40, 90), paper), 4, generator), quality=80)


def squared(digit: Levels, generator: Generator) -> bytes:
    sheet = 480, 640
    spacing, tilt = generator.uniform(22, 50), generator.uniform(-3, 3)
    paper = lined(sheet, spacing, (130, 150, 200), (238, 236, 225), tilt=tilt, squared=True)
    shape = draw(digit, sheet, generator.uniform(110, 330))
    light = uneven_light(sheet, 0.25, generator)[..., None]
    return encode(noisy(lay(shape, (40, 40, 90), paper) * light, 4, generator), quality=80)


def black_squares(digit: Levels, generator: Generator) -> bytes:
    """Squares almost as dark as the ink, which only its width tells from them."""
    sheet = 480, 640
    tilt = generator.uniform(-2, 2)
    paper = lined(sheet, generator.uniform(40, 60), 90, 235, tilt=tilt, squared=True)
    shape = draw(digit, sheet, generator.uniform(180, 330))
    return encode(noisy(lay(shape, 50, paper), 4, generator), quality=80)


def shaded(digit: Levels, generator: Generator) -> bytes:
    sheet = 480, 640
    shape = draw(digit, sheet, generator.uniform(110, 330))
    light = shadow(sheet, generator.choice([1, 6, 20]), generator)
    return encode(noisy(lay(shape, 50, 230) * light, 4, generator), quality=80)


def on_a_desk(digit: Levels, generator: Generator) -> bytes:
    sheet = 480, 640
    shape = draw(digit, sheet, generator.uniform(110, 260))
    outline = np.array([[40, 30], [610, 5], [600, 450], [25, 470]])
    outline += generator.integers(-20, 20, outline.shape)
    paper = np.zeros(sheet, np.float32)
    cv2.fillPoly(paper, [outline.astype(np.int32)], 1.0)
    return encode(noisy(70 * (1 - paper) + paper * lay(shape, 60, 225), 5, generator), quality=80)


def red_on_green(digit: Levels, generator: Generator) -> Levels:
    """Ink that is as light as its paper."""
    shape = draw(digit, (240, 240), generator.uniform(100, 200))
    return noisy(lay(shape, (210, 60, 60), (60, 137, 60)), 4, generator)


def faint(digit: Levels, generator: Generator) -> Levels:
    shape = draw(digit, (400, 400), generator.uniform(150, 300))
    return noisy(lay(shape, 195, 225), 3, generator)


def marker(digit: Levels, generator: Generator) -> Levels:
    return noisy(lay(draw(digit, (300, 300), 220, bolder=0.08), 20, 240), 3, generator)


def fine_pen(digit: Levels, generator: Generator) -> Levels:
    return noisy(lay(draw(digit, (400, 400), 300, bolder=-0.06), 60, 235), 3, generator)


def small_in_large(digit: Levels, generator: Generator) -> Levels:
    y, x = generator.uniform(100, 700, 2)
    return noisy(lay(draw(digit, (800, 800), 40, centre=(y, x)), 40, 230), 3, generator)


def cropped(digit: Levels, generator: Generator) -> Levels:
    """Nothing around the ink."""
    shape = draw(digit, (140, 140), 100)
    rows, columns = np.nonzero(shape > 0.5)
    box = shape[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return noisy(lay(box, 40, 230), 2, generator)


def specked(digit: Levels, generator: Generator) -> Levels:
    levels = lay(draw(digit, (400, 400), 250), 40, 230)
    for x, y, radius in generator.integers((0, 0, 1), (400, 400, 5), (30, 3)).tolist():
        cv2.circle(levels, (x, y), radius, 60, -1)
    return noisy(levels, 3, generator)


def broken(digit: Levels, generator: Generator) -> Levels:
    shape = draw(digit, (400, 400), 280)
    gap = int(generator.integers(120, 280))
    shape[gap : gap + 8] = 0
    return noisy(lay(shape, 40, 230), 3, generator)


def eight_pixels(digit: Levels, generator: Generator) -> Levels:
    """As in optdigits: the digit fills the picture, and touches its border."""
    rows, columns = np.nonzero(digit)
    box = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    square = np.zeros((20, 20), np.uint8)
    top, left = (20 - box.shape[0]) // 2, (20 - box.shape[1]) // 2
    square[top : top + box.shape[0], left : left + box.shape[1]] = box
    return cv2.resize(square, (8, 8), interpolation=cv2.INTER_AREA).astype(np.uint8)


def moved(digit: Levels, generator: Generator) -> Levels:
    down, right = generator.choice([-4, -3, 3, 4], 2)
    return np.roll(digit, (down, right), (0, 1))


def noise_over_it(digit: Levels, generator: Generator) -> Levels:
    return noisy(digit, 40, generator)


def impulses(digit: Levels, generator: Generator) -> Levels:
    hit = generator.random(digit.shape) < 0.1
    return np.where(hit, generator.choice([0, 255], digit.shape), digit).astype(np.uint8)


def blurred(digit: Levels, generator: Generator) -> Levels:
    return cv2.GaussianBlur(digit, (0, 0), 1.0).astype(np.uint8)


KINDS: tuple[Draw, ...] = (
    *(photo, chalk, ruled, squared, black_squares, shaded, on_a_desk, red_on_green, faint),
    *(marker, fine_pen, small_in_large, cropped, specked, broken, eight_pixels, moved),
    *(noise_over_it, impulses, blurred),
)


def blank_photo(generator: Generator) -> bytes:
    light = uneven_light((480, 640), 0.45, generator)
    return encode(noisy(220 * light, 6, generator), quality=75)


def slope(generator: Generator) -> Levels:
    side = int(generator.choice([8, 28, 100, 300]))
    return np.rint(220 * uneven_light((side, side), 0.6, generator)).astype(np.uint8)


def uniform_noise(generator: Generator) -> Levels:
    side = int(generator.choice([8, 16, 28, 50, 100, 400]))
    return generator.integers(0, 256, (side, side), np.uint8)


def gaussian_noise(generator: Generator) -> Levels:
    shape = [(28, 28), (80, 80), (400, 400), (300, 300, 3)][generator.integers(4)]
    return noisy(np.full(shape, 128), 40, generator)


def salt_and_pepper(generator: Generator) -> Levels:
    side = int(generator.choice([28, 100, 400]))
    levels: Levels = generator.choice([0, 128, 255], (side, side), p=[0.1, 0.8, 0.1])
    return levels.astype(np.uint8)


def empty_squares(generator: Generator) -> bytes:
    spacing, dark, tilt = generator.uniform((22, 60, -3), (60, 190, 3))
    paper = lined((480, 640), spacing, dark, 235, tilt=tilt, squared=True)
    return encode(noisy(paper, 4, generator), quality=80)


def empty_lines(generator: Generator) -> bytes:
    spacing, dark, tilt = generator.uniform((22, 60, -3), (60, 190, 3))
    light = uneven_light((480, 640), 0.3, generator)
    paper = lined((480, 640), spacing, dark, 235, tilt=tilt) * light
    return encode(noisy(paper, 4, generator), quality=80)


def empty_shade(generator: Generator) -> bytes:
    light = shadow((480, 640), generator.choice([1, 6, 20]), generator)
    return encode(noisy(230 * light, 4, generator), quality=80)


EMPTY: tuple[Callable[[Generator], Levels | bytes], ...] = (
    *(blank_photo, slope, uniform_noise, gaussian_noise, salt_and_pepper),
    *(empty_squares, empty_lines, empty_shade),
)
