import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from inkwise.data.dataset import Dataset, Split
from inkwise.data.splits import SPLIT_NAMES, Holdout, Splits, split_dataset, stratified_draw
from inkwise.errors import ArgumentError, DataError


def numbered(labels: NDArray[np.int64]) -> Dataset:
    """Return a data set whose images are one pixel high and spell their own index."""
    spelled = np.arange(len(labels), dtype=np.uint32)
    images = spelled.view(np.uint8).reshape(len(labels), 1, 4)
    names = tuple(map(str, range(max(2, labels.max() + 1))))
    return Dataset("toy", "Toy", names, Split(images, labels), Split(images, labels), "memory")


def indices(split: Split) -> NDArray[np.uint32]:
    return np.ascontiguousarray(split.images).reshape(-1).view(np.uint32)


LABELS = np.random.default_rng(0).choice(4, size=1000, p=[0.5, 0.3, 0.15, 0.05])


@pytest.mark.parametrize("share", [0.1, 0.2, 1 / 3, 0.7])
@pytest.mark.parametrize("count", [10, 1000, 60_000])
def test_last_is_keras_validation_split(count: int, share: float) -> None:
    splits = split_dataset(
        numbered(np.zeros(count, dtype=np.int64)), Holdout("last", share), seed=0
    )
    # keras.src.trainers.data_adapters.array_slicing.train_validation_split
    split_at = int(np.floor(count * (1.0 - share)))
    np.testing.assert_array_equal(indices(splits.train), np.arange(split_at))
    np.testing.assert_array_equal(indices(splits.validation), np.arange(split_at, count))


def test_last_does_not_depend_on_the_seed() -> None:
    one, other = (split_dataset(numbered(LABELS), Holdout("last"), seed) for seed in (1, 2))
    np.testing.assert_array_equal(indices(one.validation), indices(other.validation))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_stratified_keeps_every_class_at_its_share(seed: int) -> None:
    splits = split_dataset(numbered(LABELS), Holdout("stratified", 0.25), seed)
    drawn = np.bincount(splits.validation.labels, minlength=4)
    np.testing.assert_array_less(abs(drawn - np.bincount(LABELS) / 4), 1)


def test_stratified_draws_what_its_seed_says() -> None:
    def draw(seed: int) -> NDArray[np.uint32]:
        return indices(split_dataset(numbered(LABELS), Holdout("stratified"), seed).validation)

    np.testing.assert_array_equal(draw(7), draw(7))
    assert not np.array_equal(draw(7), draw(8))


def test_stratified_draws_from_all_over_the_data() -> None:
    drawn = indices(split_dataset(numbered(LABELS), Holdout("stratified"), seed=0).validation)
    quarters = np.bincount(drawn // 250, minlength=4)
    assert quarters.min() > 25  # 50 on average


@given(
    class_sizes=st.lists(st.integers(10, 60), min_size=1, max_size=6),
    share=st.floats(0.15, 0.85),
    method=st.sampled_from(["last", "stratified"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_image_is_in_exactly_one_part_with_its_label_and_in_order(
    class_sizes: list[int], share: float, method: str, seed: int
) -> None:
    labels = np.random.default_rng(seed).permutation(
        np.repeat(np.arange(len(class_sizes)), class_sizes)
    )
    dataset = numbered(labels)
    splits = split_dataset(dataset, Holdout(method, share), seed)  # type: ignore[arg-type]
    count = len(labels)
    assert len(splits.validation) == count - int(count * (1 - share))
    train, validation = indices(splits.train), indices(splits.validation)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(count))
    for part, split in ((train, splits.train), (validation, splits.validation)):
        assert (np.diff(part.astype(np.int64)) > 0).all()
        np.testing.assert_array_equal(split.labels, labels[part])
    assert splits.test is dataset.test


def test_mnist_is_split_as_the_case_study_does(mnist: Dataset) -> None:
    splits = split_dataset(mnist, Holdout("last", 0.2), seed=0)
    assert [len(splits[name]) for name in SPLIT_NAMES] == [48_000, 12_000, 10_000]
    np.testing.assert_array_equal(splits.validation.images, mnist.train.images[-12_000:])


@pytest.mark.parametrize(
    ("labels", "holdout"),
    [
        (np.array([0]), Holdout("last", 0.5)),
        (np.array([0]), Holdout("stratified", 0.5)),
        (np.array([0, 0, 0]), Holdout("last", 0.9)),  # leaves none to train on
        (np.array([0, 0]), Holdout("last", 1e-17)),  # rounds to no image at all
        (np.array([0, 0, 0, 1]), Holdout("stratified", 0.5)),  # a class of one
    ],
)
def test_too_few_images_are_a_data_error(labels: NDArray[np.int64], holdout: Holdout) -> None:
    with pytest.raises(DataError) as caught:
        split_dataset(numbered(labels), holdout, seed=0)
    assert "\n" not in str(caught.value)


@given(
    class_sizes=st.lists(st.integers(2, 9), min_size=1, max_size=12),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_two_images_of_each_class_are_enough_for_a_stratified_split(
    class_sizes: list[int], share: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    splits = split_dataset(numbered(labels), Holdout("stratified", share), seed)
    parts = [indices(splits.train), indices(splits.validation)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert min(map(len, parts)) >= len(class_sizes)
    if len({*class_sizes}) == 1:
        for split in (splits.train, splits.validation):
            assert np.bincount(split.labels, minlength=len(class_sizes)).min() >= 1


def test_a_class_of_one_image_is_named() -> None:
    with pytest.raises(DataError, match="toy has a single training image of the class 2: add"):
        split_dataset(numbered(np.array([0, 0, 2, 3, 3])), Holdout("stratified"), seed=0)


@pytest.mark.parametrize("method", ["last", "stratified"])
def test_given_validation_images_are_used(method: str) -> None:
    dataset = numbered(LABELS)
    own = dataset.test.take(np.arange(7))
    given = dataclasses.replace(dataset, validation=own)
    splits = split_dataset(given, Holdout(method), seed=0)  # type: ignore[arg-type]
    assert (splits.train, splits.validation) == (given.train, own)
    assert given.sha256 != dataset.sha256
    relabelled = dataclasses.replace(given, train=Split(given.train.images, LABELS[::-1]))
    corrected = split_dataset(given, Holdout(method), 0, relabelled)  # type: ignore[arg-type]
    assert corrected.train is relabelled.train


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_share_outside_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        Holdout("last", share)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'first': use last or stratified"):
        Holdout("first")  # type: ignore[arg-type]


def test_splits_go_by_their_names() -> None:
    part = numbered(LABELS).train
    splits = Splits(train=part.take(np.arange(3)), validation=part, test=part)
    assert splits["train"] is splits.train
    with pytest.raises(ArgumentError, match="unknown split 'dev': use train, validation, test"):
        splits["dev"]


@given(size=st.integers(4, 996), seed=st.integers(0, 2**32 - 1))
def test_a_stratified_draw_parts_the_indices(size: int, seed: int) -> None:
    rest, drawn = stratified_draw(LABELS, size, seed)
    assert len(drawn) == size
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, drawn])), np.arange(len(LABELS)))
    shares = np.bincount(LABELS) / len(LABELS)
    np.testing.assert_array_less(abs(np.bincount(LABELS[drawn], minlength=4) - shares * size), 1)


@given(
    class_sizes=st.lists(st.integers(2, 80), min_size=1, max_size=12),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=300)
@pytest.mark.slow
def test_a_stratified_draw_is_scikit_learns(
    class_sizes: list[int], share: float, seed: int
) -> None:
    # Class numbers with gaps, as in data of which some classes have no image.
    labels = np.random.default_rng(seed).permutation(
        np.repeat(3 * np.arange(len(class_sizes)), class_sizes)
    )
    classes, count = len(class_sizes), len(labels)
    size = classes + round(share * (count - 2 * classes))
    expected = train_test_split(
        np.arange(count), test_size=size, stratify=labels, random_state=seed
    )
    for ours, theirs in zip(stratified_draw(labels, size, seed), expected, strict=True):
        np.testing.assert_array_equal(ours, np.sort(theirs))


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_mnists_stratified_split_is_scikit_learns(mnist: Dataset, seed: int) -> None:
    expected = train_test_split(
        np.arange(60_000), test_size=12_000, stratify=mnist.train.labels, random_state=seed
    )
    for ours, theirs in zip(
        stratified_draw(mnist.train.labels, 12_000, seed), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, np.sort(theirs))
