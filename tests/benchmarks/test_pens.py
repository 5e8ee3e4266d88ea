import numpy as np
import pens
import pytest

from inkwise.data.pendigits import PenDigit
from inkwise.model.pretrained import load_pretrained

STROKES = {
    "1": [[(0, 0), (2, 50), (3, 100)]],
    "7": [[(0, 0), (30, 1), (60, 2), (40, 50), (25, 100)]],
    "0": [[(30, 0), (5, 20), (0, 50), (8, 85), (30, 100), (55, 80), (60, 50), (50, 15), (30, 0)]],
}


def write(label: str, writer: int) -> PenDigit:
    return PenDigit(label, writer, [np.array(stroke, np.float64) for stroke in STROKES[label]])


@pytest.mark.parametrize("label", STROKES)
def test_a_digit_is_drawn_whole_in_its_proportions(label: str) -> None:
    picture = pens.draw(write(label, 1), np.random.default_rng(0))
    ink = picture < 128
    assert not any(side.any() for side in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    width = np.ptp([x for stroke in STROKES[label] for x, _ in stroke]) / 100
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(width, abs=0.15)


def test_shares_are_of_all_of_each_class_and_of_the_worst_writer() -> None:
    digits = [write(label, 1) for label in "170"] + [write("7", 2)]
    generator = np.random.default_rng(0)
    pictures = [pens.draw(digit, generator) for digit in digits]
    wrong = PenDigit("0", 2, digits[3].strokes)
    figures = pens.measure(load_pretrained(), pictures, [*digits[:3], wrong])
    assert figures["right"] == 0.75
    assert figures["right, the worst writer"] == 0
    assert figures["right, of 0"] == 0.5
    assert figures["wrong among these"] == pytest.approx(0.25)
