"""Taking out of a trace what is not to be kept: fields by name, personal data and secrets by their form.

It is done before a trace is written, by choice, and again when one comes into a store. What was taken is told in the
trace, so that whoever looks for leaks still sees that there was one. Ids that records are joined by (the trace's own,
the session's) stay as they are: personal data does not belong there. An external id that holds some is replaced whole,
by an alias that tells it from others.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec, pii, secrets
from gatewatch.core.alias import alias_of
from gatewatch.core.spots import Named, apart, replaced
from gatewatch.core.trace import Fault, Redaction, Span, Trace

DROPPED = "[dropped]"
_EMPTY: dict[str, Any] = {"spans": [], "tags": [], "versions": {}, "error": {"message": DROPPED}}


class Rules(Struct, frozen=True, kw_only=True):
    """What is to be taken out.

    `drop_fields` are paths in the trace, such as "input.password" or "spans.*.attributes.auth", where `*` stands for
    any key or position. `hook` is given the trace last, and returns what is to be kept.
    """

    pii: bool = False
    drop_fields: tuple[str, ...] = ()
    hook: Callable[[Trace], Trace] | None = None


def redact(trace: Trace, rules: Rules) -> Trace:
    """A trace without what the rules take out.

    Should that fail, nothing of what was said is kept: only the signals, and a flaw that tells why.
    """
    try:
        if rules.drop_fields:
            trace = _without(trace, rules.drop_fields)
        if rules.pii:
            trace = _cleaned(trace)
        if rules.hook is not None:
            trace = codec.decode(codec.encode(rules.hook(trace)), Trace)
    except Exception as error:
        return _signals(trace, error)
    return trace


def redacted_text(text: str) -> str:
    """A text without personal data and secrets."""
    return str(replaced(text, find)[0])


def redacted_name(name: str) -> str:
    """An external id as it may be kept: its alias, where there is personal data or a secret in it."""
    return name if redacted_text(name) == name else alias_of(name)


def unreadable(payload: bytes, error: Exception) -> Trace:
    """What can be kept of a record that is not a trace as it should be: its id, its flow and its time.

    Raises:
        ValueError: when not even that can be read.
    """
    said = codec.parse(payload)
    started = said.get("started")
    return _signals(
        Trace(
            id=str(said["id"]),
            flow=str(said.get("flow", "")),
            session=str(said.get("session", "")),
            started=started if isinstance(started, float) else None,
        ),
        error,
    )


def _signals(trace: Trace, error: Exception) -> Trace:
    return Trace(
        id=trace.id,
        usage=trace.usage,
        cost=trace.cost,
        started=trace.started,
        latency_s=trace.latency_s,
        waited_s=trace.waited_s,
        error=None if trace.error is None else Fault(DROPPED, trace.error.kind),
        session=trace.session,
        flow=trace.flow,
        slice=trace.slice,
        first_token_s=trace.first_token_s,
        user=trace.user,
        variant=trace.variant,
        marks=trace.marks,
        span_id=trace.span_id,
        parent_id=trace.parent_id,
        flaws=(f"all that was said was dropped, since redaction failed: {type(error).__name__}",),
    )


# Fields by name


def _without(trace: Trace, paths: Sequence[str]) -> Trace:
    whole = codec.decode(codec.encode(trace), dict[str, Any])  # lists, where the trace has tuples
    taken: Counter[tuple[str, str]] = Counter()
    for path in paths:
        number = drop(whole, path.split("."), _EMPTY.get(path, {} if path == "spans.*.attributes" else DROPPED))
        if number:
            taken["dropped", path] = number
    return trace if not taken else _telling(msgspec.convert(whole, Trace), taken)


def drop(here: Any, steps: list[str], instead: Any) -> int:
    """Replace what stands at a path; how often it was there."""
    step, *further = steps
    if isinstance(here, dict):
        keys: list[Any] = list(here) if step == "*" else [step] if step in here else []
    elif isinstance(here, list):
        keys = list(range(len(here)))
        if step != "*":
            keys = [int(step)] if step.isdecimal() and int(step) < len(here) else []
    else:
        return 0
    if further:
        return sum(drop(here[key], further, instead) for key in keys)
    for key in keys:
        here[key] = instead
    return len(keys)


# Personal data and secrets


_SHORTEST = 11  # of what is found without a mark that is quickly looked for
_NOTHING: Sequence[Named] = ()


def find(text: str) -> Sequence[Named]:
    """Where a text holds personal data or a secret, in order."""
    if len(text) < _SHORTEST and "@" not in text and text.count(".") < 3 and text.count(":") < 2:
        return _NOTHING
    every: list[Named] = [*pii.find(text, checked=False), *secrets.find(text, checked=False)]
    return apart(every) if every else every


def _cleaned(trace: Trace) -> Trace:
    taken: Counter[tuple[str, str]] = Counter()

    def clean(value: Any, field: str) -> Any:
        if not value:
            return value
        made, found = replaced(value, find, numbers=True)
        for kind, number in found.items():
            taken[kind, field] += number
        return made

    def clean_name(name: str) -> str:
        alias = alias_of(name)
        return name if name == alias or clean(name, "external_id") == name else alias

    def clean_fault(fault: Fault | None, field: str) -> Fault | None:
        if fault is None:
            return None
        return Fault(clean(fault.message, field), fault.kind, clean(fault.detail, field))

    def clean_span(span: Span) -> Span:
        return replace(
            span,
            name=clean(span.name, "spans.name"),
            input=clean(span.input, "spans.input"),
            output=clean(span.output, "spans.output"),
            error=clean_fault(span.error, "spans.error"),
            attributes=clean(span.attributes, "spans.attributes"),
        )

    context = clean(trace.context, "context")
    made = replace(
        trace,
        input=clean(trace.input, "input"),
        output=clean(trace.output, "output"),
        context=tuple(context) if isinstance(context, list) else context,
        spans=tuple(map(clean_span, trace.spans)),
        error=clean_fault(trace.error, "error"),
        tags=tuple(clean(trace.tags, "tags")),
        external_id=clean_name(trace.external_id),
        versions=clean(trace.versions, "versions"),
        flaws=tuple(clean(trace.flaws, "flaws")),  # they name keys
    )
    return _telling(made, taken) if taken else made


def _telling(trace: Trace, taken: Counter[tuple[str, str]]) -> Trace:
    total: Counter[tuple[str, str]] = Counter()
    for each in trace.redacted:
        total[each.type, each.field] += each.count
    for place, number in taken.items():
        total[place] += number
    return replace(trace, redacted=tuple(Redaction(*place, number) for place, number in total.items()))
