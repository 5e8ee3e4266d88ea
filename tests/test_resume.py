"""Trainings that were interrupted or died, and go on."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from inkwise import Dataset, Run, evaluate, get_recipe, resume, train, write_report
from inkwise.errors import ArgumentError, RunError, TrainingError
from inkwise.system.progress import Batch
from inkwise.training.history import Epoch
from tests.histories import without_seconds
from tests.shared_runs import without_report
from tests.telling import AtEachBatch


def test_interrupted_run_keeps_the_last_finished_epoch(stopped_run: Run, finished: Path) -> None:
    assert stopped_run.status == "interrupted"
    assert [epoch.epoch for epoch in stopped_run.history] == [1]
    assert stopped_run.model.provenance["epochs_trained"] == 1
    assert not (stopped_run.path / "metrics.json").exists()
    assert not stopped_run.report_path.exists()

    # Its epoch is the first of a training that went on: the interrupted one left no trace.
    assert without_seconds(stopped_run.history) == without_seconds(Run(finished).history[:1])
    validation = evaluate(stopped_run, "validation")
    assert validation.accuracy.value == pytest.approx(stopped_run.history[0].validation_accuracy)

    assert evaluate(stopped_run).to_dict() == stopped_run.metrics
    assert stopped_run.status == "interrupted"


@pytest.mark.usefixtures("unreported")
def test_run_interrupted_in_its_first_epoch_has_nothing_to_evaluate(
    animals: Dataset, tmp_path: Path
) -> None:
    def press_ctrl_c(batch: Batch) -> None:
        raise KeyboardInterrupt

    run = train(dataset=animals, output=tmp_path / "run", progress=AtEachBatch(press_ctrl_c))

    assert run.status == "interrupted"
    assert run.history == []
    with pytest.raises(RunError, match="before the first epoch"):
        evaluate(run, dataset=animals)
    with pytest.raises(RunError, match="no predictions"):
        write_report(run)


@pytest.fixture(params=["weights.safetensors", "model.onnx", "model.json", "history.csv"])
def interrupted_write(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Press Ctrl-C when the second epoch's file of this name is about to take its place."""
    rename, seen = Path.replace, 0

    def replace(path: Path, target: Path) -> Path:
        nonlocal seen
        seen += target.name == request.param
        if seen == 2 and target.name == request.param:
            seen += 1
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    yield request.param
    assert seen >= 3  # it did happen


@pytest.mark.usefixtures("interrupted_write", "unreported")
def test_interrupt_between_two_writes_leaves_files_that_belong_together(
    animals: Dataset, tmp_path: Path
) -> None:
    run = train(dataset=animals, epochs=3, output=tmp_path / "run")

    assert run.status == "interrupted"
    assert len(run.history) == run.model.provenance["epochs_trained"]
    validation = evaluate(run, "validation", dataset=animals)
    assert validation.accuracy.value == pytest.approx(run.history[-1].validation_accuracy)
    assert not list(run.path.rglob("*.tmp"))


EVERYTHING = get_recipe(
    "swift",
    epochs=5,
    batch_size=32,
    dropout=0.1,
    augment=True,
    batch_norm=True,
    averaging=0.9,
    outliers=0.2,
    hardest=0.5,
    freeze_after=0.5,
)


def interrupted(dataset: Dataset, output: Path, epoch: int) -> Run:
    """Train until the middle of an epoch."""

    def press_ctrl_c(batch: Batch) -> None:
        if batch.epoch == epoch and batch.seen > 64:
            raise KeyboardInterrupt

    return train(EVERYTHING, dataset, output=output, progress=AtEachBatch(press_ctrl_c))


@pytest.fixture(scope="module")
def whole(animals: Dataset, tmp_path_factory: pytest.TempPathFactory, trains: None) -> Run:
    """A run with everything that was never interrupted. It is shared: do not change it."""
    with without_report():
        return train(EVERYTHING, animals, output=tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize("epoch", [2, 4])
def test_a_resumed_training_is_the_one_that_was_never_interrupted(
    epoch: int, whole: Run, animals: Dataset, tmp_path: Path
) -> None:
    stopped = interrupted(animals, tmp_path / "stopped", epoch)
    assert stopped.status == "interrupted"
    assert len(stopped.history) == epoch - 1

    seen: list[int] = []
    resumed = resume(stopped.path, dataset=animals, on_epoch=lambda each: seen.append(each.epoch))

    assert resumed.status == "complete"
    assert seen == [*range(epoch, 6)]
    assert without_seconds(resumed.history) == without_seconds(whole.history)
    for name, array in whole.model.weights.items():
        np.testing.assert_array_equal(resumed.model.weights[name], array)
    assert resumed.metrics == whole.metrics
    assert resumed.report_path.is_file()


def test_a_finished_training_goes_on_as_a_longer_one_would_have(
    animals: Dataset, unreported: None, tmp_path: Path
) -> None:
    longer = train(dataset=animals, epochs=3, output=tmp_path / "longer")
    run = train(dataset=animals, epochs=1, output=tmp_path / "run")
    assert run.status == "complete"

    with pytest.raises(ArgumentError, match="has had 1 epoch: name more"):
        resume(run, dataset=animals, epochs=1)
    further = resume(run, dataset=animals, epochs=3)

    assert further.status == "complete"
    assert further.recipe == longer.recipe
    assert without_seconds(further.history) == without_seconds(longer.history)
    for name, array in longer.model.weights.items():
        np.testing.assert_array_equal(further.model.weights[name], array)
    assert further.metrics == longer.metrics


def test_what_was_found_out_about_the_model_before_is_gone(run: Run) -> None:
    evaluate(run, "validation")
    (run.figures_path / "map.png").touch()
    (run.path / "robustness.json").touch()
    mine = run.path / "notes.txt"
    mine.touch()
    before = Run(run.path).evaluation

    def press_ctrl_c(batch: Batch) -> None:
        if batch.epoch == 4:
            raise KeyboardInterrupt

    further = resume(run, epochs=5, progress=AtEachBatch(press_ctrl_c))

    assert (further.status, len(further.history)) == ("interrupted", 3)
    assert {path.name for path in run.path.iterdir() if path.is_file()} == {
        *("recipe.json", "run.json", "history.csv", "checkpoint.safetensors", "seen.npy", "lock"),
        mine.name,
    }
    assert not [*run.figures_path.iterdir()]
    with pytest.raises(RunError, match="has no predictions yet: run `inkwise evaluate"):
        further.evaluation  # noqa: B018 - reading it raises
    assert evaluate(further).to_dict() != before.to_dict()


@pytest.mark.usefixtures("unreported")
def test_a_training_belongs_to_one_process(animals: Dataset, tmp_path: Path) -> None:
    told: list[str] = []

    def at_the_same_time(epoch: Epoch) -> None:
        with pytest.raises(RunError, match="another process is at work in") as error:
            resume(tmp_path / "run", dataset=animals)
        told.append(str(error.value))

    run = train(dataset=animals, epochs=2, output=tmp_path / "run", on_epoch=at_the_same_time)

    assert len(told) == 2
    assert run.status == "complete"
    assert [epoch.epoch for epoch in run.history] == [1, 2]


@pytest.mark.usefixtures("unreported")
def test_a_finished_training_with_a_schedule_begins_the_rest_of_it(
    animals: Dataset, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(EVERYTHING, epochs=2)
    run = train(recipe, animals, output=tmp_path / "run")
    before = run.history

    further = resume(run, dataset=animals, epochs=4)

    assert further.history[:2] == before
    assert [epoch.epoch for epoch in further.history] == [1, 2, 3, 4]
    assert further.model.provenance["epochs_trained"] == 4
    assert further.model.provenance["recipe"]["epochs"] == 4


@pytest.mark.usefixtures("unreported")
def test_a_training_that_died_can_be_resumed(animals: Dataset, tmp_path: Path) -> None:
    def die(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise RuntimeError("a power cut")

    with pytest.raises(RuntimeError, match="a power cut"):
        train(EVERYTHING, animals, output=tmp_path / "run", on_epoch=die)
    run = Run(tmp_path / "run")
    assert run.status == "unfinished"
    # As if the cut had come between the history and the checkpoint of the second epoch.
    run.save_history([*run.history, dataclasses.replace(run.history[-1], epoch=3)])

    assert [epoch.epoch for epoch in resume(run, dataset=animals).history] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("unreported")
def test_what_cannot_be_resumed_is_refused(
    run: Run, animals: Dataset, optdigits: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(
        RunError, match="is complete: there is nothing left to train, unless you name more"
    ):
        resume(run)
    stopped = interrupted(animals, tmp_path / "stopped", 2)
    with pytest.raises(RunError, match=r"your own data set, animals: .* in Python, as dataset="):
        resume(stopped)
    with pytest.raises(RunError, match="is not the data that"):
        resume(stopped, dataset=optdigits)
    checkpoint = stopped.path / "checkpoint.safetensors"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[:-1])
    with pytest.raises(RunError, match="is damaged: train again"):
        resume(stopped, dataset=animals)
    state = safetensors.numpy.load(content)
    del state["losses"]
    checkpoint.write_bytes(safetensors.numpy.save(state))
    with pytest.raises(TrainingError, match="the checkpoint does not fit the recipe"):
        resume(stopped, dataset=animals)
    checkpoint.unlink()
    with pytest.raises(RunError, match="no checkpoint to resume from"):
        resume(stopped, dataset=animals)
