"""What one process has of capture: its settings, read once when they are first needed, and its spool."""

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType

from gatewatch.core.trace import Trace
from gatewatch.online.log import warn
from gatewatch.online.settings import Settings, from_environment, stated
from gatewatch.online.spool import EXIT_S, PATIENCE_S, Spool, Stats


class _Process:
    """One for each process; a fork's child goes on with the settings, and a spool that is as new."""

    __slots__ = ("asked", "ending", "epoch", "flow", "lock", "max_bytes", "spool", "told")

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.ending = False
        self.epoch = 0
        """How many forks away from the first process this is."""
        self.flow = ""
        self.max_bytes = 0
        self.spool: Spool | UnsetType | None = UNSET
        """Where records go: None when capture is off, unset before the settings are read."""
        self.lock = threading.RLock()
        self.told: set[str] = set()

    def open(self) -> Spool | None:
        """The spool, made when it is first needed; None when nothing is to be captured."""
        if not isinstance(self.spool, UnsetType):
            return self.spool
        with self.lock:
            if isinstance(self.spool, UnsetType):
                found, problems = from_environment(os.environ)
                for problem in problems:
                    warn("%s", problem)
                settings = Settings(**{**found, **self.asked})
                self.flow, self.max_bytes = settings.flow, settings.max_bytes
                spool = Spool(settings) if settings.enabled else None
                if spool is not None and self.ending:
                    spool.at_exit(EXIT_S)
                self.spool = spool
            return self.spool

    def tell_once(self, what: str) -> None:
        """Say something to the log, the first time only."""
        if what not in self.told and len(self.told) < 100:
            self.told.add(what)
            warn("%s", what)


process = _Process()


def _after_fork() -> None:
    process.epoch += 1
    process.ending = False
    process.lock = threading.RLock()
    if isinstance(process.spool, Spool):
        process.spool.after_fork()


def _at_exit() -> None:
    process.ending = True
    if isinstance(process.spool, Spool):
        process.spool.at_exit(EXIT_S)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)


def configure(
    *,
    spool: str | os.PathLike[str] | UnsetType = UNSET,
    flow: str | UnsetType = UNSET,
    redact: str | UnsetType | None = UNSET,
    drop_fields: tuple[str, ...] | list[str] | UnsetType = UNSET,
    user_key: str | UnsetType = UNSET,
    durability: str | UnsetType = UNSET,
    quota_bytes: int | UnsetType = UNSET,
    segment_bytes: int | UnsetType = UNSET,
    queue_records: int | UnsetType = UNSET,
    max_bytes: int | UnsetType = UNSET,
    enabled: bool | UnsetType = UNSET,
    hook: Callable[[Trace], Trace] | UnsetType | None = UNSET,
) -> None:
    """Say how requests are captured; what is not given stays as it was, or as its variable says.

    Call it before the first request. Later calls write what was captured so far, and begin anew.

    Args:
        spool: the folder that records are written into, `.gatewatch/spool` by default (`GATEWATCH_SPOOL`). Where there
            is no disk, ":memory:" keeps them until they are drained.
        flow: the flow of requests that name none (`GATEWATCH_FLOW`).
        redact: "pii" takes personal data and secrets out before anything is written (`GATEWATCH_REDACT`).
        drop_fields: paths whose values are never written, such as "input.password" or "spans.*.attributes.auth"; `*`
            stands for any key or position (`GATEWATCH_DROP_FIELDS`, comma-separated).
        user_key: what ids of users are hashed with; a key kept in the folder by default (`GATEWATCH_USER_KEY`).
        durability: "group": written within 20 ms, by a thread. "sync": written before the request ends, so that nothing
            is lost by kill -9; a disk that stalls then stalls the request (`GATEWATCH_DURABILITY`).
        quota_bytes: the most that the folder may hold, 1 GiB by default (`GATEWATCH_QUOTA_BYTES`).
        segment_bytes: how long a file may be, 8 MiB by default (`GATEWATCH_SEGMENT_BYTES`).
        queue_records: how many records of up to 16 KiB may wait, 8192 by default (`GATEWATCH_QUEUE_RECORDS`).
        max_bytes: how long a record may be, 1 MiB by default; longer ones are cut (`GATEWATCH_MAX_BYTES`).
        enabled: False captures nothing (`GATEWATCH_ENABLED`).
        hook: a function that is given each trace after redaction, and returns what is to be written.

    Raises:
        ConfigError: naming everything that is wrong.
    """
    given = {name: value for name, value in locals().items() if not isinstance(value, UnsetType)}
    found = stated(given)
    with process.lock:
        process.asked = {**process.asked, **found}
        before, process.spool = process.spool, UNSET
    left = before.drain() if isinstance(before, Spool) and before.in_memory else []
    lost = sum(kind != "loss" for kind, _ in left)
    if lost:  # they were hashed and redacted under the settings of then, and cannot be written under those of now
        warn("%d captured records that were never drained are dropped", lost)
        after = process.open()
        if after is not None:
            after.drop("not drained", lost)
    if isinstance(before, Spool) and not before.close():
        warn("captured records could not be written before capture was configured anew")


def flush(deadline: float = PATIENCE_S) -> bool:
    """Wait until what was captured so far is written, as a serverless function does before it returns.

    Args:
        deadline: how long to wait at the most, in seconds.

    Returns:
        Whether all is written.
    """
    return process.spool.flush(deadline) if isinstance(process.spool, Spool) else True


def stats() -> Stats:
    """What became of the records captured by this process."""
    return process.spool.stats() if isinstance(process.spool, Spool) else Stats(0, 0, {}, 0, 0)


def drain(most: int = 1 << 30) -> list[tuple[str, bytes]]:
    """Hand out what was kept in memory (`spool=":memory:"`): kinds ("trace", "feedback", "loss") and JSON."""
    return process.spool.drain(most) if isinstance(process.spool, Spool) and process.spool.in_memory else []
