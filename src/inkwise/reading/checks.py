"""What a reader may know of a number beforehand: how long it is, its pattern, its check digit."""

import re
from collections.abc import Callable

from inkwise.errors import ArgumentError

Check = Callable[[str], bool]
"""Tells whether a number, as text, can be right."""


def luhn(text: str) -> bool:
    """Tell whether the last digit checks the others, as on payment cards (ISO/IEC 7812).

    Examples
    --------
    >>> from inkwise.reading.checks import luhn
    >>> luhn("79927398713"), luhn("79927398714")
    (True, False)
    """
    digits = [int(digit) for digit in reversed(_digits(text))]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return len(digits) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def isbn(text: str) -> bool:
    """Tell whether a number is an ISBN of 13 digits, or of 10 that does not end in X."""
    digits = [int(digit) for digit in _digits(text)]
    if len(digits) == 13:
        return sum(digit * (1 + 2 * (place % 2)) for place, digit in enumerate(digits)) % 10 == 0
    return len(digits) == 10 and sum((10 - i) * digit for i, digit in enumerate(digits)) % 11 == 0


def mod11(text: str) -> bool:
    """Tell whether the last digit checks the others modulo 11, with weights 2 to 7 from the right.

    So are account numbers, medical and company numbers of many countries made.
    """
    digits = [int(digit) for digit in reversed(_digits(text))]
    rest = sum(digit * (2 + place % 6) for place, digit in enumerate(digits[1:]))
    return len(digits) > 1 and (digits[0] + rest) % 11 == 0


def iban(text: str, country: str) -> bool:
    """Tell whether check digits and account number are an IBAN of a country (ISO 13616).

    Its two letters are not digits, and must be known.
    """
    digits = _digits(text)
    letters = "".join(str(ord(letter) - 55) for letter in country)
    return len(digits) > 4 and int(digits[2:] + letters + digits[:2]) % 97 == 1


def make_check(
    digits: int | None, pattern: str | None, check: "str | Check | None"
) -> Check | None:
    """Return one check for all that is known of a number, or None if that is nothing.

    Parameters
    ----------
    digits : int or None
        How many digits there are, not counting marks.
    pattern : str or None
        What a number looks like: ``#`` is a digit, anything else itself. A pattern of digits only
        leaves marks out.
    check : {"luhn", "isbn", "mod11", "iban:XX"} or callable or None
        The rule of its check digit, where XX is an IBAN's country; or a function that tells
        whether a text can be right.

    Raises
    ------
    ArgumentError
        `digits` is less than 1, the pattern has no digit, or there is no such check.
    """
    checks: list[Check] = []
    if digits is not None:
        if type(digits) is not int or digits < 1:
            raise ArgumentError(f"digits must be a whole number from 1, not {digits!r}")
        checks.append(lambda text: len(_digits(text)) == digits)
    if pattern is not None:
        if not isinstance(pattern, str) or "#" not in pattern:
            raise ArgumentError(f"the pattern {pattern!r} has no digit: write # for each of them")
        form = re.compile("".join(r"\d" if sign == "#" else re.escape(sign) for sign in pattern))
        bare = set(pattern) == {"#"}
        checks.append(lambda text: form.fullmatch(_digits(text) if bare else text) is not None)
    if callable(check):
        checks.append(check)
    elif check is not None:
        checks.append(_named_check(check))
    return (lambda text: all(one(text) for one in checks)) if checks else None


def _named_check(name: str) -> Check:
    named = {"luhn": luhn, "isbn": isbn, "mod11": mod11}
    if name in named:
        return named[name]
    country = re.fullmatch("iban:([A-Z]{2})", str(name))
    if country is None:
        raise ArgumentError(
            f"unknown check {name!r}: use luhn, isbn, mod11, or iban:DE with the country's letters"
        )
    return lambda text: iban(text, country[1])


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())
