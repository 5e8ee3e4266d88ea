import contextlib
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import RunError, StorageError
from inkwise.training.history import Epoch, read_history, write_history

FIRST = Epoch(1, 0.5, 0.75, 0.25, 0.875, 12.5)
HEADER = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds\n"
LINE = "1,0.5,0.75,0.25,0.875,12.5\n"

EPOCHS = st.builds(Epoch, st.integers(), *[st.floats()] * 5)


@given(history=st.lists(EPOCHS, max_size=5))
def test_what_is_written_is_read_back_exactly(
    history: list[Epoch], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "history.csv"
    assert write_history(path, history) == path
    # By their texts, because NaN is not itself; they tell every two floats apart.
    assert repr([*map(dataclasses.astuple, read_history(path))]) == repr(
        [*map(dataclasses.astuple, history)]
    )


def test_a_history_is_a_plain_table(tmp_path: Path) -> None:
    path = write_history(tmp_path / "new" / "history.csv", [FIRST])
    assert path.read_text() == HEADER + LINE


def test_an_epoch_prints_as_one_line() -> None:
    assert str(FIRST) == (
        "epoch 1: loss 0.5000, accuracy 75.00%; validation loss 0.2500, accuracy 87.50%; 12.5 s"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        LINE.encode(),
        b"epoch,loss\n1,0.5\n",
        HEADER.replace(",seconds", "").encode() + b"1,0.5,0.75,0.25,0.875\n",
        HEADER.encode() + b"1,0.5,0.75,0.25,0.875\n",
        HEADER.encode() + b"1,0.5,0.75,0.25,0.875,12.5,7\n",
        HEADER.encode() + b"1,0.5,0.75,0.25,0.875,\n",
        HEADER.encode() + b"one,0.5,0.75,0.25,0.875,12.5\n",
        HEADER.encode() + b"1.0,0.5,0.75,0.25,0.875,12.5\n",
        HEADER.encode() + b"1,half,0.75,0.25,0.875,12.5\n",
        HEADER.encode() + b"1,0.5\r0.75\n",
        HEADER.encode() + LINE.encode() + b"\xff",
        HEADER.encode() + b'"' + bytes(200_000),
        b"PK\x03\x04\0\0\0",
    ],
)
def test_a_damaged_history_is_a_run_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(RunError, match="is not a training history") as caught:
        read_history(path)
    assert str(path) in str(caught.value)


@given(content=st.binary(max_size=60))
def test_whatever_a_file_holds_it_is_read_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    for start in (b"", HEADER.encode(), HEADER.encode() + b"1,0.5,0.75,0.25,0.875,"):
        path.write_bytes(start + content)
        with contextlib.suppress(RunError):
            history = read_history(path)
            assert start
            assert len(history) >= start.count(b"1,")


def test_a_missing_history_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        read_history(tmp_path / "history.csv")
