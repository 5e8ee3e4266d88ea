"""Digits drawn by pens in a training, from the recipe to the record, and when it is resumed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from inkwise import Dataset, Model, Run, export_model, get_recipe, resume, train
from inkwise.data.pendigits import PenDigit
from inkwise.errors import DownloadError, RunError
from inkwise.runs.original_data import load_training_splits
from inkwise.training.calibrating import calibrate
from inkwise.training.history import Epoch
from tests.telling import Heard

RECIPE = get_recipe("perceptron", pens=0.2, epochs=2, calibrate=True)

HOOK = [np.array([[0.0, 30], [20, 0], [20, 100]])]


def stop(epoch: Epoch) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def few(optdigits: Dataset) -> Dataset:
    """A part of optdigits: to draw digits takes longer than to learn them."""
    return dataclasses.replace(optdigits, train=optdigits.train.take(np.arange(400)))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection of one digit for each class."""
    people = [PenDigit(label, 1, HOOK) for label in "0123456789"]
    monkeypatch.setattr("inkwise.runs.original_data.load_pendigits", lambda place, progress: people)


@pytest.fixture
def nothing_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> list[PenDigit]:
        raise DownloadError("there is no network")

    monkeypatch.setattr("inkwise.runs.original_data.load_pendigits", load)


@pytest.mark.usefixtures("written", "unreported")
def test_drawn_digits_join_training_and_validation_and_no_evaluation(
    few: Dataset, tmp_path: Path
) -> None:
    run = train(RECIPE, few, output=tmp_path / "run", progress=(heard := Heard()))

    splits, drawn = run.record["splits"], run.record["drawn"]
    assert drawn["train"] == round(0.2 * splits["train"])
    assert drawn["validation"] == round(0.2 * splits["validation"])
    assert heard.notices[0] == f"Drawing {drawn['train']:,} digits with pens"
    assert run.record["notices"] == []
    assert heard.batches[-1].images == splits["train"] + drawn["train"]
    assert len(run.evaluation) == splits["test"]
    assert Run(run.path).recipe.pens == 0.2
    assert run.has_seen(few.test.images) is not None


@pytest.mark.usefixtures("nothing_written", "unreported")
def test_without_the_collection_the_forms_are_drawn_and_it_is_said(
    few: Dataset, tmp_path: Path
) -> None:
    run = train(RECIPE, few, epochs=1, output=tmp_path / "run")
    assert run.record["drawn"]["train"] == round(0.2 * run.record["splits"]["train"]) > 50
    (notice,) = run.record["notices"]
    assert "without those of the collection pendigits: there is no network" in notice


@pytest.mark.usefixtures("unreported")
def test_other_data_than_digits_have_none_and_it_is_said(animals: Dataset, tmp_path: Path) -> None:
    run = train(RECIPE, animals, epochs=1, output=tmp_path / "run")
    assert run.record["drawn"] is None
    (notice,) = run.record["notices"]
    assert "the classes are not digits or the images not of 28×28" in notice


@pytest.mark.usefixtures("written", "unreported")
def test_a_training_is_resumed_with_the_same_drawn_digits_or_not_at_all(
    few: Dataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stopped = [train(RECIPE, few, output=tmp_path / name, on_epoch=stop) for name in ("a", "b")]
    assert resume(stopped[0], dataset=few).status == "complete"
    request.getfixturevalue("nothing_written")
    with pytest.raises(RunError, match="pendigits is or was missing"):
        resume(stopped[1], dataset=few)
    assert stopped[1].status == "interrupted"


@pytest.mark.usefixtures("written", "unreported")
def test_a_model_that_looks_once_is_calibrated_on_drawn_digits_as_well(
    few: Dataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    looks = get_recipe(RECIPE, epochs=1, rotations=(0.0, 12.0, -12.0))
    run = train(looks, few, output=tmp_path / "run")
    path = export_model(run.path, "onnx", tmp_path / "once.onnx", dataset=few, once=True)
    once = Model.from_onnx(path.read_bytes())
    _, splits = load_training_splits(run, few)
    drawn = run.record["drawn"]["validation"]
    assert drawn > 0
    assert len(splits.validation) == run.record["splits"]["validation"] + drawn
    assert once.calibration == calibrate(once, splits.validation).calibration
    request.getfixturevalue("nothing_written")
    with pytest.raises(RunError, match="put it where it was, or train again"):
        export_model(run.path, "onnx", dataset=few, once=True)
