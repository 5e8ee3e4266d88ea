"""Ink on a black ground, and MNIST's geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.errors import NoInkError
from inkwise.ink import BOX, CANVAS, fit_and_centre

SIDES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60)
# Faint ink may vanish in scaling, which is an error of its own.
PICTURES = hnp.arrays(np.uint8, SIDES, elements=st.sampled_from([0, 128, 255])).filter(np.any)


def centre_of_mass(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    points = np.argwhere(image)
    centre: NDArray[np.float64] = np.average(points, axis=0, weights=image[tuple(points.T)])
    return centre


@given(picture=PICTURES)
def test_any_ink_fills_the_box_around_the_middle_of_the_canvas(picture: NDArray[np.uint8]) -> None:
    image = fit_and_centre(picture)
    assert image.shape == (CANVAS, CANVAS)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 <= BOX
    off = abs(centre_of_mass(image) - CANVAS / 2)
    # At most half a pixel, but for ink so lopsided that the canvas' edge stops it.
    outermost = [0, 1, -2, -1]  # antialiasing may leave an edge empty
    at_edge = (image[outermost].any(), image[:, outermost].any())
    for distance, stopped in zip(off, at_edge, strict=True):
        assert distance <= 0.5 or stopped


@given(
    picture=PICTURES,
    above=st.integers(0, 40),
    below=st.integers(0, 40),
    before=st.integers(0, 40),
    after=st.integers(0, 40),
)
def test_where_the_ink_lies_in_the_picture_does_not_matter(
    picture: NDArray[np.uint8], above: int, below: int, before: int, after: int
) -> None:
    moved = np.pad(picture, ((above, below), (before, after)))
    np.testing.assert_array_equal(fit_and_centre(moved), fit_and_centre(picture))


@given(picture=PICTURES)
def test_the_picture_is_left_as_it_is(picture: NDArray[np.uint8]) -> None:
    before = picture.copy()
    picture.flags.writeable = False
    fit_and_centre(picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("factor", [2, 3, 10])
def test_a_magnified_digit_comes_out_much_as_it_went_in(factor: int, mnist: Dataset) -> None:
    likeness = []
    for digit in mnist.train.images[:100]:
        large = np.kron(digit, np.ones((factor, factor), dtype=np.uint8))
        likeness.append(np.corrcoef(fit_and_centre(large).ravel(), digit.ravel())[0, 1])
    # All but the few whose centre falls between two pixels, and is rounded the other way.
    assert np.quantile(likeness, 0.1) > 0.99


def test_a_digit_of_mnist_already_has_mnist_s_geometry(mnist: Dataset) -> None:
    digits = mnist.train.images[:1000]
    unchanged = [np.array_equal(fit_and_centre(digit), digit) for digit in digits]
    assert np.mean(unchanged) > 0.99


def test_a_tall_stroke_stays_tall() -> None:
    image = fit_and_centre(np.full((100, 10), 255, dtype=np.uint8))
    np.testing.assert_array_equal(np.ptp(np.argwhere(image), axis=0) + 1, [20, 2])


def test_a_line_of_one_pixel_is_still_there() -> None:
    image = fit_and_centre(np.full((1, 400), 255, dtype=np.uint8))
    assert (image == 255).sum() == 20


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (0, 0), (0, 5)])
def test_a_blank_picture_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(NoInkError, match="blank"):
        fit_and_centre(np.zeros(shape, dtype=np.uint8))


def test_ink_too_faint_to_survive_is_refused() -> None:
    specks = np.zeros((500, 500), dtype=np.uint8)
    specks[0, 0] = specks[-1, -1] = 1
    with pytest.raises(NoInkError, match="too faint"):
        fit_and_centre(specks)
