"""Files of corrected labels: what is read, applied and refused."""

import contextlib
import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkwise import Dataset, InkwiseError, Split
from inkwise.data.label_corrections import (
    ACCEPT,
    COLUMNS,
    OPEN,
    REJECT,
    Decision,
    LabelCorrections,
    hash_image,
    write_decisions,
)
from inkwise.errors import DataError

NAMES = ("ant", "bee, the", 'c"at')


def toy() -> Dataset:
    images = np.arange(12 * 4, dtype=np.uint8).reshape(12, 2, 2)
    labels = np.arange(12, dtype=np.int64) % 3
    return Dataset(
        "toy", "toy", NAMES, Split(images[:8], labels[:8]), Split(images[8:], labels[8:]), "here"
    )


def decide(index: int, decided: str, decision: str = ACCEPT, split: str = "train") -> Decision:
    part: Split = getattr(toy(), split)
    return Decision(
        split, index, NAMES[part.labels[index]], decided, decision, hash_image(part.images[index])
    )


def save(path: Path, *decisions: Decision) -> Path:
    return write_decisions(path / "labels.csv", decisions)


def test_only_what_was_accepted_changes(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        decide(0, 'c"at'),
        decide(1, "ant", REJECT),
        decide(2, "ant", OPEN),
        decide(3, "bee, the", split="test"),
    )

    corrections = LabelCorrections.read(path)
    corrected = corrections.apply(toy())

    assert corrected.train.labels.tolist() == [2, 1, 2, 0, 1, 2, 0, 1]
    assert corrected.test.labels.tolist() == [2, 0, 1, 1]
    assert corrections.describe()["changed"] == {"train": 1, "test": 1}
    assert toy().train.labels[0] == 0


@given(
    choices=st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from([ACCEPT, REJECT, OPEN])), max_size=8
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(choices: list[tuple[str, str]], tmp_path: Path) -> None:
    decisions = [decide(index, *choice) for index, choice in enumerate(choices)]

    assert LabelCorrections.read(save(tmp_path, *decisions)).decisions == tuple(decisions)


def test_a_spreadsheet_may_add_columns_change_their_order_and_mark_the_bytes(
    tmp_path: Path,
) -> None:
    row = {name: str(cell) for name, cell in vars(decide(0, 'c"at')).items()} | {"note": "sure"}
    text = io.StringIO()
    writer = csv.DictWriter(text, ["note", *reversed(COLUMNS)], lineterminator="\r\n")
    writer.writeheader()
    writer.writerow(row)
    path = tmp_path / "labels.csv"
    path.write_bytes(text.getvalue().encode("utf-8-sig"))

    assert LabelCorrections.read(path).apply(toy()).train.labels[0] == 2


def test_capitals_of_a_spreadsheet_are_understood(tmp_path: Path) -> None:
    dataset = dataclasses.replace(toy(), class_names=("true", "False", "TRUE it is"))
    decision = Decision("train", 0, "true", "False", ACCEPT, hash_image(dataset.train.images[0]))
    path = write_decisions(tmp_path / "labels.csv", [decision])
    text = path.read_text("utf-8")
    path.write_text(text.replace("true,False,accept", "TRUE,FALSE,Accept"), "utf-8")

    corrected = LabelCorrections.read(path).apply(dataset)

    assert corrected.train.labels.tolist() == [1, *toy().train.labels[1:]]


def test_other_images_are_refused(tmp_path: Path) -> None:
    data = toy()
    images = data.train.images.copy()
    images[0, 0, 0] += 1
    other = dataclasses.replace(data, train=Split(images, data.train.labels))
    corrections = LabelCorrections.read(save(tmp_path, decide(0, 'c"at')))

    with pytest.raises(DataError, match="made for other data: image 0 of train"):
        corrections.apply(other)


def test_an_image_beyond_the_last_is_refused(tmp_path: Path) -> None:
    beyond = dataclasses.replace(decide(0, 'c"at'), index=8)

    with pytest.raises(DataError, match="made for other data: image 8 of train"):
        LabelCorrections.read(save(tmp_path, beyond)).apply(toy())


def test_other_labels_are_refused(tmp_path: Path) -> None:
    corrections = LabelCorrections.read(save(tmp_path, decide(0, 'c"at')))

    with pytest.raises(DataError, match="made for other labels"):
        corrections.apply(corrections.apply(toy()))


def test_an_unknown_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'dog', but the classes of toy are ant"):
        LabelCorrections.read(save(tmp_path, decide(0, "dog"))).apply(toy())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("split", "validation", "line 2: the split must be train or test, not 'validation'"),
        ("index", "-1", "line 2: the index must be a whole number from 0, not '-1'"),
        ("index", "²", "line 2: the index must be a whole number"),
        ("decision", "yes", "line 2: the decision must be accept, reject or empty, not 'yes'"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, field: str, value: str, message: str) -> None:
    path = save(tmp_path, dataclasses.replace(decide(0, "ant"), **{field: value}))  # type: ignore[arg-type]

    with pytest.raises(DataError, match=message) as caught:
        LabelCorrections.read(path)

    assert "\n" not in str(caught.value)


def test_deciding_twice_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, decide(0, "ant"), decide(0, 'c"at'))

    with pytest.raises(DataError, match="decides twice about image 0 of train"):
        LabelCorrections.read(path)


@pytest.mark.parametrize(
    "content", [b"", b"split,index\ntrain,0\n", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n", b'"' * 7]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"is not a file of label decisions"):
        LabelCorrections.read(path)


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_a_traceback(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(",".join(COLUMNS).encode() + b"\n" + content)

    with contextlib.suppress(InkwiseError):
        LabelCorrections.read(path).apply(toy())


@pytest.mark.parametrize("index", ["9" * 19, "9" * 5000, "٣", "1_0", "-0", "1e3", ""])
def test_an_index_that_is_no_index_of_any_data_set_is_refused(index: str, tmp_path: Path) -> None:
    path = write_decisions(tmp_path / "labels.csv", [decide(0, NAMES[1])])
    path.write_text(path.read_text().replace("train,0,", f"train,{index},"))
    with pytest.raises(DataError, match="line 2: the index must be a whole number from 0"):
        LabelCorrections.read(path)
