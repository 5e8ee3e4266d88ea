"""A binary task that is trained as such, from the option to the report."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inkwise
from inkwise import Dataset, Split
from inkwise.errors import ArgumentError
from inkwise.training.history import Epoch
from tests.telling import Heard

RECIPE = inkwise.get_recipe("perceptron", epochs=6, positive="bee", class_weights="balanced")


@pytest.mark.usefixtures("trains", "blank_figures")
def test_a_binary_task_is_trained_evaluated_and_reported(animals: Dataset, tmp_path: Path) -> None:
    run = inkwise.train(RECIPE, animals, output=tmp_path / "run")
    assert run.model.class_names == ("not bee", "bee")
    evaluation = run.evaluation
    assert evaluation.accuracy.value > 0.9
    np.testing.assert_array_equal(evaluation.labels, animals.test.labels == 1)
    assert run.record["dataset"]["sha256"] == animals.against_the_rest("bee").sha256
    page = " ".join(run.report_path.read_text("utf-8").split())
    for told in (
        "Is it bee?",
        "binary cross-entropy: a softmax of two outputs",
        "in inverse proportion to the number of training images of its class",
        "Other thresholds",
        "Classes were weighted in the training",
    ):
        assert told in page
    matrix = evaluation.binary("bee").matrix
    assert f"<td>{matrix.tp}</td><td>{matrix.fp}</td><td>{matrix.fn}</td>" in page
    assert "One versus rest" not in page

    again = inkwise.evaluate(run, dataset=animals)
    np.testing.assert_array_equal(again.probabilities, evaluation.probabilities)
    other = dataclasses.replace(animals, name="other", test=animals.train)
    assert inkwise.evaluate(run, dataset=other).binary("bee").matrix.recall > 0.9


@pytest.mark.usefixtures("unreported")
def test_an_interrupted_binary_task_is_resumed_as_such(animals: Dataset, tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    whole = inkwise.train(RECIPE, animals, output=tmp_path / "whole")
    run = inkwise.train(RECIPE, animals, output=tmp_path / "run", on_epoch=stop)
    resumed = inkwise.resume(run, dataset=animals)
    in_memory = inkwise.fit(RECIPE, animals)
    list(in_memory)
    for name, array in whole.model.weights.items():
        np.testing.assert_array_equal(resumed.model.weights[name], array)
        np.testing.assert_array_equal(in_memory.model.weights[name], array)


def _write_pictures(folder: Path, split: Split, names: tuple[str, ...]) -> None:
    for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
        path = folder / names[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.mark.usefixtures("unreported")
def test_pictures_of_all_classes_are_evaluated_as_those_of_the_task(
    optdigits: Dataset, tmp_path: Path
) -> None:
    recipe = inkwise.get_recipe("perceptron", epochs=1, positive="7")
    run = inkwise.train(recipe, optdigits, output=tmp_path / "run")
    few = optdigits.test.take(np.arange(40))
    _write_pictures(tmp_path / "pictures", few, optdigits.class_names)
    heard = Heard()
    evaluation = inkwise.evaluate(run, data=tmp_path / "pictures", progress=heard)
    assert evaluation.class_names == ("not 7", "7")
    assert sorted(evaluation.labels) == sorted(few.labels == 7)
    assert not any("does not know" in notice for notice in heard.notices)


def test_what_has_no_binary_task_is_refused(animals: Dataset, tmp_path: Path) -> None:
    output = tmp_path / "run"
    with pytest.raises(ArgumentError, match="animals has no class 'dog': use one of ant, bee, cat"):
        inkwise.train(RECIPE, animals, positive="dog", output=output)
    with pytest.raises(ArgumentError, match="binary task of bee is trained from the start"):
        inkwise.train(RECIPE, animals, start="pretrained", output=output)
    with pytest.raises(ArgumentError, match=r"corrected labels are of all classes, .* leave out l"):
        inkwise.train(RECIPE, animals, labels="labels.csv", output=output)
    weights = {"not bee": 2.0, "ant": 1.0}
    with pytest.raises(ArgumentError, match="there is no class 'ant': use not bee, bee"):
        inkwise.train(RECIPE, animals, class_weights=weights, output=output)
    assert not output.exists()
