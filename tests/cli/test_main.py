"""The command as a whole: help, version, and what becomes of errors."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import inkwise
from inkwise import Run
from inkwise.cli.main import app
from tests.cli.conftest import Call
from tests.data import forms
from tests.strokes import draw

COMMANDS = (
    "train",
    "recipes",
    "design",
    "resume",
    "evaluate",
    "compare",
    "sweep",
    "cross-validate",
    "robustness",
    "predict",
    "read",
    "sheet",
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
    "optuna",
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
    "command", [["train"], ["design"], ["recipes", "show"], ["predict"], ["info"]], ids=str
)
def test_an_endless_name_is_told_in_part(call: Call, command: list[str]) -> None:
    result = call(*command, "x" * 6000)

    assert result.code == 1
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert len(result.err) < 1100


@pytest.mark.parametrize("command", [["explain", "run", "--index"], ["train", "--epochs"], []])
def test_an_endless_value_or_command_is_told_in_part(call: Call, command: list[str]) -> None:
    result = call(*command, "x" * 6000)

    assert result.code == 2
    assert result.err.startswith("error: ")
    assert result.err.endswith("--help\n")
    assert result.err.count("\n") == 1
    assert len(result.err) < 1100


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["unknown"], "there is no command 'unknown': see inkwise --help"),
        (["trian"], "there is no command 'trian' (did you mean 'train'?): see inkwise --help"),
        (["--unknown"], "there is no option --unknown: see inkwise --help"),
        (["train", "--unknown"], "there is no option --unknown: see inkwise train --help"),
        (["train", "--lr", "1"], "there is no option --lr (did you mean '--learning-rate'?): see "),
        (["train", "--optimizer", "x"], "there is no option --optimizer (did you mean '--optimis"),
        (
            ["info"],
            "RUN is missing, a directory that `inkwise train` wrote, or `inkwise evaluate` ",
        ),
        (["export", "run"], "--format is missing, the format: onnx, "),
        *(([name], " is missing, ") for name in ("report", "evaluate", "predict", "import")),
        (["train", "swift", "more", "yet"], "there is one argument too many, more yet: see inkwi"),
        (["train", "--seed"], "--seed needs a value behind it"),
        (["train", "--augment=yes"], "--augment takes no value"),
        (["train", "--epochs", "five"], "--epochs must be a whole number, not 'five': see inkwise"),
        (["train", "--epochs=2.5"], "--epochs must be a whole number, not '2.5': see inkwise "),
        (
            ["train", "--epochs", "5", "--learning-rate", "x"],
            "--learning-rate must be a number, no",
        ),
        (
            ["serve", "--port", ""],
            "--port must be a whole number, not '': see inkwise serve --help",
        ),
    ],
    ids=str,
)
def test_bad_usage_is_one_line(call: Call, arguments: list[str], told: str) -> None:
    result = call(*arguments)

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert told in result.err
    assert result.err.count("\n") == 1


def test_ctrl_c_ends_a_command_with_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("inkwise.training.recipe_files.recipe_schema", stop)
    assert call("recipes", "schema").code == 130


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
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
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


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes")
def test_every_command_takes_names_that_are_no_text(
    call: Call, finished: Path, tmp_path: Path
) -> None:
    name = os.fsdecode(b"7\xff\xe9")
    odd = tmp_path / name
    runs = [Path(shutil.copytree(finished, odd / f"{name}-{number}")) for number in (1, 2)]
    picture, table = odd / f"{name}.png", odd / f"{name}.csv"
    draw("flat").save(picture, "PNG")
    images, labels = forms.draw(40)
    table.write_text(forms.table((images, labels)))
    commands: dict[str, tuple[str | Path, ...]] = {
        "predict": (picture, "--model", runs[0], "--csv"),
        "evaluate": (runs[0], "--data", table),
        "report": (runs[0],),
        "info": (runs[0],),
        "compare": (*runs, "--output", odd / f"compared-{name}"),
        "explain": (runs[0], "--image", picture, "--output", odd / f"{name}.html"),
        "export": (runs[0], "--format", "onnx", "--output", odd / f"{name}.onnx"),
        "map": (runs[0],),
        "data": ("--data-dir", odd),
    }
    for command, arguments in commands.items():
        result = call(command, *arguments)
        assert result.code == 0, (command, result.err)
        assert r"7\udcff\udce9" in result.out
    refused = call("evaluate", odd / f"no-{name}")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert r"no-7\udcff\udce9" in refused.err


@pytest.mark.usefixtures("trains", "blank_figures")
@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes")
def test_data_whose_name_is_no_text_are_learnt(call: Call, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"7\xff")
    odd.mkdir()
    table, run = odd / f"{odd.name}.csv", odd / "run"
    table.write_text(forms.table(forms.draw(60, classes=3)))
    learnt = call("train", "--recipe", "swift", "--epochs", "1", "--data", table, "--output", run)
    assert learnt.code == 0
    assert Run(run).record["dataset"]["name"] == r"7\udcff"
    assert Run(run).record["dataset"]["source"] == str(table)
    assert call("evaluate", run).code == 0  # it remembers where the table was
    assert call("map", run).code == 0
