"""From the body of an OTLP request to flat spans and log records, whatever of the two encodings it is in.

They are read one at a time, as they are asked for. Nothing is interpreted here: attributes are plain values by name,
ids are hex digits, times nanoseconds since the epoch.
What is not OTLP is one error, `BadPayload`, whatever it is that is wrong with it.
"""

from collections.abc import Iterator
from typing import Literal

from gatewatch.core.errors import BadPayload
from gatewatch.online.otlp.flat import RawLog, RawSpan
from gatewatch.online.otlp.room import Room
from gatewatch.online.otlp.wire_json import json_logs, json_metrics, json_spans
from gatewatch.online.otlp.wire_protobuf import protobuf_logs, protobuf_metrics, protobuf_spans

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


def spans(body: bytes, content_type: str) -> Iterator[RawSpan]:
    """The spans of an ExportTraceServiceRequest.

    Raises:
        BadPayload: when it is none, or says too much.
    """
    room = Room()
    return json_spans(body, room) if encoding(content_type) == JSON else protobuf_spans(body, room)


def logs(body: bytes, content_type: str) -> Iterator[RawLog]:
    """The records of an ExportLogsServiceRequest.

    Raises:
        BadPayload: when it is none, or says too much.
    """
    room = Room()
    return json_logs(body, room) if encoding(content_type) == JSON else protobuf_logs(body, room)


def metrics(body: bytes, content_type: str) -> int:
    """How many metrics an ExportMetricsServiceRequest has.

    Raises:
        BadPayload: when it is none, or says too much.
    """
    return json_metrics(body) if encoding(content_type) == JSON else protobuf_metrics(body, Room())
