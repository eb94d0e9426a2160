"""Text looked for in many rows at once: one long string, and where in it each row begins."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEPT = 16


class Searched:
    """The texts of some rows, in their order. What was looked for last is known."""

    def __init__(self, texts: Iterable[str]) -> None:
        import numpy as np

        parts = [f"{text}\0".lower() for text in texts]
        self._text = "".join(parts)
        self._begins = np.cumsum([0, *map(len, parts)])
        self.rows = lru_cache(maxsize=_KEPT)(self._rows)

    def _rows(self, wanted: str) -> "NDArray[Any]":
        """A mask of the rows that have a text in them, whatever the case of its letters."""
        import numpy as np

        found: NDArray[Any] = np.zeros(len(self._begins) - 1, dtype=bool)
        at, wanted = 0, wanted.lower().replace("\0", "")
        while wanted and (at := self._text.find(wanted, at)) >= 0:
            place = int(np.searchsorted(self._begins, at, side="right")) - 1
            found[place] = True
            at = int(self._begins[place + 1])
        return found
