"""Kill a job of many pictures at random moments, as by `kill -9`, and go on until it ends.

Each attempt is a process forked from one that has imported everything, so that most of its time,
and most kills, are in reading, answering and writing. What is read back must be the rows of a job
that nobody stopped, once each.
"""

import argparse
import io
import os
import random
import signal
import tarfile
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2  # noqa: F401 - before the forks, so that none of them imports it
import onnxruntime  # noqa: F401 - likewise
import pyarrow.parquet
from PIL import Image
from record import write_record

from inkwise import Model, answer_pictures, load_dataset, load_pretrained
from inkwise.batches import jobs, pieces

SOURCES = ("folder", "tar", "parquet")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="for each kind of source")
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    images = load_dataset("optdigits").train.images
    contents = [encode(images[place % len(images)]) for place in range(arguments.pictures)]
    contents[7] = b"no picture"
    counts = {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind in SOURCES:
            source = write_source(Path(scratch, f"scans.{kind}"), kind, contents)
            counts[kind] = go_through(
                source,
                Path(scratch, f"{kind}-answers"),
                load_pretrained(),
                arguments.kills,
                seed=arguments.seed,
            )
            print(kind, counts[kind])
    path = write_record(
        "kills",
        {
            "what": "jobs killed at random moments and gone on with, beside one not stopped",
            "pictures": arguments.pictures,
            "pictures_in_a_shard": pieces.SHARD,
            "seed": arguments.seed,
            "sources": counts,
        },
    )
    print(f"wrote {path}")


def encode(image: "pyarrow.NumericArray") -> bytes:
    """Return a picture of grey levels as PNG."""
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "png")
    return sink.getvalue()


def write_source(path: Path, kind: str, contents: list[bytes]) -> Path:
    """Write pictures as a folder, a tar or a table."""
    if kind == "folder":
        path.mkdir()
        for place, content in enumerate(contents):
            (path / f"{place:05}.png").write_bytes(content)
    elif kind == "tar":
        with tarfile.open(path, "w") as tar:
            for place, content in enumerate(contents):
                entry = tarfile.TarInfo(f"{place:05}.png")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    else:
        table = pyarrow.table({"image": contents})
        pyarrow.parquet.write_table(table, path, row_group_size=150)
    return path


def go_through(source: Path, output: Path, model: Model, kills: int, seed: int) -> dict[str, int]:
    """Kill jobs this many times; return how many ended, and how many of their rows were wrong.

    Returns
    -------
    dict of str to int
        Kills; those that came when a shard was half written; jobs that ended; and rows that were
        missing, double or different.
    """
    vars(jobs).update(SHARD=20, CHUNK=10)
    vars(pieces).update(SHARD=20)
    choose = random.Random(seed)  # noqa: S311 - not for secrets

    def attempt(folder: Path) -> Callable[[], object]:
        return lambda: answer_pictures(source, folder, model=model, resume=True)

    whole = output / "whole"
    start = time.monotonic()
    _wait(_fork(attempt(whole)))
    seconds = time.monotonic() - start
    expected = read_rows(whole)
    killed = half = ended = wrong = 0
    while killed < kills or not ended:
        folder = output / str(ended)
        while True:
            start = time.monotonic()
            pid = _fork(attempt(folder))
            if killed < kills:
                time.sleep(choose.uniform(0, seconds / 3))
                os.kill(pid, signal.SIGKILL)
            if _wait(pid):
                # A machine that was busy with other work may have become faster.
                seconds = min(seconds, time.monotonic() - start)
                break
            killed += 1
            half += bool([*folder.glob(".*.tmp")])
        ended += 1
        rows = read_rows(folder)
        wrong += sum(((rows - expected) + (expected - rows)).values())
    return {"kills": killed, "half_written": half, "jobs": ended, "wrong_rows": wrong}


def _fork(work: Callable[[], object]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # no thread of this process matters
        pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # a child must not go on as its parent
            os._exit(1)
        os._exit(0)
    return pid


def _wait(pid: int) -> bool:
    """Wait for the end of a process; tell whether it was by itself, and not by a signal."""
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError("a job failed that was not killed")
    return os.WIFEXITED(status)


def read_rows(folder: Path) -> Counter[str]:
    """Return the rows of all shards, and how often each of them is there."""
    shards = sorted(folder.glob("part-*.parquet"))
    return Counter(
        str(row) for shard in shards for row in pyarrow.parquet.read_table(shard).to_pylist()
    )


if __name__ == "__main__":
    main()
