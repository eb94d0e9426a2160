"""Smaller dialects, of which what is plain is read: LangSmith's, MLflow's and Logfire's own attributes."""

from typing import Any

from gatewatch.core.trace import SpanKind
from gatewatch.online.otlp.flat import Attributes
from gatewatch.online.otlp.messages import answer, conversation, messages
from gatewatch.online.otlp.part import Found, put
from gatewatch.online.otlp.reading import documents, first, name, parsed, text, usage_of

_LANGSMITH: dict[str, SpanKind] = {"llm": "llm", "embedding": "llm", "tool": "tool", "retriever": "retrieval"}
_MLFLOW: dict[str, SpanKind] = {
    "LLM": "llm",
    "CHAT_MODEL": "llm",
    "EMBEDDING": "llm",
    "TOOL": "tool",
    "RETRIEVER": "retrieval",
}
_THREAD = ("session_id", "thread_id", "conversation_id")


def langsmith(given: Attributes, found: Found) -> None:
    """Add what langsmith.* says; what was asked and said stands in gen_ai.prompt and gen_ai.completion."""
    kind = text(given.get("langsmith.span.kind")).lower()
    put(found, kind=_LANGSMITH.get(kind, "step") if kind else None)
    about = [f"langsmith.metadata.{each}" for each in _THREAD]
    put(
        found,
        session=name(first(given, *about)),  # langsmith.trace.session_id is a project's
        about_user=name(given.get("langsmith.metadata.user_id")),
        tags=tuple(filter(None, text(given.get("langsmith.span.tags")).split(", "))),
    )
    asked, said = parsed(given.get("gen_ai.prompt")), parsed(given.get("gen_ai.completion"))
    if isinstance(said, dict) and said.keys() == {"output"}:
        said = said["output"]
    if said is None:
        found["output"] = None  # not the wrapping, which would be read as an answer
    if kind == "llm":
        put(found, input=conversation(messages(asked, found)), output=_choice(said, found))
    elif kind:
        put(found, input=asked, output=said)
    if kind == "retriever":
        put(found, documents=documents(said))


def mlflow(given: Attributes, found: Found) -> None:
    """Add what mlflow.* says: JSON text all of it."""
    kind = text(parsed(given.get("mlflow.spanType"), within='"')).upper()
    put(found, kind=_MLFLOW.get(kind, "step") if kind else None)
    used = parsed(given.get("mlflow.chat.tokenUsage"))
    if isinstance(used, dict):
        put(found, usage=usage_of(used.get("input_tokens"), used.get("output_tokens")))
    asked = parsed(given.get("mlflow.spanInputs"), within='{["')
    said = parsed(given.get("mlflow.spanOutputs"), within='{["')
    if found.get("kind") == "llm":
        asked, said = conversation(messages(asked, found)) or asked, _choice(said, found)
    if found.get("kind") == "retrieval":
        put(found, documents=documents(said))
    put(found, input=asked, output=said, model=name(given.get("mlflow.llm.model")))


def logfire(given: Attributes, found: Found) -> None:
    """Add what Logfire's wrappers of SDKs say in request_data and response_data."""
    asked, said = parsed(given.get("request_data")), parsed(given.get("response_data"))
    if not isinstance(asked, dict) or not ("messages" in asked or "input" in asked):
        return
    put(found, kind="llm", model=name(asked.get("model")), stream=True if asked.get("stream") is True else None)
    put(found, input=conversation(messages(asked.get("messages", asked.get("input")), found)))
    if isinstance(said, dict):
        spoken = said.get("message", said.get("combined_chunk_content"))
        used = said.get("usage")
        if isinstance(used, dict):
            sent, got = first(used, "prompt_tokens", "input_tokens"), first(used, "completion_tokens", "output_tokens")
            put(found, usage=usage_of(sent, got))
        put(found, output=spoken if isinstance(spoken, str) else answer(messages([spoken], found), found))


def _choice(said: Any, found: Found) -> Any:
    """What a model said, of its message, of a provider's whole answer or of LangChain's generations."""
    if isinstance(said, dict):
        listing = said.get("choices", said.get("generations", said.get("messages")))
        made = messages(listing if isinstance(listing, list) else said, found)
        return answer(made, found) if made else said
    return said
