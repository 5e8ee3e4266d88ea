import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from inkwise.evaluation.significance import format_p, format_p_alone, holm, mcnemar, more_often


@given(st.data())
def test_more_often_is_scipys_fisher(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 200))
    marked, draws = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    hits = data.draw(st.integers(max(0, marked + draws - total), min(marked, draws)))
    table = [[hits, draws - hits], [marked - hits, total - marked - draws + hits]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert more_often(hits, draws, marked, total) == pytest.approx(expected, abs=1e-12)


def test_so_many_as_there_must_be_are_no_surprise() -> None:
    # Of 100 images 95 are marked, so that of 10 at least 5 are.
    for hits in range(6):
        assert more_often(hits, 10, 95, 100) == pytest.approx(1)
    assert more_often(6, 10, 95, 100) < 1


def test_more_often_takes_arrays() -> None:
    together = more_often(np.array([3, 9]), 12, np.array([20, 20]), 100)
    assert together.tolist() == [more_often(3, 12, 20, 100), more_often(9, 12, 20, 100)]


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_fair_coin(first: int, second: int) -> None:
    likelier = stats.binom.cdf(min(first, second), first + second, 0.5)
    assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * likelier))
    assert mcnemar(first, second) == mcnemar(second, first)


def test_holm_is_holms() -> None:
    # Of statsmodels' multipletests(p_values, method="holm").
    given = [0.01, 0.04, 0.03, 0.005, 0.9]
    assert holm(given) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.9])
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_what_the_steps_down_do(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for level in (0.01, 0.05, 0.5):
        rejected = set()
        for place, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
            if p_values[index] * (len(p_values) - place) >= level:
                break
            rejected.add(index)
        assert set(np.flatnonzero(corrected < level).tolist()) == rejected


@pytest.mark.parametrize(
    ("p", "alone"),
    [(1.0, "1"), (0.0123, "0.012"), (0.0001, "0.0001"), (0.0000999, "< 0.0001"), (0, "< 0.0001")],
)
def test_a_p_value_too_small_to_matter_is_not_written(p: float, alone: str) -> None:
    assert format_p_alone(p) == alone
    assert format_p(p) == ("p " if "<" in alone else "p = ") + alone
