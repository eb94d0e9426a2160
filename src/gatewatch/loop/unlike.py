"""Requests of which nothing bad is known, and that nothing in the golden dataset is like: what nobody thought of.

One is malformed, in a language or of a length that no case has, or about something that no case is about.
"""

import re
from collections import Counter

from gatewatch.core import codec

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BROKEN = re.compile("[\ufffd\ud800-\udfff]|\u00e2\u20ac|[\u00c2\u00c3][\u0080-\u00bf]")
_JSON = re.compile(r'\s*(?:\{\s*"|\[\s*[\[{"])')
_LONGEST = 4000
_LONG_ENOUGH = 30  # characters, of what repeats itself
_MANY_WORDS = 10
_MOSTLY = 0.7
_FEW_LETTERS = 3
_BEYOND = 2.0


def malformed(text: str) -> str:
    """What is wrong with the form of a text, in words; "" where nothing is.

    Of long texts the first 4,000 characters are looked at; whether JSON breaks off is told of texts up to 100,000.
    """
    if not text.strip():
        return "empty"
    head = text[:_LONGEST]
    if _CONTROL.search(head):
        return "control characters"
    if _BROKEN.search(head):
        return "broken encoding"
    if _JSON.match(head) and len(text) <= 100_000 and not _is_json(text):
        return "JSON that breaks off"
    return "one thing repeated" if _repeats(head.strip()) else ""


def beyond(length: int, shortest: int, longest: int) -> str:
    """Whether a text of some characters is far longer, or shorter, than any case: by more than half."""
    if length > _BEYOND * longest:
        return "longer than any case"
    return "shorter than any case" if _BEYOND * length < shortest else ""


def _is_json(text: str) -> bool:
    try:
        codec.parse(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _repeats(text: str) -> bool:
    if len(text) < _LONG_ENOUGH:
        return False
    if len(set(text)) <= _FEW_LETTERS:
        return True
    words = text.split()
    if len(words) >= _MANY_WORDS and Counter(words).most_common(1)[0][1] >= _MOSTLY * len(words):
        return True
    return any((each + each).find(each, 1) <= len(each) // 4 for each in (text, f"{text} "))
