"""A trace: one request end to end, whether it was made by a run or captured live."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.money import Cost

SpanKind = Literal["llm", "tool", "retrieval", "step"]


class Usage(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Tokens, as the provider counted them. None is unknown, which is not 0.

    `input_tokens` includes `cached_input_tokens` and `cache_write_tokens`, but for a provider that counts these beside
    it (`cached_apart`); `output_tokens` includes `reasoning_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_apart: bool | None = None

    def __add__(self, other: "Usage") -> "Usage":
        if self.cached_apart != other.cached_apart:
            return self.whole() + other.whole()
        return replace(self, **{f: _sum(getattr(self, f), getattr(other, f)) for f in COUNTS})

    def whole(self) -> "Usage":
        """The same, with what was cached counted among the input."""
        if not self.cached_apart:
            return self
        beside = (self.cached_input_tokens or 0) + (self.cache_write_tokens or 0)
        tokens = None if self.input_tokens is None else self.input_tokens + beside
        return replace(self, input_tokens=tokens, cached_apart=None)

    def apart(self) -> "Usage":
        """The same, with what was cached counted beside the input."""
        if self.cached_apart or not (self.cached_input_tokens or self.cache_write_tokens):
            return self
        beside = (self.cached_input_tokens or 0) + (self.cache_write_tokens or 0)
        tokens = None if self.input_tokens is None else max(self.input_tokens - beside, 0)
        return replace(self, input_tokens=tokens, cached_apart=True)


COUNTS = Usage.__struct_fields__[:-1]
"""The fields of a `Usage` that count tokens."""


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other


class Fault(Struct, frozen=True, omit_defaults=True):
    """Why a request gave no answer. `kind` tells an error from a time-out; `detail` may hold a traceback."""

    message: str
    kind: Literal["error", "timeout"] = "error"
    detail: str = ""


class Span(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A step inside a trace: a model call, a tool call, a retrieval, or any other. `cost` is in US dollars.

    `parent` is the position, in the trace's list, of the span that this one is inside of. `started_s` counts from the
    trace's start, in seconds.
    """

    name: str
    kind: SpanKind = "step"
    parent: int | None = None
    input: Any = None
    output: Any = None
    error: Fault | None = None
    started_s: float | None = None
    latency_s: float | None = None
    model: str = ""
    usage: Usage | None = None
    cost: float | None = None
    attributes: dict[str, Any] = {}


class Redaction(Struct, frozen=True):
    """What was taken out of a trace before it was kept: how much of a type ("email", "aws_key") in a field."""

    type: str
    field: str
    count: int = 1


class Trace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request end to end: the one thing that a scorer looks at, whichever mode it came from.

    `output` is text or any JSON value. `latency_s` is the time the application took, in seconds, without our own
    waiting (for a place, a rate limit or a retry), which is in `waited_s`. `versions` names the component versions
    that produced it (prompt, model, parameters, retriever, knowledge_base, tools, commit, or any the user names).

    Of live requests only: `started` is in seconds since the epoch by the application's clock; `first_token_s` the time
    to the first part of a stream; `user` a keyed hash; `external_id` the application's own name for the request (a
    message, a ticket); `variant` the arm of an A/B test; `marks` what the application said of it (`core.marks`);
    `span_id` and `parent_id` its place in a distributed trace (W3C, 16 hex digits); `redacted` what was taken out, and
    `cut` how many bytes a field had that was too long to be kept whole; `flaws` what could not be written as it was.
    """

    id: str = ""
    input: str | dict[str, Any] = ""
    output: Any = None
    context: str | tuple[str | dict[str, Any], ...] | None = None
    spans: tuple[Span, ...] = ()
    usage: Usage | None = None
    cost: Cost | None = None
    started: float | None = None
    latency_s: float | None = None
    waited_s: float = 0.0
    error: Fault | None = None
    session: str = ""
    flow: str = ""
    slice: str = ""
    versions: dict[str, str] = {}
    first_token_s: float | None = None
    user: str = ""
    external_id: str = ""
    variant: str = ""
    tags: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    span_id: str = ""
    parent_id: str = ""
    redacted: tuple[Redaction, ...] = ()
    cut: dict[str, int] = {}
    flaws: tuple[str, ...] = ()


def moved(spans: Iterable[Span], by: int) -> tuple[Span, ...]:
    """Spans as they stand in a list in which `by` others come before them."""
    return tuple(span if span.parent is None else replace(span, parent=span.parent + by) for span in spans)


def total_usage(parts: Iterable[Usage | None]) -> Usage | None:
    """The sum of the usages that are known, or None when none is."""
    total: Usage | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else total + part
    return total


Price = Callable[[str, Usage], Cost]
"""From a model's name and the tokens of a call to what the call cost."""


def cost_of_spans(spans: Iterable[Span], price: Price | None = None) -> Cost | None:
    """What the model calls among some spans cost, or None when there are none.

    A call that states no cost is priced by its model and tokens where `price` knows them, and is unknown elsewhere.
    """
    total: Cost | None = None
    for span in spans:
        if span.kind == "llm" or span.cost is not None:
            if span.cost is not None:
                part = Cost(span.cost)
            elif price is not None and span.model and span.usage is not None:
                part = price(span.model, span.usage)
            else:
                part = Cost(unknown=1)
            total = part if total is None else total + part
    return total
