"""Choose the number of epochs for a small data set, on optdigits' validation images only."""

import statistics

import torch
from record import write_record

from inkwise import get_recipe, load_dataset
from inkwise.data.splits import split_dataset
from inkwise.networks.as_torch import build
from inkwise.training.loop import Training

EPOCHS = (20, 30, 40, 60)
SEEDS = range(8)


def main() -> None:
    """Run the benchmark; the test images are not used."""
    dataset = load_dataset("optdigits")
    accuracies: dict[int, list[float]] = {}
    for epochs in EPOCHS:
        accuracies[epochs] = []
        for seed in SEEDS:
            recipe = get_recipe("case-study", epochs=epochs, seed=seed)
            splits = split_dataset(dataset, recipe.holdout, seed)
            torch.manual_seed(seed)
            module = build(recipe.describe_network(dataset.image_size, len(dataset.class_names)))
            *_, last = Training(module, splits.train, splits.validation, recipe).epochs()
            accuracies[epochs].append(last.validation_accuracy)
        print(f"{epochs} epochs: validation accuracy {statistics.mean(accuracies[epochs]):.2%}")
    path = write_record(
        "small-epochs",
        {
            "what": "validation accuracy of the case study on optdigits, by epochs, for each seed",
            "means": {epochs: statistics.mean(values) for epochs, values in accuracies.items()},
            "runs": accuracies,
        },
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
