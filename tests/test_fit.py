"""Trainings that the caller drives, and what objects show in a notebook."""

import re
from pathlib import Path

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Evaluation, Run
from inkwise.errors import ArgumentError, TrainingError
from inkwise.system.shown import Shade, html_table
from tests.histories import without_seconds
from tests.models import same, small
from tests.telling import Heard


@pytest.mark.usefixtures("unreported")
@pytest.mark.parametrize("recipe", ["case-study", "swift"])
def test_a_loop_trains_what_a_run_trains(recipe: str, animals: Dataset, tmp_path: Path) -> None:
    run = inkwise.train(recipe, animals, epochs=2, output=tmp_path / "run")

    fit = inkwise.fit(recipe, animals, epochs=2)
    epochs = [next(fit), *fit]  # some by hand, the rest in a loop

    assert epochs == fit.history
    assert without_seconds(epochs) == without_seconds(run.history)
    assert fit.model.weights.keys() == run.model.weights.keys()
    for name, weights in run.model.weights.items():
        np.testing.assert_array_equal(fit.model.weights[name], weights)
    assert fit.model.calibration == run.model.calibration
    assert fit.model.rotations == run.model.rotations


@pytest.mark.usefixtures("trains")
def test_whoever_leaves_the_loop_has_the_model_of_that_epoch(
    animals: Dataset, tmp_path: Path
) -> None:
    fit = inkwise.fit("case-study", animals, epochs=3)
    with pytest.raises(TrainingError, match="no model before the first epoch"):
        _ = fit.model

    for epoch in fit:
        if epoch.epoch == 2:
            break
    second = fit.model

    assert second is fit.model
    assert second.provenance["epochs_trained"] == len(fit.history) == 2
    assert second.provenance["dataset"]["sha256"] == animals.sha256
    assert same(inkwise.Model.load(second.save(tmp_path / "kept")), second)
    assert [epoch.epoch for epoch in fit] == [3]
    assert not same(fit.model, second)


@pytest.mark.usefixtures("trains")
def test_notices_are_those_of_a_run(animals: Dataset) -> None:
    fit = inkwise.fit("case-study", animals, progress=(heard := Heard()))
    assert fit.recipe.epochs == 40
    assert len(heard.notices) == 1
    assert heard.notices[0].startswith("40 epochs rather than 5")
    next(fit)
    assert heard.batches[-1].seen == len(fit.splits.train)


def test_mistakes_are_told_before_the_first_epoch() -> None:
    with pytest.raises(ArgumentError, match="unknown recipe 'cas-study'"):
        inkwise.fit("cas-study")
    with pytest.raises(ArgumentError, match="epochs"):
        inkwise.fit("swift", "optdigits", epochs=0)


# --- in a notebook ---


@pytest.mark.usefixtures("trains")
def test_a_training_shows_its_epochs(animals: Dataset) -> None:
    fit = inkwise.fit("case-study", animals, epochs=2)
    assert "<td>" not in fit._repr_html_()
    epoch = next(fit)
    assert f"<td>{epoch.validation_loss:.4f}</td>" in fit._repr_html_()


def test_a_run_shows_its_state_history_and_figures(zoo: Run) -> None:
    shown = zoo._repr_html_()
    assert "complete" in shown
    assert "Animals, drawn as bars" in shown
    assert f"<td>{zoo.history[-1].train_loss:.4f}</td>" in shown
    assert zoo.evaluation._repr_html_() in shown
    assert str(zoo.report_path) in shown


def test_an_evaluation_shows_intervals_and_confusion() -> None:
    names = ("<b>", "two")
    labels = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]], np.float32)

    shown = Evaluation("mine", "test", names, labels, probabilities)._repr_html_()

    assert "4 images, 1 misclassified" in shown
    assert "75.00%" in shown
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    assert re.findall(r"<td[^>]*>(\d)</td>", shown) == ["2", "1", "0", "1"]


def test_a_model_shows_its_classes_and_layers() -> None:
    shown = small()._repr_html_()
    for word in ("七", "6×7", "conv1", "3 classes", f"{small().network.parameter_count:,}"):
        assert word in shown


def test_tables_escape_text_and_shade_by_share() -> None:
    shown = html_table("a & b", [("<x>", Shade("5", 0.5), Shade("0", 0.0), '"')])
    assert "a &amp; b" in shown
    assert "&lt;x&gt;" in shown
    assert shown.count("style=") == 1
    assert "0.25)" in shown
