"""Pacing: one gate that all calls of a provider's model go through, so that none of them is refused for long.

The gate holds a number of places in flight, requests and tokens a minute as configured, and a pace that it learns from
refusals (HTTP 429):

1. It starts at 200 requests a second and doubles that every tenth of a second, so that a provider that has no limit
   hardly notices, and one that has is not hit by everything at once.
2. A refusal halts everybody for as long as the provider says. One request goes first after a halt; a halt after which
   nothing went through is followed by one twice as long.
3. After the first halt the pace starts at twice what is certain (what went through, over the time that it took and
   the halt that it cost), and doubles steadily until it is refused again.
4. From then on it keeps a little under what the provider has been seen to let through, and grows: hardly at first, then
   faster (the convex half of the cubic law of RFC 9438, section 4.2). A refusal at about the same pace as the last
   one confirms it, and makes the next growth twice as slow.

What the provider lets through is read off a token bucket that starts full. In a stretch of time that ends with a
refusal, no more than `burst + rate * seconds` can have gone through; so `(went - burst) / seconds` bounds the rate
from below in each such stretch, and the largest is the estimate. The burst is what went through before the first
refusal of all. A limit counted in fixed windows lets nothing through until its window is over, so that `went /
(seconds + halt)` is another bound. A limit on places in flight shows in refusals that come with as many places taken
every time; it is learnt as well.
"""

import asyncio
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from types import TracebackType
from typing import Any

from gatewatch.core.clock import monotonic

_START = 200.0  # requests a second
_START_DOUBLING_S = 0.1
_UNDER_QUOTA = 0.99  # catching up after a late wake-up must not break a configured limit
_UNDER_RATE = 0.97
_MOST_DROP = 0.6  # of the pace, at one refusal, once it has settled
_CATCH_UP_S = 0.25  # of pacing that a late wake-up may make good, as far as the burst allows it
_CATCH_UP = 4.0  # requests, while the burst is unknown
_GAP = 0.25  # least distance of two requests, in intervals
_LONGEST_SLEEP_S = 0.25  # estimates are corrected while we sleep
_PROBE_S = 0.05
_PROBE_SLEEP_S = 0.005
_SHORTEST_HALT_S = 0.25
_UNSTATED_HALT_S = 1.0
_LONGEST_BACKOFF_S = 60.0
_LONGEST_TOKEN_S = 2.0
_JITTER = 0.02  # of a halt, so that several processes do not come back as one
_RAMP_START = 2.0
_RAMP_DOUBLING_S = 0.35
_GROWTH_S = 30.0  # time in which a settled pace doubles, while nothing has confirmed it
_GROWTH_HALTS = 10  # the same, in halts: the longer a halt, the more it costs to be refused
_UNSURE = 1.4
_UNSURE_GROWTH_S = 6.0
_UNSURE_GROWTH_HALTS = 6
_MOST_CONFIRMED = 2
_SAME_PACE = 1.25
_SAME_PLACES = 0.7
_REMEMBERED = 4096
_SHORTEST_STRETCH_S = 0.2
_LONGEST_BURST_S = 0.5


class HaltTooLong(Exception):  # noqa: N818 - says what is the matter
    """The provider asks for a longer halt than the caller has patience for; `seconds` is how long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"the provider asks for {seconds:.0f} s without calls")


class _Stretch:
    """What was sent between two halts, by the times of sending."""

    __slots__ = ("in_flight", "refused", "sent")

    def __init__(self) -> None:
        self.sent: deque[float] = deque(maxlen=_REMEMBERED)
        self.refused: list[float] = []
        self.in_flight = 0  # at the first refusal

    def through(self) -> tuple[int, float]:
        """How many had gone through when the last refused one was sent, and when that was.

        Not the first one refused: it may have been overtaken on its way by many that were sent later.
        """
        last = max(self.refused)
        return bisect_right(self.sent, last) - len(self.refused), last


class Turn:
    """A place in flight, held for the length of an `async with`; it is free again however that ends."""

    __slots__ = ("_pace", "_patience", "_refused", "_sent", "_stretch", "_tokens")

    def __init__(self, pace: "Pace", tokens: int, patience: float) -> None:
        self._pace = pace
        self._tokens = tokens
        self._patience = patience
        self._refused = False
        self._sent = 0.0
        self._stretch: _Stretch | None = None

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
        """State that the call was refused for its rate; `retry_after` in seconds, where the provider stated it."""
        self.used(0)
        self._refused = True
        self._pace._refuse(self, retry_after)


class Pace:
    """The gate of one provider's model. One event loop uses it at a time.

        async with pace.turn(tokens=1200) as turn:
            ...
            turn.used(1100)         # or turn.refused(retry_after)

    Args:
        concurrency: places in flight at most.
        rpm: requests a minute at most, evenly spread; None: no limit of our own.
        tpm: tokens a minute at most, evenly spread; None: no limit of our own.
        clock: the time in seconds, on a clock that does not go back.
        sleep: waits for some seconds of that clock.
        rng: uniform random numbers in 0..1.

    Attributes:
        in_flight: places taken.
        refusals: calls refused for their rate so far.
        retries: calls made again for whatever reason; the client counts them here.
    """

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
        self.in_flight = self.refusals = self.retries = 0
        self._concurrency = concurrency
        self._quota = inf if rpm is None else rpm * _UNDER_QUOTA / 60
        self._token_quota = inf if tpm is None else tpm * _UNDER_QUOTA / 60
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line, self._freed = asyncio.Lock(), asyncio.Event()
        # When the next request may go: by rate, by tokens, and by its distance from the last.
        self._next = self._next_by_tokens = self._next_by_gap = 0.0
        self._catch_up = _CATCH_UP
        # What was learnt: None and infinity until the first refusal.
        self._rate: float | None = None
        self._places = inf
        self._burst, self._burst_s = 0, 0.0
        self._refusal_s = 0.0
        # How the pace grows from there.
        self._ramping = False
        self._grown_s = 0.0
        self._growth_s = _GROWTH_S
        self._confirmed = 0
        # The stretch that is going on; the halt, and the stretch that led to it.
        self._first: float | None = None
        self._stretch = _Stretch()
        self._ended: _Stretch | None = None
        self._halted_until = 0.0
        self._fruitless = 0
        self._probe_until = 0.0

    def turn(self, tokens: int = 0, *, patience: float = inf) -> Turn:
        """A place in flight, to be entered with `async with`, which waits until a call may be made.

        Args:
            tokens: an estimate of the tokens that the call takes, input and output together.
            patience: seconds of a halt that the caller would wait for. Entering raises `HaltTooLong` when more of
                one is left.
        """
        return Turn(self, tokens, patience)

    def state(self) -> dict[str, Any]:
        """How it stands: places in flight, their limit, requests a second (None before any refusal), and the counts."""
        return {
            "in_flight": self.in_flight,
            "limit": self._limit,
            "rate": None if self._rate is None else round(self._rate * self._gain, 3),
            "refusals": self.refusals,
            "retries": self.retries,
        }

    @property
    def _gain(self) -> float:
        """What the learnt pace has grown by since it was learnt."""
        if self._ramping:
            return float(2 ** min(self._grown_s / self._doubling_s, 30.0))
        return 1.0 + (self._grown_s / self._growth_s) ** 3

    @property
    def _doubling_s(self) -> float:
        return max(_RAMP_DOUBLING_S, 2 * self._refusal_s)

    @property
    def _limit(self) -> int:
        return max(1, int(min(self._concurrency, self._places * self._gain)))

    async def _enter(self, turn: Turn) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the last loop is gone, and all that waited on it
            self._loop, self._line, self._freed, self.in_flight = loop, asyncio.Lock(), asyncio.Event(), 0
        # Only the first in line waits for the pace, the others for their turn: whoever is cancelled holds nothing up.
        async with self._line:
            held_s = 0.0
            while (wait := self._wait(turn)) > 0:
                began, learning = self._clock(), self._holds()
                if wait == inf:
                    self._freed.clear()
                    await self._freed.wait()
                else:
                    await self._sleep(wait)
                if learning:
                    held_s += self._clock() - began
            self._go(turn, held_s)

    def _wait(self, turn: Turn) -> float:
        """Seconds until the first in line should look again; 0 when it may go, infinity while no place is free."""
        now = self._clock()
        halt = self._halted_until - now
        if halt > 0:
            if halt > turn._patience:
                raise HaltTooLong(halt)
            return min(halt, _LONGEST_SLEEP_S)
        if self.in_flight >= self._limit:
            return inf
        if self._ended is not None:
            if not self._stretch.sent:
                return 0.0
            if now < self._probe_until:
                return _PROBE_SLEEP_S
            self._resume(self._ended)
            self._ended = None
        return min(max(self._next, self._next_by_tokens, self._next_by_gap) - now, _LONGEST_SLEEP_S)

    def _holds(self) -> bool:
        """Whether it is the learnt pace that holds calls back, and not a configured limit."""
        if self._rate is None or self._ended is not None:
            return False
        if self.in_flight >= self._limit:
            return self._limit < self._concurrency
        return self._rate * self._gain < self._quota and self._next >= self._next_by_tokens

    def _go(self, turn: Turn, held_s: float) -> None:
        now = self._clock()
        stretch = self._stretch
        if self._ended is not None:
            self._probe_until = now + max(_PROBE_S, 3 * self._refusal_s)
        if self._rate is None:
            self._first = now if self._first is None else self._first
            pace = _START * 2 ** min((now - self._first) / _START_DOUBLING_S, 30.0)
        else:
            # In the ramp no single wait counts for much: a slow pace would jump.
            self._grown_s += min(held_s, self._doubling_s / 4) if self._ramping else held_s
            pace = self._rate * self._gain
        interval = 1 / min(pace, self._quota)
        behind = now - min(_CATCH_UP_S, self._catch_up * interval)
        self._next = max(self._next, behind) + interval
        self._next_by_gap = now + _GAP * interval
        self._next_by_tokens = max(self._next_by_tokens, now) + turn._tokens / self._token_quota
        self.in_flight += 1
        stretch.sent.append(now)
        turn._sent, turn._stretch = now, stretch

    def _leave(self, turn: Turn) -> None:
        self.in_flight = max(0, self.in_flight - 1)
        self._freed.set()
        if turn._stretch is self._stretch and not turn._refused:
            self._fruitless = 0
            self._probe_until = 0.0

    def _correct(self, tokens: int) -> None:
        self._next_by_tokens += tokens / self._token_quota

    def _refuse(self, turn: Turn, retry_after: float | None) -> None:
        now, stretch = self._clock(), turn._stretch
        assert stretch is not None
        self.refusals += 1
        took = now - turn._sent
        self._refusal_s = took if not self._refusal_s else 0.8 * self._refusal_s + 0.2 * took
        stretch.refused.append(turn._sent)
        if stretch is self._stretch:
            stretch.in_flight = self.in_flight
            if self._ended is None:  # else it was the probe: the stretch before the halt is still to be learnt from
                self._ended = stretch
            self._stretch = _Stretch()
            self._fruitless += 1
        elif stretch is not self._ended:
            return  # sent before a halt that is over: the pace has been changed for it
        stated = _UNSTATED_HALT_S if retry_after is None else max(retry_after, _SHORTEST_HALT_S)
        if self._rate is not None:  # the provider may say less than it takes for one request to be let through
            stated = max(stated, min(1.5 / self._rate, _LONGEST_TOKEN_S))
        halt = max(stated, min(stated * 2 ** (self._fruitless - 1), _LONGEST_BACKOFF_S))
        self._halted_until = max(self._halted_until, now + halt * (1 + _JITTER * self._rng()))

    def _resume(self, ended: _Stretch) -> None:
        """Go on after a halt, at a pace learnt from the stretch that led to it."""
        went, refused_at = ended.through()
        if went <= 0:
            self._first = None
            return
        probed_at = self._stretch.sent[0]
        halt = probed_at - refused_at
        times = [refused_at - at for at in ended.sent if at < refused_at]
        self._rate = self._learn_first(went, times, halt) if self._rate is None else self._learn(went, times, halt)
        self._grown_s = 0.0
        # Refused with fewer places taken than have been let through at once: places are not what is limited.
        places = max(1, ended.in_flight - len(ended.refused))
        seen = self._places < inf
        self._places = 2 * self._places if seen and places < _SAME_PLACES * self._places else places
        self._catch_up = (self._burst - 1) / 2
        self._next = probed_at + 1 / self._rate
        if self._ramping:  # what came free during the halt may be caught up with; a settled pace keeps it in hand
            self._next -= min(_CATCH_UP_S, self._catch_up / self._rate, halt / 2)

    def _learn_first(self, went: int, times: list[float], halt: float) -> float:
        """The rate after the first refusal of all. `times` are seconds from each request sent to the refusal."""
        self._burst, self._burst_s = went, min(times[0], _LONGEST_BURST_S)
        least, least_s = _least_rate(went, times, halt)
        # Where the halt is the longer part of what was measured, the rate may be many times as much.
        self._ramping = least_s < halt
        self._growth_s = max(_GROWTH_S, _GROWTH_HALTS * halt)
        return least * (_RAMP_START if self._ramping else _UNDER_RATE)

    def _learn(self, went: int, times: list[float], halt: float) -> float:
        """The rate after a later refusal."""
        assert self._rate is not None
        before, pace, settled = self._rate, self._rate * self._gain, not self._ramping
        if settled and times[0] < halt:
            # Refused this early at a settled pace: the burst must be larger than it was taken for.
            self._burst, self._burst_s = min(went, int(1.25 * self._burst) + 1), 0.0
        least, _ = _least_rate(went, times, halt)
        known = _bucket_rate(went, times, self._burst, self._burst_s)
        rate = _UNDER_RATE * min(max(least, known, _MOST_DROP * before if settled else 0.0), pace)
        same = settled and 1 / _SAME_PACE < rate / before < _SAME_PACE
        self._confirmed = min(self._confirmed + 1, _MOST_CONFIRMED) if same else 0
        self._ramping = False
        # A rate that only the halt made so low may be far too low, and must not take long to find out.
        unsure = known < least and went > _UNSURE * rate * times[0]
        growth_s, halts = (_UNSURE_GROWTH_S, _UNSURE_GROWTH_HALTS) if unsure else (_GROWTH_S, _GROWTH_HALTS)
        self._growth_s = max(growth_s, halts * halt) * 2**self._confirmed
        return rate


def _least_rate(went: int, times: list[float], halt: float) -> tuple[float, float]:
    """The most that went through a second in any stretch up to the refusal and its halt, and that stretch's seconds.

    `times` are the seconds from each request to the refusal, in the order of sending.
    """
    return max(((went - place) / (seconds + halt), seconds) for place, seconds in enumerate(times))


def _bucket_rate(went: int, times: list[float], burst: int, burst_s: float) -> float:
    """The rate of a token bucket that lets a burst (measured over `burst_s` seconds) through before it refuses."""
    shortest = burst_s + _SHORTEST_STRETCH_S
    rates = ((went - place - burst) / (s - burst_s) for place, s in enumerate(times) if s >= shortest)
    return max(rates, default=0.0)
