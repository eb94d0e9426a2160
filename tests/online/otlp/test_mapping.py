"""What attributes of each convention become."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewatch.core.people import hashed
from gatewatch.core.trace import Usage
from gatewatch.online.otlp.mapping import Reading
from otlp_spans import READING, a_span, a_trace, mapped

CALL = {"tool_calls": [{"id": "c1", "name": "find", "arguments": {"q": "x"}}]}
ASKED = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}


def test_what_the_project_maps_wins_over_everything() -> None:
    reading = Reading(
        names={
            "app.flow": "flow",
            "tenant": "slice",
            "arm": "variant",
            "chat": "session",
            "who": "user",
            "ticket": "external_id",
            "plan": "tag",
            "git.sha": "version.commit",
            "service.name": "version.name",
        },
        user_key=b"key",
    )
    given = {
        "app.flow": "refund",
        "gatewatch.flow": "no",
        "langfuse.trace.name": "no",
        "tenant": "eu",
        "arm": "B",
        "chat": 7,
        "session.id": "no",
        "who": "ann",
        "user.id": "no",
        "ticket": "T-1",
        "plan": ["gold", "beta"],
        "tag.tags": ["old"],
    }
    found = mapped(given, reading, resource={"git.sha": "abc", "service.name": "bot", "service.version": "2"})
    assert (found.flow, found.rank, found.slice, found.variant, found.session) == ("refund", 0, "eu", "B", "7")
    assert (found.external_id, found.tags) == ("T-1", ("gold", "beta", "old"))
    assert found.user == hashed("ann", b"key")
    assert found.versions == {"commit": "abc", "name": "bot", "service": "2"}
    assert "ann" not in str(found), "an id of a user is kept as its hash only"


def test_our_own_attributes_come_next() -> None:
    found = mapped(
        {"gatewatch.flow": "f", "gatewatch.version.prompt": "v3", "gatewatch.tag": "x", "ai.telemetry.functionId": "no"}
    )
    assert (found.flow, found.versions, found.tags) == ("f", {"prompt": "v3"}, ("x",))


def parts(*given: dict[str, Any]) -> str:
    return json.dumps(list(given))


MODEL_CALLS: dict[str, dict[str, Any]] = {
    "genai, text": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
        "gen_ai.input.messages": parts({"role": "user", "parts": [{"type": "text", "content": "Hi"}]}),
        "gen_ai.output.messages": parts(
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": "x"}}]}
        ),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 1,
    },
    "genai, structured": {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.model": "gpt-x",
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm"},
                    {"type": "tool_call", "id": "c1", "name": "find", "arguments": '{"q": "x"}'},
                ],
            }
        ],
        "gen_ai.usage.input_tokens": "10",
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read_input_tokens": 4,
        "gen_ai.usage.reasoning_tokens": 1,
    },
    "openllmetry before": {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief.",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Hi",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.tool_calls.0.id": "c1",
        "gen_ai.completion.0.tool_calls.0.name": "find",
        "gen_ai.completion.0.tool_calls.0.arguments": '{"q": "x"}',
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 5,
        "gen_ai.usage.cache_read_input_tokens": 4,
        "gen_ai.usage.reasoning_tokens": 1,
        "llm.usage.total_tokens": 15,
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-x",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Be brief.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.type": "text",
        "llm.input_messages.1.message.contents.0.message_content.text": "Hi",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q": "x"}',
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 5,
        "llm.token_count.prompt_details.cache_read": 4,
        "llm.token_count.completion_details.reasoning": 1,
    },
    "langfuse": {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-x",
        "langfuse.observation.input": json.dumps(
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "tools": []}
        ),
        "langfuse.observation.output": json.dumps(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}
                ],
            }
        ),
        "langfuse.observation.usage_details": json.dumps(
            {"input": 6, "output": 4, "input_cached_tokens": 4, "output_reasoning": 1, "total": 15}
        ),
    },
    "vercel": {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.id": "gpt-x",
        "ai.prompt.messages": json.dumps(
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            ]
        ),
        "ai.response.toolCalls": json.dumps([{"toolCallId": "c1", "toolName": "find", "input": '{"q": "x"}'}]),
        "ai.usage.promptTokens": 10,
        "ai.usage.completionTokens": 5,
        "ai.usage.cachedInputTokens": 4,
        "ai.usage.reasoningTokens": 1,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
    },
}


@pytest.mark.parametrize("convention", MODEL_CALLS)
def test_a_model_call_is_the_same_in_every_convention(convention: str) -> None:
    found = mapped(MODEL_CALLS[convention])
    assert (found.kind, found.model) == ("llm", "gpt-x")
    assert found.usage == Usage(10, 5, 4, None, 1)
    assert found.input == ASKED
    assert found.output == CALL


TOOLS: dict[str, dict[str, Any]] = {
    "genai": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find",
        "gen_ai.tool.call.arguments": '{"q": "x"}',
        "gen_ai.tool.call.result": '{"hits": 2}',
    },
    "agent development kit": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find",
        "gcp.vertex.agent.tool_call_args": '{"q": "x"}',
        "gcp.vertex.agent.tool_response": '{"hits": 2}',
    },
    "openinference": {
        "openinference.span.kind": "TOOL",
        "tool.name": "find",
        "input.value": "{'q': 'x'}",
        "output.value": '{"type": "tool", "data": {"content": "{\\"hits\\": 2}"}}',
    },
    "openllmetry": {
        "traceloop.span.kind": "tool",
        "traceloop.entity.name": "find",
        "traceloop.entity.input": '{"args": [], "kwargs": {"q": "x"}}',
        "traceloop.entity.output": '{"hits": 2}',
    },
    "langfuse": {
        "langfuse.observation.type": "tool",
        "langfuse.observation.input": '{"q": "x"}',
        "langfuse.observation.output": '{"hits": 2}',
    },
    "vercel": {
        "ai.operationId": "ai.toolCall",
        "ai.toolCall.name": "find",
        "ai.toolCall.args": '{"q": "x"}',
        "ai.toolCall.result": '{"hits": 2}',
    },
}


@pytest.mark.parametrize("convention", TOOLS)
def test_a_call_of_a_tool_is_the_same_in_every_convention(convention: str) -> None:
    found = mapped(TOOLS[convention], name="find")
    assert (found.kind, found.name, found.input, found.output) == ("tool", "find", {"q": "x"}, {"hits": 2})


def test_usage_that_says_nothing_is_unknown() -> None:
    zero = {"openinference.span.kind": "LLM", "llm.token_count.prompt": 0, "llm.token_count.completion": 0}
    assert mapped(zero).usage is None
    assert mapped({"gen_ai.operation.name": "chat"}).usage is None
    assert mapped({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": -3}).usage is None
    without = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 50,
    }
    assert mapped(without).usage == Usage(60, None, 50), "the cached ones are part of all"


def test_an_embedding_is_a_model_call_where_it_states_its_tokens_and_else_a_step() -> None:
    assert mapped({"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 3}).kind == "llm"
    assert mapped({"openinference.span.kind": "EMBEDDING", "input.value": "x"}).kind == "step"


@pytest.mark.parametrize(
    ("given", "status", "kind"),
    [
        (
            {"attributes": {"error.type": "RateLimitError"}, "message": "Error code: 429 - slow down"},
            429,
            "RateLimitError",
        ),
        ({"attributes": {"error.type": "500"}}, 500, ""),
        ({"attributes": {"http.response.status_code": 503, "error.type": "x"}}, 503, "x"),
        ({"message": "AI_APICallError: The server had an error", "attributes": {}}, 500, "AI_APICallError"),
        ({"attributes": {"error.type": "ReadTimeout"}}, None, "ReadTimeout"),
        ({"message": "ValueError: status of the order unknown", "attributes": {}}, None, "ValueError"),
    ],
)
def test_an_error_has_its_type_and_status(given: dict[str, Any], status: int | None, kind: str) -> None:
    found = mapped(given["attributes"], status=2, message=given.get("message", "")).error
    assert found is not None
    assert (found.status, found.type, found.timeout) == (status, kind, kind == "ReadTimeout")


def test_an_exception_that_was_handled_is_no_error() -> None:
    assert mapped({}, events=[("exception", {"exception.type": "ValueError"})]).error is None
    raised = mapped(
        {}, status=2, events=[("exception", {"exception.type": "a.b.ValueError", "exception.message": "no"})]
    )
    assert raised.error is not None and (raised.error.type, raised.error.message) == ("ValueError", "no")


@pytest.mark.parametrize(
    ("state", "share"),
    [
        ("", 0.25),
        ("ot=th:8", 0.5),
        ("vendor=1,ot=rv:abcdefabcdefab;th:c", 0.25),
        ("ot=th:0", 1.0),
        ("ot=p:3;r:9", 0.125),
        ("ot=th:xyz", 0.25),
        ("ot=p:63", 0.25),
    ],
)
def test_upstream_sampling_is_read_from_the_trace_state(state: str, share: float) -> None:
    assert mapped({}, Reading(sampled=0.25), state=state).share == share


def test_small_attributes_of_the_application_are_kept_and_ids_of_users_are_not() -> None:
    found = mapped(
        {
            "http.route": "/chat",
            "retries": 2,
            "big": "x" * 5000,
            "enduser.id": "ann",
            "userId": "ann",
            "llm.invocation_parameters": '{"temperature": 0, "user": "ann"}',
            "metadata": '{"tier": "gold", "user_id": "ann"}',
            "openinference.span.kind": "CHAIN",
        }
    )
    assert found.attributes == {"http.route": "/chat", "retries": 2, "tier": "gold", "parameters": {"temperature": 0}}
    assert found.user == hashed("ann", b"key")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted({key for each in (*MODEL_CALLS.values(), *TOOLS.values()) for key in each} | {
    "metadata", "tag.tags", "events", "pydantic_ai.all_messages", "gcp.vertex.agent.llm_request", "request_data",
    "response_data", "mlflow.spanInputs", "mlflow.spanType", "langsmith.span.kind", "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.response.finish_reasons", "retrieval.documents.0.document.content", "gen_ai.retrieval.documents",
    "langfuse.observation.cost_details", "langfuse.observation.completion_start_time", "gatewatch.flow", "session.id",
    "ai.prompt", "input.value", "output.value", "error.type", "http.response.status_code",
})  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])  # of the machine, not of the values
@given(st.dictionaries(st.sampled_from(KEYS), json_values | json_values.map(json.dumps), max_size=12))
def test_whatever_stands_in_attributes_a_span_becomes_a_trace(given: dict[str, Any]) -> None:
    trace = a_trace(a_span("n", given), a_span("m", given, span=2, parent=1))
    assert trace.id and len(trace.spans) in (1, 2)
    assert READING.names == {}
