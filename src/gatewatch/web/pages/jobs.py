"""Work that takes longer than a page may wait: one at a time, in a thread of its own, its outcome kept.

What was asked for while it is under way is not begun twice.
"""

import asyncio
import logging
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, Literal

from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError

_log = logging.getLogger("gatewatch")
_MOST_KEPT, _STEP_S = 200, 0.05


class Job:
    """Some work. `state` says how far it came, `done` of `total` its progress where that is known, `said` what went
    wrong; `result` is there once it is done. Times are in seconds since the epoch."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.state: Literal["waiting", "running", "done", "failed"] = "waiting"
        self.begun = wall()
        self.ended = 0.0
        self.done = 0
        self.total = 0
        self.said = ""
        self.result: Any = None

    @property
    def under_way(self) -> bool:
        """Whether it is not over."""
        return self.state in ("waiting", "running")


class Jobs:
    """The work of some screens; threads may share it."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._last: dict[str, Job] = {}
        self._lock, self._turn = Lock(), Lock()

    def of(self, key: str) -> Job | None:
        """The work that was asked for last under a key."""
        return self._jobs.get(key)

    def last(self, key: str) -> Job | None:
        """The work under a key that was done last."""
        return self._last.get(key)

    def start(self, key: str, work: Callable[[Job], Any]) -> Job:
        """Begin some work, unless the same is under way; `work` may tell its progress by its job."""
        with self._lock:
            found = self._jobs.get(key)
            if found is not None and found.under_way:
                return found
            over = [name for name, each in self._jobs.items() if not each.under_way]
            for name in over[: max(0, len(self._jobs) - _MOST_KEPT)]:
                self._jobs.pop(name), self._last.pop(name, None)
            job = self._jobs[key] = Job(key)
        Thread(target=self._run, args=(job, work), name=f"gatewatch-{key[:40]}", daemon=True).start()
        return job

    async def soon(self, job: Job, seconds: float) -> None:
        """Wait until some work is over, but so many seconds at the most."""
        for _ in range(round(seconds / _STEP_S)):
            if not job.under_way:
                return
            await asyncio.sleep(_STEP_S)

    def _run(self, job: Job, work: Callable[[Job], Any]) -> None:
        with self._turn:
            job.state = "running"
            try:
                job.result = work(job)
            except GatewatchError as error:
                job.said = str(error)
            except Exception as error:
                _log.error("%s met what nobody foresaw", job.key, exc_info=error)
                job.said = f"this is a fault of gatewatch: {type(error).__name__}"
            job.ended = wall()
            if not job.said:
                self._last[job.key] = job  # first: who sees that it is done looks for it there
            job.state = "failed" if job.said else "done"
