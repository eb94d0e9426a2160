"""Libraries that say by events, or in attributes of their own, what the conventions have attributes for."""

import json
from typing import Any

import pytest

from gatewatch.core.trace import Usage
from otlp_spans import a_span, a_trace, mapped

RAISED = ("exception", {"exception.type": "Exception"})
ASKED = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}

EVENTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "plain": [
        ("gen_ai.system.message", {"content": "Be brief."}),
        ("gen_ai.user.message", {"content": "Hi"}),
        ("gen_ai.choice", {"finish_reason": "stop", "message": '{"role": "assistant", "content": "Yo"}'}),
    ],
    "azure": [
        ("gen_ai.system.message", {"gen_ai.event.content": '{"role": "system", "content": "Be brief."}'}),
        ("gen_ai.user.message", {"gen_ai.event.content": '{"role": "user", "content": "Hi"}'}),
        (
            "gen_ai.choice",
            {"gen_ai.event.content": '{"finish_reason": "stop", "index": 0, "message": {"content": "Yo"}}'},
        ),
    ],
    "strands": [
        ("gen_ai.system.message", {"content": '[{"text": "Be brief."}]'}),
        ("gen_ai.user.message", {"content": '[{"text": "Hi"}]'}),
        ("gen_ai.choice", {"finish_reason": "stop", "message": '[{"text": "Yo"}]'}),
    ],
    "semantic kernel": [
        (
            "gen_ai.content.prompt",
            {"gen_ai.prompt": '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]'},
        ),
        ("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "Yo"}]'}),
    ],
}


@pytest.mark.parametrize("dialect", EVENTS)
def test_content_in_a_spans_events_is_read(dialect: str) -> None:
    found = mapped({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, events=EVENTS[dialect])
    assert found.input == ASKED
    assert found.output == "Yo"


TOOL_EVENTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "before": [
        ("gen_ai.tool.message", {"role": "tool", "content": '{"q": "x"}', "id": "c1"}),
        ("gen_ai.choice", {"message": '[{"text": "two"}]', "id": "c1"}),
    ],
    "latest": [
        (
            "gen_ai.client.inference.operation.details",
            {
                "gen_ai.input.messages": '[{"role": "tool", "parts": [{"type": "tool_call", "name": "find", "id": "c1",'
                ' "arguments": {"q": "x"}}]}]'
            },
        ),
        (
            "gen_ai.client.inference.operation.details",
            {
                "gen_ai.output.messages": '[{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1",'
                ' "response": [{"text": "two"}]}]}]'
            },
        ),
    ],
}


@pytest.mark.parametrize("version", TOOL_EVENTS)
def test_a_call_of_a_tool_in_events_is_read(version: str) -> None:
    given = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find"}
    found = mapped(given, name="execute_tool find", events=TOOL_EVENTS[version])
    assert (found.kind, found.name, found.input, found.output) == ("tool", "find", {"q": "x"}, "two")


def test_a_model_call_of_the_agent_development_kit() -> None:
    request = {
        "model": "gemini",
        "config": {"system_instruction": "Be brief."},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"function_call": {"id": "c1", "name": "find", "args": {"q": "x"}}}]},
            {"role": "user", "parts": [{"function_response": {"id": "c1", "name": "find", "response": {"result": 2}}}]},
        ],
    }
    found = mapped(
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini",
            "gcp.vertex.agent.session_id": "s1",
            "gcp.vertex.agent.llm_request": json.dumps(request),
            "gcp.vertex.agent.llm_response": '{"content": {"parts": [{"text": "Yo"}], "role": "model"}}',
        },
        name="call_llm",
    )
    assert (found.kind, found.session, found.output) == ("llm", "s1", "Yo")
    assert [each["role"] for each in found.input["messages"]] == ["system", "user", "assistant", "tool"]
    assert found.input["messages"][2]["tool_calls"] == [{"id": "c1", "name": "find", "arguments": {"q": "x"}}]
    merged = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "(merged tools)"}
    assert mapped(merged).kind == "step", "it is no call, but the sum of several"


def test_a_run_of_langsmith_has_its_messages_and_no_session_of_a_projects_name() -> None:
    human = {"lc": 1, "type": "constructor", "id": ["HumanMessage"], "kwargs": {"content": "Hi", "type": "human"}}
    said = {"lc": 1, "type": "constructor", "id": ["AIMessage"], "kwargs": {"content": "Yo", "type": "ai"}}
    given = {
        "langsmith.span.kind": "llm",
        "langsmith.trace.session_id": "project",
        "langsmith.metadata.thread_id": "t1",
        "langsmith.span.tags": "a, b",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.prompt": json.dumps({"messages": [[human]]}),
        "gen_ai.completion": json.dumps({"generations": [[{"text": "Yo", "message": said}]]}),
    }
    found = mapped(given)
    assert (found.kind, found.session, found.tags) == ("llm", "t1", ("a", "b"))
    assert (found.input, found.output) == ({"messages": [{"role": "user", "content": "Hi"}]}, "Yo")
    nothing = {"langsmith.span.kind": "llm", "gen_ai.completion": '{"output": null}'}
    failed = mapped(nothing, status=2, message="RateLimitError('Error code: 429')", events=[RAISED])
    assert failed.output is None and failed.error is not None and failed.error.type == "RateLimitError"
    documents = {"documents": [{"page_content": "text", "metadata": {"id": "d1"}, "type": "Document"}]}
    search = mapped({"langsmith.span.kind": "retriever", "gen_ai.completion": json.dumps(documents)})
    assert (search.kind, search.documents) == ("retrieval", ({"id": "d1", "metadata": {"id": "d1"}, "text": "text"},))


def test_mlflow_and_logfire_are_read_as_far_as_is_plain() -> None:
    found = mapped(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": '{"messages": [{"role": "user", "content": "Hi"}], "model": "m"}',
            "mlflow.spanOutputs": '{"choices": [{"message": {"role": "assistant", "content": "Yo"}}]}',
            "mlflow.chat.tokenUsage": '{"input_tokens": 3, "output_tokens": 2}',
        }
    )
    assert (found.kind, found.usage, found.output) == ("llm", Usage(3, 2), "Yo")
    answered = {
        "message": {"role": "assistant", "content": "Yo"},
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    logged = mapped(
        {
            "request_data": '{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}',
            "response_data": json.dumps(answered),
        }
    )
    assert (logged.kind, logged.usage, logged.input, logged.output) == ("llm", Usage(3, 2), found.input, "Yo")


def test_a_time_in_milliseconds_is_told_from_one_in_seconds() -> None:
    given = {"gen_ai.operation.name": "chat", "gen_ai.server.time_to_first_token": 58}
    assert mapped(given, took=100).first_token_s == 0.058
    assert mapped(given, took=10).first_token_s is None, "later than the end"
    assert mapped({**given, "gen_ai.server.time_to_first_token": 0.05}, took=100).first_token_s == 0.05


def test_an_agent_of_smolagents_is_asked_its_task() -> None:
    given = {"task": "Where is it?", "reset": True, "additional_args": None, "max_steps": None}
    root = {"openinference.span.kind": "AGENT", "input.value": json.dumps(given), "output.value": "There."}
    assert a_trace(a_span("ToolCallingAgent.run", root)).input == "Where is it?"


def test_what_frameworks_give_back_is_the_answer_in_it() -> None:
    crew: dict[str, Any] = {"raw": "There.", "pydantic": None, "tasks_output": []}
    name = "Crew_7f6c02c6-66c1-4809-8fdd-867e232d970a.kickoff"
    trace = a_trace(a_span(name, {"openinference.span.kind": "CHAIN", "output.value": json.dumps(crew)}))
    assert (trace.output, trace.flow) == ("There.", "Crew_*.kickoff"), "one flow, whatever the crew's id"
    replies = {"llm": {"replies": ["ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>)"]}}
    said = {
        "openinference.span.kind": "LLM",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "There.",
    }
    pipeline = {"openinference.span.kind": "CHAIN", "output.value": json.dumps(replies)}
    assert a_trace(a_span("Pipeline.run", pipeline), a_span("g", said, span=2, parent=1)).output == "There."


def test_a_call_that_failed_has_the_model_that_was_asked() -> None:
    given = {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "gpt-x"}'}
    assert mapped(given, status=2).model == "gpt-x"
