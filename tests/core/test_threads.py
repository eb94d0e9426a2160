import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from gatewatch.core.threads import Abandoned, DaemonPool

SOON = 0.01
LONG = 30.0
place: ContextVar[str] = ContextVar("place", default="nowhere")


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine, which must come to an end."""

    async def bounded() -> Any:
        return await asyncio.wait_for(work(), LONG)

    return asyncio.run(bounded())


def test_a_call_gives_what_the_function_returns() -> None:
    async def work() -> None:
        pool = DaemonPool(2)
        assert await pool.call(lambda a, b: a + b, 1, 2) == 3
        assert await pool.call(dict, timeout=LONG) == {}
        assert pool.abandoned == 0

    run(work)


@pytest.mark.parametrize("timeout", [None, LONG])
@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), GeneratorExit()])
def test_a_call_raises_what_the_function_raises(error: BaseException, timeout: float | None) -> None:
    def fails() -> None:
        raise error

    async def work() -> None:
        pool = DaemonPool(1)
        for _ in range(3):  # the thread lives on
            with pytest.raises(type(error)) as caught:
                await pool.call(fails, timeout=timeout)
            assert caught.value is error
        assert await pool.call(threading.current_thread) is await pool.call(threading.current_thread)

    run(work)


def test_sys_exit_ends_the_call_and_not_the_thread() -> None:
    async def work() -> None:
        pool = DaemonPool(1)
        before = await pool.call(threading.get_ident)
        with pytest.raises(SystemExit):
            await pool.call(sys.exit, 1)
        assert await pool.call(threading.get_ident) == before

    run(work)


def test_stop_iteration_arrives_as_an_error_that_can_be_raised() -> None:
    async def work() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await DaemonPool(1).call(next, iter(()))

    run(work)


def test_context_variables_are_carried_in_and_not_out() -> None:
    def look() -> str:
        seen = place.get()
        place.set("on the thread")
        return seen

    async def work() -> None:
        pool = DaemonPool(1)
        for name in ("here", "there"):
            place.set(name)
            assert await pool.call(look) == name
            assert place.get() == name

    run(work)


def test_never_more_calls_at_once_than_its_size_and_no_thread_too_many() -> None:
    busy, most, lock, names = 0, 0, threading.Lock(), set()
    all_there = threading.Barrier(3)

    def job(together: bool) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
            names.add(threading.get_ident())
        if together:
            all_there.wait(LONG)  # three do run at once
        with lock:
            busy -= 1

    async def work() -> None:
        pool = DaemonPool(3)
        await asyncio.gather(*(pool.call(job, n < 3, timeout=LONG) for n in range(60)))

    run(work)
    assert most == 3
    assert len(names) == 3


def test_threads_are_made_when_needed_and_do_not_keep_the_process_alive() -> None:
    async def work() -> None:
        pool = DaemonPool(8)
        idents = {await pool.call(threading.get_ident) for _ in range(20)}
        assert len(idents) == 1
        assert await pool.call(lambda: threading.current_thread().daemon)
        pool.close()

    run(work)


def test_a_call_that_does_not_come_back_is_left_behind_and_replaced() -> None:
    release = threading.Event()

    async def work() -> None:
        pool = DaemonPool(1)
        for left in (1, 2, 3):
            with pytest.raises(Abandoned, match=r"no answer within 0\.01 s"):
                await pool.call(release.wait, LONG, timeout=SOON)
            assert pool.abandoned == left
            assert await pool.call(lambda: "still here", timeout=LONG) == "still here"
        release.set()

    run(work)


def test_those_who_wait_behind_a_call_that_hangs_get_their_turn() -> None:
    release = threading.Event()

    async def work() -> None:
        pool = DaemonPool(1)
        hangs = asyncio.create_task(pool.call(release.wait, LONG, timeout=SOON))
        waits = [asyncio.create_task(pool.call(lambda: 1, timeout=LONG)) for _ in range(3)]
        with pytest.raises(Abandoned):
            await hangs
        assert await asyncio.gather(*waits) == [1, 1, 1]
        release.set()

    run(work)


def test_time_spent_waiting_for_a_thread_is_not_time_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    started, release = threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        release.wait(LONG)

    async def work() -> None:
        pool = DaemonPool(1)
        running = asyncio.create_task(pool.call(first))
        await asyncio.sleep(0)
        assert started.wait(LONG)
        waiting = asyncio.create_task(pool.call(lambda: 5, timeout=LONG))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        clock = loop.time
        monkeypatch.setattr(loop, "time", lambda: clock() + 10 * LONG)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        release.set()
        assert await waiting == 5
        await running
        assert pool.abandoned == 0

    asyncio.run(work())


@pytest.mark.parametrize("timeout", [None, LONG])
def test_a_cancelled_call_gives_its_place_up(timeout: float | None) -> None:
    started, release = threading.Event(), threading.Event()

    def hangs() -> None:
        started.set()
        release.wait(LONG)

    async def work() -> None:
        pool = DaemonPool(1)
        for _ in range(3):
            started.clear()
            task = asyncio.create_task(pool.call(hangs, timeout=timeout))
            await asyncio.sleep(0)
            assert started.wait(LONG)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await pool.call(lambda: 1, timeout=LONG) == 1
        release.set()

    run(work)


def test_a_call_cancelled_before_a_thread_was_free_is_never_made() -> None:
    started, release = threading.Event(), threading.Event()
    made: list[int] = []

    def first() -> None:
        started.set()
        release.wait(LONG)

    async def work() -> None:
        pool = DaemonPool(1)
        running = asyncio.create_task(pool.call(first))
        await asyncio.sleep(0)
        assert started.wait(LONG)
        for timeout in (None, LONG):
            waiting = asyncio.create_task(pool.call(made.append, 1, timeout=timeout))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        release.set()
        await running
        assert await pool.call(lambda: "free") == "free"
        assert pool.abandoned == 0

    run(work)
    assert made == []


def test_an_answer_after_the_loop_has_gone_is_nobodys_error() -> None:
    release, finished = threading.Event(), threading.Event()

    def late() -> int:
        release.wait(LONG)
        try:
            return 1
        finally:
            finished.set()

    async def work() -> None:
        with pytest.raises(Abandoned):
            await DaemonPool(1).call(late, timeout=SOON)

    run(work)
    before = threading.excepthook
    seen: list[Any] = []
    threading.excepthook = seen.append
    try:
        release.set()
        assert finished.wait(LONG)
    finally:
        threading.excepthook = before
    assert seen == []


def test_closing_lets_idle_threads_end() -> None:
    async def work() -> list[threading.Thread]:
        pool = DaemonPool(3)
        barrier = threading.Barrier(3)

        def meet() -> threading.Thread:
            barrier.wait(LONG)
            return threading.current_thread()

        threads = await asyncio.gather(*(pool.call(meet) for _ in range(3)))
        pool.close()
        return list(threads)

    for thread in run(work):
        thread.join(LONG)
        assert not thread.is_alive()


def test_a_cancellation_on_the_thread_is_not_the_callers() -> None:
    def fails() -> None:
        raise asyncio.CancelledError

    async def work() -> BaseException | None:
        try:
            await DaemonPool(1).call(fails)
        except BaseException as error:
            return error
        return None

    assert isinstance(asyncio.run(work()), Exception)
