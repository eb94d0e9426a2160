"""When two requests are one: the same query, or a near copy of it. It is about texts; what they mean is `loop.space`'s.

Two texts are the same query when only case, spacing and marks at their ends differ. They are near copies when nearly
all of their letters agree; not where a number in them differs, since the order 17 is not the order 71.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from math import ceil
from typing import Any

from gatewatch.core import codec

NEAR = 0.9
"""From which likeness on texts are near copies."""

_LONGEST = 2000
_SHARED = 0.6  # of the words of near copies
_MOST_LOOKS = 200
_ENDS = " \t\"'`.,;:!?…。！？¿¡"
_NUMBERED = re.compile(r"\b[^\W\d]*+\d\w*")
_WORD = re.compile(r"\w+")


def asked(given: str | dict[str, Any]) -> str:
    """What an input asks, as text: of a conversation what its user said, of arguments their texts, in order."""
    if isinstance(given, str):
        return given
    messages = given.get("messages")
    if isinstance(messages, list):
        said = [each for each in messages if isinstance(each, dict)]
        turns = [each for each in said if each.get("role") == "user"] or said
        return "\n".join(filter(None, (_content(each.get("content")) for each in turns)))
    return "\n".join(codec.text_of(value) for value in given.values() if value not in (None, "", [], {}))


def _content(content: object) -> str:
    """The text of a message: as it stands, or of the parts that are text."""
    if isinstance(content, list):
        parts = (each.get("text") if isinstance(each, dict) else each for each in content)
        return "\n".join(part for part in parts if isinstance(part, str))
    return codec.text_of(content)


def normal(text: str) -> str:
    """A text without what makes no other query of it: case, spacing, marks at its ends, ways to write one letter."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(_ENDS) or " ".join(folded.split())


def template(text: str) -> str:
    """A normal text with everything that has a digit in it as "#": what copies of one form have in common."""
    return _NUMBERED.sub("#", text)


def likeness(one: str, other: str) -> float:
    """How nearly two normal texts are copies, 0..1; 0 where what has a digit in it differs."""
    if one == other:
        return 1.0
    if _numbers(one) != _numbers(other):
        return 0.0
    return _ratio(one, other)


def _ratio(one: str, other: str) -> float:
    from rapidfuzz.distance import Indel

    return float(Indel.normalized_similarity(one[:_LONGEST], other[:_LONGEST], score_cutoff=_SHARED))


def _numbers(text: str) -> tuple[str, ...]:
    return tuple(sorted(_NUMBERED.findall(text)))


def nearest(text: str, others: Sequence[str]) -> tuple[int, float] | None:
    """Which of some normal texts a normal text is most nearly a copy of, and how nearly; None where it is of none."""
    return next(iter(near_copies(text, others)), None)


def near_copies(text: str, others: Sequence[str]) -> list[tuple[int, float]]:
    """Which of some normal texts a normal text is nearly a copy of, and how nearly, the nearest first."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    cut = [other[:_LONGEST] for other in others]
    alike = process.extract(
        text[:_LONGEST], cut, scorer=Indel.normalized_similarity, processor=None, score_cutoff=NEAR, limit=None
    )
    numbers = _numbers(text)
    found = [(place, 1.0 if others[place] == text else float(score)) for _, score, place in alike]
    near = [each for each in found if _numbers(others[each[0]]) == numbers]
    return sorted(near, key=lambda each: (-each[1], each[0]))


def copies(texts: Sequence[str], *, least: float = NEAR) -> Iterator[tuple[int, int, float]]:
    """All pairs of near copies among normal texts: two places, the smaller first, and how nearly.

    Texts are compared that have the same numbers and share one of their rarest words: copies share most words, so that
    they share one of these. Where very many have the same one, only so many are looked at for each text.
    """
    words = [set(_WORD.findall(text[:_LONGEST])) for text in texts]
    common = Counter(word for each in words for word in each)
    groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        groups[_numbers(text)].append(place)
    for group in groups.values():
        if len(group) > 1:
            yield from _within(group, texts, words, common, least)


def _within(
    group: Sequence[int], texts: Sequence[str], words: Sequence[set[str]], common: Counter[str], least: float
) -> Iterator[tuple[int, int, float]]:
    import numpy as np
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    by_word: defaultdict[str, list[int]] = defaultdict(list)
    cut = {place: texts[place][:_LONGEST] for place in group}
    sizes = {place: len(text) for place, text in cut.items()}
    shortest = least / (2.0 - least)  # of two copies, as a part of the longer one: with less too few letters agree
    for place in group:
        fewest, most = shortest * sizes[place], sizes[place] / shortest
        mine = sorted(words[place], key=lambda word: (common[word], word))
        rarest = mine[: len(mine) - ceil(_SHARED * len(mine)) + 1] or [""]
        sharing = chain.from_iterable(reversed(by_word[word]) for word in rarest)
        looked = dict.fromkeys(islice(sharing, _MOST_LOOKS))
        others = [other for other in looked if fewest <= sizes[other] <= most]
        if others:
            among = [cut[other] for other in others]
            alike = cdist(
                [cut[place]], among, scorer=Indel.normalized_similarity, score_cutoff=least, dtype=np.float64
            )[0]
            for at in np.flatnonzero(alike >= least):
                same = texts[others[at]] == texts[place]
                yield others[at], place, 1.0 if same else float(alike[at])
        for word in rarest:
            by_word[word].append(place)
