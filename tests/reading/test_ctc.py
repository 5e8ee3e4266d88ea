"""Readings of a line from the network's probabilities."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkwise.reading.alphabet import SIGNS
from inkwise.reading.ctc import align, decode

BLANK = len(SIGNS)
FOLLOWED = (1, 7, 11, BLANK)


def along_a_line(seed: int, places: int) -> NDArray[np.float32]:
    """Probabilities of three signs and the blank."""
    generator = np.random.default_rng(seed)
    probabilities = np.zeros((places, BLANK + 1), np.float32)
    probabilities[:, FOLLOWED] = generator.dirichlet(np.full(4, 0.6), places)
    return probabilities


def collapse(path: tuple[int, ...]) -> str:
    """Leave repeated signs and blanks out, as the definition of CTC does."""
    return "".join(SIGNS[sign] for sign, _ in itertools.groupby(path) if sign != BLANK)


@given(seed=st.integers(0, 10**6), places=st.integers(1, 5))
def test_all_readings_have_the_probability_of_all_their_paths(seed: int, places: int) -> None:
    probabilities = along_a_line(seed, places)
    expected: defaultdict[str, float] = defaultdict(float)
    for path in itertools.product(FOLLOWED, repeat=places):
        expected[collapse(path)] += float(np.prod(probabilities[range(places), path]))
    readings = decode(probabilities, 2000)
    found = {reading.text: reading.probability for reading in readings}
    assert len(found) == len(readings)
    for text, probability in expected.items():
        assert found.get(text, 0.0) == pytest.approx(probability, abs=2e-3)
    ranked = [reading.probability for reading in readings]
    assert ranked == sorted(ranked, reverse=True)


@given(seed=st.integers(0, 10**6), places=st.integers(1, 6))
def test_signs_stand_where_the_likeliest_path_has_them(seed: int, places: int) -> None:
    probabilities = along_a_line(seed, places)
    text = decode(probabilities, 2000)[0].text
    paths = (path for path in itertools.product(FOLLOWED, repeat=places) if collapse(path) == text)
    best = max(paths, key=lambda path: float(np.prod(probabilities[range(places), path])))
    runs, start = [], 0
    for sign, group in itertools.groupby(best):
        length = len(list(group))
        if sign != BLANK:
            runs.append((start, start + length))
        start += length
    assert align(probabilities, text) == runs


def test_few_beams_keep_the_likeliest_reading() -> None:
    probabilities = np.full((40, BLANK + 1), 1e-5, np.float32)
    for place, sign in enumerate([BLANK, 4, 4, BLANK, 0, BLANK, 0, 2] * 5):
        probabilities[place, sign] = 0.99
    (best, *_) = decode(probabilities, 4)
    assert best.text == "4002" * 5
    assert best.probability == pytest.approx(0.99**40, rel=0.05)
