"""Fuzz the files that commands read: pictures, models, runs, label decisions and data sets.

Each must be read, or refused by an error of inkwise's own, in one line: without any other
exception, without a crash, in time and in bounded memory.
"""

import argparse
import collections
import faulthandler
import functools
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from damage import damage
from fuzz_kinds import KINDS, Kind
from fuzz_seeds import make_run, prepare
from record import RESULTS, write_record

from inkwise.cli.streams import prepare as prepare_streams
from inkwise.errors import InkwiseError

SECONDS = 10
"""Longest time that reading a file may take, in seconds of the processor."""

MEMORY = 1 << 30
"""Most bytes that reading a small file may take; a picture of `Image.MAX_IMAGE_PIXELS` needs them.
"""

LONGEST = 1000
"""Most characters of an error's line."""

KEPT = 3  # inputs of each finding


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000, help="files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=[*KINDS], choices=[*KINDS], metavar="KIND")
    parser.add_argument("--keep", type=Path, help="folder for the files that were not read well")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="folder of the runs; they are made if missing")
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    if arguments.worker is not None:
        work(arguments.kinds[0], arguments.worker, arguments)
        return
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="fuzz-files-"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch, "seeds")
        if not folder.exists():
            make_run(folder)
        results = {}
        for kind in arguments.kinds:
            results[kind] = fuzz(kind, folder, keep, arguments)
            if not arguments.no_record:
                record({kind: {"mutations": arguments.mutations, **results[kind]}}, arguments.seed)
    findings = sum(sum(result["findings"].values()) for result in results.values())
    print(f"{findings:,} findings" + (f", whose files are in {keep}" if findings else ""))
    sys.exit(findings > 0)


def record(results: dict[str, Any], seed: int) -> None:
    """Record the results of some kinds beside those of the others with the same seed."""
    path = RESULTS / "fuzz-files.json"
    old: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {"seed": None}
    kinds = {**(old["kinds"] if old["seed"] == seed else {}), **results}
    write_record(path.stem, {"seed": seed, "kinds": kinds})


def fuzz(kind: str, folder: Path, keep: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Feed files of one kind to a process of their own, and to another one where it has crashed."""
    outcomes: collections.Counter[str] = collections.Counter()
    findings: collections.Counter[str] = collections.Counter()
    began, slowest, mebibytes, done = time.monotonic(), 0.0, 0.0, 0

    def find(told: str, content: bytes, details: str = "") -> None:
        findings[told] += 1
        if findings[told] <= KEPT:
            place = keep / f"{kind}-{hashlib.sha256(content).hexdigest()[:12]}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.with_name(f"{place.name}.txt").write_text(f"{told}\n{details}", errors="replace")
            print(f"{kind}: {told[:300]} ({place})", flush=True)

    while done < arguments.mutations:
        command = [sys.executable, __file__, "--kinds", kind, "--worker", str(done)]
        command += ["--mutations", str(arguments.mutations), "--seed", str(arguments.seed)]
        worker = subprocess.Popen(
            [*command, "--folder", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert worker.stdout is not None  # noqa: S101 - it is a pipe
        for line in worker.stdout:
            told = json.loads(line)
            done = told["number"] + 1
            outcomes[told["outcome"]] += 1
            slowest = max(slowest, told["seconds"])
            mebibytes = max(mebibytes, told["mebibytes"])
            if "finding" in told:
                content = make(kind, folder, arguments.seed, told["number"])
                find(told["finding"], content, told["details"])
        code = worker.wait()
        if code == REFUSED:
            sys.exit(worker.stderr.read().decode() if worker.stderr else None)
        if done < arguments.mutations and code != AGAIN:
            said = worker.stderr.read().decode(errors="replace") if worker.stderr else ""
            outcomes["crashed or hung"] += 1
            told_crash = f"the process ended with {code}"
            find(told_crash, make(kind, folder, arguments.seed, done), said[-4000:])
            done += 1
    result = {
        "outcomes": dict(outcomes.most_common()),
        "findings": dict(findings.most_common()),
        "slowest_seconds": round(slowest, 2),
        "most_mebibytes": round(mebibytes),
        "seconds": round(time.monotonic() - began),
    }
    print(kind, result, flush=True)
    return result


AGAIN, REFUSED = 77, 78
"""Exit codes of a worker that wants to be replaced by a fresh one, or has refused a valid file."""


class TooLongError(BaseException):
    """Reading took longer than `SECONDS`; no reader may mistake this for damage."""


def work(kind: str, first: int, arguments: argparse.Namespace) -> None:
    """Read mutated files from one number on, and print a line of JSON about each."""
    output = os.fdopen(os.dup(1), "w")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # what commands print
    prepare_streams()
    signal.signal(signal.SIGPROF, _too_long)
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as noise:
        place = Path(scratch)
        real_stderr = os.dup(2)
        prepare(place, arguments.folder)
        for whole in _seeds(kind, arguments.folder):
            if (told := attempt(KINDS[kind], place, whole, always=True))["outcome"] != "read":
                print(f"a valid file of the kind {kind} is not read: {told}", file=sys.stderr)
                sys.exit(REFUSED)
        limit = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + 3 * MEMORY, limit))
        for number in range(first, arguments.mutations):
            content = make(kind, arguments.folder, arguments.seed, number)
            faulthandler.dump_traceback_later(30 * SECONDS, exit=True, file=real_stderr)
            os.dup2(noise.fileno(), 2)
            began, before = time.process_time(), _memory("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
            told = attempt(KINDS[kind], place, content, seldom=number % 50 == 0)
            seconds, grown = time.process_time() - began, _memory("VmHWM") - before
            os.dup2(real_stderr, 2)
            faulthandler.cancel_dump_traceback_later()
            if grown > MEMORY and "finding" not in told:
                told |= {"finding": f"more than {MEMORY:,} bytes", "details": told["outcome"]}
            if said := noise.seek(0, os.SEEK_END):
                noise.seek(0)
                text = noise.read(said).decode(errors="replace")
                noise.seek(0)
                noise.truncate()
                if "finding" not in told:
                    told |= {"finding": f"printed: {text.splitlines()[0][:80]}", "details": text}
            told |= {"number": number, "seconds": seconds, "mebibytes": grown / (1 << 20)}
            print(json.dumps(told), file=output, flush=True)
            if told["outcome"] == "too long":
                os._exit(AGAIN)  # locks may never be released


def _too_long(*_: object) -> None:
    raise TooLongError


def _memory(what: str) -> int:
    [line] = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)
    ]
    return 1024 * int(line.split()[1])


def attempt(
    kind: Kind, scratch: Path, content: bytes, *, seldom: bool = False, always: bool = False
) -> dict[str, Any]:
    """Read a file once; return the outcome and, if it is none of those allowed, a finding."""
    path = scratch / kind.name
    old = path.read_bytes() if path.exists() else None
    path.write_bytes(content)
    told: dict[str, Any] = {"outcome": "read"}
    signal.setitimer(signal.ITIMER_PROF, SECONDS * (10 if seldom or always else 1))
    try:
        with warnings.catch_warnings():
            for shown in (UserWarning, RuntimeWarning):
                warnings.simplefilter("error", shown)
            warnings.filterwarnings("ignore", ".* pages or frames, and the first is read")
            kind.read(path)
            if (seldom or always) and kind.seldom is not None:
                kind.seldom(path)
    except InkwiseError as error:
        told["outcome"] = type(error).__name__
        if len(str(error)) > LONGEST:
            told |= {"finding": f"a line of over {LONGEST} characters", "details": str(error)}
    except TooLongError:
        details = traceback.format_exc()
        told = {"outcome": "too long", "finding": f"over {SECONDS} s", "details": details}
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "inkwise" in Path(frame.filename).parts]
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "elsewhere"
        told["outcome"] = type(error).__name__
        told["finding"] = f"{type(error).__name__} at {where}"
        told["details"] = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if old is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(old)
    return told


def make(kind: str, folder: Path, seed: int, number: int) -> bytes:
    """Return the mutated file of a kind with a number: always the same."""
    generator = random.Random(f"{seed} {kind} {number}")  # noqa: S311 - nothing is secret
    return damage(generator, _seeds(kind, folder), KINDS[kind].changes)


@functools.cache
def _seeds(kind: str, folder: Path) -> Sequence[bytes]:
    return KINDS[kind].seeds(folder)


if __name__ == "__main__":
    main()
