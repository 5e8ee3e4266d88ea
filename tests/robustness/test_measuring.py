"""Robustness of runs: which images, which files, and what is refused."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inkwise
from inkwise import Dataset, Model, Run
from inkwise.errors import ArgumentError, RunError
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from inkwise.robustness.corruptions import CORRUPTIONS
from inkwise.system.files import write_json
from tests.telling import Heard


@pytest.fixture
def other(finished: Path, tmp_path: Path) -> Run:
    """A second copy of the complete run."""
    return Run(shutil.copytree(finished, tmp_path / "other"))


@pytest.fixture
def in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure one corruption of fifteen and draw nothing, where figures are not the point."""
    monkeypatch.setattr("inkwise.robustness.curves.CORRUPTIONS", {"fog": CORRUPTIONS["fog"]})
    monkeypatch.setattr("inkwise.robustness.measuring.robustness_panels", lambda *_: None)
    monkeypatch.setattr("inkwise.robustness.measuring.to_bytes", lambda *_: b"")


def test_a_run_gets_its_figures_and_a_baseline_nothing(run: Run, other: Run) -> None:
    assert not (run.path / "robustness.json").exists()
    result, baseline = inkwise.measure_robustness(
        run, baseline=other.path, images=50, progress=(heard := Heard())
    )
    assert heard.notices == [
        "50 of the 359 images of optdigits, test split, each class in proportion, drawn with seed 0"
    ]
    assert run.robustness == result.to_dict(baseline)
    assert (result.model, baseline.model) == ("run", "other")
    assert np.array_equal(result.clean, baseline.clean)  # one model, and the same images
    with Image.open(run.figures_path / "robustness.png") as picture:
        assert min(picture.size) > 500
    assert (run.figures_path / "robustness.svg").read_text().startswith("<?xml")
    assert other.robustness is None


@pytest.mark.usefixtures("in_short")
def test_other_images_go_to_files_that_say_so(run: Run) -> None:
    inkwise.measure_robustness(run, split="validation", images=5)
    inkwise.measure_robustness(run, images=5, through_ink=True)
    names = {"robustness-validation", "robustness-through-ink"}
    assert {path.stem for path in run.path.glob("robustness*.json")} == names
    assert {path.stem for path in run.figures_path.glob("robustness*.png")} == names


@pytest.mark.usefixtures("in_short")
def test_own_data_is_passed_on_and_every_class_drawn_at_its_share(
    own_run: Run, animals: Dataset
) -> None:
    bees = {"dense1.weight": np.zeros((3, 480)), "dense1.bias": np.array([0, 1, 0])}
    network = Network((20, 24), (Flatten(), Dense(3)))
    weights = {name: array.astype(np.float32) for name, array in bees.items()}
    own_run.save_model(Model(network, weights, animals.class_names))

    with pytest.raises(RunError, match=r"in Python, as dataset="):
        inkwise.measure_robustness(own_run)
    stranger = dataclasses.replace(animals, test=animals.train)
    with pytest.raises(RunError, match="is not the data"):
        inkwise.measure_robustness(own_run, dataset=stranger)
    # One in three is a bee, and the model knows nothing else. The last asks for more than all.
    for images, count, right in ((29, 29, {9, 10}), (1_000, 60, {20})):
        (result,) = inkwise.measure_robustness(own_run, dataset=animals, images=images)
        assert len(result.clean) == count
        assert int(result.clean.sum()) in right


@pytest.mark.usefixtures("in_short")
def test_several_runs_each_get_theirs_though_their_folders_have_one_name(
    run: Run, finished: Path, tmp_path: Path
) -> None:
    twin = Run(shutil.copytree(finished, tmp_path / "elsewhere" / "run"))
    results = inkwise.measure_robustness([run, twin.path], images=5)
    assert [result.model for result in results] == [str(run.path), str(twin.path)]
    for each, result in zip((run, twin), results, strict=True):
        assert each.robustness == result.to_dict()


def test_what_cannot_be_compared_is_refused(run: Run, other: Run) -> None:
    with pytest.raises(ArgumentError, match="named twice"):
        inkwise.measure_robustness(run, baseline=run.path)
    with pytest.raises(ArgumentError, match="number of images must be at least 1, not 0"):
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
    assert not list(run.path.glob("robustness*"))


def test_damaged_file_is_told(run: Run) -> None:
    (run.path / "robustness.json").write_text("{")
    with pytest.raises(RunError, match=r"run `inkwise robustness .*` again"):
        _ = run.robustness
