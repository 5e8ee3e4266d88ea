"""inkwise export and import, and training with Keras: what they write, and what they say."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from inkwise import Dataset, Model, Run, load_pretrained
from inkwise.browser.model_files import model_files
from inkwise.runs.models import find_model
from tests.cli.conftest import Call


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("file_format", "name"),
    [
        ("onnx", "optdigits_cnn_model.onnx"),
        ("keras", "optdigits_cnn_model.keras"),
        ("h5", "optdigits_cnn_model.h5"),
        ("torchscript", "optdigits_cnn_model.pt"),
    ],
)
def test_export_names_the_file_after_data_set_and_recipe(
    call: Call, finished: Path, file_format: str, name: str
) -> None:
    result = call("export", finished, "--format", file_format)

    assert (result.code, result.out, result.err) == (0, f"Model: {name}\n", "")
    assert [path.name for path in Path().iterdir()] == [name]


def test_export_to_a_file_of_ones_choice(call: Call, finished: Path) -> None:
    result = call("export", finished / "model", "--format", "onnx", "-o", "new/digits.onnx")

    assert result.code == 0
    assert Path("new/digits.onnx").read_bytes() == Run(finished).model.onnx


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--format", "tflite"], 2, "unknown format 'tflite': use onnx"),
        (
            ["--format", "h5", "-o", "a.keras"],
            2,
            "a.keras has the suffix of another format than h5",
        ),
        (["--format", "onnx", "-o", "."], 1, "cannot write"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_one_line(
    call: Call, finished: Path, arguments: list[str], code: int, message: str
) -> None:
    result = call("export", finished, *arguments)

    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_the_file_may_be_an_argument_but_not_named_twice(call: Call, finished: Path) -> None:
    assert call("export", finished, "new.onnx", "--format", "onnx").out == "Model: new.onnx\n"
    assert call("export", "pretrained", "--format", "onnx", "own.onnx").code == 0
    assert Path("own.onnx").read_bytes() == load_pretrained().onnx

    twice = call("export", finished, "a.onnx", "-o", "b.onnx", "--format", "onnx")

    assert (twice.code, twice.out) == (2, "")
    assert "both a.onnx and --output b.onnx are named" in twice.err
    assert not Path("a.onnx").exists()


def test_a_page_is_a_folder(call: Call, finished: Path) -> None:
    pytest.importorskip("inkwise_web", reason="`make web` builds it")

    result = call("export", finished, "--format", "web", "site")

    assert (result.code, result.out, result.err) == (0, "Page: site\n", "")
    assert Path("site/index.html").is_file()
    for name, content in model_files(Run(finished).model).items():
        assert Path("site/package/model", name).read_bytes() == content


def test_export_without_a_model_is_one_line(call: Call) -> None:
    result = call("export", "nowhere", "--format", "onnx")

    assert result.code == 1
    assert result.err.startswith("error: there is neither a run nor a model at nowhere")
    assert result.err.count("\n") == 1


def test_a_model_goes_to_keras_and_comes_back(
    call: Call, finished: Path, optdigits: Dataset
) -> None:
    call("export", finished, "--format", "h5")

    result = call("import", "optdigits_cnn_model.h5")

    assert (result.code, result.out) == (0, "Model: optdigits_cnn_model\n")
    assert "0 for black and 1 for white are assumed" in result.err
    model, again = Run(finished).model, find_model("optdigits_cnn_model")
    assert again.network == model.network
    images = optdigits.test.images
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))
    # It keeps its name on the way out again.
    assert call("export", "optdigits_cnn_model", "--format", "onnx").code == 0
    assert Path("optdigits_cnn_model.onnx").is_file()


def test_import_with_names_into_a_directory_of_ones_choice(call: Call, finished: Path) -> None:
    call("export", finished, "--format", "keras", "-o", "file.keras")

    result = call("import", "file.keras", "-o", "letters", "--class-names", "a, b,c,d,e,f,g,h,i,ß")

    assert (result.code, result.out) == (0, "Model: letters\n")
    assert Model.load("letters").class_names == tuple("abcdefghiß")


def test_import_finds_out_what_the_model_takes_or_is_told(call: Call, finished: Path) -> None:
    call("export", finished, "--format", "keras", "-o", "file.keras")

    found = call("import", "file.keras", "--dataset", "optdigits", "-o", "found")
    told = call("import", "file.keras", "--pixels", "-1,1", "-o", "told")
    wrong = call("import", "file.keras", "--pixels", "white", "-o", "wrong")

    assert found.code in (0, 1)  # the model of a single epoch may be too weak to tell
    assert "of 1,000 training images" in found.err
    assert (told.code, told.err) == (0, "")
    assert Model.load("told").provenance["imported"]["pixels"] == [-1, 1]
    assert (wrong.code, wrong.out) == (2, "")
    assert "--pixels is two numbers, such as 0,1 or -1,1, not 'white'" in wrong.err


def test_a_file_of_ours_is_a_model_for_every_command(call: Call, finished: Path) -> None:
    call("export", finished, "--format", "onnx", "-o", "ours.onnx")
    Path("other.onnx").write_bytes(b"no model")

    assert call("export", "ours.onnx", "--format", "onnx", "-o", "again.onnx").code == 0
    assert Path("again.onnx").read_bytes() == Path("ours.onnx").read_bytes()
    assert call("import", "ours.onnx").out == "Model: ours\n"
    assert Model.load("ours").network == find_model("ours.onnx").network
    refused = call("export", "other.onnx", "--format", "onnx", "-o", "no.onnx")
    assert refused.code == 1
    assert "other.onnx holds no model of inkwise's: name a run" in refused.err


def test_what_cannot_be_imported_is_one_line_and_writes_nothing(call: Call, finished: Path) -> None:
    Path("text.h5").write_text("no model")
    call("export", finished, "--format", "keras", "-o", "file.keras")
    before = sorted(Path().iterdir())

    for arguments, message in (
        (["missing.h5"], "cannot read missing.h5"),
        (["text.h5"], "cannot import text.h5: it is no model: give what Keras saved"),
        (["file.keras", "--class-names", "a,b"], "2 class names, but the network has 10 outputs"),
    ):
        result = call("import", *arguments)

        assert (result.code, result.out) == (1, "")
        assert message in result.err
        assert result.err.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_import_leaves_a_directory_with_files_alone(call: Call, finished: Path) -> None:
    shutil.copytree(finished / "model", "model")
    call("export", finished, "--format", "keras", "-o", "model.keras")
    before = Path("model/model.json").read_bytes()

    result = call("import", "model.keras")

    assert result.code == 2
    assert "model holds files already: choose another --output" in result.err
    assert Path("model/model.json").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--dataset", "optdigits", "--engine", "keras", "-o", "run"],
        ["export", "RUN", "--format", "keras"],
        ["export", "RUN", "--format", "h5"],
    ],
    ids=str,
)
def test_without_keras_it_is_one_line_that_says_how_to_get_it(
    call: Call, finished: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)

    result = call(*(finished if argument == "RUN" else argument for argument in arguments))

    assert (result.code, result.out) == (1, "")
    assert result.err.endswith("needs Keras: pip install 'inkwise[keras]'\n")
    assert result.err.count("\n") == 1
    assert list(Path().iterdir()) == []
