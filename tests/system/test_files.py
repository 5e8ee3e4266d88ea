import json
import os
import resource
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import StorageError
from inkwise.system.files import read_bytes, write_bytes, write_json, write_text


@pytest.fixture
def small_disk() -> Iterator[int]:
    """Let the system refuse a file of more than this many bytes, as a full disk would."""
    limit = 32 << 20  # the log of the tests may be such a file too
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@given(content=st.binary())
def test_bytes_come_back(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "new folder" / "any.bin"
    assert write_bytes(str(path), content) == path
    assert read_bytes(path) == content
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path: Path, small_disk: int) -> None:
    path = write_bytes(tmp_path / "model", b"old")
    with pytest.raises(StorageError, match=r"cannot write .*model: File too large"):
        write_bytes(path, bytes(small_disk + 1))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_a_whole_file_while_others_write(tmp_path: Path) -> None:
    size = 1 << 20
    path = write_bytes(tmp_path / "file", b"0" * size)

    def write(letter: bytes) -> None:
        for _ in range(10):
            write_bytes(path, letter * size)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        content = read_bytes(path)
        assert content == content[:1] * size
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        path = write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_file_in_a_folder_s_place_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*/file/new"):
        write_bytes(tmp_path / "file" / "new", b"")
    with pytest.raises(StorageError, match=r"cannot read .*/file/new: Not a directory"):
        read_bytes(tmp_path / "file" / "new")


def test_a_folder_in_the_file_s_place_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        write_bytes(tmp_path / "folder", b"")
    with pytest.raises(StorageError, match="Is a directory"):
        read_bytes(tmp_path / "folder")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*nowhere: No such file or directory$"):
        read_bytes(tmp_path / "nowhere")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_bytes(pipe, b"through")
    assert pipe.is_fifo()
    reader.join(5)
    assert read == [b"through"]


def test_a_full_device_is_a_storage_error(tmp_path: Path) -> None:
    # By a link, so that no mistake can replace the machine's own device.
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left on device"):
        write_bytes(full, b"content")
    assert full.is_symlink()
    assert list(tmp_path.iterdir()) == [full]


def test_text_is_utf_8(tmp_path: Path) -> None:
    assert write_text(tmp_path / "text", "28×28 – fünf\n").read_bytes() == "28×28 – fünf\n".encode()


DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half a surrogate pair is no text.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(document=DOCUMENTS)
def test_json_comes_back(document: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_json(tmp_path_factory.getbasetemp() / "any.json", document)
    assert json.loads(path.read_text("utf-8")) == document
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_numbers_that_it_does_not_have(number: float, tmp_path: Path) -> None:
    path = write_json(tmp_path / "numbers.json", [1.5])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"accuracy": [number]})
    assert json.loads(path.read_text()) == [1.5]
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/full"):
        with pytest.raises(StorageError, match="is a pipe or a device"):
            read_bytes(path)


def test_a_name_with_a_null_character_is_no_name_of_a_file() -> None:
    with pytest.raises(StorageError, match="no name has a null character"):
        read_bytes("a\0b")
    with pytest.raises(StorageError, match="no name has a null character"):
        write_bytes("a\0b", b"")


@given(text=st.text(min_size=1).map(lambda text: text * (3000 // len(text))))
def test_a_message_that_quotes_a_file_is_a_line_with_both_its_ends(text: str) -> None:
    told = str(StorageError(f"cannot read this: {text}: copy it again"))
    assert len(told) < 1100
    assert "\n" not in told
    assert told.startswith("cannot read this: ")
    assert told.endswith(": copy it again")
