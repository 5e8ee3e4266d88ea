"""Images to go on learning from: a user's own, and a share of what the model has learned before."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.own_images import OwnImages
from inkwise.data.splits import TEST_SHARE, Splits, shuffle
from inkwise.errors import DataError, counted
from inkwise.runs.seen_images import hash_images

LEAST = 1_000
"""Images of the user's own in an epoch: fewer are repeated, and augmented differently each time.

Where nothing is rehearsed they take the place of the earlier ones, too.
"""

REHEARSED = 2
"""Images of the earlier data for each of the user's own, so that the model forgets little."""

VALIDATED = 500
"""Images of the earlier validation data that a training which goes on validates on."""


def join_classes(known: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Return the classes to learn: the model's and new ones; or own ones alone, if all are new."""
    new = [name for name in own if name not in known]
    return tuple(own) if len(new) == len(own) else (*known, *new)


def hold_out(own: Split, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Choose a fifth of the images of every class for testing.

    Parameters
    ----------
    own : Split
        Images and labels that are not divided.
    seen : ndarray of bool, shape (N,)
        Which of them the model has learned from before: none of these is chosen.

    Returns
    -------
    ndarray of bool, shape (N,)
        At least one image of a class with three or more. Images are chosen by their hashes, so that
        most stay where they are when others join them.
    """
    hashes = hash_images(own.images)
    chosen = np.zeros(len(own), bool)
    for label in np.unique(own.labels):
        (places,) = np.nonzero(own.labels == label)
        count = max(round(TEST_SHARE * len(places)), int(len(places) >= 3))
        free = places[~seen[places]]
        chosen[free[hashes[free].argsort(kind="stable")][:count]] = True
    return np.isin(hashes, hashes[chosen])


def mix(
    own: OwnImages,
    class_names: tuple[str, ...],
    seen: NDArray[np.bool_] | None,
    earlier: tuple[Dataset, Splits] | None,
    seed: int,
) -> tuple[Dataset, int]:
    """Make the data set of a training that goes on from a model.

    Parameters
    ----------
    own : OwnImages
        The user's images: divided into ``train`` and ``test``, or the ``whole``.
    class_names : tuple of str
        The classes to learn, the user's among them.
    seen : ndarray of bool, shape (N,), optional
        Which images of the whole must not be held out, see `hold_out`.
    earlier : (Dataset, Splits), optional
        What the model has learned before, with the model's classes first among `class_names`.
    seed : int
        Seed of the draw from the earlier images.

    Returns
    -------
    dataset : Dataset
        Its test images are the user's alone. With earlier data, two thirds of the training images
        and the validation images are earlier ones, the latter such as the model has not learned
        from.
    own_images : int
        How many of the training images are the user's, with repetitions; they are the first.

    Raises
    ------
    DataError
        No image is left to learn from, or to test on.
    """
    parts = {
        part: _relabel(split, own.class_names, class_names) for part, split in own.parts.items()
    }
    told = [*own.notices]
    if "whole" in parts:
        whole = parts["whole"]
        tested = hold_out(whole, np.zeros(len(whole), bool) if seen is None else seen)
        if not 0 < tested.sum() < len(whole):
            raise DataError(
                f"{own.places['whole']} has {counted(len(whole), 'picture')}, too few to learn "
                "from some and to test on others: add some, at least three of one class"
            )
        parts["train"] = shuffle(whole.take(np.flatnonzero(~tested)))
        parts["test"] = whole.take(np.flatnonzero(tested))
        told.append(
            f"{tested.sum():,} of the {len(whole):,} pictures in {own.places['whole']} "
            f"{'is' if tested.sum() == 1 else 'are'} held out as test images: about "
            "a fifth of every class, and at least one of three."
        )
    for part in ("train", "test"):
        if part not in parts:
            raise DataError(f"{own.source} has no images for the split {part}: add some")
    train, validation = parts["train"], parts.get("validation")
    if earlier is None and validation is None:
        apart = hold_out(train, np.zeros(len(train), bool))
        if not apart.any():
            raise DataError(
                f"{own.source} has {counted(len(train), 'image')} to learn from, too few to "
                "set some apart for validation: add some, at least three of one class"
            )
        train, validation = (train.take(np.flatnonzero(part)) for part in (~apart, apart))
    rehearsed = () if earlier is None else earlier[0].class_names
    for label, name in enumerate(class_names):
        if name not in rehearsed and label not in train.labels:
            raise DataError(f"{own.source} has no images of {name} to learn from: add some")
    count = len(train)
    train = _repeat(train, LEAST * (1 if earlier else 1 + REHEARSED))
    own_images = len(train)
    title = f"{own.title}; {count:,} to learn from, each {own_images // count} times an epoch"
    if earlier is not None:
        dataset, splits = earlier
        first, second = np.random.default_rng(seed).spawn(2)
        old = _relabel(
            _draw(splits.train, REHEARSED * own_images, first), dataset.class_names, class_names
        )
        title += f", with {len(old):,} of {dataset.name}"
        train = _join(train, old)
        drawn = _draw(splits.validation, VALIDATED, second)
        drawn = _relabel(drawn, dataset.class_names, class_names)
        validation = drawn if validation is None else _join(validation, drawn)
    mixed = Dataset(
        name=own.name,
        title=title,
        class_names=class_names,
        train=train,
        test=parts["test"],
        source=str(own.source.resolve()),
        notice=" ".join(told) or None,
        validation=validation,
        together=own.together,
    )
    return mixed, own_images


def _relabel(split: Split, names: Sequence[str], new_names: Sequence[str]) -> Split:
    """Return the same images with labels as indices of other names."""
    return Split(split.images, np.array([new_names.index(name) for name in names])[split.labels])


def _repeat(split: Split, least: int) -> Split:
    """Repeat images until there are about so many."""
    return split.take(np.tile(np.arange(len(split)), max(1, round(least / len(split)))))


def _draw(split: Split, count: int, generator: np.random.Generator) -> Split:
    """Draw images at random, or take all if there are not as many."""
    return split.take(generator.permutation(len(split))[:count])


def _join(first: Split, second: Split) -> Split:
    return Split(
        np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels])
    )


def as_own_images(dataset: Dataset) -> OwnImages:
    """Return a data set as the images of a user's own."""
    parts = {"train": dataset.train, "test": dataset.test}
    if dataset.validation is not None:
        parts["validation"] = dataset.validation
    source = Path(dataset.source)
    return OwnImages(
        name=dataset.name,
        title=dataset.title,
        source=source,
        class_names=dataset.class_names,
        parts=parts,
        places=dict.fromkeys(parts, source),
        notices=(dataset.notice,) if dataset.notice else (),
        together=dataset.together,
    )
