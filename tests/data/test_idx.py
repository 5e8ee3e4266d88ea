import gzip
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from inkwise.data import idx
from inkwise.data.idx import MOST_PADDING, idx_bytes, read_idx, write_idx
from inkwise.data.stored_files import list_stored
from inkwise.errors import DataError, StorageError

DIGITS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)

DTYPES = st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"])
ARRAYS: st.SearchStrategy[NDArray[Any]] = st.builds(
    np.dtype, st.builds(str.__add__, st.sampled_from("<>"), DTYPES)
).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=1, max_dims=6, min_side=0, max_side=4)
    )
)


def plain(header: bytes, body: bytes = b"") -> bytes:
    return header + body


def packed(header: bytes, body: bytes = b"") -> bytes:
    return gzip.compress(header + body)


def header(*shape: int, code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)


@contextmanager
def little_memory(limit: int = 8 << 20) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit


def read_or_refuse(path: Path) -> NDArray[Any] | None:
    try:
        return read_idx(path)
    except DataError as error:
        if str(path) not in str(error):
            raise
        return None


@given(array=ARRAYS, suffix=st.sampled_from(["", ".gz"]), in_order=st.booleans())
def test_what_is_written_is_read_back_bit_for_bit(
    array: NDArray[Any], suffix: str, in_order: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = array if in_order else array.T
    path = tmp_path_factory.getbasetemp() / f"array{suffix}"
    assert write_idx(path, array) == path
    back = read_idx(path)
    native = array.astype(array.dtype.newbyteorder("="))
    assert back.dtype == native.dtype
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.tobytes() == native.tobytes()
    assert back.flags.writeable


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "array", np.array([[1, -2]], dtype="<i2"))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000002 0001 fffe")


def test_the_highest_rank_survives_the_way_through_a_file(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "array", np.ones((1,) * 32, dtype=np.uint8))
    assert read_idx(path).shape == (1,) * 32


def test_one_array_always_gives_one_file_and_no_other_is_left(tmp_path: Path) -> None:
    first = write_idx(tmp_path / "new" / "a.gz", DIGITS).read_bytes()
    second = write_idx(tmp_path / "new" / "a.gz", DIGITS).read_bytes()
    assert first == second
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.gz"]


def test_gzip_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    zipped, unzipped = tmp_path / "zipped", tmp_path / "unzipped.gz"
    zipped.write_bytes(packed(header(2, 3, 4), DIGITS.tobytes()))
    unzipped.write_bytes(plain(header(2, 3, 4), DIGITS.tobytes()))
    np.testing.assert_array_equal(read_idx(zipped), DIGITS)
    np.testing.assert_array_equal(read_idx(unzipped), DIGITS)


@pytest.mark.parametrize("pack", [plain, packed])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not an IDX file: it starts with nothing"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file but a picture: fetch"),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html><p>404", "not an IDX file but a web page, as servers"),
        (b"\0\1" + header(1)[2:] + b"7", "not an IDX file"),
        (header(1, code=0x0A) + b"7", "not an IDX file"),
        (header() + b"7", "claims 0 dimensions"),
        (header(*[1] * 33) + b"7", "claims 33 dimensions"),
        (header(2, 3, 4)[:-1], "ends inside its header"),
        (header(2, 3, 4) + DIGITS.tobytes()[:-1], "truncated"),
        (header(2000) + bytes(1999), "truncated"),
        (header(2, 3, 4), "truncated"),
        (header(2, 3, 4) + DIGITS.tobytes() + b"\0", "too long"),
        (header(0) + b"\0", "too long"),
    ],
)
def test_what_is_not_a_whole_idx_file_is_refused(
    pack: Any, content: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "digits"
    path.write_bytes(pack(content))
    with pytest.raises(DataError, match=told) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("pack", [plain, packed])
@pytest.mark.parametrize(
    "shape",
    [
        (1 << 24,),
        (1 << 30,),
        (2**32 - 1,),
        (60_000, 28_000, 28_000),
        (2**32 - 1,) * 32,
    ],
)
def test_a_tiny_file_that_claims_a_huge_array_costs_no_memory(
    pack: Any, shape: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "digits"
    path.write_bytes(pack(header(*shape, code=0x0E), bytes(100)))
    with little_memory(), pytest.raises(DataError, match="which the file cannot hold") as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_an_empty_array_of_absurd_lengths_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digits"
    path.write_bytes(plain(header(0, *[2**32 - 1] * 3)))
    with pytest.raises(DataError, match="0×4294967295×4294967295×4294967295 elements"):
        read_idx(path)


def test_a_gzip_file_that_never_ends_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "digits"
    path.write_bytes(packed(header(28, 28), bytes(64 << 20)))
    with little_memory(), pytest.raises(DataError, match="too long"):
        read_idx(path)


def test_a_gzip_file_that_could_hold_what_it_claims_but_does_not_costs_no_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "digits"
    noise = np.random.default_rng(0).bytes(1 << 16)
    path.write_bytes(packed(header(60 << 20), noise))
    with little_memory(), pytest.raises(DataError, match="truncated: 65,536 bytes"):
        read_idx(path)


def test_a_body_over_the_limit_is_refused_even_where_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_idx(tmp_path / "digits", DIGITS)
    monkeypatch.setattr(idx, "MAX_BYTES", DIGITS.nbytes)
    read_idx(path)
    monkeypatch.setattr(idx, "MAX_BYTES", DIGITS.nbytes - 1)
    with pytest.raises(DataError, match="over the limit"):
        read_idx(path)


@given(data=st.data())
def test_a_damaged_gzip_file_never_passes_for_other_data(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.gz"
    content = bytearray(write_idx(path, DIGITS).read_bytes())
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    array = read_or_refuse(path)
    # A few bits, a time stamp and padding, mean nothing.
    assert array is None or np.array_equal(array, DIGITS)


@pytest.mark.parametrize("position", [0.3, 0.6, 1.0])
def test_a_gzip_file_that_is_cut_or_changed_is_called_damaged(
    position: float, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    path = write_idx(tmp_path / "noise.gz", noise)
    content = path.read_bytes()
    at = int(position * (len(content) - 1))
    for damaged in (content[:at], content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"noise\.gz is a damaged gzip file"):
            read_idx(path)


@given(content=st.binary(max_size=200), packing=st.sampled_from([plain, packed]))
def test_whatever_a_file_holds_it_is_read_or_refused(
    content: bytes, packing: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything"
    # Let some of the attempts get past the magic number.
    for start in (b"", b"\0\0\x08\x01", b"\0\0\x0d\x03\0\0\0"):
        path.write_bytes(packing(start + content))
        array = read_or_refuse(path)
        assert array is None or array.nbytes <= len(content)


def test_a_missing_file_and_a_folder_are_storage_errors(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere: No such file"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="Is a directory"):
        read_idx(tmp_path)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros(3, dtype=np.int64), "no element type int64"),
        (np.zeros(3, dtype=np.bool_), "no element type bool"),
        (np.array(["7"]), "no element type <U1"),
        (np.array(7, dtype=np.uint8), "1 to 32 dimensions, not 0"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(
    array: NDArray[Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=told):
        write_idx(tmp_path / "array", array)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_compressed_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "digits.gz"
    path.write_bytes(packed(packed(plain(header(2, 3, 4), DIGITS.tobytes()))))
    with pytest.raises(DataError, match="is compressed twice: decompress it once"):
        read_idx(path)


@pytest.mark.parametrize("zeros", [1000, 1 << 24])
def test_zeros_behind_compressed_content_do_not_take_long(zeros: int, tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    packed = gzip.compress(idx_bytes(array)) + bytes(zeros)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(packed)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    (stored,) = list_stored(tmp_path / "all.zip")
    if zeros < MOST_PADDING:
        assert (read_idx(path) == array).all()
        assert stored.start() == idx_bytes(array)
        return
    with pytest.raises(DataError, match="more than 1,048,576 zeros follow its content"):
        read_idx(path)
    assert stored.start() == b""
