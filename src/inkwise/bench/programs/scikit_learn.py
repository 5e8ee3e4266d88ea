"""Classifiers of scikit-learn on the pixels, each trained by a single call."""

import time
from pathlib import Path

import joblib
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from inkwise.bench.programs.task import Task, time_predictions


def main() -> None:
    """Run the contender."""
    task = Task.read()
    train, test = task.load()
    x_train = train.images.reshape(len(train), -1).astype("float32") / 255
    x_test = test.images.reshape(len(test), -1).astype("float32") / 255
    estimator = {
        "svm": lambda: SVC(kernel="rbf", C=10, gamma="scale"),
        "knn": lambda: KNeighborsClassifier(n_neighbors=3),
        "boosting": lambda: HistGradientBoostingClassifier(random_state=task.seed),
        # A tenth of the training images is held out for early stopping.
        "mlp": lambda: MLPClassifier((256,), early_stopping=True, random_state=task.seed),
    }[task.name]()

    clock = task.ready()
    estimator.fit(x_train, train.labels)
    clock.stop()

    start = time.perf_counter()
    predicted = estimator.predict(x_test)
    classification_report(test.labels, predicted)
    confusion_matrix(test.labels, predicted)
    evaluation_seconds = time.perf_counter() - start

    path = Path(task.work) / f"{task.name}.joblib"
    joblib.dump(
        estimator, path
    )  # as scikit-learn recommends; only its size matters, it is never read
    clock.report(
        [float((predicted == test.labels).mean())],
        training_images=round(len(train) * (0.9 if task.name == "mlp" else 1)),
        evaluation_seconds=evaluation_seconds,
        model_bytes=path.stat().st_size,
        **time_predictions(estimator.predict, x_test),
    )


if __name__ == "__main__":
    main()
