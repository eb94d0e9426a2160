"""One attempt at a leased task: from the request to a score, another try later, or a reason why there will be none."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Trace
from gatewatch.online.monitor import Monitor, Watch
from gatewatch.online.outage import Breaker, troubles
from gatewatch.online.sample import budget_name
from gatewatch.scorers.apply import apply, apply_inline
from gatewatch.store.base import Store
from gatewatch.store.rows import Leased, Settled

TRIES = 3
FIRST_RETRY_S = 10.0
_RESERVED = 3.0
"""Times what a score costs on the mean is set aside for one: few cost more."""


class Attempts(Struct, frozen=True, kw_only=True):
    """What every attempt needs: the store, the breaker of the models, threads for scorers that are the user's."""

    store: Store
    breaker: Breaker
    threads: DaemonPool
    clock: Callable[[], float]
    owner: str
    timeout: float

    def early(self, leased: Leased, monitor: Monitor, watch: Watch, cost: float) -> Settled | None:
        """What can be said of a task without scoring it: tried too often, no payload, no money left."""
        settled = Settled(leased.task, leased.attempt, author=self.owner)
        if leased.crashes >= TRIES:
            return replace(settled, state="failed", reason=f"given up: {leased.crashes} workers died over it")
        if leased.failures >= TRIES:
            return replace(settled, state="failed", reason=f"given up after {leased.failures} tries: {leased.reason}")
        if leased.payload is None:
            return replace(settled, state="no_payload", reason="its payload is gone")
        if monitor.budget is not None and watch.scorer.models:
            budget, amount = budget_name(monitor.name, self.clock()), _RESERVED * cost
            if not self.store.reserve(budget, monitor.budget, amount, task=leased.task):
                reason = f"the day's budget of {monitor.budget:g} USD is used up"
                return replace(settled, state="over_budget", reason=reason)
        return None

    def inline(self, leased: Leased, watch: Watch, trace: Trace) -> Settled:
        """Score with a scorer that is ours and bounded, here and now."""
        score = apply_inline(watch.scorer, trace, beside=self._beside(leased, watch))
        return self._settled(leased, watch, score, [])

    async def wait_for(self, leased: Leased, watch: Watch, trace: Trace) -> Settled:
        """Score with a scorer that takes its time."""
        noted: list[str] = []
        token = troubles.set(noted)
        try:
            score = await apply(
                watch.scorer, trace, beside=self._beside(leased, watch), timeout=self.timeout, threads=self.threads
            )
        finally:
            troubles.reset(token)
        return self._settled(leased, watch, score, noted)

    def _beside(self, leased: Leased, watch: Watch) -> dict[str, Any]:
        if not watch.of_session:
            return {}
        row = leased.row
        turns = [self.store.payload(each.seq) for each in self.store.session(row.flow, row.session)]
        return {"session": tuple(codec.decode(each, Trace) for each in turns if each)}

    def _settled(self, leased: Leased, watch: Watch, score: Score, noted: list[str]) -> Settled:
        scorer, now = watch.scorer, self.clock()
        settled = Settled(leased.task, leased.attempt, author=self.owner)
        if score.status == "scorer_error" and noted:
            outage = self.breaker.failed(noted[-1])
            if outage:  # not this request's fault: it waits, and no try is counted
                return replace(
                    settled, retry_at=self.breaker.until, reason=noted[-1][:500], counts=False, score=_paid(score)
                )
        elif noted == [] and scorer.models:
            self.breaker.succeeded()
        if score.status == "scorer_error" and leased.failures + 1 < TRIES:
            later = now + FIRST_RETRY_S * 6**leased.failures
            return replace(settled, retry_at=later, reason=score.explanation[:500], score=_paid(score))
        source = scorer.source if score.source == "rule" else score.source
        named = replace(score, name=scorer.name, source=source, fingerprint=scorer.fingerprint)
        return replace(settled, score=named)


def _paid(score: Score) -> Score | None:
    """What a failed try cost: it is booked, and is no score."""
    return score if score.cost is not None or score.usage is not None else None
