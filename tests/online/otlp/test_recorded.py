"""What real client libraries sent, beside what the provider really served."""

import pytest

from gatewatch.core.codec import encode
from gatewatch.core.trace import Trace
from gatewatch.online.otlp.receive import Rules
from gatewatch.online.otlp.redacting import Cleaning
from recorded_otlp import (
    SCENARIOS,
    all_received,
    assembled,
    calls,
    gathered,
    index,
    requests,
    total,
    traces,
    truth,
)

REDACTED = Rules(cleaning=Cleaning(pii=True))


def flaws(found: list[Trace]) -> list[str]:
    return sorted(flaw for each in found for flaw in each.flaws)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_body_is_accepted_with_the_counts_that_it_has(scenario: str) -> None:
    found = all_received(requests(scenario))
    counts = index(scenario)["counts"]
    pieces = [piece for each in found for piece in each.pieces]
    assert sum(not piece.part for piece in pieces) == counts["span"]
    assert sum(piece.part.startswith("log:") for piece in pieces) == counts.get("log", 0)
    refused = {reason: number for each in found for reason, number in each.refused.items()}
    assert refused.keys() <= {"metric"}
    assert sum(each.refused.get("metric", 0) for each in found) == counts.get("metric", 0)
    spans = {(p.trace, p.span) for each in found for p in each.pieces if not p.part}
    assert len(spans) == index(scenario)["unique_spans"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_provider_call_is_counted_once_and_tokens_are_never_more_than_were_used(scenario: str) -> None:
    served, found = truth(scenario), traces(scenario)
    used = total(found)
    assert (used.input_tokens or 0) <= served["input_tokens"] and (used.output_tokens or 0) <= served["output_tokens"]
    answered, failed = calls(found)
    retried = 2 if scenario == "openinference_openai" else 0  # its client tries again, inside one span
    assert (answered, failed + retried) == (served["ok"], served["errors"])


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("times", [1, 2])
def test_the_load_has_exactly_its_calls_tokens_and_sessions(order: int, times: int) -> None:
    found = [each.trace for each in assembled((requests("load_oi_openai_600") * times)[::order])]
    used = total(found)
    assert calls(found) == (568, 32)
    assert (used.input_tokens, used.output_tokens) == (37445, 42075)
    assert len({each.session for each in found}) == 37
    assert sum(each.error is not None for each in found) == 32, "their root claims no success, and has no answer"
    assert {each.flow for each in found} == {"POST /chat"}
    assert all(each.output for each in found if each.error is None)


def test_an_exporter_that_sends_again_adds_nothing() -> None:
    bodies = gathered(all_received(requests("retry_duplicates_openai_v2")))
    assert sum(map(len, bodies.values())) == 12


def test_a_call_that_two_libraries_tell_of_has_the_content_of_one_and_the_tokens_of_the_other() -> None:
    found = traces("openinference_anthropic")
    used = total(found)
    assert len(found) == 6 and all(len(each.spans) == 1 for each in found)
    assert (used.input_tokens, used.cached_input_tokens, used.output_tokens) == (230, 20, 193)
    assert used.cached_apart and used.whole().input_tokens == 250
    asked = next(each for each in found if "lemon" in str(each.input))
    assert isinstance(asked.input, str) and asked.first_token_s is not None
    called = next(each for each in found if isinstance(each.output, dict))
    assert called.output["tool_calls"] == [{"id": "toolu_1", "name": "get_order", "arguments": {"order_id": "A-1042"}}]


def test_what_the_outer_span_of_the_ai_sdk_repeats_is_not_counted() -> None:
    found = traces("js_vercel_ai_sdk")
    used = total(found)
    assert (used.input_tokens, used.output_tokens) == (125, 75)
    assert {each.flow for each in found} == {"answer", "stream", "agent", "err", "err429"}
    assert {each.session for each in found} == {"sess-77"}
    agent = next(each for each in found if each.flow == "agent")
    assert [(each.kind, each.name, each.parent) for each in agent.spans if each.kind == "tool"] == [
        ("tool", "get_order", 0)
    ]
    assert agent.spans[2].input == {"order_id": "A-1042"}


@pytest.mark.parametrize("scenario", ["otel_openai_v2_content", "otel_openai_v2_latest", "otel_openai_v2_nocontent"])
def test_calls_that_state_no_tokens_are_unknown(scenario: str) -> None:
    models = [span for each in traces(scenario) for span in each.spans if span.kind == "llm" and span.error is None]
    assert sum(span.usage is None for span in models) == 2
    assert not any(span.usage is not None and span.usage.input_tokens == 0 for span in models)


@pytest.mark.parametrize("order", [1, -1])
def test_content_in_log_records_joins_its_span_in_either_order(order: int) -> None:
    found = [each.trace for each in assembled(requests("otel_openai_v2_content")[::order])]
    assert len(found) == 14
    assert sum(bool(each.input) for each in found) == 13
    tools = next(each for each in found if isinstance(each.input, dict) and len(each.input["messages"]) == 4)
    assert isinstance(tools.input, dict)
    roles = [each["role"] for each in tools.input["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]
    assert tools.output == "The refund window for damaged items is 30 days from delivery."


def test_without_content_rows_are_kept_and_told_to_hold_none() -> None:
    found = assembled(requests("otel_openai_v2_nocontent"))
    assert len(found) == 14
    assert not any(each.told or each.trace.input or each.trace.output for each in found)
    assert total(each.trace for each in found).input_tokens == 404


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_address_is_gone_from_every_piece_where_redaction_is_on(scenario: str) -> None:
    kept = b"".join(p.body for each in all_received(requests(scenario)) for p in each.pieces)
    clean = b"".join(p.body for each in all_received(requests(scenario), REDACTED) for p in each.pieces)
    assert b"jane.doe" not in clean
    if b"jane.doe" in kept:
        told = [one for each in traces(scenario, REDACTED) for one in each.redacted]
        assert any(one.type == "email" for one in told)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_errors_are_told_apart_by_status(scenario: str) -> None:
    served = truth(scenario)["errors"]
    statuses = [
        span.attributes.get("status_code")
        for each in traces(scenario)
        for span in each.spans
        if span.kind == "llm" and span.error is not None
    ]
    retried = 2 if scenario == "openinference_openai" else 0  # by the SDK, within the span
    assert len(statuses) == served - retried
    assert set(statuses) == {0: set(), 1: set(statuses) & {429, 500}}.get(served, {429, 500})


@pytest.mark.parametrize(
    "scenario", ["langfuse_sdk", "openinference_openai", "otel_openai_v2_content", "otel_openai_v2_latest"]
)
def test_a_cut_stream_and_bad_arguments_of_tools_are_visible(scenario: str) -> None:
    found = traces(scenario)
    cut = next(each for each in found if any("-cut" in span.model for span in each.spans))
    assert any("cut" in flaw for flaw in cut.flaws)
    bad = next(each for each in found if any("-badjson" in span.model for span in each.spans))
    assert "the arguments of get_order are not JSON" in bad.flaws
    others = [each for each in found if each not in (cut, bad)]
    assert flaws(others) == []


def test_a_retrieval_has_its_documents_and_an_agent_its_tools() -> None:
    found = traces("openinference_langchain_rag_agent")
    rag = next(each for each in found if each.input == "Refund window for damaged items?")
    assert rag.session == "sess-1" and rag.user and "u-2" not in encode(rag).decode()
    assert rag.context is not None and [each["id"] for each in rag.context if isinstance(each, dict)] == [
        "doc-7",
        "doc-9",
    ]
    agent = next(each for each in found if each.input == "Where is order A-1042?")
    tool = next(each for each in agent.spans if each.kind == "tool")
    assert (tool.name, tool.input) == ("get_order", {"order_id": "A-1042"}), "as the model called it"
    assert agent.output == "The refund window for damaged items is 30 days from delivery."
    broken = next(each for each in found if each.input == "Use the broken tool")
    assert broken.error is not None and broken.error.message == "ValueError('backend down')"
    assert "ValueError: backend down" in broken.error.detail and broken.output is None


def test_a_framework_that_gives_back_a_stream_is_answered_by_its_model() -> None:
    found = [each for each in traces("openinference_llama_index") if each.flow == "RetrieverQueryEngine.query"]
    assert {each.output for each in found} == {"The refund window for damaged items is 30 days from delivery."}
    assert calls(found) == (2, 0), "predict wraps chat"


def test_an_error_that_a_step_got_over_is_not_the_requests() -> None:
    found = traces("openinference_dspy")
    over = next(each for each in found if each.output is not None)
    assert over.error is None and any(span.error is not None for span in over.spans)
