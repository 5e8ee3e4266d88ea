"""Numbers in pictures, read by the model in the package."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from compose import KINDS, compose
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import inkwise
from inkwise import Dataset, Model, Number, Split
from inkwise.errors import ArgumentError, DataError
from inkwise.reading.alphabet import OTHER, SIGNS
from inkwise.reading.line_model import LineModel
from tests.strokes import strokes


@pytest.fixture(scope="module")
def model() -> Model:
    return inkwise.load_pretrained()


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Split:
    return mnist.train.take(np.arange(57_000, 60_000))


def written(
    digits: Split, *lines: str, gap: int = 2, seed: int = 0
) -> tuple[NDArray[np.uint8], list[str]]:
    """Write lines of digits as images of 28×28 pixels, enlarged, dark on light."""
    generator = np.random.default_rng(seed)
    rows = []
    for line in lines:
        images = [
            np.pad(
                np.zeros((28, 28), np.uint8)
                if sign == " "
                else digits.images[generator.choice(np.flatnonzero(digits.labels == int(sign)))],
                ((4, 4), (gap, gap)),
            )
            for sign in line
        ]
        rows.append(np.hstack(images))
    width = max(row.shape[1] for row in rows) + 16
    sheet = np.vstack([np.pad(row, ((4, 4), (8, width - 8 - row.shape[1]))) for row in rows])
    return 255 - cv2.resize(sheet, None, fx=3, fy=3), list(lines)


def up_to_the_edges(digits: Split, seed: int) -> NDArray[np.uint8]:
    """Write a number, level or tilted and of any size, whose ink touches all edges."""
    generator = np.random.default_rng([4, seed])
    count = int(generator.integers(2, 6))
    climb = generator.uniform(-9, 9)
    sheet = np.zeros((100, 22 * count + 6), np.uint8)
    for place in range(count):
        down, across = 36 + round(climb * (place - (count - 1) / 2)), 22 * place
        image = digits.images[generator.integers(len(digits.images))]
        part = sheet[down : down + 28, across : across + 28]
        np.maximum(part, image, out=part)
    rows, columns = np.flatnonzero(sheet.any(1)), np.flatnonzero(sheet.any(0))
    cut = sheet[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    zoom = float(generator.choice([1.5, 3, 9]))  # the last is reduced while it is read
    return 255 - cv2.resize(cut, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)


def boxes_of(numbers: list[Number]) -> NDArray[np.int64]:
    """Return the boxes of numbers and of their signs, a row each."""
    each = [[number.box, *(sign.box for sign in number.digits)] for number in numbers]
    return np.array([box for boxes in each for box in boxes])


def read_171(_: LineModel, levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Be a network that sees 171 at the end of any line."""
    places = (levels.shape[1] + -levels.shape[1] % 16) // 2
    seen = np.full(places, len(SIGNS))
    seen[-3:] = 1, 7, 1
    return np.eye(len(SIGNS) + 1, dtype=np.float32)[seen]


def texts(numbers: list[Number]) -> list[str]:
    return [number.text for number in numbers]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("apart to overlapping", 0.9),
        ("every neighbour touching", 0.75),
        ("with marks", 0.75),
        ("on cheques and in registers", 0.8),
    ],
)
def test_composed_numbers_are_read_and_sure_ones_are_right(
    kind: str, least: float, model: Model, digits: Split
) -> None:
    right = sure = wrong = 0
    count = 24
    for place in range(count):
        picture, text = compose(digits, KINDS[kind], np.random.default_rng([7, place]))
        numbers = model.read(picture)
        hit = texts(numbers) == [text.strip(OTHER)]
        right += hit
        if numbers and all(number.verdict == "number" for number in numbers):
            sure += 1
            wrong += not hit
    assert right >= least * count
    assert sure >= 0.4 * count
    assert wrong <= 0.05 * count


def test_a_column_comes_from_top_to_bottom(model: Model, digits: Split) -> None:
    picture, lines = written(digits, "402", "73", "9156", seed=1)
    assert texts(model.read(picture)) == lines


def test_a_number_is_what_its_signs_are_and_lies_where_they_do(model: Model, digits: Split) -> None:
    picture, (text,) = written(digits, "40213", seed=2)
    (number,) = model.read(picture)
    assert number.text == text == "".join(digit.label for digit in number.digits)
    assert number.verdict == "number"
    assert all(digit.verdict == "digit" for digit in number.digits)
    lefts = [digit.box[1] for digit in number.digits]
    assert lefts == sorted(lefts)
    boxes = np.array([digit.box for digit in number.digits])
    assert number.box == (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))
    for top, left, bottom, right in boxes.tolist():  # each box has ink at all of its sides
        ink = picture[top:bottom, left:right] < 128
        assert ink.any()
        assert bottom - top > 40
    total = number.probability + sum(probability for _, probability in number.others)
    assert 0.95 <= total <= 1 + 1e-6


def test_what_is_known_chooses_among_readings_and_invents_none(model: Model, digits: Split) -> None:
    picture, (text,) = written(digits, "40213", seed=2)
    assert texts(model.read(picture, digits=5)) == [text]
    (number,) = model.read(picture, digits=5, check=lambda other: other == text)
    assert (number.text, number.verdict) == (text, "number")
    for known in ({"digits": 9}, {"pattern": "##.###"}, {"check": lambda _: False}):
        (number,) = model.read(picture, **known)
        assert number.verdict == "unsure"
        assert number.text == text or known == {"pattern": "##.###"}


def test_marks_are_read_or_left_out(model: Model, digits: Split) -> None:
    read = [
        (text, model.read(picture), model.read(picture, marks=False))
        for picture, text in (
            compose(digits, KINDS["with marks"], np.random.default_rng([3, place]))
            for place in range(8)
        )
    ]
    assert any(
        texts(numbers) == [text.strip(OTHER)] and not text.isdigit() for text, numbers, _ in read
    )
    for _, _, bare in read:
        assert all(number.text.isdigit() for number in bare)


def test_single_digits_are_read_as_they_are_classified(model: Model, digits: Split) -> None:
    images = digits.images[:6]
    pictures = [
        *images,
        *(np.pad(255 - cv2.resize(image, (90, 90)), 9, constant_values=255) for image in images),
    ]
    for picture, answer in zip(pictures, model.classify(pictures), strict=True):
        (number,) = model.read(picture)
        assert (number.text, number.probability) == (answer.label, answer.probability)
        assert (number.verdict == "number") == (answer.verdict == "digit")
        (number,) = model.read(picture, digits=2)
        assert (number.text, number.verdict) == (answer.label, "unsure")


DOT = cv2.circle(np.zeros((40, 40), np.uint8), (20, 20), 6, 255, -1)


def small_on_a_page(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a few pixels, light on black, on a white page that is much larger."""
    page = np.full((1200, 1700), 255, np.uint8)
    page[500 : 500 + len(ink), 400 : 400 + len(ink)] = 255 - ink
    return page


def test_a_digit_that_is_small_beside_its_page_is_unsure(model: Model, digits: Split) -> None:
    for image, label in zip(digits.images[:5], digits.labels[:5], strict=True):
        numbers = model.read(small_on_a_page(cv2.resize(image, (40, 40))))

        assert [(number.text, number.verdict) for number in numbers] == [(str(label), "unsure")]
    numbers = model.read(small_on_a_page(DOT))
    assert (list(numbers), numbers.dropped) == ([], ("specks",))


@pytest.mark.parametrize(
    "picture",
    [
        np.full((80, 200), 255, np.uint8),
        np.linspace(0, 255, 200, dtype=np.uint8)[None].repeat(80, 0),
        np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8),
    ],
    ids=["blank", "slope", "noise"],
)
def test_where_there_is_no_number_none_is_read(picture: NDArray[np.uint8], model: Model) -> None:
    assert model.read(picture) == []


def test_a_model_of_other_classes_reads_no_numbers(digits: Split) -> None:
    with pytest.raises(ArgumentError, match="digits 0 to 9"):
        strokes().read(written(digits, "12")[0])


def test_the_package_reads_without_being_given_a_model(digits: Split) -> None:
    picture, lines = written(digits, "402", seed=1)
    assert texts(inkwise.read(picture)) == lines
    with pytest.raises(ArgumentError, match="unknown check"):
        inkwise.read(picture, check="iban")


@pytest.mark.parametrize("font", ["DejaVuSerif", "DejaVuSans"])
def test_a_page_of_text_holds_no_number(font: str, model: Model) -> None:
    page = Image.new("L", (900, 300), 255)
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    lines = (
        "It was the best of times, it was the worst of times,",
        "it was the age of wisdom and of foolishness,",
        "the epoch of belief, the epoch of incredulity.",
    )
    for place, line in enumerate(lines):
        ImageDraw.Draw(page).text((30, 30 + 80 * place), line, 20, ImageFont.truetype(file, 28))
    numbers = model.read(page)
    assert {number.verdict for number in numbers} <= {"not a number"}
    assert not any(number.text or number.digits for number in numbers)


def _beside(paper: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    paper = np.pad(paper, ((0, 0), (170, 0)), constant_values=255)
    return cv2.putText(paper, text, (20, 90), cv2.FONT_HERSHEY_SIMPLEX, 2, 0, 4)


def _below(paper: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    paper = np.pad(paper, ((0, 120), (0, 0)), constant_values=255)
    return cv2.putText(
        paper, text, (20, len(paper) - 40), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2, cv2.LINE_AA
    )


def _ruled(paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    paper = np.pad(paper, ((0, 60), (0, 0)), constant_values=255)
    paper[-30:-26, 9:-9] = 0
    return paper


def _stamped(paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    stamp = np.full_like(paper, 255)
    cv2.putText(stamp, "PAID", (60, 66), cv2.FONT_HERSHEY_SIMPLEX, 2, 180, 4)
    return np.minimum(paper, stamp)


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        (lambda paper: paper, ()),
        (_ruled, ("lines",)),
        (_stamped, ("pale ink",)),
        (lambda paper: _below(paper, "Total amount"), ("small writing",)),
        (lambda paper: _beside(paper, "Fr."), ("writing without digits",)),
        (lambda paper: np.tile(paper[:, 45:-45], 25), ("wide lines of writing",)),
    ],
    ids=["nothing", "ruled line", "stamp", "small", "words", "wide"],
)
def test_what_is_left_out_is_told(
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    dropped: tuple[str, ...],
    model: Model,
    digits: Split,
) -> None:
    for seed in range(2):
        picture, _ = written(digits, "40213", seed=seed)
        numbers = model.read(change(picture))
        assert set(dropped) <= set(numbers.dropped)
        if dropped != ("wide lines of writing",):
            assert set(numbers.dropped) <= {"specks", *dropped}
            assert texts(numbers) == ["40213"]


def test_lines_after_the_200th_are_left_out_and_told(
    model: Model, digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LineModel, "run", read_171)  # what they say is not the point
    picture, _ = written(digits, "40213")
    numbers = model.read(np.tile(picture[24:96, :120], (205, 1)))
    assert "lines of writing after the 200th" in numbers.dropped
    assert len(numbers) == 200


@pytest.mark.parametrize("height", [100, 35])
def test_a_large_page_of_small_numbers_is_read(height: int, model: Model, digits: Split) -> None:
    page = np.full((3508, 2480), 255, np.uint8)
    lines = ["5021", "734", "80", "91"]
    for place, line in enumerate(lines):
        paper, _ = written(digits, line, seed=place)
        paper = cv2.resize(paper, None, fx=height / 60, fy=height / 60)
        top = 200 + 700 * place
        page[top : top + len(paper), 300 : 300 + paper.shape[1]] = paper
    numbers = model.read(page)
    assert texts(numbers) == lines
    assert abs(numbers[0].box[2] - numbers[0].box[0] - height) < height / 2


@pytest.mark.parametrize("pad", range(0, 12, 2))
def test_signs_seen_beyond_the_end_of_a_line_lie_in_the_picture(
    pad: int, model: Model, digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line is widened for the network, which may see signs in what was added."""
    monkeypatch.setattr(LineModel, "run", read_171)
    picture = 255 - np.pad(np.hstack([digits.images[0], digits.images[1]]), ((8, 8), (8, 8)))
    wider = cv2.resize(picture, (picture.shape[1] * 4 + pad, picture.shape[0] * 4))
    (number,) = model.read(wider)
    assert number.text == "171"
    for sign in number.digits:
        top, left, bottom, right = sign.box
        assert 0 <= top < bottom <= wider.shape[0]
        assert 0 <= left < right <= wider.shape[1]


@pytest.mark.parametrize("legible", [True, False])
def test_boxes_lie_in_the_picture_and_are_not_empty(
    legible: bool, model: Model, digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not legible:
        monkeypatch.setattr("inkwise.reading.numbers.LEGIBLE", 2)
    for seed in range(24):
        picture = up_to_the_edges(digits, seed)
        numbers = model.read(picture)
        assert legible or {number.verdict for number in numbers} == {"not a number"}
        for top, left, bottom, right in boxes_of(numbers).tolist():
            assert 0 <= top < bottom <= picture.shape[0], seed
            assert 0 <= left < right <= picture.shape[1], seed


@contextlib.contextmanager
def in_a_pipe(content: bytes) -> Iterator[str]:
    """Yield the path of a pipe that holds a small file, and ends with it."""
    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "wb") as file:  # noqa: PTH123
        file.write(content)
        file.close()
        yield f"/dev/fd/{reader}"


def encoded(picture: NDArray[np.uint8], pages: int = 1) -> bytes:
    """Return a picture as a file, with more pages that are the same."""
    file = io.BytesIO()
    page = Image.fromarray(picture)
    page.save(
        file, "TIFF", compression="tiff_deflate", save_all=True, append_images=[page] * (pages - 1)
    )
    return file.getvalue()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system gives pipes no paths")
@pytest.mark.parametrize("text", ["7", "40213"], ids=["one digit", "a small number on a page"])
def test_a_pipe_is_read_once(text: str, model: Model, digits: Split) -> None:
    picture, _ = written(digits, text, seed=2)
    if len(text) > 1:  # such a page is decoded a second time, at a higher resolution
        small = cv2.resize(picture, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
        picture = np.full((900, 1700), 255, np.uint8)
        picture[400 : 400 + len(small), 700 : 700 + small.shape[1]] = small
    content = encoded(picture)
    with in_a_pipe(content) as path:
        numbers = model.read(path)
    assert texts(numbers) == [text]
    assert numbers == model.read(content)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system gives pipes no paths")
def test_what_is_told_of_a_pipe_names_it(model: Model, digits: Split) -> None:
    with (
        in_a_pipe(b"no picture") as path,
        pytest.raises(DataError, match=f"^{path} is not a picture"),
    ):
        model.read(path)
    content = encoded(written(digits, "40213", seed=2)[0], pages=2)
    with (
        in_a_pipe(content) as path,
        pytest.warns(UserWarning, match=f"^{path} has 2 pages or frames, and the first is read"),
    ):
        assert texts(model.read(path)) == ["40213"]
