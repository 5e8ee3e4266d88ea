"""Train a recipe with several seeds, and record test accuracy and training time of each."""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from record import write_record

import inkwise


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="case-study")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep the runs as DIR/SEED; complete ones there are used, interrupted ones resumed",
    )
    arguments = parser.parse_args()

    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            path = (arguments.keep or Path(folder)) / str(seed)
            if not path.exists():
                run = inkwise.train(
                    arguments.recipe, arguments.dataset, output=path, on_epoch=print, seed=seed
                )
            else:
                run = inkwise.Run(path)
                if run.status != "complete":
                    run = inkwise.resume(run, on_epoch=print)
            history, evaluation = run.history, run.evaluation
            results.append(
                {
                    "seed": seed,
                    "test_accuracy": evaluation.accuracy.value,
                    "validation_accuracy": history[-1].validation_accuracy,
                    "seconds_per_epoch": [round(epoch.seconds, 3) for epoch in history],
                }
            )
            print(f"seed {seed}: test accuracy {evaluation.accuracy.value:.2%}")
        recipe = run.recipe.to_dict()

    accuracies = [result["test_accuracy"] for result in results]
    summary = {
        "mean": statistics.mean(accuracies),
        "standard_deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "min": min(accuracies),
        "max": max(accuracies),
    }
    print({name: f"{value:.4%}" for name, value in summary.items()})
    name = f"seeds-{arguments.recipe}-{arguments.dataset}"
    path = write_record(
        name,
        {"recipe": recipe, "dataset": arguments.dataset, "test_accuracy": summary, "runs": results},
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
