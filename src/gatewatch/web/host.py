"""What a server has at hand: the base of the store, and of each project that is asked for its store and its writer."""

import asyncio
import logging
from collections.abc import Callable
from threading import Lock

from gatewatch.config.serving import Serving
from gatewatch.core.clock import wall
from gatewatch.core.errors import StoreError
from gatewatch.online.ingest import Ways
from gatewatch.store import schema
from gatewatch.store.access import projects
from gatewatch.store.base import Store
from gatewatch.store.database import Database
from gatewatch.web.body import Bodies
from gatewatch.web.held import Held
from gatewatch.web.metrics import Metrics
from gatewatch.web.settling import Settler
from gatewatch.web.visitors import Visitors
from gatewatch.web.writing import Writer

_log = logging.getLogger("gatewatch")
HELD_BYTES = 32_000_000
"""How many bytes of bodies are in memory at once, packed and unpacked; a body of the greatest length has to fit."""


class Served:
    """A project that a server has open: what writes into its store, and what reads from it meanwhile."""

    def __init__(self, name: str, serving: Serving, metrics: Metrics, clock: Callable[[], float]) -> None:
        self.name = name
        self._writing = serving.part(name)
        try:
            self.reading: Database = serving.part(name)
        except BaseException:
            self._writing.close()
            raise
        self.store: Store = serving.store(self.reading)
        self._kept = serving.store(self._writing)
        self.writer = Writer(self._kept, clock, lambda seconds: metrics.took(name, seconds))
        self.settler = Settler(
            self._kept, serving, clock, lambda made: metrics.count("gatewatch_settled_total", made.new, project=name)
        )

    def close(self) -> None:
        """Write what was received, and let go of the store."""
        self.settler.close()
        self.writer.close()
        self._writing.close()
        self.reading.close()


class Host:
    """All that the routes of a server share."""

    def __init__(
        self, serving: Serving, visitors: Visitors, base: "Base", *, clock: Callable[[], float] = wall
    ) -> None:
        self.serving = serving
        self.visitors = visitors
        self.base = base
        self.clock = clock
        self.metrics = Metrics()
        self.held = Held(max(HELD_BYTES, serving.max_body + serving.max_body // 4))
        self.bodies = Bodies(serving.max_body, self.held)
        self._served: dict[str, Served] = {}
        self._opening = Lock()

    @property
    def ways(self) -> Ways:
        """How requests are taken in."""
        return self.serving.ways

    async def served(self, name: str) -> Served:
        """A project, opened when it is first asked for.

        Raises:
            StoreError: it cannot be opened.
        """
        found = self._served.get(name)
        return found if found is not None else await asyncio.to_thread(self._open, name)

    def _open(self, name: str) -> Served:
        with self._opening:
            found = self._served.get(name)
            if found is None:
                found = self._served[name] = Served(name, self.serving, self.metrics, self.clock)
            return found

    def open_all(self) -> None:
        """Open every project there is, so that what waits in its store is settled.

        Raises:
            StoreError: one cannot be opened.
        """
        for name in projects(self.base()):
            self._open(name)

    def open_now(self) -> list[Served]:
        """The projects that are open."""
        return list(self._served.values())

    def close(self) -> None:
        """Write what was received, and let go of everything."""
        with self._opening:
            for each in self._served.values():
                try:
                    each.close()
                except StoreError as error:
                    _log.warning("%s", error)
            self._served.clear()
        self.bodies.close()
        self.base.close()


class Base:
    """The base of a store, opened when it is first asked for; where that fails, the next who asks tries again."""

    def __init__(self, open_: Callable[[], Database]) -> None:
        self._open = open_
        self._db: Database | None = None
        self._lock = Lock()

    def __call__(self) -> Database:
        """The database.

        Raises:
            StoreError: it cannot be opened, or is of another version.
        """
        with self._lock:
            if self._db is None:
                self._db = self._open()
            return self._db

    def check(self) -> None:
        """Look whether it can be read, and is of this version.

        Raises:
            StoreError: if not.
        """
        db = self()
        if schema.status(db).missing:
            raise StoreError("the store is of an older version: run `gatewatch db migrate`")

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None
