"""Every form that MNIST and its kin come in: what is read from it, and what is refused."""

import contextlib
import dataclasses
import gzip
import hashlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkwise import Dataset, load_data, load_dataset
from inkwise.data.idx import idx_bytes, write_idx
from inkwise.data.published import PUBLISHED, Published
from inkwise.errors import DataError, LibraryError
from tests.data import forms
from tests.data.forms import FORMS, Part, draw, table

TRAIN, TEST = draw(60), draw(20, seed=1)


def stand_in(name: str, train: Part, test: Part) -> Published:
    """Return a published data set whose content is this."""
    published = PUBLISHED[name]
    files = [
        dataclasses.replace(file, sha256=hashlib.sha256(idx_bytes(array)).hexdigest())
        for file, array in zip(published.files, (*train, *test), strict=True)
    ]
    counts = len(train[0]), len(test[0])
    return dataclasses.replace(published, files=tuple(files), counts=counts)  # type: ignore[arg-type]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Published:
    """MNIST, as if it were smaller."""
    published = stand_in("mnist", TRAIN, TEST)
    monkeypatch.setitem(PUBLISHED, "mnist", published)
    return published


def same(dataset: Dataset, train: Part, test: Part) -> bool:
    return all(
        np.array_equal(split.images, images) and np.array_equal(split.labels, labels)
        for split, (images, labels) in ((dataset.train, train), (dataset.test, test))
    )


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("form", FORMS)
def test_mnist_is_the_same_from_whatever_form(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path, TRAIN, TEST)
    for dataset in (
        load_dataset("mnist", tmp_path),
        load_dataset("auto", tmp_path),
        load_data(tmp_path),
    ):
        assert same(dataset, TRAIN, TEST)
        assert dataset.name == "mnist"
        assert dataset.notice is None


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("form", FORMS)
def test_mnist_with_one_pixel_changed_is_not_mnist(form: str, tmp_path: Path) -> None:
    images = TEST[0].copy()
    images[7, 14, 14] ^= 1
    changed = (images, TEST[1])
    FORMS[form](tmp_path, TRAIN, changed)
    with pytest.raises(DataError, match=r"is not MNIST's t10k-images-idx3-ubyte: its SHA-256"):
        load_dataset("mnist", tmp_path)
    own = load_data(tmp_path)
    assert own.name not in PUBLISHED
    assert len(own.train) + len(own.test) == 80


@pytest.mark.parametrize("form", FORMS)
def test_data_of_one_s_own_is_read_from_whatever_form(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    train, test = draw(50, 2, classes=3), draw(16, 3, classes=3)
    FORMS[form](folder, train, test)
    dataset = load_data(folder)
    assert dataset.class_names == ("0", "1", "2")
    if "Parquet by" in form or form == "ARFF":  # one table: a fifth of each class is held out
        assert np.bincount(dataset.test.labels).min() >= 4
        assert (len(dataset.train), len(dataset.test)) == (53, 13)
        assert "13 of 66, drawn by class, are held out" in str(dataset.notice)
        assert load_data(folder).sha256 == dataset.sha256
    else:
        assert same(dataset, train, test)
        told = rf"The 16 test images are those in {re.escape(str(folder))}/\S+\."
        assert re.fullmatch(told, str(dataset.notice))


def idx_parts(folder: Path, word: str, parts: dict[str, Part]) -> None:
    for part, (images, labels) in parts.items():
        name = word if part == "validation" else part
        write_idx(folder / f"{name}-images-idx3-ubyte", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels)


def csv_parts(folder: Path, word: str, parts: dict[str, Part]) -> None:
    for part, content in parts.items():
        (folder / f"{word if part == 'validation' else part}.csv").write_text(table(content))


def parquet_parts(folder: Path, word: str, parts: dict[str, Part]) -> None:
    for part, content in parts.items():
        name = word if part == "validation" else part
        pyarrow.parquet.write_table(
            forms.pictures(content), folder / f"{name}-00000-of-00001.parquet"
        )


def keras_parts(folder: Path, word: str, parts: dict[str, Part]) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    for part, (images, labels) in parts.items():
        name = word if part == "validation" else part
        arrays |= {f"x_{name}": images, f"y_{name}": labels}
    np.savez(folder / "own.npz", **arrays)  # type: ignore[arg-type]


def medmnist_parts(folder: Path, word: str, parts: dict[str, Part]) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    for part, (images, labels) in parts.items():
        name = word if part == "validation" else part
        arrays |= {f"{name}_images": images, f"{name}_labels": labels[:, None]}
    np.savez(folder / "own.npz", **arrays)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("word", ["validation", "valid", "val"])
@pytest.mark.parametrize(
    "write", [idx_parts, csv_parts, parquet_parts, keras_parts, medmnist_parts]
)
def test_a_validation_part_is_taken_as_it_is(
    write: Callable[[Path, str, dict[str, Part]], None], word: str, tmp_path: Path
) -> None:
    validation = draw(30, 7)
    write(tmp_path, word, {"train": TRAIN, "validation": validation, "test": TEST})

    dataset = load_data(tmp_path)

    assert same(dataset, TRAIN, TEST)
    assert dataset.validation is not None
    assert np.array_equal(dataset.validation.images, validation[0])
    assert np.array_equal(dataset.validation.labels, validation[1])
    assert dataset.name not in PUBLISHED  # MNIST has none
    assert "The 30 validation images are those in" in str(dataset.notice)


def test_a_validation_part_without_a_test_part_is_refused(tmp_path: Path) -> None:
    csv_parts(tmp_path, "valid", {"train": TRAIN, "validation": TEST})
    with pytest.raises(DataError, match="has the splits train, validation, but no test"):
        load_data(tmp_path)


@settings(max_examples=40)
@given(
    count=st.integers(4, 9),
    side=st.integers(7, 12),
    seed=st.integers(0, 1000),
    label_at=st.integers(0, 200),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    end=st.sampled_from(["\n", "\r\n"]),
    names=st.sampled_from(
        [forms.numbered, forms.by_place, lambda n: [f"px {k}" for k in range(n)]]
    ),
    pack=st.sampled_from([bytes, gzip.compress]),
    decimals=st.booleans(),
)
def test_every_dialect_of_a_table_gives_the_same_images(
    count: int,
    side: int,
    seed: int,
    label_at: int,
    delimiter: str,
    encoding: str,
    end: str,
    names: Callable[[int], list[str]],
    pack: Callable[[bytes], bytes],
    decimals: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    train, test = draw(count, seed, 2, side), draw(4, seed + 1, 2, side)
    folder = tmp_path_factory.mktemp("dialect")
    for name, part in (("train", train), ("test", test)):
        text = table(part, names=names, label_at=min(label_at, side**2), delimiter=delimiter)
        if decimals:
            first, *rows = text.splitlines()
            text = "\n".join([first, *(re.sub(r"(\d+)", r"\1.0", row) for row in rows)])
        (folder / f"{name}.csv").write_bytes(pack(text.replace("\n", end).encode(encoding)))
    assert same(load_data(folder), train, test)


def test_pixels_are_taken_in_the_order_of_their_names(tmp_path: Path) -> None:
    header, *rows = [line.split(",") for line in table(TRAIN, names=forms.by_place).splitlines()]
    order = np.random.default_rng(0).permutation(len(header))
    lines = [",".join(np.array(row)[order]) for row in (header, *rows)]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    (tmp_path / "test.csv").write_text(table(TEST))
    assert same(load_data(tmp_path), TRAIN, TEST)


def test_other_columns_are_told_and_not_used(tmp_path: Path) -> None:
    lines = table(TRAIN).splitlines()
    rows = [f"{99_000 + place},{line}" for place, line in enumerate(lines)]
    rows[0] = f"ImageId,{lines[0]}"
    (tmp_path / "train.csv").write_text("\n".join(rows))
    (tmp_path / "test.csv").write_text(table(TEST))
    dataset = load_data(tmp_path)
    assert same(dataset, TRAIN, TEST)
    assert "the column ImageId is not used" in str(dataset.notice)


def test_kaggle_s_folder_is_split_by_class_because_its_test_images_have_no_labels(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(tmp_path / "digit-recognizer.zip", "w") as archive:
        archive.writestr("train.csv", table(draw(100)))
        archive.writestr("test.csv", table(TEST, label_at=None))
        archive.writestr("sample_submission.csv", "ImageId,Label\n1,0\n2,0\n")
    dataset = load_data(tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (80, 20)
    assert np.bincount(dataset.test.labels).tolist() == [2] * 10
    assert "test.csv has no labels, and is not used" in str(dataset.notice)
    assert "20 of 100, drawn by class, are held out" in str(dataset.notice)
    assert "Passed over beside the images: sample_submission.csv." in str(dataset.notice)
    auto = load_dataset("auto", tmp_path)
    assert auto.sha256 == dataset.sha256
    assert str(auto.notice).startswith("This is not MNIST but what ")
    with pytest.raises(
        DataError, match=r"test\.csv has no labels, and so this is not MNIST as published"
    ):
        load_dataset("mnist", tmp_path)


@pytest.mark.parametrize("form", ["IDX", "CSV"])
def test_images_without_labels_cannot_be_evaluated(form: str, tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    if form == "CSV":
        path.write_text(table(TEST, label_at=None))
    else:
        path = write_idx(tmp_path / "t10k-images-idx3-ubyte", TEST[0])
    for place in (path, tmp_path):
        with pytest.raises(
            DataError, match="has no labels: nothing can be learned from it"
        ) as told:
            load_data(place)
        assert str(path) in str(told.value)


def test_labels_in_order_are_found_although_a_corner_varies(tmp_path: Path) -> None:
    images, labels = forms.draw(600, 0, classes=2)
    order = labels.argsort()
    images, labels = images[order], labels[order]
    images[:, -1, -1] = np.arange(600) % 3
    (tmp_path / "mine.csv").write_text(table((images, labels), names=None))

    dataset = load_data(tmp_path / "mine.csv")

    assert dataset.class_names == ("0", "1")
    assert "has no header: its first column is taken for that of the labels" in str(dataset.notice)


def csv(part: Part = TRAIN, **how: Any) -> list[str]:
    return table(part, **how).splitlines()


def changed(line: int, cell: int, value: str) -> bytes:
    lines = [row.split(",") for row in csv()]
    lines[line - 1][cell] = value
    return "\n".join(map(",".join, lines)).encode()


def without_columns(count: int) -> bytes:
    return "\n".join(line.rsplit(",", count)[0] for line in csv()).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (without_columns(1), "has 783 columns of pixels: .* such as 784 for 28×28"),
        (b"\n".join(without_columns(1).splitlines()[1:]), "has 784 columns|no labels"),
        (b"\n".join(without_columns(2).splitlines()[1:]), "has 783 columns without a header"),
        (changed(5, 0, "seven"), "line 5: the label 'seven' is not a whole number"),
        (changed(5, 0, "7.5"), "line 5: the label '7.5' is not a whole number"),
        (changed(5, 0, ""), "line 5: the label '' is not a whole number"),
        (changed(61, 400, "256"), "line 61: the pixel '256' in column 401 is not a whole number"),
        (changed(2, 400, "-1"), "line 2: the pixel '-1' in column 401"),
        (changed(2, 400, "0.5"), "line 2: the pixel '0.5' in column 401"),
        (changed(2, 400, "1e99"), "line 2: the pixel '1e99' in column 401"),
        (changed(2, 400, "99999999999"), "line 2: the pixel '99999999999' in column 401"),
        (changed(2, 400, "nan"), "line 2: the pixel 'nan' in column 401"),
        (changed(9, 3, "0,0"), "line 9, has 786 cells where the table has 785 columns"),
        ("\n".join(csv()).encode()[:-300], "line 61, has .* cells .*: the file may be truncated"),
        (changed(1, 9, "pixel7"), "has two columns for one pixel, pixel7 and pixel7"),
        (changed(1, 0, "colour"), r"neither pixels nor the labels \(colour\): call the labels'"),
        (changed(1, 9, "label"), r"neither pixels nor the labels \(label, label\)"),
        (csv()[0].encode(), "has no rows below its header"),
        (csv()[0].encode() + b"\n" + b"0" * (2 << 20), "line 2, has 1 cells where the table has"),
        (
            table(TRAIN, names=None, label_at=300).encode(),
            "785 columns without a header, and neither the first nor the last has labels",
        ),
        (gzip.compress("\n".join(csv()).encode(), mtime=0)[:-2000], "is a damaged compressed file"),
    ],
)
def test_a_wrong_table_is_told_in_one_line(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        load_data(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 300


@given(data=st.data())
@settings(max_examples=40)
def test_a_table_that_is_cut_or_changed_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "train.csv"
    content = bytearray(table(draw(8, 0, 2, 7)).encode())
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert load_data(path).image_size == (7, 7)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - reading is as good as refusing


@pytest.mark.parametrize("method", [1, 6, 8, 9, 12, 14, 93, 99])
def test_a_member_with_another_method_of_compression_is_refused(
    method: int, tmp_path: Path
) -> None:
    FORMS["IDX in a ZIP archive"](tmp_path, draw(6, 0, 2, 7), draw(4, 1, 2, 7))
    path = next(tmp_path.rglob("*.zip"))
    content = path.read_bytes()
    for head, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = content.find(head)
        while start >= 0:
            at = start + place
            content = content[:at] + bytes([method, 0]) + content[at + 2 :]
            start = content.find(head, at)
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        load_data(tmp_path)


@pytest.mark.parametrize("form", ["npz", "IDX in a ZIP archive", "ARFF", "Parquet of pictures"])
@given(place=st.floats(0, 1), value=st.integers(0, 255))
@example(place=0.34375, value=128)  # a path in a Parquet file that is no UTF-8
@settings(max_examples=40)
def test_a_file_with_any_byte_changed_is_read_or_refused(
    form: str, place: float, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    FORMS[form](folder, draw(6, 0, 2, 7), draw(4, 1, 2, 7))
    path = next(path for path in sorted(folder.rglob("*")) if path.is_file())
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] = value
    path.write_bytes(content)
    try:
        load_data(folder)
    except DataError as error:
        told = str(error)
        assert str(folder) in told


def objects() -> dict[str, Any]:
    return {"x_train": np.array([{"a": 1}], object), "y_train": TRAIN[1]}


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        (objects(), "the array x_train is of Python objects, which is not read"),
        ({"x": TRAIN[0]}, "should hold the arrays x_train, .* and has x$"),
        ({"x_train": TRAIN[0]}, "has no labels"),
        ({"x_train": TRAIN[0], "y_train": TRAIN[1][:-1]}, "has 60 images, and .* has 59 labels"),
        ({"x_train": TRAIN[0] / 300, "y_train": TRAIN[1]}, "not whole numbers from 0 to 255"),
        ({"x_train": TRAIN[0][0], "y_train": TRAIN[1]}, "images of type uint8 and shape 28×28"),
        ({"x_train": TRAIN[0], "y_train": np.eye(60)}, r"labels of type float64 and shape \(60,"),
        ({"x_train": TRAIN[0], "y_train": TRAIN[1].astype(str)}, "labels of type <U3"),
    ],
)
def test_a_wrong_archive_of_arrays_is_told(
    arrays: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(DataError, match=told) as caught:
        load_data(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", ["npz", "Parquet of pictures", "Parquet by pixels", "ARFF", "IDX"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_told(form: str, share: float, tmp_path: Path) -> None:
    FORMS[form](tmp_path, TRAIN, TEST)
    path = max(
        (path for path in tmp_path.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError) as caught:
        load_data(path if form not in {"IDX", "Parquet of pictures"} else tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"text": ["a", "b"]}, "has no column of images: .*, and has text"),
        ({"image": [b"no picture"], "label": [0]}, "row 1, has a damaged picture"),
        ({"image": [{"bytes": None, "path": "a.png"}], "label": [0]}, "row 1, has no picture"),
        (
            {"image": [forms.png(TRAIN[0][0])], "label": ["a"]},
            "the column label has cells that are",
        ),
        (
            {"image": [forms.png(TRAIN[0][0]), forms.png(TRAIN[0][0, :9])], "label": [0, 1]},
            r"pictures of different sizes \(28×28, 9×28\)",
        ),
        (
            {"image": [forms.png(np.zeros((9, 9, 3), np.uint8))], "label": [0]},
            "row 1, has a picture of 9×9 pixels in mode RGB",
        ),
    ],
)
def test_a_wrong_parquet_file_is_told(columns: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(DataError, match=told) as caught:
        load_data(path)
    assert str(path) in str(caught.value)


def test_hugging_face_s_names_of_classes_are_kept(tmp_path: Path) -> None:
    for name, part in (("train", draw(20, 0, 2)), ("test", draw(8, 1, 2))):
        rows = forms.pictures(part, ["cat", "dog"])
        pyarrow.parquet.write_table(rows, tmp_path / f"{name}-00000-of-00001.parquet")
    assert load_data(tmp_path).class_names == ("cat", "dog")


def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FORMS["Parquet by pixels"](tmp_path, TRAIN, TEST)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(LibraryError, match=r"PyArrow: pip install 'inkwise\[parquet\]'"):
        load_data(tmp_path)


def test_two_different_data_sets_in_a_folder_are_told_and_two_alike_are_one(
    tmp_path: Path,
) -> None:
    forms.npz(tmp_path, TRAIN, TEST)
    forms.idx(tmp_path / "idx", TRAIN, TEST)
    assert same(load_data(tmp_path), TRAIN, TEST)
    forms.idx(tmp_path / "idx", TRAIN, draw(20, seed=5))
    with pytest.raises(
        DataError, match=r"has different data sets, .* as npz in .* and data as IDX in"
    ):
        load_data(tmp_path)


def test_pictures_beside_a_table_are_told(tmp_path: Path) -> None:
    for name in "01":
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(forms.png(TRAIN[0][0]))
    (tmp_path / "train.csv").write_text(table(TRAIN))
    with pytest.raises(
        DataError, match=r"has pictures in 0 and 1, and data as CSV in .*train\.csv as"
    ):
        load_data(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.csv.gz", gzip.compress(table(TEST).encode(), mtime=0)[:1000]),
        ("test.csv.zip", b"PK\x03\x04 and no more"),
    ],
)
def test_a_damaged_part_is_not_passed_over(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(table(TRAIN))
    (tmp_path / name).write_bytes(content)
    for load in (load_data, lambda path: load_dataset("mnist", path)):
        with pytest.raises(DataError, match=f"{re.escape(name)} is a damaged compressed file"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "emnist-letters.mat",
            b"MATLAB 5.0 MAT-file",
            "a MATLAB file, which is not read: EMNIST's",
        ),
        ("mnist.pkl", b"\x80\x04\x95", "a Python pickle, which is not read"),
        ("mnist.pkl.gz", gzip.compress(b"\x80\x02]", mtime=0), "a Python pickle, which"),
        ("mnist.npz", b"<!DOCTYPE html>", "a web page"),
        ("train.csv", b"name,value\na,1\n", "no data set that inkwise reads"),
        ("train.zip", b"PK\x03\x04broken", "damaged|ZIP archive"),
    ],
)
def test_what_is_no_data_set_is_told_as_what_it_is(
    name: str, content: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        load_data(path)


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "train.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.csv", table(TRAIN))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1  # says that a password is needed
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train\.csv cannot be unpacked .*: unpack it yourself"):
        load_data(path)


@pytest.mark.parametrize(
    "member",
    [
        b"no array",
        b"",
        b"\x93NUMPY\x01\0\x06\0{'a':\n",
        b"\x93NUMPY\x01\0\x02\0((",
        b'\x93NUMPY\x01\0\x04\0"""\n',
        b"\x93NUMPY\x09\0\x04\0{}  ",
    ],
)
@pytest.mark.parametrize("name", ["x_train", "y_train"])
def test_an_archive_whose_member_is_no_array_is_refused(
    name: str, member: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "small.npz"
    np.savez(path, x_train=TRAIN[0], y_train=TRAIN[1])
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in {**members, f"{name}.npy": member}.items():
            archive.writestr(each, content)
    with pytest.raises(DataError, match=rf"the array {name} is damaged"):
        load_data(path)
