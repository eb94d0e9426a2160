"""From a span or a log record, whatever convention it speaks, to a `Part`.

What the project maps by `[ingest.map]` wins; then gatewatch.*; then the conventions, the more particular first.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, cast

import msgspec
from msgspec import Struct

from gatewatch.core.people import hashed
from gatewatch.core.w3c import share_of
from gatewatch.online.otlp import genai, langfuse, openinference, others, traceloop, vercel
from gatewatch.online.otlp.faults import failed
from gatewatch.online.otlp.flat import Attributes, RawLog, RawSpan
from gatewatch.online.otlp.messages import answer, conversation
from gatewatch.online.otlp.part import LONGEST_NAME, MARGIN, Found, Part, add, put
from gatewatch.online.otlp.reading import first, name, parsed, tags, text

TARGETS = ("flow", "session", "user", "variant", "slice", "external_id", "tag")
"""What `[ingest.map]` may map an attribute to, besides version.NAME."""

_OPENINFERENCE = "openinference"
_MOST_SMALL, _SMALL, _PARAMETERS = 32, 200, 1000
_SPOKEN = frozenset(
    (
        "agent_name",
        "ai",
        "anthropic",
        "code",
        "embedding",
        "enduser",
        "error",
        "events",
        "exception",
        "final_result",
        "gcp",
        "gen_ai",
        "gatewatch",
        "graph",
        "input",
        "input_value",
        "langfuse",
        "langsmith",
        "llm",
        "logfire",
        "metadata",
        "mlflow",
        "model_name",
        "net",
        "network",
        "openai",
        "openinference",
        "operation",
        "output",
        "pydantic_ai",
        "reranker",
        "request_data",
        "resource",
        "response_data",
        "retrieval",
        "server",
        "session",
        "tag",
        "telemetry",
        "thread",
        "tool",
        "traceloop",
        "user",
        "userId",
        "user_id",
    )
)
_UNWANTED = ("messages", "tools", "user")
_LONG = frozenset(("model_request_parameters", "all_messages_events", "tool_arguments", "tool_response"))
_PARTICULARS = {
    "gen_ai.response.id": "response_id",
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.max_tokens": "max_tokens",
    "gen_ai.request.top_p": "top_p",
    "gen_ai.request.seed": "seed",
    "gen_ai.agent.name": "agent",
}
_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")


class Reading(Struct, frozen=True, kw_only=True):
    """What a project says of how spans are to be read.

    `names` are attributes, of spans or resources, by what they are mapped to (`TARGETS`). `user_key` is the key that
    users' ids are hashed with. `sampled` is the share of traces that is sent where a span does not say so itself.
    """

    names: Mapping[str, str] = {}
    user_key: bytes = b""
    sampled: float = 1.0


def part_of(span: RawSpan, reading: Reading) -> Part:
    """What is kept of a span."""
    given, found = span.attributes, Found()
    heads = {key.partition(".")[0] for key in given}
    _stated(given, span.source.resource, reading, found, ours="gatewatch" in heads)
    if "langfuse" in heads:
        langfuse.read(given, span.started, found)
    if "openinference" in heads or "llm" in heads:
        openinference.read(given, span.events, span.started, found)
    if "ai" in heads:
        vercel.read(given, found)
    if "traceloop" in heads or "db" in heads:
        traceloop.read(given, span.events, found)
    if "langsmith" in heads:
        others.langsmith(given, found)
    if "mlflow" in heads:
        others.mlflow(given, found)
    if "request_data" in heads:
        others.logfire(given, found)
    if "gen_ai" in heads or "gcp" in heads or "agent_name" in heads or span.events:
        genai.read(given, span.events, found)
    _common(given, span.source.resource, reading, found)
    add(found, "attributes", _particulars(given, heads, reading))
    if (fault := failed(span)) is not None:
        found["error"] = fault
    if found.get("kind") == "tool" and span.source.scope.endswith(".instructor"):
        found["kind"] = "step"  # it is a model call with a schema, wrapped
    embeds = found.get("attributes", {}).get("operation") == "embeddings"
    if embeds and found.get("kind") == "llm" and "usage" not in found:
        found["kind"] = "step"
    found |= _as_billed(found)
    _first_token(found, (span.ended - span.started) / 1e9)
    called, agent = found.pop("tool", ""), found.pop("agent", "")
    if agent and "flow" not in found:
        put(found, flow=agent, rank=5)
    return _part(
        found,
        trace=span.trace,
        span=span.span,
        parent=span.parent,
        name=(called if found.get("kind") == "tool" else "") or span.name[: LONGEST_NAME + MARGIN],
        started=span.started,
        ended=max(span.ended, span.started),
        ok=span.status == 1 and _OPENINFERENCE not in span.source.scope,  # which says so of all that raised nothing
        share=share_of(span.state) or reading.sampled,
    )


def _as_billed(found: Found) -> dict[str, Any]:
    """The usage of a model whose makers bill what was cached beside the input, where conventions count it among it."""
    apart = "claude" in str(found.get("model", "")).lower() and "usage" in found
    return {"usage": found["usage"].apart()} if apart else {}


def part_of_log(log: RawLog, order: int, reading: Reading) -> Part | None:
    """What is kept of a log record; None where it is no event that tells what was said."""
    event = log.event or text(first(log.attributes, "event.name", "name"))
    if event not in genai.EVENTS:
        return None
    found = Found()
    whole = log.body
    if event == genai.DETAILS:
        whole = log.attributes
        genai.read(whole, [], found)
    elif not isinstance(parsed(whole), dict):
        whole = {**log.attributes, **({"content": whole} if whole is not None else {})}
    asked, spoken = genai.said(event, whole, found)
    put(found, input=conversation(asked), output=answer(spoken, found))
    for field in ("kind", "tool", "agent"):
        found.pop(field, None)
    _stated(log.attributes, log.source.resource, reading, found, ours=True)
    _common(log.attributes, log.source.resource, reading, found)
    return _part(found, trace=log.trace, span=log.span, name=event, log=True, order=order, started=log.at)


def identity(log: RawLog) -> str:
    """What tells a log record from the others of its span, however often it is sent: 16 hex digits."""
    told = msgspec.json.encode([log.event, log.at, log.body, log.attributes])
    return blake2b(told, digest_size=8).hexdigest()


def _part(found: Found, **more: Any) -> Part:
    for field in ("flaws", "documents"):
        if field in found:
            found[field] = tuple(found[field])
    return Part(**cast(dict[str, Any], {**found, **more}))


def _stated(given: Attributes, resource: Attributes, reading: Reading, found: Found, *, ours: bool) -> None:
    """What the project maps, and what is stated by our own attributes: it wins over all conventions."""
    for attribute, target in reading.names.items():
        value = given.get(attribute, resource.get(attribute))
        if value is not None and value != "":
            _state(target, value, found)
            if target == "flow":
                put(found, rank=0)
    if not ours:
        return
    if "gatewatch.flow" in given:
        put(found, rank=1)
    for key, value in given.items():
        head, _, target = key.partition(".")
        if head == "gatewatch" and (target in TARGETS or target.startswith("version.")) and value is not None:
            _state(target, value, found)


def _state(target: str, value: Any, found: Found) -> None:
    if target == "user":
        put(found, about_user=name(value))
    elif target == "tag":
        found["more_tags"] = (*found.get("more_tags", ()), *tags(value))
    elif target.startswith("version."):
        add(found, "versions", {target.removeprefix("version."): name(value)})
    else:
        put(found, **{target: name(value)})


def _common(given: Attributes, resource: Attributes, reading: Reading, found: Found) -> None:
    """What several conventions have in common, and what the resource says."""
    put(found, session=name(given.get("session.id")), tags=tags(given.get("tag.tags")))
    if more := found.pop("more_tags", ()):
        found["tags"] = tuple(dict.fromkeys((*more, *found.get("tags", ()))))
    user = found.pop("about_user", "") or name(first(given, "user.id", "enduser.id"))
    if user:
        found["user"] = hashed(user, reading.user_key)
    if version := name(resource.get("service.version")):
        add(found, "versions", {"service": version})
    put(found, service=name(resource.get("service.name")))


def _first_token(found: Found, took: float) -> None:
    """Have the first part come before the last: some state it in milliseconds, where seconds are meant."""
    waited = found.get("first_token_s")
    if waited is not None and waited > took:
        found["first_token_s"] = waited / 1000
        if waited / 1000 > took:
            del found["first_token_s"]


def _particulars(given: Attributes, heads: set[str], reading: Reading) -> dict[str, Any]:
    """Small things that a person would want to see: what the application added itself, and a call's parameters."""
    made: dict[str, Any] = {}
    own = heads - _SPOKEN - _LONG
    if own:
        for key, value in given.items():
            wanted = key.partition(".")[0] in own and reading.names.get(key) != "user"
            if wanted and _is_small(value) and len(key) <= _SMALL and len(made) < _MOST_SMALL:
                made[key] = value
    if "gen_ai" in heads:
        made |= {short: given[key] for key, short in _PARTICULARS.items() if key in given}
    if own != heads and (provider := text(first(given, *_PROVIDERS))):
        made["provider"] = provider
    asked = given.get("llm.invocation_parameters")
    if isinstance(asked, str) and 2 < len(asked) <= _PARAMETERS:
        whole = parsed(asked)
        if isinstance(whole, dict):
            whole = {name: value for name, value in whole.items() if name not in _UNWANTED}
        made["parameters"] = whole
    return made


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _SMALL
    return isinstance(value, bool | int | float)
