"""Composites: one scorer made of others, whose parts stay visible in its scores (`Score.parts`)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import total_usage
from gatewatch.scorers.apply import apply, apply_inline
from gatewatch.scorers.base import Models, Scorer, getters_named
from gatewatch.scorers.fingerprint import Identity

if TYPE_CHECKING:
    from gatewatch.core.case import Case
    from gatewatch.core.trace import Trace

Combine = Callable[[Sequence[tuple[str, Score]]], Score]


def weighted(parts: Sequence[tuple[Scorer, float]], *, name: str = "weighted") -> Scorer:
    """Make a scorer of the weighted mean of others.

    A part that cannot be told makes the whole unknown. Where a part has nothing to say, neither has the whole: a mean
    over fewer parts would be another measure. Costs add up.

    Args:
        parts: scorers, each with its weight; the weights need not add up to 1.
        name: the scorer's name.

    Raises:
        ValueError: without parts, for two of one name, or for a weight that is not above 0.
    """
    for scorer, weight in parts:
        if not 0 < weight < inf:
            raise ValueError(f"the weight of {scorer.name} must be above 0 and finite, got {weight!r}")
    weights = {scorer.name: float(weight) for scorer, weight in parts}
    total = sum(weights.values())

    def combine(scores: Sequence[tuple[str, Score]]) -> Score:
        value = sum(weights[part] * (score.value or 0.0) for part, score in scores) / total
        said = ", ".join(f"{part} {score.value:.2f}" for part, score in scores if score.value is not None)
        return Score(min(1.0, value), "", said)

    scorers = [scorer for scorer, _ in parts]
    return _made(name, scorers, combine, {f"weight {part}": str(weight) for part, weight in weights.items()})


def all_of(parts: Sequence[Scorer], *, name: str = "all_of", pass_at: float = 1.0) -> Scorer:
    """Make a scorer that gives 1 when every one of others passes, else 0; the label names those that do not.

    One part that fails settles it, whatever the others are. Otherwise a part that cannot be told makes the whole
    unknown, and a part that has nothing to say does not count; where none has anything to say, neither has the whole.

    Args:
        parts: the scorers.
        name: the scorer's name.
        pass_at: from which value on a part passes.

    Raises:
        ValueError: without parts, for two of one name, or for a pass mark out of 0..1.
    """
    if not 0 <= pass_at <= 1:
        raise ValueError(f"pass_at must be in 0..1, got {pass_at:g}")

    def combine(scores: Sequence[tuple[str, Score]]) -> Score:
        failed = [part for part, score in scores if score.value is not None and score.value < pass_at]
        return Score(float(not failed), f"failed: {', '.join(failed)}" if failed else "")

    return _made(name, list(parts), combine, {"pass_at": str(pass_at)}, every=True)


class _Composite(Struct, frozen=True, kw_only=True):
    name: str
    parts: tuple[Scorer, ...]
    combine: Combine
    options: Mapping[str, str]
    every: bool  # whether one part that fails settles it, and one that has nothing to say does not count

    def score(self, trace: "Trace", case: "Case | None" = None, **beside: Any) -> Score:
        return self.whole([(part.name, apply_inline(part, trace, case, beside=beside)) for part in self.parts])

    async def score_async(
        self,
        trace: "Trace",
        case: "Case | None" = None,
        *,
        timeout: float | None = None,
        threads: DaemonPool | None = None,
        patient: bool = False,
        **beside: Any,
    ) -> Score:
        found = await asyncio.gather(
            *(
                apply(part, trace, case, beside=beside, timeout=timeout, threads=threads, patient=patient)
                for part in self.parts
            )
        )
        return self.whole(list(zip((part.name for part in self.parts), found, strict=True)))

    def whole(self, scores: Sequence[tuple[str, Score]]) -> Score:
        """One score of the parts' scores: with what all cost, and all of them in it."""
        costs = [score.cost for _, score in scores if score.cost is not None]
        paid = Score(
            cost=sum(costs[1:], costs[0]) if costs else None,
            usage=total_usage(score.usage for _, score in scores),
            model=", ".join(dict.fromkeys(_named(part, score) for part, score in scores if score.model)),
            parts=dict(scores),
        )
        lost = [(part, score) for part, score in scores if score.status == "scorer_error"]
        counted = [(part, score) for part, score in scores if score.value is not None]
        found = self.combine(counted) if counted else Score(status="skipped", explanation="no part has anything to say")
        if lost and not (self.every and found.value == 0.0):
            why = "; ".join(f"{part}: {score.explanation}" for part, score in lost)
            return replace(paid, status="scorer_error", explanation=why)
        skipped = [part for part, score in scores if score.status == "skipped"]
        if skipped and not self.every:
            return replace(paid, status="skipped", explanation=f"nothing to say: {', '.join(skipped)}")
        return replace(paid, value=found.value, status=found.status, label=found.label, explanation=found.explanation)

    @property
    def identity(self) -> Identity:
        return Identity({**self.options, **{f"part {part.name}": part.fingerprint for part in self.parts}})


def _named(part: str, score: Score) -> str:
    """A part's models, each under a name that says whose it is."""
    return ", ".join(f"{part}.{each}" if "=" in each else f"{part}={each}" for each in score.model.split(", "))


def _made(
    name: str, parts: Sequence[Scorer], combine: Combine, options: Mapping[str, str], *, every: bool = False
) -> Scorer:
    names = [part.name for part in parts]
    if not parts:
        raise ValueError("a composite needs one part or more")
    if len(set(names)) < len(names):
        raise ValueError(f"two parts have one name: {', '.join(names)}")
    return _scorer(_Composite(name=name, parts=tuple(parts), combine=combine, options=options, every=every))


def _scorer(composite: _Composite) -> Scorer:
    parts = composite.parts
    inline = all(part.inline for part in parts)

    def bind(models: Models) -> Scorer:
        bound = tuple(part if part.bind_models is None else part.bind_models(models) for part in parts)
        return _scorer(replace(composite, parts=bound))

    beside = [name for name in ("session", "other") if any(name in part.needs for part in parts)]
    based = (all if composite.every else any)(part.reference_based for part in parts)
    return Scorer(
        name=composite.name,
        fn=composite.score if inline else composite.score_async,
        getters=getters_named(("trace", "case", *beside)),
        identify=lambda: composite.identity,
        source="judge" if any(part.source == "judge" for part in parts) else "rule",
        is_async=not inline,
        inline=inline,
        binary=composite.every,
        optional=frozenset(beside if based else ("case", *beside)),
        models=tuple(model for part in parts for model in part.models),
        prompt_length=max((part.prompt_length for part in parts), default=0),
        parts=parts,
        needs_all=not composite.every,
        bind_models=bind if any(part.bind_models is not None for part in parts) else None,
    )
