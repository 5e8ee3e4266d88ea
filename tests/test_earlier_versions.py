"""Files that earlier versions wrote are still read: runs, models, notebooks.

``tests/earlier/`` holds what a version wrote about drawn images: a complete run, a run that was
interrupted, the images, and the probabilities that the complete run's model gave for the test
images.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Model, Run, Split
from inkwise.report.html import write_report
from inkwise.runs.models import find_model

EARLIER = sorted((Path(__file__).parent / "earlier").iterdir())

pytestmark = pytest.mark.parametrize("version", EARLIER, ids=lambda folder: folder.name)


@pytest.fixture
def written(version: Path, tmp_path: Path) -> Path:
    """The test's own copy of what a version wrote."""
    return shutil.copytree(version, tmp_path / "written")


def images(written: Path) -> Dataset:
    with np.load(written / "images.npz") as arrays:
        return Dataset(
            name="animals",
            title="Animals, drawn as bars",
            class_names=("ant", "bee", "cat"),
            train=Split(arrays["train"], arrays["train_labels"]),
            test=Split(arrays["test"], arrays["test_labels"]),
            source="drawn for the tests",
        )


def test_a_model_gives_the_probabilities_that_it_gave(written: Path) -> None:
    told = np.load(written / "probabilities.npy")
    onnx = (written / "run" / "model" / "model.onnx").read_bytes()
    for model in (find_model(written / "run"), Model.from_onnx(onnx)):
        np.testing.assert_allclose(
            model.predict_proba(images(written).test.images), told, atol=1e-6
        )


@pytest.mark.slow
@pytest.mark.usefixtures("blank_figures")
def test_a_run_is_read_and_its_report_written_again(written: Path) -> None:
    run = Run(written / "run")
    metrics = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
    assert run.status == "complete"
    assert run.recipe.name == "swift"
    assert [epoch.epoch for epoch in run.history] == [1, 2]
    assert run.metrics == metrics
    assert run.evaluation.accuracy.value == metrics["accuracy"]["value"]
    assert run.evaluation.loss.value == pytest.approx(metrics["loss"]["value"], rel=1e-12)
    assert run.slices(run.evaluation) is not None
    assert run.robustness is not None
    assert run.pictures.images.shape[1:] == (20, 24)
    page = write_report(run).read_text(encoding="utf-8")
    assert "Animals, drawn as bars" in page
    assert "fog" in page  # its robustness is told


def test_a_run_is_evaluated_to_the_same_figures(written: Path) -> None:
    run = Run(written / "run")
    before = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
    inkwise.evaluate(run, dataset=images(written))
    after = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
    assert after["accuracy"] == pytest.approx(before["accuracy"], rel=1e-12)
    assert after["confusion"] == before["confusion"]
    assert after["loss"]["value"] == pytest.approx(before["loss"]["value"], rel=1e-6)


@pytest.mark.usefixtures("unreported")
def test_an_interrupted_training_goes_on(written: Path) -> None:
    run = inkwise.resume(written / "stopped", dataset=images(written))
    assert run.status == "complete"
    assert [epoch.epoch for epoch in run.history] == [1, 2]


def test_a_notebook_runs(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(written / "run")
    cells = json.loads(Path("report.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            code = "".join(line for line in cell["source"] if not line.startswith("%"))
            exec(code, names)  # noqa: S102 - what a reader of the notebook would do
    assert "test images" in capsys.readouterr().out
