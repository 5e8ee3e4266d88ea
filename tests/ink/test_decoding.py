"""Pictures in files, bytes, images and arrays of every kind."""

import io
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkwise.errors import (
    ArgumentError,
    DataError,
    InkwiseError,
    NoInkError,
    StorageError,
    TooManyPixelsError,
)
from inkwise.ink import image_files, normalise
from inkwise.ink.decoding import decode
from inkwise.ink.image_files import Page
from tests.ink.pictures import encode

Levels = NDArray[np.uint8]
Save = Callable[..., Path]


def draw_seven() -> Levels:
    seven = np.zeros((60, 50), np.uint8)
    seven[10:16, 10:40] = seven[16:50, 32:38] = 255
    return seven


SEVEN = draw_seven()
EXPECTED = normalise(SEVEN).image


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def to_file(picture: NDArray[np.generic] | Image.Image, name: str = "seven.png") -> Path:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(tmp_path / name)
        return tmp_path / name

    return to_file


def test_a_path_a_file_s_bytes_an_image_and_an_array_are_the_same(save: Save) -> None:
    path = save(SEVEN)
    for picture in (path, str(path), path.read_bytes(), Image.open(path), Image.fromarray(SEVEN)):
        np.testing.assert_array_equal(normalise(picture).image, EXPECTED)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tiff", "a.gif", "a.webp", "a.ppm"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_any_usual_format_is_read(name: str, mode: str, save: Save) -> None:
    ink = normalise(save(Image.fromarray(255 - SEVEN).convert(mode), name))
    assert ink.polarity == "dark ink"
    assert np.corrcoef(ink.image.ravel(), EXPECTED.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "I", "F", "I;16", "LA", "RGBA"])
def test_any_mode_of_pillow_s_is_read(mode: str) -> None:
    image = Image.fromarray(SEVEN)
    if mode in ("I", "I;16"):
        image = Image.fromarray(SEVEN.astype(np.uint16) * 257)
    image = image.convert(mode)
    assert image.mode == mode
    likeness = np.corrcoef(normalise(image).image.ravel(), EXPECTED.ravel())[0, 1]
    assert likeness > 0.99


@pytest.mark.parametrize(
    "numbers",
    [
        SEVEN > 0,
        (SEVEN > 0).astype(np.uint8),
        SEVEN.astype(np.int64),
        SEVEN.astype(np.uint16) * 257,
        (SEVEN // 16 + 1).astype(np.float64),
        SEVEN / np.float16(255),
        SEVEN * 1e300,
        SEVEN * 1e-300,
        SEVEN / 127.5 - 1,
        np.asfortranarray(SEVEN),
        np.repeat(SEVEN[..., None], 3, axis=2) / 255,
    ],
    ids=lambda numbers: f"{numbers.dtype}-{numbers.max():.3g}",
)
def test_any_range_of_numbers_is_read(numbers: NDArray[np.generic]) -> None:
    np.testing.assert_array_equal(normalise(numbers).image, EXPECTED)


@pytest.mark.parametrize("under", [0, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_what_is_transparent_is_white_below_black_ink(mode: str, under: int, save: Save) -> None:
    # A drawing canvas: black ink, and nothing behind it, of whatever colour that may be.
    levels = np.where(SEVEN > 0, 0, under).astype(np.uint8)
    image = Image.fromarray(np.dstack([levels, levels, levels, SEVEN]), "RGBA")
    if mode == "P":
        image = image.quantize(4, method=Image.Quantize.FASTOCTREE)
    elif mode == "LA":
        image = Image.merge("LA", [Image.fromarray(levels), Image.fromarray(SEVEN)])
    ink = normalise(save(image))
    assert ink.polarity == "dark ink"
    np.testing.assert_array_equal(ink.image, EXPECTED)


def test_what_is_transparent_is_black_below_white_ink() -> None:
    white = np.full((*SEVEN.shape, 3), 255, np.uint8)
    ink = normalise(np.dstack([white, SEVEN]))
    assert ink.polarity == "light ink"
    np.testing.assert_array_equal(ink.image, EXPECTED)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("side", [50, 2000])
def test_a_photo_is_turned_as_the_camera_was_held(orientation: int, side: int) -> None:
    upright = np.kron(255 - SEVEN, np.ones((side // 50, side // 50), np.uint8))
    lying = {
        1: upright,
        2: np.fliplr(upright),
        3: np.rot90(upright, 2),
        4: np.flipud(upright),
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright.T, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    ink = normalise(encode(np.ascontiguousarray(lying), quality=95, exif=exif))
    assert np.corrcoef(ink.image.ravel(), EXPECTED.ravel())[0, 1] > 0.97
    np.testing.assert_allclose(ink.box, np.multiply((10, 10, 50, 40), side // 50), atol=side / 50)


@pytest.mark.parametrize("white", [255, 1023, 4095, 65535])
@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_any_depth_of_up_to_16_bits_is_read(mode: str, white: int, save: Save) -> None:
    numbers = np.rint(SEVEN / 255 * white).astype(np.uint16)
    image = Image.fromarray(numbers)
    if mode != "I;16":
        image = image.convert("I").convert(mode)
    for picture in (numbers, image, save(image, "seven.tiff")):
        np.testing.assert_array_equal(normalise(picture).image, EXPECTED)


@pytest.mark.parametrize("scale", [1, 257, 1 / 255, 1 / 3], ids=str)
def test_a_crease_is_no_ink_in_any_type_of_numbers(scale: float) -> None:
    page = np.full((300, 300), 235.0)
    page[60:240, 148:153] = 232
    for dtype in (np.uint8, np.uint16, np.int64, np.float32, np.float64):
        numbers = page * scale
        if not np.can_cast(np.min_scalar_type(int(numbers.max())), dtype):
            continue
        with pytest.raises(NoInkError):
            normalise(np.rint(numbers).astype(dtype) if dtype(0.5) == 0 else numbers.astype(dtype))


@pytest.mark.parametrize(
    ("numbers", "levels"),
    [
        ([0.25, 0.5, 1.0], [64, 128, 255]),  # white is 1
        ([0.0, 100.0, 200.0], [0, 100, 200]),  # white is 255
        ([0.0, 0.05, 0.1], [0, 128, 255]),  # far from 1, so that the largest is white
        ([0.0, 300.0, 600.0], [0, 128, 255]),  # of floats, nothing deeper than 255 is usual
        ([-1.0, 0.0, 0.5], [0, 170, 255]),  # the least is black, and the largest white
        ([-1.0, -1.0, 1.0], [0, 0, 255]),
        ([-2.0, -1.0, -0.5], [0, 170, 255]),
        (np.array([0, 10_000, 65_535]), [0, 39, 255]),
        (np.array([0, 10_000, 10_000]), [0, 39, 39]),
        (np.array([0, 2_000, 8_000]), [0, 64, 255]),  # less than an eighth of 65,535
        (np.array([0, 33_000, 66_000]), [0, 128, 255]),
        (np.array([0, 0, 32], np.uint8), [0, 0, 32]),
        (np.array([0, 1, 1], np.uint8), [0, 255, 255]),
        (np.array([2, 2, 2], np.uint8), [2, 2, 2]),
    ],
)
def test_numbers_are_levels_by_their_range(numbers: list[float], levels: list[int]) -> None:
    np.testing.assert_array_equal(decode(np.array([numbers])).pixels, [levels])


@pytest.mark.parametrize("least", [0.0, -3.0])
def test_numbers_that_are_all_black_are_black(least: float) -> None:
    assert not decode(np.full((3, 4), least)).pixels.any()


@pytest.mark.parametrize("strip", [1, 5_000, 1 << 21])
@pytest.mark.parametrize("shape", [(1_700, 30), (30, 1_700), (1_601, 50, 3), (801, 2), (800, 3)])
def test_a_large_picture_is_reduced_as_a_whole_however_it_is_unpacked(
    strip: int, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.ink.decoding.STRIP", strip)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    expected = np.asarray(Image.fromarray(pixels).reduce(-(-max(shape) // 800)))
    for picture in (pixels, Image.fromarray(pixels)):
        raster = decode(picture)
        np.testing.assert_array_equal(raster.pixels, expected)
        assert raster.size == shape[:2]


def test_no_more_rows_are_unpacked_at_a_time_than_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inkwise.ink.decoding.STRIP", 5_000)
    crop, parts = Image.Image.crop, []

    def spy(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
        parts.append(box[3] - box[1])
        return crop(image, box)

    monkeypatch.setattr(Image.Image, "crop", spy)
    decode(Image.new("L", (100, 2_000)))
    assert max(parts) == 48  # as many as there are of 3 that are put together, within 5,000 pixels
    assert sum(parts) == 2_000
    parts.clear()
    decode(Image.new("F", (100, 700), 7.0))
    assert parts[:14] == [50] * 14


@pytest.mark.parametrize("row", [0, 6, 13])
def test_the_range_of_numbers_is_that_of_all_rows(
    row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.ink.decoding.STRIP", 60)
    numbers = np.full((14, 30), 100, np.float32)
    numbers[row, :2] = -50, 200
    levels = decode(Image.fromarray(numbers)).pixels
    np.testing.assert_array_equal(levels, np.rint((numbers + 50) / 250 * 255))


@pytest.mark.parametrize(
    ("side", "part"), [(4_000, 8), (3_200, 8), (2_000, 4), (1_000, 2), (700, 1)]
)
@pytest.mark.parametrize("upright", [True, False])
def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(
    side: int, part: int, upright: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, 32), np.uint8)
    content = encode(np.ascontiguousarray(noise if upright else noise.T))
    expected = Image.open(io.BytesIO(content))
    expected.draft(None, (expected.width // part, expected.height // part))
    raster = decode(content)
    np.testing.assert_array_equal(raster.pixels, np.asarray(expected))
    assert raster.size == ((side, 32) if upright else (32, side))


def test_what_is_partly_transparent_lies_on_white() -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (50, 40, 4), np.uint8)
    colour, opacity = pixels[..., :3].astype(float), pixels[..., 3:].astype(float)
    on_white = np.rint((colour * opacity + 255 * (255 - opacity)) / 255)
    np.testing.assert_array_equal(decode(pixels).pixels, on_white)
    white = pixels.copy()
    white[..., :3] = 255
    np.testing.assert_array_equal(decode(white).pixels, white[..., 3])


@pytest.mark.parametrize(("level", "ground"), [(190, 255), (191, 0)])
def test_ink_that_is_almost_white_lies_on_black(level: int, ground: int) -> None:
    pixels = np.zeros((6, 6, 4), np.uint8)
    pixels[2:4, 2:4] = level, level, level, 255
    pixels[2, 2, 3] = 128
    levels = decode(pixels).pixels
    assert (levels[0, 0], levels[3, 3]) == (ground, level)
    assert levels[2, 2] == round((128 * level + 127 * ground) / 255)


def test_a_turn_that_metadata_do_not_tell_is_none() -> None:
    text = b"II*\0\x08\0\0\0" + struct.pack("<HHHI4s", 1, 0x0112, 2, 4, b"top")
    for exif in (b"Exif\0\0damaged", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + text):
        ink = normalise(encode(255 - SEVEN, quality=95, exif=exif))
        assert np.corrcoef(ink.image.ravel(), EXPECTED.ravel())[0, 1] > 0.97


def refusal(picture: Path | bytes | str) -> InkwiseError:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InkwiseError) as caught:
            normalise(picture)
    assert "\n" not in str(caught.value)
    if not isinstance(picture, bytes):
        assert str(picture) in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["seven.png", "seven.jpg", "seven.gif", "seven.tiff", "seven.bmp"])
def test_a_damaged_picture_is_one_line(name: str, save: Save) -> None:
    path = save(255 - SEVEN, name)
    content = path.read_bytes()
    for length in (0, 1, 10, 40, len(content) // 2):
        path.write_bytes(content[:length])
        for picture in (path, content[:length]):
            error = refusal(picture)
            assert isinstance(error, DataError)
            assert not isinstance(error, NoInkError)


@pytest.mark.parametrize(
    "content",
    [b"hello", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"\x00" * 1000, b"%!PS-Adobe-3.0 EPSF-3.0"],
)
def test_a_file_that_is_no_picture_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert isinstance(refusal(tmp_path / "file"), DataError)
    assert isinstance(refusal(content), DataError)


def test_a_missing_file_or_a_folder_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / ("x" * 300), tmp_path / "a" / "b"):
        assert isinstance(refusal(path), StorageError)


def test_a_blank_picture_is_refused_by_name(save: Save) -> None:
    path = save(np.full((40, 40), 235, np.uint8))
    assert isinstance(refusal(path), NoInkError)


def _png_of(width: int, height: int) -> bytes:
    """Return a PNG that says it is so large, and holds nothing."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("side", [10_000, 15_000, 2_000_000_000])
def test_a_picture_made_to_fill_the_memory_is_one_line(side: int) -> None:
    error = refusal(_png_of(side, side))  # Pillow would only warn of the first
    assert "more than 89,478,485 pixels" in str(error)


def test_a_tile_made_to_fill_the_memory_is_one_line() -> None:
    """A TIFF of 10×10 pixels in a single tile of 10,000×10,000."""
    tile = zlib.compress(bytes(10_000 * 10_000), 1)
    tags = {256: 10, 257: 10, 258: 8, 259: 8, 262: 1, 277: 1, 322: 10_000, 323: 10_000}
    tags |= {324: 8 + 2 + 12 * 10 + 4, 325: len(tile)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    assert "more than 89,478,485 pixels" in str(refusal(header + tile))


def test_what_no_file_can_be_called_is_one_line() -> None:
    for name in ("seven\0.png", "\ud800.png"):
        with pytest.raises(StorageError, match="it is not a valid path") as caught:
            normalise(name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (np.zeros(28), "shape"),
        (np.zeros((1, 28, 28)), "shape"),
        (np.zeros((28, 28, 2)), "shape"),
        (np.zeros((2, 28, 28, 3)), "shape"),
        (np.array(7), "shape"),
        (np.full((28, 28), "7"), "numbers"),
        (np.full((28, 28), 7, object), "numbers"),
        (np.zeros((28, 28), complex), "numbers"),
        ([[0, 1], [1, 0]], "not list"),
        (None, "not NoneType"),
        (7, "not int"),
    ],
)
def test_what_is_no_picture_at_all_is_one_line(picture: object, says: str) -> None:
    with pytest.raises(ArgumentError, match=says) as caught:
        normalise(picture)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 0)),
        np.zeros((0, 28, 3), np.uint8),
        np.zeros((28, 0)),
        np.full((28, 28), np.nan),
        np.where(np.eye(28), np.inf, 0.0),
        np.where(np.eye(28), -np.inf, 0.0),
        np.where(np.eye(28), np.nan, 0.0),
    ],
)
def test_no_pixels_and_numbers_that_are_none_are_one_line(
    picture: NDArray[np.generic], save: Save
) -> None:
    with pytest.raises(DataError, match=r"^the picture (has no pixels|holds numbers)"):
        normalise(picture)
    if picture.size:
        image = Image.fromarray(picture.astype(np.float32))
        for same in (image, save(image, "seven.tiff").read_bytes()):
            with pytest.raises(DataError, match=r"^the picture holds numbers"):
                normalise(same)
    with pytest.raises(DataError, match="no pixels"):
        normalise(Image.new("L", (0, 5)))


def test_many_threads_read_at_once(save: Save) -> None:
    path = save(255 - SEVEN, "a.jpg")
    expected = normalise(path).image
    filters = list(warnings.filters)
    seen: list[bool] = []

    def work() -> None:
        seen.extend(np.array_equal(normalise(path).image, expected) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 160
    assert list(warnings.filters) == filters


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' account")
@pytest.mark.slow
def test_a_huge_picture_takes_bounded_memory(tmp_path: Path) -> None:
    levels = np.full((5000, 6000), 230, np.uint8)
    levels[1000:4000, 3000:3200] = 40
    image = Image.fromarray(levels)
    Image.merge("RGBA", [image, image, image, image.point(lambda _: 255)]).save(
        tmp_path / "a.png", compress_level=1
    )
    script = f"""
from inkwise.ink import normalise
from inkwise.ink.decoding import decode
ink = normalise({str(tmp_path / "a.png")!r})
status = open("/proc/self/status").read()
print(*ink.box, status.split("VmHWM:")[1].split()[0])
"""
    out = subprocess.check_output([sys.executable, "-c", script], text=True, timeout=120)
    *box, kilobytes = map(int, out.split())
    np.testing.assert_allclose(box, (1000, 3000, 4000, 3200), atol=16)
    assert kilobytes < 250_000  # of which Pillow's pixels are 120,000


def test_a_digit_in_mnist_s_geometry_needs_no_opencv() -> None:
    script = """
import sys, numpy
from inkwise.ink import fit_and_centre, normalise
bar = fit_and_centre(numpy.full((20, 5), 255, numpy.uint8))
assert (normalise(bar).image == bar).all()
assert "cv2" not in sys.modules
"""
    subprocess.check_call([sys.executable, "-c", script], timeout=120)


def test_a_later_frame_that_would_fill_the_memory_is_refused_before_it_is_made() -> None:
    frames = [Image.fromarray(np.roll(SEVEN, step, 1)) for step in range(2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    content = bytearray(buffer.getvalue())
    # The second image descriptor, behind its control extension.
    place = content.index(b"\x2c", content.rindex(b"\x21\xf9\x04") + 8)
    content[place + 5 : place + 9] = struct.pack("<HH", 12_000, 12_000)
    assert decode(Page(bytes(content), 0)).size == SEVEN.shape
    with pytest.raises(TooManyPixelsError, match="pixels: scale it down"):
        decode(Page(bytes(content), 1))


def test_a_webp_whose_decoder_would_fill_the_memory_is_refused(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(SEVEN, "seven.webp")
    assert decode(path).size == SEVEN.shape
    monkeypatch.setattr(image_files, "MOST_WEBP_PIXELS", SEVEN.size - 1)
    with pytest.raises(TooManyPixelsError, match="is a WebP of more than 2,999 pixels"):
        decode(path)
    assert decode(save(SEVEN)).size == SEVEN.shape


def test_a_file_that_sends_its_reader_before_its_beginning_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "short.pcx"
    Image.fromarray(SEVEN).convert("P").save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"short\.pcx is damaged: save or copy it again"):
        decode(path)


def test_an_image_that_claims_no_width_until_it_is_decoded_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = Image.fromarray(SEVEN)
    size, load = image.size, image.load

    def decode_it() -> object:
        monkeypatch.setattr(image, "_size", size)
        return load()

    monkeypatch.setattr(image, "load", decode_it)
    monkeypatch.setattr(image, "_size", (0, 60))
    with pytest.raises(DataError, match="has no pixels"):
        decode(image)
