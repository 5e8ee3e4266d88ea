"""Pictures of strokes as people keep many of them, and what is expected of their answers."""

import io
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet
import pytest

from inkwise.batches import pieces
from tests.strokes import draw

KINDS = ("upright", "flat", "plus", "cross", "blank")
LABELS = {"upright": "upright", "flat": "flat", "plus": "upright", "cross": None, "blank": None}
"""What the model of strokes answers."""


def encoded(kind: str) -> bytes:
    sink = io.BytesIO()
    draw(kind).save(sink, "png")
    return sink.getvalue()


def numbered(count: int) -> Iterator[tuple[str, str]]:
    """Yield names that tell what each picture shows."""
    kinds = itertools.cycle(KINDS)
    return (
        (f"{place:04}-{kind}.png", kind) for place, kind in zip(range(count), kinds, strict=False)
    )


def write_tar(path: Path, count: int, pictures: dict[str, bytes] | None = None) -> Path:
    """Write a tar in WebDataset's layout: each picture with its class and a document."""
    with tarfile.open(path, "w") as tar:
        for name, content in (pictures or {n: encoded(k) for n, k in numbered(count)}).items():
            stem = name.removesuffix(".png")
            for member, data in ((name, content), (f"{stem}.cls", b"7"), (f"{stem}.json", b"{}")):
                entry = tarfile.TarInfo(member)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return path


def write_parquet(path: Path, count: int, *, hugging_face: bool = False, group: int = 7) -> Path:
    """Write a table with a column of pictures, in small groups of rows."""
    contents = [encoded(kind) for _, kind in numbered(count)]
    cells = [{"bytes": one, "path": None} for one in contents] if hugging_face else contents
    table = pyarrow.table({"id": range(count), "image": cells})
    pyarrow.parquet.write_table(table, path, row_group_size=group)
    return path


def write_folder(folder: Path, count: int) -> Path:
    """Write pictures into folders of folders."""
    for place, (name, kind) in enumerate(numbered(count)):
        inner = folder / ("deep/er" if place % 3 else "")
        inner.mkdir(parents=True, exist_ok=True)
        (inner / name).write_bytes(encoded(kind))
    return folder


def rows(output: Path | str) -> list[dict[str, Any]]:
    return pandas.read_parquet(output).to_dict("records")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of a few pictures, so that there are several."""
    monkeypatch.setattr("inkwise.batches.jobs.SHARD", 10)
    monkeypatch.setattr("inkwise.batches.jobs.CHUNK", 4)
    monkeypatch.setattr(pieces, "SHARD", 10)
