"""Live traffic for tests: a store, a clock that stands still, requests and feedback that arrive, a worker over it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatewatch.core.feedback import Feedback
from gatewatch.core.trace import Trace
from gatewatch.online.ingest import Ways, arrival_of, said_of
from gatewatch.online.monitor import Monitor, Watch
from gatewatch.online.worker import Done, Worker
from gatewatch.scorers.base import Scorer
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrivals, TakenIn

START = 1_790_000_000.0
FLOW = "support"


class Living:
    """A store in a folder, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self.store: Store = open_store(folder / "store.db")

    def clock(self) -> float:
        """The time by the clock that stands still."""
        return self.now

    def arrive(self, *traces: Trace, ways: Ways | None = None) -> TakenIn:
        """Requests arrive now."""
        kept = tuple(arrival_of(each, ways or Ways(), now=self.now) for each in traces)
        return self.store.take_in(Arrivals(kept), self.now)

    def hear(self, *feedback: Feedback) -> TakenIn:
        """Feedback arrives now."""
        return self.store.take_in(
            Arrivals(said=tuple(said_of(each, Ways(), now=self.now) for each in feedback)), self.now
        )

    def worker(self, *monitors: Monitor, spools: Iterable[Path] = (), **options: Any) -> Worker:
        """A worker over it."""
        return Worker(
            self.store,
            monitors,
            spools=spools,
            ways=options.pop("ways", Ways()),
            owner=options.pop("owner", "w1"),
            clock=self.clock,
            **options,
        )

    def work(self, *monitors: Monitor, **options: Any) -> Done:
        """Do all that there is to do now."""
        return asyncio.run(self.worker(*monitors, **options).run(asyncio.Event(), once=True))


def request(number: int, **given: Any) -> Trace:
    """A request that was answered."""
    return Trace(**{"id": f"{number:032x}", "flow": FLOW, "input": f"q{number}", "output": "yes", **given})


def thumb(number: int, thumbs: str = "down", at: float = START) -> Feedback:
    """A thumb for a request."""
    return Feedback(id=f"f{number}", at=at, trace=f"{number:032x}", thumbs=thumbs)  # type: ignore[arg-type]


def monitor(*watches: Watch, **given: Any) -> Monitor:
    """A monitor of the flow."""
    return Monitor(**{"name": "m", "flow": FLOW, "watches": watches, **given})


def watch(scorer: Scorer, *rules: Any, **given: Any) -> Watch:
    """A scorer on the flow, by some rules."""
    return Watch(scorer=scorer, rules=tuple(rules), **given)
