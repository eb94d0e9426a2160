"""OpenLLMetry: traceloop.* of workflows, tasks and tools; its model calls speak gen_ai (see `genai`)."""

from typing import Any

from gatewatch.core.trace import SpanKind
from gatewatch.online.otlp.flat import Attributes, Event
from gatewatch.online.otlp.part import Found, add, put
from gatewatch.online.otlp.reading import first, name, parsed, text

_KINDS: dict[str, SpanKind] = {"workflow": "step", "task": "step", "agent": "step", "tool": "tool"}
_ABOUT = "traceloop.association.properties."
_SESSION = ("session_id", "sessionId", "conversation_id", "chat_id", "thread_id")
_USER = ("user_id", "userId", "user")
_VECTORS = frozenset(("chroma", "chromadb", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate"))
_CALLED = frozenset(("args", "kwargs", "sanitize_inputs_outputs"))
_RUN = frozenset(("task", "reset", "additional_args"))  # what an agent of smolagents is run with
_SMALL = 400


def read(given: Attributes, events: list[Event], found: Found) -> None:
    """Add what a span's attributes say by this convention."""
    kind = _KINDS.get(text(given.get("traceloop.span.kind")))
    put(found, kind=kind, flow=name(given.get("traceloop.workflow.name")))
    if found.get("flow"):
        put(found, rank=3)
    about = {key[len(_ABOUT) :]: value for key, value in given.items() if key.startswith(_ABOUT)}
    put(found, session=name(first(about, *_SESSION)), about_user=name(first(about, *_USER)))
    known = (*_SESSION, *_USER)
    add(found, "attributes", {key: each for key, each in about.items() if key not in known and _small(each)})
    if kind is not None:
        entity = name(given.get("traceloop.entity.name"))
        if kind == "tool":
            put(found, tool=entity)
        put(found, input=unwrapped(parsed(given.get("traceloop.entity.input"))))
        put(found, output=parsed(given.get("traceloop.entity.output"), within='{["'))
    prompt, version = name(given.get("traceloop.prompt.key")), name(given.get("traceloop.prompt.version"))
    if prompt:
        add(found, "versions", {"prompt": f"{prompt}@{version}" if version else prompt})
    if text(given.get("db.system")).lower() in _VECTORS and "query" in text(given.get("db.operation")).lower():
        put(found, kind="retrieval")
        put(found, documents=tuple(_result(each.attributes) for each in events if each.name == "db.query.result"))


def _small(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _SMALL)


def _result(given: Attributes) -> str | dict[str, Any]:
    made = {"id": text(given.get("db.query.result.id")), "text": text(given.get("db.query.result.document"))}
    return {key: value for key, value in made.items() if value}


def unwrapped(asked: Any) -> Any:
    """What a function was called with, of how decorators write it: {"args": [...], "kwargs": {...}}."""
    if isinstance(asked, dict) and "args" in asked and asked.keys() <= _CALLED:
        places, named = asked["args"], asked.get("kwargs") or {}
        if not places:
            return named
        if isinstance(places, list) and len(places) == 1 and not named:
            return places[0]
    if isinstance(asked, dict) and isinstance(asked.get("task"), str) and asked.keys() >= _RUN:
        return asked["task"]
    if isinstance(asked, dict) and "inputs" in asked and asked.keys() <= {"inputs", "tags", "metadata", "kwargs"}:
        return asked["inputs"]
    return asked
