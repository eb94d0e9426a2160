"""A request while it is answered, and how it becomes a record when it ends."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from gatewatch.core.clock import monotonic, wall
from gatewatch.core.errors import said_by
from gatewatch.core.kept import MOST_FLAWS, kept
from gatewatch.core.lengths import LONGEST_NAME
from gatewatch.core.marks import MARKS
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder, span
from gatewatch.core.trace import Fault, Trace, Usage, total_usage
from gatewatch.online.identity import Incoming, header, span_id, trace_id
from gatewatch.online.process import process
from gatewatch.online.serialise import as_context, as_input, plain, size_of, snapshot, written
from gatewatch.online.spool import Spool
from gatewatch.online.told import (
    as_cost,
    as_usage,
    dict_of,
    fault_of,
    name_of,
    seconds,
    sound_span,
    tags_of,
    text_of,
    texts,
)

_OUTER = ("session", "user", "external_id", "variant")


class Request(Recorder):
    """A request that is being answered. Set on it what is known of it, at any time before it ends.

    `input`, `output` and `context` are text or JSON values, `usage` tokens, `cost` US dollars, `versions` the versions
    of components by name. `session`, `user` (a hash of it is kept), `external_id` (a message's, a ticket's), `variant`
    and `tags` say whose it is and what kind. `latency_s` and `first_token_s` are measured where they are not set.
    `wall` is when it began, in seconds since the epoch: now, unless who captures after the fact sets it.
    """

    input: Any = ""
    output: Any = None
    flow: str = ""
    session: str = ""
    user: str = ""
    external_id: str = ""
    variant: str = ""
    tags: Iterable[str] = ()
    marks: tuple[str, ...] = ()
    latency_s: float | None = None
    first_token_s: float | None = None
    payload: bool = True
    name: str = ""
    span_id: str = ""
    parent_id: str = ""
    offline = False
    context: Any = None
    usage: Usage | None = None
    cost: Cost | None = None
    waited_s = 0.0
    _stream: "_Stream | None" = None

    def __init__(self, caller: Incoming | None = None) -> None:
        self.spans = []
        self.versions = {}
        self.flaws = []
        self.epoch = process.epoch
        if caller is None:
            self.trace_id = trace_id()
        else:
            self.join(caller)
        self.wall = wall()
        self.started = monotonic()

    @property
    def live(self) -> bool:
        """Whether it is still being answered, and by this process: in a fork's child, it is the parent's."""
        return self.epoch == process.epoch

    @property
    def recorder(self) -> "Request":
        """The request that steps taken meanwhile belong to."""
        return self

    def join(self, caller: Incoming) -> None:
        """Be a part of the trace that a caller's header names."""
        self.trace_id, self.parent_id = caller
        self.span_id = span_id()

    def mark(self, *names: str) -> None:
        """Mark the request: "guardrail", "escalated" ... (`core.marks`)."""
        for name in names:
            said = text_of(name)
            if said not in MARKS:
                process.tell_once(f"there is no mark {said[:40]!r}; there are: {', '.join(MARKS)}")
                if len(self.flaws) < MOST_FLAWS:
                    self.flaws.append(f"unknown mark {said[:40]!r}")
            elif said not in texts(self.marks):
                self.marks = (*texts(self.marks), said)

    def traceparent(self) -> str:
        """The W3C header by which a service that is called joins this trace."""
        if not self.span_id:
            self.span_id = span_id()
        return header(self.trace_id, self.span_id)

    def item(self, item: Any) -> None:
        """Take a part of a stream, as it goes by. It never raises."""
        try:
            if self._stream is None:
                if self.first_token_s is None:
                    self.first_token_s = monotonic() - self.started
                self._stream = _Stream(process.max_bytes if self.payload else 0)
            self._stream.add(item, self.flaws)
        except Exception as problem:
            lost(problem)

    def end(self, error: BaseException | None = None) -> None:
        """Write the request down. It never raises."""
        try:
            took = monotonic() - self.started
            if self.epoch == process.epoch:  # as `live` has it, without the call
                if isinstance(error, GeneratorExit):  # whoever read the stream left: no failure of the application
                    self.flaws.append(CLOSED)
                    error = None
                fault = None if error is None else fault_of(error)
                if self.spans or self._stream is not None or self.context is not None:
                    self.put(took, fault)
                else:
                    self._put_later(took, fault)
        except Exception as problem:
            lost(problem)
        self.epoch = -1

    def put(self, took: float | None, error: Fault | None) -> bool:
        """Write the request down; whether it was taken."""
        spool = process.spool if type(process.spool) is Spool else process.open()
        return spool is not None and spool.put("trace", self.as_json(took, error), text_of(self.user)[:LONGEST_NAME])

    def _put_later(self, took: float, error: Fault | None) -> None:
        """Hand over what cannot change any more, for the thread that writes to make the record of.

        It is the usual, small request that is treated so: the thread makes several in a row, with warm caches.
        """
        spool = process.spool
        if type(spool) is not Spool:
            return
        state = self.__dict__.copy()
        if not self.payload:
            state["input"], state["output"] = "", None
        size = 512
        for name, value in state.items():
            kind = type(value)
            if kind not in _UNCHANGING:
                value = state[name] = _frozen(name, value, self.flaws)  # noqa: PLW2901 - as it is kept
                kind = type(value)
            if kind is str:
                size += len(value) if value.isascii() else 3 * len(value)
            elif kind is msgspec.Raw:
                size += memoryview(value).nbytes
        if not self.flow:
            state["flow"] = process.flow
        later = partial(
            _written_later,
            state,
            self.trace_id,
            self.versions and dict_of(self.versions),
            tuple(self.flaws),
            took,
            error,
        )
        spool.put("trace", later, text_of(state["user"])[:LONGEST_NAME] if self.user else "", size)

    def as_json(self, took: float | None, error: Fault | None) -> bytes:  # noqa: PLR0912 - one field, one branch
        """The request as a trace's JSON, made of what there is, which is quicker than of all there may be."""
        flaws = self.flaws
        more: dict[str, Any] = {}
        if self.usage is not None:
            more["usage"] = as_usage(self.usage, flaws)
        if self.cost is not None:
            more["cost"] = as_cost(self.cost)
        if self.spans:
            self._add_spans(more)
        if self.payload:
            self._add_payload(more)
        if error is not None:
            more["error"] = error
        if self.waited_s:
            more["waited_s"] = self.waited_s
        if self.first_token_s is not None:
            more["first_token_s"] = seconds(self.first_token_s, "first_token_s", flaws)
        if self.latency_s is not None:
            took = seconds(self.latency_s, "latency_s", flaws)
        if self.session:
            more["session"] = name_of(self.session, "session", flaws)
        if self.external_id:
            more["external_id"] = name_of(self.external_id, "external_id", flaws)
        if self.variant:
            more["variant"] = name_of(self.variant, "variant", flaws)
        if self.tags:
            more["tags"] = tags_of(self.tags, flaws)
        if self.versions:
            more["versions"] = dict_of(self.versions)
        if self.marks:
            more["marks"] = tuple(each for each in dict.fromkeys(texts(self.marks)) if each in MARKS)
        if self.span_id:
            more["span_id"], more["parent_id"] = self.span_id, self.parent_id
        flow = name_of(self.flow, "flow", flaws) or process.flow or self.name
        if self.user and len(text_of(self.user)) > LONGEST_NAME:
            flaws.append("user was cut before it was hashed")
        if flaws:
            more["flaws"] = tuple(flaws)
        trace = Trace(id=self.trace_id, started=self.wall, latency_s=took, flow=flow, **more)
        return written(trace, process.max_bytes)

    def _add_spans(self, more: dict[str, Any]) -> None:
        """The steps, and what they add up to where the request does not state it."""
        spans = tuple(sound_span(each, self.flaws) for each in self.spans)
        if self.payload:
            more["spans"] = spans
        models = [each for each in spans if each.kind == "llm"]
        if self.usage is None:
            more["usage"] = total_usage(each.usage for each in models)
        if self.cost is None and models and all(each.cost is not None for each in models):
            more["cost"] = Cost(sum(each.cost or 0.0 for each in models))

    def _add_payload(self, more: dict[str, Any]) -> None:
        """What was said."""
        flaws = self.flaws
        data = self.input
        if type(data) is not str and type(data) is not msgspec.Raw:
            data = plain(as_input(data), flaws, "$.input")
        more["input"] = data
        output = self.output
        stream = self._stream
        if type(output) is str:
            more["output"] = output
        elif output is not None:
            more["output"] = plain(output, flaws, "$.output")
        elif stream is not None:
            more["output"] = stream.value()
            if stream.size > stream.most:
                more["cut"] = {"output": stream.size}
        if self.context is not None:
            more["context"] = as_context(plain(self.context, flaws, "$.context"))


_UNCHANGING = frozenset((str, int, float, bool, type(None), msgspec.Raw, Usage, Cost))


def _frozen(name: str, value: Any, flaws: list[str]) -> Any:
    """What a request has been told, as it is now."""
    if name == "input":
        return snapshot(as_input(value), flaws, "$.input")
    if name == "output":
        return snapshot(value, flaws, "$.output")
    if name == "usage":
        return as_usage(value, flaws)
    if name == "cost":
        return as_cost(value)
    if name in ("tags", "marks"):
        return texts(value)
    return text_of(value)


def _written_later(
    state: dict[str, Any],
    trace_id: str,
    versions: dict[str, str],
    flaws: tuple[str, ...],
    took: float,
    error: Fault | None,
) -> bytes:
    request = Request.__new__(Request)
    request.__dict__.update(state)
    request.trace_id, request.versions, request.flaws, request.spans = trace_id, versions, list(flaws), []
    return request.as_json(took, error)


class Step(Request):
    """A request captured inside another one: a step of that. What it knows and the other does not, it passes on."""

    def __init__(self, outer: Request, name: str, *, given: Any, payload: bool) -> None:
        super().__init__()
        self.trace_id = outer.trace_id
        self.payload = payload
        self._outer = outer
        self._span = span(name, kind="step", input=given if payload else None)
        self._span.__enter__()

    @property
    def recorder(self) -> Request:
        """The request that steps taken meanwhile belong to."""
        return self._outer

    def mark(self, *names: str) -> None:
        """Mark the request that this is a step of."""
        self._outer.mark(*names)

    def traceparent(self) -> str:
        """The header of the request that this is a step of."""
        return self._outer.traceparent()

    def end(self, error: BaseException | None = None) -> None:
        """Write the step down. It never raises."""
        try:
            outer, step = self._outer, self._span
            if self.payload:
                step.output = self._stream.value() if self._stream is not None and self.output is None else self.output
            step.usage = None if self.usage is None else as_usage(self.usage, outer.flaws)
            cost = None if self.cost is None else as_cost(self.cost)
            step.cost = None if cost is None else cost.total
            for name in _OUTER:
                if getattr(self, name) and not getattr(outer, name):
                    setattr(outer, name, getattr(self, name))
            if self.context is not None and outer.context is None and self.payload:
                outer.context = kept(self.context, outer.flaws, "$.context")
            outer.versions = {**dict_of(self.versions), **dict_of(outer.versions)}
            outer.tags = tuple(dict.fromkeys((*texts(outer.tags), *texts(self.tags))))
            step.__exit__(None if error is None else type(error), error, None)
        except Exception as problem:
            lost(problem)


CLOSED = "the stream was closed before its end"


class _Stream:
    """What went by of a stream: its texts joined, or its items listed; no more than `most` bytes of it."""

    __slots__ = ("_items", "_texts", "most", "size")

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self._items: list[Any] = []
        self._texts = True

    def add(self, item: Any, flaws: list[str]) -> None:
        """Keep an item as it is now."""
        if self.size > self.most:
            self.size += len(item) if isinstance(item, str) else 1
            return
        kind = type(item)
        if kind is not str:
            self._texts = False
            item = snapshot(item, flaws, f"$.output[{len(self._items)}]")
        self._items.append(item)
        self.size += len(item) if kind is str else len(bytes(item)) if type(item) is msgspec.Raw else size_of(item)

    def value(self) -> Any:
        """The output that the items make."""
        if self._texts:
            return "".join(self._items)
        return self._items


def lost(problem: BaseException) -> None:
    """Count a record that could not be made, and say why, once."""
    with suppress(Exception):
        process.tell_once(f"a request could not be recorded: {said_by(problem)}")
    with suppress(Exception):
        if type(process.spool) is Spool:
            process.spool.drop(f"error: {type(problem).__name__}")
