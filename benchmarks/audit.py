"""Plant wrong labels among MNIST's training images, and record how many the audit finds."""

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from record import write_record

import inkwise
from inkwise.auditing.judges import FOLDS, SEEDS, audit_recipe


class Steps(inkwise.Progress):
    """Prints the steps of an audit."""

    def step(self, what: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG002
        """Print the step that begins."""
        print(what)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--share", type=float, default=0.01, help="share of the labels to make wrong"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of draws, with seeds from 0")
    arguments = parser.parse_args()

    mnist = inkwise.load_dataset("mnist")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            generator = np.random.default_rng(seed)
            labels, classes = mnist.train.labels.copy(), len(mnist.class_names)
            planted = generator.choice(
                len(labels), round(arguments.share * len(labels)), replace=False
            )
            labels[planted] += generator.integers(1, classes, len(planted))
            labels[planted] %= classes
            data = dataclasses.replace(mnist, train=inkwise.Split(mnist.train.images, labels))
            audit = inkwise.audit(data, output=Path(folder) / str(seed), progress=Steps())
            results.append({"seed": seed, **measure(audit.suspects, audit.wrong, planted)})
            print(results[-1])
    path = write_record(
        f"audit-{arguments.share:g}",
        {
            "share": arguments.share,
            "recipe": audit_recipe(len(mnist.train)).to_dict(),
            "folds": FOLDS,
            "rounds": SEEDS,
            "draws": results,
        },
    )
    print(f"wrote {path}")


def measure(suspects: Any, wrong: int, planted: Any) -> dict[str, Any]:
    """Compare a ranking with the planted labels; genuine label errors lower the precision."""
    hits = np.cumsum(np.isin(suspects, planted))
    precision = hits / np.arange(1, len(hits) + 1)
    precise = np.flatnonzero(precision >= 0.9)
    return {
        "planted": len(planted),
        "suspects": len(suspects),
        "probably_wrong": wrong,
        "precision": float(precision[wrong - 1]) if wrong else None,
        "recall": float(hits[wrong - 1] / len(planted)) if wrong else 0.0,
        "recall_at_90_precision": float(hits[precise[-1]] / len(planted)) if len(precise) else 0.0,
        "average_precision": float((precision * np.isin(suspects, planted)).sum() / len(planted)),
    }


if __name__ == "__main__":
    main()
