"""inkwise: load the saved model and predict."""

from pathlib import Path

from inkwise.bench.programs.task import Task, answer, peak_memory, time_predictions
from inkwise.model import Model


def main() -> None:
    """Run the contender."""
    task = Task.read()
    _, test = task.load()
    model = Model.load(Path(task.work) / "model")
    times = time_predictions(model.predict, test.images)
    answer(**times, prediction_memory=peak_memory())


if __name__ == "__main__":
    main()
