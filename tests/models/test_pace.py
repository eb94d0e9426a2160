"""The gate, in a clock's own time: it converges on what a provider lets through, and never stops for good."""

import asyncio
import itertools
import random
from math import inf

import pytest

from gatewatch.checks.clock import FrozenClock
from gatewatch.models.pace import HaltTooLong, Pace


class Bucket:
    """A provider's limit: a token bucket, or places in flight."""

    def __init__(self, clock: FrozenClock, rate: float, burst: int, places: float = inf) -> None:
        self.clock, self.rate, self.burst, self.places = clock, rate, burst, places
        self.tokens, self.at, self.inside = float(burst), clock(), 0

    def admit(self) -> bool:
        now = self.clock()
        self.tokens, self.at = min(self.burst, self.tokens + (now - self.at) * self.rate), now
        if self.tokens < 1 or self.inside >= self.places:
            return False
        self.tokens -= 1
        return True


def through(
    provider: Bucket,
    pace: Pace,
    calls: int,
    *,
    at_once: int = 64,
    latency: float = 0.05,
    retry_after: float | None = 1.0,
) -> float:
    """Make calls through the gate until all are done; seconds taken."""
    clock = provider.clock

    async def call() -> None:
        while True:
            async with pace.turn() as turn:
                if provider.admit():
                    provider.inside += 1
                    await asyncio.sleep(latency)
                    provider.inside -= 1
                    return
                await asyncio.sleep(0.001)
                turn.refused(retry_after)

    async def worker(numbers: "list[int]") -> None:
        while numbers:
            numbers.pop()
            await call()

    async def work() -> None:
        numbers = list(range(calls))
        await asyncio.gather(*(worker(numbers) for _ in range(at_once)))

    began = clock()
    clock.run(work())
    return clock() - began


class Window(Bucket):
    """A provider's limit that is counted anew in every window of so many seconds."""

    def __init__(self, clock: FrozenClock, most: int, seconds: float) -> None:
        super().__init__(clock, most / seconds, most)
        self.seconds, self.window = seconds, 0

    def admit(self) -> bool:
        window = int(self.clock() / self.seconds)
        if window != self.window:
            self.window, self.tokens = window, self.burst
        self.tokens -= 1
        return self.tokens >= 0


def gate(clock: FrozenClock, concurrency: int = 64, rpm: int | None = None) -> Pace:
    return Pace(clock=clock, rng=random.Random(7).random, concurrency=concurrency, rpm=rpm)


@pytest.mark.parametrize("rate", [4, 40, 200])
@pytest.mark.parametrize("latency", [0.001, 0.5])
def test_it_converges_on_the_rate_of_a_provider(rate: int, latency: float) -> None:
    clock = FrozenClock()
    pace = gate(clock)
    calls = rate * 60
    took = through(Bucket(clock, rate, 10), pace, calls, latency=latency)
    possible = min(rate, 64 / latency)
    assert took <= 1.35 * calls / possible + 5
    assert pace.refusals <= 0.15 * calls + 64


@pytest.mark.parametrize(("most", "seconds"), [(40, 1.0), (10, 1.0), (120, 60.0), (600, 60.0)])
@pytest.mark.parametrize("retry_after", [None, 0.0, 2.0])
def test_it_converges_on_a_limit_that_is_counted_in_windows(
    most: int, seconds: float, retry_after: float | None
) -> None:
    clock = FrozenClock()
    pace = gate(clock)
    calls = max(most * 5, 400)
    took = through(Window(clock, most, seconds), pace, calls, retry_after=retry_after)
    assert took <= 2 * calls / most * seconds
    assert pace.refusals <= 0.15 * calls


def test_the_storm_in_a_clocks_own_time() -> None:
    clock = FrozenClock()
    pace = gate(clock)
    took = through(Bucket(clock, 40, 10), pace, 400, latency=0.005)
    assert took <= 1.3 * 390 / 40
    assert pace.refusals < 40
    assert pace.state()["rate"] == pytest.approx(40, rel=0.1)


def test_it_follows_a_limit_that_changes() -> None:
    clock = FrozenClock()
    pace, provider = gate(clock), Bucket(clock, 40, 10)
    through(provider, pace, 1000)
    provider.rate = 8
    through(provider, pace, 500)
    assert pace.state()["rate"] == pytest.approx(8, rel=0.25)
    provider.rate = 80
    assert through(provider, pace, 8000) <= 3 * 8000 / 80


def test_tokens_a_minute_are_kept_and_estimates_corrected() -> None:
    clock = FrozenClock()
    pace = Pace(clock=clock, tpm=60_000)

    async def work() -> None:
        for _ in range(10):
            async with pace.turn(tokens=10_000) as turn:
                turn.used(1000)

    clock.run(work())
    assert clock() == pytest.approx(9.0, abs=0.5)


def test_one_call_goes_first_after_a_halt() -> None:
    clock = FrozenClock()
    pace, sent = gate(clock), list[float]()

    async def call() -> None:
        while True:
            async with pace.turn() as turn:
                sent.append(clock())
                await asyncio.sleep(0.01)
                if clock() > 30:
                    return
                turn.refused(2.0)

    async def work() -> None:
        await asyncio.gather(*(call() for _ in range(20)))

    clock.run(work())
    refused = [at for at in sent if 1 < at < 30]
    assert len(refused) <= 4
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(refused))


def test_it_finds_the_number_of_places() -> None:
    clock = FrozenClock()
    pace = gate(clock)
    took = through(Bucket(clock, 10_000, 10_000, places=8), pace, 800, latency=0.2)
    assert took <= 3 * 800 * 0.2 / 8
    assert pace.refusals <= 200


@pytest.mark.parametrize("retry_after", [None, 0.0, 5.0])
def test_it_never_stops_for_good(retry_after: float | None) -> None:
    clock = FrozenClock()
    pace = gate(clock)
    through(Bucket(clock, 20, 5), pace, 400, retry_after=retry_after)
    assert pace.in_flight == 0


def test_nothing_is_held_back_before_a_refusal() -> None:
    clock = FrozenClock()
    pace = gate(clock)
    took = through(Bucket(clock, inf, 10**9), pace, 640, latency=1.0)
    assert took == pytest.approx(10.0, abs=0.5)
    assert pace.state()["rate"] is None


def test_requests_a_minute_are_kept() -> None:
    clock = FrozenClock()
    pace = gate(clock, rpm=600)
    took = through(Bucket(clock, inf, 10**9), pace, 200, latency=0.001)
    assert took >= 200 / 10 - 1


def test_a_halt_longer_than_patience_is_told() -> None:
    clock = FrozenClock()
    pace = gate(clock)

    async def work() -> None:
        async with pace.turn() as turn:
            turn.refused(3600.0)
        with pytest.raises(HaltTooLong):
            async with pace.turn(patience=10.0):
                pass

    clock.run(work())
    assert pace.in_flight == 0


def test_a_waiter_that_is_cancelled_gives_its_place_back() -> None:
    clock = FrozenClock()
    pace = gate(clock, concurrency=1)

    async def work() -> None:
        async def hold() -> None:
            async with pace.turn():
                await asyncio.sleep(10)

        first, second = asyncio.ensure_future(hold()), asyncio.ensure_future(hold())
        await asyncio.sleep(1)
        second.cancel()
        first.cancel()
        await asyncio.wait([first, second])
        async with pace.turn():
            assert pace.in_flight == 1

    clock.run(work())
    assert pace.in_flight == 0
