"""Folders of pictures: what is read, what is left out, and what is held out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inkwise import InkwiseError, Progress, load_folder
from inkwise.data.picture_folder import class_folder
from inkwise.errors import ArgumentError, DataError, StorageError
from inkwise.ink import normalise
from tests.folders import IN_PIECES, SYMBOLS, write_pictures, write_symbols


def test_every_picture_is_in_one_part_as_the_network_takes_it(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 20, "thick": 10})

    dataset = load_folder(folder)

    assert dataset.name == "pens"
    assert dataset.class_names == ("thick", "thin")
    everything = [*dataset.train.images, *dataset.test.images]
    expected = [normalise(file).image for file in folder.glob("*/*.png")]
    assert {image.tobytes() for image in everything} == {image.tobytes() for image in expected}
    assert len(everything) == 30
    for part, share in ((dataset.train, 0.8), (dataset.test, 0.2)):
        assert np.bincount(part.labels).tolist() == [10 * share, 20 * share]
    thick = {normalise(file).image.tobytes() for file in (folder / "thick").iterdir()}
    assert all(
        (image.tobytes() in thick) == (label == 0)
        for part in (dataset.train, dataset.test)
        for image, label in zip(part.images, part.labels, strict=True)
    )


def test_what_is_held_out_is_said_and_always_the_same(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 12, "thick": 8})

    dataset = load_folder(folder)

    assert dataset.notice is not None
    assert "4 of 20" in dataset.notice
    assert dataset.sha256 == load_folder(folder).sha256


def test_the_last_training_images_are_of_all_classes(tmp_path: Path) -> None:
    # A recipe may set the last ones apart for validation.
    dataset = load_folder(write_pictures(tmp_path / "pens", {"a": 25, "b": 25, "c": 25}))

    assert set(dataset.train.labels[-15:]) == {0, 1, 2}


def test_numbers_are_in_their_order_and_names_after_them(tmp_path: Path) -> None:
    dataset = load_folder(write_pictures(tmp_path / "mnist", {"10": 5, "9": 5, "none": 5}))

    assert dataset.class_names == ("9", "10", "none")
    assert dataset.name == "mnist-own"  # it is not the catalogue's


def test_what_cannot_be_learnt_from_is_left_out_and_said(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 6, "thick": 6})
    Image.new("L", (90, 90), 235).save(folder / "thin" / "blank.png")
    (folder / "thick" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "thick" / "notes.txt").write_text("no picture, and not taken for one")
    (folder / "thick" / ".hidden.png").write_text("nor this")
    (folder / "readme").write_text("nor this one")
    (folder / ".git").mkdir()

    dataset = load_folder(folder)

    assert dataset.class_names == ("thick", "thin")
    assert len(dataset.train) + len(dataset.test) == 12
    assert dataset.notice is not None
    assert "2 of 14 pictures are left out" in dataset.notice
    assert "torn.png" in dataset.notice
    told = f"2 files that are no pictures (readme, {Path('thick', 'notes.txt')}) are passed over"
    assert told in dataset.notice


def test_what_is_beside_the_largest_thing_in_a_picture_is_said(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 6, "thick": 6})
    for place, gap in enumerate((130, 180)):
        pair = Image.new("L", (300, 120), 235)
        for left in (40, 40 + gap):
            ImageDraw.Draw(pair).line((left, 20, left + 5, 100), 20, width=9)
        pair.save(folder / "thin" / f"pair{place}.png")
    notice = load_folder(folder).notice
    pairs = ", ".join(str(folder / "thin" / f"pair{place}.png") for place in (0, 1))
    assert f"Several things are in 2 pictures ({pairs}): only the largest is taken, " in str(notice)


@pytest.mark.parametrize("symbol", IN_PIECES)
def test_a_class_in_pieces_keeps_all_ink_of_every_picture_together(
    symbol: str, tmp_path: Path
) -> None:
    folder = write_symbols(tmp_path / "signs", {"1": symbol, "2": "tick"}, 10)

    dataset = load_folder(folder)

    assert dataset.together is True
    told = "Most pictures of 1 are of several pieces: all ink of a picture is kept together"
    assert told in str(dataset.notice)
    files = sorted(folder.glob("*/*.png"))
    whole = {normalise(file, together=True).image.tobytes() for file in files}
    for part in (dataset.train, dataset.test):
        assert {image.tobytes() for image in part.images} <= whole


def test_classes_of_one_piece_are_read_as_before(tmp_path: Path) -> None:
    folder = write_symbols(tmp_path / "signs", {name: name for name in SYMBOLS}, 5)
    assert load_folder(folder).together is False


@pytest.mark.parametrize("radius", [3, 5, 7])
def test_a_dot_that_is_left_out_as_a_speck_is_said(radius: int, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "letters", {"l": 14, "i": 14})
    dotted = []
    for place, path in enumerate(sorted((folder / "i").iterdir())[:6]):
        letter = Image.new("L", (120, 120), 235)
        ImageDraw.Draw(letter).line((60, 40, 60 + place, 100), 30, width=9)
        ImageDraw.Draw(letter).circle((60, 22), radius, 30)
        letter.save(path)
        dotted.append(str(path))
    told = f"Left out as specks are dots in 6 pictures ({', '.join(dotted[:3])}, …)."
    assert told in str(load_folder(folder).notice)


def test_pictures_are_found_by_content_in_folders_below_and_on_every_page(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 7, "thick": 5})
    below = folder / "thin" / "2024" / "May"
    below.mkdir(parents=True)
    files = sorted((folder / "thin").glob("*.*"))
    files[0].rename(below / "picture")
    pages = [Image.open(file) for file in files[1:4]]
    pages[0].save(folder / "thin" / "pages.tif", save_all=True, append_images=pages[1:])

    dataset = load_folder(folder)

    assert np.bincount([*dataset.train.labels, *dataset.test.labels]).tolist() == [5, 10]
    assert "passed over" not in str(dataset.notice)


def test_a_class_without_pictures_is_an_error(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 6, "thick": 6})
    (folder / "broad").mkdir()
    (folder / "broad" / "notes.txt").write_text("none yet")
    with pytest.raises(DataError, match="the class broad has no pictures: put some into "):
        load_folder(folder)


def test_reading_is_followed_picture_by_picture(tmp_path: Path) -> None:
    class Bar:
        total = 0.0
        seen = 0

        def update(self, n: int, /) -> None:
            self.seen += n

    bar, told = Bar(), []

    class Reading(Progress):
        def reading(self, folder: str) -> Bar:
            told.append(folder)
            return bar

    load_folder(write_pictures(tmp_path / "pens", {"thin": 5, "thick": 6}), Reading())

    assert (bar.total, bar.seen, told) == (11, 11, ["pens"])


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({}, "has 0 sub-folders with pictures"),
        ({"only": 9}, "has 1 sub-folder with pictures"),
        ({"some": 9, "few": 4}, "few has 4 pictures that can be used"),
    ],
)
def test_too_little_to_learn_from_is_refused(
    tmp_path: Path, counts: Mapping[str, int], told: str
) -> None:
    folder = write_pictures(tmp_path / "pens", counts)
    folder.mkdir(exist_ok=True)

    with pytest.raises(DataError, match=told):
        load_folder(folder)


def test_a_folder_of_damaged_pictures_says_what_is_wrong_with_the_first(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "torn.png").write_bytes(b"torn")

    with pytest.raises(DataError, match=r"torn\.png is not a picture"):
        load_folder(tmp_path)


def images_of(folder: Path) -> set[bytes]:
    return {normalise(file).image.tobytes() for file in folder.rglob("*.png")}


@pytest.mark.parametrize(
    ("train", "test", "validation"),
    [
        ("train", "test", None),
        ("Training", "TESTING", None),
        ("train", "test", "val"),
        ("TRAIN", "Test", "valid"),
        ("training", "test", "Validation"),
    ],
)
def test_splits_that_a_folder_has_are_its_parts(
    train: str, test: str, validation: str | None, tmp_path: Path
) -> None:
    counts = {train: 9, test: 3, **({validation: 4} if validation else {})}
    for name, count in counts.items():
        write_pictures(tmp_path / name, {"10": count, "9": count - 1})
    (tmp_path / "LICENCE").write_text("free")
    (tmp_path / train / "readme").write_text("mine")

    dataset = load_folder(tmp_path)

    assert dataset.class_names == ("9", "10")
    parts = {train: dataset.train, test: dataset.test}
    assert (dataset.validation is None) == (validation is None)
    if dataset.validation is not None:
        parts[str(validation)] = dataset.validation
    for name, part in parts.items():
        assert np.bincount(part.labels).tolist() == [counts[name] - 1, counts[name]]
        assert {image.tobytes() for image in part.images} == images_of(tmp_path / name)
    notice = str(dataset.notice)
    assert f"The 5 test images are those in {tmp_path / test}." in notice
    assert (f"validation images are those in {tmp_path / str(validation)}" in notice) == bool(
        validation
    )
    assert f"2 files that are no pictures (LICENCE, {Path(train, 'readme')})" in notice
    assert "held out" not in notice
    twice = len(images_of(tmp_path / train) & images_of(tmp_path / test))
    assert twice
    assert f"{twice} of them are training images, too" in notice


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "bus"), ("val", "valid", "x")])
def test_classes_may_have_the_names_of_splits(names: tuple[str, ...], tmp_path: Path) -> None:
    dataset = load_folder(write_pictures(tmp_path / "vehicles", dict.fromkeys(names, 5)))
    assert sorted(dataset.class_names) == sorted(names)
    assert dataset.validation is None
    assert "are held out" in str(dataset.notice)


LAYOUTS: dict[str, tuple[dict[str, int], str]] = {
    "no test": ({"train/a": 5, "train/b": 5}, "has the splits train, but no test: add it"),
    "no test but validation": (
        {"train/a": 5, "train/b": 5, "val/a": 5, "val/b": 5},
        "has the splits train, validation, but no test",
    ),
    "no train": ({"test/a": 5, "test/b": 5}, "has the splits test, but no train"),
    "a class is missing in test": (
        {"train/a": 5, "train/b": 5, "test/a": 5},
        r"test.b has 0 pictures that can be used, and a class needs at least 1",
    ),
    "a class is missing in train": (
        {"train/a": 5, "test/a": 5, "test/b": 5},
        r"train.b has 0 pictures that can be used, and a class needs at least 2",
    ),
    "a class is missing in validation": (
        {"train/a": 1, "train/b": 1, "test/a": 1, "test/b": 1, "valid/a": 1},
        r"valid.b has 0 pictures that can be used, and a class needs at least 1",
    ),
    "a single picture to train on": (
        {"train/a": 5, "train/b": 1, "test/a": 1, "test/b": 1},
        r"train.b has 1 picture that can be used, and a class needs at least 2",
    ),
    "a class beside the splits": (
        {"train/a": 5, "train/b": 5, "test/a": 5, "test/b": 5, "c": 5},
        "has the folder c beside the splits test, train: put the class c into every split",
    ),
    "two folders for a split": (
        {"train/a": 5, "train/b": 5, "val/a": 5, "val/b": 5, "valid/a": 5, "valid/b": 5},
        "has two folders for one split, val and valid: keep one",
    ),
    "a split without classes": (
        {"train/a": 5, "train/b": 5, "test": 5},
        r"test has no sub-folders for the classes, as other splits of .* have: sort its pictures",
    ),
    "a single class": ({"train/a": 5, "test/a": 5}, "1 sub-folder with pictures: .* at least two"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_that_do_not_fit_together_are_refused_in_a_line(layout: str, tmp_path: Path) -> None:
    counts, told = LAYOUTS[layout]
    with pytest.raises(DataError, match=told) as error:
        load_folder(write_pictures(tmp_path / "pens", counts))
    assert "\n" not in str(error.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="missing"):
        load_folder(tmp_path / "missing")


@pytest.mark.parametrize("name", ["", ".", "..", ".git", "a/b", "a\\b", "a\0b", "a" * 81, "a "])
def test_no_class_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArgumentError):
        class_folder(tmp_path, name)
    assert issubclass(ArgumentError, InkwiseError)


@given(
    device=st.sampled_from(["con", "PRN", "Aux", "NUL", "COM1", "lpt9", "COM¹", "conout$"]),
    behind=st.sampled_from(["", ".txt", ".", " .png", ".a.b"]),
)
def test_no_class_is_a_device_on_windows(device: str, behind: str) -> None:
    with pytest.raises(ArgumentError, match="cannot have a folder"):
        class_folder("pictures", device + behind)
    assert class_folder("pictures", f"{device}a").name == f"{device}a"


@given(st.integers(0, 3), st.integers(0xD800, 0xDFFF))
def test_no_class_with_a_folder_is_other_than_text(place: int, half: int) -> None:
    name = f"{'abc'[:place]}{chr(half)}{'abc'[place:]}"
    with pytest.raises(ArgumentError, match="cannot have a folder") as caught:
        class_folder("pictures", name)
    assert str(caught.value).isprintable()


def test_classes_may_be_anything_else(tmp_path: Path) -> None:
    assert class_folder(tmp_path, "größe 7½ & mehr") == tmp_path / "größe 7½ & mehr"
