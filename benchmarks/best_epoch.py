"""Measure by how much choosing the best epoch on the test set would flatter a recipe.

The recipe is trained as `inkwise train` does, and the model of every epoch is kept. When the
training is over and nothing can be chosen any more, all of them are evaluated on the test split.
The last epoch gives the recipe's honest accuracy; the best epoch is what many publications report.
"""

import argparse
import shutil
from pathlib import Path

from record import write_record

import inkwise
from inkwise.model import Model
from inkwise.training.history import Epoch


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="ensemble")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory for the run and the models; an interrupted run in it is resumed",
    )
    arguments = parser.parse_args()
    path, kept = arguments.output / "run", arguments.output / "epochs"

    def keep(epoch: Epoch) -> None:
        print(epoch, flush=True)
        shutil.copytree(path / "model", kept / str(epoch.epoch), dirs_exist_ok=True)

    if not path.exists():
        run = inkwise.train(
            arguments.recipe, "mnist", seed=arguments.seed, output=path, on_epoch=keep
        )
    else:
        run = inkwise.Run(path)
        if run.status != "complete":
            run = inkwise.resume(run, on_epoch=keep)
    if run.status != "complete":
        return

    test = inkwise.load_dataset("mnist").test
    accuracies = []
    for epoch in run.history:
        model = Model.load(kept / str(epoch.epoch))
        accuracies.append(float((model.predict(test.images) == test.labels).mean()))
        print(f"epoch {epoch.epoch}: {accuracies[-1]:.2%} of the test images", flush=True)
    honest, best = run.evaluation.accuracy.value, max(accuracies)
    print(f"by the recipe, after the last epoch: {honest:.2%}; by the best epoch: {best:.2%}")
    record = write_record(
        f"best-epoch-{arguments.recipe}",
        {
            "recipe": run.recipe.to_dict(),
            "test_accuracy_after_every_epoch": accuracies,
            "validation_accuracy_after_every_epoch": [
                epoch.validation_accuracy for epoch in run.history
            ],
            "seconds_per_epoch": [round(epoch.seconds, 1) for epoch in run.history],
            "last_epoch": honest,
            "best_epoch_on_the_test_split": best,
        },
    )
    print(f"wrote {record}")


if __name__ == "__main__":
    main()
