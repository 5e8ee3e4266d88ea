"""Fuzz the command line: give every argument and option of every command hostile values.

Each call must end with exit code 0, 1 or 2 and, if it fails, with one clear line: without a
traceback, in time and in bounded memory. The calls are made in random order, one a core at a time;
Ctrl-C ends them early and records those that were made.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import glob
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import typer
from fuzz_files import MEMORY
from fuzz_seeds import make_run
from record import write_record

from inkwise import study
from inkwise.bench import rounds
from inkwise.cli.main import app
from inkwise.cli.main import main as inkwise
from inkwise.serving import server
from inkwise.system.machine import available_cores

SECONDS = 60
"""Longest time that a call may take, in seconds; a short training fits."""

LONGEST = 1200
"""Most characters of the line of an error."""

VALUES = (
    *("", " ", "a\0b", "\udcff", "\ud800", "x" * 10_000, "x/" * 3000, "-", "--", "-1", "--help"),
    *(
        "\x1b[31mred",
        "a\nb",
        "\r",
        "\x7f",
        "\u202e",
        "é",
        "*",
        "**",
        "[",
        "~",
        "%s",
        "{0}",
        "$HOME",
    ),
    *("0", "-0", "1", "7", "1e400", "-1e400", "nan", "inf", "1e-400", "0.5", "9" * 40, "٣", "1_0"),
    *("9" * 5000, "0x10", "1.0", " 1", "99999", "4294967296", "true", "None", "a,b", ",", "train"),
    *("/", ".", "..", "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/root/../etc"),
    *("empty", "folder", "fifo", "text", "file/below", "swift", "test", "cpu", "onnx", "optdigits"),
)
"""Texts and numbers of all kinds, and files that are made beside each call."""

BASES = {
    "train": ["--dataset", "optdigits", "--epochs", "1"],
    "design": ["swift"],
    "recipes": ["show", "swift"],
    "sweep": ["swift", "--vary", "seed=1", "--dataset", "optdigits", "--trials", "1"],
    "cross-validate": ["swift", "--dataset", "optdigits", "--folds", "2"],
    "resume": ["stopped"],
    "evaluate": ["run"],
    "compare": ["run", "other"],
    "robustness": ["run", "--images", "20"],
    "predict": ["digit.png"],
    "read": ["digit.png"],
    "sheet": [],
    "serve": [],
    "report": ["run"],
    "explain": ["run", "digit.png"],
    "map": ["run"],
    "export": ["run"],
    "import": ["model.keras"],
    "data": [],
    "audit": ["--dataset", "optdigits"],
    "info": ["run"],
    "bench": ["--quick"],
}
"""Arguments with which each command does its work."""

WAITING = {
    *(("predict", "FILE..."), ("read", "FILE..."), ("explain", "FILE"), ("export", "--output")),
    *(("explain", "--output"), ("compare", "--output"), ("sheet", "--output")),
}
"""Arguments that may be a pipe, for whose other end the command waits."""

LONG = {("train", "--epochs"), ("resume", "--epochs"), ("sweep", "--trials"), ("sweep", "--seeds")}
"""Options that may ask for more work than there is time."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A call: the command, the name of the argument, its value, and all arguments."""

    command: str
    argument: str
    value: str
    arguments: list[str]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, help="a sample of this size; all if not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="folder of the runs; they are made if missing")
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    cases = [*make_cases()]
    random.Random(arguments.seed).shuffle(cases)  # noqa: S311 - nothing is secret
    chosen = cases[: arguments.calls]
    codes: collections.Counter[str] = collections.Counter()
    findings, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch, "seeds")
        if not folder.exists():
            make_run(folder)
        ignore_ctrl_c = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
        with (
            contextlib.suppress(KeyboardInterrupt),
            ProcessPoolExecutor(available_cores(), get_context("fork"), ignore_ctrl_c) as pool,
        ):
            for case, code, told, seconds in pool.map(
                functools.partial(time_call, folder=folder), chosen
            ):
                slowest = max(slowest, seconds)
                codes[str(code)] += 1
                if told is not None:
                    findings += 1
                    shown = ascii(case.value)[:60]
                    print(f"{case.command} {case.argument} {shown}: {code} {told}", flush=True)
    figures = {
        "calls": codes.total(),
        "of": len(cases),
        "seed": arguments.seed,
        "exit_codes": dict(codes.most_common()),
        "findings": findings,
        "slowest_seconds": round(slowest, 1),
    }
    print(figures)
    if not arguments.no_record:
        print(f"wrote {write_record('fuzz-arguments', figures)}")
    sys.exit(findings > 0)


def make_cases() -> Iterator[Case]:
    """Give every argument and option of every command each of `VALUES`."""
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for parameter in command.params:
            if getattr(parameter, "is_flag", False):
                continue
            for value in VALUES:
                base = BASES[name]
                if parameter.param_type_name == "argument":
                    place = [each for each in command.params if each.param_type_name == "argument"]
                    replaced = [*base]
                    replaced[place.index(parameter) : place.index(parameter) + 1] = [value]
                    yield Case(name, str(parameter.metavar or parameter.name), value, replaced)
                else:
                    option = max(parameter.opts, key=len)
                    yield Case(name, option, value, [*base, f"{option}={value}"])


def time_call(case: Case, folder: Path) -> tuple[Case, int, str | None, float]:
    """Run a call, and return it with its exit code, what is wrong with it, and its seconds."""
    began = time.monotonic()
    code, told = call(case, folder)
    return case, code, told, time.monotonic() - began


def call(case: Case, folder: Path) -> tuple[int, str | None]:
    """Run a call in a fork of this process; return its exit code, and what is wrong with it."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                _be_the_call(case, folder, place)
            os._exit(99)
        deadline = time.monotonic() + SECONDS
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                what = case.command, case.argument
                asked = what in LONG or (what in WAITING and case.value == "fifo")
                return -9, None if asked else f"did not end in {SECONDS} s"
            time.sleep(0.01)
        code = os.waitstatus_to_exitcode(ended[1])
        said = (place / ".err").read_text("utf-8", "surrogateescape")
        return code, find(code, said, several=glob.has_magic(case.value))


def find(code: int, said: str, *, several: bool = False) -> str | None:
    """Return what is wrong with an exit code and what was printed to standard error.

    If the value stands for several files, each of them may have a line.
    """
    if "Traceback" in said:
        return said[-1500:]
    if code == 130 and "round 1 of" in said:
        return None
    if code not in (0, 1, 2):
        return f"an exit code of its own: {said[-500:]}"
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    usage = "─ Error ─" in said  # several lines in a box, with the usage above
    if code and not (len(lines) == 1 or usage or (several and lines)):
        return f"no single line: {said[-500:]}"
    if any(len(line) > LONGEST for line in lines) or (usage and len(said) > 10 * LONGEST):
        return f"an endless line: {said[:300]}"
    return None


def _be_the_call(case: Case, folder: Path, place: Path) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(place)
    for name in ("run", "stopped"):
        shutil.copytree(folder / name, place / name)
    shutil.copytree(folder / "run", place / "other")
    for name in ("model.keras", "digit.png"):
        shutil.copy(folder / name, place)
    Path("empty").touch()
    Path("text").write_text("a text\n")
    Path("file").touch()
    Path("folder").mkdir()
    os.mkfifo("fifo")
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, ".out", 65), (2, ".err", 65)):
        os.dup2(os.open(name, flags), number)
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 3 * MEMORY, limit))
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(0),
        os.fdopen(1, "w", encoding="utf-8"),
        os.fdopen(2, "w", encoding="utf-8", buffering=1),
    )
    sys.argv = ["inkwise", case.command, *case.arguments]
    code: object = 0
    # What is heavy and does not look at the arguments is left out.
    with (
        mock.patch.object(study, "report_on", lambda run, *_: run.report_path),
        mock.patch.object(study, "SecondProcess", contextlib.nullcontext),
        mock.patch.object(rounds, "measure", side_effect=KeyboardInterrupt),
        mock.patch.object(server, "_run_here"),
        mock.patch.object(server, "_run_workers"),
    ):
        try:
            inkwise()
        except SystemExit as exit_:
            code = exit_.code
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 98
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 97)


if __name__ == "__main__":
    main()
