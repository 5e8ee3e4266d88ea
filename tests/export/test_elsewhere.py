"""MNIST's test images, answered by programs that know nothing of inkwise."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import inkwise
from inkwise import Dataset, Model, Run, export_model, import_model
from tests.shared_runs import without_report

pytestmark = pytest.mark.slow

KERAS_PROGRAM = """
import json, sys
sys.modules["inkwise"] = None
import keras
import numpy as np
from keras import layers

images = np.load("images.npy")[..., None].astype("float32") / 255
labels = keras.utils.to_categorical(np.load("labels.npy"))
accuracies = {}
for name in ("ours.keras", "ours.h5", "engine.keras"):
    model = keras.models.load_model(name)
    np.save(name + ".npy", model.predict(images, batch_size=500, verbose=0))
    loss, accuracies[name] = model.evaluate(images, labels, verbose=0)
with open("accuracies.json", "w") as file:
    json.dump(accuracies, file)

model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"),
    layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
training = np.load("training.npz")
targets = keras.utils.to_categorical(training["labels"])
model.fit(training["images"][..., None].astype("float32") / 255, targets, verbose=0)
model.save("theirs.keras")
model.save("theirs.h5")
np.save("theirs.npy", model.predict(images, batch_size=500, verbose=0))
"""

TORCH_PROGRAM = """
import sys
sys.modules["inkwise"] = None
import numpy as np
import torch

model = torch.jit.load("ours.pt")
images = torch.from_numpy(np.load("images.npy"))
np.save("ours.pt.npy", torch.cat([model(batch) for batch in images.split(500)]).numpy())
assert model.class_names == list("0123456789")
"""


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """What the programs left behind, and the models that they were given."""

    folder: Path
    ours: Model
    engine: Run
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    command_errors: str
    keras_errors: str

    def answers(self, name: str) -> NDArray[np.float32]:
        answers: NDArray[np.float32] = np.load(self.folder / f"{name}.npy")
        assert answers.shape == (len(self.images), 10)
        return answers


@pytest.fixture(scope="module")
def elsewhere(
    finished: Path, mnist: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Elsewhere:
    """Train with Keras too, export, and let the programs run: once for all tests."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with without_report():
        path = folder / "engine"
        engine = inkwise.train(dataset="optdigits", epochs=2, engine="keras", output=path)
    export_model(engine.path, "keras", folder / "engine.keras")
    export_model(finished, "keras", folder / "ours.keras")
    export_model(finished, "torchscript", folder / "ours.pt")
    command = ("-m", "inkwise", "export", str(finished), "--format", "h5", "-o", "ours.h5")
    command_errors = errors_of(folder, *command)
    some = mnist.test.take(np.arange(500))
    np.save(folder / "images.npy", some.images)
    np.save(folder / "labels.npy", some.labels)
    part = mnist.train.take(np.arange(1_000))
    np.savez(folder / "training.npz", images=part.images, labels=part.labels)
    keras_errors = errors_of(folder, "-c", KERAS_PROGRAM)
    errors_of(folder, "-c", TORCH_PROGRAM)
    return Elsewhere(
        folder,
        Run(finished).model,
        engine,
        some.images,
        some.labels,
        command_errors,
        keras_errors,
    )


def errors_of(folder: Path, *arguments: str) -> str:
    """Run Python in a process of its own; return what it wrote to standard error."""
    # Measuring coverage where none of ours runs would slow TensorFlow's import down.
    dropped = "COVERAGE_PROCESS_CONFIG" if arguments[0] == "-c" else None
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != dropped},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("name", ["ours.keras", "ours.h5", "ours.pt"])
def test_an_exported_model_gives_our_answers(elsewhere: Elsewhere, name: str) -> None:
    ours = elsewhere.ours.predict_proba(elsewhere.images)

    np.testing.assert_allclose(elsewhere.answers(name), ours, rtol=0, atol=1e-5)


def test_an_exported_model_is_as_accurate_in_keras(elsewhere: Elsewhere) -> None:
    accuracies = json.loads((elsewhere.folder / "accuracies.json").read_text())

    right = elsewhere.ours.predict(elsewhere.images) == elsewhere.labels
    assert right.mean() > 0.3  # it has seen other people's digits
    assert accuracies["ours.keras"] == accuracies["ours.h5"] == pytest.approx(right.mean())


def test_a_model_that_the_keras_engine_trained_gives_keras_answers(elsewhere: Elsewhere) -> None:
    answers = elsewhere.engine.model.predict_proba(elsewhere.images)

    np.testing.assert_allclose(elsewhere.answers("engine.keras"), answers, rtol=0, atol=1e-5)
    assert elsewhere.engine.evaluation.accuracy.value > 0.6


def test_tensorflow_starts_without_a_word(elsewhere: Elsewhere) -> None:
    assert elsewhere.command_errors == ""


@pytest.mark.parametrize("name", ["theirs.keras", "theirs.h5"])
def test_a_model_of_theirs_gives_their_answers_when_imported(
    elsewhere: Elsewhere, name: str, tmp_path: Path
) -> None:
    imported = import_model(elsewhere.folder / name)
    loaded = Model.load(imported.save(tmp_path / "model"))

    answers = loaded.predict_proba(elsewhere.images)

    np.testing.assert_allclose(answers, elsewhere.answers("theirs"), rtol=0, atol=1e-5)
    assert len(np.unique(answers.argmax(axis=1))) > 5  # they had learnt something


def test_keras_loads_the_files_without_a_warning_of_its_own_making(elsewhere: Elsewhere) -> None:
    assert "UserWarning" not in elsewhere.keras_errors
    warnings = [line for line in elsewhere.keras_errors.splitlines() if "WARNING:absl" in line]
    # What Keras 3 says of every .h5 file, the second time when the program itself writes one.
    assert all("compiled metrics" in line or "legacy" in line for line in warnings)
