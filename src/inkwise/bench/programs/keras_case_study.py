"""The case study in Keras on TensorFlow, as users of Keras write it."""

import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides messages other than errors

import keras
from keras import layers
from sklearn.metrics import classification_report, confusion_matrix

from inkwise.bench.programs.task import Task, timed


def main() -> None:
    """Run the contender."""
    task = Task.read()
    train, test = task.load()
    x_train = train.images[..., None].astype("float32") / 255
    x_test = test.images[..., None].astype("float32") / 255
    y_train = keras.utils.to_categorical(train.labels, 10)
    y_test = keras.utils.to_categorical(test.labels, 10)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    accuracies: list[float] = []

    def look_at_test_images(*_: Any) -> None:
        clock.stop()
        predicted = model.predict(x_test, verbose=0).argmax(1)
        accuracies.append(float((predicted == test.labels).mean()))
        clock.start()

    clock = task.ready()
    model.fit(
        x_train,
        y_train,
        batch_size=64,
        epochs=5,
        validation_split=0.2,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look_at_test_images)],
        verbose=0,
    )

    def evaluate() -> None:
        model.evaluate(x_test, y_test, verbose=0)
        predicted = model.predict(x_test, verbose=0).argmax(1)
        classification_report(test.labels, predicted)
        predicted = model.predict(x_test, verbose=0).argmax(1)
        confusion_matrix(test.labels, predicted)
        model.predict(x_test, verbose=0)[:25].argmax(1)  # the sample predictions

    evaluation_seconds = timed(evaluate)
    path = Path(task.work) / "model.keras"
    model.save(path)
    clock.report(
        accuracies,
        training_images=int(len(x_train) * 0.8),
        evaluation_seconds=evaluation_seconds,
        model_bytes=path.stat().st_size,
    )


if __name__ == "__main__":
    main()
