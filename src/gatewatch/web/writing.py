"""One thread that writes into a project's store: what arrives meanwhile goes into one transaction, and each request is
answered after it was committed."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from gatewatch.core.clock import monotonic
from gatewatch.core.errors import StoreError
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Piece, TakenIn

_log = logging.getLogger("gatewatch")
_GROUP = 4000
"""Spans, or pieces of feedback, that are written in one transaction: more wait for the next."""


class _Job(Struct):
    work: tuple[Piece, ...] | Arrivals
    done: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop

    def size(self) -> int:
        return len(self.work) if isinstance(self.work, tuple) else len(self.work.said) + len(self.work.traces)


class Writer:
    """The writing thread of one store. It is started by what comes first, and ended by `close`."""

    def __init__(self, store: Store, clock: Callable[[], float], took: Callable[[float], object]) -> None:
        self._store = store
        self._clock = clock
        self._took = took
        self._jobs: list[_Job] = []
        self._heard = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    async def stage(self, pieces: Sequence[Piece]) -> int:
        """Keep spans (see `Store.stage`) and return once they are committed, with how many were sent.

        Raises:
            StoreError: they are not kept, none of them.
        """
        return int(await self._put(tuple(pieces)))

    async def take_in(self, arrivals: Arrivals) -> TakenIn:
        """Keep what arrives (see `Store.take_in`) and return once it is committed.

        Raises:
            StoreError: it is not kept, nothing of it.
        """
        found: TakenIn = await self._put(arrivals)
        return found

    async def _put(self, work: tuple[Piece, ...] | Arrivals) -> Any:
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop)
        with self._heard:
            if self._closing:
                raise StoreError("the server is about to end")
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="gatewatch-write", daemon=True)
                self._thread.start()
            self._heard.notify()
        return await job.done

    def close(self) -> None:
        """Write what was put, and end the thread."""
        with self._heard:
            self._closing = True
            self._heard.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._heard:
                while not self._jobs and not self._closing:
                    self._heard.wait()
                jobs, self._jobs = self._jobs, []
            if not jobs:
                return
            for group in _groups(jobs):
                self._write(group)

    def _write(self, group: list[_Job]) -> None:
        began = monotonic()
        try:
            results = self._written([job.work for job in group])
        except StoreError as error:
            for job in group:
                _answer(job, error)
        except Exception as error:
            if len(group) > 1:  # whatever is wrong with one request, the others are good
                for job in group:
                    self._write([job])
                return
            _log.exception("what was received could not be kept")
            _answer(group[0], StoreError(f"it could not be kept: {type(error).__name__}"))
        else:
            self._took(monotonic() - began)
            for job, result in zip(group, results, strict=True):
                _answer(job, result)

    def _written(self, works: list[tuple[Piece, ...] | Arrivals]) -> list[Any]:
        now = self._clock()
        if isinstance(works[0], tuple):
            spans = [work for work in works if isinstance(work, tuple)]
            self._store.stage([piece for each in spans for piece in each], now)
            return list(map(len, spans))
        arrivals = [work for work in works if isinstance(work, Arrivals)]
        if len(arrivals) == 1:
            return [self._store.take_in(arrivals[0], now)]
        done = self._store.take_in(Arrivals(said=tuple(said for each in arrivals for said in each.said)), now)
        return [done for _ in arrivals]


def _groups(jobs: list[_Job]) -> list[list[_Job]]:
    """What may be written together: spans with spans, feedback with feedback, and each stretch of a segment alone."""
    found: list[list[_Job]] = []
    open_: dict[str, list[_Job]] = {}
    for job in jobs:
        if isinstance(job.work, Arrivals) and (job.work.segment or job.work.traces):
            found.append([job])
            continue
        kind = "spans" if isinstance(job.work, tuple) else "said"
        group = open_.get(kind)
        if group is None or sum(each.size() for each in group) + job.size() > _GROUP:
            group = open_[kind] = []
            found.append(group)
        group.append(job)
    return found


def _answer(job: _Job, result: Any) -> None:
    def tell() -> None:
        if job.done.done():  # nobody waits any more
            return
        if isinstance(result, Exception):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)

    try:
        job.loop.call_soon_threadsafe(tell)
    except RuntimeError:  # the loop is closed: the client is gone, and will ask again
        return
