"""Early stopping, and the epoch whose weights are kept."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise import Dataset, fit, get_recipe, resume, train
from inkwise.system.progress import SILENT, Progress
from inkwise.training.history import Epoch
from inkwise.training.loop import Training
from tests.telling import Heard

RECIPE = get_recipe("perceptron", epochs=8, patience=2, best_epoch=True)
LOSSES = [0.9, 0.5, 0.7, 0.4, 0.6, 0.4, 0.3, 0.2]
ENDS, KEPT = 6, 4


@pytest.fixture(autouse=True)
def losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation losses that are known beforehand."""
    train_epochs = Training.epochs

    def epochs(training: Training, progress: Progress = SILENT) -> Iterator[Epoch]:
        for epoch in train_epochs(training, progress):
            yield dataclasses.replace(epoch, validation_loss=LOSSES[epoch.epoch - 1])

    monkeypatch.setattr(Training, "epochs", epochs)


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(0, 4))
def test_a_training_ends_when_no_epoch_of_the_last_ones_was_the_best(
    losses: list[int], patience: int
) -> None:
    recipe = get_recipe("swift", patience=patience, best_epoch=True)
    waited = len(losses) - recipe.keeps(losses)
    assert recipe.stops_after(losses) == (0 < patience <= waited)
    if losses:
        best = recipe.keeps(losses) - 1
        assert losses[best] == min(losses)
        assert losses.index(min(losses)) == best
    assert get_recipe("swift").keeps(losses) == len(losses)


@pytest.mark.usefixtures("unreported")
def test_the_weights_of_the_best_epoch_are_kept(animals: Dataset, tmp_path: Path) -> None:
    heard = Heard()
    run = train(RECIPE, animals, output=tmp_path / "run", progress=heard)
    shorter = train(
        RECIPE, animals, epochs=KEPT, patience=0, best_epoch=False, output=tmp_path / "shorter"
    )
    assert (run.status, len(run.history)) == ("complete", ENDS)
    assert run.model.provenance["epochs_trained"] == KEPT
    for name, array in shorter.model.weights.items():
        np.testing.assert_array_equal(run.model.weights[name], array)
    told = (
        "The training has ended after 6 of 8 epochs: the validation loss has not been lower for 2 "
        "epochs"
    )
    assert heard.notices[-3:-1] == [told, "The weights of epoch 4 are kept"]


@pytest.mark.parametrize("last", [3, 5, ENDS])
@pytest.mark.usefixtures("unreported")
def test_a_training_that_was_interrupted_ends_where_it_would_have(
    animals: Dataset, tmp_path: Path, last: int
) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == last:
            raise KeyboardInterrupt

    whole = train(RECIPE, animals, output=tmp_path / "whole")
    run = train(RECIPE, animals, output=tmp_path / "run", on_epoch=stop)
    assert len(run.history) == last
    resumed = resume(run, dataset=animals)
    assert (resumed.status, len(resumed.history)) == ("complete", ENDS)
    for name, array in whole.model.weights.items():
        np.testing.assert_array_equal(resumed.model.weights[name], array)


@pytest.mark.usefixtures("trains")
def test_a_training_in_memory_ends_as_well(animals: Dataset) -> None:
    training = fit(RECIPE, animals)
    assert [epoch.epoch for epoch in training] == [*range(1, ENDS + 1)]
    assert training.model.provenance["epochs_trained"] == KEPT


@pytest.mark.usefixtures("trains", "blank_figures")
def test_the_report_says_which_epoch_was_kept(animals: Dataset, tmp_path: Path) -> None:
    run = train(RECIPE, animals, output=tmp_path / "run")
    page = " ".join(run.report_path.read_text("utf-8").split())
    assert "the weights are those of epoch 4, after which it was lowest" in page
    assert "and the training ended early" in page
    assert "fixed beforehand" not in page
    assert "Interrupted." not in page
    assert "Unfinished." not in page
