"""The command as a whole: help, version, and what becomes of errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import inkwise
from inkwise import Run
from inkwise.cli.main import app
from tests.cli.conftest import Call
from tests.strokes import draw

COMMANDS = (
    "train",
    "resume",
    "evaluate",
    "compare",
    "robustness",
    "predict",
    "serve",
    "report",
    "explain",
    "map",
    "export",
    "import",
    "data",
    "audit",
    "info",
    "bench",
)
HEAVY = (
    "torch",
    "sklearn",
    "scipy",
    "matplotlib",
    "jinja2",
    "PIL",
    "safetensors",
    "requests",
    "onnxruntime",
    "keras",
    "tensorflow",
)


def heavy_modules_after(code: str) -> list[str]:
    """Run Python code in a process of its own and list the heavy modules that it imported."""
    script = f"""
import json, sys
{code}
print()
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def test_help_lists_the_commands(call: Call) -> None:
    result = call("--help")

    assert result.code == 0
    assert all(name in result.out for name in COMMANDS)
    assert tuple(command.name for command in app.registered_commands) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(call: Call, name: str, flag: str) -> None:
    result = call(name, flag)

    assert result.code == 0
    assert f"inkwise {name}" in result.out
    assert result.err == ""


def test_train_help_names_every_option(call: Call) -> None:
    result = call("train", "--help")

    for option in (
        "--recipe",
        "--dataset",
        "--data-dir",
        "--output",
        "--epochs",
        "--batch-size",
        "--seed",
        "--dropout",
        "--augment",
        "--optimiser",
        "--learning-rate",
        "--engine",
    ):
        assert option in result.out


def test_no_command_shows_the_help(call: Call) -> None:
    result = call()

    assert "Usage" in result.out + result.err


def test_version(call: Call) -> None:
    result = call("--version")

    assert (result.code, result.out) == (0, f"inkwise {inkwise.__version__}\n")


def test_console_script_is_the_same_command() -> None:
    script = Path(sys.executable).with_name("inkwise")

    output = subprocess.check_output([script, "--version"], text=True)

    assert output == f"inkwise {inkwise.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]], ids=str)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert (
        heavy_modules_after(
            f"sys.argv = ['inkwise', *{arguments!r}]\n"
            "from inkwise.cli.main import main\n"
            "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 0"
        )
        == []
    )


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert heavy_modules_after("import inkwise") == []


@pytest.mark.parametrize("name", ["evaluate", "robustness", "report", "info"])
def test_missing_run_is_one_line(call: Call, tmp_path: Path, name: str) -> None:
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / ("x" * 300)):
        result = call(name, path)

        assert result.code == 1
        assert result.out == ""
        assert result.err.startswith("error: ")
        assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["train", "--unknown"],
        ["info"],
        ["report"],
        ["evaluate"],
        ["predict"],
        ["export", "run"],
        ["import"],
        ["train", "extra"],
    ],
    ids=str,
)
def test_bad_usage_is_told_without_a_traceback(call: Call, arguments: list[str]) -> None:
    result = call(*arguments)

    assert result.code == 2
    assert "Usage" in result.err
    assert result.out == ""


@pytest.mark.parametrize("name", ["evaluate", "robustness", "report", "info"])
def test_damaged_run_is_one_line(call: Call, run: Run, name: str) -> None:
    (run.path / "run.json").write_text("{")

    result = call(name, run.path)

    assert result.code == 1
    assert result.err.startswith(f"error: {run.path / 'run.json'} is damaged")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["info", "."], ["train", "--help"], ["--version"]], ids=str)
def test_reader_that_leaves_early_gets_no_traceback(finished: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "inkwise", *arguments],
        cwd=finished,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    os.close(reader)  # as `head` does once it has its lines; here before the first
    _, err = process.communicate(timeout=120)

    assert err == ""
    assert process.returncode in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_full_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "inkwise", "data"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_terminal_that_knows_only_ascii_is_no_error(command: Call, finished: Path) -> None:
    result = command("info", finished, PYTHONIOENCODING="ascii")

    assert (result.code, result.err) == (0, "")
    assert "28?28" in result.out


NAMES = ("sept-é.png", "七.png", "seven×7.png")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes")
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("option", ["--json", "--csv", "--first"])
def test_no_name_is_lost_on_any_console(encoding: str, option: str, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in (*NAMES, os.fsdecode(b"7\xff.png"))]
    for path in paths:
        draw("flat").save(path, "PNG")
    command = [sys.executable, "-m", "inkwise", "predict", option, *map(str, paths)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C.UTF-8"}
    result = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert result.stderr == b""
    told = result.stdout.decode(encoding).splitlines()[-4:]
    for line, path in zip(told, paths, strict=True):
        if option == "--json":
            assert json.loads(line)["file"] == str(path)
            continue
        name = re.sub(
            r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})",
            lambda found: chr(int(found[1] or found[2], 16)),
            line.split(".png")[0] + ".png",
        )
        assert name.replace("?", "×") == str(path)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes")
def test_a_class_whose_name_is_no_text_is_refused_in_one_line(call: Call, tmp_path: Path) -> None:
    for name in (os.fsdecode(b"7\xff"), "8"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(6):
            draw("flat").save(folder / f"{number}.png", "PNG")
    result = call("train", "--data", tmp_path / "pictures", "--output", tmp_path / "run")
    assert result.code == 1
    assert "is not UTF-8: rename its folder" in result.err
    assert not (tmp_path / "run").exists()
