"""Digits drawn by pens: the forms, their variation, and how they join a data set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.data.dataset import Split
from inkwise.data.pendigits import KEPT_ASIDE, PenDigit
from inkwise.data.splits import Splits
from inkwise.ink.fitting import is_fitted
from inkwise.model.pretrained import load_pretrained
from inkwise.training.forms import FORMS, Form, Shape
from inkwise.training.pens import add_drawn, draw, trace, vary

DIGITS = tuple("0123456789")

ALL_FORMS = [
    pytest.param(label, form, id=f"{label} {form.name}")
    for label, forms in FORMS.items()
    for form in forms
]


def blank(count: int) -> Split:
    return Split(np.zeros((count, 28, 28), np.uint8), np.zeros(count, np.int64))


SPLITS = Splits(blank(40), blank(20), blank(10))


@pytest.mark.parametrize(("label", "form"), ALL_FORMS)
def test_the_shapes_of_a_form_have_the_same_strokes_points_and_corners(
    label: str, form: Form
) -> None:
    def outline(shape: Shape) -> list[list[bool]]:
        return [stroke.corners.tolist() for stroke in shape]

    assert len(form.shapes) > 1
    assert all(outline(shape) == outline(form.shapes[0]) for shape in form.shapes)
    assert form.share > 0


@pytest.mark.parametrize("label", DIGITS)
def test_the_model_in_the_package_reads_the_forms(label: str) -> None:
    generator = np.random.default_rng(1)
    forms = [form for form in FORMS[label] for _ in range(12)]
    drawn = np.array([draw(vary(trace(form, generator), generator), generator) for form in forms])
    answers = load_pretrained().predict(drawn)
    assert np.mean(answers == int(label)) > 0.9


points = st.lists(
    st.tuples(st.floats(-500, 500, width=32), st.floats(-500, 500, width=32)),
    min_size=1,
    max_size=30,
)


@given(st.lists(points, min_size=1, max_size=4), st.integers(0, 2**32))
def test_any_strokes_become_an_image_in_the_geometry_of_mnist(
    strokes: list[list[tuple[float, float]]], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    lines = [np.array(stroke, np.float64) for stroke in strokes]
    image = draw(vary(lines, generator), generator)
    assert image.shape == (28, 28)
    assert image.max() > 60


def test_drawn_digits_have_the_geometry_of_mnist() -> None:
    drawn = add_drawn(SPLITS, 5, DIGITS, seed=0).train.images[40:]
    assert np.mean([is_fitted(image) for image in drawn]) > 0.9


def test_drawn_digits_join_training_and_validation_images() -> None:
    enlarged = add_drawn(SPLITS, 1.5, DIGITS, seed=3)
    assert [len(enlarged[name]) for name in ("train", "validation", "test")] == [100, 50, 10]
    assert not enlarged.train.images[:40].any()
    assert enlarged.train.images[40:].any(axis=(1, 2)).all()
    assert np.bincount(enlarged.train.labels[40:]).tolist() == [6] * 10
    assert enlarged.test is SPLITS.test
    assert not (enlarged.train.images[40:70] == enlarged.validation.images[20:]).all((1, 2)).any()


def test_the_seed_decides_what_is_drawn() -> None:
    first, again, other = (add_drawn(SPLITS, 1, DIGITS, seed).train.sha256 for seed in (4, 4, 5))
    assert first == again != other


def test_the_classes_decide_what_is_drawn() -> None:
    enlarged = add_drawn(SPLITS, 5, ("1", "0"), seed=0)
    ink = enlarged.train.images[40:].mean((1, 2))
    assert ink[enlarged.train.labels[40:] == 1].mean() > ink[::2].mean()  # zeros


def test_the_writers_kept_aside_are_for_validation_only() -> None:
    def written(writer: int, *, upright: bool) -> PenDigit:
        line = np.array([[0.0, 0], [0, 9]])
        return PenDigit("0", writer, [line if upright else line[:, ::-1]])

    aside = min(KEPT_ASIDE)
    learnt = min({*range(1, 31)} - KEPT_ASIDE)
    people = [written(aside, upright=True), written(learnt, upright=False)]
    enlarged = add_drawn(SPLITS, 5, ("0",), 0, people)

    def lines(images: np.ndarray, upright: bool) -> int:
        """Count images whose ink is three times as long one way as the other."""
        down, across = (images.any(axis).sum(1) for axis in (2, 1))
        long, short = (down, across) if upright else (across, down)
        return int((long > 2.2 * short).sum())

    train, validation = enlarged.train.images[40:], enlarged.validation.images[20:]
    assert lines(train, upright=False) > 0.3 * len(train)
    assert lines(train, upright=True) < 0.15 * len(train)
    assert lines(validation, upright=True) > 0.3 * len(validation)
    assert lines(validation, upright=False) < 0.15 * len(validation)


def test_nothing_is_drawn_for_a_share_of_nothing() -> None:
    enlarged = add_drawn(SPLITS, 0, DIGITS, 0)
    assert enlarged.train is SPLITS.train
    assert enlarged.validation is SPLITS.validation
