"""Finding pictures: by the name of a file, of a folder, or by a pattern."""

import glob
import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inkwise.errors import DataError, InkwiseError, StorageError
from inkwise.ink.image_files import Page, find_pages, is_picture, open_file
from inkwise.system.files import storage
from inkwise.system.progress import SILENT, Progress

if TYPE_CHECKING:
    from inkwise.ink.decoding import Picture

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pdf"),
    *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Endings of names that promise a picture, so that a file without one is an error."""

_NAMED = 3  # files that a notice names


class Source(NamedTuple):
    """A picture that is to be classified.

    Parameters
    ----------
    name : str
        The name of the picture in messages and tables.
    picture : Path, bytes, Page or InkwiseError
        The path or the bytes of an encoded file, or one of its pages; or the error that says why
        there is none.
    """

    name: str
    picture: Path | bytes | Page | InkwiseError


def find_pictures(
    file: str | os.PathLike[str], *, first: bool = False, progress: Progress = SILENT
) -> list[Source]:
    """Find the pictures that a name stands for.

    Parameters
    ----------
    file : path-like
        The name of a file or of a folder, or a pattern of such names with ``*``, ``?``, ``[]`` or
        ``**``, as in a shell. A folder stands for the pictures that lie directly in it, known by
        their content. Hidden files are left out. ``scan.tif#2`` is the second page of a file.
    first : bool
        Whether a file with several pages or frames stands for the first only.
    progress : Progress, optional
        Receives a notice that counts and names what a folder has besides.

    Returns
    -------
    list of Source
        Sorted by name; the pages after the first of ``scan.tif`` are ``scan.tif#2`` and so on. A
        name that stands for no picture has an error in place of its picture.

    Examples
    --------
    >>> import inkwise
    >>> from PIL import Image
    >>> pages = [Image.new("L", (90, 90), 255) for _ in range(2)]
    >>> pages[0].save("scan.tif", save_all=True, append_images=pages[1:])
    >>> [source.name for source in inkwise.find_pictures("scan.tif")]
    ['scan.tif', 'scan.tif#2']
    >>> answers = inkwise.load_pretrained().classify_each(
    ...     source.picture for source in inkwise.find_pictures("scan.tif")
    ... )
    >>> [answer.verdict for answer in answers]
    ['not a digit', 'not a digit']
    """
    name = os.fspath(file)
    if os.path.lexists(name):
        return _look(Path(name), first, progress)
    page = re.fullmatch(r"(.+)#([1-9]\d{0,5})", name, re.DOTALL)
    if page and Path(page[1]).is_file():
        return [_find_page(page[1], int(page[2]))]
    matches = [name]
    if glob.has_magic(name):
        # Windows' shells leave patterns to the program. Unlike pathlib's, these may be absolute.
        matches = sorted(glob.glob(_as_pattern(name), recursive=True))  # noqa: PTH207
        if not matches:
            return [Source(name, DataError(f"no file's name matches {name}"))]
    sources = [
        source
        for match in matches
        for source in _look(Path(match), first, progress, by_name=match == name)
    ]
    if "**" in name:  # it also matches folders without pictures, whose errors would mislead
        found = [source for source in sources if not isinstance(source.picture, InkwiseError)]
        sources = found or sources
    return [*{source.name: source for source in sources}.values()]


def list_folder(folder: Path, *, deep: bool = False) -> tuple[list[Path], list[Path]]:
    """Return the pictures in a folder, sorted, and the rest; hidden files are neither.

    Parameters
    ----------
    folder : Path
        The folder.
    deep : bool
        Whether the folders in it are looked into as well; if not, they are of the rest. Links to
        folders always are.
    """
    pictures, rest = [], []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if deep and not entry.is_symlink():
                inner_pictures, inner_rest = list_folder(entry, deep=True)
                pictures += inner_pictures
                rest += inner_rest
            else:
                rest.append(entry)
        elif _may_be_picture(entry):
            pictures.append(entry)
        else:
            rest.append(entry)
    return pictures, rest


def walk_folder(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files in a folder and all folders in it, and whether each is a picture.

    They come as the file system has them, unsorted, so that there may be any number of them. Hidden
    files and links to folders are left out.

    Raises
    ------
    StorageError
        A folder cannot be read.
    """
    with storage(folder, "read"), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from walk_folder(path)
            elif not entry.is_dir():
                yield path, _may_be_picture(path)


def _may_be_picture(file: Path) -> bool:
    """Tell whether a file of a folder is a picture, or is to be told as one that cannot be read."""
    if not file.is_file():  # a broken link is told; at a pipe or a socket one would wait for ever
        return file.suffix.lower() in SUFFIXES and not file.exists()
    if file.suffix.lower() in SUFFIXES:
        return True
    try:
        return is_picture(file)
    except StorageError:  # reading it as a picture tells why, and the others are read
        return True


def tell_rest(folder: Path, rest: Sequence[Path]) -> str:
    """Return a sentence that counts and names what a folder has besides pictures."""
    files = [str(entry.relative_to(folder)) for entry in rest if not entry.is_dir()]
    folders = [f"{entry.relative_to(folder)}{os.sep}" for entry in rest if entry.is_dir()]
    parts = (
        [count_and_name("file that is no picture", "files that are no pictures", files)]
        if files
        else []
    )
    parts += [count_and_name("folder", "folders", folders)] if folders else []
    verb = "is" if len(rest) == 1 else "are"
    return f"In {folder}, {' and '.join(parts)} {verb} passed over."


def count_and_name(one: str, several: str, names: Sequence[str]) -> str:
    """Return how many there are, and the names of the first."""
    shown = [*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])]
    return f"{len(names):,} {one if len(names) == 1 else several} ({', '.join(shown)})"


def find_sources_of(file: Path | bytes, name: str, *, first: bool = False) -> list[Source]:
    """Return the pages of a file as sources; see `find_pictures`."""
    try:
        pages = [Page(file, 0)] if first else find_pages(file, name)
    except InkwiseError:
        pages = [Page(file, 0)]  # and decoding tells what is wrong with it
    if isinstance(file, bytes):
        pages = [page._replace(name=name) if isinstance(page, Page) else page for page in pages]
    elif len(pages) == 1 and not first:
        return [Source(name, file)]
    names = [name, *(f"{name}#{number}" for number in range(2, len(pages) + 1))]
    return [Source(*pair) for pair in zip(names, pages, strict=True)]


def read_once(picture: "Picture") -> "Picture":
    """Return a picture that can be decoded any number of times.

    That is the same picture, but what it holds, under the same name, if it is the path of a pipe.

    Raises
    ------
    StorageError
        There is no such file, or it cannot be read.
    """
    if not isinstance(picture, str | os.PathLike):
        return picture
    with storage(picture, "read"):
        if Path(picture).is_file():
            return picture
        with open_file(picture) as file:
            if not isinstance(file, io.BytesIO):  # a device that can be rewound; it may be endless
                return picture
            content = file.getvalue()
    name = str(picture)
    pages = len(find_sources_of(content, name))
    if pages > 1:
        warnings.warn(
            f"{name} has {pages:,} pages or frames, and the first is read: "
            "save it as a file to read all of them",
            stacklevel=2,
        )
    return Page(content, 0, name)


def _look(path: Path, first: bool, progress: Progress, *, by_name: bool = True) -> list[Source]:
    try:
        with storage(path, "read"):
            if path.exists() and not path.is_file() and not path.is_dir():
                if by_name:
                    return [Source(str(path), path)]  # it can be read only once
                # At a pipe that a pattern happens to match, one might wait for ever.
                told = f"{path} is a pipe or a device: give its name to read it"
                return [Source(str(path), DataError(told))]
            if not path.is_dir():
                return find_sources_of(path, str(path), first=first)
            pictures, rest = list_folder(path)
    except StorageError as error:
        return [Source(str(path), error)]
    if rest and pictures:
        progress.notice(tell_rest(path, rest))
    if not pictures:
        told = f". {tell_rest(path, rest)[:-1]}" if rest else ""
        return [Source(str(path), DataError(f"there is no picture in {path}{told}"))]
    return [
        source
        for picture in pictures
        for source in find_sources_of(picture, str(picture), first=first)
    ]


def _find_page(name: str, number: int) -> Source:
    sources = find_sources_of(Path(name), name)
    if number > len(sources):
        pages = f"{len(sources)} pages" if len(sources) > 1 else "one page"
        return Source(f"{name}#{number}", DataError(f"{name} has {pages}, and no page {number}"))
    return Source(f"{name}#{number}", sources[number - 1].picture)


def _as_pattern(name: str) -> str:
    """Escape the folders of a pattern that are there, such as one whose name has brackets."""
    parts = Path(name).parts
    there = 0
    while there < len(parts) and os.path.lexists(Path(*parts[: there + 1])):
        there += 1
    if there == 0:
        return name
    escaped = glob.escape(str(Path(*parts[:there])))
    # A pattern that ends in a separator stands for folders alone.
    end = os.sep if name.endswith((os.sep, os.altsep or os.sep)) else ""
    return os.path.join(escaped, *parts[there:]) + end  # noqa: PTH118
