"""The collection of pen strokes: finding, fetching and reading it."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest

from inkwise.data import pendigits
from inkwise.data.pendigits import ARCHIVE, load_pendigits, parse_unipen
from inkwise.errors import DataError, DownloadError
from tests.data.mirror import Mirror

TEXT = """.HIERARCHY DIGIT

.SEGMENT DIGIT 0-1 ? "7"
.COMMENT 7 12 224
.PEN_DOWN
 1 50
 9 50
 4 0
.PEN_UP
.DT 100
.PEN_DOWN
 2 25
 7 26
.PEN_UP

.SEGMENT DIGIT 2 ? "1"
.COMMENT 1 3 9
.PEN_DOWN
 3 5
.PEN_UP
"""


def compress(content: bytes) -> bytes:
    """Do as Unix' compress does, with 9 bits for every byte, which up to 255 bytes may have."""
    assert len(content) < 256
    bits = sum(byte << 9 * place for place, byte in enumerate(content))
    return b"\x1f\x9d\x90" + bits.to_bytes(len(content) * 9 // 8 + 1, "little")


CONTENT = TEXT.encode()

FORMS = {
    "pendigits-orig.tra": CONTENT,
    "pendigits-orig.tra.Z": compress(CONTENT),
    "pendigits-train.gz": gzip.compress(CONTENT),
}


def archive(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("pendigits.tra", "47,100, 27")
        file.writestr("pendigits-orig.tra.Z", FORMS["pendigits-orig.tra.Z"])
    return path.read_bytes()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two digits take the place of the collection, and no mirror answers."""
    monkeypatch.setattr(pendigits, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(pendigits, "MIRRORS", ("http://127.0.0.1:9/",))


def test_strokes_have_their_label_and_writer_and_point_down() -> None:
    seven, one = parse_unipen(TEXT)
    assert (seven.label, seven.writer) == ("7", 12)
    assert [stroke.tolist() for stroke in seven.strokes] == [
        [[1, -50], [9, -50], [4, 0]],
        [[2, -25], [7, -26]],
    ]
    assert (one.label, one.writer, one.strokes[0].shape) == ("1", 3, (1, 2))


@pytest.mark.parametrize(
    "text", [TEXT.replace('"', ""), TEXT.replace(" 3 5", " 3"), TEXT.replace(".COMMENT", "")]
)
def test_what_is_no_collection_of_strokes_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="no pen digits"):
        parse_unipen(text)


@pytest.mark.parametrize("name", FORMS)
def test_the_file_of_strokes_is_found_however_it_is_stored(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(FORMS[name])
    assert len(load_pendigits(tmp_path)) == len(load_pendigits(folder / name)) == 2


def test_the_archive_is_found_and_something_else_of_that_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "pendigits-orig.tra").write_bytes(CONTENT + b"\n")
    with pytest.raises(DownloadError, match=f"no network.*{ARCHIVE[:3]}"):
        load_pendigits(tmp_path)
    archive(tmp_path / ARCHIVE)
    assert len(load_pendigits(tmp_path)) == 2


def test_the_archive_is_fetched_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mirror({ARCHIVE: archive(tmp_path / "made.zip")}) as mirror:
        monkeypatch.setattr(pendigits, "MIRRORS", (mirror.address,))
        assert len(load_pendigits(None)) == len(load_pendigits(None)) == 2
        assert len(mirror.requests) == 1


def test_an_archive_that_is_something_else_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with Mirror({ARCHIVE: b"no archive"}) as mirror:
        monkeypatch.setattr(pendigits, "MIRRORS", (mirror.address,))
        with pytest.raises(DownloadError, match="something else"):
            load_pendigits(None)


def test_a_damaged_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "pendigits-orig.tra.Z").write_bytes(FORMS["pendigits-orig.tra.Z"][:-20])
    with pytest.raises(DownloadError):
        load_pendigits(tmp_path)
