"""What is known of a number: its length, its pattern, its check digit."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import ArgumentError
from inkwise.reading.checks import iban, isbn, luhn, make_check, mod11

RIGHT = {
    luhn: ("79927398713", "4111 1111 1111 1111", "18"),
    isbn: ("978-0-306-40615-7", "0306406152"),
    mod11: ("974760673", "86011117947"),
}


@pytest.mark.parametrize(
    ("check", "right"), [(check, text) for check, texts in RIGHT.items() for text in texts]
)
def test_a_check_holds_and_notices_every_wrong_digit(
    check: Callable[[str], bool], right: str
) -> None:
    assert check(right)
    for place, sign in enumerate(right):
        if sign.isdigit():
            for other in set("0123456789") - {sign}:
                assert not check(right[:place] + other + right[place + 1 :])


def test_an_iban_is_checked_with_its_country() -> None:
    assert iban("89 3704 0044 0532 0130 00", "DE")
    assert not iban("89 3704 0044 0532 0130 00", "FR")
    assert not iban("89 3704 0044 0532 0103 00", "DE")


@given(st.text("0123456789.,-'", max_size=8))
def test_the_number_of_digits_does_not_count_marks(text: str) -> None:
    check = make_check(3, None, None)
    assert check is not None
    assert check(text) == (sum(sign.isdigit() for sign in text) == 3)


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        ("##.##", "12.34", ("12,34", "1.234", "1234", "12.345")),
        ("####", "12.34", ("12.3", "123")),
        ("(#)", "(1)", ("1", "(12)")),
        ("#*", "1*", ("1", "11", "")),
    ],
)
def test_a_pattern_means_what_it_shows(pattern: str, right: str, wrong: tuple[str, ...]) -> None:
    check = make_check(None, pattern, None)
    assert check is not None
    assert check(right)
    assert not any(map(check, wrong))


def test_all_that_is_known_holds_together() -> None:
    check = make_check(3, "##.#", lambda text: text.endswith("7"))
    assert check is not None
    assert [check(text) for text in ("12.7", "12.8", "127")] == [True, False, False]
    assert make_check(None, None, None) is None


@pytest.mark.parametrize(
    "known",
    [
        (0, None, None),
        (2.0, None, None),
        (None, "..", None),
        (None, None, "iban"),
        (None, "", None),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(known: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^[^\n]+$"):
        make_check(*known)
