"""What is let in, what is left out, and what is taken out before it is kept."""

import json
from typing import Any

import pytest

from gatewatch.core.traceparent import OURS, USER_AGENT, is_ours, of_our_own
from gatewatch.online.otlp import part
from gatewatch.online.otlp.decode import JSON
from gatewatch.online.otlp.receive import MOST_PIECE, Received, Rules, received
from gatewatch.online.otlp.redacting import Cleaning
from otlp_spans import TRACE

MAIL, KEY = "jane.doe@example.com", "sk-proj-abcdefghij0123456789abcdefghij0123456789"
CLEAN = Rules(cleaning=Cleaning(pii=True))


def attributes(given: dict[str, Any]) -> list[Any]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in given.items()]


def post(*spans: dict[str, Any], rules: Rules = CLEAN, resource: dict[str, Any] | None = None) -> Received:
    whole = [{"traceId": TRACE, "spanId": f"{place:016x}", "name": "n", **each} for place, each in enumerate(spans, 1)]
    group = {"resource": {"attributes": attributes(resource or {})}, "scopeSpans": [{"spans": whole}]}
    return received(json.dumps({"resourceSpans": [group]}).encode(), JSON, "traces", rules)


def test_spans_become_pieces_that_are_known_by_their_ids() -> None:
    found = post({}, {"parentSpanId": f"{1:016x}"})
    assert [(each.trace, each.span, each.part, each.root) for each in found.pieces] == [
        (TRACE, f"{1:016x}", "", True),
        (TRACE, f"{2:016x}", "", False),
    ]
    assert found == post({}, {"parentSpanId": f"{1:016x}"})


def test_spans_without_ids_are_refused_and_the_others_kept() -> None:
    found = post({}, {"traceId": ""}, {"spanId": "0" * 16}, {"traceId": "xyz"})
    assert len(found.pieces) == 1 and found.refused == {"span without a valid id": 3}
    assert post({"parentSpanId": "0" * 16}).pieces[0].root, "a parent of zeros is none"


def test_calls_of_our_own_judges_are_no_traffic() -> None:
    ours = of_our_own().split("-")[1]
    assert is_ours(ours) and not is_ours(TRACE) and len(ours) == 32 and USER_AGENT.startswith(OURS)
    found = post({"traceId": ours}, {"attributes": attributes({"user_agent.original": USER_AGENT})}, {})
    assert len(found.pieces) == 1 and found.refused == {"call of our own judges": 2}


def logs(*records: dict[str, Any]) -> Received:
    whole = [{"traceId": TRACE, "spanId": f"{1:016x}", "timeUnixNano": "1", **each} for each in records]
    return received(
        json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": whole}]}]}).encode(), JSON, "logs", CLEAN
    )


def said(text: str) -> dict[str, Any]:
    values = [{"key": "content", "value": {"stringValue": text}}]
    return {"eventName": "gen_ai.user.message", "body": {"kvlistValue": {"values": values}}}


def test_log_records_are_known_by_what_they_say() -> None:
    found = logs(said("a"), said("b"), said("a"))
    parts = [each.part for each in found.pieces]
    assert parts[0] == parts[2] != parts[1] and all(each.startswith("log:") for each in parts)
    assert not any(each.root for each in found.pieces)
    assert {each.part for each in logs(said("b"), said("a")).pieces} == set(parts), "in whatever batch they come"


def test_log_records_that_tell_of_no_call_are_left_out() -> None:
    plain = {"body": {"stringValue": "started"}}
    found = logs(said("a"), plain, {**plain, "traceId": ""})
    assert len(found.pieces) == 1
    assert found.refused == {"log record that tells of no model call": 1, "log record without a span": 1}
    named = {
        "attributes": attributes({"event.name": "gen_ai.user.message"}),
        "body": {"stringValue": '{"content": "Hi"}'},
    }
    assert len(logs(named).pieces) == 1, "as exporters named events before"


EVERYWHERE = {
    "session.id": f"s {MAIL}",
    "gatewatch.flow": f"f {MAIL}",
    "gatewatch.external_id": MAIL,
    "gatewatch.variant": MAIL,
    "gatewatch.version.prompt": KEY,
    "gatewatch.tag": MAIL,
    "gatewatch.slice": MAIL,
    "openinference.span.kind": "LLM",
    "llm.model_name": MAIL,
    "llm.finish_reason": MAIL,
    "llm.input_messages.0.message.content": f"Mail {MAIL} or {KEY}",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "send",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": json.dumps({"to": MAIL, MAIL: 1}),
    f"note.{MAIL}": "x",
    "note": f"call {MAIL}",
    "metadata": json.dumps({"owner": MAIL}),
    "langfuse.trace.input": MAIL,
    "langfuse.trace.output": json.dumps({"key": KEY}),
}


@pytest.mark.parametrize("name", [f"GET /u/{MAIL}", "n"])
def test_nothing_personal_stays_in_any_field(name: str) -> None:
    error = {"status": {"code": 2, "message": f"no user {MAIL}"}}
    raised = attributes({"exception.message": MAIL, "exception.stacktrace": f"at {KEY}"})
    events = {"events": [{"name": "exception", "attributes": raised}]}
    span = {"name": name, "attributes": attributes(EVERYWHERE), **error, **events}
    resource = {"service.name": MAIL, "service.version": KEY}
    kept = post(span, rules=Rules(), resource=resource).pieces[0].body
    assert kept.count(MAIL.encode()) > 10
    body = post(span, resource=resource).pieces[0].body
    assert MAIL.encode() not in body and KEY.encode() not in body
    told = part.decode(body).redacted
    assert {each.type for each in told} == {"email", "llm_key"}
    assert {"input", "output", "error", "spans.attributes", "external_id"} <= {each.field for each in told}


def test_an_id_that_holds_an_address_is_replaced_by_an_alias_that_is_the_same_everywhere() -> None:
    span = {"attributes": attributes({"session.id": MAIL})}
    one, other = post(span, span).pieces
    first, second = part.decode(one.body).session, part.decode(other.body).session
    assert first == second and first.startswith("h:")


def test_fields_are_dropped_by_the_paths_that_a_trace_has() -> None:
    paths = ("input.password", "spans.*.attributes.auth", "output", "error", "tags")
    given = {
        "openinference.span.kind": "CHAIN",
        "input.value": '{"user": "ann", "password": "x1"}',
        "output.value": "hello",
        "auth": "token",
        "tag.tags": "gold",
    }
    span = {"attributes": attributes(given), "status": {"code": 2, "message": "secret"}}
    found = part.decode(post(span, rules=Rules(cleaning=Cleaning(drop_fields=paths))).pieces[0].body)
    assert found.input == {"user": "ann", "password": "[dropped]"}
    assert found.output == "[dropped]" and found.attributes == {"auth": "[dropped]"} and found.tags == ()
    assert found.error is not None and found.error.message == "[dropped]"
    assert {each.type for each in found.redacted} == {"dropped"}
    whole = part.decode(post(span, rules=Rules(cleaning=Cleaning(drop_fields=("spans",)))).pieces[0].body)
    assert whole.input == "[dropped]" and whole.attributes == {}


def test_a_span_that_is_too_long_is_cut_and_tells_so() -> None:
    given = {"openinference.span.kind": "CHAIN", "input.value": "x" * (3 * MOST_PIECE)}
    (piece,) = post({"attributes": attributes(given)}).pieces
    found = part.decode(piece.body)
    assert len(piece.body) <= MOST_PIECE and found.input.startswith("xxx")
    assert found.flaws == ("a span was too long, and what was said in it is cut",)
    many = {"openinference.span.kind": "CHAIN", "input.value": json.dumps([["y" * 60]] * 40_000)}
    (piece,) = post({"attributes": attributes(many)}).pieces
    assert len(piece.body) <= MOST_PIECE
