"""OpenInference: openinference.span.kind, input.value, llm.*, retrieval.documents and tool.*, lists flattened."""

import ast
from typing import Any

from gatewatch.core.trace import SpanKind
from gatewatch.online.otlp.flat import Attributes, Event
from gatewatch.online.otlp.messages import Message, answer, conversation, message, messages
from gatewatch.online.otlp.part import Found, add, put
from gatewatch.online.otlp.reading import first, listed, name, nested, number, parsed, price, tags, text, usage_of

_KINDS: dict[str, SpanKind] = {"LLM": "llm", "EMBEDDING": "llm", "TOOL": "tool", "RETRIEVER": "retrieval"}
_SESSION = ("session_id", "sessionId", "thread_id", "threadId", "conversation_id", "conversationId")
_USER = ("user_id", "userId", "user")
_FEW = 2000
_LEAST = 1 << 5


def read(given: Attributes, events: list[Event], started: int, found: Found) -> None:
    """Add what a span's attributes say by this convention; `started` in nanoseconds."""
    kind = text(given.get("openinference.span.kind")).upper()
    put(found, kind=_KINDS.get(kind, "step") if kind else ("llm" if "llm.model_name" in given else None))
    prompt = "llm.token_count.prompt"
    put(
        found,
        usage=usage_of(
            given.get(prompt),
            given.get("llm.token_count.completion"),
            first(given, f"{prompt}_details.cache_read", f"{prompt}_details.cache_input"),
            given.get(f"{prompt}_details.cache_write"),
            given.get("llm.token_count.completion_details.reasoning"),
        ),
        model=name(
            first(given, "llm.model_name", "llm.response.model_name", "llm.request.model_name", "embedding.model_name")
        ),
        cost=price(given.get("llm.cost.total")),
        finish=name(given.get("llm.finish_reason")),
        tags=tags(given.get("tag.tags")),
    )
    if kind == "LLM" and "model" not in found:  # of a call that failed it stands only in what was asked
        asked = parsed(given.get("llm.invocation_parameters"))
        put(found, model=name(asked.get("model")) if isinstance(asked, dict) else "")
    if kind == "EMBEDDING":
        add(found, "attributes", {"operation": "embeddings"})
    if (version := name(given.get("llm.prompt_template.version"))) != "":
        add(found, "versions", {"prompt": version})
    _first_token(given, events, started, found)
    _metadata(given, found)
    if kind == "TOOL":
        put(found, tool=name(given.get("tool.name")))
        put(found, input=_tool_input(given), output=_result(parsed(given.get("output.value"))))
        return
    if kind == "EMBEDDING":
        return  # texts and vectors: no answer to be looked at
    if kind != "RETRIEVER" and any(key.startswith("llm.") and "_messages." in key for key in given):
        put(found, input=conversation(_flattened(given, "llm.input_messages.", found)))
        put(found, output=answer(_flattened(given, "llm.output_messages.", found), found))
    if "retrieval.documents.0.document.content" in given or kind == "RETRIEVER":
        put(found, documents=tuple(_document(each) for each in nested(given, "retrieval.documents.")))
    _values(given, kind, found)


def _values(given: Attributes, kind: str, found: Found) -> None:
    """What stands as a whole, where it did not stand as messages."""
    if "input" not in found and (asked := given.get("input.value")) is not None:
        heard = parsed(asked)
        made = messages(heard, found) if kind == "LLM" else []
        put(found, input=conversation(made) or heard)
    if "output" not in found and (spoken := given.get("output.value")) is not None:
        put(found, output=_said(parsed(spoken), found) if kind == "LLM" else parsed(spoken))


def _said(spoken: Any, found: Found) -> Any:
    """A provider's answer, of which only what the model said is kept."""
    if isinstance(spoken, dict):
        choices = spoken.get("choices", spoken.get("generations", spoken.get("content", spoken.get("output"))))
        if isinstance(choices, list) and choices:
            whole = "choices" in spoken or "generations" in spoken
            made = messages(choices if whole else [{"role": "assistant", "content": choices}], found)
            return answer(made, found)
    return spoken


def _flattened(given: Attributes, prefix: str, found: Found) -> list[Message]:
    made: list[Message] = []
    for each in nested(given, prefix):
        if isinstance(each, dict):
            inner = each.get("message", each)
            if isinstance(inner, dict):
                made += _message(inner, found)
    return made


def _message(inner: dict[str, Any], found: Found) -> list[Message]:
    whole: dict[str, Any] = {key: inner[key] for key in ("role", "content", "name", "tool_call_id") if key in inner}
    calls = listed(inner.get("tool_calls"))
    if not whole.get("content"):
        parts = [_part(each) for each in listed(inner.get("contents")) if isinstance(each, dict)]
        if parts:
            whole["content"] = [each for each in parts if not (calls and each.get("type") in ("tool_use", "tool_call"))]
    if calls:
        whole["tool_calls"] = calls
    elif "function_call_name" in inner:
        called = {"name": inner["function_call_name"], "arguments": inner.get("function_call_arguments_json")}
        whole["tool_calls"] = [called]
    return message(whole, found)


def _part(each: dict[str, Any]) -> dict[str, Any]:
    inner = each.get("message_content", each)
    called = each.get("tool_call", inner.get("tool_call") if isinstance(inner, dict) else None)
    if isinstance(called, dict):
        return {"type": "tool_call", "tool_call": called}
    return inner if isinstance(inner, dict) else {"text": text(inner)}


def _document(each: Any) -> str | dict[str, Any]:
    inner = each.get("document", each) if isinstance(each, dict) else {}
    if not isinstance(inner, dict):
        return text(inner)
    made = {"id": text(inner.get("id")), "text": text(inner.get("content"))}
    whole: dict[str, Any] = {key: value for key, value in made.items() if value}
    if (score := number(inner.get("score"))) is not None:
        whole["score"] = score
    about = parsed(inner.get("metadata"))
    if isinstance(about, dict):
        whole["metadata"] = about
        if "id" not in whole and isinstance(about.get("id"), str):
            whole["id"] = about["id"]
    return whole["text"] if set(whole) == {"text"} else whole


def _tool_input(given: Attributes) -> Any:
    asked = first(given, "tool.parameters", "tool_call.function.arguments")
    if isinstance(parsed(asked), dict) and "input.value" not in given:
        return parsed(asked)
    made = parsed(given.get("input.value"))
    if isinstance(made, str) and made.startswith("{") and len(made) < _FEW:  # as Python writes an object
        try:
            made = ast.literal_eval(made)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return made
    return made


def _result(made: Any) -> Any:
    """What a tool gave, without the message that it was wrapped in."""
    inner = made.get("data", made.get("kwargs")) if isinstance(made, dict) else None
    return parsed(inner["content"]) if isinstance(inner, dict) and "content" in inner else made


def _first_token(given: Attributes, events: list[Event], started: int, found: Found) -> None:
    asked = text(given.get("llm.invocation_parameters"))
    if '"stream": true' in asked or '"stream":true' in asked:
        put(found, stream=True)
    for event in events:
        if event.name == "First Token Stream Event" and event.at >= started > 0:
            put(found, first_token_s=(event.at - started) / 1e9, stream=True)


def _metadata(given: Attributes, found: Found) -> None:
    about = parsed(given.get("metadata"))
    if isinstance(about, dict):
        put(found, session=name(given.get("session.id")) or name(first(about, *_SESSION)))
        put(found, about_user=name(first(about, *_USER)))
        small = {
            key: value
            for key, value in list(about.items())[:_LEAST]
            if isinstance(value, str | int | float | bool)
            and key not in (*_SESSION, *_USER)
            and not key.startswith(("ls_", "langgraph_", "checkpoint_"))
        }
        add(found, "attributes", small)
