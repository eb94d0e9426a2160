"""Mining from a page: in a thread, one at a time for each project, with how far it is for whoever looks."""

import logging
from pathlib import Path
from threading import Lock, Thread

from msgspec import Struct

from gatewatch.config.mining import mined
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError
from gatewatch.store.base import Store

_log = logging.getLogger("gatewatch")
_DAY_S = 86_400.0


class Mining(Struct):
    """One pass over a flow: who began it when, how far it is, and, once it ended, what came of it or what was wrong."""

    flow: str
    days: int
    by: str
    began: float
    said: str = "waiting for its turn"
    ended: float = 0.0
    found: int = 0
    conversations: int = 0
    error: str = ""


class Mines:
    """The passes of a server: the last of each project."""

    def __init__(self) -> None:
        self._last: dict[str, Mining] = {}
        self._lock = Lock()

    def last(self, name: str) -> Mining | None:
        """The last pass over a project, under way or ended."""
        return self._last.get(name)

    def begin(self, name: str, root: Path, store: Store, flow: str, days: int, by: str) -> bool:
        """Begin a pass, and say whether it began: False while another is under way.

        Args:
            name: the project's.
            root: its folder, from which its settings are read anew.
            store: its store.
            flow: the flow.
            days: how many days back.
            by: who wants it.
        """
        with self._lock:
            there = self._last.get(name)
            if there is not None and not there.ended:
                return False
            job = self._last[name] = Mining(flow, days, by, wall())
        Thread(target=_mine, args=(job, root, store), name="gatewatch-mine", daemon=True).start()
        return True


def _mine(job: Mining, root: Path, store: Store) -> None:
    def told(text: str) -> None:
        job.said = text

    try:
        now = wall()
        since = now - job.days * _DAY_S
        found = mined(Project.open(root), store, job.flow, since=since, until=now, told=told)
        store.note(now, job.by, "mined", job.flow)
        job.found = sum(bool(each.n) for each in found.mining.failures)
        job.conversations = found.mining.conversations
    except GatewatchError as error:
        job.error = str(error)
    except Exception as error:
        _log.exception("mining met what nobody foresaw")
        job.error = f"this is a fault of gatewatch: {type(error).__name__}"
    finally:
        job.ended = wall()
