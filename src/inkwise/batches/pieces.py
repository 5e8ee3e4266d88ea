"""Where many pictures come from: sources, the pieces they are cut into, and reading a piece.

A piece is a stretch of one file: of a list of paths or a tar, in bytes, or of a Parquet file, in
rows. Reading can begin at any place that reading gave, so that a job goes on where it stopped.
"""

import glob
import itertools
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from inkwise.data.parquet_images import is_picture_column
from inkwise.errors import ArgumentError, DataError, StorageError, counted
from inkwise.ink.sources import SUFFIXES, Source, find_pictures, find_sources_of, walk_folder
from inkwise.system.files import open_regular
from inkwise.system.places import (
    files_below,
    is_address,
    open_place,
    read_place,
    size_of,
    writing_place,
)
from inkwise.system.progress import Progress
from inkwise.system.threads import map_ahead

SHARD = 10_000
"""Entries that a shard of the answers is made of: paths, members of a tar, or rows."""

LARGEST = 1 << 28
"""Bytes of the largest picture that is taken out of a tar or a Parquet file."""

_ROWS = 64  # of a Parquet file that are in memory at a time
_HELD = 1 << 22  # bytes of a file that is read at once; a larger one is left to the decoder
_FETCHES = 16  # files that are fetched from an object store at a time
_NAMED = 3  # files that a notice names
_BLOCK = tarfile.BLOCKSIZE
_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Piece(NamedTuple):
    """A stretch of one file of pictures.

    Parameters
    ----------
    kind : {"list", "tar", "parquet"}
        What file it is; a list is of paths and addresses, with a null character behind each.
    place : str
        Its path or address.
    start, stop : int
        Where the stretch begins and ends: bytes of a list or a tar, rows of a Parquet file.
    """

    kind: Literal["list", "tar", "parquet"]
    place: str
    start: int
    stop: int


class Entry(NamedTuple):
    """What one place of a piece holds.

    Parameters
    ----------
    sources : list of Source
        The picture, or every page of it; none if the entry is no picture.
    end : int
        The place behind it, at which reading may go on.
    """

    sources: list[Source]
    end: int


def cut(sources: Sequence[str], list_file: str, progress: Progress) -> list[Piece]:
    """Cut sources into pieces; what is in folders, and each single picture, is written to a list.

    Parameters
    ----------
    sources : sequence of str
        Folders, which are looked through with all folders in them; tars, Parquet files, lists of
        paths (``.txt``), pictures; patterns of these; and addresses of any of them.
    list_file : str
        Where the list is written, if one is needed.
    progress : Progress
        Receives a notice that counts what folders have besides pictures.

    Raises
    ------
    ArgumentError
        A tar is compressed, or nothing matches a pattern.
    DataError
        There is no picture at all; or a Parquet file is damaged, or has no column of pictures, or
        several.
    StorageError
        A source is missing, something cannot be read, or the list not be written.
    """
    pieces: list[Piece] = []
    paths = _Paths(list_file, progress)
    for source in sources:
        for place in _expand(source):
            pieces += _cut_file(place) if _is_packed(place) else paths.of(place)
    pieces += paths.finish()
    if not pieces:
        raise DataError(f"there is no picture in {', '.join(sources)}")
    return pieces


def _expand(source: str) -> Iterator[str]:
    """Yield the files and folders that a source stands for; a list, an address and a pattern."""
    if is_address(source):
        yield from files_below(source)
    elif glob.has_magic(source) and not os.path.lexists(source):
        matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - may be absolute
        if not matches:
            raise ArgumentError(f"no file's name matches {source}")
        yield from matches
    elif os.path.lexists(source) or os.path.lexists(source.rpartition("#")[0]):  # a page: a.tif#2
        yield source
    else:  # as a row, the answer to a mistyped name would be a job that has been done
        raise StorageError(f"cannot read {source}: there is no such file or folder")


def _is_packed(place: str) -> bool:
    """Tell whether a file holds many pictures."""
    name = place.lower()
    if name.endswith(_PACKED):
        raise ArgumentError(
            f"{place} is compressed, and cannot be gone on with in its middle: unpack it to a .tar"
        )
    return name.endswith((".tar", ".parquet")) and (is_address(place) or not Path(place).is_dir())


def _cut_file(place: str) -> list[Piece]:
    if place.lower().endswith(".tar"):
        return [Piece("tar", place, 0, size_of(place))]
    pieces, start, stop = [], 0, 0
    with open_place(place) as file:
        stored, _ = _open_parquet(file, place)
        for group in range(stored.num_row_groups):
            stop += stored.metadata.row_group(group).num_rows
            if stop - start >= SHARD or group == stored.num_row_groups - 1:
                pieces.append(Piece("parquet", place, start, stop))
                start = stop
    return pieces


class _Paths:
    """Writes the list of all paths, and cuts it into pieces."""

    def __init__(self, list_file: str, progress: Progress) -> None:
        self._file = list_file
        self._progress = progress
        self._places: list[Iterator[str]] = []

    def of(self, place: str) -> list[Piece]:
        """Take up what a path stands for; no piece is known yet."""
        if place.lower().endswith(".txt"):
            self._places.append(_lines(place))
        elif not is_address(place) and Path(place).is_dir():
            self._places.append(self._folder(Path(place)))
        else:
            self._places.append(iter((place,)))
        return []

    def _folder(self, folder: Path) -> Iterator[str]:
        rest: list[Path] = []
        found = others = 0
        for path, picture in walk_folder(folder):
            if picture:
                found += 1
                yield str(path)
            else:
                others += 1
                rest += [path] if len(rest) < _NAMED else []
        if not found:
            raise DataError(f"there is no picture in {folder}")
        if others:
            names = [str(path.relative_to(folder)) for path in rest] + ["…"] * (others > _NAMED)
            verb = "is no picture" if others == 1 else "are no pictures"
            told = f"{counted(others, 'file')} in {folder} {verb}, passed over: {', '.join(names)}"
            self._progress.notice(told)

    def finish(self) -> list[Piece]:
        """Write the list, and return its pieces."""
        pieces, start, stop = [], 0, 0
        paths = itertools.chain(*self._places)
        some = [*itertools.islice(paths, SHARD)]
        if not some:  # a folder would be made for nothing
            return []
        with writing_place(self._file) as file:
            while some:
                content = b"".join(os.fsencode(path) + b"\0" for path in some)
                file.write(content)
                start, stop = stop, stop + len(content)
                pieces.append(Piece("list", self._file, start, stop))
                some = [*itertools.islice(paths, SHARD)]
        return pieces


def _lines(place: str) -> Iterator[str]:
    """Yield the paths in a list: one a line, or with a null character behind each."""
    with open_place(place) as file:
        end = b"\0" if b"\0" in file.read(1 << 16) else b"\n"
        file.seek(0)
        for path, _ in _split(file, end):
            if path.strip():
                yield os.fsdecode(path.rstrip(b"\r") if end == b"\n" else path)


def _split(file: IO[bytes], end: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield what stands between ends, and how many bytes were read before and with each."""
    rest, place = b"", 0
    while content := file.read(1 << 16):
        *whole, rest = (rest + content).split(end)
        for part in whole:
            place += len(part) + 1
            yield part, place
    if rest:
        yield rest, place + len(rest)


def read_piece(piece: Piece, start: int, *, first: bool = False) -> Iterator[Entry]:
    """Yield what is in a piece, from a place on.

    Parameters
    ----------
    piece : Piece
        The piece.
    start : int
        Its own start, or the end of one of its entries.
    first : bool
        Whether only the first page of a file with several counts.

    Yields
    ------
    Entry
        A damaged picture, tar or Parquet file has an error in its place.

    Raises
    ------
    StorageError
        The list, the tar or the Parquet file cannot be read.
    """
    match piece.kind:
        case "list":
            return _read_list(piece, start, first)
        case "tar":
            return _read_tar(piece, start, first)
        case "parquet":
            return _read_parquet(piece, start, first)


def _read_list(piece: Piece, start: int, first: bool) -> Iterator[Entry]:
    with open_place(piece.place) as file:
        file.seek(start)
        content = file.read(piece.stop - start)
    paths = content.split(b"\0")[:-1]

    def look(path: bytes) -> list[Source]:
        return _look(os.fsdecode(path), first)

    remote = any(is_address(os.fsdecode(path)) for path in paths)
    looked = map_ahead(look, paths, _FETCHES) if remote else map(look, paths)
    for path, sources in zip(paths, looked, strict=True):
        start += len(path) + 1
        yield Entry(sources, start)


def _look(name: str, first: bool) -> list[Source]:
    """Return the pages of a file; it is read once, unless it is large."""
    try:
        if is_address(name):
            return find_sources_of(read_place(name), name, first=first)
        if not Path(name).is_file():  # find_pictures tells what is wrong, or finds its page
            return find_pictures(name, first=first)
        with open_regular(name) as file:
            content = file.read(_HELD)
            large = len(content) == _HELD
        return find_sources_of(Path(name) if large else content, name, first=first)
    except StorageError as error:
        # A network that fails is no fault of the picture, which can be had later.
        if is_address(name) and not isinstance(error.__cause__, FileNotFoundError):
            raise
        return [Source(name, error)]


def _read_tar(piece: Piece, start: int, first: bool) -> Iterator[Entry]:
    def cut_short(reason: object) -> Entry:
        told = f"{piece.place} is damaged behind byte {start:,}: {reason}"
        return Entry([Source(piece.place, DataError(told))], piece.stop)

    with open_place(piece.place) as file:
        if file.seek(0, os.SEEK_END) != piece.stop:
            raise DataError(_changed(piece))
        file.seek(start)
        try:
            tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - closes nothing of ours
            while member := tar.next():
                tar.members = []  # type: ignore[attr-defined] # it would keep them all
                name = f"{piece.place}/{member.name}"
                if not (member.isfile() and member.name.lower().endswith(SUFFIXES)):
                    sources = []
                elif member.size > LARGEST:
                    told = f"{name} has more than {LARGEST:,} bytes: take a smaller picture"
                    sources = [Source(name, DataError(told))]
                else:
                    file.seek(member.offset_data)
                    content = file.read(member.size)
                    if len(content) < member.size:
                        yield cut_short("the file ends within a picture")
                        return
                    sources = find_sources_of(content, name, first=first)
                start = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                yield Entry(sources, start)
        except tarfile.TarError as error:
            yield cut_short(error)
            return
        # What is no header looks like the end to tarfile; behind the true end there are only zeros.
        file.seek(start)
        rest = file.read(_BLOCK)
        if not rest or any(
            any(content) for content in (rest, *iter(lambda: file.read(1 << 20), b""))
        ):
            yield cut_short("no picture begins here, and the tar does not end")


def _read_parquet(piece: Piece, start: int, first: bool) -> Iterator[Entry]:
    import pyarrow

    with open_place(piece.place) as file:
        stored, column = _open_parquet(file, piece.place)
        if stored.metadata.num_rows < piece.stop:
            raise DataError(_changed(piece))
        row = 0
        for group in range(stored.num_row_groups):
            below, row = row, row + stored.metadata.row_group(group).num_rows
            if row <= start or below >= piece.stop:
                continue
            try:
                for batch in stored.iter_batches(_ROWS, row_groups=[group], columns=[column]):
                    cells = batch.column(0).to_pylist()
                    for place, cell in enumerate(cells, below):
                        if place >= start:
                            name = f"{piece.place}/{place}"
                            yield Entry(_of_cell(cell, name, first), place + 1)
                    below += len(cells)
            except (pyarrow.ArrowException, OSError) as error:
                if getattr(error, "errno", None) or isinstance(error, TimeoutError):
                    raise  # by the system or the network; damage has no number
                told = f"{piece.place} is damaged behind row {below:,}: {_reason(error)}"
                yield Entry([Source(piece.place, DataError(told))], piece.stop)
                return


def _of_cell(cell: Any, name: str, first: bool) -> list[Source]:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not content:
        return [Source(name, DataError(f"{name} has no picture: the cell is empty"))]
    return find_sources_of(content, name, first=first)


def _open_parquet(file: IO[bytes], place: str) -> tuple[Any, str]:
    """Open a Parquet file; return it with the path of its column of pictures' bytes."""
    import pyarrow
    import pyarrow.parquet

    try:
        # Without its buffers it would read a whole group of rows at once.
        stored = pyarrow.parquet.ParquetFile(
            pyarrow.PythonFile(file, mode="r"), buffer_size=1 << 18, pre_buffer=False
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{place} is a damaged Parquet file: {_reason(error)}") from error
    schema = stored.schema_arrow
    columns = [field for field in schema if is_picture_column(pyarrow, field.type)]
    if len(columns) != 1:
        names = ", ".join(field.name for field in columns or schema)
        told = "several columns of pictures" if columns else "no column of pictures' bytes"
        raise DataError(f"{place} has {told} ({names}): write a file with exactly one")
    name = columns[0].name
    return stored, f"{name}.bytes" if pyarrow.types.is_struct(columns[0].type) else name


def _changed(piece: Piece) -> str:
    return f"{piece.place} has changed since the job was begun: choose another --output"


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
