"""Images and labels as other libraries hold them: taken exactly, or refused in one line."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from inkwise import Dataset, Evaluation, InkwiseError, Model, Split, load_pretrained
from inkwise.errors import ArgumentError, DataError

NAMES = ("cat", "dog", "emu")
LEVELS = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)  # every level, in images that are square
LABELS = np.array([2, 0, 1, 0])


class Foreign:
    """An array of a library that NumPy can read, as those of Polars, JAX and many others are."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.values, dtype)


def flat(images: Any) -> Any:
    return images.reshape(len(images), -1)


def scaled(dtype: Any) -> Callable[[Any], Any]:
    return lambda images: (images / 255).astype(dtype)


DTYPES = ["u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i4", ">f8"]
IMAGES: dict[str, Callable[[Any], Any]] = {
    **{f"levels {dtype}": partial(np.asarray, dtype=dtype) for dtype in DTYPES},
    **{f"scaled {dtype}": scaled(dtype) for dtype in ("f2", "f4", "f8", ">f4")},
    "scaled by a product": lambda images: images.astype("f4") * np.float32(1 / 255),
    "channel last": lambda images: images[..., None],
    "channel first": lambda images: images[:, None],
    "flat": flat,
    "flat and scaled": lambda images: flat(images) / 255,
    "lists": lambda images: images.tolist(),
    "list of arrays": list,
    "list of PIL images": lambda images: [Image.fromarray(image) for image in images],
    "column-wise": lambda images: np.asfortranarray(images.astype("f4")),
    "table": lambda images: pd.DataFrame(flat(images)),
    "table of many dtypes": lambda images: pd.DataFrame(flat(images)).astype({0: "f8", 3: "Int64"}),
    "column of arrays": lambda images: pd.Series(list(images), index=[7] * len(images)),
    "tensor": torch.tensor,
    "tensor as torchvision has it": lambda images: torch.tensor(images[:, None]).float().div(255),
    "tensor with gradients": lambda images: torch.tensor(images / 255, requires_grad=True),
    "list of tensors": lambda images: [torch.tensor(image) for image in images],
    "another library's": Foreign,
}


@pytest.mark.parametrize("form", IMAGES)
def test_images_in_any_form_become_the_same_levels(form: str) -> None:
    split = Split(IMAGES[form](LEVELS), LABELS)
    assert split.images.dtype == np.uint8
    assert split.images.flags.c_contiguous
    np.testing.assert_array_equal(split.images, LEVELS)


def test_own_arrays_are_not_copied() -> None:
    split = Split(LEVELS, LABELS)
    assert split.images is LEVELS
    assert split.labels is LABELS


def test_images_of_booleans_are_of_full_ink() -> None:
    inked = LEVELS > 99
    np.testing.assert_array_equal(Split(inked, LABELS).images, np.where(inked, 255, 0))


@given(arrays.arrays(np.uint8, (2, 3, 3)), st.sampled_from(["f2", "f4", "f8"]))
def test_scaled_levels_come_back_exactly(images: Any, dtype: str) -> None:
    np.testing.assert_array_equal(Split((images / 255).astype(dtype), [0, 1]).images, images)
    if images.max() > 1:  # floats of at most 1 are scaled ones
        np.testing.assert_array_equal(Split(images.astype(dtype), [0, 1]).images, images)


BETWEEN = "with values between two levels: round them yourself"
STRANGE: dict[str, tuple[Any, str]] = {
    "between levels": (LEVELS / 256, BETWEEN),
    "half levels": (LEVELS + 0.5 * (LEVELS < 9), BETWEEN),
    "negative": (LEVELS.astype(int) - 1, "int64 from -1 to 254"),
    "centred": (LEVELS / 127.5 - 1, "float64 from -1 to 1"),
    "sixteen bits": (LEVELS.astype(np.uint16) * 257, "uint16 from 0 to 65535"),
    "not numbers": (np.where(LEVELS, np.nan, 0), "from nan to nan"),
    "ones": ((LEVELS > 9).astype(int), "if 1 is full ink, multiply them by 255"),
    "colour": (np.stack([LEVELS] * 3, -1), r"not uint8 of shape \(4, 8, 8, 3\)"),
    "a table with labels": (pd.DataFrame(np.zeros((4, 65))), r"without other columns.* \(4, 65\)"),
    "text": ([["0", "1"]] * 4, "images must"),
    "complex": (LEVELS * 1j, "not complex128"),
    "nothing": (None, "images must have shape"),
    "an iterator": (iter(LEVELS), "images must have shape"),
    "ragged": ([[[1, 2], [3]], [[4], [5]]], "the images cannot be made a NumPy array: "),
    "bfloat16": (torch.zeros(4, 8, 8, dtype=torch.bfloat16), "cannot be made a NumPy array: "),
    "masked": (np.ma.masked_equal(LEVELS, 3), "some images are masked"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_images_that_cannot_be_taken_exactly_are_refused_in_a_line(kind: str) -> None:
    values, told = STRANGE[kind]
    with pytest.raises(DataError, match=told) as error:
        Split(values, LABELS)
    assert "\n" not in str(error.value)


def shuffled(labels: Any) -> pd.Series:
    """Return a Series with these values whose index would bring them into another order."""
    return pd.Series(labels, index=np.arange(len(labels))[::-1])


LABELLED: dict[str, Callable[[Any], Any]] = {
    **{f"indices {dtype}": partial(np.asarray, dtype=dtype) for dtype in DTYPES},
    "list": lambda labels: labels.tolist(),
    "column": lambda labels: labels[:, None],
    "every other": lambda labels: np.repeat(labels, 2)[::2],
    "one-hot": lambda labels: np.eye(3)[labels],
    "one-hot list": lambda labels: np.eye(3, dtype=bool)[labels].tolist(),
    "one-hot table": lambda labels: pd.get_dummies(pd.Series(np.array(NAMES)[labels])),
    "Series in another order": shuffled,
    "Series that was sliced": lambda labels: pd.Series([9, *labels, 9])[1:-1],
    "Series of nullable numbers": lambda labels: pd.Series(labels).astype("Int64"),
    "table of one column": lambda labels: shuffled(labels).to_frame(),
    "tensor": torch.tensor,
    "tensor with gradients": lambda labels: torch.tensor(labels * 1.0, requires_grad=True),
    "another library's": Foreign,
    "names": lambda labels: [NAMES[label] for label in labels],
    "array of names": lambda labels: np.array(NAMES)[labels],
    "objects": lambda labels: np.array(NAMES, object)[labels],
    "bytes": lambda labels: np.char.encode(np.array(NAMES))[labels],
    "Series of names": lambda labels: shuffled(np.array(NAMES)[labels]),
    "categories": lambda labels: shuffled(np.array(NAMES)[labels]).astype("category"),
}


@pytest.mark.parametrize("form", LABELLED)
def test_labels_in_any_form_become_the_same_indices(form: str) -> None:
    labels = Split(LEVELS, LABELLED[form](LABELS), NAMES).labels
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, LABELS)


ODD: dict[str, tuple[Any, str]] = {
    "fractions": ([0.5, 1, 2, 0], "a fraction"),
    "not numbers": ([np.nan, 1, 2, 0], "NaN"),
    "too large": (np.array([2**63, 0, 0, 0], np.uint64), "not numbers such as 9223372036854775808"),
    "missing": (pd.Series([1, 2, None, 0], dtype="Int64"), "some are not"),
    "probabilities": (np.full((4, 3), 1 / 3), "NaN or a fraction"),
    "two ones": ([[1, 1, 0]] * 4, "with a single 1 in every row"),
    "scores": ([[0, 3, 0]] * 4, "with a single 1 in every row"),
    "too many columns": (np.eye(4), "have 4 columns, but there are 3 classes"),
    "a table in another order": (
        pd.get_dummies(pd.Series(["emu", "cat", "dog", "cat"]))[["emu", "dog", "cat"]],
        "columns of the one-hot labels are emu, dog, cat, but the classes are cat, dog, emu",
    ),
    "an unknown name": (
        ["cat", "dog", "eel", "cat"],
        "there is no class 'eel' among cat, dog, emu",
    ),
    "images": (LEVELS, r"not \(4, 8, 8\)"),
    "a number": (7, r"not \(\)"),
    "dates": (np.zeros(4, "M8[D]"), "not datetime64"),
    "masked": (np.ma.masked_equal(LABELS, 0), "some labels are masked"),
}


@pytest.mark.parametrize("kind", ODD)
def test_labels_that_cannot_be_taken_exactly_are_refused_in_a_line(kind: str) -> None:
    values, told = ODD[kind]
    with pytest.raises(DataError, match=told) as error:
        Split(LEVELS, values, NAMES)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", ["names", "categories", "bytes"])
def test_names_need_the_order_of_the_classes(form: str) -> None:
    with pytest.raises(DataError, match=r"names such as b?'cat': say .* class_names"):
        Split(LEVELS, LABELLED[form](LABELS))


@pytest.fixture(scope="module")
def model() -> Model:
    return load_pretrained()


@pytest.mark.parametrize("form", [form for form in IMAGES if "f2" not in form])
def test_a_model_takes_the_same_images(form: str, model: Model, optdigits: Dataset) -> None:
    images = optdigits.test.images[:5]
    given = IMAGES[form](images)
    expected = model.predict_proba(images)
    np.testing.assert_array_equal(model.predict_proba(given), expected)
    np.testing.assert_array_equal(model.predict(given), expected.argmax(axis=1))
    np.testing.assert_array_equal(model.features(given), model.features(images))


def test_a_model_knows_the_size_of_flat_images() -> None:
    from tests.models import small

    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8)
    np.testing.assert_array_equal(small().predict(flat(images)), small().predict(images))


@pytest.mark.parametrize("kind", [kind for kind in STRANGE if kind != "half levels"])
def test_a_model_refuses_the_same_images(kind: str, model: Model) -> None:
    with pytest.raises(ArgumentError) as error:
        model.predict(STRANGE[kind][0])
    assert "\n" not in str(error.value)


def test_pictures_may_be_tensors(model: Model, optdigits: Dataset) -> None:
    images = optdigits.test.images[:5]
    expected = [answer.label for answer in model.classify(images)]
    kinds: list[Any] = [torch.tensor(images), [*torch.tensor(images)], [*map(Foreign, images)]]
    for pictures in kinds:
        assert [answer.label for answer in model.classify(pictures)] == expected
    with pytest.raises(ArgumentError, match="put a single one in brackets"):
        model.classify(torch.tensor(images[0]))
    strange: Any = torch.zeros(28, 28, dtype=torch.bfloat16)
    answers = list(model.classify_each([images[0], strange, images[1]]))
    assert [isinstance(answer, InkwiseError) for answer in answers] == [False, True, False]


def test_an_evaluation_takes_labels_and_probabilities_of_any_kind() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[2, 0, 1, 1]]
    foreign: Any = Foreign(probabilities)
    evaluation = Evaluation("mine", "test", NAMES, shuffled(np.array(NAMES)[LABELS]), foreign)
    assert evaluation.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(DataError, match=r"needs probabilities of shape \(4, 3\), not float32 of"):
        Evaluation("mine", "test", NAMES, LABELS, probabilities[:3])
    with pytest.raises(DataError, match="labels go from 0 to 3, but the 3 classes"):
        Evaluation("mine", "test", NAMES, LABELS + LABELS // 2, probabilities)


@pytest.mark.tensorflow
def test_tensors_of_tensorflow_are_taken(keras: Any) -> None:
    import tensorflow as tf

    for images in (LEVELS, (LEVELS / 255).astype("f4"), LEVELS[..., None]):
        for labels in (LABELS, np.eye(3)[LABELS], np.array(NAMES)[LABELS]):
            split = Split(tf.constant(images), tf.constant(labels), NAMES)
            np.testing.assert_array_equal(split.images, LEVELS)
            np.testing.assert_array_equal(split.labels, LABELS)
