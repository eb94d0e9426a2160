"""How a trace is made of its parts: what counts once, what joins, whose error it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.trace import Usage
from gatewatch.online.otlp import part
from gatewatch.online.otlp.assemble import assemble
from gatewatch.online.otlp.mapping import part_of
from gatewatch.scorers.agent import calls_made
from otlp_spans import READING, a_log, a_span, a_trace, made


def llm(text: str | None = "Yo", model: str = "gpt-x", tokens: int | None = 10, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"openinference.span.kind": "LLM", "llm.model_name": model, **more}
    if text is not None:
        found |= {"llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": text}
        found |= {"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Hi"}
    if tokens is not None:
        found |= {"llm.token_count.prompt": tokens, "llm.token_count.completion": 1}
    return found


def sdk(model: str = "gpt-x-2026", tokens: int = 10, **more: Any) -> dict[str, Any]:
    found = {"gen_ai.operation.name": "chat", "gen_ai.response.model": model, **more}
    return {**found, "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 1}


def test_a_wrapper_and_what_it_wraps_are_one_call() -> None:
    cached: dict[str, Any] = {"gen_ai.usage.cache_read.input_tokens": 4}
    trace = a_trace(a_span("outer", llm(tokens=14)), a_span("inner", sdk(**cached), span=2, parent=1))
    assert len(trace.spans) == 1
    (span,) = trace.spans
    assert (span.name, span.model, span.output) == ("outer", "gpt-x-2026", "Yo")
    assert span.usage == trace.usage == Usage(10, 1, 4)


def test_a_wrapper_is_one_with_its_call_through_steps_but_not_through_a_tool() -> None:
    through = a_trace(
        a_span("outer", llm()), a_span("http", span=2, parent=1), a_span("inner", sdk(), span=3, parent=2)
    )
    assert [(each.kind, each.parent) for each in through.spans] == [("llm", None), ("step", 0)]
    tool = {"openinference.span.kind": "TOOL", "tool.name": "ask"}
    apart = a_trace(
        a_span("outer", llm()), a_span("ask", tool, span=2, parent=1), a_span("inner", sdk(), span=3, parent=2)
    )
    assert [each.kind for each in apart.spans] == ["llm", "tool", "llm"]
    assert apart.usage == Usage(20, 2)


def test_a_span_around_several_calls_is_a_step_and_its_sum_is_left_out() -> None:
    trace = a_trace(
        a_span("agent", llm(tokens=30)),
        a_span("one", sdk(), span=2, parent=1, at=1),
        a_span("two", sdk(tokens=20), span=3, parent=1, at=2),
    )
    assert [each.kind for each in trace.spans] == ["step", "llm", "llm"]
    assert trace.usage == Usage(30, 2)


def test_another_model_is_another_call() -> None:
    trace = a_trace(a_span("router", llm(model="router")), a_span("call", sdk("gpt-x"), span=2, parent=1))
    assert [each.kind for each in trace.spans] == ["step", "llm"]
    assert a_trace(a_span("a", llm(model="openai/gpt-x")), a_span("b", sdk(), span=2, parent=1)).usage == Usage(10, 1)


def test_a_sum_counts_where_no_call_states_its_own() -> None:
    whole = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 3}
    alone = a_trace(a_span("agent", whole), a_span("call", llm(tokens=None), span=2, parent=1))
    assert alone.usage == Usage(30, 3) and alone.spans[1].usage is None and alone.spans[0].usage is None
    both = a_trace(a_span("agent", whole), a_span("call", llm(tokens=7), span=2, parent=1))
    assert both.usage == Usage(7, 1)


def test_one_call_of_a_tool_is_not_two_and_a_search_is_not_its_parts() -> None:
    tool, mcp = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find"}, {"gen_ai.tool.name": "find"}
    trace = a_trace(
        a_span("root"),
        a_span("t", {**tool, "gen_ai.tool.call.arguments": '{"q": 1}'}, span=2, parent=1),
        a_span("m", {**mcp, "gen_ai.tool.call.result": "two"}, span=3, parent=2),
    )
    assert [(each.kind, each.input, each.output) for each in trace.spans[1:]] == [("tool", {"q": 1}, "two")]
    kind = {"openinference.span.kind": "RETRIEVER"}
    search = a_trace(
        a_span("s", kind), a_span("p", {**kind, "retrieval.documents.0.document.content": "a"}, span=2, parent=1)
    )
    assert [each.kind for each in search.spans] == ["retrieval", "step"]
    assert search.context == ("a",) and search.spans[0].output == ["a"]


RATE: dict[str, Any] = {"status": 2, "message": "RateLimitError: Error code: 429"}


def test_whose_error_it_is() -> None:
    answered = {"output.value": "Sorry", "openinference.span.kind": "CHAIN"}
    handled = a_trace(a_span("root", answered), a_span("c", llm(None), span=2, parent=1, **RATE))
    assert handled.error is None and handled.spans[1].error is not None
    retried = a_trace(
        a_span("root"),
        a_span("c", llm(None), span=2, parent=1, at=1, took=5, **RATE),
        a_span("c", llm(), span=3, parent=1, at=10),
    )
    assert retried.error is None and retried.output == "Yo"
    claimed = a_trace(a_span("root", status=1), a_span("c", llm(None), span=2, parent=1, **RATE))
    assert claimed.error is None, "the application says that it went well"
    library = "openinference.instrumentation.x"
    failed = a_span("c", llm(None), span=2, parent=1, **RATE)
    by_library = a_trace(a_span("root", status=1, scope=library), failed)
    assert by_library.error is not None, "a library says so of all that raised nothing"
    silent = a_trace(a_span("root"), a_span("c", llm(None), span=2, parent=1, **RATE))
    assert silent.error is not None and "429" in silent.error.message
    alone = a_trace(a_span("c", llm(None), parent=9, **RATE))
    assert alone.error is not None and alone.flaws == ("the root span did not arrive",)
    late = a_trace(a_span("root", status=2, message="ReadTimeout: no answer"))
    assert late.error is not None and late.error.kind == "timeout"
    own = a_trace(a_span("root", status=2, message="KeyError: 'x'"), a_span("c", llm(), span=2, parent=1))
    assert own.error is not None and own.output is None


def test_the_root_names_the_flow_and_a_bare_call_the_service() -> None:
    service = {"service.name": "bot"}
    assert a_trace(a_span("POST /chat", resource=service), a_span("c", llm(), span=2, parent=1)).flow == "POST /chat"
    assert a_trace(a_span("ChatCompletion", llm(), resource=service)).flow == "bot"
    assert (
        a_trace(a_span("ChatCompletion", llm(), resource={"service.name": "unknown_service:x"})).flow
        == "ChatCompletion"
    )
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
    assert a_trace(a_span("invoke_agent helper", agent)).flow == "helper"
    assert a_trace(a_span("POST /", {}), a_span("a", agent, span=2, parent=1)).flow == "POST /"
    inner = a_span("c", {"traceloop.workflow.name": "w", "traceloop.span.kind": "task"}, span=2, parent=1)
    assert a_trace(a_span("POST /"), inner).flow == "w"


def test_log_records_join_whichever_came_first_and_without_their_span_stand_for_it() -> None:
    call = a_span("chat", sdk())
    logs = [
        a_log("gen_ai.user.message", {"content": "Hi"}, at=1),
        a_log("gen_ai.choice", {"message": {"content": "Yo"}}, at=2),
    ]
    assert made(call, *logs) == made(*logs, call)
    assert (a_trace(*logs, call).input, a_trace(*logs, call).output) == ("Hi", "Yo")
    alone = a_trace(*logs)
    assert (alone.input, alone.output) == ("Hi", "Yo")
    assert alone.flaws == ("the span of some log records did not arrive", "the root span did not arrive")


def test_records_of_one_time_keep_the_order_in_which_they_were_sent() -> None:
    logs = [a_log("gen_ai.user.message", {"content": str(each)}) for each in range(5)]
    found = a_trace(*logs, a_span("chat", sdk())).input
    assert isinstance(found, dict) and [each["content"] for each in found["messages"]] == list("01234")


def test_a_conversation_is_the_input_whole_and_a_single_question_its_text() -> None:
    system, asked = {"role": "system", "parts": []}, {"role": "user", "parts": [{"type": "text", "content": "Q"}]}
    assert a_trace(a_span("chat", sdk() | {"gen_ai.input.messages": [system, asked]})).input == "Q"
    turns = [{"role": role, "content": "Q"} for role in ("user", "assistant", "user")]
    two = {"gen_ai.prompt": json.dumps(turns)}
    found = a_trace(a_span("chat", {**sdk(), **two})).input
    assert isinstance(found, dict) and [each["role"] for each in found["messages"]] == ["user", "assistant", "user"]
    function = {"traceloop.span.kind": "workflow", "traceloop.entity.input": '{"args": ["Q"], "kwargs": {}}'}
    assert a_trace(a_span("w", function)).input == "Q"


def test_scorers_of_agents_read_the_calls() -> None:
    tool = {"openinference.span.kind": "TOOL", "tool.name": "find", "input.value": "x"}
    called = {
        "openinference.span.kind": "LLM",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q": "x"}',
    }
    trace = a_trace(
        a_span("root", {"output.value": "done", "openinference.span.kind": "AGENT"}),
        a_span("c", called, span=2, parent=1, at=1),
        a_span("find", tool, span=3, parent=1, at=2),
        a_span("find", {**tool, "input.value": "y"}, span=4, parent=1, at=3),
    )
    made_calls = [(each.name, each.arguments) for each in calls_made(trace)]
    assert made_calls == [("find", {"q": "x"}), ("find", {"input": "y"})]
    last = a_trace(a_span("c", called))
    assert [(each.name, each.arguments) for each in calls_made(last)] == [("find", {"q": "x"})]


def test_times_are_the_roots() -> None:
    stream = llm() | {"llm.invocation_parameters": '{"stream": true}'}
    call = a_span("c", stream, span=2, parent=1, at=50, events=[("First Token Stream Event", {})])
    trace = a_trace(a_span("root", took=250), call)
    assert trace.started == 1_790_000_000.0 and trace.latency_s == 0.25
    assert trace.first_token_s == pytest.approx(0.051)
    assert (trace.spans[1].started_s, trace.spans[1].latency_s) == (0.05, 0.1)


def test_many_spans_and_long_texts_are_cut_and_told_of() -> None:
    many = [a_span("root")] + [a_span("s", span=number, parent=1, at=number) for number in range(2, 10_050)]
    trace = a_trace(*many)
    assert len(trace.spans) == 10_000 and trace.flaws == ("10049 spans, of which 10000 are kept",)
    long = part.encode(part_of(a_span("c", llm("x" * 40_000)), READING))
    cut = assemble([long], most=10_000).trace
    assert cut.cut and len(part.encode(cut)) < 11_000
    wide = [part.encode(part_of(each, READING)) for each in (a_span("root"), *many[1:1000])]
    few = assemble(wide, most=20_000).trace
    assert 1 < len(few.spans) < 1000 and few.cut and len(part.encode(few)) < 25_000
    with pytest.raises(ValueError, match="no span"):
        assemble([])


a_node = st.tuples(st.integers(1, 6), st.integers(0, 7), st.integers(0, 5), st.sampled_from(["", "llm", "sdk", "tool"]))


@given(st.lists(a_node, min_size=1, max_size=8))
def test_whatever_the_parents_are_a_trace_is_made_the_same_in_any_order(given: list[tuple[int, int, int, str]]) -> None:
    kinds = {"": {}, "llm": llm(), "sdk": sdk(), "tool": {"gen_ai.tool.name": "t"}}
    spans = {number: a_span("s", kinds[kind], span=number, parent=parent, at=at) for number, parent, at, kind in given}
    listing = list(spans.values())
    trace = a_trace(*listing)
    assert a_trace(*listing[::-1]) == trace
    for place, each in enumerate(trace.spans):
        assert each.parent is None or 0 <= each.parent < len(trace.spans)
        assert each.parent != place
    assert (trace.usage is not None) == any(each.kind == "llm" and each.usage for each in trace.spans)
    kept = {number: kind for number, _, _, kind in given}
    assert sum(each.kind == "llm" for each in trace.spans) <= sum(kind in ("llm", "sdk") for kind in kept.values())
