"""The golden dataset as mining sees it: what its cases ask, and how a request stands to them."""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from gatewatch.core.case import Case
from gatewatch.core.failure import Novelty
from gatewatch.loop.likeness import NEAR, asked, likeness, normal
from gatewatch.loop.space import Space, Vectors

_LOOKED_AT = 5
_ROWS = 2000
_NOTHING: tuple[int, float] = (-1, 0.0)


class Stands(Struct, frozen=True):
    """How requests stand to the dataset: `nearest` is the id of the case most alike, `likeness` how alike, 0..1."""

    novelty: Novelty = "new"
    nearest: str = ""
    likeness: float = 0.0


class Golden:
    """Cases that are not retired: their ids and what they ask. `languages` are those they are in, as far as it can be
    told; `shortest` and `longest` are lengths in characters."""

    def __init__(self, cases: Iterable[Case]) -> None:
        kept = {case.id: asked(case.input) for case in cases if not case.retired}
        self.ids = tuple(kept)
        self.texts = tuple(kept.values())
        self.normal = tuple(map(normal, self.texts))
        lengths = [len(text) for text in self.texts]
        self.shortest, self.longest = min(lengths, default=0), max(lengths, default=0)
        self.languages = _languages(self.texts)

    def __len__(self) -> int:
        return len(self.ids)


class Placed:
    """The golden dataset in a space."""

    def __init__(self, golden: Golden, space: Space) -> None:
        self._golden = golden
        self._space = space
        self._vectors = space.vectors(golden.texts) if len(golden) else None
        self._exact = {text: place for place, text in reversed(list(enumerate(golden.normal)))}

    def stands(self, texts: Sequence[str], vectors: Vectors) -> Stands:
        """How some normal texts, the most typical of a failure, stand to the dataset: by the one most like a case."""
        if self._vectors is None or not texts:
            return Stands()
        alike = vectors @ self._vectors.T
        best = _NOTHING
        for text, row in zip(texts, alike, strict=True):
            copy = self._copied(text, row)
            best = max(best, copy, key=lambda each: each[1])
        if best[1] >= NEAR:
            return Stands("covered", self._golden.ids[best[0]], best[1])
        place = int(alike.max(axis=0).argmax())
        found = max(0.0, min(1.0, float(alike[:, place].max())))
        return Stands("near" if found >= self._space.near else "new", self._golden.ids[place] if found else "", found)

    def nearest(self, vectors: Vectors) -> Vectors:
        """How alike the case most alike each of some vectors is."""
        if self._vectors is None or not len(vectors):
            return np.zeros(len(vectors), dtype=np.float32)
        parts = [
            (vectors[start : start + _ROWS] @ self._vectors.T).max(axis=1) for start in range(0, len(vectors), _ROWS)
        ]
        return np.concatenate(parts)

    def _copied(self, text: str, row: Vectors) -> tuple[int, float]:
        """The case that asks the same, or nearly so: among those about the same thing."""
        if text in self._exact:
            return self._exact[text], 1.0
        places = np.argsort(-row, kind="stable")[:_LOOKED_AT]
        found = [(int(place), likeness(text, self._golden.normal[place])) for place in places]
        return max(found, key=lambda each: each[1], default=_NOTHING)


def _languages(texts: Iterable[str]) -> frozenset[str]:
    from gatewatch.scorers.language import language_of

    try:
        return frozenset(map(language_of, texts)) - {"unknown"}
    except ValueError:  # the extra is not there
        return frozenset()
