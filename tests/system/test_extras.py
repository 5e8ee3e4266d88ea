"""A plain installation predicts; all else says in a line what to install."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Split
from inkwise.cli.main import main
from inkwise.data.optdigits import load_optdigits
from inkwise.errors import LibraryError
from tests.strokes import draw, strokes

LIBRARIES = {"torch": "PyTorch", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}
PLAIN = (
    f"import sys; sys.modules.update(dict.fromkeys({[*LIBRARIES, 'captum', 'onnx', 'scipy']!r}))"
)


def in_a_plain_installation(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as if the libraries of the extra ``train`` were not installed."""
    script = f"{PLAIN}; from inkwise.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("module", [*LIBRARIES, "onnx"])
def test_training_without_a_library_is_one_line_and_leaves_nothing(
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    run = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["inkwise", "train", "--output", str(run)])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 1
    name = LIBRARIES.get(module, module)
    told = f"error: training needs {name}: pip install 'inkwise[train]'\n"
    assert capsys.readouterr() == ("", told)
    assert not run.exists()


def test_whatever_needs_the_libraries_says_so(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = inkwise.Run(finished).model
    digits = Split(np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.int64))
    dataset = Dataset("mine", "mine", model.class_names, digits, digits, source="here")
    for module in ("torch", "sklearn", "matplotlib", "onnx"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("inkwise.data.catalogue.load_optdigits", load_optdigits)  # itself
    every = "needs matplotlib, onnx, scikit-learn, PyTorch: pip install 'inkwise\\[train\\]'"
    for act in (
        lambda: inkwise.train(dataset=dataset, output=tmp_path / "run"),
        lambda: inkwise.resume(finished),
        lambda: inkwise.evaluate(finished, dataset=dataset),
        lambda: inkwise.write_report(finished),
        lambda: inkwise.export_model(finished, "torchscript", tmp_path / "a.pt"),
        lambda: inkwise.export_model(finished, "onnx-int8", tmp_path / "a.onnx"),
        lambda: inkwise.import_model(tmp_path / "a.keras"),
        lambda: inkwise.import_model(tmp_path / "a.onnx"),
        lambda: inkwise.load_dataset("optdigits"),
        lambda: inkwise.Run(finished).evaluation.accuracy,
        lambda: model.with_provenance(colour="blue").onnx,
    ):
        with pytest.raises(LibraryError, match=every) as caught:
            act()
        assert "\n" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_plain_installation_predicts_and_exports_the_model_as_it_is(tmp_path: Path) -> None:
    model, picture = strokes().save(tmp_path / "model"), tmp_path / "flat.png"
    draw("flat").save(picture)

    done = in_a_plain_installation("predict", picture, "--model", model)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{picture}   flat   (")

    exported = tmp_path / "exported.onnx"
    done = in_a_plain_installation("export", model, "--format", "onnx", "--output", exported)
    assert (done.returncode, done.stderr) == (0, "")
    assert exported.read_bytes() == strokes().onnx


@pytest.mark.slow
def test_a_plain_installation_explains_by_occlusion(tmp_path: Path) -> None:
    model, picture = strokes().save(tmp_path / "model"), tmp_path / "flat.png"
    draw("flat").save(picture)

    page = tmp_path / "page.html"
    done = in_a_plain_installation("explain", model, "--image", picture, "--output", page)

    assert done.returncode == 0
    assert done.stdout.startswith(f"{picture}: flat (")
    assert done.stderr.splitlines()[0].endswith(": pip install 'inkwise[train]'")
    assert page.exists()


@pytest.mark.parametrize("command", ["--help", "--version", "data"])
def test_a_plain_installation_tells_what_there_is(command: str) -> None:
    done = in_a_plain_installation(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_bundled_digits_are_at_hand_where_their_library_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def at_hand() -> bool:
        (bundled,) = (each for each in inkwise.describe_datasets() if each.name == "optdigits")
        return bundled.at_hand

    assert at_hand()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert not at_hand()


@pytest.mark.parametrize(
    "arguments", [["bench", "--quick"], ["info", "RUN"], ["report", "RUN"], ["evaluate", "RUN"]]
)
def test_in_a_plain_installation_other_commands_are_one_line(
    arguments: list[str], finished: Path
) -> None:
    done = in_a_plain_installation(*(str(finished) if a == "RUN" else a for a in arguments))
    assert done.returncode == 1
    assert done.stderr.endswith(": pip install 'inkwise[train]'\n")
    assert done.stderr.count("\n") == 1
