"""Models that no training of ours wrote: their evaluation makes a run, which everything takes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Model, Run
from inkwise.errors import ArgumentError, ModelError, RunError
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from tests.cli.conftest import Call
from tests.report.test_html import parse, section
from tests.telling import Heard

Place = Callable[[Model, Path], Model | Path]

IMPORTED = {"imported": {"file": "theirs.keras", "sha256": "5a", "pixels": [-1.0, 1.0]}}


def nearest_mean(dataset: Dataset) -> Model:
    """Make, without a training, a model that answers with the class whose mean is nearest."""
    train, classes = dataset.train, len(dataset.class_names)
    pixels = train.images.reshape(len(train), -1) / 255
    means = np.stack([pixels[train.labels == label].mean(axis=0) for label in range(classes)])
    weights = {
        "dense1.weight": means.astype(np.float32),
        "dense1.bias": (-(means**2).sum(axis=1) / 2).astype(np.float32),
    }
    network = Network(dataset.image_size, (Flatten(), Dense(classes)))
    return Model(network, weights, dataset.class_names, IMPORTED)


def as_itself(model: Model, _: Path) -> Model:
    return model


def as_directory(model: Model, folder: Path) -> Path:
    return model.save(folder / "theirs")


def as_onnx(model: Model, folder: Path) -> Path:
    path = folder / "theirs.onnx"
    path.write_bytes(model.onnx)
    return path


@pytest.fixture
def theirs(optdigits: Dataset, tmp_path: Path) -> Run:
    """A run of a model from elsewhere."""
    inkwise.evaluate(nearest_mean(optdigits), dataset="optdigits", output=tmp_path / "elsewhere")
    return Run(tmp_path / "elsewhere")


@pytest.mark.parametrize("place", [as_itself, as_directory, as_onnx])
@pytest.mark.parametrize("data", ["optdigits", "animals"])
def test_an_evaluation_makes_a_run(
    data: str, place: Place, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    dataset: Dataset = request.getfixturevalue(data)
    model = nearest_mean(dataset)

    given = place(model, tmp_path)
    evaluation = inkwise.evaluate(given, dataset=dataset, output=tmp_path / "run")

    expected = model.predict_proba(dataset.test.images)
    np.testing.assert_allclose(evaluation.probabilities, expected, atol=1e-6)
    run = Run(tmp_path / "run")
    assert (run.trained, run.status, run.history) == (False, "complete", [])
    assert run.origin == ("theirs.keras" if place is as_itself else "theirs")
    np.testing.assert_array_equal(run.evaluation.labels, dataset.test.labels)
    assert run.model.provenance["metrics"]["accuracy"]["value"] == evaluation.accuracy.value
    again = inkwise.evaluate(run, dataset=dataset)
    np.testing.assert_array_equal(again.probabilities, evaluation.probabilities)
    validation = inkwise.evaluate(run, "validation", dataset=dataset)
    assert len(validation) == run.record["splits"]["validation"]


def test_a_run_has_a_name_of_its_own(
    optdigits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = as_directory(nearest_mean(optdigits), tmp_path)

    for _ in range(2):
        inkwise.evaluate(path, dataset="optdigits")

    assert sorted(each.name for each in Path("runs").iterdir()) == [
        "theirs-optdigits-1",
        "theirs-optdigits-2",
    ]


def test_the_word_pretrained_names_the_package_s_model(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = call("evaluate", "pretrained", "--dataset", "optdigits")

    assert result.code == 0, result.err
    run = Run("runs/pretrained-optdigits-1")
    assert run.model.provenance["dataset"] == inkwise.load_pretrained().provenance["dataset"]
    assert run.evaluation.accuracy.value > 0.97


@pytest.mark.usefixtures("blank_figures")
def test_the_report_says_that_there_are_no_curves(theirs: Run) -> None:
    page = parse(inkwise.write_report(theirs))

    assert "trained elsewhere" in section(page, "curves").text
    assert not list(section(page, "curves").all("svg"))
    assert not (theirs.figures_path / "loss.svg").exists()
    assert (theirs.figures_path / "roc.svg").exists()
    told = section(page, "training").text
    assert "imported from theirs.keras" in told
    assert "-1.0000 for a black" in told
    assert "The model is not calibrated" in section(page, "calibration").text


def test_the_notebook_needs_no_history(theirs: Run) -> None:
    notebook = inkwise.write_notebook(theirs).read_text(encoding="utf-8")

    assert "recipe.name" not in notebook
    assert "if history" in notebook


def test_it_is_compared_with_runs_that_were_trained(
    theirs: Run, run: Run, call: Call, tmp_path: Path
) -> None:
    result = call("compare", theirs.path, run.path, "--output", tmp_path / "page.html")

    assert (result.code, result.err) == (0, "")
    assert "trained elsewhere" in result.out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "trained elsewhere" in page


def test_two_of_them_are_no_recipe_of_two_seeds(
    theirs: Run, optdigits: Dataset, tmp_path: Path
) -> None:
    inkwise.evaluate(nearest_mean(optdigits), dataset="optdigits", output=tmp_path / "second")

    comparison = inkwise.compare(theirs, tmp_path / "second")

    assert comparison.groups == ()
    assert len(comparison.disagreements) == 0


@pytest.mark.usefixtures("blank_figures")
def test_robustness_and_a_map_are_measured(theirs: Run) -> None:
    (measured,) = inkwise.measure_robustness(theirs, images=20)
    assert theirs.robustness is not None
    assert measured.model == "elsewhere"
    assert inkwise.write_map(theirs, count=20).exists()


def test_info_shows_its_network(theirs: Run, call: Call) -> None:
    result = call("info", theirs.path)

    assert (result.code, result.err) == (0, "")
    assert "theirs.keras, trained elsewhere" in result.out
    assert "7,850" in result.out
    assert "Accuracy" in result.out


def test_what_it_was_trained_on_is_not_made_up(theirs: Run, tmp_path: Path) -> None:
    explanation = inkwise.explain(theirs, index=3)
    assert explanation.neighbours == ()
    assert any("was trained on is not known" in notice for notice in explanation.notices)
    with pytest.raises(RunError, match="has no recipe"):
        inkwise.resume(theirs, epochs=3)


def test_pictures_that_it_may_have_seen_are_told(
    theirs: Run, optdigits: Dataset, tmp_path: Path
) -> None:
    few = optdigits.test.take(np.arange(40))
    rows = np.c_[few.labels, few.images.reshape(40, -1)]
    names = ["label", *(f"pixel{place}" for place in range(784))]
    np.savetxt(tmp_path / "few.csv", rows, "%d", ",", header=",".join(names), comments="")
    told = Heard()

    evaluation = inkwise.evaluate(theirs, data=tmp_path / "few.csv", progress=told)

    assert len(evaluation) == 40
    assert any("what its model was trained on is not known" in each for each in told.notices)


@pytest.mark.parametrize("place", [as_directory, as_onnx])
@pytest.mark.parametrize("command", ["report", "info", "map", "robustness", "resume"])
def test_who_gives_a_model_for_a_run_is_told_how_to_make_one(
    command: str, place: Place, optdigits: Dataset, tmp_path: Path, call: Call
) -> None:
    path = place(nearest_mean(optdigits), tmp_path)

    result = call(command, path)

    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert f"`inkwise evaluate {path} --dataset NAME`" in result.err


def test_the_command_makes_a_run_and_names_it(
    optdigits: Dataset, tmp_path: Path, call: Call
) -> None:
    path, output = as_directory(nearest_mean(optdigits), tmp_path), tmp_path / "run"

    result = call("evaluate", path, "--dataset", "optdigits", "--output", output)

    assert result.code == 0
    assert result.out.endswith(f"Run: {output}\n")
    assert f"Accuracy {Run(output).evaluation.accuracy.value:.2%}" in result.out
    again = call("evaluate", output, "--output", tmp_path / "other")
    assert again.code == 2
    assert "leave it out" in again.err


@pytest.mark.parametrize("place", [as_itself, as_directory, as_onnx])
def test_what_does_not_fit_makes_no_run(
    place: Place, optdigits: Dataset, animals: Dataset, tmp_path: Path
) -> None:
    given = place(nearest_mean(optdigits), tmp_path)

    with pytest.raises(ArgumentError, match="name the data set to evaluate it on"):
        inkwise.evaluate(given, output=tmp_path / "run")
    with pytest.raises(ModelError, match="has images of 20×24"):
        inkwise.evaluate(given, dataset=animals, output=tmp_path / "run")

    assert not (tmp_path / "run").exists()
