"""Pacing: one gate that all calls of a provider's model go through, so that none of them is refused for long.

The gate holds four limits: places in flight, requests and tokens per minute as configured, and a pace that it learns
from refusals (HTTP 429). Nothing is held back until the first refusal. Then:

1. A refusal halts everybody, for as long as the provider says. One request goes first after a halt; a
   halt after which nothing went through is followed by one twice as long.
2. After the first halt the pace starts from what is certain (what went through, over the time it took and the halt
   that it cost) and doubles steadily until it is refused again.
3. From then on it keeps a little under what the provider has been seen to let through, and grows slowly at first, then
   faster (the cubic law of RFC 9438, section 4.2). A refusal at about the same pace as the last one confirms it, and
   makes the next attempt to grow wait twice as long.

What the provider lets through is read off a token bucket, from the requests that went out before a refusal: in no
stretch of time that ends with a refusal can more than `burst + rate * seconds` have gone through, so that
`(went - burst) / seconds` bounds the rate from below in every such stretch, and the largest of these is the estimate. The burst is
what went through before the first refusal of all. A limit that is counted in fixed windows lets nothing through
until the window is over, so that `went / (seconds + halt)` is the second bound.

A limit on places in flight shows in that refusals come with as many places taken every time; the gate then learns
the number of places too.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from types import TracebackType
from typing import Any

from gatewatch.core.clock import monotonic

_UNDER_QUOTA = 0.99  # of the configured limits: catching up after a late wake-up must not break them
_UNDER_RATE = 0.97  # of the estimated rate
_CATCH_UP_S = 0.25  # of pacing that a late wake-up may make good at once
_QUANTUM_S = 0.25  # longest sleep before looking again: estimates get corrected while we sleep
_PROBE_QUANTUM_S = 0.005
_SHORTEST_HALT_S = 0.1
_UNSTATED_HALT_S = 1.0
_LONGEST_UNSTATED_HALT_S = 60.0
_DOUBLING_S = 0.35
_GROWTH_S = 20.0  # time in which the pace doubles while nothing confirms it
_MOST_CONFIRMED = 4
_REMEMBERED = 4096
_SHORTEST_STRETCH_S = 0.25
_BURST_S = 0.5
_START = 2.0
_DROP = 0.6
_SPREAD = 0.5
_CREDIT = 1.0
_CREDIT_R = 1.0


class HaltTooLong(Exception):  # noqa: N818 - says what is the matter
    """The provider asks everybody to wait for longer than the caller is willing to; `seconds` is how long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"the provider asks for {seconds:.0f} s of silence")


class _Stretch:
    """What went out between two halts."""

    __slots__ = ("in_flight", "last_refused", "last_answered", "refused", "sent")

    def __init__(self) -> None:
        self.sent: deque[float] = deque(maxlen=_REMEMBERED)
        self.refused = 0
        self.last_refused = 0.0
        self.in_flight = 0


class Turn:
    """A place in flight, held inside an `async with`."""

    __slots__ = ("_pace", "_patience", "_refused", "_sent", "_stretch", "_tokens")

    def __init__(self, pace: "Pace", tokens: int, patience: float) -> None:
        self._pace = pace
        self._tokens = tokens
        self._patience = patience
        self._refused = False

    async def __aenter__(self) -> "Turn":
        await self._pace._enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pace._leave(self)

    def used(self, tokens: int) -> None:
        """State how many tokens the call really took, in place of the estimate."""
        self._pace._correct(tokens - self._tokens)
        self._tokens = tokens

    def refused(self, retry_after: float | None) -> None:
        """State that the provider refused the call for its rate; `retry_after` in seconds, where it was stated."""
        self._refused = True
        self._pace._refused(self, retry_after)


class Pace:
    def __init__(
        self,
        *,
        concurrency: int = 64,
        rpm: int | None = None,
        tpm: int | None = None,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.concurrency = concurrency
        self._quota = inf if rpm is None else rpm * _UNDER_QUOTA / 60
        self._token_quota = inf if tpm is None else tpm * _UNDER_QUOTA / 60
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self.refusals = 0
        self.retries = 0
        self.in_flight = 0
        self._line: asyncio.Lock = asyncio.Lock()
        self._freed: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next = self._next_by_tokens = 0.0
        # What is learnt.
        self._rate: float | None = None
        self._places: float = inf
        self._ramping = False
        self._burst, self._burst_s = 1, 0.0
        self._grown_s = 0.0
        self._growth_s = _GROWTH_S
        self._confirmed = 0
        self._refusal_s = 0.0
        # The stretch that is going on, and the halt.
        self._stretch = _Stretch()
        self._closed: _Stretch | None = None
        self._halted_until = 0.0
        self._failures = 0
        self._probe_until = 0.0
        self.events: list[Any] = []

    def turn(self, tokens: int = 0, *, patience: float = inf) -> Turn:
        return Turn(self, tokens, patience)

    def state(self) -> dict[str, Any]:
        return {
            "in_flight": self.in_flight,
            "limit": self._limit,
            "rate": None if self._rate is None else round(self._rate * self._gain, 3),
            "refusals": self.refusals,
            "retries": self.retries,
        }

    @property
    def _doubling_s(self) -> float:
        return max(_DOUBLING_S, 2 * self._refusal_s)

    @property
    def _gain(self) -> float:
        if self._ramping:
            return float(2 ** min(self._grown_s / self._doubling_s, 30.0))
        return 1.0 + (self._grown_s / self._growth_s) ** 3

    @property
    def _slack_s(self) -> float:
        if self._rate is None:
            return _CATCH_UP_S
        return min(_CATCH_UP_S, (self._burst - 1) / 2 / (self._rate * self._gain))

    @property
    def _limit(self) -> int:
        return max(1, int(min(self.concurrency, self._places * self._gain)))

    async def _enter(self, turn: Turn) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._line, self._freed, self.in_flight = loop, asyncio.Lock(), asyncio.Event(), 0
        async with self._line:
            since = self._clock()
            while (wait := self._wait(turn)) > 0:
                if wait is inf:
                    self._freed.clear()
                    await self._freed.wait()
                else:
                    await self._sleep(wait)
            self._go(turn, self._clock() - since)

    def _wait(self, turn: Turn) -> float:
        now = self._clock()
        halt = self._halted_until - now
        if halt > 0:
            if halt > turn._patience:
                raise HaltTooLong(halt)
            return min(halt, _QUANTUM_S)
        if self._closed is not None:
            self._learn(self._closed, now)
            halt = now - self._closed.last_refused
            self._closed = None
            self._next = now - min(self._slack_s, halt / 2) * (_CREDIT_R if self._ramping else _CREDIT)
        if self.in_flight >= self._limit:
            return inf
        if now < self._probe_until:
            return _PROBE_QUANTUM_S
        if self._stretch.sent and self._rate is not None:
            gap = self._stretch.sent[-1] + 0.25 / (self._rate * self._gain) - now
        else:
            gap = 0
        return min(max(self._next - now, self._next_by_tokens - now, gap), _QUANTUM_S)

    def _go(self, turn: Turn, held_s: float) -> None:
        now = self._clock()
        stretch = self._stretch
        rate = self._quota
        if self._rate is not None:
            own = self._rate * self._gain
            if not stretch.sent:
                self._probe_until = now + 2 * self._refusal_s
            elif own < self._quota:
                self._grown_s += min(held_s, self._doubling_s / 4) if self._ramping else held_s
            rate = min(rate, own)
        slack = self._slack_s
        self._next = max(self._next, now - slack) + 1 / rate
        self._next_by_tokens = max(self._next_by_tokens, now - slack) + turn._tokens / self._token_quota
        self.in_flight += 1
        stretch.sent.append(now)
        turn._sent, turn._stretch = now, stretch

    def _leave(self, turn: Turn) -> None:
        self.in_flight -= 1
        self._freed.set()
        if turn._stretch is self._stretch and not turn._refused:
            self._failures = 0
            self._probe_until = 0.0

    def _correct(self, tokens: int) -> None:
        self._next_by_tokens += tokens / self._token_quota

    def _refused(self, turn: Turn, retry_after: float | None) -> None:
        now = self._clock()
        self.refusals += 1
        took = now - turn._sent
        self._refusal_s += (took - self._refusal_s) * (0.2 if self._refusal_s else 1.0)
        stretch = turn._stretch
        stretch.refused += 1
        stretch.last_answered = now
        stretch.last_refused = max(stretch.last_refused, turn._sent)
        if stretch is self._stretch:
            stretch.in_flight = self.in_flight
            self._closed, self._stretch = stretch, _Stretch()
            self._failures += 1
        elif stretch is not self._closed:
            return
        stated = _UNSTATED_HALT_S if retry_after is None else max(retry_after, _SHORTEST_HALT_S)
        if self._rate is not None and not self._ramping:
            stated = max(stated, min(1.5 / self._rate, 2.0))
        halt = max(stated, min(stated * 2 ** (self._failures - 1), _LONGEST_UNSTATED_HALT_S))
        self._halted_until = max(self._halted_until, now + halt * (1 + 0.02 * self._rng()))

    def _learn(self, stretch: _Stretch, now: float) -> None:
        sent, end = stretch.sent, stretch.last_refused
        went = len(sent) - stretch.refused
        if went <= 0:
            return
        halt = now - end
        low, low_s, high = 0.0, 0.0, 0.0
        for place, at in enumerate(sent):
            seconds, through = end - at, went - place
            if seconds < 0 or through <= 0:
                break
            if through / (seconds + halt) > low:
                low, low_s = through / (seconds + halt), seconds
            if seconds > max(_SHORTEST_STRETCH_S, 2 * self._burst_s):
                high = max(high, (through - self._burst + 0.5) / (seconds - self._burst_s))
        places = max(1, stretch.in_flight - stretch.refused)
        self.events.append(
            (
                round(now, 2),
                went,
                stretch.refused,
                round(end - sent[0], 3),
                round(halt, 2),
                round(low, 2),
                round(high, 2),
                places,
                self._rate and round(self._rate * self._gain, 2),
            )
        )
        if self._rate is None:
            self._burst, self._burst_s = went, min((stretch.last_answered - sent[0]) / 2, _BURST_S)
            self._ramping = low_s < halt
            self._rate, self._places = low * (_START if self._ramping else _UNDER_RATE), places
        else:
            before = self._rate
            if not self._ramping and end - sent[0] < 2 * halt:
                self._burst_s, self._burst = 0.0, min(went, int(self._burst * 1.5))
            own = self._rate * self._gain
            self._rate = _UNDER_RATE * min(max(low, high, 0.0 if self._ramping else _DROP * before), own)
            self._confirmed = (
                min(self._confirmed + 1, _MOST_CONFIRMED)
                if not self._ramping and 0.8 < self._rate / before < 1.25
                else 0
            )
            self._ramping = False
            self._places = places if places >= 0.7 * self._places else self._places * 2
        self._growth_s = max(_GROWTH_S, 10 * halt) * 2**self._confirmed
        self._grown_s = 0.0
