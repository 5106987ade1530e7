"""Which texts look like data about a person?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?![\w-])", re.IGNORECASE
)
# Digits in groups of any length; which of them is a card, its first digits, length and check digit say.
_DIGITS = re.compile(r"(?<![\w.,+-])\d(?:[ -]?\d){12,18}(?![\w]|[.,-]\d)")
_ISSUERS: tuple[tuple[str, frozenset[int]], ...] = (
    (r"4", frozenset({13, 16, 19})),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", frozenset({16})),  # Mastercard
    (r"3[47]", frozenset({15})),  # American Express
    (r"6011|64[4-9]|65", frozenset(range(16, 20))),  # Discover
    (r"35(?:2[89]|[3-8])", frozenset(range(16, 20))),  # JCB
    (r"3(?:0[0-5]|[689])", frozenset(range(14, 20))),  # Diners Club
    (r"62", frozenset(range(16, 20))),  # UnionPay
)
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])")
_PHONE = re.compile(
    r"(?<![\w.,+/-])(?<!\d:)(?:"
    r"(?:\+|00)[1-9]\d{0,2}(?:[ ./-]?\(?\d{1,5}\)?){2,6}"  # +49 30 123456
    r"|\(0?\d{2,5}\)[ ./-]?\d{3,5}(?:[ .-]?\d{2,5}){0,3}"  # (030) 123456
    r"|\d{3}[ .-]\d{3}[ .-]\d{4}"  # 555-123-4567
    r"|0\d{2,4}[ /-]\d{3,5}(?:[ -]?\d{2,5}){0,2}"  # 0171 2345678
    r")(?![\w]|[.,:/-]\d)"
)
_SHORTEST_PHONE, _LONGEST_PHONE = 7, 15


def has_email(text: str) -> bool:
    """Say whether a text has an e-mail address."""
    return "@" in text and _EMAIL.search(text) is not None


def card_candidates(text: str) -> list[str]:
    """List the numbers in a text that have the first digits and the length of a payment card's (ISO/IEC 7812)."""
    found = (re.sub(r"\D", "", match.group()) for match in _DIGITS.finditer(text))
    return [
        digits
        for digits in found
        if any(len(digits) in lengths and re.match(first, digits) for first, lengths in _ISSUERS)
    ]


def has_card(text: str) -> bool:
    """Say whether a text has the number of a payment card, whose check digit is right."""
    return any(luhn(digits) for digits in card_candidates(text))


def luhn(digits: str) -> bool:
    """
    Say whether the last digit is the check digit of the others; of random numbers one in ten is.

    Source:
        H. P. Luhn (1960), US patent 2,950,048; ISO/IEC 7812-1, annex B.
    """
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(number // 10 + number % 10 for number in doubled)) % 10 == 0


def has_iban(text: str) -> bool:
    """
    Say whether a text has an international bank account number with the right check digits.

    Source:
        ISO 13616-1; ISO/IEC 7064, MOD 97-10.
    """
    for match in _IBAN.finditer(text):
        code = match.group().replace(" ", "")
        if int("".join(str(int(character, 36)) for character in code[4:] + code[:4])) % 97 == 1:
            return True
    return False


def has_phone(text: str) -> bool:
    """Say whether a text has a telephone number as people write them; digits alone are none."""
    return any(
        _SHORTEST_PHONE <= sum(character.isdigit() for character in match.group()) <= _LONGEST_PHONE
        for match in _PHONE.finditer(text)
    )


KINDS: Mapping[str, Callable[[str], bool]] = {
    "email": has_email,
    "card": has_card,
    "phone": has_phone,
    "iban": has_iban,
}
