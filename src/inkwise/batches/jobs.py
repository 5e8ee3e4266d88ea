"""A job: what is asked of which pictures, and the work on its pieces."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from inkwise.batches.pieces import SHARD, Entry, Piece, read_piece
from inkwise.batches.rows import Row, answer_row, number_rows
from inkwise.batches.shards import Shard, write_shard
from inkwise.errors import ArgumentError, InkwiseError
from inkwise.model import Model
from inkwise.model.answers import answer_chunk
from inkwise.system.threads import map_ahead

if TYPE_CHECKING:
    from inkwise.ink.sources import Source

CHUNK = 40
"""Entries that a thread answers at a time."""

_CHUNK_BYTES = 1 << 22  # of pictures in a chunk, beyond which no further entry joins


@dataclasses.dataclass(frozen=True)
class Job:
    """What is asked of which pictures, and where the answers go.

    Parameters
    ----------
    output : str
        Folder of the shards: a path or an address.
    task : {"predict", "read"}
        What is asked.
    options : mapping
        How it is asked, as JSON values.
    model : Model
        Whose answers they are.
    made_by : mapping
        What the answers depend on, as it stands in every shard.
    pieces : tuple of Piece
        What the sources are cut into.
    """

    output: str
    task: Literal["predict", "read"]
    options: Mapping[str, Any]
    model: Model
    made_by: Mapping[str, Any]
    pieces: tuple[Piece, ...]

    def work_on(
        self, number: int, done: Shard | None = None, threads: int = 1
    ) -> Iterator[tuple[int, int] | Shard]:
        """Answer what is left of a piece, and write its shards.

        Parameters
        ----------
        number : int
            The piece's number, from 0.
        done : Shard, optional
            The last of its shards that is written already.
        threads : int
            How many threads answer.

        Yields
        ------
        tuple of int
            How many pictures have been answered, and where in the piece the last of them ends.
        Shard
            What has been written.
        """
        piece = self.pieces[number]
        start, place = (piece.start, 0) if done is None else (done.end, done.number + 1)
        entries = read_piece(piece, start, first=self.options["first"])
        answered = map_ahead(self._answer, _chunks(entries, start), threads)
        rows: list[Row] = []
        counts = [0, 0, 0, 0]  # entries, and those of a shard
        held: _Answered | None = None
        for following in answered:
            if held is not None and counts[0] >= SHARD:
                yield self._write(Shard(number, place, held.end, False, *counts[1:]), rows)
                rows, counts, place = [], [0, 0, 0, 0], place + 1
            held = following
            rows += held.rows
            counts = [a + b for a, b in zip(counts, held.counts, strict=True)]
            yield held.counts[1], held.end
        end = piece.stop
        yield self._write(Shard(number, place, end, True, *counts[1:]), rows)

    def _write(self, shard: Shard, rows: list[Row]) -> Shard:
        write_shard(self.output, self.task, self.made_by, shard, rows)
        return shard

    def _answer(self, chunk: "_Chunk") -> "_Answered":
        rows: list[Row] = []
        errors = 0
        for name, answer in self._answers(chunk.sources):
            errors += isinstance(answer, InkwiseError)
            rows += number_rows(name, answer) if self.task == "read" else [answer_row(name, answer)]
        return _Answered(rows, chunk.end, (chunk.entries, len(chunk.sources), errors, chunk.others))

    def _answers(self, sources: "Sequence[Source]") -> Iterable[tuple[str, Any]]:
        if self.task == "predict":
            pictures = [source.picture for source in sources]
            answers = answer_chunk(self.model, pictures, self.options["hand"])
            return zip((source.name for source in sources), answers, strict=True)
        return [(source.name, self._numbers(source)) for source in sources]

    def _numbers(self, source: "Source") -> Any:
        if isinstance(source.picture, InkwiseError):
            return source.picture
        known = {name: value for name, value in self.options.items() if name != "first"}
        try:
            return self.model.read(source.picture, **known)
        except ArgumentError:  # about the model, and not about the picture
            raise
        except InkwiseError as error:
            return error


@contextlib.contextmanager
def one_thread_a_picture() -> Iterator[None]:
    """Keep OpenCV from sharing a small picture among threads, which costs more than it gains."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


class _Chunk(NamedTuple):
    sources: "list[Source]"
    end: int
    entries: int
    others: int


class _Answered(NamedTuple):
    rows: list[Row]
    end: int
    counts: tuple[int, int, int, int]


def _chunks(entries: Iterable[Entry], end: int) -> Iterator[_Chunk]:
    """Gather entries for a thread; where chunks end depends on nothing but the piece."""
    sources: list[Source] = []
    count = others = size = 0
    for entry in entries:
        sources += entry.sources
        end = entry.end
        count += 1
        others += not entry.sources
        size += sum(_size(source) for source in entry.sources)
        if count == CHUNK or size >= _CHUNK_BYTES:
            yield _Chunk(sources, end, count, others)
            sources, count, others, size = [], 0, 0, 0
    if count:
        yield _Chunk(sources, end, count, others)


def _size(source: "Source") -> int:
    content = getattr(source.picture, "file", source.picture)
    return len(content) if isinstance(content, bytes) else 0
