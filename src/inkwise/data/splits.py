"""Setting validation images apart from the training images."""

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError, DataError, counted

TEST_SHARE = 0.2
"""Share of the images that is set apart for testing where a data set has no test part."""

_SEED = 0  # the same data always have the same test images

SplitName = Literal["train", "validation", "test"]

SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")

SPLIT_WORDS: dict[str, SplitName] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The split that a folder or a file with such a name holds, whatever its capitals."""


@dataclasses.dataclass(frozen=True)
class Holdout:
    """How validation images are set apart.

    Parameters
    ----------
    method : {"last", "stratified"}
        ``last`` takes the end of the training data as it stands, as Keras' ``validation_split``
        does; ``stratified`` draws at random, with every class at its share of the training data.
    share : float
        Part of the training data to set apart, between 0 and 1, both excluded. A stratified draw
        sets apart, and leaves, at least as many images as there are classes.

    Raises
    ------
    ArgumentError
        The method is unknown or the share out of range.
    """

    method: Literal["last", "stratified"] = "stratified"
    share: float = 0.2

    def __post_init__(self) -> None:
        if self.method not in ("last", "stratified"):
            raise ArgumentError(f"unknown holdout method {self.method!r}: use last or stratified")
        if not 0 < self.share < 1:
            raise ArgumentError(f"the validation share must lie between 0 and 1, not {self.share}")


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """The three parts of a data set in one training: training, validation and test images."""

    train: Split
    validation: Split
    test: Split

    def __getitem__(self, name: str) -> Split:
        if name not in SPLIT_NAMES:
            raise ArgumentError(f"unknown split {name!r}: use {', '.join(SPLIT_NAMES)}")
        split: Split = getattr(self, name)
        return split


def split_dataset(
    dataset: Dataset, holdout: Holdout, seed: int, corrected: Dataset | None = None
) -> Splits:
    """Set validation images apart from the training part of a data set, unless it has its own.

    Parameters
    ----------
    dataset : Dataset
        Its test part is passed on untouched.
    holdout : Holdout
        Method by which validation images are chosen, and their share.
    seed : int
        Decides the draw of a stratified split; a split of the last images does not use it.
    corrected : Dataset, optional
        The same images with corrected labels, which the parts get. Images are drawn by the labels
        of `dataset`, so that corrections move no image from one part into another.

    Returns
    -------
    Splits
        Every training image is in exactly one of ``train`` and ``validation``, in the original
        order; or the data set's own parts.

    Raises
    ------
    DataError
        There are too few training images for both parts to hold one; or a stratified draw finds a
        class with a single one.
    """
    source = corrected or dataset
    if source.validation is not None:
        return Splits(source.train, source.validation, source.test)
    kept, apart = choose_validation(dataset, holdout, seed)
    return Splits(source.train.take(kept), source.train.take(apart), source.test)


def choose_validation(
    dataset: Dataset, holdout: Holdout, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose which images of the training part `split_dataset` sets apart for validation.

    Parameters
    ----------
    dataset, holdout, seed
        As for `split_dataset`.

    Returns
    -------
    kept, apart : ndarray of intp
        Indices of the images to train and to validate on, ascending.

    Raises
    ------
    DataError
        As from `split_dataset`.
    """
    count = len(dataset.train)
    # Rounded up for training, as Keras does: int(n * (1 - share)).
    held_out = count - int(count * (1 - holdout.share))
    order = np.arange(count)
    if holdout.method == "last":
        if not 0 < held_out < count:
            raise DataError(
                f"{dataset.name} has {counted(count, 'training image')}, too few to set "
                f"{holdout.share:.0%} of them apart for validation"
            )
        return order[: count - held_out], order[count - held_out :]
    classes, counts = np.unique(dataset.train.labels, return_counts=True)
    if counts.min() < 2:
        lone = dataset.class_names[classes[counts.argmin()]]
        raise DataError(
            f"{dataset.name} has a single training image of the class {lone}: add some, so "
            "that one can be set apart for validation"
        )
    # As many as there are classes, at least, in both parts, however small the share.
    held_out = min(max(held_out, len(classes)), count - len(classes))
    return stratified_draw(dataset.train.labels, held_out, seed)


def hold_out_test(everything: Split) -> tuple[Split, Split]:
    """Set a fifth apart for testing, drawn by class and always the same.

    Parameters
    ----------
    everything : Split
        Images and labels of a data set that has no test part.

    Returns
    -------
    train, test : Split
        Both are shuffled, so that the last images of a part are of all classes too.

    Raises
    ------
    DataError
        A class has a single image.
    """
    shuffled = shuffle(everything)
    size = max(len(np.unique(everything.labels)), round(TEST_SHARE * len(everything)))
    train, test = stratified_draw(shuffled.labels, size, _SEED)
    return shuffled.take(train), shuffled.take(test)


def shuffle(split: Split) -> Split:
    """Shuffle images with their labels, always in the same way."""
    return split.take(np.random.default_rng(_SEED).permutation(len(split)))


def stratified_draw(
    labels: NDArray[np.int64], size: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw indices at random so that every class keeps its share.

    They are exactly those that scikit-learn's `train_test_split` draws with ``stratify``. It is not
    called because every training would spend most of a second on importing it.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        Class indices.
    size : int
        Number of indices to draw, at least one for each class.
    seed : int
        The same seed draws the same indices.

    Returns
    -------
    rest, drawn : ndarray of intp, shapes (N - size,) and (size,)
        Both in ascending order.

    Raises
    ------
    DataError
        A class has a single image, or there are fewer images to draw, or to leave, than classes.
    """
    counts = np.unique(labels, return_counts=True)[1]
    left = len(labels) - size
    problem = None
    if min(size, left) < max(1, len(counts)):
        problem = f"it would leave one part with fewer images than the {len(counts)} classes"
    elif counts.min() < 2:
        problem = "a class has a single image"
    if problem is not None:
        raise DataError(f"cannot draw {size:,} of {len(labels):,} images by class: {problem}")
    random = np.random.RandomState(seed)
    left_by_class = _share_out(left, counts, random)
    drawn_by_class = _share_out(size, counts - left_by_class, random)
    by_class = np.split(np.argsort(labels, kind="stable"), counts.cumsum()[:-1])
    rest, drawn = [], []
    for indices, leave, draw in zip(by_class, left_by_class, drawn_by_class, strict=True):
        shuffled = indices[random.permutation(len(indices))]
        rest.append(shuffled[:leave])
        drawn.append(shuffled[leave : leave + draw])
    return np.sort(np.concatenate(rest)), np.sort(np.concatenate(drawn))


def _share_out(
    size: int, counts: NDArray[np.int64], random: np.random.RandomState
) -> NDArray[np.int64]:
    """Divide `size` images among classes in proportion to their `counts`, int64 (K,).

    Every class gets its share rounded down. The images left over go to the classes that lost most
    by the rounding, one each; ties are broken at random.
    """
    exact = counts / counts.sum() * size
    shares = np.floor(exact)
    lost = exact - shares
    left_over = int(size - shares.sum())
    for loss in np.unique(lost)[::-1]:
        if left_over == 0:
            break
        (alike,) = np.where(lost == loss)
        chosen = random.choice(alike, size=min(len(alike), left_over), replace=False)
        shares[chosen] += 1
        left_over -= len(chosen)
    return shares.astype(np.int64)
