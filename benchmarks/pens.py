"""Measure accuracy on real pens: digits of the collection pendigits by writers kept aside.

No network learns from these writers' digits. Each digit is drawn once, in black on white, with a
width and a size at random, and classified as `inkwise predict` does. Prints a Markdown table.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from handwriting import name_and_path
from numpy.typing import NDArray
from record import write_record
from scipy import optimize

import inkwise
from inkwise.data.catalogue import place_of_files
from inkwise.data.pendigits import KEPT_ASIDE, PenDigit, load_pendigits
from inkwise.data.splits import split_dataset
from inkwise.model import Model
from inkwise.runs.models import find_model

WIDTHS = (0.03, 0.06, 0.09, 0.13)
"""Widths of the pens, as shares of a digit's larger side."""

SIDES = (60, 240)
"""Least and greatest larger side of a digit, in pixels."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=name_and_path, metavar="NAME=MODEL")
    parser.add_argument(
        "--data-dir", type=Path, help="where the collection is; by default as for a training"
    )
    parser.add_argument(
        "--all", action="store_true", help="all writers, for a model that learned from none of them"
    )
    arguments = parser.parse_args()
    digits = [
        digit
        for digit in load_pendigits(place_of_files(arguments.data_dir))
        if arguments.all or digit.writer in KEPT_ASIDE
    ]
    generator = np.random.default_rng(0)
    pictures = [draw(digit, generator) for digit in digits]
    models = {name: find_model(path) for name, path in arguments.models}
    models["in the package"] = inkwise.load_pretrained()
    figures = {name: measure(model, pictures, digits) for name, model in models.items()}
    print(f"| | {' | '.join(models)} |\n|---{'|---:' * len(models)}|")
    for row in next(iter(figures.values())):
        print(f"| {row} | {' | '.join(f'{each[row]:.2%}' for each in figures.values())} |")
    hands = fit_hands(models["in the package"], pictures, digits)
    print(f"\nlikeliest factor of the odds of a 1 against a 7: {hands}")
    record = {
        "digits": len(digits),
        "all_writers": arguments.all,
        "figures": figures,
        "likeliest_factors": hands,
    }
    print(f"wrote {write_record('pens', record)}")


def fit_hands(
    model: Model, pictures: list[NDArray[np.uint8]], digits: list[PenDigit]
) -> dict[str, float]:
    """Return the factor of the odds of a 1 against a 7 that makes the labels likeliest.

    For hands from Europe it is fitted on these digits, and for those from America on MNIST's
    validation images of the recipe `precise`.
    """
    splits = split_dataset(
        inkwise.load_dataset("mnist"), inkwise.get_recipe("precise").holdout, seed=0
    )
    chosen = np.isin(splits.validation.labels, (1, 7))
    known = [
        (picture, digit)
        for picture, digit in zip(pictures, digits, strict=True)
        if digit.label in ("1", "7")
    ]
    tops = [dict(answer.top) for answer in model.classify([picture for picture, _ in known])]
    pairs = {
        "europe": (
            np.array([[top.get("1", 0), top.get("7", 0)] for top in tops]),
            np.array([digit.label == "1" for _, digit in known]),
        ),
        "america": (
            model.predict_proba(splits.validation.images[chosen])[:, (1, 7)],
            splits.validation.labels[chosen] == 1,
        ),
    }
    factors = {}
    for hand, (probabilities, is_one) in pairs.items():
        odds = np.diff(-np.log(np.maximum(probabilities, 1e-9)))[:, 0]
        signs = np.where(is_one, 1, -1)
        found = optimize.minimize_scalar(
            lambda shift, odds=odds, signs=signs: np.logaddexp(0, -signs * (odds + shift)).sum(),
            bounds=(-6, 6),
            method="bounded",
        )
        factors[hand] = float(np.exp(found.x))
    return factors


def draw(digit: PenDigit, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a digit dark on light, uint8 (H, W)."""
    points = np.vstack(digit.strokes)
    low, high = points.min(0), points.max(0)
    side = generator.integers(*SIDES)
    scale = side / max(*(high - low), 1)
    margin = 0.3 * side
    width, height = np.ceil((high - low) * scale + 2 * margin).astype(int)
    picture = np.full((height, width), 255, np.uint8)
    pen = max(1, round(side * generator.choice(WIDTHS)))
    for stroke in digit.strokes:
        corners = np.round(((stroke - low) * scale + margin) * 16).astype(np.int32)
        cv2.polylines(picture, [corners], False, 20, pen, cv2.LINE_AA, 4)
    return picture


def measure(
    model: Model, pictures: list[NDArray[np.uint8]], digits: list[PenDigit]
) -> dict[str, float]:
    """Return shares of all digits read right, of each class, of the worst writer, and others."""
    answers = model.classify(pictures)
    labels = np.array([digit.label for digit in digits])
    writers = np.array([digit.writer for digit in digits])
    right = np.array([answer.label for answer in answers]) == labels
    sure = np.array([answer.verdict == "digit" for answer in answers])
    return {
        "right": float(right.mean()),
        "right, the worst writer": min(float(right[writers == who].mean()) for who in set(writers)),
        "verdict *digit*": float(sure.mean()),
        "wrong among these": float(np.mean(~right[sure])),
        **{
            f"right, of {label}": float(right[labels == label].mean())
            for label in sorted(set(labels))
        },
    }


if __name__ == "__main__":
    main()
