"""Taking personal data and secrets out of a part before it is stored; see `online.redact` for whole traces."""

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.alias import alias_of
from gatewatch.core.spots import leaves, long_number, replaced, unescaped
from gatewatch.core.trace import Redaction
from gatewatch.online.otlp.part import Failed, Part
from gatewatch.online.redact import DROPPED, drop, find

_FIELDS = {
    "input": ("input", "trace_input"),
    "output": ("output", "trace_output"),
    "context": ("documents",),
    "error": ("error",),
    "external_id": ("external_id",),
    "tags": ("tags",),
    "versions": ("versions",),
}
_IN_SPANS = ("attributes", "error", "input", "name", "output")


class Cleaning(Struct, frozen=True, kw_only=True):
    """What is taken out of each part: personal data and secrets (`pii`), and fields by the paths of a trace."""

    pii: bool = False
    drop_fields: tuple[str, ...] = ()


def cleaned(part: Part, rules: Cleaning) -> Part:
    """A part without what the rules take out, which it tells of.

    A path of the trace's own (`input.password`) is taken out of every part, since any may become the trace's.
    """
    taken: Counter[tuple[str, str]] = Counter()
    if rules.drop_fields:
        part = _without(part, rules.drop_fields, taken)
    if rules.pii and _suspected(part):
        part = _redacted(part, taken)
    if not taken:
        return part
    return replace(part, redacted=tuple(Redaction(*place, number) for place, number in taken.items()))


def _suspected(part: Part) -> bool:
    """Whether there is anything to be found: all texts are looked at as one, which is quicker than each alone."""
    texts: list[str] = []
    for value in (getattr(part, field) for field in _ALL):
        if type(value) is str:
            texts.append(value)
        elif value:
            for leaf in leaves(value):
                if type(leaf) is str:
                    texts.append(leaf)
                elif number := long_number(leaf):
                    texts.append(number)
    if part.error is not None:
        texts += (part.error.message, part.error.type, part.error.detail)
    return bool(find(unescaped("\n\n".join(texts))))


_CONTENT = {
    "input": "input",
    "output": "output",
    "trace_input": "input",
    "trace_output": "output",
    "documents": "context",
    "attributes": "spans.attributes",
    "versions": "versions",
    "tags": "tags",
    "flaws": "flaws",
}
_NAMES = ("name", "model", "flow", "slice", "service", "variant", "finish")
_JOINED = ("session", "external_id")
_ALL = (*_CONTENT, *_NAMES, *_JOINED)


def _redacted(part: Part, taken: Counter[tuple[str, str]]) -> Part:
    def clean(value: Any, field: str) -> Any:
        if not value:
            return value
        made, found = replaced(value, find, numbers=True)
        for kind, number in found.items():
            taken[kind, field] += number
        return made

    made: dict[str, Any] = {field: clean(getattr(part, field), place) for field, place in _CONTENT.items()}
    for field in ("documents", "tags", "flaws"):
        made[field] = tuple(made[field])
    made |= {field: clean(getattr(part, field), f"spans.{field}") for field in _NAMES}
    for field in _JOINED:
        given = getattr(part, field)
        made[field] = given if clean(given, field) == given else alias_of(given)
    if (error := part.error) is not None:
        told = (clean(each, "error") for each in (error.message, error.type, error.detail))
        message, kind, detail = told
        made["error"] = Failed(message, kind, error.status, detail, error.timeout)
    return replace(part, **made)


def _without(part: Part, paths: tuple[str, ...], taken: Counter[tuple[str, str]]) -> Part:
    whole = msgspec.to_builtins(part)
    before = sum(taken.values())
    for path in paths:
        head, _, rest = path.partition(".")
        if head == "spans":
            place, _, inside = rest.partition(".")
            fields = tuple(inside.split(".")) if place in ("*", "") and inside else ()
            named = [fields] if fields and fields[0] in _IN_SPANS else [(each,) for each in _IN_SPANS if not inside]
        else:
            named = [(field, *filter(None, rest.split("."))) for field in _FIELDS.get(head, ())]
        for steps in named:
            if steps[0] in whole and (number := drop(whole, list(steps), _EMPTY.get(".".join(steps), DROPPED))):
                taken["dropped", path] += number
    return part if sum(taken.values()) == before else msgspec.convert(whole, Part)


_EMPTY: dict[str, Any] = {
    "documents": [],
    "tags": [],
    "versions": {},
    "attributes": {},
    "error": {"message": DROPPED},
}
