"""Bodies that are what they should be, nearly, and not at all."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewatch.core.errors import BadPayload
from gatewatch.online.otlp import decode
from gatewatch.online.otlp.decode import JSON, PROTOBUF
from gatewatch.online.otlp.receive import Rules, received
from gatewatch.online.otlp.redacting import Cleaning
from recorded_otlp import requests

ID = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
RULES = Rules(cleaning=Cleaning(pii=True))


def body(**span: Any) -> bytes:
    group = {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
        "scopeSpans": [{"scope": {"name": "lib"}, "spans": [{**ID, "name": "n", **span}]}],
    }
    return json.dumps({"resourceSpans": [group]}).encode()


def attribute(value: Any) -> Any:
    return decode.spans(body(attributes=[{"key": "a", "value": value}]), JSON)[0].attributes["a"]


def test_json_is_read_as_the_specification_has_it_and_as_exporters_send_it() -> None:
    assert attribute({"intValue": "42"}) == attribute({"intValue": 42}) == 42
    assert attribute({"doubleValue": 0.5}) == 0.5
    assert attribute({"doubleValue": "NaN"}) == "nan"
    assert attribute({"boolValue": False}) is False
    assert attribute({"bytesValue": "aGk="}) == "aGk="
    assert attribute({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}}) == [1, "x"]
    assert attribute({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}) == {"k": True}
    assert attribute({"arrayValue": {}}) == [] and attribute({}) is None and attribute(None) is None
    span = decode.spans(
        body(startTimeUnixNano="1795452049786000000", status={"code": "STATUS_CODE_ERROR"}, parentSpanId=None), JSON
    )[0]
    assert (span.started, span.status, span.parent) == (1795452049786000000, 2, "")
    assert decode.spans(body(traceId="W47/95gDgQPSabYzgT/GDA==", spanId="7uGbfsPBsXQ="), JSON)[0][1:3] == (
        ID["traceId"],
        ID["spanId"],
    ), "ids in base 64"
    assert (
        decode.spans(body(traceId=ID["traceId"].upper()), "application/json; charset=utf-8")[0].trace == ID["traceId"]
    )


def test_a_text_that_was_cut_inside_a_character_is_read() -> None:
    cut = body(attributes=[{"key": "a", "value": {"stringValue": "x\ud83d"}}])
    assert decode.spans(cut, JSON)[0].attributes["a"] == "x?"


def test_an_empty_request_has_nothing() -> None:
    assert decode.spans(b"{}", JSON) == decode.spans(b"", PROTOBUF) == []
    assert decode.metrics(b"{}", JSON) == decode.metrics(b"", PROTOBUF) == 0


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"[]", JSON),
        (b'{"resourceSpans": 1}', JSON),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 1}]}]}]}', JSON),
        (b"\xff\xfe", JSON),
        (b'{"x": "\\ud83d', JSON),
        (b'{"a":' * 100_000, JSON),
        (b"[" * 100_000 + b"]" * 100_000, JSON),
        (b'{"resourceSpans":' + b"[" * 100_000, JSON),
        (body(startTimeUnixNano="soon"), JSON),
        (body(startTimeUnixNano=10**30), JSON),
        (body(attributes=[{"key": "a", "value": {"doubleValue": "x"}}]), JSON),
        (b"not protobuf", PROTOBUF),
        (b"\x0a\xff\xff\xff\xff\x0f", PROTOBUF),
        (b"{}", "text/plain"),
        (b"{}", ""),
    ],
)
def test_what_is_no_request_is_one_error(data: bytes, content_type: str) -> None:
    with pytest.raises(BadPayload) as caught:
        received(data, content_type, "traces", RULES)
    assert 0 < len(str(caught.value)) < 400


def deep(levels: int) -> bytes:
    value: Any = {"stringValue": "x"}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return body(attributes=[{"key": "a", "value": value}])


def test_values_are_nested_only_so_deep() -> None:
    assert received(deep(20), JSON, "traces", RULES).pieces != ()
    with pytest.raises(BadPayload):
        received(deep(95), JSON, "traces", RULES)
    whole = received(
        body(attributes=[{"key": "input.value", "value": {"stringValue": "[" * 9000}}]), JSON, "traces", RULES
    )
    assert len(whole.pieces) == 1, "text that only looks like JSON is text"


def test_metrics_are_counted_and_left_out() -> None:
    found = received(
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a"},{"name":"b"}]}]}]}', JSON, "metrics", RULES
    )
    assert found.pieces == () and found.refused == {"metric": 2}


FUZZED = ("openinference_anthropic", "otel_openai_v2_content", "js_vercel_ai_sdk", "pydantic_ai")


@pytest.mark.parametrize("scenario", FUZZED)
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_changed_in_a_body_it_is_read_or_refused(scenario: str, data: st.DataObject) -> None:
    request = data.draw(st.sampled_from(requests(scenario)))
    changed = bytearray(request.body)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(changed) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set":
            changed[place] = data.draw(st.integers(0, 255))
        elif kind == "cut" and len(changed) > 2:
            del changed[place : place + data.draw(st.integers(1, 50))]
        elif kind == "insert":
            changed[place:place] = data.draw(st.binary(max_size=12))
        else:
            changed[place:place] = changed[place : place + 40]
        if not changed:
            return
    try:
        received(bytes(changed), request.content_type, request.signal, RULES)
    except BadPayload as error:
        assert str(error)
