import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from inkwise.data.dataset import Dataset
from inkwise.errors import DataError, InkwiseError, StorageError
from inkwise.ink import BOX, CANVAS, NOISE, fit_and_centre, read_picture

SIDES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60)
# Faint ink may vanish in scaling, which is an error of its own.
PICTURES = hnp.arrays(np.uint8, SIDES, elements=st.sampled_from([0, 128, 255])).filter(np.any)


def centre_of_mass(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    points = np.argwhere(image)
    centre: NDArray[np.float64] = np.average(points, axis=0, weights=image[tuple(points.T)])
    return centre


@given(picture=PICTURES)
def test_any_ink_fills_the_box_around_the_middle_of_the_canvas(picture: NDArray[np.uint8]) -> None:
    image = fit_and_centre(picture)
    assert image.shape == (CANVAS, CANVAS)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 <= BOX
    off = abs(centre_of_mass(image) - CANVAS / 2)
    # At most half a pixel, but for ink so lopsided that the canvas' edge stops it.
    outermost = [0, 1, -2, -1]  # antialiasing may leave an edge empty
    at_edge = (image[outermost].any(), image[:, outermost].any())
    for distance, stopped in zip(off, at_edge, strict=True):
        assert distance <= 0.5 or stopped


@given(
    picture=PICTURES,
    above=st.integers(0, 40),
    below=st.integers(0, 40),
    before=st.integers(0, 40),
    after=st.integers(0, 40),
)
def test_where_the_ink_lies_in_the_picture_does_not_matter(
    picture: NDArray[np.uint8], above: int, below: int, before: int, after: int
) -> None:
    moved = np.pad(picture, ((above, below), (before, after)))
    np.testing.assert_array_equal(fit_and_centre(moved), fit_and_centre(picture))


@given(picture=PICTURES)
def test_the_picture_is_left_as_it_is(picture: NDArray[np.uint8]) -> None:
    before = picture.copy()
    picture.flags.writeable = False
    fit_and_centre(picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("factor", [2, 3, 10])
def test_a_magnified_digit_comes_out_much_as_it_went_in(factor: int, mnist: Dataset) -> None:
    likeness = []
    for digit in mnist.train.images[:100]:
        large = np.kron(digit, np.ones((factor, factor), dtype=np.uint8))
        likeness.append(np.corrcoef(fit_and_centre(large).ravel(), digit.ravel())[0, 1])
    # All but the few whose centre falls between two pixels, and is rounded the other way.
    assert np.quantile(likeness, 0.1) > 0.99


def test_a_digit_of_mnist_already_has_mnist_s_geometry(mnist: Dataset) -> None:
    digits = mnist.train.images[:1000]
    unchanged = [np.array_equal(fit_and_centre(digit), digit) for digit in digits]
    assert np.mean(unchanged) > 0.99


def test_a_tall_stroke_stays_tall() -> None:
    image = fit_and_centre(np.full((100, 10), 255, dtype=np.uint8))
    np.testing.assert_array_equal(np.ptp(np.argwhere(image), axis=0) + 1, [20, 2])


def test_a_line_of_one_pixel_is_still_there() -> None:
    image = fit_and_centre(np.full((1, 400), 255, dtype=np.uint8))
    assert (image == 255).sum() == 20


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (0, 0), (0, 5)])
def test_a_blank_picture_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="blank"):
        fit_and_centre(np.zeros(shape, dtype=np.uint8))


def test_ink_too_faint_to_survive_is_refused() -> None:
    specks = np.zeros((500, 500), dtype=np.uint8)
    specks[0, 0] = specks[-1, -1] = 1
    with pytest.raises(DataError, match="too faint"):
        fit_and_centre(specks)


# --- pictures in files ---

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def to_file(picture: NDArray[np.generic] | Image.Image, name: str = "seven.png") -> Path:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(tmp_path / name)
        return tmp_path / name

    return to_file


def draw_seven(height: int = 60, width: int = 50, ink: int = 255) -> NDArray[np.uint8]:
    picture = np.zeros((height, width), np.uint8)
    picture[10:16, 10:40] = ink
    picture[16:50, 32:38] = ink
    return picture


SEVEN = draw_seven()
FITTED = fit_and_centre(SEVEN)


def test_a_picture_that_a_model_takes_is_used_as_it_is(save: Save, mnist: Dataset) -> None:
    for digit in mnist.train.images[:20]:
        np.testing.assert_array_equal(read_picture(save(digit)), digit)
    moved = np.roll(mnist.train.images[0], 4, axis=1)
    np.testing.assert_array_equal(read_picture(save(moved)), moved)
    wide = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9)
    np.testing.assert_array_equal(read_picture(save(wide), (7, 9)), wide)


def test_a_dark_digit_on_paper_is_inverted(save: Save, mnist: Dataset) -> None:
    np.testing.assert_array_equal(read_picture(save(255 - SEVEN)), FITTED)
    for digit in mnist.train.images[:20]:
        faint = np.where(digit < NOISE, 0, digit)
        np.testing.assert_array_equal(read_picture(save(255 - digit)), fit_and_centre(faint))


def test_a_picture_of_another_size_is_fitted_and_centred(save: Save) -> None:
    np.testing.assert_array_equal(read_picture(save(SEVEN)), FITTED)
    np.testing.assert_array_equal(read_picture(str(save(SEVEN))), FITTED)


@pytest.mark.parametrize("ground", [127, 128])
def test_the_border_tells_paper_from_a_black_ground(ground: int, save: Save) -> None:
    dark, light = np.full((2, 60, 50), ground, np.uint8)
    dark[SEVEN > 0], light[SEVEN > 0] = 0, 255
    seen, unseen = (dark, light) if ground > 127 else (light, dark)
    assert np.corrcoef(read_picture(save(seen)).ravel(), FITTED.ravel())[0, 1] > 0.999
    with pytest.raises(DataError, match="blank"):
        read_picture(save(unseen))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tiff", "a.gif", "a.webp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_any_usual_format_is_read(name: str, mode: str, save: Save) -> None:
    picture = read_picture(save(Image.fromarray(255 - SEVEN).convert(mode), name))
    assert np.corrcoef(picture.ravel(), FITTED.ravel())[0, 1] > 0.99


def test_a_picture_in_black_and_white_is_read(save: Save) -> None:
    np.testing.assert_array_equal(read_picture(save(Image.fromarray(SEVEN).convert("1"))), FITTED)


def test_16_bits_a_pixel_are_scaled_and_not_cut_off(save: Save) -> None:
    deep = (255 - draw_seven(ink=200)).astype(np.uint16) * 257
    expected = fit_and_centre(draw_seven(ink=200))
    np.testing.assert_array_equal(read_picture(save(deep)), expected)


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_what_is_transparent_is_white(mode: str, colour: int, save: Save) -> None:
    # A drawing canvas: black ink, and nothing behind it, of whatever colour that may be.
    levels = np.where(SEVEN > 0, 0, colour).astype(np.uint8)
    image = Image.fromarray(np.dstack([levels, levels, levels, SEVEN]), "RGBA")
    if mode == "P":
        image = image.quantize(4, method=Image.Quantize.FASTOCTREE)
    elif mode == "LA":
        image = Image.merge("LA", [Image.fromarray(levels), Image.fromarray(SEVEN)])
    path = save(image)
    with Image.open(path) as saved:
        assert saved.mode == mode
    np.testing.assert_array_equal(read_picture(path), FITTED)


def test_half_transparent_ink_is_half_as_dark(save: Save) -> None:
    black = np.zeros_like(SEVEN)
    image = Image.fromarray(np.dstack([black, black, black, SEVEN // 2]), "RGBA")
    np.testing.assert_array_equal(read_picture(save(image)), fit_and_centre(SEVEN // 2))


def test_a_photo_is_turned_as_the_camera_was_held(save: Save, tmp_path: Path) -> None:
    image = Image.fromarray(np.rot90(SEVEN))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), FITTED)


@pytest.mark.parametrize("quality", [50, 90])
def test_grey_paper_and_noise_are_no_ink(quality: int, save: Save, tmp_path: Path) -> None:
    large = np.kron(SEVEN, np.ones((5, 5)))
    noise = np.random.default_rng(0).normal(0, 4, large.shape)
    paper = np.clip(225 - large * (215 / 255) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(paper).save(tmp_path / "a.jpg", quality=quality)
    picture = read_picture(tmp_path / "a.jpg")
    assert np.corrcoef(picture.ravel(), FITTED.ravel())[0, 1] > 0.98
    blank = np.clip(225 + noise, 0, 255).astype(np.uint8)
    with pytest.raises(DataError, match="blank"):
        read_picture(save(blank))


@pytest.mark.parametrize(
    ("level", "side"), [(0, 1), (100, 2), (255, 3), (0, 28), (255, 28), (0, 40), (100, 40)]
)
def test_a_blank_picture_is_refused_by_name(level: int, side: int, save: Save) -> None:
    path = save(np.full((side, side), level, np.uint8))
    with pytest.raises(DataError, match="blank") as caught:
        read_picture(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "picture", [SEVEN, 255 - SEVEN[:24, :20], SEVEN[:20, :24], SEVEN[:28, :28]]
)
def test_a_model_of_another_size_takes_pictures_of_just_that_size(
    picture: NDArray[np.uint8], save: Save
) -> None:
    with pytest.raises(DataError, match="20×24 pixels, light ink") as caught:
        read_picture(save(picture), (24, 20))
    assert "seven.png" in str(caught.value)


def refusal(path: Path) -> InkwiseError:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InkwiseError) as caught:
            read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["seven.png", "seven.jpg", "seven.gif", "seven.tiff", "seven.bmp"])
def test_a_damaged_picture_is_one_line(name: str, save: Save) -> None:
    path = save(255 - SEVEN, name)
    content = path.read_bytes()
    for length in (0, 1, 10, 40, len(content) // 2):
        path.write_bytes(content[:length])
        assert isinstance(refusal(path), DataError)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"\x00" * 1000])
def test_a_file_that_is_no_picture_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert isinstance(refusal(tmp_path / "file"), DataError)


def test_a_missing_file_or_a_folder_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / ("x" * 300), tmp_path / "a" / "b"):
        assert isinstance(refusal(path), StorageError)


@pytest.mark.parametrize("side", [10_000, 15_000])
def test_a_picture_made_to_fill_the_memory_is_one_line(side: int, save: Save) -> None:
    path = save(Image.new("1", (side, side), 1))  # Pillow would warn of the first
    assert path.stat().st_size < 100_000
    error = refusal(path)
    assert isinstance(error, DataError)
    assert "more than 89,478,485 pixels" in str(error)


@given(
    picture=hnp.arrays(np.uint8, SIDES) | hnp.arrays(np.uint16, SIDES),
    size=st.sampled_from([(28, 28), (8, 8), (5, 9)]),
)
def test_any_picture_is_read_to_the_size_or_refused(
    picture: NDArray[np.generic], size: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.png"
    Image.fromarray(picture).save(path)
    try:
        read = read_picture(path, size)
    except DataError:
        return
    assert (read.shape, read.dtype.name) == (size, "uint8")
    assert read.any()
