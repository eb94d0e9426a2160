"""OTLP in JSON, as the specification has it and as exporters send it.

Whole numbers are numbers or text, enumerations numbers or names, ids hex digits (or base 64, as generic encoders of
protobuf write them), and what is null is not there.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gatewatch.core import codec
from gatewatch.core.errors import BadPayload, TooMuch
from gatewatch.online.otlp.flat import Attributes, Event, RawLog, RawSpan, Source, finite
from gatewatch.online.otlp.room import LONGEST_SCOPE, MOST_BRACKETS, Room

_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_HEX = re.compile(r"[0-9a-fA-F]*")
_MOST_DEEP = 90
_LARGEST = 1 << 64
Whole = int | float | str | None


class _Value(Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole = None
    double_value: float | str | None = None
    array_value: "_Array | None" = None
    kvlist_value: "_Pairs | None" = None
    bytes_value: str | None = None


class _Array(Struct):
    values: "Sequence[_Value | None] | None" = None


class _Pair(Struct):
    key: str = ""
    value: _Value | None = None


class _Pairs(Struct):
    values: Sequence[_Pair] | None = None


class _Resource(Struct):
    attributes: Sequence[_Pair] | None = None


class _Scope(Struct):
    name: str | None = None


class _Event(Struct, rename="camel"):
    name: str | None = None
    time_unix_nano: Whole = None
    attributes: Sequence[_Pair] | None = None


class _Status(Struct):
    code: Whole = None
    message: str | None = None


class _Span(Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    start_time_unix_nano: Whole = None
    end_time_unix_nano: Whole = None
    attributes: Sequence[_Pair] | None = None
    events: Sequence[_Event] | None = None
    status: _Status | None = None


class _ScopeSpans(Struct):
    scope: _Scope | None = None
    spans: Sequence[_Span] | None = None


class _ResourceSpans(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: Sequence[_ScopeSpans] | None = None


class _Traces(Struct, rename={"groups": "resourceSpans"}):
    groups: Sequence[_ResourceSpans] | UnsetType | None = UNSET


class _Log(Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None
    time_unix_nano: Whole = None
    observed_time_unix_nano: Whole = None
    body: _Value | None = None
    attributes: Sequence[_Pair] | None = None


class _ScopeLogs(Struct, rename="camel"):
    scope: _Scope | None = None
    log_records: Sequence[_Log] | None = None


class _ResourceLogs(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: Sequence[_ScopeLogs] | None = None


class _Logs(Struct, rename={"groups": "resourceLogs"}):
    groups: Sequence[_ResourceLogs] | UnsetType | None = UNSET


class _Metric(Struct):
    """Nothing of it is read."""


class _ScopeMetrics(Struct):
    metrics: Sequence[_Metric] | None = None


class _ResourceMetrics(Struct, rename="camel"):
    scope_metrics: Sequence[_ScopeMetrics] | None = None


class _Metrics(Struct, rename={"groups": "resourceMetrics"}):
    groups: Sequence[_ResourceMetrics] | UnsetType | None = UNSET


_traces, _logs, _metrics = (msgspec.json.Decoder(kind) for kind in (_Traces, _Logs, _Metrics))


def json_spans(body: bytes, room: Room) -> Iterator[RawSpan]:
    """The spans of an ExportTraceServiceRequest in JSON.

    Raises:
        BadPayload: when it is none.
        TooMuch: when it has more than there is room for.
    """
    for group in _groups(_traces, body, "resourceSpans"):
        room.span()
        resource = _attributes(group.resource.attributes, room) if group.resource is not None else {}
        for part in group.scope_spans or ():
            room.span()
            source = Source(resource, _named(part.scope))
            for each in part.spans or ():
                room.span()
                room.values(len(each.events or ()))
                status = each.status or _Status()
                yield RawSpan(
                    source,
                    _id(each.trace_id),
                    _id(each.span_id),
                    _id(each.parent_span_id),
                    each.name or "",
                    _whole(each.start_time_unix_nano),
                    _whole(each.end_time_unix_nano),
                    each.trace_state or "",
                    _status(status.code),
                    status.message or "",
                    _attributes(each.attributes, room),
                    [
                        Event(e.name or "", _whole(e.time_unix_nano), _attributes(e.attributes, room))
                        for e in each.events or ()
                    ],
                )


def json_logs(body: bytes, room: Room) -> Iterator[RawLog]:
    """The records of an ExportLogsServiceRequest in JSON.

    Raises:
        BadPayload: when it is none.
        TooMuch: when it has more than there is room for.
    """
    for group in _groups(_logs, body, "resourceLogs"):
        room.span()
        resource = _attributes(group.resource.attributes, room) if group.resource is not None else {}
        for part in group.scope_logs or ():
            room.span()
            source = Source(resource, _named(part.scope))
            for each in part.log_records or ():
                room.span()
                yield RawLog(
                    source,
                    _id(each.trace_id),
                    _id(each.span_id),
                    each.event_name or "",
                    _whole(each.time_unix_nano) or _whole(each.observed_time_unix_nano),
                    _value(each.body, room),
                    _attributes(each.attributes, room),
                )


def json_metrics(body: bytes) -> int:
    """How many metrics an ExportMetricsServiceRequest in JSON has.

    Raises:
        BadPayload: when it is none.
    """
    groups = _groups(_metrics, body, "resourceMetrics")
    return sum(len(part.metrics or ()) for group in groups for part in group.scope_metrics or ())


def _groups(decoder: msgspec.json.Decoder[Any], body: bytes, name: str) -> Sequence[Any]:
    """What a request has under its one name; an empty object has nothing."""
    found = _parsed(decoder, body).groups
    if found is UNSET and body.strip(b" \t\r\n{}"):  # another signal's, say, of which nothing would be kept
        raise BadPayload(f"not OTLP in JSON for this address: it has no {name!r}")
    return found or ()


def _parsed(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    if codec.crowded(body, MOST_BRACKETS):
        raise TooMuch(f"it has more than {MOST_BRACKETS:,} objects and lists")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadPayload(f"not OTLP in JSON: {str(error)[:200]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if rb"\ud" in body.lower():  # half of a pair, where an exporter cut a text: JSON all the same
            return _mended(decoder, body)
        raise BadPayload(f"not JSON: {str(error)[:200]}") from None


def _mended(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    if body.count(b",") > 4 * MOST_BRACKETS:  # here all is made of it, also what has no place in OTLP
        raise TooMuch(f"it has more than {4 * MOST_BRACKETS:,} values")
    try:
        whole = json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False)
        return decoder.decode(whole.encode("utf-8", "replace"))
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise BadPayload(f"not OTLP in JSON: {str(error)[:200]}") from None


def _attributes(pairs: Sequence[_Pair] | None, room: Room, depth: int = 0) -> Attributes:
    if not pairs:
        return {}
    room.values(len(pairs))
    return {pair.key: _value(pair.value, room, depth) for pair in pairs}


def _value(value: _Value | None, room: Room, depth: int = 0) -> Any:
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _whole(value.int_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return _double(value.double_value)
    if depth > _MOST_DEEP:
        raise BadPayload(f"values are nested more than {_MOST_DEEP} deep")
    if value.array_value is not None:
        values = value.array_value.values or ()
        room.values(len(values))
        return [_value(each, room, depth + 1) for each in values]
    if value.kvlist_value is not None:
        return _attributes(value.kvlist_value.values, room, depth + 1)
    return value.bytes_value


def _named(scope: _Scope | None) -> str:
    return (scope.name or "")[:LONGEST_SCOPE] if scope is not None else ""


def _status(code: Whole) -> int:
    return _STATUS[code] if isinstance(code, str) and code in _STATUS else _whole(code)


def _double(number: float | str) -> float | str:
    try:
        return finite(float(number))
    except ValueError:
        raise BadPayload(f"not a number: {str(number)[:40]!r}") from None


def _whole(number: Whole) -> int:
    """A whole number, which may stand as text."""
    if number is None:
        return 0
    try:
        found = int(number)
    except (ValueError, OverflowError):
        raise BadPayload(f"not a whole number: {str(number)[:40]!r}") from None
    if not -_LARGEST < found < _LARGEST:
        raise BadPayload(f"{str(number)[:24]}... has more than 64 bits")
    return found


def _id(text: str | None) -> str:
    """An id in lower-case hex digits; what is none is left, for whoever looks at it to refuse."""
    if not text:
        return ""
    if len(text) in (16, 32) and _HEX.fullmatch(text):
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return text
