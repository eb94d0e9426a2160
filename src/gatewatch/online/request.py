"""A request while it is answered, and how it becomes a record when it ends."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, get_args

import msgspec
from msgspec.structs import astuple

from gatewatch.core.clock import monotonic, wall
from gatewatch.core.errors import said_by
from gatewatch.core.kept import kept
from gatewatch.core.marks import MARKS
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder, span
from gatewatch.core.trace import Fault, Span, SpanKind, Trace, Usage, total_usage
from gatewatch.online.identity import Incoming, header, span_id, trace_id
from gatewatch.online.process import process
from gatewatch.online.serialise import as_context, as_input, plain, snapshot, written
from gatewatch.online.spool import Spool

_KINDS = frozenset(get_args(SpanKind))
_LONGEST_MESSAGE = 2000
_MOST_FRAMES = 20
_COUNTS = frozenset((int, type(None)))
_HERE = __file__.removesuffix("request.py")
_OUTER = ("session", "user", "external_id", "variant")


class Request(Recorder):
    """A request that is being answered. Set on it what is known of it, at any time before it ends.

    `input`, `output` and `context` are text or JSON values, `usage` tokens, `cost` US dollars, `versions` the versions
    of components by name. `session`, `user` (a hash of it is kept), `external_id` (a message's, a ticket's), `variant`
    and `tags` say whose it is and what kind. `latency_s` and `first_token_s` are measured where they are not set.
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
            if name in MARKS:
                self.marks = (*self.marks, name)
            else:
                process.tell_once(f"there is no mark {name!r}; there are: {', '.join(MARKS)}")
                self.flaws.append(f"unknown mark {str(name)[:40]!r}")

    def traceparent(self) -> str:
        """The W3C header by which a service that is called joins this trace."""
        if not self.span_id:
            self.span_id = span_id()
        return header(self.trace_id, self.span_id)

    def item(self, item: Any) -> None:
        """Take a part of a stream, as it goes by."""
        if self._stream is None:
            if self.first_token_s is None:
                self.first_token_s = monotonic() - self.started
            self._stream = _Stream(process.max_bytes if self.payload else 0)
        self._stream.add(item, self.flaws)

    def end(self, error: BaseException | None = None) -> None:
        """Write the request down. It never raises."""
        took = monotonic() - self.started
        try:
            if self.epoch == process.epoch:  # as `live` has it, without the call
                self.put(took, None if error is None else fault_of(error))
        except Exception as problem:
            lost(problem)
        self.epoch = -1

    def put(self, took: float | None, error: Fault | None) -> bool:  # noqa: PLR0912 - one field, one branch
        """Write the request down; whether it was taken.

        A trace is made of what there is, which is quicker than of all there may be.
        """
        spool = process.spool if type(process.spool) is Spool else process.open()
        if spool is None:
            return False
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
            more["first_token_s"] = _amount(self.first_token_s, "first_token_s", flaws)
        if self.latency_s is not None:
            took = _amount(self.latency_s, "latency_s", flaws)
        if self.session:
            more["session"] = _text(self.session)
        if self.external_id:
            more["external_id"] = _text(self.external_id)
        if self.variant:
            more["variant"] = _text(self.variant)
        if self.tags:
            more["tags"] = _texts(self.tags)
        if self.versions:
            more["versions"] = _named_texts(self.versions)
        if self.marks:
            more["marks"] = tuple(dict.fromkeys(self.marks))
        if self.span_id:
            more["span_id"], more["parent_id"] = self.span_id, self.parent_id
        if flaws:
            more["flaws"] = tuple(flaws)
        flow = _text(self.flow) or process.flow or self.name
        trace = Trace(id=self.trace_id, started=self.wall, latency_s=took, flow=flow, **more)
        return spool.put("trace", written(trace, process.max_bytes), _text(self.user) if self.user else "")

    def _add_spans(self, more: dict[str, Any]) -> None:
        """The steps, and what they add up to where the request does not state it."""
        spans = tuple(_sound_span(each, self.flaws) for each in self.spans)
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
            outer.versions = {**self.versions, **outer.versions}
            outer.tags = tuple(dict.fromkeys((*_texts(outer.tags), *_texts(self.tags))))
            step.__exit__(None if error is None else type(error), error, None)
        except Exception as problem:
            lost(problem)


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
        self.size += len(item) if kind is str else len(bytes(item)) if type(item) is msgspec.Raw else 64

    def value(self) -> Any:
        """The output that the items make."""
        if self._texts:
            return "".join(self._items)
        return self._items


def lost(problem: BaseException) -> None:
    """Count a record that could not be made, and say why, once."""
    process.tell_once(f"a request could not be recorded: {said_by(problem)}")
    if type(process.spool) is Spool:
        process.spool.drop(f"error: {type(problem).__name__}")


def fault_of(error: BaseException) -> Fault:
    """Why a request gave no answer: what the error says, and where it came from."""
    message = said_by(error)[:_LONGEST_MESSAGE]
    if isinstance(error, GeneratorExit):
        message = "GeneratorExit: the stream was closed before its end"
    frames: list[str] = []
    here = error.__traceback__
    while here is not None:
        code = here.tb_frame.f_code
        if not code.co_filename.startswith(_HERE):
            frames.append(f'File "{code.co_filename}", line {here.tb_lineno}, in {code.co_name}')
        here = here.tb_next
    if error.__cause__ is not None:
        frames.append(f"caused by {said_by(error.__cause__)[:_LONGEST_MESSAGE]}")
    return Fault(message, "timeout" if isinstance(error, TimeoutError) else "error", "\n".join(frames[-_MOST_FRAMES:]))


def as_usage(value: Any, flaws: list[str]) -> Usage | None:
    """Tokens, from a `Usage` or an object of its fields; what else there is is told of."""
    if type(value) is Usage and _COUNTS.issuperset(map(type, astuple(value))):
        return value
    try:
        named = (
            value if isinstance(value, Mapping) else {name: getattr(value, name) for name in Usage.__struct_fields__}
        )
        found = {name: named.get(name) for name in Usage.__struct_fields__}
    except Exception:
        found = {}
    if not found or any(number is not None and type(number) is not int for number in found.values()):
        flaws.append("usage is not as it should be")
        return None
    if isinstance(value, Mapping) and set(value) - set(found):
        flaws.append("usage has fields that are not known")
    return Usage(**found)


def as_cost(value: Any) -> Cost:
    """US dollars; what cannot be added up is unknown."""
    amount, unknown = (value.amount, value.unknown) if isinstance(value, Cost) else (value, 0)
    try:
        if isfinite(amount) and amount >= 0 and type(unknown) is int:
            return Cost(float(amount), unknown)
    except (TypeError, OverflowError):
        pass
    return Cost(unknown=1)


def _sound_span(each: Span, flaws: list[str]) -> Span:
    """A span that can be read back, whatever the application made of it."""
    usage = each.usage
    if (
        type(each.name) is str
        and type(each.model) is str
        and each.kind in _KINDS
        and (usage is None or (type(usage) is Usage and _COUNTS.issuperset(map(type, astuple(usage)))))
    ):
        return each
    return msgspec.structs.replace(
        each,
        name=_text(each.name),
        model=_text(each.model),
        kind=each.kind if each.kind in _KINDS else "step",
        usage=None if usage is None else as_usage(usage, flaws),
    )


def _amount(value: Any, name: str, flaws: list[str]) -> float | None:
    try:
        if isfinite(value) and value >= 0:
            return float(value)
    except (TypeError, OverflowError):
        pass
    flaws.append(f"{name} is not a number of seconds")
    return None


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:
        return f"({type(value).__name__})"


def _named_texts(value: dict[Any, Any]) -> dict[str, str]:
    for name, said in value.items():
        if type(name) is not str or type(said) is not str:
            return {_text(name): _text(said) for name, said in value.items()}
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if type(value) is tuple and set(map(type, value)) == {str}:
        return value
    if isinstance(value, str):
        return (value,)
    try:
        return tuple(_text(each) for each in value)
    except TypeError:
        return (_text(value),)
