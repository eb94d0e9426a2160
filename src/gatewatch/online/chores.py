"""What a worker does beside scoring: it keeps house, has canaries scored, watches, and tells of alerts."""

import logging
from collections.abc import Sequence

from gatewatch.core.errors import StoreError
from gatewatch.online.graves import Graves
from gatewatch.online.housekeeping import Keeping, keep_house
from gatewatch.online.monitor import Monitor
from gatewatch.online.notify import Telling
from gatewatch.online.rescoring import Rescoring
from gatewatch.online.watch import Watcher
from gatewatch.store.base import Store

_log = logging.getLogger("gatewatch")
_HOUSE_S = 60.0
_WATCH_S = 1.0


class Chores:
    """The chores of one worker.

    Args:
        store: where everything is.
        monitors: what is watched.
        keeping: for how long things are kept.
        canaries: has judges score their canaries again.
        graves: the project's list of what was erased, which the store is held against.
        watcher: looks whether anything changed.
        telling: tells of alerts.
    """

    def __init__(
        self,
        store: Store,
        monitors: Sequence[Monitor],
        keeping: Keeping,
        canaries: Rescoring,
        *,
        graves: Graves | None = None,
        watcher: Watcher | None = None,
        telling: Telling | None = None,
    ) -> None:
        self.store, self.monitors, self.keeping, self.canaries = store, monitors, keeping, canaries
        self.graves, self.watcher, self.telling = graves, watcher, telling
        self._untidy = self._unwatched = False
        self._house = self._watched = 0.0
        self._fault = ""

    @property
    def busy(self) -> bool:
        """Whether there is more to be done now."""
        return self._untidy or self._unwatched or self.canaries.busy

    def step(self, now: float, *, news: bool, hurry: bool) -> None:
        """Do what is due. `news`: something arrived or was scored; in a `hurry` it is looked at without a pause."""
        self.canaries.step(self.monitors, now)
        if self._untidy or abs(now - self._house) >= _HOUSE_S:
            self._house = now
            if self.graves is not None:  # the store may be an old one that was put back
                self.graves.see_to(self.store, now)
            self._untidy = keep_house(self.store, self.monitors, self.keeping, now=now)
        if self.watcher is None:
            return
        self._unwatched |= news or not self._watched
        if (hurry and self._unwatched) or abs(now - self._watched) >= _WATCH_S:
            self._watched = now
            self._unwatched = self._watch(self.watcher, now)

    def _watch(self, watcher: Watcher, now: float) -> bool:
        """Take the monitors' step, and say whether there is more. A fault in it stops nothing else, and no heart beats
        for it."""
        try:
            more = watcher.step(now)
        except StoreError:
            raise
        except Exception as error:  # a fault of ours, on some traffic: scoring and telling of alerts go on
            if self._fault != repr(error):
                self._fault = repr(error)
                _log.exception("monitors cannot go on: %s (tried again each second)", error)
            return False
        self._fault = ""
        if self.telling is not None:
            self.telling.beat()
        return more

    async def tell(self) -> None:
        """Tell of alerts; nobody is waited for."""
        if self.telling is not None:
            await self.telling.step()

    async def close(self, *, once_more: bool, patience_s: float) -> None:
        """Let what is under way finish; with `once_more`, tell first of what is due now."""
        await self.canaries.close(patience_s)
        if self.telling is not None:
            await self.telling.close(once_more=once_more)
