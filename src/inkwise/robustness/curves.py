"""Robustness: the accuracy of models on corrupted images, by kind and severity of corruption."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError
from inkwise.evaluation.intervals import Estimate, wilson
from inkwise.evaluation.significance import LEVEL, holm, mcnemar
from inkwise.ink import CANVAS, Ink
from inkwise.model import Model
from inkwise.model.answers import chosen_logits, preprocess_all
from inkwise.robustness.attacks import fgsm, pgd
from inkwise.robustness.corruptions import CORRUPTIONS, corrupt, move, resize, turn
from inkwise.system.extras import require_training
from inkwise.system.progress import SILENT, Progress

SCHEMA = "inkwise-robustness/1"

SEVERITIES = (1, 2, 3, 4, 5)
SHIFTS = (0, 1, 2, 3, 4, 5, 6, 7, 8)
ANGLES = tuple(range(-60, 61, 10))
FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
BUDGETS = (0, 8, 16, 32, 48, 64, 80)
"""Budgets of the attacks in grey levels; the usual ε of 0.1, 0.2 and 0.3 are 25.5, 51 and 76.5."""

SEED = 0
"""Seed of the choice of images and of the random changes."""

Images = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class AccuracyCurve:
    """The predictions of a model along a series of levels of one corruption.

    Parameters
    ----------
    unit : str
        Unit of the levels: severity, pixels, degrees, factor or grey levels.
    levels : tuple of float, length L
        Levels, ascending.
    right : ndarray of bool, shape (L, N)
        Whether each image was classified correctly at each level.
    """

    unit: str
    levels: tuple[float, ...]
    right: NDArray[np.bool_]

    @property
    def accuracies(self) -> list[Estimate]:
        """The accuracy at every level, with Wilson's interval."""
        return [share_right(row) for row in self.right]

    def at(self, level: float) -> NDArray[np.bool_]:
        """Return the row of `right` that belongs to a level, bool (N,)."""
        return self.right[self.levels.index(level)]


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference between the accuracies of two models under one corruption.

    Parameters
    ----------
    value : float
        Accuracy of the first model minus that of the second.
    p : float
        Two-sided p value of McNemar's exact test, after Holm's correction for all corruptions.
    """

    value: float
    p: float

    @property
    def significant(self) -> bool:
        """Whether the difference is significant."""
        return self.p < LEVEL


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """The accuracy of one model on corrupted images.

    Parameters
    ----------
    model : str
        Name of the model.
    dataset, split : str
        The data set and the split that the images are from.
    through_ink : bool
        Whether the images were preprocessed by `inkwise.ink.normalise`, as a user's pictures are.
    clean : ndarray of bool, shape (N,)
        Whether each image was classified correctly without any corruption.
    corruptions : mapping of str to AccuracyCurve
        The corruptions of MNIST-C by name, at severities 1 to 5.
    geometry : mapping of str to AccuracyCurve
        ``shift`` along both axes, ``rotation`` (clockwise) and ``size``.
    attacks : mapping of str to AccuracyCurve
        ``FGSM`` and ``PGD``; empty if attacks were not measured. The curve of PGD is that of the
        worst case: an image that is misclassified within a budget counts as misclassified within
        any larger one. The curve of FGSM may rise again, because a large step can overshoot.
    """

    model: str
    dataset: str
    split: str
    through_ink: bool
    clean: NDArray[np.bool_]
    corruptions: Mapping[str, AccuracyCurve]
    geometry: Mapping[str, AccuracyCurve]
    attacks: Mapping[str, AccuracyCurve]

    def usual(self, name: str) -> Estimate:
        """Return the accuracy under a corruption at the severity that MNIST-C uses."""
        return share_right(self._usual(name))

    @property
    def mean_error(self) -> float:
        """The mean of the fifteen error rates, each at the severity that MNIST-C uses."""
        return 1 - float(np.mean([self.usual(name).value for name in self.corruptions]))

    @property
    def mean_error_all(self) -> float:
        """The mean error rate over all corruptions and severities."""
        return 1 - float(np.mean([curve.right.mean() for curve in self.corruptions.values()]))

    def differences(self, baseline: "Robustness") -> dict[str, Difference]:
        """Compare with another model on the same images, corruption by corruption.

        Parameters
        ----------
        baseline : Robustness
            The other model, measured together with this one.

        Returns
        -------
        dict of str to Difference
            The difference under each corruption, at the severity that MNIST-C uses.
        """
        pairs = {name: (self._usual(name), baseline._usual(name)) for name in self.corruptions}
        p_values = holm(
            [
                mcnemar(int((own & ~other).sum()), int((other & ~own).sum()))
                for own, other in pairs.values()
            ]
        )
        return {
            name: Difference(float(own.mean() - other.mean()), float(p))
            for (name, (own, other)), p in zip(pairs.items(), p_values, strict=True)
        }

    def to_dict(self, baseline: "Robustness | None" = None) -> dict[str, Any]:
        """Return all results as JSON values, with those of a baseline if one is given."""
        document = {
            "schema": SCHEMA,
            "dataset": self.dataset,
            "split": self.split,
            "images": len(self.clean),
            "seed": SEED,
            "through_ink": self.through_ink,
            **self._figures(),
            "baseline": None,
        }
        if baseline is not None:
            differences = {
                name: dataclasses.asdict(difference)
                for name, difference in self.differences(baseline).items()
            }
            document["baseline"] = {**baseline._figures(), "differences": differences}
        return document

    def _figures(self) -> dict[str, Any]:
        corruptions = {
            name: {"severity": CORRUPTIONS[name].severity, **_to_json(curve)}
            for name, curve in self.corruptions.items()
        }
        return {
            "model": self.model,
            "clean": share_right(self.clean)._asdict(),
            "mean_error": self.mean_error,
            "mean_error_all_severities": self.mean_error_all,
            "corruptions": corruptions,
            "geometry": {name: _to_json(curve) for name, curve in self.geometry.items()},
            "attacks": {name: _to_json(curve) for name, curve in self.attacks.items()},
        }

    def _usual(self, name: str) -> NDArray[np.bool_]:
        return self.corruptions[name].at(CORRUPTIONS[name].severity)


def share_right(right: NDArray[np.bool_]) -> Estimate:
    """Return the share of correct predictions, from bool (N,), with Wilson's interval."""
    return wilson(int(right.sum()), right.size)


def measure_models(
    models: Mapping[str, Model],
    digits: Split,
    dataset: str,
    split: str,
    *,
    through_ink: bool = False,
    attacks: bool = False,
    progress: Progress = SILENT,
) -> list[Robustness]:
    """Measure models on the same images with the same corruptions.

    Parameters
    ----------
    models : mapping of str to Model
        Models by name, all with the same image size and classes.
    digits : Split
        The original images, of the models' size, and their labels.
    dataset, split : str
        Names of the data set and the split that they are from.
    through_ink : bool
        Whether to preprocess every image by `inkwise.ink.normalise` first. An image in which it
        finds no ink counts as misclassified.
    attacks : bool
        Whether to attack each model with FGSM and PGD as well, which needs PyTorch.
    progress : Progress, optional
        Receives what is being measured, and how many of the steps are done.

    Returns
    -------
    list of Robustness
        One result for each model, in their order.

    Raises
    ------
    ArgumentError
        The images do not have the size of the models or are smaller than 8×8; or `through_ink` is
        given for images that are not 28×28, or together with `attacks`.
    LibraryError
        The extra ``train`` is not installed.
    """
    require_training("measuring robustness")
    if through_ink and attacks:
        raise ArgumentError(
            "attacks follow the gradient of the network, and the preprocessing by ink has none: "
            "leave out one of the two"
        )
    if through_ink and digits.images.shape[1:] != (CANVAS, CANVAS):
        raise ArgumentError(
            f"the preprocessing by ink takes only images of {CANVAS}×{CANVAS} pixels, not "
            f"{'×'.join(map(str, digits.images.shape[1:]))}: leave it out"
        )
    series = _series(digits.images)
    total = 1 + sum(len(levels) for _, levels, _ in series.values())
    total += len(models) * (2 * len(BUDGETS) if attacks else 0)
    done = 0

    def step(what: str) -> None:
        nonlocal done
        progress.step(what, done, total)
        done += 1

    def answers(images: Images) -> dict[str, NDArray[np.bool_]]:
        # Whether each model classifies each image correctly, (N,) by name.
        if not through_ink:
            return {name: model.predict(images) == digits.labels for name, model in models.items()}
        # All models are of the same data, and keep ink together or not.
        together = any(model.together for model in models.values())
        inks = preprocess_all(images, (CANVAS, CANVAS), together)
        found = np.array([isinstance(ink, Ink) for ink in inks])
        kept = [ink for ink in inks if isinstance(ink, Ink)]
        right = {name: np.zeros(len(inks), bool) for name in models}
        for name, model in models.items():
            right[name][found] = chosen_logits(model, kept).argmax(1) == digits.labels[found]
        return right

    step("as they are")
    clean = answers(digits.images)
    curves: dict[str, dict[str, AccuracyCurve]] = {name: {} for name in models}
    for title, (unit, levels, change) in series.items():
        rows: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in models}
        for level in levels:
            step(title)
            for name, right in answers(change(level)).items():
                rows[name].append(right)
        for name, own in curves.items():
            own[title] = AccuracyCurve(unit, levels, np.stack(rows[name]))

    results = []
    for name, model in models.items():
        attacked = {}
        if attacks:
            attacked = {
                "FGSM": _attack_curve(model, digits, fgsm, step),
                "PGD": _attack_curve(model, digits, pgd, step),
            }
        results.append(
            Robustness(
                name,
                dataset,
                split,
                through_ink,
                clean[name],
                {title: curves[name][title] for title in CORRUPTIONS},
                {title: curve for title, curve in curves[name].items() if title not in CORRUPTIONS},
                attacked,
            )
        )
    return results


def _series(
    images: Images,
) -> dict[str, tuple[str, tuple[float, ...], Callable[[Any], Images]]]:
    """Return by name the unit, the levels, and the function that changes images by a level."""

    def corruption(name: str) -> Callable[[Any], Images]:
        return lambda severity: corrupt(images, name, SEED, severity)

    return {
        **{name: ("severity", SEVERITIES, corruption(name)) for name in CORRUPTIONS},
        "shift": ("pixels", SHIFTS, lambda pixels: move(images, pixels, SEED)),
        "rotation": ("degrees", ANGLES, lambda degrees: turn(images, degrees)),
        "size": ("factor", FACTORS, lambda factor: resize(images, factor)),
    }


def _attack_curve(
    model: Model,
    digits: Split,
    attack: Callable[[Model, Images, NDArray[np.int64], int], Images],
    step: Callable[[str], None],
) -> AccuracyCurve:
    rows = []
    for budget in BUDGETS:
        step(attack.__name__.upper())
        attacked = attack(model, digits.images, digits.labels, budget)
        rows.append(model.predict(attacked) == digits.labels)
    right = np.stack(rows)
    if attack is pgd:
        right = np.logical_and.accumulate(right)
    return AccuracyCurve("grey levels", BUDGETS, right)


def _to_json(curve: AccuracyCurve) -> dict[str, Any]:
    return {
        "unit": curve.unit,
        "points": [
            {"level": level, **accuracy._asdict()}
            for level, accuracy in zip(curve.levels, curve.accuracies, strict=True)
        ],
    }
