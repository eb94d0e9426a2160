"""The Vercel AI SDK's telemetry: ai.*, where the outer span repeats what the calls inside it took."""

from typing import Any

from gatewatch.core.trace import SpanKind
from gatewatch.online.otlp.flat import Attributes
from gatewatch.online.otlp.messages import answer, arguments, conversation, messages
from gatewatch.online.otlp.part import Found, add, put
from gatewatch.online.otlp.reading import first, name, number, parsed, tags, text, usage_of

_CALLS = ("doGenerate", "doStream", "doEmbed")
_ABOUT = "ai.telemetry.metadata."
_SESSION = ("sessionId", "session_id", "conversationId", "chatId", "threadId", "langfuseSessionId")
_USER = ("userId", "user_id", "langfuseUserId")
_KNOWN = frozenset((*_SESSION, *_USER, "tags"))
_SMALL = 400


def read(given: Attributes, found: Found) -> None:
    """Add what a span's attributes say by this convention."""
    operation = text(given.get("ai.operationId"))
    kind: SpanKind | None = "step" if operation else None
    if operation == "ai.toolCall" or "ai.toolCall.name" in given:
        kind = "tool"
    elif operation.rpartition(".")[2] in _CALLS:
        kind = "llm"
    put(found, kind=kind, flow=name(given.get("ai.telemetry.functionId")))
    if found.get("flow"):
        put(found, rank=4)
    about = {key[len(_ABOUT) :]: value for key, value in given.items() if key.startswith(_ABOUT)}
    put(
        found,
        session=name(first(about, *_SESSION)),
        about_user=name(first(about, *_USER)),
        tags=tags(about.get("tags")),
        model=name(first(given, "ai.response.model", "ai.model.id")) if kind == "llm" else "",
        usage=usage_of(
            first(given, "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
            first(given, "ai.usage.outputTokens", "ai.usage.completionTokens"),
            first(given, "ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens"),
            given.get("ai.usage.inputTokenDetails.cacheWriteTokens"),
            first(given, "ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens"),
        ),
        finish=name(first(given, "ai.response.finishReason", "ai.finishReason")),
        stream=True if operation.endswith("doStream") else None,
    )
    if (waited := number(given.get("ai.response.msToFirstChunk"))) is not None:
        put(found, first_token_s=waited / 1000)
    add(found, "attributes", {key: value for key, value in about.items() if key not in _KNOWN and _small(value)})
    if "doEmbed" in operation:
        add(found, "attributes", {"operation": "embeddings"})
    if kind == "tool":
        called = text(given.get("ai.toolCall.name"))
        put(found, tool=called, output=parsed(first(given, "ai.toolCall.result", "ai.toolCall.output")))
        asked = first(given, "ai.toolCall.args", "ai.toolCall.input")
        if asked is not None:
            put(found, input=arguments(asked, called, found))
        if named := name(given.get("ai.toolCall.id")):
            add(found, "attributes", {"tool_call_id": named})
    else:
        put(found, input=_asked(given, found), output=_said(given, found))


def _small(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _SMALL)


def _asked(given: Attributes, found: Found) -> Any:
    made = messages(given.get("ai.prompt.messages"), found)
    if made:
        return conversation(made)
    whole = parsed(given.get("ai.prompt"))
    if not isinstance(whole, dict):
        return whole
    made = messages(whole.get("messages", whole.get("prompt")), found)
    system = text(whole.get("system"))
    if made:
        return conversation([{"role": "system", "content": system}, *made] if system else made)
    asked = whole.get("prompt")
    if isinstance(asked, str) and system:
        return conversation([{"role": "system", "content": system}, {"role": "user", "content": asked}])
    return asked if isinstance(asked, str) else whole


def _said(given: Attributes, found: Found) -> Any:
    said = text(first(given, "ai.response.text", "ai.result.text"))
    calls = parsed(first(given, "ai.response.toolCalls", "ai.result.toolCalls"))
    if isinstance(calls, list) and calls:
        return answer(messages([{"role": "assistant", "content": said, "tool_calls": calls}], found), found)
    whole = parsed(first(given, "ai.response.object", "ai.result.object"))
    return said or whole
