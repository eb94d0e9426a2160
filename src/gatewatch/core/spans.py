"""Steps that an application records while it answers, collected into the trace of the case at hand.

A context variable holds the recorder of the request being answered. A run puts one there for each case; live capture
puts one there for each request, and leaves it alone when a run's is there already. Where there is none, recording
does nothing and costs next to nothing.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from gatewatch.core import codec
from gatewatch.core.clock import monotonic
from gatewatch.core.money import Cost
from gatewatch.core.trace import Fault, Span, SpanKind, Usage


class Recorder:
    """Collects what an application says of the request it is answering."""

    __slots__ = (
        "context",
        "cost",
        "offline",
        "spans",
        "started",
        "trace_id",
        "usage",
        "versions",
        "waited_s",
    )

    def __init__(self, trace_id: str = "", *, offline: bool = True) -> None:
        self.trace_id = trace_id
        self.offline = offline
        self.started = monotonic()
        self.spans: list[Span] = []
        self.versions: dict[str, str] = {}
        self.context: Any = None
        self.usage: Usage | None = None
        self.cost: Cost | None = None
        self.waited_s = 0.0


recorder: ContextVar[Recorder | None] = ContextVar("gatewatch_recorder", default=None)
_parent: ContextVar[int | None] = ContextVar("gatewatch_parent_span", default=None)


class span:  # noqa: N801 - used as a statement: `with span("search", kind="retrieval") as step:`
    """A step of the application, recorded from entry to exit.

    Set `output`, `usage`, `cost` (US dollars), `model` and `attributes` on it as they become known. An exception that
    passes through is recorded as the step's error and goes on.

        with span("search", kind="retrieval", input=question) as step:
            step.output = index.search(question)
    """

    __slots__ = ("_place", "_recorder", "_started", "_token", "attributes", "cost", "input", "kind", "model", "name",
    "output", "usage")  # fmt: skip

    def __init__(self, name: str, *, kind: SpanKind = "step", input: Any = None, **attributes: Any) -> None:  # noqa: A002
        self.name = name
        self.kind: SpanKind = kind
        self.input = input
        self.output: Any = None
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.model = ""
        self.attributes = attributes

    def __enter__(self) -> "span":
        self._recorder = recorder.get()
        if self._recorder is not None:
            self._started = monotonic()
            # The place is taken now, so that a parent stands before its children.
            self._place = len(self._recorder.spans)
            self._recorder.spans.append(Span(name=self.name, kind=self.kind))
            self._token = _parent.set(self._place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recorder is None:
            return
        _parent.reset(self._token)
        self._recorder.spans[self._place] = Span(
            name=self.name,
            kind=self.kind,
            parent=_parent.get(),
            input=_kept(self.input),
            output=_kept(self.output),
            error=None if error is None else Fault(f"{type(error).__name__}: {error}"),
            started_s=self._started - self._recorder.started,
            latency_s=monotonic() - self._started,
            model=self.model,
            usage=self.usage,
            cost=self.cost,
            attributes=_kept(self.attributes),
        )


def _kept(value: Any) -> Any:
    """A value as JSON; a recording never fails the application, so what has no JSON is kept as its `repr`."""
    try:
        return codec.plain(value)
    except ValueError:
        return codec.plain({k: _kept(v) for k, v in value.items()}) if _is_object(value) else repr(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def note(
    *,
    context: Any = None,
    usage: Usage | None = None,
    cost: float | None = None,
    versions: Mapping[str, str] | None = None,
) -> None:
    """State a fact about the request being answered, from anywhere inside the application.

    Args:
        context: the passages that the answer was built on: text, or a list of texts or objects.
        usage: tokens, added to what was noted before.
        cost: US dollars, added to what was noted before.
        versions: component versions, such as `{"prompt": "v3", "retriever": "bm25-2"}`.
    """
    current = recorder.get()
    if current is None:
        return
    if context is not None:
        current.context = _kept(context)
    if usage is not None:
        current.usage = usage if current.usage is None else current.usage + usage
    if cost is not None:
        current.cost = Cost(cost) if current.cost is None else current.cost + Cost(cost)
    if versions:
        current.versions.update({str(key): str(value) for key, value in versions.items()})
