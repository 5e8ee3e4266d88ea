"""Keras on TensorFlow: load the saved model and predict, as users of Keras do."""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from inkwise.bench.programs.task import Task, answer, peak_memory, time_predictions


def main() -> None:
    """Run the contender."""
    task = Task.read()
    _, test = task.load()
    x_test = test.images[..., None].astype("float32") / 255
    model = keras.models.load_model(Path(task.work) / "model.keras")
    times = time_predictions(lambda images: model.predict(images, verbose=0).argmax(1), x_test)
    answer(**times, prediction_memory=peak_memory())


if __name__ == "__main__":
    main()
