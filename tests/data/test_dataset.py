import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError, DataError

IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)
LABELS = np.array([0, 1, 1])


def toy(**changes: Any) -> Dataset:
    fields: dict[str, Any] = {
        "name": "toy",
        "title": "Toy digits",
        "class_names": ("nought", "one"),
        "train": Split(IMAGES, LABELS),
        "test": Split(IMAGES[:2] + 1, LABELS[:2]),
        "source": "memory",
    }
    return Dataset(**(fields | changes))


def test_a_split_and_a_data_set_say_what_they_hold() -> None:
    dataset = toy()
    assert (len(dataset.train), len(dataset.test)) == (3, 2)
    assert dataset.image_size == (2, 4)
    assert dataset.notice is None


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (IMAGES[:2], LABELS, "there are 2 images but 3 labels"),
        (IMAGES, LABELS[:2], "there are 3 images but 2 labels"),
        (np.stack([IMAGES] * 3, -1), LABELS, r"images must .* not uint8 of shape \(3, 2, 4, 3\)"),
        (IMAGES[0], LABELS, "there are 2 images but 3 labels"),
        (IMAGES, np.ones((3, 3)), r"labels of shape \(3, 3\) must be one-hot"),
        (IMAGES[:0], LABELS[:0], "no pixels"),
        (IMAGES[:, :0], LABELS, "no pixels"),
    ],
)
def test_images_and_labels_that_do_not_fit_together_are_refused(
    images: NDArray[Any], labels: NDArray[Any], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        Split(images, labels)


def test_a_part_that_is_no_split_is_refused() -> None:
    for field, part in (("train", "training"), ("test", "test"), ("validation", "validation")):
        with pytest.raises(DataError, match=rf"the {part} part of toy must be .* not a tuple"):
            toy(**{field: (IMAGES, LABELS)})


def test_take_gives_the_images_with_their_labels_in_the_order_asked_for() -> None:
    taken = Split(IMAGES, LABELS).take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.images, IMAGES[[2, 0]])
    np.testing.assert_array_equal(taken.labels, [1, 0])


@pytest.mark.parametrize("part", ["train", "test", "validation"])
@pytest.mark.parametrize("label", [-1, 2])
def test_labels_without_a_class_are_refused(part: str, label: int) -> None:
    told = "training" if part == "train" else part
    with pytest.raises(DataError, match=f"the {told} labels of toy .* 2 classes"):
        toy(**{part: Split(IMAGES, np.array([0, 1, label]))})


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="two classes with the same name"):
        toy(class_names=("one", "one"))


def test_parts_of_different_image_sizes_are_refused() -> None:
    with pytest.raises(DataError, match=r"images of \(2, 4\), but test images of \(4, 2\)"):
        toy(test=Split(IMAGES.transpose(0, 2, 1), LABELS))
    with pytest.raises(DataError, match=r"images of \(2, 4\), but validation images of \(4, 2\)"):
        toy(validation=Split(IMAGES.transpose(0, 2, 1), LABELS))


def test_the_hash_depends_on_the_data_and_not_on_where_they_came_from() -> None:
    # Any reader of a recorded hash must find it again: it may not change with the machine.
    known = "8a5caf42cb57c427aa17e4a2e7a40f07f315eb8a739fa22de0dc4187b94d1894"
    assert toy().sha256 == known
    assert toy(name="x", title="X", source="elsewhere", notice="a stand-in").sha256 == known
    in_another_order = Split(np.asfortranarray(IMAGES), LABELS[::-1].copy()[::-1])
    assert toy(train=in_another_order).sha256 == known


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ("zero", "one")},
        {"class_names": ("nought", "one", "two")},
        {"train": Split(IMAGES, np.array([0, 1, 0]))},
        {"train": Split(IMAGES ^ (np.arange(24).reshape(3, 2, 4) == 23), LABELS)},
        {"train": Split(IMAGES[::-1], LABELS[::-1])},
        {"test": Split(IMAGES[:2], LABELS[:2])},
        {"test": Split(IMAGES + 1, LABELS)},
        {"train": toy().test, "test": toy().train},
        {
            "train": Split(IMAGES.reshape(3, 4, 2), LABELS),
            "test": Split((IMAGES[:2] + 1).reshape(2, 4, 2), LABELS[:2]),
        },
    ],
)
def test_the_hash_changes_with_any_of_the_data(changes: dict[str, Any]) -> None:
    assert toy(**changes).sha256 != toy().sha256


def test_the_hash_tells_an_image_from_labels_of_the_same_bytes() -> None:
    # Images of eight pixels are as long as labels: only the counts tell the parts apart.
    image, label = np.zeros((1, 2, 4), dtype=np.uint8), np.zeros(1, dtype=np.int64)
    one, two = Split(image, label), Split(np.tile(image, (2, 1, 1)), np.tile(label, 2))
    assert toy(train=one, test=two).sha256 != toy(train=two, test=one).sha256


def test_data_sets_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        toy().name = "other"  # type: ignore[misc]


def test_the_hash_of_a_split_is_that_of_its_images_and_labels() -> None:
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.array([0, 1])
    split = Split(images, labels)
    assert split.sha256 == Split(images.copy(), labels.copy()).sha256
    others = [
        Split(images.reshape(2, 4, 3), labels),
        Split(images + np.uint8(1), labels),
        Split(images, labels[::-1].copy()),
        split.take(np.array([1, 0])),
    ]
    assert len({split.sha256, *(other.sha256 for other in others)}) == 5


@pytest.mark.parametrize("positive", ["a", "b", "c"])
def test_a_class_against_the_rest_has_two_labels(positive: str) -> None:
    labels = np.array([2, 0, 1])
    dataset = toy(class_names=("a", "b", "c"), train=Split(IMAGES, labels))
    binary = dataset.against_the_rest(positive)
    assert binary.class_names == (f"not {positive}", positive)
    for part, whole in ((binary.train, labels), (binary.test, LABELS[:2])):
        assert part.labels.tolist() == (whole == "abc".index(positive)).tolist()
    assert binary.train.images_sha256 == dataset.train.images_sha256
    assert binary.train.sha256 != dataset.train.sha256
    assert binary.validation is None
    assert binary.against_the_rest(positive).sha256 == binary.sha256


def test_of_two_classes_the_other_keeps_its_name() -> None:
    binary = toy(validation=Split(IMAGES, LABELS)).against_the_rest("nought")
    assert binary.class_names == ("one", "nought")
    assert binary.validation is not None
    for part in (binary.train, binary.validation):
        assert part.labels.tolist() == (1 - LABELS).tolist()
    with pytest.raises(ArgumentError, match=r"toy has no class 'two': use one of nought, one"):
        toy().against_the_rest("two")
