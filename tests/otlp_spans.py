"""Single spans and log records for tests, as they are after decoding, and traces of them."""

from collections.abc import Sequence
from typing import Any

from gatewatch.core.trace import Trace
from gatewatch.online.otlp import part
from gatewatch.online.otlp.assemble import Assembled, assemble
from gatewatch.online.otlp.flat import Event, RawLog, RawSpan, Source
from gatewatch.online.otlp.mapping import Reading, part_of, part_of_log
from gatewatch.online.otlp.part import Part

TRACE = "5b8efff798038103d269b633813fc60c"
START = 1_790_000_000_000_000_000
MS = 1_000_000
READING = Reading(user_key=b"key")


def a_span(
    name: str = "span",
    attributes: dict[str, Any] | None = None,
    *,
    span: int = 1,
    parent: int = 0,
    at: int = 0,
    took: int = 100,
    status: int = 0,
    message: str = "",
    events: Sequence[tuple[str, dict[str, Any]]] = (),
    resource: dict[str, Any] | None = None,
    scope: str = "lib",
    state: str = "",
) -> RawSpan:
    """A span; ids are small numbers, times milliseconds."""
    started = START + at * MS
    return RawSpan(
        Source(resource or {}, scope),
        TRACE,
        f"{span:016x}",
        f"{parent:016x}" if parent else "",
        name,
        started,
        started + took * MS,
        state,
        status,
        message,
        attributes or {},
        [Event(each, started + MS, given) for each, given in events],
    )


def a_log(
    event: str, body: Any = None, attributes: dict[str, Any] | None = None, *, span: int = 1, at: int = 0
) -> RawLog:
    """A log record of a span."""
    return RawLog(Source({}, "lib"), TRACE, f"{span:016x}", event, START + at * MS, body, attributes or {})


def mapped(attributes: dict[str, Any], reading: Reading = READING, **more: Any) -> Part:
    """What is kept of a span with some attributes."""
    return part_of(a_span(more.pop("name", "span"), attributes, **more), reading)


def made(*given: RawSpan | RawLog | Part, reading: Reading = READING) -> Assembled:
    """What a trace of some spans and log records becomes."""
    bodies = []
    for order, each in enumerate(given):
        if isinstance(each, RawSpan):
            bodies.append(part.encode(part_of(each, reading)))
        elif isinstance(each, RawLog):
            found = part_of_log(each, order, reading)
            if found is not None:
                bodies.append(part.encode(found))
        else:
            bodies.append(part.encode(each))
    return assemble(bodies)


def a_trace(*given: RawSpan | RawLog | Part) -> Trace:
    return made(*given).trace
