"""Running synchronous code that may never come back, without waiting for it.

A thread of Python cannot be stopped. One that is past its deadline is left behind (it is a daemon, so that it does
not keep the process alive), and another takes its place. `abandoned` counts them, so that a caller can decide when
that is too many, and `left` whose calls they were.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Abandoned(Exception):  # noqa: N818 - says what became of the call
    """The call did not come back in time; its thread was left behind."""


class Carried(RuntimeError):  # noqa: N818 - a wrapping, not an error of its own
    """What a call raised, when that cannot be raised across threads as it is."""

    def __init__(self, error: BaseException) -> None:
        self.__cause__ = error
        super().__init__(f"{type(error).__name__}: {error}".rstrip(": "))


class DaemonPool:
    """Up to `size` daemon threads, made when needed, for calls awaited on one event loop."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left: Counter[str] = Counter()
        self._jobs: SimpleQueue[Callable[[], bool] | None] = SimpleQueue()
        # Both are touched on the event loop's thread only.
        self._threads = 0
        self._calls = 0

    @property
    def abandoned(self) -> int:
        """How many calls did not come back."""
        return self.left.total()

    async def call(self, fn: Callable[..., T], *args: Any, timeout: float | None = None, what: str = "") -> T:
        """Call `fn` on a thread, with the caller's context variables. `what` names the call, for when it is left.

        Raises:
            Abandoned: when it has not come back within `timeout` seconds of being started.
            BaseException: whatever `fn` raised.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        started: asyncio.Future[None] = loop.create_future()
        context = copy_context()
        # Taken by the thread that begins, or by us when we give up before one has: whoever comes second finds none.
        ticket = [True]
        left = False

        def settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
            if future.done():  # given up, or the loop is going down
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def post(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
            # A closed loop means that we were busy past the end of the run: nobody is waiting.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, future, result, error)

        def job() -> bool:
            try:
                ticket.pop()
            except IndexError:  # given up before a thread was free
                return True
            if timeout is not None:
                post(started, None, None)
            try:
                result = context.run(fn, *args)
            except BaseException as error:  # SystemExit too: it must end the call, not the thread in silence
                post(done, None, _carried(error))
            else:
                post(done, result, None)
            return not left  # another thread has our place then

        self._calls += 1
        try:
            self._jobs.put(job)
            self._staff()
            if timeout is None:
                return await done
            await started
            await asyncio.wait([done], timeout=timeout)
            if not done.done():
                raise Abandoned(f"no answer within {timeout:g} s")
            return done.result()
        except (Abandoned, asyncio.CancelledError):
            if done.cancel() or done.cancelled():  # there is no answer yet
                try:
                    ticket.pop()
                except IndexError:
                    left = True
                    self.left[what] += 1
                    self._threads -= 1
            raise
        finally:
            self._calls -= 1
            self._staff()  # for those who wait behind a thread that was left

    def _staff(self) -> None:
        if self._calls > self._threads and self._threads < self.size:
            self._threads += 1
            Thread(target=self._work, daemon=True, name="gatewatch-worker").start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None or not job():
                return

    def close(self) -> None:
        """Let idle threads end; busy ones end with the process."""
        for _ in range(self._threads):
            self._jobs.put(None)


def never_back(left: Mapping[str, int]) -> str:
    """How many calls did not come back, and whose they were, the commonest first."""
    here = f"{Path.cwd()}{os.sep}"
    whose = (f"{count} of {what.replace(here, '')}" for what, count in Counter(left).most_common() if what)
    calls = f"{sum(left.values())} calls did not come back after their deadline and cannot be ended"
    return f"{calls} ({', '.join(whose)})".replace(" ()", "")


def _carried(error: BaseException) -> BaseException:
    """An exception that a future can hold, and that is not taken for the caller's own cancellation."""
    return Carried(error) if isinstance(error, StopIteration | asyncio.CancelledError) else error
