"""What is known of the writers shifts the odds between a 1 and a 7."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inkwise.errors import ArgumentError
from inkwise.model.hands import HANDS, shift
from inkwise.model.pretrained import load_pretrained

NAMES = tuple("0123456789")


@given(
    arrays(np.float64, (3, 10), elements=st.floats(0, 1)).filter(lambda p: (p.sum(1) > 0).all()),
    st.sampled_from([*HANDS]),
)
def test_only_the_odds_of_a_1_against_a_7_change(weights: np.ndarray, hand: str) -> None:
    before = weights / weights.sum(1, keepdims=True)
    after = shift(before, NAMES, hand)
    others = [place for place in range(10) if place not in (1, 7)]
    np.testing.assert_array_equal(after[:, others], before[:, others])
    np.testing.assert_allclose(after.sum(1), 1, rtol=1e-9)
    np.testing.assert_allclose(
        after[:, 1] * before[:, 7], HANDS[hand] * before[:, 1] * after[:, 7], rtol=1e-6, atol=1e-12
    )


def test_a_shape_that_may_be_either_is_decided_by_the_hand_and_a_clear_one_is_not() -> None:
    ambiguous = np.array([[0.5, 0.5], [0.999, 0.001], [0.001, 0.999]])
    for hand, likelier in (("europe", [0, 0, 1]), ("america", [1, 0, 1])):
        assert shift(ambiguous, ("1", "7"), hand).argmax(1).tolist() == likelier


@pytest.mark.parametrize("names", [("a", "7"), ("1", "b")])
def test_other_classes_have_no_hands(names: tuple[str, str]) -> None:
    even = np.full((1, 2), 0.5)
    assert shift(even, names, "europe") is even


def test_an_unknown_hand_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ArgumentError, match="unknown hand 'left': use any, europe, america"):
        load_pretrained().classify_each(iter(()), hand="left")


def test_an_answer_is_under_the_prior_of_the_hand() -> None:
    model = load_pretrained()
    rise = np.zeros((28, 28), np.uint8)
    rise[4:24, 15:17] = 255
    for step in range(9):
        rise[4 + step // 2 : 7 + step // 2, 15 - step] = 255
    odds = {}
    for hand in HANDS:
        (answer,) = model.classify([rise], hand=hand)
        chances = dict(answer.top)
        odds[hand] = chances["1"] / chances["7"]
    assert odds["europe"] == pytest.approx(100 * odds["america"], rel=1e-3)
    assert odds["europe"] == pytest.approx(10 * odds["any"], rel=1e-3)
