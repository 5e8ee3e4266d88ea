"""Lines composed of images of single digits."""

import itertools

import numpy as np
import pytest

from inkwise import Dataset
from inkwise.reading.alphabet import OTHER, SIGNS
from inkwise.reading.text_lines import ROWS
from inkwise.training.line_composing import Composer


@pytest.fixture(scope="module")
def composer(mnist: Dataset) -> Composer:
    return Composer(mnist.train.take(np.arange(3000)))


def test_lines_have_ink_and_only_known_signs(composer: Composer) -> None:
    seen = set()
    for seed in range(150):
        levels, text = composer.compose(np.random.default_rng(seed))
        assert levels.dtype == np.uint8
        assert levels.shape[0] == ROWS
        assert set(text) <= set(SIGNS)
        assert 2 * OTHER not in text  # a run of other signs is one
        assert levels.max() > 60
        # A sign needs a place of its own, and one between it and an equal neighbour.
        pairs = sum(one == other for one, other in itertools.pairwise(text))
        assert levels.shape[1] // 2 >= len(text) + pairs
        seen |= set(text)
    assert seen == set(SIGNS)


def test_the_generator_makes_all_choices(composer: Composer) -> None:
    one, other, third = (composer.compose(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one[1] == other[1]
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] != third[1] or one[0].shape != third[0].shape


def test_what_is_written_is_legible(composer: Composer) -> None:
    """The package's network reads most lines, although some are meant to be nearly illegible."""
    from inkwise.reading.ctc import decode
    from inkwise.reading.line_model import load_line_model

    model, right = load_line_model(), 0
    for seed in range(60):
        levels, text = composer.compose(np.random.default_rng([5, seed]))
        right += decode(model.run(levels), 8)[0].text == text
    assert right >= 36
