"""Texts by a configured model's embeddings: what they mean, as far as the model can tell."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from gatewatch.core.money import Cost
from gatewatch.loop.space import Vectors, unit
from gatewatch.models.embeddings import Embedder

_AT_ONCE = 1024
_LONGEST = 4000


class Embedded:
    """A space of a model's embeddings. `cost` is what they cost until now.

    Args:
        embedder: the model.
        run: what runs a coroutine to its end, always in the same event loop (`asyncio.Runner.run`).
    """

    near = 0.6

    def __init__(self, embedder: Embedder, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._embedder = embedder
        self._run = run
        self.cost = Cost()
        self._size = 1

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """See `Space`.

        Raises:
            ModelError: when the model gave no usable answer.
        """
        distinct = list(dict.fromkeys(text[:_LONGEST] for text in texts if text.strip()))
        known: dict[str, tuple[float, ...]] = {}
        for start in range(0, len(distinct), _AT_ONCE):
            some = distinct[start : start + _AT_ONCE]
            for text, found in zip(some, self._run(self._asked(some)), strict=True):
                known[text] = found.vector
                self.cost += found.cost
        self._size = max(map(len, known.values()), default=self._size)
        nowhere = (0.0,) * self._size
        rows = [known.get(text[:_LONGEST], nowhere) for text in texts]
        return unit(np.array(rows, np.float32).reshape(-1, self._size))

    async def _asked(self, texts: Sequence[str]) -> list[Any]:
        return list(await asyncio.gather(*map(self._embedder.embed, texts)))
