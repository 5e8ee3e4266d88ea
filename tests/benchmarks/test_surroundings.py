import numpy as np
import pytest
from surroundings import RARER_AROUND, RARER_SEVERAL, Kind, draw_pictures, judge, list_kinds

from inkwise.data.dataset import Dataset
from inkwise.model.pretrained import load_pretrained

KINDS = list_kinds()
COUNT = 16
OFTEN_MISREAD = {
    "in curly brackets",
    "in a large table",
    "a digit with an index",
    "one digit above the other",
}
"""Kinds that the benchmark draws to tell how often they are misread."""


@pytest.mark.parametrize("name", sorted(KINDS.keys() - OFTEN_MISREAD))
def test_no_answer_is_surely_wrong_more_than_by_chance(name: str, mnist: Dataset) -> None:
    digits = mnist.train.take(np.arange(50_000, 51_000))
    pictures, labels = draw_pictures(KINDS[name], digits, COUNT, [1, 2])
    answers = load_pretrained().classify(pictures)
    outcomes = [judge(answer, label) for answer, label in zip(answers, labels, strict=True)]
    assert len(outcomes) >= 0.9 * COUNT
    assert outcomes.count("surely wrong") <= (3 if name in RARER_SEVERAL else 1)
    if KINDS[name].single:
        least = 0.7 if "broken" in name else 0.8 if name in RARER_AROUND else 0.9
        assert outcomes.count("right") >= least * len(outcomes)
    else:
        least = 0.75 if name in RARER_SEVERAL else 0.9
        refused = outcomes.count("several") + outcomes.count("not a digit")
        assert refused >= least * len(outcomes)


def test_the_same_digits_are_drawn_in_the_same_places_without_what_is_around_them(
    mnist: Dataset,
) -> None:
    kinds: list[Kind] = [KINDS["in a printed box"], KINDS["in a printed box: without it"]]
    (inside, labels), (alone, same) = (
        draw_pictures(kind, mnist.train, 10, [0, 0]) for kind in kinds
    )
    assert labels == same
    for picture, plain in zip(inside, alone, strict=True):
        assert picture.shape == plain.shape
        assert np.abs(picture.astype(int) - plain).max() > 30
