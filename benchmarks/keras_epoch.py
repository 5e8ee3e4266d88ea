"""Time an epoch of the case study, ours and in Keras on TensorFlow, in turn on one machine.

Each measurement is a fresh process that trains two epochs on the same images; the second counts,
because the first one of Keras holds the compilation of its graph.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from record import write_record

import inkwise

OURS = """
import sys
import numpy as np
import torch
from inkwise import Split, get_recipe
from inkwise.networks.module import build
from inkwise.networks.named import case_study
from inkwise.training.loop import fit

images, labels = np.load(sys.argv[1]), np.load(sys.argv[2])
torch.manual_seed(0)
train, validation = Split(images[:48000], labels[:48000]), Split(images[48000:], labels[48000:])
recipe = get_recipe("case-study", epochs=2)
for epoch in fit(build(case_study((28, 28), 10)), train, validation, recipe):
    print(epoch.seconds)
"""

# As a user would write it, without validation, which is not in the seconds of ours either.
KERAS = """
import sys, time
import numpy as np
import keras
from keras import layers

images = np.load(sys.argv[1])[:48000, ..., None].astype("float32") / 255
labels = keras.utils.to_categorical(np.load(sys.argv[2])[:48000])
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"),
    layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
for _ in range(2):
    start = time.perf_counter()
    model.fit(images, labels, epochs=1, batch_size=64, verbose=0)
    print(time.perf_counter() - start)
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--keras-python", default=sys.executable, help="the Python that has TensorFlow"
    )
    arguments = parser.parse_args()

    dataset = inkwise.load_dataset("mnist")
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        arrays = [str(Path(folder) / "images.npy"), str(Path(folder) / "labels.npy")]
        np.save(arrays[0], dataset.train.images)
        np.save(arrays[1], dataset.train.labels)
        for number in range(arguments.rounds):
            ours = _second_epoch(sys.executable, OURS, arrays)
            keras = _second_epoch(arguments.keras_python, KERAS, arrays)
            rounds.append({"inkwise": ours, "keras": keras, "ratio": keras / ours})
            print(f"round {number + 1}: {ours:.1f} s, Keras {keras:.1f} s, {keras / ours:.2f}×")

    summary = {}
    for figure in ("inkwise", "keras", "ratio"):
        values = [entry[figure] for entry in rounds]
        summary[figure] = {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
        }
    versions = "import keras, tensorflow as tf; print(keras.__version__, tf.__version__)"
    keras_version, tensorflow_version = _run(arguments.keras_python, versions, []).split()
    path = write_record(
        "keras-epoch",
        {
            "what": "seconds of training for an epoch of 48,000 images in batches of 64",
            "keras": keras_version,
            "tensorflow": tensorflow_version,
            "summary": summary,
            "rounds": rounds,
        },
    )
    print(json.dumps(summary, indent=2))
    print(f"wrote {path}")


def _second_epoch(python: str, program: str, arrays: list[str]) -> float:
    return float(_run(python, program, arrays).split()[-1])


def _run(python: str, program: str, arguments: list[str]) -> str:
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [python, "-c", program, *arguments],
        env=quiet,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    main()
