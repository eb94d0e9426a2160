import asyncio
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.errors import ModelError
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from gatewatch.models.embeddings import Embedding
from gatewatch.scorers.apply import apply
from gatewatch.scorers.semantic import cosine, semantic_similarity

VECTORS = {"red": (1.0, 0.0), "crimson": (0.8, 0.6), "unred": (-1.0, 0.0), "nothing": (0.0, 0.0)}


class Fixed:
    """An embedder that knows a few words."""

    name = "embedder"

    def __init__(self, error: ModelError | None = None) -> None:
        self.identity: dict[str, Any] = {"model": "e-1"}
        self.error = error

    async def embed(self, text: str) -> Embedding:
        if self.error:
            raise self.error
        return Embedding(vector=VECTORS[text], model="e-1-2026", usage=Usage(5, 0), cost=Cost(0.001))

    async def close(self) -> None:
        pass


def scored(output: Any, expected: str = "red", error: ModelError | None = None, **options: Any) -> Score:
    scorer = semantic_similarity(model=Fixed(error), **options)
    trace = Trace(input="crimson", output=output, context=("red",))
    return asyncio.run(apply(scorer, trace, Case(input="crimson", expected=expected)))


def test_the_cosine_is_the_score() -> None:
    score = scored("crimson")
    assert score.value == pytest.approx(0.8)
    assert (score.cost, score.usage, score.model) == (Cost(0.002), Usage(10, 0), "e-1-2026")
    assert scored("red").value == 1.0
    assert scored("unred").value == 0.0
    assert scored("nothing").value == 0.0


def test_what_it_is_compared_with() -> None:
    assert scored("crimson", against="input").value == pytest.approx(1.0)
    assert not semantic_similarity(against="input").reference_based
    assert semantic_similarity().reference_based
    with pytest.raises(ValueError, match='against must be "expected", "input" or "context", got \'x\''):
        semantic_similarity(against="x")  # type: ignore[arg-type]


def test_empty_texts() -> None:
    assert scored("  ").value == 0.0
    assert scored("red", expected=" ").status == "scorer_error"


def test_a_provider_without_an_answer_is_an_error_of_the_scorer() -> None:
    score = scored("red", error=ModelError("server", "out of order"))
    assert (score.status, score.explanation, score.cost) == ("scorer_error", "out of order", Cost(unknown=1))


def test_identity() -> None:
    assert semantic_similarity(model="a").fingerprint != semantic_similarity(model="b").fingerprint
    assert semantic_similarity().fingerprint != semantic_similarity(against="input").fingerprint
    unbound = asyncio.run(apply(semantic_similarity(), Trace(output="x"), Case(input="?", expected="x")))
    assert "add [models.embedder]" in unbound.explanation


def test_vectors_must_be_of_one_length() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        cosine((1.0,), (1.0, 2.0))
