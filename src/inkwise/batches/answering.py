"""Answering any number of pictures: planning a job, going on with one, telling its progress."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from inkwise.batches.jobs import Job, one_thread_a_picture
from inkwise.batches.pieces import Piece, cut
from inkwise.batches.shards import Shard, find_shards
from inkwise.errors import ArgumentError, DataError
from inkwise.model import Model
from inkwise.model.answers import answer_chunk
from inkwise.model.hands import check_hand
from inkwise.model.pretrained import load_pretrained
from inkwise.reading.checks import make_check
from inkwise.system.extras import require_parquet, require_ray
from inkwise.system.files import json_bytes
from inkwise.system.machine import available_cores
from inkwise.system.places import (
    is_address,
    join_place,
    names_in,
    read_place,
    without_scheme,
    write_place,
)
from inkwise.system.progress import SILENT, Progress
from inkwise.version import __version__

JOB_FILE = "_job.json"
"""What the job is; readers of a folder of Parquet leave out names that begin so."""

LIST_FILE = "_pictures"

_REPORTS = 0.2  # seconds between reports of the progress


class Tally(NamedTuple):
    """How many pictures a job has answered, with those before it went on.

    Parameters
    ----------
    pictures : int
        Pictures, and pages of files with several.
    errors : int
        Those of them that could not be read, whose row is an error.
    others : int
        Members of tars that are no pictures, and were passed over.

    Examples
    --------
    >>> import inkwise
    >>> inkwise.Tally(pictures=3, errors=1, others=0).errors
    1
    """

    pictures: int
    errors: int
    others: int


def answer_pictures(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    model: Model | None = None,
    task: Literal["predict", "read"] = "predict",
    resume: bool = False,
    engine: Literal["here", "ray"] = "here",
    address: str | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> Tally:
    """Answer any number of pictures into shards of Parquet; stopped anywhere, it can go on.

    Memory does not grow with the number of pictures. Each shard is written whole or not at all,
    and holds what it was made by, so that pictures are answered once each.

    Parameters
    ----------
    sources : path-like, or sequence of path-like
        Where the pictures are: folders, which are looked through with all folders in them; tars in
        WebDataset's layout; Parquet files with a column of pictures' bytes; lists of paths
        (``.txt``), one a line; single pictures; patterns of these; or addresses of any of them
        that fsspec knows, such as ``s3://bucket/scans``.
    output : path-like
        The folder of the shards, or its address. It is created.
    model : Model, optional
        The model; the one that comes with the package if not given.
    task : {"predict", "read"}
        A digit in each picture, as `Model.classify` answers, or numbers, as `Model.read` does.
    resume : bool
        Whether to go on with a folder that has shards already.
    engine : {"here", "ray"}
        This machine, on every core, or a cluster of Ray, which must reach the sources and the
        folder by the same paths.
    address : str, optional
        Of the cluster; one is started on this machine if not given.
    progress : Progress, optional
        Receives the rate, and how many pictures are answered of about how many.
    **options
        ``hand`` for predict; ``digits``, ``pattern``, ``check`` and ``marks`` for read, as the
        model's methods take them; ``first`` for the first page only of files with several.

    Returns
    -------
    Tally
        How many pictures have been answered.

    Raises
    ------
    ArgumentError
        An option makes no sense, the folder has files and `resume` is not given, or what it holds
        was made by another model, with other options or from other sources.
    DataError
        There is no picture, or a Parquet file of the sources or a shard is damaged.
    StorageError
        Something cannot be read or written, such as on a full disk; `resume` goes on.
    RunError
        There is no cluster of Ray at the address.
    LibraryError
        A library of the extras ``parquet`` or ``scale`` is missing, or fsspec's for an address.

    Examples
    --------
    >>> import inkwise, pandas
    >>> from PIL import Image
    >>> for place, image in enumerate(inkwise.load_dataset("optdigits").test.images[:20]):
    ...     Image.fromarray(image).save(f"scan-{place:02}.png")
    >>> inkwise.answer_pictures("scan-*.png", "answers.parquet")
    Tally(pictures=20, errors=0, others=0)
    >>> table = pandas.read_parquet("answers.parquet")
    >>> table.label[4], len(table)
    ('5', 20)
    """
    require_parquet("writing answers to Parquet")
    if engine not in ("here", "ray"):
        raise ArgumentError(f"there is no engine {engine!r}: use here or ray")
    if engine == "ray":
        require_ray("the engine ray")
    some = [sources] if isinstance(sources, str | os.PathLike) else sources
    places = [without_scheme(os.fspath(place)) for place in some]
    folder = without_scheme(os.fspath(output))
    if not folder:
        raise ArgumentError("--output is empty: name a folder")
    job = prepare(places, folder, model, task, resume=resume, progress=progress, options=options)
    done = _done(job)
    left = [number for number in range(len(job.pieces)) if not done.get(number, _NONE).last]
    report = _Report(job.pieces, done.values(), progress)
    if engine == "ray":
        from inkwise.batches.cluster import work_on_ray

        for shard in work_on_ray(job, {number: done.get(number) for number in left}, address):
            report.written(shard)
    else:
        if left:
            answer_chunk(job.model, [], "any")  # opens the session, before several threads would
        with one_thread_a_picture():
            for number in left:
                for told in job.work_on(number, done.get(number), available_cores()):
                    if isinstance(told, Shard):
                        report.written(told)
                    else:
                        report.answered(number, *told)
    return report.tally


def prepare(
    sources: list[str],
    output: str,
    model: Model | None,
    task: Literal["predict", "read"],
    *,
    resume: bool,
    progress: Progress,
    options: Mapping[str, Any],
) -> Job:
    """Plan a job, or read the plan of the one that is gone on with."""
    options = _check_options(task, options)
    chosen = load_pretrained() if model is None else model
    made_by = {
        "task": task,
        "model": hashlib.sha256(chosen.onnx).hexdigest(),
        "recipe": chosen.provenance.get("recipe"),
        "options": options,
        "inkwise": __version__,
    }
    job_file = join_place(output, JOB_FILE)
    names = names_in(output)
    if JOB_FILE in names:
        if not resume:
            raise ArgumentError(
                f"{output} holds answers already: go on with --resume, or choose another --output"
            )
        stored = _read_job(job_file)
        _compare(stored, {**made_by, "sources": sources}, output)
        begun_in = stored.get("folder")
        if begun_in not in (None, str(Path.cwd())):
            raise ArgumentError(
                f"{output} was begun in {begun_in}, where its pictures' relative paths start: "
                "go on from there"
            )
        if not is_address(output):
            for left_over in Path(output).glob(".*.tmp"):  # of a process that was killed
                left_over.unlink(missing_ok=True)
        pieces = tuple(Piece(*piece) for piece in stored["pieces"])
    elif any(not name.startswith((LIST_FILE, ".")) for name in names):
        raise ArgumentError(f"{output} holds other files: choose another --output")
    else:
        pieces = tuple(cut(sources, join_place(output, LIST_FILE), progress))
        document = {"version": 1, **made_by, "sources": sources, "pieces": pieces}
        if any(_may_be_relative(source) for source in sources):
            document["folder"] = str(Path.cwd())
        write_place(job_file, json_bytes(document))
    return Job(output, task, options, chosen, made_by, pieces)


def _may_be_relative(source: str) -> bool:
    """Tell whether a source may lead to relative paths, as a list of paths may in any case."""
    relative = not is_address(source) and not Path(source).is_absolute()
    return relative or source.lower().endswith(".txt")


def _check_options(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"first": False}
    if task == "predict":
        defaults["hand"] = "any"
    elif task == "read":
        defaults |= {"digits": None, "pattern": None, "check": None, "marks": True}
    else:
        raise ArgumentError(f"there is no task {task!r}: use predict or read")
    if unknown := options.keys() - defaults:
        raise ArgumentError(f"{task} has no option {', '.join(sorted(unknown))}")
    chosen = {**defaults, **options}
    if task == "predict":
        check_hand(chosen["hand"])
    else:
        make_check(chosen["digits"], chosen["pattern"], chosen["check"])
    return chosen


def _read_job(job_file: str) -> dict[str, Any]:
    try:
        document = json.loads(read_place(job_file))
        if document["version"] == 1 and {"sources", "pieces"} <= document.keys():
            return document
    except (ValueError, TypeError, KeyError):
        pass
    raise DataError(f"{job_file} is damaged or of another version: choose another --output")


def _compare(stored: Mapping[str, Any], asked: Mapping[str, Any], output: str) -> None:
    """Refuse to go on with what was made otherwise."""
    asked = json.loads(json_bytes(asked))
    for name, value in asked.items():
        if stored.get(name) != value:
            what = {"task": "by another command", "inkwise": "by another version of inkwise"}.get(
                name,
                f"with another {name}" if name in ("model", "recipe") else f"with other {name}",
            )
            raise ArgumentError(f"{output} was begun {what}: choose another --output")


_NONE = Shard(-1, -1, 0, False, 0, 0, 0)


def _done(job: Job) -> dict[int, Shard]:
    """Return the last shard of each piece of which there is one, with the piece's counts."""
    done: dict[int, Shard] = {}
    for name, made_by, shard in find_shards(job.output):
        _compare(made_by, job.made_by, join_place(job.output, name))
        before = done.get(shard.piece, _NONE)
        if shard.number != before.number + 1 or shard.piece >= len(job.pieces):
            raise DataError(
                f"{join_place(job.output, name)} does not follow the shard before it: remove the "
                "shards of its piece, to have them made again"
            )
        counts = (getattr(before, field) + getattr(shard, field) for field in Tally._fields)
        done[shard.piece] = shard._replace(**dict(zip(Tally._fields, counts, strict=True)))
    return done


class _Report:
    """Counts what is answered, and tells it."""

    def __init__(self, pieces: Sequence[Piece], done: Iterable[Shard], progress: Progress) -> None:
        self.tally = Tally(0, 0, 0)
        self._pieces = pieces
        self._progress = progress
        self._whole = sum(piece.stop - piece.start for piece in pieces)
        self._lengths: dict[int, int] = {}  # of what is done in each piece
        self._answered = 0  # since the last shard
        self._told, self._start = 0.0, time.monotonic()
        for shard in done:
            self._add(shard)
        self._before = self.tally.pictures

    def _add(self, shard: Shard) -> None:
        self.tally = Tally(
            self.tally.pictures + shard.pictures,
            self.tally.errors + shard.errors,
            self.tally.others + shard.others,
        )
        self._lengths[shard.piece] = shard.end - self._pieces[shard.piece].start

    def written(self, shard: Shard) -> None:
        """Count a shard."""
        self._add(shard)
        self._answered = 0
        self._tell()

    def answered(self, number: int, pictures: int, end: int) -> None:
        """Count pictures that are in no shard yet, up to a place in a piece."""
        self._answered += pictures
        self._lengths[number] = end - self._pieces[number].start
        if time.monotonic() - self._told > _REPORTS:
            self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        pictures = self.tally.pictures + self._answered
        rate = (pictures - self._before) / max(self._told - self._start, 1e-9)
        # Sources say how long they are, and not how many pictures and pages they have.
        share = sum(self._lengths.values()) / max(1, self._whole)
        total = max(pictures, round(pictures / share)) if share else pictures
        what = f"{pictures:,} pictures, {rate:,.0f}/s"
        self._progress.step(what, pictures, total)
