"""Shards: Parquet files of answers, each of which says what it holds and what it was made by."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from inkwise.batches.rows import COLUMNS, Row
from inkwise.errors import DataError
from inkwise.system.files import to_utf8
from inkwise.system.places import join_place, names_in, open_place, write_place

VERSION = 1
"""Version of the columns and of the metadata, written into each shard."""

KEY = b"inkwise"
"""Where a shard's metadata have the JSON about it."""


class Shard(NamedTuple):
    """What a shard says about itself, beside what made it.

    Parameters
    ----------
    piece : int
        Number of the piece of the sources that it is of, from 0.
    number : int
        Number of the shard among those of the piece, from 0.
    end : int
        Where in the piece its last entry ends.
    last : bool
        Whether nothing of the piece is left.
    pictures, errors, others : int
        Numbers of pictures and pages, of those that have an error for an answer, and of entries
        that are no pictures.
    """

    piece: int
    number: int
    end: int
    last: bool
    pictures: int
    errors: int
    others: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"part-{self.piece:06}-{self.number:04}.parquet"


def write_shard(
    folder: str, task: str, made_by: Mapping[str, Any], shard: Shard, rows: Iterable[Row]
) -> None:
    """Write a shard whole, or not at all.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    metadata = {"version": VERSION, **made_by, "shard": shard._asdict()}
    schema = _schema(task).with_metadata({KEY: json.dumps(metadata)})
    table = pyarrow.Table.from_pylist([_clean(row) for row in rows], schema)
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    write_place(join_place(folder, shard.name), sink.getvalue().to_pybytes())


def find_shards(folder: str) -> Iterator[tuple[str, dict[str, Any], Shard]]:
    """Yield the name of each shard in a folder, what made it, and what it says, in their order.

    Raises
    ------
    DataError
        A shard is damaged, or of another version.
    StorageError
        It cannot be read.
    """
    import pyarrow
    import pyarrow.parquet

    for name in names_in(folder):
        if not name.startswith("part-") or not name.endswith(".parquet"):
            continue
        place = join_place(folder, name)
        with open_place(place) as file:
            try:
                metadata = pyarrow.parquet.read_metadata(pyarrow.PythonFile(file, mode="r"))
                told = json.loads(metadata.metadata[KEY])
                version, shard = told.pop("version"), Shard(**told.pop("shard"))
            except (pyarrow.ArrowException, KeyError, OSError, TypeError, ValueError) as error:
                raise DataError(
                    f"{place} is damaged, or no shard of answers: remove it to have it made again"
                ) from error
        if version != VERSION or shard.name != name:
            raise DataError(f"{place} is not a shard of this version: choose another --output")
        yield name, told, shard


def _schema(task: str) -> Any:
    import pyarrow

    types = {
        "string": pyarrow.string(),
        "float": pyarrow.float32(),
        "int32": pyarrow.int32(),
        "strings": pyarrow.list_(pyarrow.string()),
        "places": pyarrow.list_(pyarrow.int32()),
        "boxes": pyarrow.list_(pyarrow.list_(pyarrow.int32())),
    }
    return pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS[task]])


def _clean(row: Row) -> Row:
    """Escape bytes of names that are no text, which Parquet refuses."""
    return {
        name: to_utf8(value).decode() if isinstance(value, str) else value
        for name, value in row.items()
    }
