"""Spans and log records as they were sent, flat, whatever of OTLP's encodings they were in.

Attributes are plain values by name, ids are hex digits, times nanoseconds since the epoch.
"""

from math import isfinite
from typing import Any, NamedTuple

Attributes = dict[str, Any]


class Event(NamedTuple):
    """What happened while a span was open; `at` in nanoseconds since the epoch."""

    name: str
    at: int
    attributes: Attributes


class Source(NamedTuple):
    """What sent a span: the attributes of its resource, and the name of the library."""

    resource: Attributes
    scope: str


class RawSpan(NamedTuple):
    """A span as it was sent. `status` is 0 (unset), 1 (ok) or 2 (error); `state` is its W3C trace state."""

    source: Source
    trace: str
    span: str
    parent: str
    name: str
    started: int
    ended: int
    state: str
    status: int
    message: str
    attributes: Attributes
    events: list[Event]


class RawLog(NamedTuple):
    """A log record as it was sent; `at` in nanoseconds since the epoch."""

    source: Source
    trace: str
    span: str
    event: str
    at: int
    body: Any
    attributes: Attributes


def finite(number: float) -> float | str:
    """A number as JSON has it: NaN and infinity as text."""
    return number if isfinite(number) else repr(number)
