"""Markers: what was changed, and when."""

from msgspec.structs import replace

from gatewatch.core.watch import Marker
from gatewatch.store.database import Database
from gatewatch.store.units import from_micros, micros

_MARKER = "SELECT id, at, flow, what, who, reason, seen, accepted FROM marker"


def insert(db: Database, marker: Marker) -> Marker:
    """Keep a marker, and give it with its number, within the caller's transaction. A component version that was seen
    before on the flow is not kept again: that marker is given."""
    if marker.seen:
        found = db.execute(f"{_MARKER} WHERE flow = ? AND what = ? AND seen = 1", marker.flow, marker.what)
        if found:
            return _marker(found[0])
    found = db.execute(
        "INSERT INTO marker (at, flow, what, who, reason, seen, accepted) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        *(micros(marker.at), marker.flow, marker.what, marker.who, marker.reason),
        *(int(marker.seen), int(marker.accepted)),
    )
    return replace(marker, id=found[0][0])


def mark(db: Database, marker: Marker) -> Marker:
    """Keep a marker (see `Watching.mark`)."""
    with db.transaction():
        return insert(db, marker)


def markers(db: Database, flow: str, since: float, until: float, most: int) -> list[Marker]:
    """Markers of a window, of a flow and of all flows, oldest first; every one where no flow is named."""
    where, values = ("flow IN ('', ?) AND", [flow]) if flow else ("", [])
    found = db.execute(
        f"{_MARKER} WHERE {where} at >= ? AND at < ? ORDER BY at DESC, id DESC LIMIT ?",
        *(*values, micros(since), micros(until), most),
    )
    return [_marker(row) for row in reversed(found)]


def _marker(row: tuple[int, int, str, str, str, str, int, int]) -> Marker:
    number, at, flow, what, who, reason, seen, accepted = row
    return Marker(from_micros(at), flow, what, who, reason, bool(seen), bool(accepted), number)
