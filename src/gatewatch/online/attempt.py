"""One attempt at a leased task: from the request to a score, another try later, or a reason why there will be none."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Trace
from gatewatch.online.monitor import Monitor, Watch
from gatewatch.online.outage import Breaker, Trouble, troubles
from gatewatch.online.sample import budget_name
from gatewatch.scorers.apply import apply, apply_inline
from gatewatch.store.base import Store
from gatewatch.store.rows import Leased, Row, Settled
from gatewatch.store.tasks import CAUTION

TRIES = 3
DEATHS = 5
"""So many workers may die over a task: more than `TRIES`, since most are killed for reasons of their own."""
FIRST_RETRY_S = 10.0
_ASIDE_S = 0.5
_log = logging.getLogger("gatewatch")


class Purse(Struct, frozen=True):
    """What pays for a score: the name of a budget, and its limit in US dollars (None: what is spent is only counted).
    `what` it is to people."""

    name: str = ""
    most: float | None = None
    what: str = ""


def days_purse(monitor: Monitor, now: float) -> Purse:
    """A monitor's money for the day of a time."""
    return Purse() if monitor.budget is None else Purse(budget_name(monitor.name, now), monitor.budget, "day's budget")


class Attempts(Struct, frozen=True, kw_only=True):
    """What every attempt needs: the store, the breakers of the models, threads for scorers that are the user's."""

    store: Store
    breakers: Mapping[str, Breaker]
    threads: DaemonPool
    clock: Callable[[], float]
    owner: str
    timeout: float

    def early(self, leased: Leased, watch: Watch, cost: float, purse: Purse) -> Settled | None:
        """What can be said of a task without scoring it: tried too often, no payload, no money left."""
        settled = Settled(leased.task, leased.attempt, author=self.owner)
        if leased.crashes >= DEATHS:
            return replace(settled, state="failed", reason=f"given up: {leased.crashes} workers died over it")
        if leased.failures >= TRIES:
            return replace(settled, state="failed", reason=f"given up after {leased.failures} tries: {leased.reason}")
        if leased.payload is None:
            return replace(settled, state="no_payload", reason="its payload is gone")
        if purse.most is None or not watch.scorer.models:
            return None
        if self.store.reserve(purse.name, purse.most, CAUTION * cost, task=leased.task):
            return None
        spent, aside = self.store.spent(purse.name)
        rest = purse.most - spent - aside - 1e-9  # less than what may be lost in rounding
        if cost <= rest and self.store.reserve(purse.name, purse.most, rest, task=leased.task):
            return None
        if aside > 0 and spent + cost <= purse.most:
            reason = f"what is left of the {purse.what} is set aside for others"
            return replace(settled, retry_at=self.clock() + _ASIDE_S, reason=reason, counts=False)
        _say_used_up(purse)
        return replace(settled, state="over_budget", reason=f"the {purse.what} of {purse.most:g} USD is used up")

    def inline(self, leased: Leased, watch: Watch, trace: Trace, beside: Mapping[str, Any]) -> Settled:
        """Score with a scorer that is ours and bounded, here and now."""
        return self._settled(leased, watch, apply_inline(watch.scorer, trace, beside=beside), [])

    async def wait_for(
        self, leased: Leased, watch: Watch, trace: Trace, beside: Mapping[str, Any], budget: str
    ) -> Settled:
        """Score with a scorer that takes its time: models have deadlines of their own. `budget` pays for it."""
        noted: list[Trouble] = []
        token = troubles.set(noted)
        try:
            score = await apply(
                watch.scorer, trace, beside=beside, timeout=self.timeout, threads=self.threads, patient=True
            )
        finally:
            troubles.reset(token)
        return self._settled(leased, watch, score, noted, budget)

    def beside(self, row: Row, watch: Watch) -> dict[str, Any]:
        """What a scorer is given beside the trace: the turns of its session, if it looks at that.

        Raises:
            LookupError: when a turn has no payload.
            ValueError: when one cannot be read.
        """
        if not watch.of_session:
            return {}
        turns = [(each.id, self.store.payload(each.seq)) for each in self.store.session(row.flow, row.session)]
        gone = [name for name, payload in turns if not payload]
        if gone:
            raise LookupError(f"{len(gone)} of its {len(turns)} turns have no payload")
        return {"session": tuple(codec.decode(payload or b"", Trace) for _, payload in turns)}

    def _settled(self, leased: Leased, watch: Watch, score: Score, noted: list[Trouble], budget: str = "") -> Settled:
        scorer, now = watch.scorer, self.clock()
        score = without_unbilled(score, noted)
        settled = Settled(leased.task, leased.attempt, author=self.owner, budget=budget)
        if score.status == "scorer_error" and noted:
            trouble = noted[-1]
            breaker = self.breakers.get(trouble.model)
            if breaker is not None and breaker.failed(trouble.reason):  # not this request's fault: no try is counted
                reason = trouble.reason[:500]
                return replace(settled, retry_at=breaker.until, reason=reason, counts=False, score=_paid(score))
        if score.status == "scorer_error" and leased.failures + 1 < TRIES:
            later = now + FIRST_RETRY_S * 6**leased.failures
            return replace(settled, retry_at=later, reason=score.explanation[:500], score=_paid(score))
        source = scorer.source if score.source == "rule" else score.source
        named = replace(score, name=scorer.name, source=source, fingerprint=scorer.fingerprint)
        return replace(settled, score=named)


def without_unbilled(score: Score, noted: Sequence[Trouble]) -> Score:
    """A score that does not count as an unknown cost what was refused or broke off: that is not billed."""
    if not noted or score.cost is None or not score.cost.unknown or any(each.billed for each in noted):
        return score
    return replace(score, cost=Cost(score.cost.amount))


def _paid(score: Score) -> Score | None:
    """What a failed try cost: it is booked, and is no score."""
    return score if score.cost not in (None, Cost()) else None


@lru_cache(maxsize=100)
def _say_used_up(purse: Purse) -> None:
    """Say once, for a monitor once a day, that a budget is used up."""
    what = "the %s (%s) of %g USD is used up: what else it was to pay for is not judged"
    _log.warning(what, purse.what, purse.name, purse.most)
