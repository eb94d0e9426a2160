"""Personal data that has a form: patterns and checksums, no model. Both modes, and redaction, look with these eyes.

What is found, by type:

    email      an address with a dotted domain; letters of any alphabet
    card       a payment card's number: a known network's prefix and length, and a Luhn checksum that holds; digits in
               one run, or in groups of three and more set off by single spaces or hyphens
    iban       an account number: the country's length, and a checksum that holds; in upper or lower case, with or
               without spaces
    us_ssn     a US social security number written 123-45-6789, in a range that is or was given out
    ip         an IPv4 address, or an IPv6 address that shows at least three groups
    phone      only where it is asked for: a telephone number that is valid in a region, or anywhere if it begins with +

What is not: names, addresses, dates of birth, other countries' numbers, social security numbers without
hyphens, anything spelled out ("jane at example dot com"), encoded or broken over lines. What looks the same is found,
too: a version such as 1.2.3.4, a test card's number, an address at example.com.
"""

import re
from collections import Counter
from collections.abc import Iterator
from string import ascii_letters, digits, hexdigits
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core.spots import apart, classes, leaves, replaced, shape

Type = Literal["email", "card", "iban", "us_ssn", "ip", "phone"]


class Found(Struct, frozen=True):
    """Where personal data stands in a text: `text[start:end]`."""

    type: Type
    start: int
    end: int


def find(text: str, *, phone: str = "", checked: bool = True) -> list[Found]:
    """Personal data in a text, in order, none overlapping; the time is linear in the text's length.

    Where two types overlap, the one that begins first stands, and of those the longer.

    Args:
        text: the text.
        phone: a region such as "US", to look for telephone numbers as they are written there, too; those that begin
            with + are found whatever the region. It takes the extra `phone`.
        checked: whether check digits must hold. Without, what merely looks like a card's or an account's number is
            found: for redaction, which would rather take too much.

    Raises:
        ValueError: when telephone numbers are asked for and the library is not there, or for an unknown region.
    """
    every = [*_emails(text)]
    form = shape(text, _FORM)
    if b"0" in form:
        if b"aa00" in form:
            every += _ibans(text, checked=checked)
        if _CARD_RUN in shape(text, _CARD_CHARACTERS):
            every += _cards(text, checked=checked)
        if b"000-00-0000" in form:
            every += _social_security_numbers(text)
        if form.count(b"0.0") >= 2:
            every += _ipv4_addresses(text)
    if form.count(b":") >= _FEWEST_GROUPS - 1:
        groups = shape(text, _HEXADECIMAL)
        if b"0:0" in groups or b"0::" in groups:
            every += _ipv6_addresses(text)
    if phone:
        every += _phones(text, phone)
    return apart(every) if every else every


def count(value: Any, *, phone: str = "") -> Counter[Type]:
    """How much personal data of each type a JSON value holds: every text, key and whole number is looked at by itself.

    In the value's JSON text an escape (of a line's end, say) would hide what stands behind it. `phone` as in `find`.
    """
    found: Counter[Type] = Counter()
    for part in leaves(value):
        if isinstance(part, str) or (isinstance(part, int) and not isinstance(part, bool)):
            found.update(each.type for each in find(str(part), phone=phone))
    return found


def redacted(value: Any, *, phone: str = "") -> tuple[Any, Counter[str]]:
    """A JSON value with its personal data replaced by the type's name in brackets, and how much of each type that was.

    It takes more than `find` shows: check digits need not hold. Keys are redacted, too (two that become the same are
    numbered), and a whole number that is a card's becomes text. `phone` as in `find`.
    """
    return replaced(value, lambda text: find(text, phone=phone, checked=False), numbers=True)


_FORM = classes(**{"0": digits, "a": ascii_letters})
_HEXADECIMAL = classes(**{"0": hexdigits})
_CARD_CHARACTERS = classes(**{"0": digits + " -\u00a0\u00c2"})  # the last two: a no-break space in UTF-8
_CARD_RUN = b"0" * 12

# Repetitions are bounded, and a match begins where no word goes on: no place is read more than a few times.

_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}+@"
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![\w-])"
)


def _emails(text: str) -> Iterator[Found]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Found("email", match.start(), match.end())


# Payment cards

_DIGIT_GROUPS = re.compile(r"[0-9](?<![\w.][0-9])[0-9]{2,18}+(?:[ \u00a0-][0-9]{3,19}+)*+(?!\w)(?!\.[0-9])")
_GROUP = re.compile(r"[0-9]+")
_SHORTEST_CARD, _LONGEST_CARD = 12, 19
_NETWORKS = tuple(
    (re.compile(prefix), frozenset(lengths))
    for prefix, lengths in (
        ("4", (13, 16, 19)),  # Visa
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
        ("3[47]", (15,)),  # American Express
        ("30[0-5]|3[689]", (14, 16, 19)),  # Diners Club
        ("35", (16, 17, 18, 19)),  # JCB
        ("2131|1800", (15,)),  # JCB
        ("0604|50|5[6-9]|6", range(12, 20)),  # Maestro, Discover, UnionPay
    )
)
_NO_LENGTH: frozenset[int] = frozenset()


def _cards(text: str, *, checked: bool) -> Iterator[Found]:
    for match in _DIGIT_GROUPS.finditer(text):
        if match.end() - match.start() < _SHORTEST_CARD:
            continue
        groups = [group.span() for group in _GROUP.finditer(text, *match.span())]
        after = 0
        for first, (start, _) in enumerate(groups):
            end = _card_end(text, groups[first : first + _LONGEST_CARD // 3], checked=checked) if start >= after else 0
            if end:
                after = end
                yield Found("card", start, end)


def _card_end(text: str, groups: list[tuple[int, int]], *, checked: bool) -> int:
    """Where the longest card number that begins with the first of some groups of digits ends, or 0."""
    digits, end = "", 0
    lengths: frozenset[int] | None = None
    for group in groups:
        digits += text[slice(*group)]
        if len(digits) > _LONGEST_CARD:
            break
        if len(digits) >= _SHORTEST_CARD:
            if lengths is None:
                lengths = next((found for prefix, found in _NETWORKS if prefix.match(digits)), _NO_LENGTH)
            if len(digits) in lengths and (not checked or _luhn(digits)):
                end = group[1]
    return end


_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def _luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    characters = digits.encode()
    total = sum(characters[-1::-2]) + sum(characters[-2::-2].translate(_DOUBLED)) - ord("0") * len(characters)
    return total % 10 == 0


# Account numbers

_IBAN_HEAD = re.compile(
    r"[0-9](?<=[A-Za-z]{2}[0-9])(?<![A-Za-z0-9][A-Za-z]{2}[0-9])[0-9](?=[ ]?[A-Za-z0-9]{4})"
)  # matches the two check digits
_IBAN_LENGTH_LIST = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29
    ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20
    LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29
    PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
    YE30
"""
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_LENGTH_LIST.split()}


def _ibans(text: str, *, checked: bool) -> Iterator[Found]:
    for head in _IBAN_HEAD.finditer(text):
        start = head.start() - 2
        length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
        if length is None:
            continue
        taken, end = "", start
        while len(taken) < length and end < len(text):
            if text[end].isascii() and text[end].isalnum():
                taken += text[end].upper()
            elif text[end] != " " or not text[end - 1].isalnum():
                break
            end += 1
        ended = end == len(text) or not (text[end].isascii() and text[end].isalnum())
        if len(taken) == length and ended and (not checked or _mod_97(taken)):
            yield Found("iban", start, end)


def _mod_97(number: str) -> bool:
    """Whether an account number's check digits hold (ISO 13616: letters are 10 to 35)."""
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


_SSN = re.compile(r"[0-8](?<![\w-][0-9])(?<!0(?=00))(?<!6(?=66))[0-9]{2}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")


def _social_security_numbers(text: str) -> Iterator[Found]:
    for match in _SSN.finditer(text):
        yield Found("us_ssn", match.start(), match.end())


# Addresses of computers

_IPV4 = re.compile(r"[0-9](?<![\w.][0-9])[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w)(?!\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{3,34}(?:(?<=\w)|(?<=::))(?!\w)(?!:\w)")
_FEWEST_GROUPS = 3


def _ipv4_addresses(text: str) -> Iterator[Found]:
    for match in _IPV4.finditer(text):
        if all(int(octet) <= 255 and (octet[0] != "0" or octet == "0") for octet in match[0].split(".")):
            yield Found("ip", match.start(), match.end())


def _ipv6_addresses(text: str) -> Iterator[Found]:
    from ipaddress import AddressValueError, IPv6Address

    for match in _IPV6.finditer(text):
        if sum(map(bool, match[0].split(":"))) < _FEWEST_GROUPS:
            continue
        try:
            IPv6Address(match[0])
        except AddressValueError:
            continue
        yield Found("ip", match.start(), match.end())


# Telephone numbers


def _phones(text: str, region: str) -> Iterator[Found]:
    try:
        import phonenumbers
    except ImportError:
        raise ValueError('telephone numbers need a library: pip install "gatewatch[phone]"') from None
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f'phone must be a region of two capital letters, such as "US", got {region!r}')
    for match in phonenumbers.PhoneNumberMatcher(text, region):
        yield Found("phone", match.start, match.end)
