"""Names that stand for pictures: files, folders, patterns."""

import contextlib
import io
import os
import sys
import tracemalloc
import zlib
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from inkwise.errors import DataError, InkwiseError, StorageError
from inkwise.ink import image_files, sources
from inkwise.ink.sources import Source, find_pictures, walk_folder
from inkwise.model import Answer
from inkwise.system.progress import Progress
from tests.strokes import draw, strokes
from tests.telling import Heard


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


def test_what_a_folder_has_besides_is_counted_and_named(folder: Path) -> None:
    class Heard(Progress):
        def notice(self, text: str) -> None:
            heard.append(text)

    heard: list[str] = []
    find_pictures(folder, progress=Heard())
    below = " ".join(heard)
    assert "1 file that is no picture (notes.txt) and 2 folders (below.png/, empty/) are" in below
    for file in folder.glob("*.*"):
        if file.is_file():
            file.unlink()
    (folder / "table.csv").write_text("a,b")
    ((_, error),) = find_pictures(folder)
    assert "1 file that is no picture (table.csv) and 2 folders" in str(error)


@pytest.mark.parametrize(
    "file_format", ["AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "TGA"]
)
def test_a_picture_in_a_folder_is_known_by_its_content(file_format: str, tmp_path: Path) -> None:
    draw("flat").convert("RGB").save(tmp_path / "IMG_0001", file_format)
    (source,) = find_pictures(tmp_path)
    assert source.picture == tmp_path / "IMG_0001"
    assert strokes().classify([tmp_path / "IMG_0001"])[0].label == "flat"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_folder_is_passed_over_and_not_waited_for(tmp_path: Path) -> None:
    draw("flat").save(tmp_path / "a.png")
    for name in ("b.png", "pipe"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    heard = Heard()
    sources = {Path(source.name).name: source for source in find_pictures(tmp_path, progress=heard)}
    assert sources.keys() == {"a.png", "gone.png"}
    assert "2 files that are no pictures (b.png, pipe) are passed over" in heard.notices[0]
    [told] = strokes().classify_each([sources["gone.png"].picture])
    assert "gone.png: No such file" in str(told)
    assert dict(walk_folder(tmp_path)) == {
        tmp_path / "a.png": True,
        tmp_path / "b.png": False,
        tmp_path / "gone.png": True,
        tmp_path / "pipe": False,
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_that_a_pattern_matches_is_told_and_not_waited_for(tmp_path: Path) -> None:
    draw("flat").save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    sources = {Path(source.name).name: source for source in find_pictures(tmp_path / "*")}
    assert sources["a.png"].picture == tmp_path / "a.png"
    assert "pipe is a pipe or a device: give its name" in str(sources["pipe"].picture)
    [by_name] = find_pictures(tmp_path / "pipe")
    assert by_name.picture == tmp_path / "pipe"


@given(content=st.binary(max_size=200))
def test_other_files_are_passed_over_or_told(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "folder-of-any-file"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_bytes(content)
    for source in find_pictures(folder):
        with contextlib.suppress(InkwiseError):
            [*strokes().classify_each([source.picture])]


def test_a_file_that_cannot_be_read_does_not_hide_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise StorageError(f"cannot read {path}: Permission denied")

    monkeypatch.setattr(sources, "is_picture", refuse)
    names = [source.name for source in find_pictures(folder)]
    assert names == [str(folder / name) for name in ("a.JPG", "b.png", "c.Tiff", "notes.txt")]


PAGES = [draw("flat"), draw("upright"), draw("flat")]


def many_pages(file_format: str) -> bytes:
    buffer = io.BytesIO()
    pages = [page.convert("RGB") for page in PAGES]
    if file_format == "HEIF":
        pillow_heif.register_heif_opener()
    pages[0].save(buffer, file_format, save_all=True, append_images=pages[1:])
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "WEBP", "PNG", "PDF", "AVIF", "HEIF"])
def test_every_page_is_a_picture(file_format: str, tmp_path: Path) -> None:
    path = tmp_path / "pages"
    path.write_bytes(many_pages(file_format))
    sources = find_pictures(path)
    assert [source.name for source in sources] == [str(path), f"{path}#2", f"{path}#3"]
    answers = strokes().classify_each(source.picture for source in sources)
    labels = [answer.label for answer in answers if isinstance(answer, Answer)]
    assert labels == ["flat", "upright", "flat"]
    (second,) = find_pictures(f"{path}#2")
    assert second == sources[1]
    ((_, error),) = find_pictures(f"{path}#4")
    assert "has 3 pages, and no page 4" in str(error)
    ((name, _),) = find_pictures(path, first=True)
    assert name == str(path)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF"])
def test_a_picture_whose_text_tells_of_a_pdf_is_a_picture(file_format: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    told = PngInfo()
    told.add_text("Comment", "made of %PDF-1.4")
    draw("flat").convert("L").save(path, file_format, comment=b"made of %PDF-1.4", pnginfo=told)
    assert b"%PDF-" in path.read_bytes()[:1024]
    assert strokes().classify([path])[0].label == "flat"


def test_a_blank_cover_does_not_hide_the_rest(tmp_path: Path) -> None:
    cover, page = Image.new("L", (90, 90), 255), draw("upright").convert("L")
    cover.save(tmp_path / "pages.tif", save_all=True, append_images=[page])
    sources = find_pictures(tmp_path / "pages.tif")
    answers = [*strokes().classify_each(source.picture for source in sources)]
    assert [getattr(answer, "label", "") for answer in answers] == [None, "upright"]


def test_a_thumbnail_is_no_page(tmp_path: Path) -> None:
    thumbnail = draw("upright").resize((30, 30))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    draw("flat").save(tmp_path / "scan.tif", save_all=True, append_images=[thumbnail])
    assert named(find_pictures(tmp_path / "scan.tif")) == [str(tmp_path / "scan.tif")]


def test_more_pages_than_are_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "MOST_PAGES", 2)
    (tmp_path / "pages.gif").write_bytes(many_pages("GIF"))
    sources = find_pictures(tmp_path / "pages.gif")
    assert len(sources) == 3
    assert "has 3 pages, of which 2 are read: split it" in str(sources[2].picture)


def test_pages_that_are_damaged_are_told(tmp_path: Path) -> None:
    content = many_pages("TIFF")
    path = tmp_path / "pages.tif"
    path.write_bytes(content[: len(content) * 2 // 3])
    sources = find_pictures(path)
    answers = [*strokes().classify_each(source.picture for source in sources)]
    assert "damaged" in str(answers[-1])
    assert getattr(answers[0], "label", None) == "flat"


def test_one_who_reads_a_file_is_told_of_its_other_pages(tmp_path: Path) -> None:
    (tmp_path / "pages.tif").write_bytes(many_pages("TIFF"))
    with pytest.warns(UserWarning, match="has 3 pages or frames, and the first is read"):
        assert strokes().classify([tmp_path / "pages.tif"])[0].label == "flat"


@pytest.mark.parametrize("module", ["pillow_heif", "pypdfium2"])
def test_what_an_extra_reads_is_told_without_it(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo"
    path.write_bytes(many_pages("HEIF" if module == "pillow_heif" else "PDF"))
    monkeypatch.setitem(sys.modules, module, None)
    (source,) = find_pictures(path)
    ((answer),) = strokes().classify_each([source.picture])
    assert "pip install 'inkwise[formats]'" in str(answer)


def test_a_pattern_in_a_folder_with_brackets_finds_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "scans [old] *"
    folder.mkdir()
    for name in ("a.png", "b[1].png"):
        draw("flat").save(folder / name)
    assert len(find_pictures(folder / "*.png")) == 2
    assert named(find_pictures(folder / "b*.png")) == [str(folder / "b[1].png")]


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
    for name, told in (("empty", "no picture in .*empty"), ("*.gif", r"matches .*gif")):
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


@pytest.mark.parametrize("claimed", [2, 1001, 2**25, 2**31 - 1])
def test_frames_that_a_picture_only_claims_cost_nothing(claimed: int, tmp_path: Path) -> None:
    stream = io.BytesIO()
    frames = [draw("flat"), draw("plus")]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    content = stream.getvalue()
    place = content.index(b"acTL") + 4
    control = claimed.to_bytes(4, "big") + content[place + 4 : place + 8]
    checksum = zlib.crc32(b"acTL" + control).to_bytes(4, "big")
    path = tmp_path / "frames.png"
    path.write_bytes(content[:place] + control + checksum + content[place + 12 :])
    tracemalloc.start()
    try:
        found = find_pictures(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert len(found) == min(claimed, 1000) + (claimed > 1000)
