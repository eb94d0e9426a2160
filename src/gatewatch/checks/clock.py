"""A clock that moves only when it is told to, and an event loop that lives by it."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class FrozenClock:
    """A clock that moves only when it is told to, and runs coroutines in its own time.

    Call it for the time in seconds. Inside `run`, everything that waits by the event loop (`asyncio.sleep`,
    time-outs, `call_later`) waits in this clock's time: when nothing is left to do but wait, the clock jumps to the
    next moment that something waits for, so that hours pass in milliseconds and in the same order every time.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.time = start

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self.time += seconds

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in this clock's time."""
        with asyncio.Runner(loop_factory=lambda: _FrozenLoop(self)) as runner:
            return runner.run(work)


class _FrozenLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(_JumpingSelector(clock))
        self._frozen = clock

    def time(self) -> float:
        return self._frozen()


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, clock: FrozenClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # nothing is planned: only another thread can wake the loop
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._clock.advance(max(0.0, timeout))
        return ready
