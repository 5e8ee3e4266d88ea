"""Trainings told to programs that keep track of them, read back by these programs' own means."""

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import inkwise
from inkwise import Dataset, Run
from inkwise.errors import ArgumentError, LibraryError, StorageError
from inkwise.system.progress import Batch
from inkwise.training.history import Epoch
from tests.telling import AtEachBatch


def test_unknown_trackers_are_refused_before_anything_is_written(
    animals: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="'tensorbord': use tensorboard or mlflow"):
        inkwise.train(dataset=animals, output=tmp_path / "run", track="tensorbord")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "title"), [("tensorboard", "TensorBoard"), ("mlflow", "MLflow")])
def test_a_missing_library_is_named(
    name: str, title: str, animals: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda module: module != name)
    with pytest.raises(LibraryError, match=rf"needs {title}: pip install 'inkwise\[{name}\]'"):
        inkwise.train(dataset=animals, output=tmp_path / "run", track=name)
    assert not (tmp_path / "run").exists()


def test_a_resumed_training_is_told_to_known_trackers_alone(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(ArgumentError, match="'tensorbord': use tensorboard or mlflow"):
        inkwise.resume(finished, epochs=3, track="tensorbord")


def interrupted(dataset: Dataset, output: Path, track: str | None) -> Run:
    """Return a run of three epochs that was interrupted after the first."""

    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    recipe = inkwise.get_recipe("perceptron", epochs=3)
    return inkwise.train(recipe, dataset, output=output, track=track, on_epoch=stop)


# --- TensorBoard ---


def read_events(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read the events of a run with TensorBoard, and without starting TensorFlow."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run.path / "tensorboard")).Reload()


@pytest.mark.slow
@pytest.mark.usefixtures("trains", "matplotlib_home")
def test_tensorboard_reads_losses_metrics_figures_and_recipe(
    animals: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Epoch] = []

    run = inkwise.train(
        dataset=animals,
        epochs=3,
        output=tmp_path / "run",
        track="tensorboard",
        on_epoch=seen.append,
    )

    assert seen == run.history
    events = read_events(run, monkeypatch)
    for tag, field in (
        ("loss/train", "train_loss"),
        ("loss/validation", "validation_loss"),
        ("accuracy/train", "train_accuracy"),
        ("accuracy/validation", "validation_accuracy"),
    ):
        scalars = events.Scalars(tag)
        assert [each.step for each in scalars] == [1, 2, 3]
        expected = [getattr(epoch, field) for epoch in run.history]
        assert [each.value for each in scalars] == pytest.approx(expected, rel=1e-6)
    (accuracy,) = events.Scalars("test/accuracy")
    assert accuracy.step == 3
    assert accuracy.value == pytest.approx(run.evaluation.accuracy.value)
    figures = {path.stem for path in run.figures_path.glob("*.png")}
    assert {f"figures/{name}" for name in figures} == set(events.Tags()["images"])
    (confusion,) = events.Images("figures/confusion")
    with Image.open(io.BytesIO(confusion.encoded_image_string)) as image:
        assert image.size == (confusion.width, confusion.height)
    (recipe,) = events.Tensors("recipe")
    assert b"    epochs = 3" in recipe.tensor_proto.string_val[0]


@pytest.mark.usefixtures("unreported")
def test_what_is_interrupted_keeps_its_epochs(
    animals: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(batch: Batch) -> None:
        if batch.epoch == 2:
            raise KeyboardInterrupt

    run = inkwise.train(
        dataset=animals,
        epochs=3,
        output=tmp_path / "run",
        track="tensorboard",
        progress=AtEachBatch(stop),
    )

    assert run.status == "interrupted"
    events = read_events(run, monkeypatch)
    assert [each.step for each in events.Scalars("loss/train")] == [1]
    assert "test/accuracy" not in events.Tags()["scalars"]


@pytest.mark.parametrize("tracked_before", [True, False])
@pytest.mark.usefixtures("unreported")
def test_tensorboard_has_every_epoch_of_a_resumed_training_once(
    animals: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracked_before: bool
) -> None:
    run = interrupted(animals, tmp_path / "run", "tensorboard" if tracked_before else None)
    inkwise.resume(run, dataset=animals, track="tensorboard")
    events = read_events(run, monkeypatch)
    losses = events.Scalars("loss/train")
    assert [each.step for each in losses] == [1, 2, 3]
    expected = [epoch.train_loss for epoch in run.history]
    assert [each.value for each in losses] == pytest.approx(expected, rel=1e-6)
    assert [each.step for each in events.Scalars("test/accuracy")] == [3]


# --- MLflow ---


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A store in plain files, and a client of it: the tests have no database."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


def mlflow_text(store: Any, run: Any, name: str) -> str:
    return Path(store.download_artifacts(run.info.run_id, name)).read_text("utf-8")


def only_run(client: Any, experiment: str = "inkwise") -> Any:
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id])
    return run


@pytest.mark.slow
@pytest.mark.usefixtures("trains", "blank_figures")
def test_mlflow_has_recipe_metrics_figures_and_a_model_that_it_loads(
    animals: Dataset, tmp_path: Path, store: Any
) -> None:
    import mlflow

    with mlflow.start_run() as other:  # the caller's own, which is left alone
        run = inkwise.train(dataset=animals, epochs=3, output=tmp_path / "mine", track="mlflow")

    assert not store.get_run(other.info.run_id).data.metrics
    kept = only_run(store)
    assert kept.info.run_name == "mine"
    assert kept.info.status == "FINISHED"
    assert kept.data.params["epochs"] == "3"
    assert kept.data.params["optimiser.kind"] == "adam"
    assert kept.data.tags["inkwise.dataset.sha256"] == animals.sha256
    losses = store.get_metric_history(kept.info.run_id, "loss/validation")
    assert [(each.step, each.value) for each in losses] == [
        (epoch.epoch, epoch.validation_loss) for epoch in run.history
    ]
    assert kept.data.metrics["test/accuracy"] == run.evaluation.accuracy.value
    artifacts = {each.path for each in store.list_artifacts(kept.info.run_id)}
    assert {"figures", "recipe.toml", "report.html"} <= artifacts

    (logged,) = store.search_logged_models([kept.info.experiment_id])
    loaded = mlflow.pyfunc.load_model(logged.model_uri)
    np.testing.assert_array_equal(
        loaded.predict(animals.test.images), run.model.predict_proba(animals.test.images)
    )
    signature = loaded.metadata.signature
    assert signature.inputs.inputs[0].shape == (-1, 20, 24)
    assert signature.outputs.inputs[0].shape == (-1, 3)
    with pytest.raises(mlflow.MlflowException, match="Shape of input"):
        loaded.predict(animals.test.images[:, :10])
    assert not [*(tmp_path / "store").rglob("*.pkl")]


@pytest.mark.usefixtures("unreported")
def test_mlflow_knows_what_was_interrupted_and_what_failed(
    animals: Dataset, tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, status in ((KeyboardInterrupt, "KILLED"), (ZeroDivisionError, "FAILED")):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", status)

        def stop(epoch: Epoch, error: type[BaseException] = error) -> None:
            raise error

        ends = contextlib.nullcontext() if status == "KILLED" else pytest.raises(error)
        with ends:
            inkwise.train(
                dataset=animals,
                epochs=2,
                output=tmp_path / status,
                track="mlflow",
                on_epoch=stop,
            )
        kept = only_run(store, status)
        assert kept.info.status == status
        assert "loss/train" in kept.data.metrics
        assert "test/accuracy" not in kept.data.metrics


@pytest.mark.parametrize("tracked_before", [True, False])
@pytest.mark.usefixtures("unreported")
def test_mlflow_goes_on_with_the_run_that_was_resumed(
    animals: Dataset, tmp_path: Path, store: Any, tracked_before: bool
) -> None:
    run = interrupted(animals, tmp_path / "run", "mlflow" if tracked_before else None)
    resumed = inkwise.resume(run, dataset=animals, track="mlflow")
    further = inkwise.resume(resumed, epochs=4, dataset=animals, track="mlflow")
    kept = only_run(store)
    assert kept.info.status == "FINISHED"
    assert kept.data.params["epochs"] == "3"
    assert "epochs = 4" in mlflow_text(store, kept, "recipe.toml")
    losses = store.get_metric_history(kept.info.run_id, "loss/train")
    assert [(each.step, each.value) for each in losses] == [
        (epoch.epoch, epoch.train_loss) for epoch in further.history
    ]
    assert kept.data.metrics["test/accuracy"] == further.evaluation.accuracy.value


@pytest.mark.usefixtures("unreported")
def test_mlflow_takes_no_run_for_another_that_was_in_the_same_folder(
    animals: Dataset, tmp_path: Path, store: Any
) -> None:
    first = interrupted(animals, tmp_path / "run", "mlflow")
    shutil.rmtree(first.path)
    recipe = inkwise.get_recipe("perceptron", epochs=1, seed=1)
    second = inkwise.train(recipe, animals, output=tmp_path / "run")
    inkwise.resume(second, epochs=2, dataset=animals, track="mlflow")
    found = store.get_experiment_by_name("inkwise")
    kept = store.search_runs([found.experiment_id])
    assert sorted(each.info.status for each in kept) == ["FINISHED", "KILLED"]


@pytest.mark.usefixtures("store")
def test_a_store_that_mlflow_refuses_is_one_line(animals: Dataset, tmp_path: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri("nowhere://at-all")
    with pytest.raises(StorageError, match=r"MLflow cannot keep the run: .*nowhere") as caught:
        inkwise.train(dataset=animals, output=tmp_path / "run", track="mlflow")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("store", "unreported")
def test_a_store_that_mlflow_refuses_leaves_a_complete_run_as_it_was(
    animals: Dataset, tmp_path: Path
) -> None:
    import mlflow

    run = inkwise.train("perceptron", animals, epochs=1, output=tmp_path / "run")
    mlflow.set_tracking_uri("nowhere://at-all")
    with pytest.raises(StorageError, match="MLflow cannot keep the run"):
        inkwise.resume(run, epochs=2, dataset=animals, track="mlflow")
    assert (run.status, run.recipe.epochs) == ("complete", 1)
