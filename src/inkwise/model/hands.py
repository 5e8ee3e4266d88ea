"""Hands: what a user knows about the writers, as a prior for shapes that are ambiguous.

A stroke that rises to the top of a stem is the upstroke of a 1 to much of the world, and the top of
a 7 to most Americans. Such a shape gets a probability for both. Whoever knows where the writers
went to school shifts the odds between the two. A shape that is clearly one of them stays it, and no
other class changes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError

HANDS = {"any": 1.0, "europe": 10.0, "america": 1 / 10}
"""Factor of the odds of a 1 against a 7, by the name of the hand.

The factors under which ``benchmarks/pens.py`` finds the labels likeliest, rounded.
"""


def check_hand(hand: str) -> None:
    """Raise `ArgumentError` if there is no hand of this name."""
    if hand not in HANDS:
        raise ArgumentError(f"unknown hand {hand!r}: use {', '.join(HANDS)}")


def shift(
    probabilities: NDArray[np.floating[Any]], class_names: Sequence[str], hand: str
) -> NDArray[np.floating[Any]]:
    """Return probabilities under the prior of a hand.

    Parameters
    ----------
    probabilities : ndarray of float, shape (N, classes)
        Probabilities of the classes; each row sums to 1.
    class_names : sequence of str
        Their names. Without a class "1" and a class "7" there is nothing to shift.
    hand : {"any", "europe", "america"}
        Where the writers learned to write; ``any`` changes nothing.

    Returns
    -------
    ndarray of float, shape (N, classes)
        The sum of the two classes is unchanged, and their odds are multiplied by a factor (Bayes'
        rule with another prior).

    Raises
    ------
    ArgumentError
        There is no such hand.
    """
    check_hand(hand)
    if HANDS[hand] == 1 or not {"1", "7"} <= set(class_names):
        return probabilities
    pair = [class_names.index(name) for name in ("1", "7")]
    odds = probabilities[:, pair] * (HANDS[hand], 1)
    both = probabilities[:, pair].sum(1, keepdims=True)
    shifted = probabilities.copy()
    shifted[:, pair] = both * odds / np.maximum(odds.sum(1, keepdims=True), 1e-30)
    return shifted
