"""OpenTelemetry's own conventions for generative AI, in the versions that libraries speak.

gen_ai.system with gen_ai.prompt and gen_ai.completion; events with content, on spans and in logs; and the later
gen_ai.provider.name with gen_ai.input.messages, which are JSON text or structured. What pydantic-ai, Strands, the Azure
SDKs and Google's Agent Development Kit add to them is read here as well.
"""

from collections.abc import Iterable
from typing import Any

from gatewatch.core.trace import SpanKind
from gatewatch.online.otlp.flat import Attributes, Event
from gatewatch.online.otlp.messages import Message, answer, arguments, as_text, conversation, message, messages, says
from gatewatch.online.otlp.part import Found, add, put
from gatewatch.online.otlp.reading import documents, first, name, nested, number, parsed, price, text, usage_of

KINDS: dict[str, SpanKind] = {
    "chat": "llm",
    "completion": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "responses": "llm",
    "embeddings": "llm",
    "execute_tool": "tool",
    "retrieval": "retrieval",
    "retrieve": "retrieval",
}
_MERGED = "(merged tools)"  # what the Agent Development Kit calls the sum of several calls
_STEPS = ("invoke_agent", "create_agent", "invoke_workflow", "plan", "agent", "handoff")
_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "gen_ai.response.prompt_tokens",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "gen_ai.response.completion_tokens",
)
_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "gen_ai.usage.cached_tokens",
)
_WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
)
_THOUGHT = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
)
_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
DETAILS = "gen_ai.client.inference.operation.details"
EVENTS = frozenset((*_ROLES, "gen_ai.choice", "gen_ai.content.prompt", "gen_ai.content.completion", DETAILS))
"""The names of events and log records that carry what was said."""


def read(given: Attributes, events: list[Event], found: Found) -> None:
    """Add what a span's attributes and events say by these conventions."""
    operation = text(given.get("gen_ai.operation.name")) or text(given.get("llm.request.type"))
    put(found, kind=_kind(operation, given))
    put(
        found,
        model=name(first(given, "gen_ai.response.model", "gen_ai.request.model", "model_name")),
        usage=usage_of(
            first(given, *_INPUT),
            first(given, *_OUTPUT),
            first(given, *_READ),
            first(given, *_WRITTEN),
            first(given, *_THOUGHT),
        )
        or _aggregated(given),
        cost=price(first(given, "gen_ai.usage.cost", "operation.cost", "gen_ai.usage.total_cost")),
        finish=name(first(given, "gen_ai.response.finish_reasons", "gen_ai.completion.0.finish_reason")),
        stream=_stream(given),
        first_token_s=number(
            first(
                given,
                "gen_ai.response.time_to_first_chunk",
                "gen_ai.client.operation.time_to_first_chunk",
                "gen_ai.server.time_to_first_token",
            )
        ),
        session=name(first(given, "gen_ai.conversation.id", "gcp.vertex.agent.session_id")),
    )
    if operation.startswith("embed") and found.get("kind") == "llm":
        add(found, "attributes", {"operation": "embeddings"})
        return
    if found.get("kind") == "tool":
        _tool(given, events, found)
        return
    if found.get("kind") == "retrieval":
        put(found, input=first(given, "gen_ai.retrieval.query.text", "gen_ai.retrieval.query"))
        put(found, documents=documents(parsed(given.get("gen_ai.retrieval.documents"))))
    agent = name(first(given, "gen_ai.workflow.name", "gen_ai.agent.name", "agent_name"))
    if agent and found.get("kind") != "llm":
        put(found, agent=agent)
    _content(given, events, found)


def _kind(operation: str, given: Attributes) -> SpanKind | None:
    if given.get("gen_ai.tool.name") == _MERGED:
        return "step"
    if operation in KINDS:
        return KINDS[operation]
    if operation in _STEPS or "agent_name" in given:
        return "step"
    if "gen_ai.tool.name" in given or "gen_ai.tool.call.id" in given:
        return "tool"
    if operation.startswith("embed"):
        return "llm"
    if any(key in given for key in ("gen_ai.request.model", "gen_ai.response.model", "gen_ai.prompt.0.role")):
        return "llm"
    return None


def _stream(given: Attributes) -> bool | None:
    said = first(given, "gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "gen_ai.request.is_stream")
    return True if said is True or text(said).lower() == "true" else None


def _aggregated(given: Attributes) -> Any:
    """What pydantic-ai says that all calls of an agent took."""
    total = "gen_ai.aggregated_usage."
    return usage_of(
        given.get(f"{total}input_tokens"),
        given.get(f"{total}output_tokens"),
        given.get(f"{total}cache_read.input_tokens"),
        first(given, f"{total}cache_write.input_tokens", f"{total}cache_creation.input_tokens"),
        given.get(f"{total}details.reasoning_tokens"),
    )


def _tool(given: Attributes, events: list[Event], found: Found) -> None:
    put(found, tool=name(given.get("gen_ai.tool.name")))
    made = first(
        given,
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.arguments",
        "gen_ai.tool.input",
        "tool_arguments",
        "gcp.vertex.agent.tool_call_args",
    )
    result = first(
        given,
        "gen_ai.tool.call.result",
        "gen_ai.tool.result",
        "gen_ai.tool.output",
        "tool_response",
        "gcp.vertex.agent.tool_response",
    )
    if made is not None:
        put(found, input=arguments(made, text(given.get("gen_ai.tool.name")), found))
    given_back = parsed(result)
    put(found, output=as_text(given_back) if isinstance(given_back, list) else given_back)
    if events and ("input" not in found or "output" not in found):
        asked, spoken = said_by_events(events, found)
        if asked:
            told = asked[-1].get("tool_calls")
            put(found, input=told[0].get("arguments") if told else parsed(asked[-1].get("content")))
        if spoken:
            put(found, output=parsed(spoken[-1].get("content")))
    if named := name(given.get("gen_ai.tool.call.id")):
        add(found, "attributes", {"tool_call_id": named})


def _content(given: Attributes, events: list[Event], found: Found) -> None:
    """What was asked and said: of attributes, else of events."""
    if "input" not in found and (asked := _asked(given, found)):
        put(found, input=asked if isinstance(asked, str) else conversation(asked))
    if "output" not in found:
        put(found, output=_answered(given, found))
    whole = first(given, "pydantic_ai.all_messages", "all_messages_events")
    if whole is not None and "input" not in found:
        put(found, input=conversation(_before_the_answer(messages(whole, found))))
    listing = parsed(given.get("events"))
    if isinstance(listing, list):
        events = [*events, *(_event(each) for each in listing if isinstance(each, dict))]
    if events and ("input" not in found or "output" not in found):
        heard, spoken = said_by_events(events, found)
        put(found, input=conversation(heard), output=answer(spoken, found))


def _asked(given: Attributes, found: Found) -> str | list[Message]:
    asked = first(given, "gen_ai.input.messages", "gen_ai.request.messages")
    made = messages(asked, found) if asked is not None else []
    if not made and any(key.startswith("gen_ai.prompt.") for key in given):
        made = [one for each in nested(given, "gen_ai.prompt.") for one in message(each, found)]
    if not made and (asked := given.get("gen_ai.prompt")) is not None:
        made = messages(asked, found)
        if not made:
            return text(parsed(asked)) or text(asked)
    system = parsed(given.get("gen_ai.system_instructions"))
    request = parsed(given.get("gcp.vertex.agent.llm_request"))
    if not made and isinstance(request, dict):
        made = messages(request.get("contents"), found)
        config = request.get("config")
        system = config.get("system_instruction") if isinstance(config, dict) else None
    if system and made and made[0].get("role") != "system":
        told = message({"role": "system", "parts": system if isinstance(system, list) else [text(system)]}, found)
        made = [*told, *made]
    return made


def _answered(given: Attributes, found: Found) -> Any:
    said = first(given, "gen_ai.output.messages", "gen_ai.response.messages")
    made = messages(said, found) if said is not None else []
    if made:
        listing = parsed(said)
        last = listing[-1] if isinstance(listing, list) else None
        put(found, finish=name(last.get("finish_reason")) if isinstance(last, dict) else "")
    if not made and any(key.startswith("gen_ai.completion.") for key in given):
        flat = nested(given, "gen_ai.completion.")
        made = [one for each in flat if isinstance(each, dict) for one in message({"role": "assistant", **each}, found)]
    if made:
        return answer(made, found)
    if (said := first(given, "gen_ai.completion", "final_result", "gen_ai.response.text")) is not None:
        made = messages(said, found)
        return answer(made, found) if made else parsed(said)
    if isinstance(said := parsed(given.get("gcp.vertex.agent.llm_response")), dict):
        return answer(messages([said.get("content")], found), found)
    return None


def _before_the_answer(made: list[Message]) -> list[Message]:
    """What an agent was asked: its messages up to the last of the user."""
    last = max((place for place, each in enumerate(made) if each["role"] == "user"), default=-1)
    return made[: last + 1]


# Events, of spans and in logs


def _event(each: Attributes) -> Event:
    return Event(text(first(each, "event.name", "name")), 0, each)


def said_by_events(events: Iterable[Event], found: Found) -> tuple[list[Message], list[Message]]:
    """What events say was asked, and answered."""
    asked: list[Message] = []
    spoken: list[Message] = []
    for event in events:
        if event.name in EVENTS:
            heard = said(event.name, event.attributes, found)
            asked += heard[0]
            spoken += heard[1]
    return asked, spoken


def said(event: str, body: Any, found: Found) -> tuple[list[Message], list[Message]]:
    """What one event says was asked, and answered; `body` is its attributes, or a log record's body."""
    body = parsed(body)
    if isinstance(body, str):
        body = {"content": body}
    if not isinstance(body, dict):
        return [], []
    inner = parsed(body.get("gen_ai.event.content"))
    if isinstance(inner, dict):
        body = inner
    if event == DETAILS:
        spoken = body.get("gen_ai.output.messages")
        asked = _asked(body, found)
        return asked if isinstance(asked, list) else [], messages(spoken, found)
    if event == "gen_ai.content.prompt":
        return messages(body.get("gen_ai.prompt"), found), []
    if event == "gen_ai.content.completion":
        return [], messages(body.get("gen_ai.completion"), found)
    if event == "gen_ai.choice":
        put(found, finish=name(body.get("finish_reason")))
        inside = parsed(body.get("message", body.get("content")))
        if not (isinstance(inside, dict) and "role" in inside):
            inside = {"content": inside, "tool_calls": body.get("tool_calls")}
        return [], [one for one in message({**inside, "role": "assistant"}, found) if says(one)]
    each = {"role": _ROLES[event], **body}
    inside = parsed(each.get("content"), within="[")
    if isinstance(inside, list) and all(isinstance(part, dict) for part in inside) and _are_parts(inside, event):
        each["content"] = inside
    return [one for one in message(each, found) if says(one)], []


def _are_parts(inside: list[Any], event: str) -> bool:
    """Whether a list is a message's content and not, in the place of a tool's text, a result that is a list."""
    return event != "gen_ai.tool.message" or any("toolResult" in part or "text" in part for part in inside)
