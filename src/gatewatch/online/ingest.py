"""From what capture wrote to the store: read, put right, redacted, priced, kept; each record once.

A record that cannot be read is counted and passed over. A segment whose writer is gone is removed once all of it is in
the store.
"""

import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec, marks
from gatewatch.core.errors import InputError
from gatewatch.core.feedback import Feedback, marks_of, scores_of
from gatewatch.core.lengths import cut
from gatewatch.core.rates import u_of
from gatewatch.core.trace import Price, Span, Trace, cost_of_spans, total_usage
from gatewatch.online.blot import blot
from gatewatch.online.segments import finished, named, read, segments
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Arrivals, Said, TakenIn
from gatewatch.store.spending import spent_of

_log = logging.getLogger("gatewatch")
_LOCK, _LOCK_PAUSE_S = ".ingest.lock", 0.05
# Ids as tracers make them, which by chance may look like a card's number.
_PLAIN_ID = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{16})?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST_REASONS, _MOST_LOST = 100, 10**12
SKEW_S = 300.0
"""By how much an application's clock may be ahead of ours before it is not believed."""


class Ways(Struct, frozen=True, kw_only=True):
    """How a project takes requests in: what names their slice, what their calls cost, what is taken out of them,
    and by which traits of their inputs they are counted."""

    slice_of: Callable[[Any], str] | None = None
    price: Price | None = None
    redact: Callable[[Trace], Trace] | None = None
    redact_text: Callable[[str], str] | None = None
    keep_s: float | None = None
    redact_name: Callable[[str], str] | None = None
    traits: Callable[[Trace], Mapping[str, str]] | None = None


class Ingested(Struct, frozen=True):
    """What one pass over a spool took in."""

    traces: int = 0
    repeated: int = 0
    said: int = 0
    parked: int = 0
    lost: int = 0

    def __add__(self, other: "Ingested") -> "Ingested":
        return Ingested(*(getattr(self, each) + getattr(other, each) for each in self.__struct_fields__))


def ingest(store: Store, folder: Path, ways: Ways, *, clock: Callable[[], float]) -> Ingested:
    """Take in a stretch of each segment in a spool, of living and dead processes, and say how much that was.

    There may be more: it is called again. One worker at a time does it; another finds nothing to do meanwhile.
    """
    total = Ingested()
    with alone(folder) as mine:
        if mine:
            for path in named(folder, ".new"):  # a process was killed while it made a segment
                if finished(path):
                    path.unlink(missing_ok=True)
            for path in segments(folder):
                try:
                    total += _segment(store, path, ways, clock)
                except FileNotFoundError:
                    continue
                except (OSError, InputError) as error:
                    _passed_over(path, str(error))
    return total


def _segment(store: Store, path: Path, ways: Ways, clock: Callable[[], float]) -> Ingested:
    over = finished(path)  # looked at first: what its writer wrote before it went is read below
    offset = store.taken(path.name)
    found = read(path, offset, whole=over)
    done = Ingested()
    if found.offset > offset:
        lost = {"damaged record": found.damaged} if found.damaged else {}
        arrivals = arrived(found.records, ways, now=clock(), lost=lost)
        taken = store.take_in(replace(arrivals, segment=path.name, offset=found.offset), clock())
        done = _ingested(taken, arrivals)
        if taken.erased:
            blot(path, store.buried, lambda name: store.find(name) is not None)
    if over and found.offset >= path.stat().st_size:
        path.unlink(missing_ok=True)
        store.forget(path.name)
    return done


@lru_cache(maxsize=1000)
def _passed_over(path: Path, why: str) -> None:
    """Say once of a segment that it cannot be read."""
    _log.warning("%s is passed over: %s", path, why)


def _ingested(done: TakenIn, arrivals: Arrivals) -> Ingested:
    return Ingested(done.traces, done.repeated, done.said, done.parked, sum(arrivals.losses.values()) + done.erased)


def arrived(
    records: list[tuple[str, bytes]], ways: Ways, *, now: float, lost: dict[str, int] | None = None
) -> Arrivals:
    """Records as capture wrote them, ready for the store; those that cannot be read are counted in `losses`."""
    losses = dict(lost or {})
    traces: list[Arrival] = []
    said: list[Said] = []
    for kind, payload in records:
        try:
            if kind == "trace":
                traces.append(arrival_of(codec.decode(payload, Trace), ways, now=now))
            elif kind == "feedback":
                said.append(said_of(codec.decode(payload, Feedback), ways, now=now))
            elif kind == "loss":
                for reason, number in list(codec.decode(payload, _Losses).reasons.items())[:_MOST_REASONS]:
                    losses[reason[:200]] = losses.get(reason[:200], 0) + max(0, min(number, _MOST_LOST))
        except Exception as error:  # whatever is wrong with one record, the others are good
            losses["unreadable record"] = losses.get("unreadable record", 0) + 1
            why = str(error) if ways.redact_text is None else ways.redact_text(str(error))
            _log.warning("a %s record cannot be read and is passed over: %s", kind, ascii(why)[1:200])
    return Arrivals(tuple(traces), tuple(said), losses)


def arrival_of(trace: Trace, ways: Ways, *, now: float) -> Arrival:
    """A request as the store keeps it: with its slice, its cost and its marks, redacted, at a time that can be true."""
    flaws = list(trace.flaws)
    at = now if trace.started is None else trace.started
    if at > now + SKEW_S:
        flaws.append(f"clock {at - now:.0f} s ahead: the time of arrival stands")
        at = now
    elif ways.keep_s is not None and at < now - ways.keep_s:
        flaws.append("it is dated before all that is kept: the time of arrival stands")
        at = now
    spans = tuple(_priced(span, ways.price) for span in trace.spans) if ways.price is not None else trace.spans
    trace = replace(
        trace,
        spans=spans,
        usage=trace.usage or total_usage(span.usage for span in spans if span.kind == "llm"),
        cost=trace.cost if trace.cost is not None else cost_of_spans(spans),
        slice=_slice_of(trace, ways, flaws),
        flaws=tuple(flaws),
    )
    found = marks.bits(trace.marks) | (marks.bits(["error"]) if trace.error is not None else 0)
    if ways.redact is not None:
        trace = ways.redact(trace)
    trace = _named(trace)
    bare = not trace.input and trace.output is None and not trace.spans and trace.error is None
    payload = b"" if bare else codec.encode(trace)
    seen = ways.traits(trace) if ways.traits is not None and not bare else {}
    return Arrival(trace, payload, at, u_of(trace.session, trace.id), found, spent_of(trace), traits=seen)


_NAMES = ("id", "span_id", "flow", "session", "slice", "variant", "user", "external_id")


def _named(trace: Trace) -> Trace:
    """A request with names that a store can look up, whoever gave them."""
    short = {name: cut(text) for name in _NAMES if cut(text := getattr(trace, name)) != text}
    if not short:
        return trace
    return replace(trace, **short, flaws=(*trace.flaws, *(f"{name} was cut" for name in short)))


def _slice_of(trace: Trace, ways: Ways, flaws: list[str]) -> str:
    if trace.slice or ways.slice_of is None:
        return trace.slice
    try:
        return str(ways.slice_of(trace.input))
    except Exception as error:  # the project's own code, on whatever traffic brings
        flaws.append(f"slice: {type(error).__name__}: {str(error)[:100]}")
        return ""


def _priced(span: Span, price: Price) -> Span:
    """A span with what it cost, where its model's price tells."""
    if span.kind != "llm" or span.cost is not None or span.usage is None or not span.model:
        return span
    return replace(span, cost=price(span.model, span.usage).total)


def said_of(feedback: Feedback, ways: Ways, *, now: float) -> Said:
    """Feedback as the store keeps it."""
    if ways.redact_text is not None and feedback.comment:
        feedback = replace(feedback, comment=ways.redact_text(feedback.comment))
    name = ways.redact_name or str
    return Said(
        id=cut(name(feedback.id)),
        at=min(feedback.at, now),
        trace=cut(feedback.trace if _PLAIN_ID.fullmatch(feedback.trace) else name(feedback.trace)),
        external_id=cut(name(feedback.external_id)),
        marks=marks_of(feedback),
        scores=scores_of(feedback),
        author=cut(feedback.user),
    )


class _Losses(Struct, frozen=True):
    reasons: dict[str, int]


@contextmanager
def alone(folder: Path, *, patience_s: float = 0.0, wait: Callable[[float], object] = time.sleep) -> Iterator[bool]:
    """Whether this is the one process that takes what a spool holds, after at most so many seconds in which another
    was; `wait` may end that before its time, by what it returns."""
    if not folder.is_dir():
        yield False
        return
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        _passed_over(folder / _LOCK, str(error))
        yield False
        return
    try:
        pauses = int(patience_s / _LOCK_PAUSE_S)
        while not (mine := _locked(descriptor)) and pauses and not wait(_LOCK_PAUSE_S):
            pauses -= 1
        yield mine
    finally:
        with suppress(OSError):
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
