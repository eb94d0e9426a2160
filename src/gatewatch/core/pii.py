"""Personal data that can be told by its form alone.

Found are: e-mail addresses; payment card numbers (13 to 19 digits, spaces and hyphens allowed, with a right Luhn
check digit); IBANs (with right mod 97 check digits); US social security numbers written with hyphens, in ranges that
are given out; IPv4 addresses. Not found are names, postal addresses, telephone numbers and whatever else needs
context or a country's rules. The patterns take time in proportion to the text.
"""

import re
from collections.abc import Callable, Iterator

from msgspec import Struct


class Found(Struct, frozen=True):
    """A stretch of text that is personal data: its type, and where it starts and ends."""

    type: str
    start: int
    end: int


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_IPV4 = re.compile(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])")


def _luhn(text: str) -> bool:
    """Whether a number's last digit is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mod_97(text: str) -> bool:
    """Whether an IBAN's check digits are right (ISO 13616, ISO 7064 MOD 97-10)."""
    bare = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in bare[4:] + bare[:4])) % 97 == 1


_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool] | None], ...] = (
    ("email", _EMAIL, None),
    ("card", _CARD, _luhn),
    ("iban", _IBAN, _mod_97),
    ("ssn", _SSN, None),
    ("ipv4", _IPV4, None),
)


def find(text: str) -> list[Found]:
    """Everything in a text that is personal data by its form, in order; where two overlap, the first named above."""
    found: list[Found] = []
    for each in _candidates(text):
        if not any(each.start < other.end and other.start < each.end for other in found):
            found.append(each)
    return sorted(found, key=lambda each: each.start)


def _candidates(text: str) -> Iterator[Found]:
    for name, pattern, right in _PATTERNS:
        for match in pattern.finditer(text):
            if right is None or right(match[0]):
                yield Found(name, match.start(), match.end())
