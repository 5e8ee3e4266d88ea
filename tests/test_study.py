"""The case study from end to end, through the functions that a user calls."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Model, Run, Split, evaluate, train
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, ModelError, RunError, TrainingError
from inkwise.evaluation.reliability import expected_calibration_error
from inkwise.evaluation.slices import find_slices
from inkwise.model.calibration import Calibration
from inkwise.networks.ensemble import Ensemble
from inkwise.runs.directory import COMPLETE
from inkwise.system.files import write_json
from inkwise.system.progress import Batch
from inkwise.training.history import Epoch
from inkwise.training.named_recipes import SMALL_FACTOR
from inkwise.training.recipe_files import find_recipe
from tests.histories import without_seconds
from tests.shared_runs import without_figures, without_report
from tests.telling import AtEachBatch, Heard


def make_offline(patch: pytest.MonkeyPatch) -> None:
    """Take away MNIST's files and every way to fetch them."""
    patch.delenv("INKWISE_DATA_DIR", raising=False)
    for name in ("http_proxy", "https_proxy"):
        patch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def stand_in(
    tmp_path_factory: pytest.TempPathFactory, trains: None, matplotlib_home: None
) -> tuple[Run, list[str]]:
    """A run with all defaults, without MNIST's files or a way to fetch them, and its notices."""
    with pytest.MonkeyPatch.context() as patch:
        make_offline(patch)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty")))
        path = tmp_path_factory.mktemp("stand_in") / "run"
        with without_figures():
            run = train(output=path, progress=(heard := Heard()))
    return run, heard.notices


@pytest.mark.slow
def test_optdigits_with_all_defaults(stand_in: tuple[Run, list[str]]) -> None:
    run, notices = stand_in

    assert run.status == "complete"
    epochs = 5 * SMALL_FACTOR
    assert len(run.history) == run.recipe.epochs == epochs
    assert f"{epochs} epochs rather than 5" in notices[1]
    assert run.record["notices"] == notices[:2]
    assert notices[1] in run.report_path.read_text(encoding="utf-8")
    assert run.evaluation.accuracy.value >= 0.965  # 9 mistakes of 359 where it was written


@pytest.fixture
def on_mnist(taught: Path, tmp_path: Path) -> Run:
    """The test's own copy of the run that the teaching notebook made."""
    return Run(shutil.copytree(taught / "runs" / "case-study-mnist-1", tmp_path / "on_mnist"))


@pytest.mark.slow
def test_case_study_on_the_whole_of_mnist(on_mnist: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(on_mnist.history) == 1
    assert on_mnist.evaluation.accuracy.value >= 0.98
    assert on_mnist.record["splits"] == {"train": 48_000, "validation": 12_000, "test": 10_000}
    assert on_mnist.record["notices"] == []
    metrics = (on_mnist.path / "metrics.json").read_bytes()

    # The run remembers where its data was.
    monkeypatch.delenv("INKWISE_DATA_DIR", raising=False)
    (on_mnist.path / "metrics.json").unlink()
    evaluate(on_mnist)

    assert (on_mnist.path / "metrics.json").read_bytes() == metrics


@pytest.mark.slow
def test_remembered_folder_without_files_is_passed_over(
    on_mnist: Run, mnist_dir: Path, tmp_path: Path
) -> None:
    unmounted = tmp_path / "mounted"
    unmounted.mkdir()
    record = on_mnist.record
    assert record["dataset"]["source"] == str(mnist_dir.resolve())
    record["dataset"]["source"] = str(unmounted)
    write_json(on_mnist.path / "run.json", record)

    assert evaluate(on_mnist).accuracy.value > 0.8


@pytest.mark.usefixtures("unreported")
def test_slice_of_mnist_learns_in_one_epoch(small_mnist: Dataset, tmp_path: Path) -> None:
    epochs: list[Epoch] = []

    run = train(dataset=small_mnist, epochs=1, output=tmp_path / "run", on_epoch=epochs.append)

    assert run.history == epochs
    assert run.evaluation.accuracy.value > 0.85
    assert run.record["notices"] == []  # epochs that were asked for are not multiplied


@pytest.mark.slow
def test_stand_in_for_mnist_is_announced_everywhere(
    stand_in: tuple[Run, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_offline(monkeypatch)
    run, notices = stand_in

    assert run.record["dataset"]["name"] == "optdigits"
    assert "not MNIST" in notices[0]
    assert run.record["notices"][:1] == notices[:1]
    assert "not MNIST" in run.report_path.read_text(encoding="utf-8")

    again = Heard()
    evaluate(run, dataset="auto", progress=again)
    assert again.notices == notices[:1]


def test_own_data_trains_evaluates_and_reports(zoo: Run, animals: Dataset) -> None:
    evaluation = zoo.evaluation

    assert zoo.status == "complete"
    assert zoo.model.class_names == evaluation.class_names == ("ant", "bee", "cat")
    assert zoo.model.network.image_size == (20, 24)
    assert evaluation.confusion.shape == (3, 3)
    assert evaluation.accuracy.value > 0.9
    np.testing.assert_array_equal(zoo.model.predict(animals.test.images), evaluation.predicted)
    report = zoo.report_path.read_text(encoding="utf-8")
    assert all(name in report for name in ("Animals, drawn as bars", "ant", "bee", "cat"))


@pytest.mark.usefixtures("unreported")
@pytest.mark.parametrize(
    ("changes", "factor"),
    [([], SMALL_FACTOR), (["batch_size=32"], SMALL_FACTOR), (["epochs=5"], 1)],
)
def test_small_data_gets_more_epochs_unless_they_are_set(
    changes: list[str], factor: int, animals: Dataset, tmp_path: Path
) -> None:
    def stop(batch: Batch) -> None:
        raise KeyboardInterrupt

    recipe, _ = find_recipe("case-study", changes)
    run = train(recipe, animals, output=tmp_path / "run", progress=AtEachBatch(stop))

    assert run.recipe.epochs == 5 * factor
    assert ("240 training images" in "".join(run.record["notices"])) == (factor > 1)


def test_own_data_must_be_passed_on_to_evaluate(zoo: Run, own_run: Run, animals: Dataset) -> None:
    with pytest.raises(RunError, match="your own data set, animals"):
        evaluate(own_run)

    assert evaluate(own_run, dataset=animals).to_dict() == zoo.evaluation.to_dict()


@pytest.mark.usefixtures("trains")
def test_same_seed_gives_the_same_files_to_the_bit(finished: Path, tmp_path: Path) -> None:
    again = train(dataset="optdigits", epochs=2, seed=0, output=tmp_path / "run")

    first, second = contents(finished), contents(again.path)
    # Only the seconds that the epochs took differ.
    assert {name for name in first if first[name] != second[name]} <= {
        "history.csv",
        "report.html",
    }
    assert without_seconds(again.history) == without_seconds(Run(finished).history)


@pytest.mark.usefixtures("unreported")
def test_another_seed_gives_other_weights(zoo: Run, animals: Dataset, tmp_path: Path) -> None:
    other = train(dataset=animals, epochs=1, seed=1, output=tmp_path / "run")

    assert other.history[0].train_loss != zoo.history[0].train_loss


@pytest.mark.usefixtures("unreported")
def test_test_images_have_no_part_in_the_training(
    zoo: Run, animals: Dataset, tmp_path: Path
) -> None:
    blank = Split(np.zeros_like(animals.test.images), np.zeros_like(animals.test.labels))
    dataset = dataclasses.replace(animals, test=blank)

    run = train(dataset=dataset, epochs=4, output=tmp_path / "run")

    assert without_seconds(run.history) == without_seconds(zoo.history)
    weights, expected = run.model.weights, zoo.model.weights
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)
    assert run.evaluation.accuracy != zoo.evaluation.accuracy


@pytest.mark.usefixtures("unreported")
def test_test_images_are_read_after_the_last_epoch(animals: Dataset, tmp_path: Path) -> None:
    images = np.zeros_like(animals.test.images)
    dataset = dataclasses.replace(animals, test=Split(images, animals.test.labels))

    def fill_in(epoch: Epoch) -> None:
        if epoch.epoch == 4:
            images[:] = animals.test.images

    # With blank images it could be right for one class at the most.
    run = train(dataset=dataset, epochs=4, output=tmp_path / "run", on_epoch=fill_in)

    assert run.evaluation.accuracy.value > 0.9


@pytest.mark.parametrize(("split", "images"), [("validation", 288), ("train", 1150)])
def test_other_splits_have_files_of_their_own(run: Run, split: str, images: int) -> None:
    before = contents(run.path)

    evaluation = evaluate(run, split)

    after = contents(run.path)
    assert len(evaluation) == images
    assert after.keys() - before.keys() == {
        f"metrics-optdigits-{split}.json",
        f"predictions-optdigits-{split}.csv",
        f"slices-optdigits-{split}.json",
    }
    assert {name: after[name] for name in before} == before
    if split == "validation":
        accuracy = run.history[-1].validation_accuracy
        assert evaluation.accuracy.value == pytest.approx(accuracy)


def test_other_data_set_has_files_of_its_own(run: Run, small_mnist: Dataset) -> None:
    before = contents(run.path)

    evaluation = evaluate(run, dataset=small_mnist)

    after = contents(run.path)
    assert (evaluation.dataset, len(evaluation)) == ("mnist-tenth", 1_000)
    assert after.keys() - before.keys() == {
        "metrics-mnist-tenth-test.json",
        "predictions-mnist-tenth-test.csv",
        "slices-mnist-tenth-test.json",
    }
    assert {name: after[name] for name in before} == before


def test_evaluation_says_what_its_mistakes_have_in_common(run: Run, optdigits: Dataset) -> None:
    for split in ("test", "validation"):
        evaluation = evaluate(run, split)
        images = split_dataset(optdigits, run.recipe.holdout, run.recipe.seed)[split].images
        found = find_slices(images, evaluation.labels, evaluation.predicted, evaluation.class_names)
        assert run.slices(evaluation) == found.to_dict()


def test_evaluating_again_changes_no_file(run: Run) -> None:
    before = contents(run.path)

    evaluate(run.path)

    assert contents(run.path) == before


def test_data_that_does_not_fit_the_model_is_refused(
    run: Run, optdigits: Dataset, animals: Dataset
) -> None:
    before = contents(run.path)
    letters = dataclasses.replace(optdigits, name="letters", class_names=tuple("abcdefghij"))

    with pytest.raises(ModelError, match="letters has the classes a, b, c"):
        evaluate(run, dataset=letters)
    with pytest.raises(ModelError, match="animals has images of 20×24"):
        evaluate(run, dataset=animals)

    assert contents(run.path) == before


def test_data_of_the_same_name_but_other_content_is_refused(run: Run, optdigits: Dataset) -> None:
    images = optdigits.train.images.copy()
    images[0, 0, 0] += 1
    changed = dataclasses.replace(optdigits, train=Split(images, optdigits.train.labels))

    with pytest.raises(RunError, match=r"not the data that .* was trained on"):
        evaluate(run, dataset=changed)


def test_unknown_split_is_refused(run: Run) -> None:
    with pytest.raises(ArgumentError, match="unknown split 'all': use train, validation, test"):
        evaluate(run, "all")


@pytest.mark.usefixtures("trains", "blank_figures")
def test_an_ensemble_is_trained_as_any_network(mnist: Dataset, tmp_path: Path) -> None:
    few = Dataset(
        name="few digits",
        title="a few digits of MNIST",
        class_names=mnist.class_names,
        train=mnist.train.take(np.arange(400)),
        test=mnist.test.take(np.arange(100)),
        source=mnist.source,
    )
    run = train("ensemble", few, epochs=2, batch_size=20, output=tmp_path / "run")
    assert run.status == COMPLETE
    model = run.model
    assert isinstance(model.network, Ensemble)
    assert model.rotations == run.recipe.rotations == (0.0, 12.0, -12.0)
    assert "rotated by 3 angles" in run.report_path.read_text("utf-8")
    evaluation = run.evaluation
    assert evaluation.accuracy.value > 0.3
    np.testing.assert_array_equal(model.predict(few.test.images), evaluation.predicted)


@pytest.mark.usefixtures("trains", "blank_figures")
def test_calibration_is_chosen_on_the_validation_images(
    optdigits: Dataset, finished: Path, tmp_path: Path
) -> None:
    def part(run: Run) -> tuple[Split, Model]:
        splits = split_dataset(optdigits, run.recipe.holdout, run.recipe.seed)
        return splits.validation, run.model

    changes: dict[str, Any] = {"epochs": 3, "label_smoothing": 0.3}
    with without_report():
        plain = train(dataset=optdigits, output=tmp_path / "plain", **changes)
    run = train(dataset=optdigits, output=tmp_path / "run", calibrate=True, **changes)
    images, model = part(run)
    assert plain.model.calibration == Calibration()
    np.testing.assert_array_equal(
        model.logits(images.images), plain.model.logits(images.images)
    )  # it changes no weight
    # Smoothed labels make a network too modest.
    assert model.calibration.temperature < 0.9
    errors = [
        expected_calibration_error(images.labels, each.predict_proba(images.images))
        for each in (plain.model, model)
    ]
    assert errors[1] < 0.5 * errors[0]
    refused = [answer.verdict != "digit" for answer in model.classify(images.images)]
    assert 0 < np.mean(refused) <= 0.02  # through ink, which may change a pixel
    page = run.report_path.read_text(encoding="utf-8")
    chosen = "was chosen on the validation images (temperature scaling): here it is"
    assert f"{chosen} {model.calibration.temperature:.3f}" in page
    assert "only its calibration was chosen on them" in page
    assert chosen not in Run(finished).report_path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("unreported")
def test_diverged_training_is_an_error_and_the_run_stays_unfinished(
    animals: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="lower the learning rate"):
        train(dataset=animals, epochs=1, learning_rate=1e30, output=tmp_path / "run")

    assert Run(tmp_path / "run").status == "unfinished"


@pytest.mark.usefixtures("unreported")
def test_progress_tells_every_batch_and_every_epoch(animals: Dataset, tmp_path: Path) -> None:
    heard = Heard()
    epochs: list[Epoch] = []

    run = train(
        dataset=animals,
        epochs=2,
        batch_size=100,
        output=tmp_path / "run",
        progress=heard,
        on_epoch=epochs.append,
    )

    assert [(batch.epoch, batch.seen) for batch in heard.batches] == [
        (1, 100),
        (1, 200),
        (1, 240),
        (2, 100),
        (2, 200),
        (2, 240),
    ]
    assert run.history == epochs
    assert heard.batches[2].loss == epochs[0].train_loss


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"dropout": 1.5}, {"batch_size": 0}, {"seed": -1}, {"colour": "red"}],
    ids=str,
)
def test_bad_values_are_refused_before_anything_is_written(
    animals: Dataset, tmp_path: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentError):
        train(dataset=animals, output=tmp_path / "run", **change)

    assert not (tmp_path / "run").exists()


def test_images_too_small_for_the_network_are_refused(tmp_path: Path) -> None:
    labels = np.arange(20, dtype=np.int64) % 2
    split = Split(np.zeros((20, 8, 8), np.uint8), labels)
    tiny = Dataset("tiny", "tiny", ("a", "b"), split, split, "nowhere")

    with pytest.raises(inkwise.InkwiseError, match="pixels"):
        train(dataset=tiny, output=tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("unreported")
def test_recipe_object_keeps_its_epochs_on_small_data(animals: Dataset, tmp_path: Path) -> None:
    recipe = inkwise.get_recipe("case-study", epochs=2)
    assert len(train(recipe, animals, output=tmp_path / "run").history) == 2


@pytest.mark.usefixtures("unreported")
def test_run_that_is_still_being_trained_is_not_evaluated(
    animals: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            run = Run(tmp_path / "run")
            history = run.history
            # Between the two looks at the history, another epoch ends.
            looks = iter([history, [*history, epoch]])
            monkeypatch.setattr(Run, "history", property(lambda self: next(looks)))
            with pytest.raises(RunError, match="still being trained"):
                evaluate(run, dataset=animals)
            monkeypatch.undo()
            assert run.metrics is None

    train("case-study", animals, epochs=2, output=tmp_path / "run", on_epoch=look)
