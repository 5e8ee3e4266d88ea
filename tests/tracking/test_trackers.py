"""Trainings told to programs that keep track of them, read back by these programs' own means."""

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

import inkwise
from inkwise import Dataset, Run
from inkwise.errors import ArgumentError, LibraryError
from inkwise.system.progress import Batch
from inkwise.training.history import Epoch
from tests.telling import AtEachBatch


def test_unknown_trackers_are_refused_before_anything_is_written(
    animals: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="unknown tracker 'tensorbord': use tensorboard"):
        inkwise.train(dataset=animals, output=tmp_path / "run", track="tensorbord")
    assert not (tmp_path / "run").exists()


def test_a_missing_library_is_named(
    animals: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "tensorboard" else name
    )
    with pytest.raises(LibraryError, match=r"needs TensorBoard: pip install 'inkwise\[tensorboard"):
        inkwise.train(dataset=animals, output=tmp_path / "run", track="tensorboard")
    assert not (tmp_path / "run").exists()


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
