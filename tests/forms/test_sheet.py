"""A sheet is printed, written on, photographed, and learnt from."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import enlarge
from sheets import photograph

import inkwise
from inkwise import Dataset, InkwiseError, Split
from inkwise.data.picture_folder import read_folder
from inkwise.errors import ArgumentError, DataError
from inkwise.forms.sheet import COLUMNS, LEFT, TOP, box_side, draw_sheet

PER_MM = 5
"""Pixels per millimetre of the pages that are filled in."""


def written_on(
    digits: Split, rows: int, generator: np.random.Generator, *, page: Image.Image | None = None
) -> tuple[NDArray[np.float32], int]:
    """Fill in a page with the digits that it asks for, and leave some boxes empty."""
    image = page or Image.fromarray(draw_sheet(rows))
    size = 210 * PER_MM, 297 * PER_MM
    sheet = 1 - np.asarray(image.convert("L").resize(size, Image.Resampling.BOX)) / np.float32(255)
    box = box_side(rows)
    empty = 0
    for row in range(rows):
        own = np.flatnonzero(digits.labels == row % 10)
        for column in range(COLUMNS):
            if generator.random() < 0.1:
                empty += 1
                continue
            height = PER_MM * box * generator.uniform(0.5, 0.7)
            shape = enlarge(digits.images[generator.choice(own)], height)
            middle = np.array([TOP + (row + 0.5) * box, LEFT + (column + 0.5) * box]) * PER_MM
            middle += generator.uniform(-0.08, 0.08, 2) * PER_MM * box
            top, left = np.rint(middle - np.array(shape.shape) / 2).astype(int)
            place = sheet[top : top + shape.shape[0], left : left + shape.shape[1]]
            np.maximum(place, shape * 0.9, out=place)
    return sheet.astype(np.float32), empty


def as_picture(sheet: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (255 * (1 - sheet)).astype(np.uint8)


def rendered(path: Path) -> Image.Image:
    pypdfium2 = pytest.importorskip("pypdfium2")
    page: Image.Image = pypdfium2.PdfDocument(path)[0].render(scale=2.5).to_pil()
    return page


@pytest.fixture
def digits(mnist: Dataset) -> Split:
    return mnist.test


@pytest.mark.slow
def test_print_write_photograph_learn(digits: Split, unreported: None, tmp_path: Path) -> None:
    pdf = inkwise.write_sheet(tmp_path / "sheet.pdf", rows=10)
    generator = np.random.default_rng(4)
    sheet, empty = written_on(digits, 10, generator, page=rendered(pdf))
    photo, _ = photograph(sheet, np.zeros((1, 2)), generator)
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=85)

    learned = inkwise.learn_sheet(tmp_path / "photo.jpg", tmp_path / "mine")

    assert learned.empty == empty
    assert len(learned.saved) == 100 - empty
    assert len(learned.doubtful) <= 4
    data = read_folder(tmp_path / "mine")
    (split,) = data.parts.values()
    assert data.class_names == tuple("0123456789")
    read = inkwise.load_pretrained().predict(split.images)
    assert np.mean(read == split.labels) >= 0.96

    # A few digits drawn with pens: drawing as many as usual takes a third of the time.
    run = inkwise.train(
        start="pretrained", data=tmp_path / "mine", output=tmp_path / "run", epochs=1, pens=0.02
    )
    own, earlier = run.gains
    assert len(own.wrong_after) <= len(own.wrong_before) <= 2
    assert len(earlier.wrong_after) <= len(earlier.wrong_before) + 10
    assert run.model.class_names == tuple("0123456789")


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "turn"), [(1, 3), (3, 1), (12, 2), (20, 0)])
def test_any_number_of_rows_from_any_side(
    rows: int, turn: int, digits: Split, tmp_path: Path
) -> None:
    generator = np.random.default_rng([rows, turn])
    sheet, empty = written_on(digits, rows, generator)
    photo, _ = photograph(sheet, np.zeros((1, 2)), generator)
    learned = inkwise.learn_sheet(np.rot90(photo, turn).copy(), tmp_path)
    assert (len(learned.saved), learned.empty) == (10 * rows - empty, empty)
    assert len(learned.doubtful) <= 0.05 * 10 * rows + 1


def test_two_marks_are_enough(digits: Split, tmp_path: Path) -> None:
    sheet, empty = written_on(digits, 5, np.random.default_rng(0))
    sheet[-40 * PER_MM :] = 0  # the corners below are folded away
    learned = inkwise.learn_sheet(as_picture(sheet), tmp_path)
    assert (len(learned.saved), learned.empty) == (50 - empty, empty)


def test_what_is_doubtful_is_named_and_the_same_sheet_again_adds_nothing(
    digits: Split, tmp_path: Path
) -> None:
    sheet, _ = written_on(digits, 2, np.random.default_rng(1))
    box = box_side(2) * PER_MM
    x, y = round(LEFT * PER_MM + 2.5 * box), round(TOP * PER_MM + 1.5 * box)
    half = round(0.4 * box)
    sheet[y - half : y + half, x - half : x + half] = 0
    seven = enlarge(digits.images[0], 0.6 * box)  # a 7 among the ones
    sheet[y : y + seven.shape[0], x : x + seven.shape[1]] = 0
    top, left = y - seven.shape[0] // 2, x - seven.shape[1] // 2
    sheet[top : top + seven.shape[0], left : left + seven.shape[1]] = seven
    picture = as_picture(sheet)
    learned = inkwise.learn_sheet(picture, tmp_path)
    assert [(path.name[:9], label, said) for path, label, said in learned.doubtful] == [
        ("sheet-2-3", "1", "7")
    ]
    assert inkwise.learn_sheet(picture, tmp_path).saved == learned.saved
    assert len([*tmp_path.glob("*/*.png")]) == len(learned.saved)


def test_no_sheet_and_an_empty_sheet_are_told(tmp_path: Path) -> None:
    blank = cv2.resize(draw_sheet(4), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    with pytest.raises(DataError, match="nothing is written"):
        inkwise.learn_sheet(blank, tmp_path / "mine")
    with pytest.raises(InkwiseError, match="marks"):
        inkwise.learn_sheet(np.full((300, 200), 200, np.uint8), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("rows", [0, 21, -3])
def test_rows_out_of_range_are_refused(rows: int, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="rows"):
        inkwise.write_sheet(tmp_path / "sheet.pdf", rows)
    assert not [*tmp_path.iterdir()]
