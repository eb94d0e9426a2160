"""From spans that wait to requests: traces whose root has ended and that have been still for a while are made.

What comes later makes them anew. Any number of servers may do this on one store: a trace that two of them make is kept
once. Spans were redacted before they were stored, so that `Ways.redact` is for what only a whole trace can be rid of.
"""

import logging
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.errors import StoreError
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.otlp.assemble import assemble
from gatewatch.online.otlp.part import bare
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Arrivals, Gathered
from gatewatch.store.waiting import ROOM

_log = logging.getLogger("gatewatch")
UNMADE = "trace that could not be made of its spans"
_SHOWN = 200


class Pauses(Struct, frozen=True, kw_only=True):
    """For how many seconds nothing must have been heard of a trace: whose root has ended, and whose root has not."""

    settle_s: float = 10.0
    quiet_s: float = 60.0


class Made(Struct, frozen=True):
    """What one pass made: new requests, ones that were made anew, and traces that were set aside. `more` says that
    there were as many as were asked for."""

    new: int = 0
    amended: int = 0
    unmade: int = 0
    more: bool = False


_PAUSES = Pauses()


def settle(store: Store, ways: Ways, *, clock: Callable[[], float], pauses: Pauses = _PAUSES, most: int = 500) -> Made:
    """Make requests of the traces that have settled, `most` at once.

    A trace that cannot be made is set aside, and counted as a loss, until more is heard of it.

    Raises:
        StoreError: when the store cannot be used; nothing was settled then.
    """
    now = clock()
    found = store.gathered(now - pauses.settle_s, now - pauses.quiet_s, most, ROOM, bare)
    if not found:
        return Made()
    arrivals = [arrival for each in found if (arrival := _arrival(each, ways, now)) is not None]
    new, amended, unmade = _kept(store, found, arrivals, clock)
    full = len(found) >= most or sum(len(body) for each in found for body in each.bodies) > ROOM // 4
    return Made(new, amended, unmade, full)


def _arrival(each: Gathered, ways: Ways, now: float) -> Arrival | None:
    """The request that a trace is, or None where none can be made of it."""
    try:
        made = assemble(each.bodies, left_out=each.left_out)
        arrival = arrival_of(made.trace, ways, now=now)
    except Exception as error:  # whatever one trace is made of, the others are good
        _log.warning("the trace %s cannot be made: %s: %s", each.trace, type(error).__name__, str(error)[:_SHOWN])
        return None
    told = made.told or arrival.trace.error is not None
    return replace(arrival, payload=arrival.payload if told else b"", share=made.share, again=True)


def _kept(
    store: Store, found: Sequence[Gathered], arrivals: Sequence[Arrival], clock: Callable[[], float]
) -> tuple[int, int, int]:
    """Keep requests, all at once or, where one of them cannot be kept, each by itself."""
    unmade = len(found) - len(arrivals)
    done = tuple((each.trace, each.moved) for each in found)
    losses = {UNMADE: unmade} if unmade else {}
    try:
        taken = store.take_in(Arrivals(tuple(arrivals), losses=losses, settled=done), clock())
    except StoreError:
        raise
    except Exception as error:
        if len(found) == 1:
            _log.warning("the trace %s cannot be kept: %s", found[0].trace, str(error)[:_SHOWN])
            store.take_in(Arrivals(losses={UNMADE: 1}, settled=done), clock())
            return 0, 0, 1
        by_trace = {each.trace.id: each for each in arrivals}
        alone = [
            _kept(store, [each], [by_trace[each.trace]] if each.trace in by_trace else [], clock) for each in found
        ]
        return sum(each[0] for each in alone), sum(each[1] for each in alone), sum(each[2] for each in alone)
    return taken.traces, taken.amended, unmade
