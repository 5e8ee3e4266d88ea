"""inkwise: load the saved model and predict in batches of 1 to 10,000 images."""

from pathlib import Path

import numpy as np

from inkwise.bench.programs.task import Task, answer, seconds_of
from inkwise.model import Model

BATCHES = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)


def main() -> None:
    """Run the program."""
    task = Task.read()
    _, test = task.load()
    model = Model.load(Path(task.work) / "model")
    seconds = {}
    for batch in BATCHES:
        images = np.resize(test.images, (batch, *test.images.shape[1:]))
        seconds[batch] = seconds_of(lambda images=images: model.predict(images), 200)  # type: ignore[misc]
    answer(batches=list(seconds.items()))


if __name__ == "__main__":
    main()
