"""Langfuse's own attributes: langfuse.observation.* and langfuse.trace.*, in which objects are JSON text."""

from typing import Any

from gatewatch.core.trace import SpanKind, Usage
from gatewatch.online.otlp.flat import Attributes
from gatewatch.online.otlp.messages import answer, conversation, messages
from gatewatch.online.otlp.part import Found, add, put
from gatewatch.online.otlp.reading import (
    count,
    documents,
    first,
    moment,
    name,
    number,
    parsed,
    price,
    tags,
    text,
    usage_of,
)

_KINDS: dict[str, SpanKind] = {"generation": "llm", "embedding": "llm", "tool": "tool", "retriever": "retrieval"}
_OBSERVATION, _TRACE = "langfuse.observation.", "langfuse.trace."
_SMALL = 400


def read(given: Attributes, started: int, found: Found) -> None:
    """Add what a span's attributes say by this convention; `started` in nanoseconds."""
    kind = text(given.get("langfuse.observation.type")).lower()
    put(found, kind=_KINDS.get(kind, "step") if kind else None)
    put(
        found,
        flow=name(given.get("langfuse.trace.name")),
        session=name(first(given, "langfuse.session.id", "langfuse.trace.session_id")),
        about_user=name(first(given, "langfuse.user.id", "langfuse.trace.user_id")),
        tags=tags(given.get("langfuse.trace.tags")),
        model=name(first(given, "langfuse.observation.model.name", "langfuse.observation.model")),
        usage=_usage(parsed(first(given, "langfuse.observation.usage_details", "langfuse.observation.usage"))),
        cost=_cost(parsed(first(given, "langfuse.observation.cost_details", "langfuse.observation.cost"))),
        finish=name(given.get("langfuse.observation.metadata.finish_reason")),
        trace_input=parsed(given.get("langfuse.trace.input")),
        trace_output=parsed(given.get("langfuse.trace.output")),
    )
    if found.get("flow"):
        put(found, rank=2)
    if kind == "embedding":
        add(found, "attributes", {"operation": "embeddings"})
    began = moment(given.get("langfuse.observation.completion_start_time"))
    if began is not None and kind == "generation" and began >= started > 0:
        put(found, first_token_s=(began - started) / 1e9, stream=True)
    _versions(given, found)
    _metadata(given, found)
    asked, said = parsed(given.get("langfuse.observation.input")), parsed(given.get("langfuse.observation.output"))
    if kind == "generation":
        put(found, input=conversation(messages(asked, found)) or asked)
        spoken = messages(said, found)
        put(found, output=answer(spoken, found) if spoken else said)
    elif kind != "embedding":
        put(found, input=asked, output=said)
    if kind == "retriever":
        put(found, documents=documents(said))


def _usage(details: Any) -> Usage | None:
    """Tokens: as the provider counts them, or by kinds of which each leaves the others out ("input", "input_...")."""
    if not isinstance(details, dict):
        return None
    if "input" in details or "output" in details:
        read = first(details, "input_cached_tokens", "cache_read_input_tokens", "input_cache_read")
        wrote = first(details, "cache_creation_input_tokens", "input_cache_creation")
        others = [key for key in details if key.startswith(("input_", "cache_"))]
        fresh = [count(details.get(key)) or 0 for key in ("input", *others)]
        spoken = [count(value) or 0 for key, value in details.items() if key == "output" or key.startswith("output_")]
        thought = first(details, "output_reasoning_tokens", "output_reasoning", "reasoning_tokens")
        asked = sum(fresh) if "input" in details else None
        return usage_of(asked, sum(spoken) if "output" in details else None, read, wrote, thought)
    asked, spoken = (
        first(details, f"{one}_tokens", f"{one}Tokens", f"{other}_tokens", f"{other}Tokens")
        for one, other in (("prompt", "input"), ("completion", "output"))
    )
    read, thought = (
        inner if isinstance(inner := first(details, f"{one}_tokens_details", f"{other}_tokens_details"), dict) else {}
        for one, other in (("prompt", "input"), ("completion", "output"))
    )
    cached = read.get("cached_tokens", details.get("cache_read_input_tokens"))
    return usage_of(asked, spoken, cached, details.get("cache_creation_input_tokens"), thought.get("reasoning_tokens"))


def _cost(details: Any) -> float | None:
    if not isinstance(details, dict) or not details:
        return None
    if "total" in details:
        return price(details["total"])
    parts = [number(value) for value in details.values()]
    return (sum(part for part in parts if part is not None) or None) if None not in parts else None


def _versions(given: Attributes, found: Found) -> None:
    prompt = name(given.get("langfuse.observation.prompt.name"))
    version = name(given.get("langfuse.observation.prompt.version"))
    made = {
        "prompt": f"{prompt}@{version}" if prompt and version else prompt,
        "app": name(given.get("langfuse.version")),
        "release": name(given.get("langfuse.release")),
    }
    add(found, "versions", {key: value for key, value in made.items() if value})


def _metadata(given: Attributes, found: Found) -> None:
    small: dict[str, Any] = {}
    for prefix in (f"{_OBSERVATION}metadata.", f"{_TRACE}metadata."):
        for key, value in given.items():
            if key.startswith(prefix):
                said = parsed(value, within='{["')
                if isinstance(said, bool | int | float) or (isinstance(said, str) and len(said) <= _SMALL):
                    small[key[len(prefix) :]] = said
    if (asked := text(given.get("langfuse.observation.model.parameters"))) and len(asked) <= _SMALL:
        whole = parsed(asked)
        small["parameters"] = {k: v for k, v in whole.items() if k != "user"} if isinstance(whole, dict) else whole
    if where := name(given.get("langfuse.environment")):
        small["environment"] = where
    small.pop("finish_reason", None)
    add(found, "attributes", small)
