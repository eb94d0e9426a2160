"""From the body of an OTLP request to flat spans and log records, whatever of the two encodings it is in.

Nothing is interpreted here: attributes are plain values by name, ids are hex digits, times nanoseconds since the epoch.
What is not OTLP is one error, `BadPayload`, whatever it is that is wrong with it.
"""

import base64
from collections.abc import Iterable
from typing import Any, Literal

from gatewatch.core.errors import BadPayload, ConfigError, Problem
from gatewatch.online.otlp.flat import Attributes, Event, RawLog, RawSpan, Source, finite
from gatewatch.online.otlp.wire_json import json_logs, json_metrics, json_spans

Signal = Literal["traces", "logs", "metrics"]
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_TYPES = {PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, JSON: JSON}


def encoding(content_type: str) -> str:
    """Which of the two encodings a Content-Type names.

    Raises:
        BadPayload: for neither.
    """
    found = _TYPES.get(content_type.partition(";")[0].strip().lower())
    if found is None:
        raise BadPayload(f"Content-Type must be {PROTOBUF} or {JSON}, got {content_type[:60]!r}")
    return found


def spans(body: bytes, content_type: str) -> list[RawSpan]:
    """The spans of an ExportTraceServiceRequest.

    Raises:
        BadPayload: when it is none.
    """
    if encoding(content_type) == JSON:
        return json_spans(body)
    found: list[RawSpan] = []
    for group in _parsed(body, "traces").resource_spans:
        resource = _attributes(group.resource.attributes)
        for part in group.scope_spans:
            source = Source(resource, part.scope.name)
            found += [
                RawSpan(
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
                    _attributes(each.attributes),
                    [Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in each.events],
                )
                for each in part.spans
            ]
    return found


def logs(body: bytes, content_type: str) -> list[RawLog]:
    """The records of an ExportLogsServiceRequest.

    Raises:
        BadPayload: when it is none.
    """
    if encoding(content_type) == JSON:
        return json_logs(body)
    found: list[RawLog] = []
    for group in _parsed(body, "logs").resource_logs:
        resource = _attributes(group.resource.attributes)
        for part in group.scope_logs:
            source = Source(resource, part.scope.name)
            found += [
                RawLog(
                    source,
                    each.trace_id.hex(),
                    each.span_id.hex(),
                    each.event_name,
                    each.time_unix_nano or each.observed_time_unix_nano,
                    _value(each.body),
                    _attributes(each.attributes),
                )
                for each in part.log_records
            ]
    return found


def metrics(body: bytes, content_type: str) -> int:
    """How many metrics an ExportMetricsServiceRequest has.

    Raises:
        BadPayload: when it is none.
    """
    if encoding(content_type) == JSON:
        return json_metrics(body)
    return sum(len(part.metrics) for group in _parsed(body, "metrics").resource_metrics for part in group.scope_metrics)


def _parsed(body: bytes, signal: Signal) -> Any:
    """A request in protobuf, by the message that its signal has."""
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        what, hint = "OTLP in protobuf cannot be read without it", 'pip install "gatewatch[server]"'
        raise ConfigError([Problem("opentelemetry-proto", what, hint)]) from None
    kinds: dict[Signal, Any] = {
        "traces": ExportTraceServiceRequest,
        "logs": ExportLogsServiceRequest,
        "metrics": ExportMetricsServiceRequest,
    }
    try:
        return kinds[signal].FromString(body)
    except (DecodeError, ValueError, RecursionError) as error:
        raise BadPayload(f"not OTLP {signal} in protobuf: {str(error)[:200]}") from None


def _attributes(pairs: Iterable[Any]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
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
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return None
