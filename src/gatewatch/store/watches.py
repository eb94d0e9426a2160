"""What a store that speaks SQL does for monitors."""

from collections.abc import Iterable, Mapping
from typing import Literal

from gatewatch.core.score import Source
from gatewatch.core.watch import Alert, AlertState, Marker
from gatewatch.store import alerts, hearing, markers, streams
from gatewatch.store.database import Database
from gatewatch.store.watching import Entry, Notice, Stream, Unheard, WatchStep


class SQLWatching:
    """What a store that speaks SQL does for monitors."""

    _db: Database

    def stream(self, flow: str, scorer: str = "", fingerprint: str = "", source: Source | Literal[""] = "") -> Stream:
        """See `Watching`."""
        return streams.stream(self._db, flow, scorer, fingerprint, source)

    def streams(self, flow: str = "") -> list[Stream]:
        """See `Watching`."""
        return streams.streams(self._db, flow)

    def unheard(self, settled_before: Mapping[str, float], most: int) -> Unheard:
        """See `Watching`."""
        return hearing.unheard(self._db, settled_before, most)

    def entries(self, stream: int, after: int, most: int) -> list[Entry]:
        """See `Watching`."""
        return streams.entries(self._db, stream, after, most)

    def entered(self, stream: int, since: float, until: float) -> list[Entry]:
        """See `Watching`."""
        return streams.entered(self._db, stream, since, until)

    def keep(self, step: WatchStep, now: float) -> bool:
        """See `Watching`."""
        return streams.keep(self._db, step, now)

    def alerts(self, *, flow: str = "", every: bool = False, most: int = 100, before: int = 0) -> list[Alert]:
        """See `Watching`."""
        return alerts.alerts(self._db, flow=flow, every=every, most=most, before=before)

    def alert(self, number: int) -> Alert | None:
        """See `Watching`."""
        return alerts.alert(self._db, number)

    def turn_alert(
        self, number: int, state: AlertState, *, who: str, reason: str, now: float, until: float | None = None
    ) -> Alert | None:
        """See `Watching`."""
        return alerts.turn(self._db, number, state, who=who, reason=reason, now=now, until=until)

    def notices(self, owner: str, now: float, until: float, most: int) -> list[Notice]:
        """See `Watching`."""
        return alerts.notices(self._db, owner, now, until, most)

    def told(self, notice: int, now: float, *, retry_at: float | None = None, reason: str = "") -> None:
        """See `Watching`."""
        alerts.told(self._db, notice, retry_at=retry_at, reason=reason)

    def untold(self, most: int = 100) -> list[tuple[Notice, str]]:
        """See `Watching`."""
        return alerts.untold(self._db, most)

    def mark(self, marker: Marker) -> Marker:
        """See `Watching`."""
        return markers.mark(self._db, marker)

    def markers(self, flow: str = "", since: float = 0.0, until: float = 2**40, most: int = 1000) -> list[Marker]:
        """See `Watching`."""
        return markers.markers(self._db, flow, since, until, most)

    def named(self, numbers: Iterable[int]) -> dict[int, str]:
        """See `Watching`."""
        return hearing.named(self._db, numbers)

    def newest(self, flows: Iterable[str]) -> dict[str, float]:
        """See `Watching`."""
        return hearing.newest(self._db, flows)
