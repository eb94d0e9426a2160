"""What a server has at hand: the base of the store, and of each project that is asked for its store and its writer."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack, closing
from threading import Lock

from gatewatch.config.serving import Serving
from gatewatch.core.clock import wall
from gatewatch.core.errors import StoreError
from gatewatch.core.people import ONE_KEY, others, told
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
    """A project that a server has open: a store for what writes, and another, so that nobody waits for it, to read."""

    def __init__(self, name: str, serving: Serving, metrics: Metrics) -> None:
        self.name = name
        with ExitStack() as opened:
            self._written: Store = opened.enter_context(closing(serving.part(name)))
            self.store: Store = opened.enter_context(closing(serving.part(name)))
            if name == serving.own:
                serving.graves.see_to(self._written, wall())
            opened.pop_all()
        self.writer = Writer(self._written, wall, lambda seconds: metrics.took(name, seconds))
        self.settler = Settler(
            self._written, serving, wall, lambda made: metrics.count("gatewatch_settled_total", made.new, project=name)
        )

    def close(self) -> None:
        """Write what was received, and let go of the store."""
        self.settler.close()
        self.writer.close()
        self._written.close()
        self.store.close()


class Host:
    """All that the routes of a server share."""

    def __init__(self, serving: Serving, visitors: Visitors, base: "Base") -> None:
        self.serving = serving
        self.visitors = visitors
        self.base = base
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
                found = self._served[name] = Served(name, self.serving, self.metrics)
                if unknown := others(found.store.user_keys(), [self.serving.rules.reading.user_key]):
                    _log.warning("project %s: %s: %s", name, told(unknown), ONE_KEY)
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
        schema.ready(self())

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None
