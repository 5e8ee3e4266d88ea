"""The engine keras: the same run as our own loop writes, trained by Keras."""

import dataclasses
import functools
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Run, Split, get_recipe
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, LibraryError, TrainingError
from inkwise.networks.as_keras import require_keras
from inkwise.networks.layers import Conv, Dense, Flatten, MaxPool
from inkwise.system.progress import Batch
from inkwise.training.history import Checkpoint, Epoch
from inkwise.training.keras_loop import fit_keras, prepare_keras
from inkwise.training.recipe import SGD, Adam, Recipe
from inkwise.training.schedules import Cosine, OneCycle, Plateau, rate_factor
from tests.shared_runs import without_figures
from tests.telling import AtEachBatch, Heard

pytestmark = pytest.mark.usefixtures("keras")

SMALL = (Conv(4, 3, activation="relu"), MaxPool(4), Flatten(), Dense(8, "relu"), Dense())
"""For tests of how a network learns, whichever it is."""

WATCHED = Recipe("own", SMALL, epochs=2, batch_size=100, dropout=0.3)


def fit(dataset: Dataset, recipe: Recipe, **options: Any) -> list[Checkpoint]:
    prepare_keras(recipe)
    splits = split_dataset(dataset, recipe.holdout, recipe.seed)
    network = recipe.describe_network(dataset.image_size, len(dataset.class_names))
    return list(fit_keras(network, splits.train, splits.validation, recipe, **options))


@pytest.fixture
def eager(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Keras take steps as they are written: to make a graph of them takes longer than a few."""
    compile_model = keras.Model.compile
    eagerly = functools.partialmethod(compile_model, run_eagerly=True)
    monkeypatch.setattr(keras.Model, "compile", eagerly)


@pytest.fixture(scope="module")
def keras_run(
    animals: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    trains: None,
    matplotlib_home: None,
) -> Run:
    """A complete run of the case study on a user's own data. It is shared: do not change it."""
    output = tmp_path_factory.mktemp("keras") / "run"
    with without_figures():
        return inkwise.train(dataset=animals, engine="keras", epochs=4, dropout=0.1, output=output)


@pytest.fixture(scope="module")
def watched(animals: Dataset) -> tuple[list[Checkpoint], list[Batch]]:
    """What a training yielded, and what it told in between."""
    heard = Heard()
    return fit(animals, WATCHED, progress=heard), heard.batches


def test_the_run_is_like_any_other(keras_run: Run, animals: Dataset) -> None:
    assert keras_run.status == "complete"
    assert [epoch.epoch for epoch in keras_run.history] == [1, 2, 3, 4]
    assert keras_run.evaluation.accuracy.value > 0.9
    assert keras_run.report_path.is_file()
    network = keras_run.recipe.describe_network((20, 24), 3)
    assert keras_run.model.network == network
    again = inkwise.evaluate(keras_run, "train", dataset=animals)
    assert again.accuracy.value > 0.9


def test_the_run_says_what_trained_it(keras_run: Run) -> None:
    keras = require_keras("a test")

    for record in (keras_run.record, keras_run.model.provenance):
        assert record["engine"] == "keras"
        assert record["machine"]["device"] == "cpu"
        assert record["machine"]["versions"]["keras"] == keras.__version__
        assert record["machine"]["versions"]["tensorflow"].startswith("2.")
    assert f"keras {keras.__version__}" in keras_run.report_path.read_text(encoding="utf-8")


def test_a_run_of_our_own_loop_says_so(finished: Path) -> None:
    record = Run(finished).record

    assert record["engine"] == "torch"
    assert "keras" not in record["machine"]["versions"]


def test_validation_figures_are_those_of_the_weights(keras_run: Run, animals: Dataset) -> None:
    validation = inkwise.evaluate(keras_run, "validation", dataset=animals)

    last = keras_run.history[-1]
    assert last.validation_accuracy == pytest.approx(validation.accuracy.value, abs=1e-6)
    assert last.validation_loss == pytest.approx(validation.loss.value, abs=1e-5)


def test_a_run_says_how_long_it_trained_and_learns(keras_run: Run) -> None:
    first, *_, last = keras_run.history

    assert all(epoch.seconds > 0 for epoch in keras_run.history)
    assert last.train_loss < first.train_loss
    assert last.train_accuracy > first.train_accuracy


def test_the_same_seed_gives_the_same_weights(
    animals: Dataset, watched: tuple[list[Checkpoint], list[Batch]]
) -> None:
    (*_, one), _ = watched
    *_, other = fit(animals, WATCHED)
    *_, another = fit(animals, dataclasses.replace(WATCHED, seed=1))

    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])
    assert (one.weights["conv1.weight"] != another.weights["conv1.weight"]).any()


def test_checkpoints_are_copies(watched: tuple[list[Checkpoint], list[Batch]]) -> None:
    (first, second), _ = watched

    assert (first.weights["dense2.weight"] != second.weights["dense2.weight"]).any()
    assert all(array.dtype == np.float32 for array in first.weights.values())


def test_progress_is_told_after_every_batch(
    watched: tuple[list[Checkpoint], list[Batch]],
) -> None:
    checkpoints, batches = watched

    assert [(batch.epoch, batch.seen) for batch in batches] == [
        (epoch, seen) for epoch in (1, 2) for seen in (100, 200, 240)
    ]
    assert {(batch.epochs, batch.images) for batch in batches} == {(2, 240)}
    for checkpoint, last in zip(checkpoints, batches[2::3], strict=True):
        assert last.loss == pytest.approx(checkpoint.epoch.train_loss)
        assert last.accuracy == pytest.approx(checkpoint.epoch.train_accuracy)
        assert 0 < last.seconds <= checkpoint.epoch.seconds


@pytest.mark.usefixtures("eager")
def test_every_epoch_has_an_order_of_its_own(animals: Dataset) -> None:
    heard = Heard()
    # Nothing is learnt at such a rate: the losses tell which images came when.
    recipe = Recipe("own", SMALL, epochs=3, batch_size=48, optimiser=Adam(1e-12))

    fit(animals, recipe, progress=heard)

    losses = [
        [batch.loss for batch in heard.batches if batch.epoch == epoch] for epoch in (1, 2, 3)
    ]
    ends = [loss[-1] for loss in losses]
    assert ends == pytest.approx([ends[0]] * 3, rel=1e-5)
    assert all(
        one[:-1] != pytest.approx(other[:-1], rel=1e-5)
        for one, other in itertools.combinations(losses, 2)
    )


@pytest.mark.parametrize("optimiser", [Adam(0.002, 0.8, 0.95, 1e-4), SGD(0.01, 0.8)], ids=str)
def test_it_is_the_training_that_a_user_of_keras_would_write(
    animals: Dataset, optimiser: Adam | SGD
) -> None:
    # All images in one batch: their order, which differs, does not matter then.
    recipe = get_recipe("case-study", epochs=3, batch_size=240, seed=5, optimiser=optimiser)
    *_, last = fit(animals, recipe)

    keras = require_keras("a test")
    layers = keras.layers
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((20, 24, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.002, 0.8, 0.95, 1e-4)
        if isinstance(optimiser, Adam)
        else keras.optimizers.SGD(0.01, 0.8),
        loss="categorical_crossentropy",
    )
    images = animals.train.images[:240, ..., None] / 255
    targets = keras.utils.to_categorical(animals.train.labels[:240])
    history = model.fit(images, targets, batch_size=240, epochs=3, verbose=0).history

    assert last.epoch.train_loss == pytest.approx(history["loss"][-1], rel=1e-4)
    for (name, ours), theirs in zip(last.weights.items(), model.get_weights(), strict=True):
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[theirs.ndim]
        np.testing.assert_allclose(ours, theirs.transpose(axes), atol=1e-5, err_msg=name)


@pytest.mark.usefixtures("unreported", "eager")
def test_a_loss_that_is_no_number_ends_the_training(animals: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no longer a number in epoch 1.*now 1e\+30"):
        inkwise.train(
            dataset=animals,
            engine="keras",
            optimiser="sgd",
            learning_rate=1e30,
            output=tmp_path / "run",
        )


@pytest.mark.usefixtures("unreported", "eager")
def test_ctrl_c_keeps_what_is_finished(animals: Dataset, tmp_path: Path) -> None:
    def press_ctrl_c(batch: Batch) -> None:
        if batch.epoch == 2 and batch.seen > 100:
            raise KeyboardInterrupt

    seen: list[Epoch] = []
    run = inkwise.train(
        dataset=animals,
        engine="keras",
        epochs=3,
        output=tmp_path / "run",
        progress=AtEachBatch(press_ctrl_c),
        on_epoch=seen.append,
    )

    assert run.status == "interrupted"
    assert run.history == seen
    assert len(seen) == 1
    assert run.model.provenance["epochs_trained"] == 1


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Cosine(end=0.5), [1, 0.75]),
        (OneCycle(start=0, peak=0.5, end=0), [0, 1]),
        (Plateau(0.25, 1), [1, 1, 0.25]),
        (None, [1, 1]),
    ],
    ids=str,
)
def test_keras_follows_a_schedule(
    animals: Dataset, schedule: Any, factors: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def watch(*arguments: Any) -> float:
        told.append(rate_factor(*arguments))
        return told[-1]

    monkeypatch.setattr("inkwise.training.keras_loop.rate_factor", watch)
    # With a rate of nearly nothing no validation loss is lower than the first.
    recipe = Recipe(
        "own",
        SMALL,
        optimiser=SGD(1e-12, 0.0),
        epochs=len(factors),
        batch_size=10_000,
        schedule=schedule,
    )
    checkpoints = fit(animals, recipe)
    assert len(checkpoints) == len(factors)
    assert told == pytest.approx(factors)


def test_a_rate_of_nothing_changes_nothing_in_keras(animals: Dataset) -> None:
    recipe = Recipe("own", SMALL, optimiser=SGD(0.1), epochs=1, batch_size=10_000)
    (moved,) = fit(animals, recipe)
    (other,) = fit(animals, dataclasses.replace(recipe, optimiser=SGD(1e-30)))
    for schedule in (OneCycle(start=0, peak=0.9), Cosine(warm_up=0.9)):
        (still,) = fit(animals, dataclasses.replace(recipe, schedule=schedule))
        for name, array in still.weights.items():
            np.testing.assert_allclose(array, other.weights[name], rtol=0, atol=1e-20)
        assert (moved.weights["conv1.weight"] != still.weights["conv1.weight"]).any()


@pytest.mark.usefixtures("eager")
def test_keras_clips_gradients_by_their_norm(animals: Dataset) -> None:
    recipe = Recipe(
        "own", SMALL, optimiser=SGD(1.0, 0.0), epochs=2, batch_size=10_000, clip_norm=1e-3
    )
    first, second = fit(animals, recipe)
    moves = [(second.weights[name] - first.weights[name]).ravel() for name in first.weights]
    assert np.linalg.norm(np.concatenate(moves)) == pytest.approx(1e-3, rel=0.02)


@pytest.mark.usefixtures("eager")
def test_weights_of_all_classes_multiply_the_rate_in_keras(animals: Dataset) -> None:
    def moved(rate: float, **changes: Any) -> Checkpoint:
        optimiser = SGD(rate, 0.0)
        recipe = Recipe("own", SMALL, optimiser=optimiser, epochs=1, **changes)
        [checkpoint] = fit(animals, recipe, class_names=animals.class_names)
        return checkpoint

    plain, weighted = moved(0.1), moved(0.05, class_weights=dict.fromkeys(animals.class_names, 2.0))
    for name, array in plain.weights.items():
        np.testing.assert_allclose(weighted.weights[name], array, atol=1e-5)
    assert weighted.epoch.train_loss == pytest.approx(plain.epoch.train_loss, rel=1e-4)
    assert weighted.epoch.validation_loss == pytest.approx(plain.epoch.validation_loss, rel=1e-4)
    uneven = moved(0.05, class_weights={"bee": 2.0})
    assert (uneven.weights["conv1.weight"] != weighted.weights["conv1.weight"]).any()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"augment": True}, "augmentation"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
        ({"optimiser": "muon"}, "optimiser"),
        ({"recipe": "swift"}, "batch_norm|label_smoothing"),
    ],
    ids=str,
)
def test_a_recipe_that_keras_does_not_follow_is_refused(
    animals: Dataset, changes: dict[str, Any], part: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=part):
        inkwise.train(dataset=animals, engine="keras", output=tmp_path / "run", **changes)

    assert not (tmp_path / "run").exists()


def test_an_ensemble_is_not_for_keras(animals: Dataset, tmp_path: Path) -> None:
    recipe = Recipe("own", "ensemble")
    digits = dataclasses.replace(animals, train=_larger(animals.train), test=_larger(animals.test))
    with pytest.raises(ArgumentError, match=r"^the engine keras takes a single network"):
        inkwise.train(recipe, digits, engine="keras", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _larger(split: Split) -> Split:
    return Split(np.pad(split.images, ((0, 0), (4, 4), (2, 2))), split.labels)


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="unknown engine 'jax': use torch or keras"):
        inkwise.train(engine="jax", output=tmp_path / "run")


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
def test_without_keras_the_line_says_how_to_get_it(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(LibraryError) as caught:
        inkwise.train(dataset="optdigits", engine="keras", output=tmp_path / "run")

    assert str(caught.value).endswith("the engine keras needs Keras: pip install 'inkwise[keras]'")
    assert not (tmp_path / "run").exists()
