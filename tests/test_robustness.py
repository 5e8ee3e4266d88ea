"""Robustness of runs: which images, which files, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inkwise
from inkwise import Dataset, Run
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.files import write_json

pytest_plugins = ["tests.runs"]


@pytest.fixture
def other(finished: Path, tmp_path: Path) -> Run:
    """A second copy of the complete run."""
    return Run(shutil.copytree(finished, tmp_path / "other"))


def test_a_run_gets_its_figures_and_a_baseline_nothing(run: Run, other: Run) -> None:
    assert not (run.path / "robustness.json").exists()
    told: list[str] = []
    result, baseline = inkwise.measure_robustness(
        run, baseline=other.path, images=50, on_notice=told.append
    )
    assert told == [
        "50 of the 359 images of optdigits, test split, each class at its share, drawn with seed 0"
    ]
    assert run.robustness == result.to_dict(baseline)
    assert (result.model, baseline.model) == ("run", "other")
    assert np.array_equal(result.clean, baseline.clean)  # one model, and the same images
    with Image.open(run.figures_path / "robustness.png") as picture:
        assert min(picture.size) > 500
    assert (run.figures_path / "robustness.svg").read_text().startswith("<?xml")
    assert other.robustness is None


def test_other_images_go_to_files_that_say_so(run: Run, optdigits: Dataset) -> None:
    # More than there are: all of them.
    (result,) = inkwise.measure_robustness(run, split="validation", images=100_000)
    validation = split_dataset(optdigits, run.recipe.holdout, run.recipe.seed).validation
    assert (
        result.clean.tolist()
        == (run.model.predict(validation.images) == validation.labels).tolist()
    )
    assert not (run.path / "robustness.json").exists()
    inkwise.measure_robustness(run, images=10, through_ink=True)
    assert not (run.path / "robustness.json").exists()
    names = {"robustness-validation", "robustness-through-ink"}
    assert {path.stem for path in run.path.glob("robustness*.json")} == names
    assert {path.stem for path in run.figures_path.glob("robustness*.png")} == names


def test_several_runs_each_get_theirs(run: Run, other: Run) -> None:
    results = inkwise.measure_robustness([run, other.path], images=20)
    assert [result.model for result in results] == ["run", "other"]
    for each, result in zip((run, other), results, strict=True):
        assert each.robustness == result.to_dict()


def test_runs_of_one_folder_name_are_told_apart(run: Run, finished: Path, tmp_path: Path) -> None:
    twin = Run(shutil.copytree(finished, tmp_path / "elsewhere" / "run"))
    results = inkwise.measure_robustness([run, twin], images=10)
    assert [result.model for result in results] == [str(run.path), str(twin.path)]


def test_what_cannot_be_compared_is_refused(run: Run, other: Run) -> None:
    with pytest.raises(ArgumentError, match="named twice"):
        inkwise.measure_robustness(run, baseline=run.path)
    with pytest.raises(ArgumentError, match="at least one image"):
        inkwise.measure_robustness(run, images=0)
    with pytest.raises(ArgumentError, match="no run to measure"):
        inkwise.measure_robustness([])
    with pytest.raises(ArgumentError, match="unknown split 'tests'"):
        inkwise.measure_robustness(run, split="tests")
    with pytest.raises(RunError, match="there is no run at"):
        inkwise.measure_robustness(run, baseline=run.path / "nowhere")
    recipe = (other.path / "recipe.json").read_text()
    (other.path / "recipe.json").write_text(recipe.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RunError, match=r"the validation images of .* are not the same"):
        inkwise.measure_robustness([run, other], split="validation")
    record = other.record
    write_json(
        other.path / "run.json", {**record, "dataset": {**record["dataset"], "sha256": "0" * 64}}
    )
    with pytest.raises(RunError, match="trained on different data sets"):
        inkwise.measure_robustness([run, other])
    write_json(
        other.path / "run.json", {**record, "dataset": {**record["dataset"], "name": "animals"}}
    )
    with pytest.raises(RunError, match=r"in Python, to inkwise.evaluation.robustness"):
        inkwise.measure_robustness(other)
    assert not list(run.path.glob("robustness*"))


def test_damaged_file_is_told(run: Run) -> None:
    (run.path / "robustness.json").write_text("{")
    with pytest.raises(RunError, match=r"run `inkwise robustness .*` again"):
        _ = run.robustness
