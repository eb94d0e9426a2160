"""OTLP over HTTP: what real clients sent, posted as they sent it, is accepted, kept once, and can be asked for."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from gatewatch.core.clock import wall
from gatewatch.online.settle import settle
from gatewatch.store.sql import SQLStore
from recorded_otlp import SCENARIOS
from shared import shared_path
from web.serving import TOML, Served, served

PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, TOML.replace("1 MB", "16 MB")) as found:
        yield found


def recorded(scenario: str) -> list[tuple[str, dict[str, str], bytes]]:
    """The requests of a scenario as they were sent: path, headers, body."""
    found = []
    for meta in sorted(shared_path("data", "otlp", scenario).glob("*.meta.json")):
        told = json.loads(meta.read_text())
        sent = {name.lower(): value for name, value in told["headers"].items()}
        kept = {name: sent[name] for name in ("content-type", "content-encoding") if name in sent}
        found.append((told["path"], kept, (meta.parent / told["file"]).read_bytes()))
    return found


def settled(server: Served) -> list[dict[str, Any]]:
    """All requests, once what was sent is made into some."""
    (opened,) = server.host.open_now()
    while settle(opened.store, server.host.ways, clock=lambda: wall() + 3600).more:
        pass
    with server.client(server.token("read")) as client:
        found: list[dict[str, Any]] = []
        cursor: int | None = 0
        while cursor is not None:
            page = client.get(f"/v1/traces?limit=500&cursor={cursor}").json()
            found += page["traces"]
            cursor = page["next"]
        return found


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_a_client_sent_is_accepted_and_kept_once(server: Served, scenario: str) -> None:
    counts = json.loads(shared_path("data", "otlp", "index.json").read_text())[scenario]
    with server.client(server.token()) as client:
        for _ in range(2):  # as if the reply had been lost
            for path, headers, body in recorded(scenario):
                assert client.post(path, content=body, headers=headers).status_code == 200, path
    metrics = server.host.metrics.text(None, [])
    (opened,) = server.host.open_now()
    assert isinstance(opened.store, SQLStore)
    spans = opened.store._db.execute("SELECT count(*) FROM piece WHERE part = ''")[0][0]
    left_out = sum(
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("gatewatch_left_out_total") and 'reason="span' in line
    )
    assert spans + left_out / 2 == counts["unique_spans"]
    assert settled(server)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 1, 0, 0, 1, 2)])
def test_six_hundred_requests_add_up_in_any_order(server: Served, order: tuple[int, ...]) -> None:
    sent = recorded("load_oi_openai_600")
    with server.client(server.token()) as client:
        for place in order:
            path, headers, body = sent[place]
            assert client.post(path, content=body, headers=headers).status_code == 200
    rows = settled(server)
    assert len(rows) == 600 and len({row["session"] for row in rows}) == 37
    assert sum(row["error"] != "" for row in rows) == 32
    assert sum(row["input_tokens"] or 0 for row in rows) == 37_445
    assert sum(row["output_tokens"] or 0 for row in rows) == 42_075


def one_span(**more: Any) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        **{"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "a", **more}
    )
    return bytes(request.SerializeToString())


def post(server: Served, body: bytes, path: str = "/v1/traces", **headers: str) -> httpx.Response:
    with server.client(server.token()) as client:
        return client.post(path, content=body, headers={**PROTOBUF, **headers})


def test_replies_are_in_the_encoding_of_the_request(server: Served) -> None:
    said = post(server, one_span())
    assert (said.headers["content-type"], said.content) == ("application/x-protobuf", b"")
    said = post(server, b'{"resourceSpans":[]}', **{"content-type": "application/json"})
    assert (said.headers["content-type"], said.json()) == ("application/json", {})


def test_what_is_left_out_is_told(server: Served) -> None:
    reply = ExportTraceServiceResponse.FromString(post(server, one_span(span_id=b"")).content)
    assert reply.partial_success.rejected_spans == 1
    assert reply.partial_success.error_message == "1 left out: span without a valid id"
    _, _, body = next(each for each in recorded("pydantic_ai") if each[0] == "/v1/metrics")
    told = ExportMetricsServiceResponse.FromString(post(server, body, "/v1/metrics").content)
    assert told.partial_success.rejected_data_points > 0
    sent = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "", "spanId": "", "name": "a"}]}]}]}
    with server.client(server.token()) as client:
        said = client.post("/v1/traces", json=sent)
        assert said.json()["partialSuccess"]["rejectedSpans"] == "1"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff" * 50, {}, 400),
        (one_span()[:-3], {}, 400),
        (b"{", {"content-type": "application/json"}, 400),
        (b"[" * 100_000, {"content-type": "application/json"}, 400),
        (b'{"resourceSpans":' + b"[" * 100_000, {"content-type": "application/json"}, 400),
        (b'{"resourceSpans":3}', {"content-type": "application/json"}, 400),
        (one_span(), {"content-type": "text/plain"}, 415),
        (one_span(), {"content-type": ""}, 415),
        (gzip.compress(one_span(), mtime=0), {"content-encoding": "gzip"}, 200),
    ],
)
def test_what_is_no_otlp_is_refused(server: Served, body: bytes, headers: dict[str, str], status: int) -> None:
    assert post(server, body, **headers).status_code == status


def test_langfuse_s_own_way_of_saying_who_asks(server: Served) -> None:
    basic = base64.b64encode(f"pk-lf-1:{server.token()}".encode()).decode()
    with server.client() as client:
        said = client.post(
            "/api/public/otel/v1/traces", content=one_span(), headers={**PROTOBUF, "authorization": f"Basic {basic}"}
        )
        assert said.status_code == 200


def test_attributes_are_mapped_as_the_project_says(tmp_path: Path) -> None:
    toml = TOML + '[ingest.map]\n"app.tenant" = "flow"\n"app.build" = "version.app"\n'
    with served(tmp_path, toml) as server:
        body = {"key": "app.tenant", "value": {"stringValue": "refunds"}}
        build = {"key": "app.build", "value": {"stringValue": "7"}}
        span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "x", "attributes": [body, build]}
        with server.client(server.token()) as client:
            said = client.post("/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
            assert said.status_code == 200
        assert [row["flow"] for row in settled(server)] == ["refunds"]
