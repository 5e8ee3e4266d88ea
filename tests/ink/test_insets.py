"""A picture within a picture: figures of plotting libraries, pages with margins."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from inkwise.data.dataset import Dataset
from inkwise.ink import normalise
from inkwise.ink.insets import find_inset
from tests.ink.pictures import Levels


def plot(digit: Levels, colours: str, *, axes: bool, title: bool, size: float) -> Levels:
    figure = Figure(figsize=(1.3 * size, size))
    subplot = figure.add_subplot()
    subplot.imshow(digit, cmap=colours)
    if title:
        subplot.set_title("Label: 3")
    if not axes:
        subplot.axis("off")
    file = io.BytesIO()
    figure.savefig(file)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("axes", [False, True])
@pytest.mark.parametrize(
    "colours",
    ["viridis", "gray", "gray_r", "jet", "turbo", "hot", "Blues", "coolwarm", "cubehelix"],
)
def test_a_figures_image_is_what_is_looked_at(colours: str, axes: bool, mnist: Dataset) -> None:
    assert colours in mpl.colormaps
    digits = mnist.train.images[50_000:50_004]
    for digit, size in zip(digits, (2.5, 3, 4, 5), strict=True):
        ink = normalise(plot(digit, colours, axes=axes, title=axes, size=size))
        assert not ink.apart
        assert np.corrcoef(ink.image.ravel() > 60, digit.ravel() > 60)[0, 1] > 0.6


def test_the_box_is_in_the_whole_pictures_pixels() -> None:
    sheet = np.full((300, 400), 255, np.uint8)
    sheet[50:250, 100:300] = 30
    sheet[100:200, 190:206] = 220
    box, crowded = find_inset(sheet)
    assert box == pytest.approx((50, 100, 250, 300), abs=6)
    assert not crowded
    ink = normalise(sheet)
    assert ink.box == pytest.approx((100, 190, 200, 206), abs=1)
    assert ink.dropped == ("surroundings",)


@pytest.mark.parametrize("gap", [1, 2, 3, 9])
def test_an_inset_near_the_edge_has_nothing_beside_it(gap: int) -> None:
    upright = np.full((200, 300), 255, np.uint8)
    upright[gap : gap + 150, 75:225] = 30
    upright[gap + 40 : gap + 110, 140:156] = 220
    for sheet in (upright, upright[::-1].copy(), upright.T.copy(), upright.T[:, ::-1].copy()):
        box, crowded = find_inset(sheet)
        assert box is not None
        assert not crowded


def test_a_broad_stroke_a_box_and_two_images_are_no_insets() -> None:
    stroke, box, two = (np.full((300, 400), 255, np.uint8) for _ in range(3))
    stroke[50:250, 180:220] = 30
    box[50:250, 100:300], box[58:242, 108:292] = 30, 255
    two[50:250, 20:180] = two[50:250, 220:380] = 30
    for sheet in (stroke, box, two, sheet_of_noise()):
        assert find_inset(sheet) == (None, False)


def sheet_of_noise() -> Levels:
    return np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)
