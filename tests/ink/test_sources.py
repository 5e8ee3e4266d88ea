"""Names that stand for pictures: files, folders, patterns."""

from pathlib import Path

import pytest

from inkwise.errors import DataError, StorageError
from inkwise.ink.sources import Source, find_pictures
from inkwise.model import Answer
from tests.strokes import draw, strokes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, and what lies among them."""
    folder = tmp_path / "scans"
    (folder / "below.png").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in ("b.png", "a.JPG", "c.Tiff", ".hidden.png", "below.png/d.png"):
        draw("flat").save(folder / name, "PNG")
    (folder / "notes.txt").write_text("seven")
    return folder


def named(sources: list[Source]) -> list[str]:
    assert all(isinstance(source.picture, Path) for source in sources)
    assert [source.name for source in sources] == [str(source.picture) for source in sources]
    return [source.name for source in sources]


def test_a_file_is_itself_whatever_its_name(folder: Path) -> None:
    for name in ("b.png", "notes.txt", ".hidden.png", "nowhere.png"):
        assert named(find_pictures(folder / name)) == [str(folder / name)]
        assert named(find_pictures(str(folder / name))) == [str(folder / name)]


def test_a_folder_is_its_pictures_by_name_and_not_those_below(folder: Path) -> None:
    expected = [str(folder / name) for name in ("a.JPG", "b.png", "c.Tiff")]
    assert named(find_pictures(folder)) == expected


def test_a_pattern_is_what_matches_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named(find_pictures(folder / "?.*")) == [
        str(folder / name) for name in ("a.JPG", "b.png", "c.Tiff")
    ]
    monkeypatch.chdir(folder)
    assert named(find_pictures("[bc].*")) == ["b.png", "c.Tiff"]
    # As a shell would have it: a folder that matches is its pictures, a text is no picture.
    assert named(find_pictures("b*")) == ["b.png", str(Path("below.png") / "d.png")]
    assert named(find_pictures("*.txt")) == ["notes.txt"]
    assert named(find_pictures("**/d.png")) == [str(Path("below.png") / "d.png")]


def test_a_pattern_for_folders_below_finds_every_file_once(folder: Path) -> None:
    (folder / "empty" / "deeper").mkdir()
    draw("flat").save(folder / "empty" / "deeper" / "e.png")
    names = named(find_pictures(folder / "**"))
    found = ["a.JPG", "b.png", "below.png/d.png", "c.Tiff", "empty/deeper/e.png", "notes.txt"]
    assert sorted(names) == [str(folder / name) for name in found]
    assert named(find_pictures(f"{folder}/empty/**/")) == [
        str(folder / "empty" / "deeper" / "e.png")
    ]
    ((_, error),) = find_pictures(f"{folder}/empty/dee*/**/nothing*")
    assert isinstance(error, DataError)


def test_a_file_with_the_name_of_a_pattern_is_a_file(folder: Path) -> None:
    draw("flat").save(folder / "a[1].png")
    assert named(find_pictures(folder / "a[1].png")) == [str(folder / "a[1].png")]


def test_a_name_without_pictures_is_an_error_in_their_place(folder: Path) -> None:
    for name, told in (("empty", "no file in .*empty ends in .bmp, "), ("*.gif", r"matches .*gif")):
        ((found, error),) = find_pictures(folder / name)
        assert found == str(folder / name)
        with pytest.raises(DataError, match=told):
            raise error  # type: ignore[misc]
    # It does not stop the others that match.
    sources = find_pictures(folder / "*e*")
    assert [type(source.picture) for source in sources] == [type(folder), DataError, type(folder)]
    ((_, error),) = find_pictures(folder / ("x" * 300))
    assert isinstance(error, StorageError)


def test_sources_are_answered_one_by_one_and_an_error_does_not_stop_them(folder: Path) -> None:
    sources = [*find_pictures(folder / "empty"), *find_pictures(folder), Source("-", b"no picture")]
    answers = [*strokes().classify_each(source.picture for source in sources)]
    kinds = [type(answer) for answer in answers]
    assert kinds == [DataError, Answer, Answer, Answer, DataError]
    assert sources[1].name == str(folder / "a.JPG")
    answer = answers[1]
    assert isinstance(answer, Answer)
    assert answer.label == "flat"
