"""What keeps a store from growing for ever: payloads thinned after their hold, old requests let go of."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gatewatch.core.rates import rate
from gatewatch.online.monitor import DAY_S, Monitor
from gatewatch.online.sample import facts_of
from gatewatch.store.base import Store
from gatewatch.store.rows import Row, Thinned

_AT_ONCE = 2000


class Keeping(Struct, frozen=True, kw_only=True):
    """For how long things are kept, in seconds, and how much room payloads may take, in bytes.

    Every payload is held for `hold_s`; of flows that no monitor watches, `payload_rate` is the share that outlives it.
    Feedback that names no known request waits for `feedback_s`; work that nobody does for `work_s`.
    """

    traces_s: float = 90 * DAY_S
    feedback_s: float = 7 * DAY_S
    work_s: float = 7 * DAY_S
    hold_s: float = DAY_S
    payload_rate: float = 0.1
    payload_bytes: int = 20 << 30


def keep_house(store: Store, monitors: Iterable[Monitor], keeping: Keeping, *, now: float) -> bool:
    """Thin and let go of what is due, as much as others can wait for, and say whether there is more to be done."""
    by_flow = {monitor.flow: monitor for monitor in monitors}
    rows = store.held(now - keeping.hold_s, _AT_ONCE)
    ended = store.thin([_decided(row, by_flow, keeping) for row in rows])
    more = ended < len(rows) or len(rows) == _AT_ONCE or _make_room(store, by_flow, keeping, now)
    expired = store.expire(now - keeping.traces_s, now - keeping.feedback_s, now - keeping.work_s)
    return more or expired.more


def _make_room(store: Store, monitors: Mapping[str, Monitor], keeping: Keeping, now: float) -> bool:
    """While payloads take too much room, end holds before their time, and then let go of what outlived its own, in
    both the oldest first and no more than needed; say whether there is more to be done."""
    over = store.payload_bytes() - keeping.payload_bytes
    if over <= 0:
        return False
    rows = store.held(now, _AT_ONCE)
    ended = store.thin([_decided(row, monitors, keeping) for row in rows], over)
    over = store.payload_bytes() - keeping.payload_bytes
    if over <= 0 or ended < len(rows) or len(rows) == _AT_ONCE:
        return over > 0
    return store.let_go(over, _AT_ONCE) == _AT_ONCE


def _decided(row: Row, monitors: Mapping[str, Monitor], keeping: Keeping) -> Thinned:
    """Whether a request's payload outlives the hold window: a nested sample does, and all `always`."""
    monitor = monitors.get(row.flow)
    kept = keeping.payload_rate
    if monitor is not None:
        kept = max(monitor.payload_rate, rate(monitor.always, facts_of(row), row.marks))
    return Thinned(row.seq, row.marks, kept, row.u >= kept)
