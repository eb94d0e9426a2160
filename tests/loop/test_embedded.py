"""Texts by a model's embeddings."""

import asyncio

import numpy as np

from gatewatch.core.money import Cost
from gatewatch.loop.embedded import Embedded
from gatewatch.models.embeddings import Embedding


class Embedder:
    """A model whose vectors are a text's length and how many spaces it has."""

    name = "e"

    def __init__(self) -> None:
        self.identity: dict[str, str] = {}
        self.asked: list[str] = []

    async def embed(self, text: str) -> Embedding:
        self.asked.append(text)
        return Embedding(vector=(float(len(text)), float(text.count(" ")), 0.0), cost=Cost(0.5))


def test_each_text_is_asked_once_and_what_it_cost_is_known() -> None:
    model = Embedder()
    with asyncio.Runner() as runner:
        space = Embedded(model, runner.run)
        found = space.vectors(["a b", "abc", "a b", " "])
        assert space.vectors([" "]).shape == (1, 3)
    assert model.asked == ["a b", "abc"] and space.cost == Cost(1.0)
    assert np.allclose(np.linalg.norm(found, axis=1), [1, 1, 1, 0])
    assert np.allclose(found[0], found[2]) and not np.allclose(found[0], found[1])


def test_nothing_is_asked_for_nothing() -> None:
    model = Embedder()
    with asyncio.Runner() as runner:
        assert Embedded(model, runner.run).vectors([]).shape == (0, 1)
    assert model.asked == []
