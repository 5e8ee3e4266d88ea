"""Slices: kinds of handwriting that are misclassified more often, and traits of confusions.

A slice is a subset of the images that is defined by a measurement of the handwriting, never by
whether the prediction was correct. A finding is reported only if it is significant in Fisher's
exact test, after Holm's correction for all comparisons that were made. So a model whose mistakes
are spread at random has a finding in at most one of twenty evaluations.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError
from inkwise.evaluation.handwriting import Handwriting, measure_handwriting
from inkwise.evaluation.intervals import Estimate, wilson
from inkwise.evaluation.significance import LEVEL, format_p, holm, more_often

SCHEMA = "inkwise-slices/1"

SHARE = 0.2
"""Share of the images that form a slice: the fifth with the thinnest strokes, and so on."""

FEWEST = 5
"""Number of times a class must be taken for another before the confusion is examined."""

PAIRS = 10
"""Number of confusions that are examined, the most frequent ones."""


@dataclasses.dataclass(frozen=True)
class Slice:
    """The images of one kind of handwriting, of any class, compared with all others.

    Parameters
    ----------
    name : str
        Name of the kind: ``thin strokes``, ``faint ink`` and so on.
    bound : str
        Condition that defines it, for instance ``stroke under 2.2 pixels``.
    images, errors : int
        Number of images of this kind, and number of these that are misclassified.
    accuracy, rest : Estimate
        Accuracy on these images, and on all others.
    p : float
        One-sided p value of Fisher's exact test for more errors than among the others, after
        Holm's correction.
    """

    name: str
    bound: str
    images: int
    errors: int
    accuracy: Estimate
    rest: Estimate
    p: float

    @property
    def significant(self) -> bool:
        """Whether the model is significantly worse on these images."""
        return self.p < LEVEL

    def __str__(self) -> str:
        return (
            f"{self.name} ({self.bound}): {self.errors:,} of {self.images:,} wrong, "
            f"{self.accuracy.value:.2%} right against {self.rest.value:.2%} of the others "
            f"({format_p(self.p)})"
        )


@dataclasses.dataclass(frozen=True)
class Trait:
    """What the images of a confusion have in common.

    Parameters
    ----------
    name, bound : str
        As for `Slice`, but determined among the images of the true class only.
    images : int
        Number of confused images that have the trait.
    share : float
        Share of all images of the true class that have it.
    p : float
        One-sided p value of Fisher's exact test for so many images or more, after Holm's
        correction.
    """

    name: str
    bound: str
    images: int
    share: float
    p: float


@dataclasses.dataclass(frozen=True, eq=False)
class Confusion:
    """The images of one class that were predicted as one other.

    Parameters
    ----------
    true, predicted : str
        Names of the classes.
    indices : ndarray of int64, shape (M,)
        Indices of the images in the split, ascending.
    traits : tuple of Trait
        Traits that are significantly more frequent among them than among all images of the true
        class, by ascending p value.
    """

    true: str
    predicted: str
    indices: NDArray[np.int64]
    traits: tuple[Trait, ...]

    @property
    def sentences(self) -> list[str]:
        """A sentence for each trait."""
        count = len(self.indices)
        sentences = []
        for trait in self.traits:
            who = f"All {count}" if trait.images == count else f"{trait.images} of the {count}"
            sentences.append(
                f"{who} images of {self.true} read as {self.predicted} have {trait.name} "
                f"({trait.bound}); of all {self.true}, {trait.share:.0%} have ({format_p(trait.p)})"
            )
        return sentences


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """Slices, confusions, and the number of comparisons they are corrected for.

    Parameters
    ----------
    slices : tuple of Slice
        All slices that were tested, by ascending p value.
    confusions : tuple of Confusion
        The most frequent pairs of classes, the most frequent first.
    comparisons : int
        Number of tests that were made in all.
    """

    slices: tuple[Slice, ...]
    confusions: tuple[Confusion, ...]
    comparisons: int

    @property
    def sentences(self) -> list[str]:
        """The significant findings as sentences; empty if there are none."""
        worse = [f"Worse on {slice_}" for slice_ in self.slices if slice_.significant]
        return worse + [line for pair in self.confusions for line in pair.sentences]

    def to_dict(self) -> dict[str, Any]:
        """Return all findings as JSON values."""
        return {
            "schema": SCHEMA,
            "comparisons": self.comparisons,
            "sentences": self.sentences,
            "slices": [
                {
                    **dataclasses.asdict(slice_),
                    "accuracy": slice_.accuracy._asdict(),
                    "rest": slice_.rest._asdict(),
                    "significant": slice_.significant,
                }
                for slice_ in self.slices
            ],
            "confusions": [
                {
                    "true": pair.true,
                    "predicted": pair.predicted,
                    "indices": pair.indices.tolist(),
                    "traits": [dataclasses.asdict(trait) for trait in pair.traits],
                    "sentences": pair.sentences,
                }
                for pair in self.confusions
            ],
        }


def find_slices(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    class_names: tuple[str, ...],
) -> Findings:
    """Find kinds of handwriting that are misclassified more often, and traits of confusions.

    A slice is the fifth of all images with the lowest or the highest values of one measurement. A
    trait of a confusion is the same among the images of its true class, or a number of loops.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
        Light ink on a black background.
    labels, predicted : ndarray of int64, shape (N,)
        The true and the predicted classes.
    class_names : tuple of str
        Names of the classes.

    Returns
    -------
    Findings

    Raises
    ------
    ArgumentError
        The arrays have different lengths.
    """
    if not len(images) == len(labels) == len(predicted):
        raise ArgumentError(
            f"there are {len(images):,} images, {len(labels):,} labels and {len(predicted):,} "
            "predictions: pass one label and one prediction for each image"
        )
    handwriting = measure_handwriting(images)
    wrong = labels != predicted
    kinds = _tails(handwriting, np.ones(len(labels), bool))
    p_values = [_p(kind.members, wrong) for kind in kinds]

    pairs = _frequent_pairs(labels, predicted)
    traits: list[list[_Kind]] = []
    for true, answer in pairs:
        own = labels == true
        confused = (predicted == answer)[own]
        traits.append([*_tails(handwriting, own), *_loops(handwriting.loops[own])])
        p_values += [_p(kind.members, confused) for kind in traits[-1]]

    corrected = iter(holm(p_values).tolist())
    slices = [
        Slice(
            kind.name,
            kind.bound,
            int(kind.members.sum()),
            int(wrong[kind.members].sum()),
            _accuracy(wrong[kind.members]),
            _accuracy(wrong[~kind.members]),
            next(corrected),
        )
        for kind in kinds
    ]
    confusions = []
    for (true, answer), tried in zip(pairs, traits, strict=True):
        confused = (predicted == answer)[labels == true]
        found = [
            Trait(
                kind.name,
                kind.bound,
                int(kind.members[confused].sum()),
                float(kind.members.mean()),
                next(corrected),
            )
            for kind in tried
        ]
        indices = np.flatnonzero((labels == true) & (predicted == answer))
        said = sorted((trait for trait in found if trait.p < LEVEL), key=lambda trait: trait.p)
        confusions.append(Confusion(class_names[true], class_names[answer], indices, tuple(said)))
    slices.sort(key=lambda slice_: slice_.p)
    return Findings(tuple(slices), tuple(confusions), len(p_values))


class _Kind(NamedTuple):
    """A kind of handwriting, and which of the images are of this kind, bool (N,)."""

    name: str
    bound: str
    members: NDArray[np.bool_]


_MEASURES = {
    "stroke_width": ("thin strokes", "thick strokes", "stroke", " pixels", 1),
    "slant": ("a lean to the left", "a lean to the right", "slant", "°, where upright is 0°", 0),
    "height": ("a small height", "a large height", "height", " pixels", 0),
    "width": ("a small width", "a large width", "width", " pixels", 0),
    "ink": ("little ink", "much ink", "ink", " full pixels", 0),
    "level": ("faint ink", "strong ink", "mean level", " of 255", 0),
}
"""By measurement: the kind with low values, the kind with high ones, name, unit, decimals."""


def _tails(handwriting: Handwriting, chosen: NDArray[np.bool_]) -> list[_Kind]:
    """Return the fifths with the lowest and highest values of every measurement.

    Only the chosen images count. If many images have the same value a fifth is smaller, and it is
    left out if it is empty; so is one that holds all of a few images.
    """
    kinds = []
    for measure, (little, much, title, unit, decimals) in _MEASURES.items():
        values = getattr(handwriting, measure)[chosen]
        if np.isnan(values).all():
            continue
        # Rounded, so that the bound is used exactly as it is displayed. Adding 0 removes any −0.
        low, high = np.round(np.nanquantile(values, [SHARE, 1 - SHARE]), decimals) + 0.0
        bounds = [f"{bound:.{decimals}f}{unit}".replace("-", "−") for bound in (low, high)]
        kinds += [
            _Kind(little, f"{title} under {bounds[0]}", values < low),
            _Kind(much, f"{title} over {bounds[1]}", values > high),
        ]
    return [kind for kind in kinds if kind.members.any() and not kind.members.all()]


def _loops(loops: NDArray[np.int64]) -> list[_Kind]:
    kinds = [
        _Kind("no loop", "closed by ink", loops == 0),
        _Kind("a loop", "one or more", loops >= 1),
        _Kind("several loops", "two or more", loops >= 2),
    ]
    return [kind for kind in kinds if kind.members.any() and not kind.members.all()]


def _frequent_pairs(
    labels: NDArray[np.int64], predicted: NDArray[np.int64]
) -> list[tuple[int, int]]:
    wrong = labels != predicted
    pairs = np.stack([labels[wrong], predicted[wrong]], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [tuple(found[place].tolist()) for place in order if counts[place] >= FEWEST][:PAIRS]


def _p(members: NDArray[np.bool_], marked: NDArray[np.bool_]) -> float:
    """Return the p value of at least so many marked images among the members."""
    hits, draws, total = (members & marked).sum(), members.sum(), len(members)
    return float(more_often(hits, draws, marked.sum(), total))


def _accuracy(wrong: NDArray[np.bool_]) -> Estimate:
    return wilson(int((~wrong).sum()), wrong.size)
