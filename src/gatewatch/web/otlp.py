"""OTLP over HTTP: traces and logs, in protobuf or JSON, are stored; metrics are not. A batch is kept whole or not."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core.errors import BadPayload, TooMuch
from gatewatch.online.otlp.decode import PROTOBUF, Signal, encoding
from gatewatch.online.otlp.receive import Received, received
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json

PATHS: dict[str, Signal] = {
    "/v1/traces": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
    "/api/public/otel/v1/traces": "traces",
}
"""Where each signal is posted; the last is where Langfuse's SDK does."""
_REJECTED: dict[Signal, str] = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}


def routes(host: Host) -> list[Route]:
    """The routes of OTLP."""

    def to(signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await _take(host, request, signal)

        return endpoint

    return [Route(path, to(signal), methods=["POST"]) for path, signal in PATHS.items()]


async def _take(host: Host, request: Request, signal: Signal) -> Response:
    """Keep a batch, and say so once it is committed."""
    visitor = await host.visitors.who(request, "ingest")
    stated = request.headers.get("content-type", "")
    try:
        kind = encoding(stated)
    except BadPayload as error:
        raise Refused(415, str(error), where="content-type") from None

    def read(data: bytes) -> Received:
        return received(data, stated, signal, host.serving.rules)

    try:
        async with host.bodies.read(request, read, project=visitor.project) as found:
            if found.pieces:
                served = await host.served(visitor.project)
                await served.writer.stage(found.pieces)
    except TooMuch as error:
        raise Refused(413, str(error), where="body", hint="send it in smaller batches") from None
    except BadPayload as error:
        raise Refused(400, str(error), where="body") from None
    host.metrics.count("gatewatch_received_total", project=visitor.project, kind=signal)
    host.metrics.count("gatewatch_stored_total", len(found.pieces), project=visitor.project, kind="span")
    for reason, number in found.refused.items():
        host.metrics.count("gatewatch_left_out_total", number, project=visitor.project, reason=reason)
    left_out = sum(found.refused.values())
    told = "; ".join(f"{number} left out: {reason}" for reason, number in found.refused.items())
    if kind == PROTOBUF:
        return Response(_partial(signal, left_out, told) if left_out else b"", media_type=PROTOBUF)
    reply: dict[str, Any] = {}
    if left_out:
        reply["partialSuccess"] = {_REJECTED[signal]: str(left_out), "errorMessage": told}
    return as_json(reply)


def _partial(signal: Signal, left_out: int, told: str) -> bytes:
    """A reply that says how much was left out, and why."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    if signal == "traces":
        reply: Any = ExportTraceServiceResponse()
        reply.partial_success.rejected_spans = left_out
    elif signal == "logs":
        reply = ExportLogsServiceResponse()
        reply.partial_success.rejected_log_records = left_out
    else:
        reply = ExportMetricsServiceResponse()
        reply.partial_success.rejected_data_points = left_out
    reply.partial_success.error_message = told
    return bytes(reply.SerializeToString())
