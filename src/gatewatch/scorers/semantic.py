"""A scorer of meaning: the cosine of two embeddings, by a configured model, of a provider or of this machine."""

import asyncio
from math import fsum, sqrt
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.errors import ModelError
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import total_usage
from gatewatch.models.embeddings import Embedder
from gatewatch.scorers.base import Models, Scorer, getters_named, not_configured
from gatewatch.scorers.fingerprint import Identity
from gatewatch.scorers.prompt import as_text

Against = Literal["expected", "input", "context"]


def semantic_similarity(
    *, name: str = "semantic_similarity", model: str | Embedder = "embedder", against: Against = "expected"
) -> Scorer:
    """Make a scorer of how near in meaning the output is to another text: the cosine of their embeddings, in 0..1.

    A cosine below 0 is 0. What the value means depends on the model: texts on the same subject have 0.5 and more with
    most, also where they contradict each other, so that it tells subjects apart and not truth. Hold it against labels
    before a pass mark is set (`gatewatch calibrate`). Texts longer than the model reads are cut by the model. An
    empty output is 0.

    Source: Reimers and Gurevych, Sentence-BERT, arXiv 1908.10084.

    Args:
        name: the scorer's name.
        model: the name of a configured model that embeds, or such a model.
        against: what the output is compared with.

    Raises:
        ValueError: for another text to compare with.
    """
    if against not in ("expected", "input", "context"):
        raise ValueError(f'against must be "expected", "input" or "context", got {against!r}')
    return _scorer(
        _Semantic(
            name=name,
            against=against,
            model_name=model if isinstance(model, str) else model.name,
            model=None if isinstance(model, str) else model,
        )
    )


class _Semantic(Struct, frozen=True, kw_only=True):
    name: str
    against: Against
    model_name: str
    model: Any = None  # an Embedder, once bound

    async def score(self, **given: Any) -> Score:
        if self.model is None:
            raise not_configured(self.name, self.model_name)
        output, other = as_text(given["output"]), as_text(given[self.against])
        if not other.strip():
            return Score(status="scorer_error", explanation=f"the {self.against} is empty")
        if not output.strip():
            return Score(0.0, "empty")
        try:
            one, two = await asyncio.gather(self.model.embed(output), self.model.embed(other))
        except ModelError as error:
            return Score(status="scorer_error", explanation=str(error), cost=Cost(unknown=1))
        return Score(
            min(1.0, max(0.0, cosine(one.vector, two.vector))),
            cost=one.cost + two.cost,
            usage=total_usage((one.usage, two.usage)),
            model=one.model,
        )

    @property
    def identity(self) -> Identity:
        model = self.model_name if self.model is None else self.model.identity
        return Identity({"version": "semantic_similarity 1", "against": self.against, "model": codec.digest(model)})


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The cosine of the angle between two vectors of one length; 0 where one has no length."""
    sizes = sqrt(fsum(x * x for x in one)) * sqrt(fsum(y * y for y in other))
    return fsum(x * y for x, y in zip(one, other, strict=True)) / sizes if sizes else 0.0


def _scorer(semantic: _Semantic) -> Scorer:
    def bind(models: Models) -> Scorer:
        return _scorer(replace(semantic, model=models.embedder(semantic.model_name)))

    return Scorer(
        name=semantic.name,
        fn=semantic.score,
        getters=getters_named(["output", semantic.against]),
        identify=lambda: semantic.identity,
        is_async=True,
        models=(semantic.model_name,),
        bind_models=bind if semantic.model is None else None,
    )
