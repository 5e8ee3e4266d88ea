"""A disk that is full after some kilobytes, and commands that write to it.

Where the machine lets a user mount a small disk, in namespaces of its own, it is a real one.
Elsewhere no file may have more bytes than the disk would have left: the system refuses to write
in the middle of a file there, too.
"""

import contextlib
import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_OWN = ["unshare", "--user", "--map-root-user", "--mount"]


@dataclasses.dataclass(frozen=True)
class Told:
    """What a command came to, and a copy of what it left on the disk."""

    code: int
    out: str
    err: str
    left: Path


def run_on_a_full_disk(
    scratch: Path,
    command: Sequence[str | Path],
    again: Sequence[str | Path],
    *,
    size: int,
    file: int,
) -> tuple[Told, Told]:
    """Run a command on a disk that it fills, and one that goes on when there is space again.

    Parameters
    ----------
    scratch : Path
        An empty folder of the test's own. The disk is the folder ``disk`` in it.
    command, again : sequence of str or Path
        Arguments of `inkwise`.
    size : int
        Kilobytes of the disk.
    file : int
        Kilobytes that a file may have where no disk can be mounted.
    """
    disk = scratch / "disk"
    disk.mkdir(parents=True)
    probe = [*_OWN, "mount", "-t", "tmpfs", "tmpfs", str(disk)]
    try:
        real = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        real = False
    asked = {
        "scratch": str(scratch),
        "size": size if real else None,
        "file": file,
        "commands": [[*map(str, command)], [*map(str, again)]],
    }
    done = subprocess.run(
        [*(_OWN if real else ()), sys.executable, "-m", __name__],
        input=json.dumps(asked),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (code, out, err), (later, more, errors) = json.loads(done.stdout)
    return Told(code, out, err, scratch / "full"), Told(later, more, errors, scratch / "later")


def _mount(disk: Path, size: str, *options: str) -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", disk],
        check=True,
    )


@contextlib.contextmanager
def _no_larger_file(kilobytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _run() -> None:
    """Do what another process asks, where this one may mount."""
    import io

    from inkwise.cli.main import main

    asked = json.load(sys.stdin)
    scratch = Path(asked["scratch"])
    disk = scratch / "disk"
    limit: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if asked["size"] is None:
        limit = _no_larger_file(asked["file"])
    else:
        _mount(disk, f"{asked['size']}k")
    told = []
    for arguments, copy in zip(asked["commands"], ("full", "later"), strict=True):
        sys.argv = ["inkwise", *arguments]
        out, err = io.StringIO(), io.StringIO()
        with limit, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                told.append((end.code, out.getvalue(), err.getvalue()))
        shutil.copytree(disk, scratch / copy)
        limit = contextlib.nullcontext()
        if asked["size"] is not None:
            _mount(disk, "1g", "remount")
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    _run()
