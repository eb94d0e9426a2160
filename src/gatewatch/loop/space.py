"""What texts are about, as vectors of length 1: by their words, or by a model's embeddings.

By words, each is weighed by how rare it is among some texts, and has a few places in the vector by its hash; so two
texts are alike as far as they share words that tell something. It needs no model, knows no synonyms, and is the same
on every machine.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

SIZE = 1024
_LONGEST = 4000
_STEM = 6  # letters of a word: "return", "returns" and "returned" are one
_MOST_TERMS = 300
_WORD = re.compile(r"(?:[^\W_]|#)+")
_DIGIT = re.compile(r"\d")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Space(Protocol):
    """Where texts lie."""

    @property
    def near(self) -> float:
        """From which likeness (the cosine) on two texts are about the same thing."""
        ...

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """A row of length 1 for each text; one of zeros for a text that says nothing."""
        ...


class Words:
    """Texts by their words, weighed by how rare each is in a corpus (inverse document frequency).

    With `least` above 1, a term counts for nothing that fewer texts of the corpus have: no two have it in common.
    `floor` is what any other term weighs at the least, so that texts are alike that share what all of them have.
    """

    near = 0.35

    def __init__(self, corpus: Iterable[str], *, least: int = 1, floor: float = 0.0) -> None:
        self._least, self._floor = least, floor
        counts: Counter[str] = Counter()
        self._total = 1
        for text in corpus:
            self._total += 1
            counts.update(set(terms(text)))
        self._counts = counts
        self._places: dict[str, tuple[int, float]] = {}

    def weight(self, term: str) -> float:
        """How much a term tells: much where it is rare, 0 where every text has it."""
        return log((1 + self._total) / (1 + self._counts[term]))

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """See `Space`."""
        found = np.zeros((len(texts), SIZE), dtype=np.float32)
        for row, text in zip(found, texts, strict=True):
            for term, number in Counter(terms(text)).items():
                place, weight = self._places.get(term) or self._placed(term)
                row[place] += weight * (1.0 + log(number))
        return unit(found)

    def _placed(self, term: str) -> tuple[int, float]:
        hashed = crc32(term.encode("utf-8", "surrogatepass"))
        weight = max(self.weight(term), self._floor) if self._counts[term] >= self._least or self._least == 1 else 0.0
        found = hashed % SIZE, weight if hashed & 0x80000000 else -weight
        self._places[term] = found
        return found


def unit(rows: Vectors) -> Vectors:
    """Rows at length 1, but for those of zeros; in place."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, lengths, out=rows, where=lengths > 0)
    return rows


def terms(text: str) -> list[str]:
    """The words of a text as they are compared: case folded, digits as "#" (what matters of an order's number is its
    form), their ends cut off; of scripts without spaces, pairs of letters."""
    folded = _DIGIT.sub("#", unicodedata.normalize("NFKC", text[:_LONGEST]).casefold())
    words = _WORD.findall(folded)
    if not _UNSPACED.search(folded):
        return [word[:_STEM] for word in words[:_MOST_TERMS]]
    found: list[str] = []
    for word in words:
        if _UNSPACED.search(word):
            found += [word[place : place + 2] for place in range(max(1, len(word) - 1))]
        else:
            found.append(word[:_STEM])
        if len(found) >= _MOST_TERMS:
            break
    return found
