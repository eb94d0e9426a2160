"""From the parts of one trace, in whatever order they came, to the `Trace` that scorers look at."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from gatewatch.core.kept import MOST_FLAWS
from gatewatch.core.spans import MOST_LIVE_SPANS
from gatewatch.core.trace import Fault, Redaction, Span, Trace, Usage, total_usage
from gatewatch.online.otlp import part as parts_of
from gatewatch.online.otlp.doubled import Tree, count_once
from gatewatch.online.otlp.messages import Message, answer, conversation, messages
from gatewatch.online.otlp.part import Failed, Found, Part
from gatewatch.online.otlp.traceloop import unwrapped
from gatewatch.online.serialise import as_input, cut_to

MOST_BYTES = 1 << 20
_BARE = 400  # bytes of a span without what was said, or less
_AGENT = 5  # ranks of flows from here on hold of a root alone
_MOST_DOCUMENTS, _MOST_TAGS = 200, 64
_NO_SPAN = "the span of some log records did not arrive"
_NO_ROOT = "the root span did not arrive"
_CUT = "the stream was cut"
_MAYBE_CUT = "no finish reason is given: the stream may have been cut"
_LENGTH = "an answer stopped at its limit of tokens"
_STATED_CUT = ("error", "cut", "aborted", "cancelled", "canceled", "disconnect")
_STATED_LENGTH = ("length", "max_tokens", "model_length", "max_output_tokens")
_OBJECT = re.compile(r"<(?:async_)?generator object|<coroutine object|<[\w.]*Stream\w* object|ChatMessage\(")
_UNIQUE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{16,}|[0-9]{6,}")
_ANONYMOUS = "unknown_service"


class Assembled(NamedTuple):
    """A trace, the probability with which it was sent at all, and whether it tells what was said."""

    trace: Trace
    share: float
    told: bool


def assemble(bodies: Iterable[bytes], most: int = MOST_BYTES, *, left_out: int = 0) -> Assembled:
    """Make a trace of encoded parts, of `most` bytes or little more. Of others, `left_out`, it is only told.

    It has no span's id: which span is the root may change with what comes late, and it is the same request still.

    Raises:
        ValueError: when no part can be used.
    """
    given, size = [], 0
    for body in bodies:
        size += len(body)
        given.append(parts_of.decode(body))
    made = _assembled(given, [f"{left_out} spans are left out: the trace is too long"] if left_out else [])
    if size <= most:
        return made
    trace = cut_to(made.trace, most)
    if made.trace.spans and not trace.spans:  # too many for their texts alone to be cut
        bare = tuple(replace(each, input=None, output=None, attributes={}) for each in made.trace.spans)
        trace = replace(trace, spans=bare[: most // _BARE])
    return made._replace(trace=trace)


def _assembled(given: Sequence[Part], flaws: list[str]) -> Assembled:
    spans = _joined([each for each in given if not each.log], [each for each in given if each.log], flaws)
    if not spans:
        raise ValueError("there is no span")
    spans.sort(key=lambda each: (each.started, bool(each.parent), each.span))
    if len(spans) > MOST_LIVE_SPANS:
        flaws.append(f"{len(spans)} spans, of which {MOST_LIVE_SPANS} are kept")
        root = _root(spans)
        spans = [root, *(each for each in spans[:MOST_LIVE_SPANS] if each is not root)][:MOST_LIVE_SPANS]
    share = min(each.share for each in spans)
    tree = Tree(spans)
    extra = count_once(tree)
    ordered = _ordered(tree)
    root = _root(ordered)
    if root.parent:
        flaws.append(_NO_ROOT)
    _named_inputs(ordered)
    return _whole(root, ordered, tree, extra, share, flaws)


def _root(spans: Sequence[Part]) -> Part:
    """The span without a parent or, where there is none, the earliest of those whose parent did not arrive."""
    known = {each.span for each in spans}
    first = [each for each in spans if not each.parent] or [each for each in spans if each.parent not in known]
    return (first or spans)[0]


def _ordered(tree: Tree) -> list[Part]:
    """The spans by time, each after the one that it stands inside of."""
    order = {span: place for place, span in enumerate(reversed(tree.deepest_first()))}
    return sorted(tree.nodes.values(), key=lambda each: (each.started, order[each.span]))


# Log records


def _joined(spans: list[Part], logs: list[Part], flaws: list[str]) -> list[Part]:
    """The spans with what log records tell of them; of a span that did not arrive, a stand-in."""
    if not logs:
        return spans
    heard: dict[str, list[Part]] = {}
    for each in sorted(logs, key=lambda each: (each.started, each.order)):
        heard.setdefault(each.span, []).append(each)
    made = [_with(each, heard.pop(each.span)) if each.span in heard else each for each in spans]
    for span, records in heard.items():
        flaws.append(_NO_SPAN) if _NO_SPAN not in flaws else None
        first = records[0]
        alone = Part(
            trace=first.trace,
            span=span,
            parent="?",
            name="chat",
            kind="llm",
            started=first.started,
            ended=records[-1].started,
            service=first.service,
            share=first.share,
        )
        made.append(_with(alone, records))
    return made


def _with(span: Part, records: list[Part]) -> Part:
    found: Found = {}
    asked = [one for each in records for one in _messages(each.input)]
    spoken = [each.output for each in records if each.output is not None]
    more: dict[str, Any] = {
        "input": span.input if span.input is not None else conversation(asked),
        "output": span.output if span.output is not None else _spoken(spoken, found),
        "redacted": (*span.redacted, *(one for each in records for one in each.redacted)),
        "flaws": (*span.flaws, *(one for each in records for one in each.flaws)),
        "attributes": {**found.get("attributes", {}), **span.attributes},
    }
    for field in ("usage", "finish", "model", "session", "user", "error"):
        value = getattr(span, field) or next((said for each in records if (said := getattr(each, field))), None)
        if value:
            more[field] = value
    return replace(span, **more)


def _spoken(spoken: list[Any], found: Found) -> Any:
    """What several choices said: the first is the answer."""
    if len(spoken) > 1:
        found["attributes"] = {"other_choices": spoken[1:10]}
    return spoken[0] if spoken else None


def _messages(value: Any) -> list[Message]:
    return value["messages"] if isinstance(value, dict) and isinstance(value.get("messages"), list) else []


# Tools


def _named_inputs(spans: list[Part]) -> None:
    """Give calls of tools whose arguments lost their names those that the model called them with."""
    asked: dict[str, list[Any]] = {}
    for place, each in enumerate(spans):
        if each.kind == "llm" and isinstance(each.output, dict):
            for call in each.output.get("tool_calls") or ():
                asked.setdefault(call.get("name", ""), []).append(call.get("arguments"))
        elif each.kind == "tool" and not isinstance(each.input, dict):
            waiting = asked.get(each.name)
            named = waiting.pop(0) if waiting else None
            if not isinstance(named, dict):
                named = None if each.input is None or each.input == "" else {"input": unwrapped(each.input)}
            spans[place] = replace(each, input=named)
        elif each.kind == "tool":
            if waiting := asked.get(each.name):
                waiting.pop(0)
            inner = unwrapped(each.input)
            if inner is not each.input:
                spans[place] = replace(each, input=inner if isinstance(inner, dict) else {"input": inner})


# The whole


def _whole(root: Part, spans: list[Part], tree: Tree, extra: Usage | None, share: float, flaws: list[str]) -> Assembled:
    places = {each.span: place for place, each in enumerate(spans)}
    root = spans[places[root.span]]
    calls = [each for each in spans if each.kind == "llm" and each.attributes.get("operation") != "embeddings"]
    asked, spoken = _asked(root, spans, calls), _answered(root, spans, calls)
    for each in calls:
        flaws += _stream_flaws(each)
    for each in spans:
        flaws += each.flaws
    made = tuple(_span(each, root, places.get(tree.parents.get(each.span, ""))) for each in spans)
    known = [span.usage for span in made if span.kind == "llm"]
    trace = Trace(
        id=root.trace,
        input=asked,
        output=spoken,
        context=_context(spans),
        spans=made,
        usage=total_usage([*known, extra]),
        started=root.started / 1e9 if root.started else None,
        latency_s=_latency(root, spans),
        error=_error(root, spoken, calls),
        first_token_s=_first_token(root, calls),
        flow=_flow(root, spans),
        session=_first("session", root, spans),
        slice=_first("slice", root, spans),
        user=_first("user", root, spans),
        external_id=_first("external_id", root, spans),
        variant=_first("variant", root, spans),
        versions=_versions(root, spans),
        tags=tuple(dict.fromkeys(tag for each in (root, *spans) for tag in each.tags))[:_MOST_TAGS],
        redacted=_redacted(spans),
        flaws=tuple(dict.fromkeys(flaws))[:MOST_FLAWS],
    )
    told = bool(asked) or spoken is not None or any(each.input or each.output for each in made)
    return Assembled(trace, share, told)


def _first(field: str, root: Part, spans: list[Part]) -> str:
    return getattr(root, field) or next((said for each in spans if (said := getattr(each, field))), "")


def _flow(root: Part, spans: list[Part]) -> str:
    """What was stated most plainly; else the root's name, and of a bare model call the service's."""
    stated = [each for each in (root, *spans) if each.flow and (each.rank < _AGENT or each is root)]
    if stated:
        return min(stated, key=lambda each: each.rank).flow
    service = _first("service", root, spans)
    named = bool(service) and not service.startswith(_ANONYMOUS)
    return service if named and (root.kind == "llm" or not root.name) else _UNIQUE.sub("*", root.name) or service


def _versions(root: Part, spans: list[Part]) -> dict[str, str]:
    whole: dict[str, str] = {}
    for each in (root, *spans):
        for name, version in each.versions.items():
            whole.setdefault(name, version)
    return whole


def _redacted(spans: list[Part]) -> tuple[Redaction, ...]:
    total: dict[tuple[str, str], int] = {}
    for each in spans:
        for one in each.redacted:
            total[one.type, one.field] = total.get((one.type, one.field), 0) + one.count
    return tuple(Redaction(*place, number) for place, number in total.items())


def _latency(root: Part, spans: list[Part]) -> float | None:
    ended = root.ended if not root.parent else max(each.ended for each in spans)
    return (ended - root.started) / 1e9 if root.started and ended >= root.started else None


def _first_token(root: Part, calls: list[Part]) -> float | None:
    """From the root's start to the first part of the answer, which the last call that streamed gave."""
    for each in reversed(calls):
        if each.first_token_s is not None:
            return max(0.0, (each.started - root.started) / 1e9) + each.first_token_s
    return None


def _asked(root: Part, spans: list[Part], calls: list[Part]) -> str | dict[str, Any]:
    stated = next((each.trace_input for each in spans if each.trace_input is not None), root.input)
    if stated is None or stated in ("", {}):
        stated = next((each.input for each in calls if each.input is not None), None)
    elif root.kind != "llm":
        stated = _unwrapped(stated)
    listing = _messages(stated)
    if listing:
        users = [each for each in listing if each.get("role") == "user"]
        if len(users) == 1 and all(each.get("role") in ("user", "system", "developer") for each in listing):
            return str(users[0].get("content", ""))
        return {"messages": listing}
    found: str | dict[str, Any] = as_input(stated)
    return found or ""


def _unwrapped(stated: Any) -> Any:
    """What a function was called with; of the forms that messages have, the one."""
    stated = unwrapped(stated)
    if isinstance(stated, list) or (isinstance(stated, dict) and isinstance(stated.get("messages"), list)):
        return conversation(messages(stated, {})) or stated
    return stated


def _answered(root: Part, spans: list[Part], calls: list[Part]) -> Any:
    stated = next((each.trace_output for each in spans if each.trace_output is not None), root.output)
    if _unread(stated):
        stated = None
    if (stated is None or stated == "") and root.error is not None and root.kind != "llm":
        return None  # what was said on the way was no answer
    if stated is None or stated == "":
        said = [each for each in calls if each.output is not None]
        return max(said, key=lambda each: each.ended).output if said else None
    if root.kind == "llm":
        return stated
    return _last_said(stated)


def _unread(stated: Any) -> bool:
    """Whether what was given back is a stream or an object of which there is but the name."""
    if isinstance(stated, dict):
        replies = [one for each in stated.values() if isinstance(each, dict) for one in each.get("replies") or ()]
        return "response_gen" in stated or any(isinstance(each, str) and _OBJECT.match(each) for each in replies)
    return isinstance(stated, str) and _OBJECT.match(stated) is not None


def _last_said(stated: Any) -> Any:
    """The answer in what a framework gave back: the last message of its state, or the message that it is."""
    if not isinstance(stated, dict):
        return stated
    if isinstance(stated.get("raw"), str) and "tasks_output" in stated:  # of a crew
        return stated["raw"]
    is_message = {"role", "content"} <= stated.keys() or (isinstance(stated.get("data"), dict) and "type" in stated)
    if not (is_message or "messages" in stated or "choices" in stated):
        return stated
    made = messages(stated.get("choices", stated), {})
    spoken = [each for each in made if each.get("role") == "assistant" and each.get("content")]
    return answer(spoken[-1:], {}) if spoken else stated


def _error(root: Part, spoken: Any, calls: list[Part]) -> Fault | None:
    """The root's error; or that of the last model call, where nothing was answered after it and no success claimed."""
    if root.error is not None:
        return _fault(root.error)
    if spoken is None and not root.ok and calls:
        last = max(calls, key=lambda each: each.ended)
        if last.error is not None:
            return _fault(last.error)
    return None


def _fault(failed: Failed) -> Fault:
    told = failed.message
    if failed.type and failed.type not in told:
        told = f"{failed.type}: {told}" if told else failed.type
    if failed.status is not None and str(failed.status) not in told:
        told = f"{told} (status {failed.status})" if told else f"status {failed.status}"
    return Fault(told or "failed", "timeout" if failed.timeout else "error", failed.detail)


def _stream_flaws(call: Part) -> list[str]:
    finish = call.finish.lower().replace("-", "_")
    if finish in _STATED_LENGTH:
        return [_LENGTH]
    if call.error is not None:
        return []
    if finish in _STATED_CUT:
        return [_CUT]
    if not finish and call.stream and call.usage is None:
        return [_MAYBE_CUT]
    return []


def _context(spans: list[Part]) -> tuple[str | dict[str, Any], ...] | None:
    """The documents that were retrieved, each once."""
    found: dict[bytes, str | dict[str, Any]] = {}
    for each in spans:
        if each.kind == "retrieval":
            for document in each.documents[:_MOST_DOCUMENTS]:
                found.setdefault(msgspec.json.encode(document), document)
    return tuple(found.values())[:_MOST_DOCUMENTS] or None


def _span(each: Part, root: Part, parent: int | None) -> Span:
    more: dict[str, Any] = {}
    if each.finish:
        more["finish_reason"] = each.finish
    if each.error is not None:
        if each.error.type:
            more["error_type"] = each.error.type
        if each.error.status is not None:
            more["status_code"] = each.error.status
    if each.first_token_s is not None:
        more["first_token_s"] = round(each.first_token_s, 6)
    calls = each.kind == "llm"
    return Span(
        name=each.name,
        kind=each.kind,
        parent=parent,
        input=each.input,
        output=list(each.documents) if each.kind == "retrieval" and each.documents else each.output,
        error=None if each.error is None else _fault(each.error),
        started_s=(each.started - root.started) / 1e9 if each.started and root.started else None,
        latency_s=(each.ended - each.started) / 1e9 if each.started and each.ended >= each.started else None,
        model=each.model if calls else "",
        usage=each.usage if calls else None,
        cost=each.cost if calls else None,
        attributes={**each.attributes, **more},
    )
