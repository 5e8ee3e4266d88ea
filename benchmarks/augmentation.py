"""Measure what each part of the data augmentation gains, one at a time, on validation images.

The network of `precise` is trained on a part of the images with a single kind of augmentation. Its
accuracy is measured on some of MNIST's last 10,000 training images, original and corrupted. Prints
a Markdown table.
"""

import argparse
import dataclasses
import statistics

import numpy as np
import torch
from moved import halve_contrast, move_within
from numpy.typing import NDArray
from PIL import Image
from record import write_record

import inkwise
from inkwise.data.dataset import Split
from inkwise.ink.fitting import bounds, fit_and_centre
from inkwise.networks.as_torch import build
from inkwise.robustness.corruptions import CORRUPTIONS, corrupt
from inkwise.training.augmentation import EFFECTS, Augmentation
from inkwise.training.loop import Training, predict_logits
from inkwise.training.named_recipes import get_recipe
from inkwise.training.recipe import Recipe

TRAINED, EPOCHS = 20_000, 4
VALIDATION, SEEN = 10_000, 2_000
"""Number of validation images, the last ones, and how many of them are used."""

NOTHING = Augmentation(shift=0, rotation=0, zoom=0)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 0")
    seeds = parser.parse_args().seeds

    images = inkwise.load_dataset("mnist").train
    train = images.take(np.arange(TRAINED))
    validation = images.take(np.arange(len(images) - VALIDATION, len(images)))
    worse = make_worse(validation.take(np.arange(SEEN)))
    recipe = get_recipe("precise", epochs=EPOCHS, outliers=0.0)
    rows = {
        name: [
            measure(dataclasses.replace(recipe, augmentation=part, seed=seed), train, worse)
            for seed in range(seeds)
        ]
        for name, part in parts(recipe).items()
    }
    columns = list(rows["nothing"][0])
    print(f"| only | {' | '.join(columns)} |\n|---{'|---:' * len(columns)}|")
    for name, figures in rows.items():
        means = [statistics.mean(figure[column] for figure in figures) for column in columns]
        print(f"| {name} | {' | '.join(f'{mean:.2%}' for mean in means)} |")
    path = write_record(
        "augmentation",
        {
            "what": "validation accuracy of the precise network, by the only augmentation",
            "trained_on": TRAINED,
            "epochs": EPOCHS,
            "recipe": recipe.to_dict(),
            "accuracy": rows,
        },
    )
    print(f"wrote {path}")


def parts(recipe: Recipe) -> dict[str, Augmentation | None]:
    """Return no augmentation, every part of a recipe's augmentation by itself, and all of it."""
    whole = recipe.augmentation
    assert whole is not None  # noqa: S101 - precise has one
    limits = {name: value for name, value in vars(whole).items() if name != "effects"}
    return {
        "nothing": None,
        **{name: dataclasses.replace(NOTHING, **{name: limit}) for name, limit in limits.items()},
        **{
            name.replace("_", " "): dataclasses.replace(
                NOTHING, effects={name: whole.effects[name]}
            )
            for name in EFFECTS
        },
        "all of them": whole,
    }


def make_worse(digits: Split) -> dict[str, list[Split]]:
    """Return the changed images by the kind of change; the fifteen corruptions are one kind."""

    def like(images: NDArray[np.uint8]) -> Split:
        return Split(images, digits.labels)

    return {
        "as they are": [digits],
        "scanned at 8×8": [like(np.stack([scan(image) for image in digits.images]))],
        "moved by up to 6 pixels": [like(move_within(digits.images, 6))],
        "inverted": [like(255 - digits.images)],
        "half contrast": [like(halve_contrast(digits.images))],
        "fifteen corruptions": [like(corrupt(digits.images, name)) for name in CORRUPTIONS],
    }


def scan(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop a digit, reduce it to 8×8 cells, and enlarge it again."""
    return fit_and_centre(count_in_cells(image, 8))


def count_in_cells(image: NDArray[np.uint8], cells: int) -> NDArray[np.uint8]:
    """Crop a digit, and average it in `cells` cells along its longer side, at least 2 a side."""
    top, left, bottom, right = bounds(image)
    ink = image[top:bottom, left:right]
    height, width = (max(2, round(cells * side / max(ink.shape))) for side in ink.shape)
    return np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX))


def measure(recipe: Recipe, train: Split, worse: dict[str, list[Split]]) -> dict[str, float]:
    """Train, and return the accuracy for each kind of change."""
    torch.manual_seed(recipe.seed)
    module = build(recipe.describe_network((28, 28), 10), recipe.batch_norm)
    training = Training(module, train, worse["as they are"][0], recipe)
    *_, last = training.epochs()
    print(f"{recipe.augmentation}: {last}", flush=True)

    def accuracy(digits: Split) -> float:
        answers = predict_logits(training.averaged, torch.from_numpy(digits.images)).argmax(1)
        return float(np.mean(answers.numpy() == digits.labels))

    return {name: statistics.mean(map(accuracy, cases)) for name, cases in worse.items()}


if __name__ == "__main__":
    main()
