"""Unicode's normal forms in linear time, whatever the text."""

import re
from typing import Literal
from unicodedata import combining, normalize

MOST_MARKS = 30
"""How many combining marks may follow one another: no language needs more, and sorting a run takes its square."""

_JOINER = "\u034f"  # COMBINING GRAPHEME JOINER: it ends a run, and is not seen
_LONG = re.compile(rf"[^\x00-\u02ff]{{{MOST_MARKS + 1},}}")


def composed(text: str, form: Literal["NFC", "NFD", "NFKC"] = "NFC") -> str:
    """A text in a normal form; runs of more than 30 combining marks are broken up.

    Source: Unicode Standard Annex 15, section 13, the Stream-Safe Text Format.
    """
    return text if text.isascii() else normalize(form, stream_safe(text))


def stream_safe(text: str) -> str:
    """A text in which no more than 30 combining marks follow one another."""
    return _LONG.sub(_broken_up, text)


def _broken_up(run: re.Match[str]) -> str:
    letters: list[str] = []
    marks = 0
    for letter in run[0]:
        marks = marks + 1 if combining(letter) else 0
        if marks > MOST_MARKS:
            letters.append(_JOINER)
            marks = 1
        letters.append(letter)
    return "".join(letters)
