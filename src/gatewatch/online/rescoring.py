"""The worker's part in watching judges: it scores the canaries that are due once more, all of a set, and keeps that.

A check is of no use in part. It is kept when every canary was tried and nearly all have a score; a judge that is away,
a budget that is used up or a worker that dies puts it off, and says nothing about the judge.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from gatewatch.core import codec
from gatewatch.core.errors import said_by
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.models.cache import bypassed
from gatewatch.online.attempt import Attempts, days_purse, without_unbilled
from gatewatch.online.canary import EVERY_S, LEAST, judges
from gatewatch.online.monitor import DAY_S, HOUR_S, Monitor, Watch
from gatewatch.online.outage import Trouble, troubles
from gatewatch.online.sample import cost_of
from gatewatch.scorers.apply import apply
from gatewatch.store.base import Store
from gatewatch.store.canaries import Canary, CanaryLease, Rescored
from gatewatch.store.tasks import CAUTION
from gatewatch.store.watching import Stream

_AT_ONCE = 4
_LOOK_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, HOUR_S
_TRIES = 2
_ENOUGH = 0.8
"""The share of a set that has to have a score; those without were asked for in vain, and no outage was to blame."""
_UNKNOWN = Score(status="scorer_error", cost=Cost(unknown=1))
_log = logging.getLogger("gatewatch")


class Rescoring:
    """What one worker does for canaries: one set at a time, beside its other work.

    Args:
        store: where they are.
        attempts: what scoring needs.
        lease_s: seconds after which a set goes to another worker if this one is not heard of.
        wake: called when a set has been scored.
    """

    def __init__(self, store: Store, attempts: Attempts, *, lease_s: float, wake: Callable[[], None]) -> None:
        self._store, self._attempts, self._lease_s, self._wake = store, attempts, lease_s, wake
        self._at_work: asyncio.Task[Rescored] | None = None
        self._lease: CanaryLease | None = None
        self._made: list[Score] = []
        self._ready: Rescored | None = None
        self._looked = self._extended = float("-inf")

    @property
    def busy(self) -> bool:
        """Whether a set is being scored, or waits to be kept."""
        return self._at_work is not None or self._ready is not None

    def step(self, monitors: Iterable[Monitor], now: float) -> None:
        """Keep what was scored, or begin with what is due."""
        self._keep(now)
        if self._at_work is not None and self._lease is not None:
            if abs(now - self._extended) >= self._lease_s / 3:
                self._extended = now
                if not self._store.extend_canaries(self._lease, now + self._lease_s):
                    self._at_work.cancel()  # another has it by now, or they were frozen anew
        elif abs(now - self._looked) >= _LOOK_S:
            self._looked = now
            self._begin(monitors, now)

    async def close(self, timeout: float) -> None:
        """Wait for the set that is being scored, for so many seconds, and give back what is not done by then."""
        if self._at_work is not None:
            await asyncio.wait([self._at_work], timeout=timeout)
            self._at_work.cancel()
            await asyncio.wait([self._at_work], timeout=1.0)
        self._keep(self._attempts.clock())

    def _keep(self, now: float) -> None:
        if self._ready is not None:
            self._store.keep_canaries(self._ready, now)
            if self._ready.reason:
                _log.warning("the canaries of %s: %s", self._ready.stream.scorer, self._ready.reason)
            self._ready, self._looked = None, float("-inf")

    def _begin(self, monitors: Iterable[Monitor], now: float) -> None:
        due: dict[int, tuple[Stream, Watch, Monitor]] = {}
        for monitor in monitors:
            mine = {(each.scorer.name, each.scorer.fingerprint): each for each in judges(monitor)}
            for stream in self._store.streams(monitor.flow) if mine else ():
                watch = mine.get((stream.scorer, stream.fingerprint))
                if watch is not None and not self._open(watch):
                    due[stream.id] = stream, watch, monitor
        if not due:
            return
        lease = self._store.lease_canaries(due, self._attempts.owner, now, now + self._lease_s)
        if lease is None:
            return
        self._extended, self._lease, self._made = now, lease, []
        stream, watch, monitor = due[lease.stream]
        purse = days_purse(monitor, now)
        later = partial(Rescored, lease=lease, stream=stream, budget=purse.name)
        if purse.most is not None and not self._set_aside(lease, purse.name, purse.most, watch, monitor, now):
            reason = f"not scored: the {purse.what} of {purse.most:g} USD is used up"
            self._ready = later(due=min(now + HOUR_S, now - now % DAY_S + DAY_S), reason=reason)
            return
        self._at_work = asyncio.ensure_future(self._score(watch, later))
        self._at_work.add_done_callback(partial(self._ended, later))

    def _open(self, watch: Watch) -> bool:
        breakers = self._attempts.breakers
        return any(breakers[name].open for name in watch.scorer.models if name in breakers)

    def _set_aside(
        self, lease: CanaryLease, budget: str, most: float, watch: Watch, monitor: Monitor, now: float
    ) -> bool:
        """Set money aside: more than it costs on the mean or, where there is not that much, what is left."""
        mean = cost_of(self._store, monitor.flow, watch, now)[0] * len(lease.canaries)
        if self._store.reserve_canaries(lease, budget, most, CAUTION * mean):
            return True
        rest = most - sum(self._store.spent(budget)) - 1e-9
        return mean <= rest and self._store.reserve_canaries(lease, budget, most, rest)

    def _ended(self, later: Callable[..., Rescored], task: "asyncio.Task[Rescored]") -> None:
        self._at_work, now = None, self._attempts.clock()
        if task.cancelled():
            self._ready = later(due=now, reason="the worker was stopped", scores=self._made)
        elif (error := task.exception()) is not None:
            self._ready = later(due=now + self._pause(), reason=said_by(error), scores=self._made)
        else:
            self._ready = task.result()
        self._wake()

    def _pause(self) -> float:
        tries = self._lease.tries if self._lease is not None else 0
        return float(min(_FIRST_PAUSE_S * 2.0**tries, _LONGEST_PAUSE_S))

    async def _score(self, watch: Watch, later: Callable[..., Rescored]) -> Rescored:
        """Score each canary once: the first by itself, since it tells whether the judge answers at all."""
        assert self._lease is not None
        canaries, made = self._lease.canaries, self._made
        found: dict[int, float] = {}
        away: list[str] = []
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(canary: Canary) -> None:
            async with places:
                value = None if away else await self._value(canary, watch, made, away)
            if value is not None:
                found[canary.seq] = value

        for some in (canaries[:1], canaries[1:]):
            await asyncio.gather(*map(one, some))
        now, reason = self._attempts.clock(), "".join(away[:1])
        if not away and len(found) < max(_ENOUGH * len(canaries), LEAST):
            reason = f"of {len(canaries)} that were scored again only {len(found)} have a score"
        if reason:
            return later(due=now + self._pause(), reason=reason, scores=made)
        return later(values=found, due=now + EVERY_S, scores=made)

    async def _value(self, canary: Canary, watch: Watch, made: list[Score], away: list[str]) -> float | None:
        """The new score of a canary, None where the judge has none to give; it is told to `away` when the judge does
        not answer."""
        trace, attempts = codec.decode(canary.body, Trace), self._attempts
        for _ in range(_TRIES):
            noted: list[Trouble] = []
            kept = troubles.set(noted), bypassed.set(True)
            made.append(_UNKNOWN)  # as long as nothing is known of what it cost
            try:
                score = await apply(
                    *(watch.scorer, trace), timeout=attempts.timeout, threads=attempts.threads, patient=True
                )
            finally:
                troubles.reset(kept[0])
                bypassed.reset(kept[1])
            made.remove(_UNKNOWN)
            made.append(without_unbilled(score, noted))
            if score.status != "scorer_error":
                return score.value
            for trouble in noted[-1:]:
                breaker = attempts.breakers.get(trouble.model)
                if breaker is not None and breaker.failed(trouble.reason):
                    away.append(f"not scored: {trouble.reason}"[:500])
                    return None
        return None
