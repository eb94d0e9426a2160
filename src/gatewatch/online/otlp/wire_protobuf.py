"""OTLP in protobuf, a span at a time.

The three signals have the same outer form: groups (1) of a resource (1) and scopes (2), each of them a scope (1) and
spans, log records or metrics (2). That form is walked here, and each span parsed by itself: a parser that is given the
whole makes objects of all that is in it first, a hundred bytes and more of each two.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from gatewatch.core.errors import BadPayload, ConfigError, Problem
from gatewatch.online.otlp.flat import Attributes, Event, RawLog, RawSpan, Source, finite
from gatewatch.online.otlp.room import LONGEST_SCOPE, Room

_DAMAGED = "not OTLP in protobuf: it is damaged or cut off"
_FIXED = {1: 8, 5: 4}
_LONG = 1 << 20
"""From how many bytes on what is in one span is counted before it is parsed."""


def protobuf_spans(body: bytes, room: Room) -> Iterator[RawSpan]:
    """The spans of an ExportTraceServiceRequest in protobuf.

    Raises:
        BadPayload: when it is none.
        TooMuch: when it has more than there is room for.
    """
    kind = _kinds()[2]
    for source, data in _told(body, room):
        each = _parsed(kind, data)
        room.values(len(each.events))
        yield RawSpan(
            source,
            each.trace_id.hex(),
            each.span_id.hex(),
            each.parent_span_id.hex(),
            each.name,
            each.start_time_unix_nano,
            each.end_time_unix_nano,
            each.trace_state,
            each.status.code,
            each.status.message,
            _attributes(each.attributes, room),
            [Event(e.name, e.time_unix_nano, _attributes(e.attributes, room)) for e in each.events],
        )


def protobuf_logs(body: bytes, room: Room) -> Iterator[RawLog]:
    """The records of an ExportLogsServiceRequest in protobuf.

    Raises:
        BadPayload: when it is none.
        TooMuch: when it has more than there is room for.
    """
    kind = _kinds()[3]
    for source, data in _told(body, room):
        each = _parsed(kind, data)
        yield RawLog(
            source,
            each.trace_id.hex(),
            each.span_id.hex(),
            each.event_name,
            each.time_unix_nano or each.observed_time_unix_nano,
            _value(each.body, room),
            _attributes(each.attributes, room),
        )


def protobuf_metrics(body: bytes, room: Room) -> int:
    """How many metrics an ExportMetricsServiceRequest in protobuf has.

    Raises:
        BadPayload: when it is none.
        TooMuch: when it has more than there is room for.
    """
    return sum(1 for _ in _told(body, room))


def _told(body: bytes, room: Room) -> Iterator[tuple[Source, bytes]]:
    """What is told, each with what told it."""
    resource_, scope_, _, _ = _kinds()
    for number, at, end in _fields(body, 0, len(body), room.span):
        if number != 1:
            continue
        head, scopes = _split(body, at, end, room)
        resource = _attributes(_parsed(resource_, head).attributes, room)
        for begins, ends in scopes:
            head, told = _split(body, begins, ends, room)
            source = Source(resource, _parsed(scope_, head).name[:LONGEST_SCOPE])
            for first, last in told:
                yield source, body[first:last]


def _split(body: bytes, at: int, end: int, room: Room) -> tuple[bytes, list[tuple[int, int]]]:
    """What heads a group (where it is there more than once, each adds to it), and where what it groups is."""
    head: list[bytes] = []
    rest: list[tuple[int, int]] = []
    for number, begins, ends in _fields(body, at, end, room.span):
        if number == 1:
            head.append(body[begins:ends])
        elif number == 2:
            rest.append((begins, ends))
    return b"".join(head), rest


@cache
def _kinds() -> tuple[Any, Any, Any, Any]:
    """The messages of OTLP that are parsed: of a resource, a scope, a span, a log record."""
    try:
        from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
        from opentelemetry.proto.resource.v1.resource_pb2 import Resource
        from opentelemetry.proto.trace.v1.trace_pb2 import Span
    except ImportError:
        what, hint = "OTLP in protobuf cannot be read without it", 'pip install "gatewatch[server]"'
        raise ConfigError([Problem("opentelemetry-proto", what, hint)]) from None
    return Resource, InstrumentationScope, Span, LogRecord


def _parsed(kind: Any, data: bytes) -> Any:
    if len(data) > _LONG:
        _count(kind.DESCRIPTOR, data)
    try:
        return kind.FromString(data)
    except (_errors(), ValueError, RecursionError) as error:
        raise BadPayload(f"not OTLP in protobuf: {str(error)[:200]}") from None


@cache
def _errors() -> type[Exception]:
    from google.protobuf.message import DecodeError

    found: type[Exception] = DecodeError
    return found


def _count(kind: Any, data: bytes) -> None:
    """Refuse what would be parsed into more than is allowed of one span."""
    room, left = Room(), [(kind, 0, len(data))]
    while left:
        kind, at, end = left.pop()
        inner = _inner(kind)
        for number, begins, ends in _fields(data, at, end, room.value):
            if number in inner:
                left.append((inner[number], begins, ends))


@cache
def _inner(kind: Any) -> dict[int, Any]:
    """The fields of a kind of message that are messages themselves, and of which kind."""
    return {field.number: field.message_type for field in kind.fields if field.message_type is not None}


def _fields(data: bytes, at: int, end: int, count: Callable[[], None]) -> Iterator[tuple[int, int, int]]:
    """The fields of a message that have a length: number, begin, end. Those of any kind are counted."""
    while at < end:
        count()
        key = data[at]
        key, at = (key, at + 1) if key < 0x80 else _varint(data, at)
        kind = key & 7
        if kind == 2:
            size, at = _varint(data, at)
            begins, at = at, at + size
            if at <= end:
                yield key >> 3, begins, at
        elif kind == 0:
            at = _varint(data, at)[1]
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise BadPayload(_DAMAGED)
    if at > end:
        raise BadPayload(_DAMAGED)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of as many bytes as it needs, and where it ends."""
    number = shift = 0
    for byte in data[at : at + 10]:
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise BadPayload(_DAMAGED)


def _attributes(pairs: Sequence[Any], room: Room) -> Attributes:
    room.values(len(pairs))
    return {pair.key: _value(pair.value, room) for pair in pairs}


def _value(value: Any, room: Room) -> Any:
    """What an AnyValue holds, as plain JSON: bytes in base 64, and NaN and infinity as text."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind == "double_value":
        return finite(value.double_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "array_value":
        room.values(len(value.array_value.values))
        return [_value(each, room) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values, room)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return None
