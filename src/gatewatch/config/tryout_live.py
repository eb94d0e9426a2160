"""Trying a scorer on requests that are stored, or on a text that was put in by hand, before it is put to work."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

import msgspec
from msgspec import Struct

from gatewatch.config.project import Project
from gatewatch.config.scorer_list import cost_of
from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.codec import text_of
from gatewatch.core.errors import GatewatchError
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply
from gatewatch.scorers.base import Scorer
from gatewatch.stats.intervals import Estimate, MeanEstimate
from gatewatch.store.base import Store

MOST = 100
"""On how many requests a scorer is tried at the most."""
_AT_ONCE = 4
_LOOKED_AT = 500
_PATIENCE_S = 60.0
BY_HAND = "by hand"


class Given(Struct, frozen=True):
    """What a scorer is tried on: a request by its id, or a text that was put in by hand, with the case that it may be
    held against; and the score of that name that is stored of it, where there is one."""

    name: str
    trace: Trace
    case: Case | None = None
    stored: Score | None = None

    @property
    def characters(self) -> int:
        """How long it is, for a forecast."""
        return len(text_of(self.trace.input)) + len(text_of(self.trace.output))


class Trial(Struct, frozen=True):
    """What a scorer said of one thing, and how long it took, in seconds; `score` is None where it was not asked, since
    the cap was reached."""

    given: Given
    score: Score | None
    seconds: float = 0.0


class Tried(Struct, frozen=True, kw_only=True):
    """A scorer tried on some things: what it said of each, the mean with its interval, and what that cost. `capped`
    says how many were not asked about."""

    scorer: str
    fingerprint: str
    trials: tuple[Trial, ...]
    mean: Estimate
    cost: Cost
    capped: int = 0


def stored(
    store: Store, scorer: str, *, flow: str = "", most: int = 10, ids: Sequence[str] = ()
) -> tuple[list[Given], list[str]]:
    """Requests to try a scorer on: those of some ids, or the latest of a flow whose text is kept; and what of the ids
    is not to be had, with why."""
    found: list[Given] = []
    missing: list[str] = []
    if ids:
        for name in list(dict.fromkeys(ids))[:MOST]:
            row = store.find(name)
            if row is None:
                missing.append(f"{name}: no such request")
            elif (given := _given(store, row.seq, row.id, scorer)) is None:
                missing.append(f"{name}: its text is not kept any more")
            else:
                found.append(given)
        return found, missing
    before = looked = 0
    while len(found) < most and looked < _LOOKED_AT:
        rows = store.latest(flow, before=before, most=50)
        if not rows:
            break
        for row in rows:
            if len(found) < most and row.payload in ("held", "kept"):
                given = _given(store, row.seq, row.id, scorer)
                found += [] if given is None else [given]
        before, looked = rows[-1].seq, looked + len(rows)
    return found, missing


def _given(store: Store, seq: int, name: str, scorer: str) -> Given | None:
    data = store.payload(seq)
    if data is None:
        return None
    try:
        trace = codec.decode(data, Trace)
    except (msgspec.MsgspecError, ValueError):  # what cannot be read cannot be scored
        return None
    said = [each.score for each in store.scores(seq) if each.score.name == scorer]
    return Given(name, trace, None, said[-1] if said else None)


def by_hand(asked: str, output: str, expected: str, context: str) -> Given:
    """A text that was put in by hand."""
    trace = Trace(input=asked, output=output, context=context or None)
    return Given(BY_HAND, trace, Case(id="by-hand", input=asked, expected=expected or None, context=context or None))


def forecast(project: Project, scorer: Scorer, given: Sequence[Given]) -> float | None:
    """About what it costs to score some things, in US dollars; None where a price is unknown."""
    total = 0.0
    for each in given:
        part = cost_of(project, scorer, each.characters)
        if part is None:
            return None
        total += part
    return total


def try_on(
    project: Project,
    name: str,
    given: Sequence[Given],
    *,
    cap: float,
    progress: Callable[[int], None] = lambda _: None,
) -> Tried:
    """Score some things by a scorer of a project, and keep nothing but the replies, in the reply cache.

    Args:
        project: the project. Its models are let go of afterwards: give one of its own.
        name: the scorer's name.
        given: what is scored.
        cap: US dollars: nothing more is asked once that much is spent, or would be by the next. Where the price of a
            model is unknown, it holds nothing back.
        progress: told how many are done.

    Raises:
        InputError: when there is no such scorer, or a model of it lacks what it needs.
    """
    if not given:
        raise GatewatchError("there is nothing to score")
    scorer = project.scorer(name, "scorer")
    return asyncio.run(_tried(project, scorer, given, cap, progress))


async def _tried(
    project: Project, scorer: Scorer, given: Sequence[Given], cap: float, progress: Callable[[int], None]
) -> Tried:
    trials: list[Trial] = []
    spent, threads = Cost(), DaemonPool(_AT_ONCE)

    async def one(each: Given) -> Trial:
        began = monotonic()
        score = await apply(scorer, each.trace, each.case, timeout=_PATIENCE_S, threads=threads)
        return Trial(each, score, monotonic() - began)

    try:
        left = list(given)
        while left:
            some: list[Given] = []
            expected = spent.amount
            while left and len(some) < _AT_ONCE:
                expected += cost_of(project, scorer, left[0].characters) or 0.0
                if scorer.models and expected > cap:
                    break
                some.append(left.pop(0))
            if not some:
                break
            made = await asyncio.gather(*map(one, some))
            spent = sum((each.score.cost for each in made if each.score and each.score.cost), spent)
            trials += made
            progress(len(trials))
        trials += [Trial(each, None) for each in left]
    finally:
        await project.close()
    mean = MeanEstimate()
    for each in trials:
        if each.score is not None and each.score.value is not None:
            mean.add(each.score.value, each.given.trace.session or each.given.name)
    return Tried(
        scorer=scorer.name,
        fingerprint=scorer.fingerprint,
        trials=tuple(trials),
        mean=mean.result(),
        cost=spent,
        capped=sum(each.score is None for each in trials),
    )
