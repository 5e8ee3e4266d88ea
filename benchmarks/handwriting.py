"""Measure accuracy, calibration and abstention on digits that are not MNIST's own.

Prints a Markdown table with a row for each metric and a column for each model. A NAME that is given
several times, with models of one recipe from several seeds, is one column: mean ± standard
deviation.

Digits are given to the network as they are and, in rows of their own, through ink: with the
preprocessing of `inkwise predict`. A picture in which ink finds nothing counts as misclassified.
"""

import argparse
import dataclasses
import statistics
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from moved import halve_contrast, move_within
from nondigits import auroc, draw_non_digits
from numpy.typing import NDArray
from PIL import Image
from record import write_record
from sklearn.datasets import load_digits

import inkwise
from inkwise.data.optdigits import load_optdigits
from inkwise.data.splits import split_dataset
from inkwise.evaluation.reliability import expected_calibration_error, selective_accuracy
from inkwise.ink import CANVAS, Ink
from inkwise.model import Model
from inkwise.model.answers import chosen_logits, preprocess_all
from inkwise.model.calibration import energy_score, softmax
from inkwise.pages.drawing import WRONG, styled, to_bytes
from inkwise.robustness.corruptions import CORRUPTIONS, corrupt, move
from inkwise.runs.models import find_model
from inkwise.system.files import write_bytes
from inkwise.training.recipe import Recipe

IMAGES = Path(__file__).parents[1] / "docs" / "images"
NON_DIGITS = 1_000
"""Number of pictures of each kind of non-digit."""
SHARES = (0.9, 0.95, 0.99)
SHOWN = 10
"""Number of mistakes of each case in the figure."""
THROUGH_INK = " through ink"
MNIST, OPTDIGITS = "MNIST", f"optdigits{THROUGH_INK}"
NO_DIGIT = -1
"""Label of a picture in which ink finds nothing, so that no prediction is correct."""


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """Digits with their labels and, if they were preprocessed, what ink found in them."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    inks: tuple[Ink, ...] | None = None

    def logits(self, model: Model) -> NDArray[np.float32]:
        """Return the logits, of the reading that the model chooses if ink has found several."""
        return model.logits(self.images) if self.inks is None else chosen_logits(model, self.inks)

    def __len__(self) -> int:
        return len(self.labels)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "models",
        nargs="+",
        type=name_and_path,
        metavar="NAME=MODEL",
        help="runs or model directories, each with a name for its column",
    )
    parser.add_argument(
        "--split",
        choices=("validation", "test"),
        default="test",
        help="the images of MNIST that the models were validated on, or its test images and "
        "optdigits (default)",
    )
    arguments = parser.parse_args()
    models: dict[str, list[Model]] = {}
    for name, path in arguments.models:
        models.setdefault(name, []).append(find_model(path))

    recipes = [
        Recipe.from_dict(model.provenance["recipe"]) for seeds in models.values() for model in seeds
    ]
    if arguments.split == "validation" and len({(each.holdout, each.seed) for each in recipes}) > 1:
        parser.error("the models were validated on different images: compare them one at a time")
    cases = draw_cases(arguments.split, recipes[0])
    strange = draw_non_digits(cases[MNIST].images, NON_DIGITS)
    figures: dict[str, list[dict[str, float]]] = {}
    for name, seeds in models.items():
        figures[name] = [measure(model, cases, strange) for model in seeds]
    print(table(figures, arguments.split))

    suffix = "" if arguments.split == "test" else f"-{arguments.split}"
    chosen = list(models)[-1]
    as_they_are = {
        name: case
        for name, case in cases.items()
        if name == OPTDIGITS or not name.endswith(THROUGH_INK)
    }
    picture = mistake_sheet(chosen, models[chosen][0], as_they_are)
    drawn = write_bytes(IMAGES / f"handwriting-mistakes{suffix}.png", to_bytes(picture, "png"))
    curves = write_bytes(
        IMAGES / f"handwriting-selective{suffix}.png",
        to_bytes(selective_curves(models, cases), "png"),
    )
    recorded = write_record(
        f"handwriting{suffix}",
        {
            "split": arguments.split,
            "images": {name: len(case) for name, case in cases.items()},
            "no_ink_found": {
                name: int(np.sum(case.labels == NO_DIGIT))
                for name, case in cases.items()
                if name.endswith(THROUGH_INK)
            },
            "non_digits_of_each_kind": NON_DIGITS,
            "models": {
                name: {
                    "recipes": [model.provenance.get("recipe") for model in models[name]],
                    "calibrations": [model.calibration.to_dict() for model in models[name]],
                    "figures": {row: [seed[row] for seed in seeds] for row in seeds[0]},
                }
                for name, seeds in figures.items()
            },
        },
    )
    print(f"\nwrote {recorded}\nwrote {drawn}\nwrote {curves}")


def name_and_path(argument: str) -> tuple[str, Path]:
    """Split an argument of the form NAME=MODEL."""
    name, equals, path = argument.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{argument!r} is not of the form NAME=MODEL")
    return name, Path(path)


def draw_cases(split: str, recipe: Recipe) -> dict[str, Case]:
    """Return the cases by name: MNIST's digits, changed ones, and those of optdigits."""
    own = split_dataset(inkwise.load_dataset("mnist"), recipe.holdout, recipe.seed)[split]
    images = {
        MNIST: own.images,
        "moved by 4 pixels both ways": move(own.images, 4),
        "moved by up to 6 pixels": move_within(own.images, 6),
        "inverted": 255 - own.images,
        "half contrast": halve_contrast(own.images),
        **{name: corrupt(own.images, name) for name in CORRUPTIONS},
    }
    cases = {name: Case(changed, own.labels) for name, changed in images.items()}
    cases |= {f"{name}{THROUGH_INK}": through_ink(case) for name, case in cases.items()}
    if split == "test":  # nothing may be chosen on optdigits, either
        cases["optdigits resized"] = resized_optdigits()
        cases[OPTDIGITS] = all_of(load_optdigits())
    return cases


def through_ink(digits: Case) -> Case:
    """Return digits after the preprocessing that a user's pictures go through."""
    blank = Ink(np.zeros((CANVAS, CANVAS), np.uint8), "light ink", (0, 0, CANVAS, CANVAS), 1.0)
    found = preprocess_all(digits.images, (CANVAS, CANVAS))
    inks = tuple(ink if isinstance(ink, Ink) else blank for ink in found)
    labels = np.where([isinstance(ink, Ink) for ink in found], digits.labels, NO_DIGIT)
    return Case(np.stack([ink.image for ink in inks]), labels, inks)


def resized_optdigits() -> Case:
    """Return scikit-learn's digits resized to 28×28, as tutorials do it."""
    bunch = load_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    larger = [Image.fromarray(image).resize((28, 28), Image.Resampling.BILINEAR) for image in grey]
    return Case(np.stack([np.asarray(image) for image in larger]), bunch.target.astype(np.int64))


def all_of(dataset: inkwise.Dataset) -> Case:
    """Return the training and test images together of a data set that no model was trained on."""
    parts = dataset.train, dataset.test
    return Case(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def measure(
    model: Model, cases: dict[str, Case], strange: dict[str, NDArray[np.uint8]]
) -> dict[str, float]:
    """Return every metric of a model, from 0 to 1, by the name of its row."""
    logits = {name: case.logits(model) for name, case in cases.items()}
    accuracies = {
        name: float(np.mean(logits[name].argmax(axis=1) == case.labels))
        for name, case in cases.items()
    }
    corrupted = {way: [f"{name}{way}" for name in CORRUPTIONS] for way in ("", THROUGH_INK)}
    figures = {
        f"accuracy, {name}": share
        for name, share in accuracies.items()
        if name not in corrupted[""] + corrupted[THROUGH_INK]
    }
    for way, names in corrupted.items():
        errors = {name: 1 - accuracies[name] for name in names}
        figures |= {f"error, {name}": error for name, error in errors.items()}
        figures[f"error, mean of the fifteen{way}"] = statistics.mean(errors.values())

    scores = {name: energy_score(found) for name, found in logits.items()}
    digits = [name for name in (MNIST, OPTDIGITS) if name in cases]
    for name in digits:
        labels, temperature = cases[name].labels, model.calibration.temperature
        for title, degree in (("temperature 1", 1.0), ("calibrated", temperature)):
            error = expected_calibration_error(labels, softmax(logits[name], degree))
            figures[f"calibration error, {name}, {title}"] = error
    for name in digits:
        figures[f"refused, {name}"] = refused(model, logits[name])

    strange_logits = {kind: model.logits(pictures) for kind, pictures in strange.items()}
    turned_away = {kind: refused(model, found) for kind, found in strange_logits.items()}
    areas = {
        kind: auroc(scores[MNIST], energy_score(found)) for kind, found in strange_logits.items()
    }
    figures |= {f"refused, {kind}": share for kind, share in turned_away.items()}
    figures["refused, mean of the six"] = statistics.mean(turned_away.values())
    figures |= {f"AUROC, {kind}": area for kind, area in areas.items()}
    figures["AUROC, mean of the six"] = statistics.mean(areas.values())

    for name in digits:
        right = logits[name].argmax(axis=1) == cases[name].labels
        sure = softmax(logits[name], model.calibration.temperature).max(axis=1)
        curve = selective_accuracy(right, sure)
        figures |= {
            f"accuracy, {name}, surest {share:.0%} answered": curve.at(share) for share in SHARES
        }
    return figures


def refused(model: Model, logits: NDArray[np.float32]) -> float:
    """Return the share of images on which the model abstains."""
    calibration = model.calibration
    probabilities = softmax(logits, calibration.temperature).max(axis=1)
    strange = energy_score(logits) < calibration.lowest_score
    return float(np.mean(strange | (probabilities < calibration.lowest_probability)))


def table(figures: dict[str, list[dict[str, float]]], split: str) -> str:
    """Return the metrics as a Markdown table, in percent except for the areas under curves."""
    lines = [f"| {split} | {' | '.join(figures)} |", "|---" + "|---:" * len(figures) + "|"]
    rows = next(iter(figures.values()))[0]
    for row in rows:
        form = ".4f" if row.startswith("AUROC") else ".2%"
        cells = []
        for seeds in figures.values():
            values = [seed[row] for seed in seeds]
            mean = format(statistics.mean(values), form)
            spread = f" ± {statistics.stdev(values):{form}}" if len(values) > 1 else ""
            cells.append(mean + spread)
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


@styled
def selective_curves(models: dict[str, list[Model]], cases: dict[str, Case]) -> Figure:
    """Draw the error rate among the most confident predictions, for each name's first model."""
    digits = [name for name in (MNIST, OPTDIGITS) if name in cases]
    figure = Figure(figsize=(4.5 * len(digits), 4), layout="constrained")
    for place, name in enumerate(digits, start=1):
        axes = figure.add_subplot(1, len(digits), place)
        images, labels = cases[name].images, cases[name].labels
        for title, (model, *_) in models.items():
            probabilities = model.predict_proba(images)
            right = probabilities.argmax(axis=1) == labels
            curve = selective_accuracy(right, probabilities.max(axis=1))
            axes.plot(100 * curve.answered, 100 * (1 - curve.accuracy), label=title)
        axes.set_title(name)
        axes.set_xlabel("images answered, most confident first, %")
        axes.set_xlim(90, 100)
        axes.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("error rate among these, %")
    figure.axes[0].legend()
    return figure


@styled
def mistake_sheet(name: str, model: Model, cases: dict[str, Case]) -> Figure:
    """Draw the most confident mistakes of every case: true label, prediction and confidence."""
    tile, across, down = 28, 34, 42  # side of an image, and distances to the next, in pixels
    height, width = down * len(cases), across * SHOWN
    wide, tall = 7.5, 7.5 * height / width  # inches, and 2 more for the names, 0.6 for the title
    figure = Figure(figsize=(wide + 2, tall + 0.6))
    title = f"The most confident mistakes of {name}: true → predicted, and the confidence"
    figure.suptitle(title, x=0.01, y=1 - 0.15 / (tall + 0.6), ha="left", va="top")
    axes = figure.add_axes(
        (2 / (wide + 2), 0.1 / (tall + 0.6), wide / (wide + 2), tall / (tall + 0.6))
    )
    sheet = np.full((height, width), 255, np.uint8)
    for row, (case, digits) in enumerate(cases.items()):
        probabilities = model.predict_proba(digits.images)
        answers, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = np.flatnonzero(answers != digits.labels)
        top = (row + 1) * down - tile - 2
        about = f"{case}\n{len(wrong) / len(digits):.2%} wrong"
        axes.text(-4, top + tile / 2, about, ha="right", va="center", fontsize=8)
        for column, index in enumerate(wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]):
            left = column * across + 1
            sheet[top - 1 : top + tile + 1, left - 1 : left + tile + 1] = 160  # a frame
            sheet[top : top + tile, left : left + tile] = digits.images[index]
            true, answer = (model.class_names[k] for k in (digits.labels[index], answers[index]))
            caption = f"{true} → {answer}  {sure[index]:.0%}"
            axes.text(left + tile / 2, top - 3, caption, ha="center", color=WRONG, fontsize=7)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.axis("off")
    return figure


if __name__ == "__main__":
    main()
