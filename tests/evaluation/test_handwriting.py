import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inkwise.data.dataset import Dataset
from inkwise.evaluation.handwriting import measure_handwriting
from tests.strokes import draw

Images = NDArray[np.uint8]

FINE = 16
"""How much larger a stroke is drawn than it is measured, for its edges to be smooth."""


def stroke(width: float, degrees: float = 0, length: float = 18, ink: int = 255) -> Images:
    """Draw a straight stroke that leans to the right, in an image of 28×28."""
    canvas = Image.new("L", (28 * FINE, 28 * FINE), 0)
    angle = np.radians(degrees)
    across, up = FINE * length / 2 * np.array([np.sin(angle), np.cos(angle)])
    middle = 14 * FINE
    ends = middle - across, middle + up, middle + across, middle - up
    ImageDraw.Draw(canvas).line([*map(float, ends)], ink, width=round(width * FINE))
    return np.asarray(canvas.resize((28, 28), Image.Resampling.BOX))[None]


@pytest.mark.parametrize("width", [2, 2.5, 3, 4, 5])
@pytest.mark.parametrize("degrees", [0, 12, 30, 45, 90])
def test_stroke_width_is_as_drawn(width: float, degrees: float) -> None:
    measured = measure_handwriting(stroke(width, degrees)).stroke_width
    assert measured == pytest.approx(width, rel=0.08, abs=0.3)


@pytest.mark.parametrize("degrees", [-30, -12, 0, 8, 25])
@pytest.mark.parametrize("width", [2, 4])
def test_slant_is_as_drawn(degrees: float, width: float) -> None:
    measured = measure_handwriting(stroke(width, degrees)).slant
    assert measured == pytest.approx(degrees, abs=2)


def test_strokes_of_other_tests_are_measured_as_they_were_drawn() -> None:
    def measured(kind: str) -> float:
        picture = 255 - np.asarray(draw(kind, ink=0, paper=255))[None]
        return float(measure_handwriting(picture).stroke_width[0])

    assert measured("upright") == pytest.approx(12, rel=0.1)
    assert measured("flat") == pytest.approx(12, rel=0.1)
    assert measured("cross") == pytest.approx(12, rel=0.25)


def test_paler_ink_is_as_wide_and_only_fainter() -> None:
    full, pale = (measure_handwriting(stroke(3, 20, ink=ink)) for ink in (255, 128))
    for measure in ("stroke_width", "slant", "height", "width", "loops"):
        assert getattr(pale, measure) == pytest.approx(getattr(full, measure), rel=0.02)
    assert pale.level / full.level == pytest.approx(0.5, abs=0.01)
    assert pale.ink / full.ink == pytest.approx(0.5, abs=0.01)


def test_box_ink_and_level_are_those_of_the_pixels() -> None:
    image = np.zeros((1, 20, 30), np.uint8)
    image[0, 4:10, 7:12] = 200
    found = measure_handwriting(image)
    assert [found.height[0], found.width[0], found.level[0]] == [6, 5, 200]
    assert found.ink == pytest.approx(30 * 200 / 255)
    assert found.stroke_width == pytest.approx(5, rel=0.1)


def test_loops_are_counted() -> None:
    image = np.zeros((4, 28, 28), np.uint8)
    image[1:, 4:12, 8:16] = 255
    image[1:, 6:10, 10:14] = 0  # one
    image[2:, 16:24, 8:16] = 255
    image[2:, 18:22, 10:14] = 0  # two
    image[3, 18:22, 14:16] = 0  # the second one opened
    assert measure_handwriting(image).loops.tolist() == [0, 1, 2, 1]
    # At the edge of the image, too, what is outside is one.
    frame = np.full((1, 10, 10), 255, np.uint8)
    frame[0, 3:6, 3:6] = 0
    assert measure_handwriting(frame).loops.tolist() == [1]
    arch = np.zeros((10, 10), np.uint8)
    arch[4:, 2:8] = 255
    arch[6:, 4:6] = 0  # open at the bottom, where the image ends
    arches = np.stack([np.rot90(arch, turns) for turns in range(4)])
    assert measure_handwriting(arches).loops.tolist() == [0] * 4


def test_without_ink_there_is_nothing_to_measure() -> None:
    found = measure_handwriting(np.zeros((2, 28, 28), np.uint8))
    for measure, values in vars(found).items():
        assert (values == 0).all() if measure == "loops" else np.isnan(values).all()
    nothing = measure_handwriting(np.zeros((0, 28, 28), np.uint8))
    assert all(len(values) == 0 for values in vars(nothing).values())


def test_an_image_is_measured_alike_in_any_batch(mnist: Dataset) -> None:
    images = mnist.train.images[-600:]
    together = measure_handwriting(images)
    for place in (0, 255, 256, 599):
        alone = measure_handwriting(images[place : place + 1])
        for measure, values in vars(alone).items():
            assert values[0] == pytest.approx(getattr(together, measure)[place], rel=1e-4)


def test_mnists_digits_have_the_loops_they_are_written_with(mnist: Dataset) -> None:
    digits = mnist.train.take(np.arange(59_000, 60_000))
    loops = measure_handwriting(digits.images).loops
    usual = {0: 1, 1: 0, 3: 0, 4: 0, 5: 0, 6: 1, 7: 0, 8: 2, 9: 1}
    for digit, count in usual.items():
        assert np.median(loops[digits.labels == digit]) == count
