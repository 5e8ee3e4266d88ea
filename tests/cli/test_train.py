"""inkwise train: in a pipe, in a terminal, interrupted, refused, and on a full disk."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inkwise import Run
from tests.cli.conftest import Call
from tests.data import forms
from tests.folders import write_pictures, write_symbols

EPOCH = re.compile(
    r"epoch (\d+): loss \d+\.\d{4}, accuracy \d+\.\d\d%; "
    r"validation loss \d+\.\d{4}, accuracy \d+\.\d\d%; \d+\.\d s"
)

UNREPORTED = """
import contextlib
import inkwise.study
from inkwise.cli.main import main

inkwise.study.report_on = lambda run, *_: run.report_path
inkwise.study.SecondProcess = contextlib.nullcontext
main()
"""
"""The command without its report, as `unreported`, for processes of their own."""


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount an empty file system of so many KiB."""
    folder = tmp_path / "disk"

    def mount(kib: int) -> Path:
        folder.mkdir()
        program = shutil.which("mount")
        options = ["-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        if not program or subprocess.run([program, *options], check=False).returncode:
            pytest.skip("mounting a small disk takes root's rights")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", folder], check=True)


@pytest.mark.usefixtures("trains")
def test_in_a_pipe_it_prints_one_line_an_epoch(
    command: Call, archive: Path, tmp_path: Path
) -> None:
    result = command("train", "--data", archive, "--epochs", "2")

    path = Path("runs/case-study-archive-1")
    run = Run(tmp_path / path)
    assert result.code == 0
    assert "\x1b" not in result.out + result.err
    assert "\r" not in result.out + result.err
    lines = result.err.splitlines()
    epochs = [line for line in lines if line.startswith("epoch")]
    assert [match[1] for line in epochs if (match := EPOCH.fullmatch(line))] == ["1", "2"]
    assert epochs == [str(epoch) for epoch in run.history]
    # The first one names the test images, and the last one says that it evaluates now.
    assert len(lines) == len(epochs) + 2
    headline, report, place = result.out.splitlines()
    assert headline.startswith(f"Accuracy {run.evaluation.accuracy.value:.2%}")
    assert str(path / "report.html") in report
    assert str(path) in place
    assert run.status == "complete"


@pytest.mark.usefixtures("unreported")
def test_a_training_can_be_tracked(call: Call, tmp_path: Path) -> None:
    options = ("--dataset", "optdigits", "--epochs", "1", "-o", tmp_path / "run")
    result = call("train", *options, "--track", "nobody")
    assert result.code == 2
    assert "unknown tracker 'nobody'" in result.err

    assert call("train", *options, "--track", "tensorboard").code == 0
    assert len([*(tmp_path / "run" / "tensorboard").iterdir()]) == 1


@pytest.mark.usefixtures("unreported")
def test_options_reach_the_recipe(call: Call, tmp_path: Path) -> None:
    result = call(
        "train",
        *("--dataset", "optdigits", "--epochs", "1", "--batch-size", "250", "--seed", "3"),
        *("--dropout", "0.25", "--augment", "--optimiser", "sgd", "--learning-rate", "0.02"),
        *("-o", tmp_path / "run"),
    )

    recipe = Run(tmp_path / "run").recipe
    assert result.code == 0
    assert (recipe.epochs, recipe.batch_size, recipe.seed) == (1, 250, 3)
    assert (recipe.dropout, recipe.augmentation is not None) == (0.25, True)
    assert recipe.to_dict()["optimiser"] == {"kind": "sgd", "learning_rate": 0.02, "momentum": 0.9}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "unknown"], "unknown recipe 'unknown'"),
        (["--dataset", "unknown"], "unknown data set 'unknown'"),
        (["--optimiser", "unknown"], "unknown optimiser 'unknown'"),
        (["--epochs", "0"], "epochs"),
        (["--batch-size", "0"], "batch size"),
        (["--dropout", "1.5"], "dropout rate"),
        (["--dropout", "nan"], "dropout rate"),
        (["--seed", "-1"], "seed"),
        (["--learning-rate", "0"], "learning rate"),
        (["--learning-rate", "inf"], "learning rate"),
    ],
    ids=str,
)
def test_bad_value_is_one_line_and_writes_nothing(
    call: Call, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = call("train", *arguments, "-o", tmp_path / "run")

    assert result.code == 2
    assert result.err.startswith("error: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--epochs", "x"], ["--epochs", "1.5"], ["--dropout", "much"], ["--seed", ""]],
    ids=str,
)
def test_no_number_is_bad_usage(call: Call, tmp_path: Path, arguments: list[str]) -> None:
    result = call("train", *arguments, "-o", tmp_path / "run")

    assert result.code == 2
    assert arguments[0] in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_data_dir_without_mnist_is_one_line(call: Call, tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()

    result = call("train", "--data-dir", tmp_path / folder, "-o", tmp_path / "run")

    assert result.code == 1
    assert result.err.startswith(f"error: {tmp_path / folder} has no MNIST files")
    assert result.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("output", "code"), [("file", 1), ("file/run", 1), ("full", 2)])
def test_unusable_output_is_one_line_and_left_alone(
    call: Call, tmp_path: Path, output: str, code: int
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")

    result = call("train", "--dataset", "optdigits", "--epochs", "1", "-o", tmp_path / output)

    assert result.code == code
    assert result.err.startswith("error: ")
    assert str(tmp_path / output) in result.err
    assert result.err.count("\n") == 1
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(found) == [tmp_path / "file", tmp_path / "full" / "thesis.txt"]
    assert all(path.read_text() == "mine" for path in found)


@pytest.mark.usefixtures("trains")
def test_full_disk_is_one_line(call: Call, mount_disk: Callable[[int], Path]) -> None:
    run = mount_disk(256) / "run"  # less than a model

    result = call("train", "--dataset", "optdigits", "--epochs", "1", "-o", run)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: cannot write {run / 'model'}")
    assert result.err.count("\n") == 1
    assert not list(run.rglob("*.tmp"))


@pytest.mark.usefixtures("trains")
def test_disk_that_fills_up_keeps_the_model_it_has(
    call: Call, mount_disk: Callable[[int], Path]
) -> None:
    run = mount_disk(2200) / "run"  # more than a model and its checkpoint, less than another

    result = call("train", "--dataset", "optdigits", "--epochs", "2", "-o", run)

    first, error = result.err.splitlines()
    assert (result.code, result.out) == (1, "")
    assert EPOCH.fullmatch(first)
    assert error.startswith(f"error: cannot write {run / 'model'}")
    assert Run(run).status == "unfinished"
    assert Run(run).model.provenance["epochs_trained"] == len(Run(run).history) == 1


@pytest.mark.usefixtures("trains", "interruptible")
def test_ctrl_c_keeps_what_is_finished(archive: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "inkwise", "train", "--data", archive, "--epochs", "5000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()  # the notice comes before the training
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)

    assert EPOCH.fullmatch(first.rstrip())
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted after" in out
    run = Run(tmp_path / "runs" / "case-study-archive-1")
    assert run.status == "interrupted"
    assert str(run.path.relative_to(tmp_path)) in out
    assert len(run.history) >= 1
    assert run.model.provenance["epochs_trained"] == len(run.history)


@pytest.mark.usefixtures("trains", "interruptible")
def test_ctrl_c_before_the_first_epoch_says_that_there_is_no_model(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "inkwise", "train", "--dataset", "optdigits"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()  # the notice comes before the training
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert "no model" in out
    assert Run(tmp_path / "runs" / "case-study-optdigits-1").history == []


@pytest.mark.usefixtures("trains")
def test_in_a_terminal_a_bar_shows_loss_accuracy_and_speed(archive: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", UNREPORTED, "train", "--data", archive, "--epochs", "2"],
        cwd=tmp_path,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "110"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            screen += os.read(ours, 65536)
        except OSError:  # how Linux says that the other end was closed
            break
    os.close(ours)

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.decode())
    assert process.wait(timeout=120) == 0
    assert re.search(r"epoch 1/2 .*loss \d\.\d{4}  accuracy \d+\.\d\d%  [\d,]+ images/s", text)
    assert re.search(r"epoch 2/2 ", text)
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    assert [EPOCH.fullmatch(line) is not None for line in lines].count(True) == 2
    assert any(line.startswith("Accuracy") for line in lines)


@pytest.mark.usefixtures("unreported")
def test_pictures_in_a_folder_are_learnt_and_evaluated(call: Call, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pens", {"thin": 20, "thick": 20})
    path = tmp_path / "run"

    trained = call("train", "--data", folder, "--epochs", "1", "--output", path)

    assert trained.code == 0
    assert "8 of 40, drawn by class, are held out" in " ".join(trained.err.split())
    run = Run(path)
    assert run.model.class_names == ("thick", "thin")
    assert run.record["dataset"]["source"] == str(folder)
    evaluated = call("evaluate", path, "--data", folder)
    assert evaluated.code == 0
    assert f"{run.evaluation.accuracy.value:.2%}" in evaluated.out
    told = f"{folder} holds the data that {path} was trained on: its test split is evaluated"
    assert told in " ".join(evaluated.err.split())
    refused = call("resume", path, "--data", folder)
    assert (refused.code, "is complete" in refused.err) == (1, True)

    assert call("evaluate", path).out == evaluated.out  # it remembers where the folder was
    (folder / "thin").rename(folder / "narrow")
    changed = call("evaluate", path)
    assert (changed.code, changed.err.count("\n")) == (1, 1)
    assert "is not the data that" in changed.err
    assert f"`inkwise evaluate {path} --data {folder}` evaluates what" in changed.err
    now = call("evaluate", path, "--data", folder)
    assert now.code == 0
    assert "whose 20 images are passed over: narrow" in " ".join(now.err.split())
    folder.rename(tmp_path / "elsewhere")
    gone = call("evaluate", path)
    assert (gone.code, "your own data set, pens" in gone.err) == (1, True)


@pytest.mark.usefixtures("unreported")
def test_an_archive_is_learnt_and_evaluated_and_so_is_a_table(
    call: Call, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run"

    trained = call("train", "--data", archive, "--epochs", "1", "--output", path)

    assert trained.code == 0
    run = Run(path)
    assert run.record["dataset"]["name"] == "archive"
    assert run.model.class_names == ("0", "1", "2")
    evaluated = call("evaluate", path)  # it remembers where the archive was
    assert (evaluated.code, evaluated.err) == (0, "")
    (tmp_path / "other.csv").write_text(forms.table(forms.draw(30, 1, classes=3)))
    elsewhere = call("evaluate", path, "--data", tmp_path / "other.csv")
    assert elsewhere.code == 0
    assert f"All 30 images in {tmp_path / 'other.csv'} are evaluated" in elsewhere.err
    assert "30 images of other, test split" in " ".join(elsewhere.out.split())


def test_a_table_without_labels_is_refused_in_one_line(
    call: Call, finished: Path, tmp_path: Path
) -> None:
    path = tmp_path / "test.csv"
    path.write_text(forms.table(forms.draw(10), label_at=None))

    result = call("evaluate", finished, "--data", path)

    assert (result.code, result.err.count("\n")) == (1, 1)
    assert result.err.startswith(f"error: {path} has no labels: nothing can be")


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_two_data_sets_at_once_are_refused(
    command: str, call: Call, finished: Path, tmp_path: Path
) -> None:
    run = [str(finished)] if command == "evaluate" else []
    result = call(command, *run, "--data", tmp_path, "--dataset", "optdigits")
    assert result.code == 2
    assert "are two data sets: leave out one" in result.err


def test_going_on_says_what_was_gained_and_what_comes_next(
    call: Call, finished: Path, unreported: None, tmp_path: Path
) -> None:
    hand = write_symbols(tmp_path / "hand", {"0": "hash", "3": "tick"}, 10)
    run = tmp_path / "run"

    result = call("train", "--from", finished, "--data", hand, "--epochs", "1", "--output", run)

    assert result.code == 0
    own, earlier = Run(run).gains
    assert str(own) in result.out
    assert str(earlier) in result.out
    assert f"inkwise serve --model {run}" in result.out


def test_going_on_takes_changes_of_a_recipe_that_is_named(
    call: Call, finished: Path, tmp_path: Path
) -> None:
    result = call("train", "--from", finished, "--data", tmp_path, "--set", "epochs=1")
    assert result.code == 2
    assert "--set changes a recipe: with --from, name one to change" in result.err
    result = call("train", "--from", tmp_path / "nowhere", "--data", tmp_path)
    assert result.code == 1
    assert f"there is no model at {tmp_path / 'nowhere'}: name pretrained, a run, " in result.err


def test_a_finished_run_is_trained_further(call: Call, run: Run, unreported: None) -> None:
    result = call("resume", run.path, "--epochs", "3")

    assert result.code == 0
    assert len(run.history) == 3
    assert call("resume", run.path, "--epochs", "3").code == 2
    assert call("resume", run.path).code == 1


def test_a_folder_without_pictures_is_refused_in_one_line(call: Call, tmp_path: Path) -> None:
    result = call("train", "--data", tmp_path, "--output", tmp_path / "run")

    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "sub-folders with pictures" in result.err
    assert not (tmp_path / "run").exists()


def test_in_a_terminal_a_bar_shows_what_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from inkwise.cli.display import Display
    from inkwise.system.progress import Batch

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Display() as display:
        bar = display.reading("pens")
        bar.total = 40
        bar.update(40)
        shown = capsys.readouterr().err
        display.batch(Batch(1, 1, 32, 32, 0.5, 0.9, 1.0))

    assert "reading pens" in shown
    assert "epoch 1/1" in capsys.readouterr().err


def test_in_a_terminal_a_bar_shows_a_download(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from inkwise.cli.display import Display

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any output for a terminal then
    with Display() as display:
        bar = display.download("t10k-labels-idx1-ubyte.gz")
        assert bar.total == 0
        bar.total = 4_000
        bar.update(3_000)
        bar.update(-3_000)  # a mirror that failed
        bar.update(4_000)
        assert bar.total == 4_000

    assert "fetching t10k-labels-idx1-ubyte.gz" in capsys.readouterr().err
