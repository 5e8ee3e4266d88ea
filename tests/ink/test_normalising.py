"""From any picture of a digit to the array that the network expects."""

import contextlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, DataError, InkwiseError, NoInkError, StorageError
from inkwise.ink import BOX, CANVAS, normalise, normalise_batch, take_as_is
from inkwise.ink.normalising import DARK
from inkwise.robustness.corruptions import corrupt
from tests.ink import pictures
from tests.ink.pictures import Draw, Generator, Levels


def likeness(image: Levels, digit: Levels) -> float:
    """Return the correlation, where half a pixel's rounding may have moved the digit by one."""
    moves = [np.roll(digit, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(image.ravel(), move.ravel())[0, 1]) for move in moves)


def draw_seven(scale: int = 10) -> Levels:
    """Return a light seven on black, with room around it."""
    seven = np.zeros((10, 9), np.uint8)
    seven[2, 2:7] = seven[2:8, 6] = 255
    return np.kron(seven, np.ones((scale, scale), np.uint8))


SEVEN = draw_seven()


# --- what is in MNIST's geometry ---


def test_a_digit_of_mnist_keeps_every_level(mnist: Dataset) -> None:
    for digit in mnist.train.images[::50]:
        ink = normalise(digit)
        np.testing.assert_array_equal(ink.image, digit)
        assert (ink.polarity, ink.scale, ink.dropped) == ("light ink", 1.0, ())
        rows, columns = np.nonzero(digit)
        assert ink.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


def test_its_negative_and_its_numbers_in_other_types_are_the_same_digit(mnist: Dataset) -> None:
    for digit in mnist.train.images[:50]:
        assert normalise(255 - digit).polarity == "dark ink"
        for same in (
            255 - digit,
            digit / 255,
            digit.astype(np.float32) / 255,
            digit.astype(np.int64),
            digit.astype(np.uint16) * 257,
            digit[..., None],
            np.dstack([digit] * 3),
            np.dstack([digit, digit, digit, np.full_like(digit, 255)]),
        ):
            np.testing.assert_array_equal(normalise(same).image, digit)


def test_the_image_is_a_copy(mnist: Dataset) -> None:
    digit = mnist.train.images[0].copy()
    normalise(digit).image[:] = 0
    assert digit.any()


# --- digits in pictures ---

# Drawings differ from their digits where a pen, a shade or few pixels make them differ; the worst
# tenth of each kind resembles its own digit at least so much.
LEAST: dict[Draw, float] = {
    pictures.eight_pixels: 0.75,
    pictures.shaded: 0.6,
    pictures.marker: 0.75,
    pictures.fine_pen: 0.65,
    pictures.noise_over_it: 0.6,
    pictures.squared: 0.65,
    pictures.blurred: 0.65,
}


@pytest.mark.parametrize("kind", pictures.KINDS, ids=lambda kind: kind.__name__)
def test_the_digit_in_a_picture_is_found(kind: Draw, mnist: Dataset) -> None:
    generator = np.random.default_rng(1)
    digits = mnist.train.images[50_000:50_020]
    found = [likeness(normalise(kind(digit, generator)).image, digit) for digit in digits]
    assert np.quantile(found, 0.1) > LEAST.get(kind, 0.7), sorted(found)


@pytest.mark.parametrize("kind", pictures.EMPTY, ids=lambda kind: kind.__name__)
def test_no_digit_is_found_where_none_is(kind: Callable[[Generator], Levels | bytes]) -> None:
    generator = np.random.default_rng(2)
    for _ in range(12):
        with pytest.raises(NoInkError):
            normalise(kind(generator))


@pytest.mark.parametrize(
    "picture",
    [
        *(np.full((28, 28), level, np.uint8) for level in (0, 1, 255)),
        np.full((8, 8), 0.5),
        np.full((1, 1), 7),
        np.full((300, 200, 3), (200, 10, 10), np.uint8),
        np.zeros((40, 40), bool),
    ],
)
def test_one_colour_is_no_digit(picture: NDArray[np.generic]) -> None:
    with pytest.raises(NoInkError, match=r"^there is no digit in the picture: "):
        normalise(picture)


def test_where_the_ink_is_and_what_was_done_is_told() -> None:
    sheet = np.full((300, 400), 230, np.uint8)
    sheet[100:200, 150:155] = 30
    sheet[100:108, 110:155] = 30
    ink = normalise(sheet)
    assert ink.polarity == "dark ink"
    np.testing.assert_allclose(ink.box, (100, 110, 200, 155), atol=2)
    assert ink.scale == pytest.approx(BOX / 100, rel=0.05)
    assert ink.dropped == ()
    sheet[20:23, 300:303] = 30
    assert normalise(sheet).dropped == ("specks",)
    sheet[:, :][40::60] = 150
    assert "lines" in normalise(sheet).dropped


def test_the_box_is_in_the_pixels_of_a_large_original_and_of_a_small_one() -> None:
    large = np.full((3000, 4000), 230, np.uint8)
    large[1000:2000, 1900:2100] = 30
    np.testing.assert_allclose(normalise(large).box, (1000, 1900, 2000, 2100), atol=12)
    assert normalise(large).scale == pytest.approx(BOX / 1000, rel=0.05)
    small = np.zeros((16, 12))
    small[2:14, 5:8] = 1
    np.testing.assert_allclose(normalise(small).box, (2, 5, 14, 8), atol=1)


def test_a_tall_stroke_and_a_bar_that_fill_the_picture_are_not_rulings() -> None:
    one = np.full((200, 100), 235, np.uint8)
    one[:, 50:53] = 40  # from border to border, as thin as a ruled line
    ink = normalise(one)
    assert ink.dropped == ()
    assert np.ptp(np.nonzero(ink.image)[0]) + 1 >= 19
    seven = np.full((200, 150), 235, np.uint8)
    seven[10:13] = 40
    seven[10:190, 100:103] = 40
    image = normalise(seven).image
    assert (image.max(axis=0) > 100).sum() > 12  # the bar is there


def test_a_single_line_is_a_ruling_where_it_is_fainter_than_the_digit() -> None:
    for level, dropped in ((60, ("lines",)), (140, ("lines",)), (200, ("specks",))):
        sheet = np.pad(SEVEN, 50)
        sheet[160:163] = level
        ink = normalise(sheet)
        assert ink.dropped == dropped
        assert ink.box == (70, 70, 130, 120)


@pytest.mark.parametrize("turns", range(4))
def test_a_ruling_covers_half_of_the_margin_on_either_side(turns: int) -> None:
    for start, ruled in ((0, True), (11, True), (16, False)):  # the margin is an eighth, 25 or 23
        sheet = np.pad(SEVEN, 50)
        sheet[160, start:] = 140
        for side in (sheet, sheet[:, ::-1]):
            assert ("lines" in normalise(np.rot90(side, turns)).dropped) == ruled


@pytest.mark.parametrize("turns", range(4))
def test_what_reaches_into_the_picture_from_any_side_is_not_the_digit(turns: int) -> None:
    sheet = np.pad(SEVEN, 50)
    expected = np.rot90(sheet, turns) > 0
    sheet[65:135, :30] = 255  # twice the ink of the digit, as of a finger
    top, left, bottom, right = normalise(np.rot90(sheet, turns)).box
    found = np.zeros_like(expected)
    found[top:bottom, left:right] = True
    np.testing.assert_array_equal(found.any(axis=0), expected.any(axis=0))
    np.testing.assert_array_equal(found.any(axis=1), expected.any(axis=1))


def test_what_stands_on_the_border_is_the_digit_if_it_is_far_larger() -> None:
    cropped = SEVEN[:70].copy()  # it stands on the border
    cropped[40:48, 34:42] = 255  # in the middle, with less than a tenth of its ink
    assert normalise(cropped).box == (20, 20, 70, 70)


@pytest.mark.parametrize(("thickness", "length", "left"), [(4, 56, 70), (8, 62, 0)])
def test_what_reaches_up_to_the_digit_is_part_of_it_if_it_has_much_ink(
    thickness: int, length: int, left: int
) -> None:
    sheet = np.pad(SEVEN, 50)
    sheet[72 : 72 + thickness, :length] = 255  # with a fifth and with a third of all ink
    ink = normalise(sheet)
    assert ink.box == (70, left, 130, 120)
    assert ink.apart == bool(left)


@pytest.mark.parametrize("spacing", [40, 60])
@pytest.mark.parametrize("tilt", [-5, -3])
def test_rulings_that_leave_the_picture_above_and_below_are_erased(
    tilt: float, spacing: float
) -> None:
    paper = pictures.lined((300, 400), spacing, 150, 235, tilt=tilt)
    sheet = np.rint(paper).astype(np.uint8)
    sheet[100:200, 150:240] = np.minimum(sheet[100:200, 150:240], 255 - SEVEN)
    for side in (sheet, sheet[:, ::-1], sheet[::-1]):
        assert normalise(side).dropped == ("lines",)


def test_a_stroke_that_crosses_ruled_lines_is_whole() -> None:
    sheet = np.full((480, 640), 235, np.uint8)
    sheet[30::40] = sheet[31::40] = 120
    sheet[100:380, 318:324] = 40  # an upright stroke over seven lines
    ink = normalise(sheet)
    assert "lines" in ink.dropped
    rows = np.flatnonzero(ink.image.any(axis=1))
    assert (ink.image.max(axis=1)[rows[0] + 1 : rows[-1]] > 150).all()
    assert np.ptp(np.nonzero(ink.image)[1]) < 5


def test_a_loose_stroke_stays_with_its_digit() -> None:
    sheet = np.full((300, 300), 235, np.uint8)
    cv2.ellipse(sheet, (140, 190), (50, 50), 0, -100, 150, 40, 12)
    cv2.line(sheet, (110, 140), (120, 95), 40, 12)
    without = normalise(sheet)
    cv2.line(sheet, (142, 80), (210, 75), 40, 12)  # the bar of a 5, which touches nothing
    ink = normalise(sheet)
    assert ink.box[0] < without.box[0] - 10
    assert ink.box[3] > without.box[3]


@pytest.mark.parametrize("side", [8, 12, 16, 20])
def test_a_tiny_picture_keeps_the_width_of_its_strokes_and_its_greys(side: int) -> None:
    pole = np.zeros((side, side), np.uint8)
    pole[:, side // 4 : 3 * side // 4] = 255
    row = normalise(pole).image[CANVAS // 2]
    assert abs(np.count_nonzero(row > 127) - BOX // 2) <= 1
    stairs = np.repeat(np.linspace(0, 240, 4, dtype=np.uint8), side // 4)
    steps = normalise(np.tile(stairs, (side, 1))).image[CANVAS // 2]
    assert np.count_nonzero((steps > 50) & (steps < 220)) >= 6


@pytest.mark.parametrize("turns", range(4))
def test_a_stroke_keeps_its_width_unless_it_is_a_hair(turns: int) -> None:
    for width, drawn in ((5, 2), (7, 2), (15, 3), (20, 4)):  # of 100 pixels, and of 20
        sheet = np.zeros((140, 140), np.uint8)
        sheet[20:120, 60 : 60 + width] = 255
        image = np.rot90(normalise(np.rot90(sheet, turns)).image, -turns)
        assert np.count_nonzero(image[CANVAS // 2] > 127) == drawn


def test_a_stroke_of_twice_the_contrast_of_noise_is_found() -> None:
    generator = np.random.default_rng(1)
    for _ in range(10):
        sheet = np.full((100, 100), 120)
        sheet[20:80, 45:55] += 24
        assert normalise(pictures.noisy(sheet, 10, generator)).box[2] > 60


# --- rules that hold for any digit ---

PLACES = st.integers(0, 200)


def magnify(digit: Levels, factor: int) -> Levels:
    return np.kron(digit, np.ones((factor, factor), np.uint8))


@pytest.mark.parametrize("factor", [2, 3, 5, 12])
def test_a_magnified_digit_is_as_it_was(factor: int, mnist: Dataset) -> None:
    digits = mnist.train.images[:200]
    alike = [likeness(normalise(magnify(digit, factor)).image, digit) for digit in digits]
    # The thinnest are drawn bolder, and a speck that made a digit smaller is dropped.
    assert np.median(alike) > 0.98
    assert np.mean(np.array(alike) > 0.9) > 0.94


@settings(max_examples=30)
@given(place=st.integers(0, 999), factors=st.tuples(st.integers(2, 12), st.integers(2, 12)))
def test_a_digit_is_the_same_however_far_magnified(
    place: int, factors: tuple[int, int], mnist: Dataset
) -> None:
    digit = mnist.train.images[place]
    one, other = (normalise(magnify(digit, factor)).image for factor in factors)
    assert likeness(one, other) > 0.85


@settings(max_examples=30)
@given(place=st.integers(0, 999), margins=st.tuples(PLACES, PLACES, PLACES, PLACES))
def test_paper_around_a_digit_makes_no_difference(
    place: int, margins: tuple[int, int, int, int], mnist: Dataset
) -> None:
    digit = mnist.train.images[place]
    large = 255 - cv2.resize(digit, (140, 140), interpolation=cv2.INTER_CUBIC)
    above, below, before, after = margins
    padded = np.pad(large, ((above, below), (before, after)), constant_values=255)
    assert likeness(normalise(padded).image, normalise(large).image) > 0.9


@settings(max_examples=30)
@given(
    place=st.integers(0, 999),
    ground=st.integers(0, 200),
    contrast=st.integers(30, 255),
)
def test_dark_on_light_is_the_same_as_light_on_dark(
    place: int, ground: int, contrast: int, mnist: Dataset
) -> None:
    digit = np.roll(mnist.train.images[place], 3, axis=1)
    contrast = min(contrast, 255 - ground)
    light = (ground + digit * (contrast / 255)).astype(np.uint8)
    one, other = normalise(light), normalise(255 - light)
    assert (one.polarity, other.polarity) == ("light ink", "dark ink")
    assert one.box == pytest.approx(other.box, abs=1)
    assert likeness(one.image, other.image) > 0.96


NUMBERS = (
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
    | hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
    | hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 30)] * 2, st.sampled_from([3, 4])))
    | hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
    | hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
)


@settings(max_examples=300)
@given(picture=NUMBERS)
def test_any_array_comes_out_in_mnist_s_geometry_or_is_refused(
    picture: NDArray[np.generic],
) -> None:
    before = picture.copy()
    picture.flags.writeable = False
    try:
        ink = normalise(picture)
    except DataError:
        pass
    else:
        assert (ink.image.shape, ink.image.dtype.name) == ((CANVAS, CANVAS), "uint8")
        assert ink.image.any()
        top, left, bottom, right = ink.box
        assert 0 <= top < bottom <= picture.shape[0]
        assert 0 <= left < right <= picture.shape[1]
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 900), (900, 2), (4, 4)])
def test_pictures_of_odd_shapes_are_no_trouble(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    for picture in (generator.integers(0, 256, shape, np.uint8), np.eye(*shape)):
        with contextlib.suppress(NoInkError):
            assert normalise(picture).image.any()


# --- several, and models of other sizes ---


def test_a_batch_is_its_pictures_one_by_one(mnist: Dataset) -> None:
    inks = normalise_batch(mnist.train.images[:5])
    np.testing.assert_array_equal([ink.image for ink in inks], mnist.train.images[:5])
    assert normalise_batch([]) == []
    mixed = normalise_batch([SEVEN, Image.fromarray(255 - SEVEN), pictures.encode(SEVEN, "PNG")])
    assert [ink.polarity for ink in mixed] == ["light ink", "dark ink", "light ink"]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (np.zeros((9, 9)), NoInkError),
        (b"nothing", DataError),
        (np.zeros(9), ArgumentError),
        ("nowhere.png", StorageError),
    ],
)
def test_a_bad_picture_in_a_batch_is_named_by_its_place(
    bad: NDArray[np.generic] | bytes | str, kind: type[InkwiseError]
) -> None:
    with pytest.raises(kind, match=r"^pictures\[2\]: "):
        normalise_batch([SEVEN, SEVEN, bad, SEVEN])


def test_a_model_of_another_size_takes_pictures_of_just_that_size(mnist: Dataset) -> None:
    moved = np.roll(mnist.train.images[0], 4, axis=1)
    np.testing.assert_array_equal(take_as_is(moved, (28, 28)), moved)
    wide = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9)
    np.testing.assert_array_equal(take_as_is(np.dstack([wide] * 3), (7, 9)), wide)
    for other in (SEVEN, 255 - SEVEN[:24, :20], SEVEN[:20, :24]):
        with pytest.raises(DataError, match="bring it to 20×24 pixels, light ink"):
            take_as_is(other, (24, 20))
    with pytest.raises(NoInkError, match="blank"):
        take_as_is(np.zeros((24, 20), np.uint8), (24, 20))


def test_a_border_is_light_where_half_of_its_pixels_are() -> None:
    picture = np.zeros((24, 20), np.uint8)
    picture[0, 1:-1] = picture[-1, 1:-1] = 255  # 36 of 84 pixels, no corner among them
    picture[1:6, 0] = 255
    taken = take_as_is(picture, (24, 20))  # 41
    np.testing.assert_array_equal(taken, picture)
    picture[6, 0] = 255
    with pytest.raises(DataError, match="24"):
        take_as_is(picture, (24, 20))


def test_a_picture_of_28_by_28_pixels_may_be_meant_as_it_is(mnist: Dataset) -> None:
    digits = mnist.train.images[:20]
    noisy = corrupt(digits, "stripe")
    for picture, digit in zip(noisy, digits, strict=True):
        assert normalise(digit).readings[1:] == ()  # in MNIST's geometry: it is
        ink = normalise(picture)
        made, unchanged = ink.readings
        np.testing.assert_array_equal(unchanged, 255 - picture if ink.polarity == DARK else picture)
        np.testing.assert_array_equal(made, ink.image)
        assert normalise(np.pad(picture, 1)).unchanged is None
        as_it_is = ink.read_as(1)
        np.testing.assert_array_equal(as_it_is.image, unchanged)
        assert (as_it_is.box, as_it_is.scale, as_it_is.dropped) == ((0, 0, 28, 28), 1.0, ())
        assert as_it_is.unchanged is ink.read_as(0).unchanged is None
        assert ink.read_as(0).box == ink.box


def test_a_coloured_picture_of_28_by_28_pixels_is_kept_in_grey() -> None:
    picture = np.full((28, 28, 3), 255, np.uint8)
    picture[3:12, 4:6] = (160, 20, 20)
    unchanged = normalise(picture).unchanged
    assert unchanged is not None
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    np.testing.assert_array_equal(unchanged, 255 - grey)


@pytest.mark.parametrize("length", [800, 3000, 6440])
@pytest.mark.parametrize("width", [6, 9, 40])
def test_a_long_strip_is_read_or_has_no_ink(length: int, width: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (length, width), np.uint8)
    for strip in (noise, noise.T, np.where(noise > 250, 0, 255).astype(np.uint8)):
        with contextlib.suppress(NoInkError):
            assert normalise(strip).image.shape == (CANVAS, CANVAS)
