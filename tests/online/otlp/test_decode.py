"""Bodies that are what they should be, nearly, and not at all."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewatch.core.errors import BadPayload, TooMuch
from gatewatch.online.otlp import decode
from gatewatch.online.otlp.decode import JSON, PROTOBUF
from gatewatch.online.otlp.flat import RawSpan
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


def span(data: bytes, content_type: str = JSON) -> RawSpan:
    (found,) = decode.spans(data, content_type)
    return found


def attribute(value: Any) -> Any:
    return span(body(attributes=[{"key": "a", "value": value}])).attributes["a"]


def test_json_is_read_as_the_specification_has_it_and_as_exporters_send_it() -> None:
    assert attribute({"intValue": "42"}) == attribute({"intValue": 42}) == 42
    assert attribute({"doubleValue": 0.5}) == 0.5
    assert attribute({"doubleValue": "NaN"}) == "nan"
    assert attribute({"boolValue": False}) is False
    assert attribute({"bytesValue": "aGk="}) == "aGk="
    assert attribute({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}}) == [1, "x"]
    assert attribute({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}) == {"k": True}
    assert attribute({"arrayValue": {}}) == [] and attribute({}) is None and attribute(None) is None
    found = span(body(startTimeUnixNano="1795452049786000000", status={"code": "STATUS_CODE_ERROR"}, parentSpanId=None))
    assert (found.started, found.status, found.parent) == (1795452049786000000, 2, "")
    encoded = span(body(traceId="W47/95gDgQPSabYzgT/GDA==", spanId="7uGbfsPBsXQ="))
    assert encoded[1:3] == (ID["traceId"], ID["spanId"]), "ids in base 64"
    assert span(body(traceId=ID["traceId"].upper()), "application/json; charset=utf-8").trace == ID["traceId"]


def test_a_text_that_was_cut_inside_a_character_is_read() -> None:
    assert attribute({"stringValue": "x\ud83d"}) == "x?"


def test_an_empty_request_has_nothing() -> None:
    assert list(decode.spans(b"{}", JSON)) == list(decode.spans(b"", PROTOBUF)) == []
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


def told(number: int, *parts: bytes) -> bytes:
    """A field of protobuf that has a length."""
    data = b"".join(parts)
    size, left = bytearray(), len(data)
    while left > 0x7F:
        size.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([number << 3 | 2, *size, left]) + data


NAMED = told(1, bytes.fromhex(ID["traceId"])) + told(2, bytes.fromhex(ID["spanId"]))
MANY = 800_000
SWOLLEN: dict[str, tuple[bytes, str]] = {
    "groups": (b"\x0a\x00" * MANY, PROTOBUF),
    "scopes": (told(1, b"\x12\x00" * MANY), PROTOBUF),
    "spans": (told(1, told(2, b"\x12\x00" * MANY)), PROTOBUF),
    "resources": (told(1, b"\x0a\x00" * MANY, told(2, told(2, NAMED))), PROTOBUF),
    "what is not known": (told(1, told(2, b"\x78\x00" * MANY)), PROTOBUF),
    "attributes": (told(1, told(2, told(2, NAMED, b"\x4a\x00" * MANY))), PROTOBUF),
    "events": (told(1, told(2, told(2, NAMED, b"\x5a\x00" * MANY))), PROTOBUF),
    "links": (told(1, told(2, told(2, NAMED, b"\x6a\x00" * MANY))), PROTOBUF),
    "values": (told(1, told(2, told(2, NAMED, told(9, told(2, told(5, b"\x0a\x00" * MANY)))))), PROTOBUF),
    "attributes of a resource": (told(1, told(1, b"\x0a\x00" * MANY), told(2, told(2, NAMED))), PROTOBUF),
    "attributes of many": (told(1, told(2, *[told(2, NAMED, b"\x4a\x00" * 90_000)] * 12)), PROTOBUF),
    "spans in JSON": (b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s{}]}]}]}' % (b"{}," * MANY), JSON),
    "attributes in JSON": (body(attributes=[{}]).replace(b"{}", b"{}," * MANY + b"{}"), JSON),
    "nothings in JSON": (body(attributes=[{"value": {"arrayValue": {"values": [None] * MANY}}}]), JSON),
    "what JSON has besides": (b'{"x":"\\ud800","y":[%s[]]}' % (b"[]," * MANY), JSON),
    "numbers that JSON has besides": (b'{"x":"\\ud800","y":[%s1]}' % (b"1," * 3_000_000), JSON),
}
"""Bodies that say much of nothing, so that they pack to a thousandth, and are a hundred times as large decoded."""


@pytest.mark.parametrize("name", SWOLLEN)
def test_what_would_be_much_larger_than_it_was_sent_is_refused(name: str) -> None:
    data, content_type = SWOLLEN[name]
    with pytest.raises(TooMuch):
        received(data, content_type, "traces", RULES)


def test_metrics_of_which_there_are_too_many_are_refused() -> None:
    with pytest.raises(TooMuch):
        received(SWOLLEN["spans"][0], PROTOBUF, "metrics", RULES)
    logs = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%s{}]}]}]}'
    for data, kind in ((SWOLLEN["spans"][0], PROTOBUF), (logs % (b"{}," * MANY), JSON)):
        with pytest.raises(TooMuch):
            received(data, kind, "logs", RULES)


def test_long_texts_and_brackets_in_them_are_not_many_values() -> None:
    text = '[{"a": [1]}, ' * 100_000
    said = [{"key": "input.value", "value": {"stringValue": text}}]
    assert len(received(body(attributes=said), JSON, "traces", RULES).pieces) == 1
    pair = told(1, b"input.value") + told(2, told(1, text.encode()))
    assert len(received(told(1, told(2, told(2, NAMED, told(9, pair)))), PROTOBUF, "traces", RULES).pieces) == 1


def test_the_name_of_a_library_is_kept_with_each_span_and_therefore_cut() -> None:
    scope, spans = told(1, told(1, b"n" * 5_000_000)), [told(2, NAMED)] * 200
    found = received(told(1, told(2, scope, *spans)), PROTOBUF, "traces", RULES)
    assert len(found.pieces) == 200 and max(len(each.body) for each in found.pieces) < 1000


def test_a_resource_is_that_of_the_spans_before_it_too_and_each_of_its_parts_adds() -> None:
    def service(key: bytes, value: bytes) -> bytes:
        return told(1, told(1, told(1, key) + told(2, told(1, value))))

    data = told(1, service(b"a", b"x"), told(2, told(2, NAMED), told(1, told(1, b"lib"))), service(b"b", b"y"))
    assert span(data, PROTOBUF).source == ({"a": "x", "b": "y"}, "lib")


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


@pytest.mark.parametrize("body", [b'{"spans":[]}', b'{"resource_spans":[]}', b'{"resourceLogs":[]}'])
def test_json_that_is_of_no_traces_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload, match="it has no 'resourceSpans'"):
        list(decode.spans(body, JSON))


@pytest.mark.parametrize("body", [b"{}", b" { }\n", b'{"resourceSpans":null}', b'{"resourceSpans":[],"more":1}'])
def test_json_without_any_span_is_good(body: bytes) -> None:
    assert list(decode.spans(body, JSON)) == []
