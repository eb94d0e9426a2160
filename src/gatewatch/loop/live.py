"""Live traffic as an audit looks at it, read from the store."""

import msgspec

from gatewatch.core import codec
from gatewatch.core.trace import Trace
from gatewatch.loop.audit_live import Asked, Live, Part
from gatewatch.loop.likeness import asked, normal
from gatewatch.store.base import Store
from gatewatch.store.rows import Row

MOST = 3000
"""How many requests are looked at, at the most."""

_PAGE = 500
_STOPS = 100
_DAY_S = 86_400.0


def read_live(store: Store, flow: str, *, days: float, until: float) -> Live:
    """Requests of the last days of a flow: what they ask, where that is kept, and their slices. Nothing is changed.

    Of many some are looked at, at a hundred moments all over these days, rather than the newest only.
    """
    since = until - days * _DAY_S
    rows, whole = _newest(store, flow, since)
    if not whole:
        rows = _here_and_there(store, flow, since, rows)
    begins = _begins(store, flow, rows)
    known = [row for row in rows if row.at >= since]
    return Live(
        flow=flow,
        days=days,
        known_days=min(days, (until - begins) / _DAY_S),
        asked=_asked(store, [row for row in known if row.payload in ("held", "kept")]),
        parts=[Part(row.slice, row.session, row.share) for row in known],
    )


def _newest(store: Store, flow: str, since: float) -> tuple[list[Row], bool]:
    """The newest requests, as many as are looked at, and whether there are no more since a time."""
    rows: list[Row] = []
    while len(rows) < MOST:
        page = store.latest(flow, before=rows[-1].seq if rows else 0, most=_PAGE)
        rows += page
        if len(page) < _PAGE or page[-1].at < since:
            return rows, True
    return rows, False


def _here_and_there(store: Store, flow: str, since: float, newest: list[Row]) -> list[Row]:
    """Requests from all over the time since some moment, so many as are looked at."""
    low, high = 0, newest[-1].seq  # requests are numbered as they arrive
    while high - low > 1:
        middle = (low + high) // 2
        found = store.latest(flow, before=middle + 1, most=1)
        low, high = (low, middle) if found and found[0].at >= since else (middle, high)
    first, last = high, newest[0].seq
    stops = [first + (last - first) * stop // _STOPS for stop in range(_STOPS + 1)]
    pages = (store.latest(flow, before=stop + 1, most=MOST // (_STOPS + 1)) for stop in stops)
    return sorted({row.seq: row for page in pages for row in page}.values(), key=lambda row: -row.seq)


def _begins(store: Store, flow: str, rows: list[Row]) -> float:
    """A moment from which on the flow is known: when the oldest of some requests, or the one before it, happened."""
    if not rows:
        return float("inf")
    older = store.latest(flow, before=rows[-1].seq, most=1)
    return min(row.at for row in (*rows, *older))


def _asked(store: Store, rows: list[Row]) -> list[Asked]:
    found = []
    payloads = store.payloads([row.seq for row in rows])
    for row in rows:
        try:
            trace = codec.decode(payloads.get(row.seq, b""), Trace)
        except (msgspec.MsgspecError, ValueError):  # it cannot be read: it says nothing of what is asked
            continue
        text = normal(asked(trace.input))
        if text:
            found.append(Asked(text, row.at, 1.0 / (row.share * (1.0 if row.kept is None else row.kept))))
    return found
