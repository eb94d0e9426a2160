"""Steps that an application records while it answers, collected into the trace of the case at hand.

A context variable holds the recorder of the request being answered. A run puts one there for each case; live capture
puts one there for each request, and leaves it alone when a run's is there already. Where there is none, recording
does nothing and costs next to nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from math import isfinite
from types import TracebackType
from typing import Any

from gatewatch.core.clock import monotonic
from gatewatch.core.errors import said_by
from gatewatch.core.kept import copied
from gatewatch.core.money import Cost
from gatewatch.core.trace import Fault, Span, SpanKind, Usage


class Recorder:
    """Collects what an application says of the request it is answering."""

    __slots__ = (
        "context",
        "cost",
        "flaws",
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
        self.flaws: list[str] = []
        """What could not be kept as it was."""


MOST_LIVE_SPANS = 10_000
"""The most steps that are kept of one live request, which may go on for as long as its process."""
_MORE = "(more steps than are kept)"

recorder: ContextVar[Recorder | None] = ContextVar("gatewatch_recorder", default=None)
_parent: ContextVar[tuple[Recorder, int] | None] = ContextVar("gatewatch_parent_span", default=None)


class span:  # noqa: N801 - used as a statement: `with span("search", kind="retrieval") as step:`
    """A step of the application, recorded from entry to exit.

    Set `output`, `usage`, `cost` (US dollars), `model` and `attributes` on it as they become known; `latency_s` where
    the step's own time is other than the time from entry to exit. An exception that passes through is recorded as the
    step's error and goes on.

        with span("search", kind="retrieval", input=question) as step:
            step.output = index.search(question)
    """

    def __init__(self, name: str, *, kind: SpanKind = "step", input: Any = None, **attributes: Any) -> None:  # noqa: A002
        self.name = name
        self.kind: SpanKind = kind
        self.input = input
        self.output: Any = None
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.latency_s: float | None = None
        self.model = ""
        self.attributes = attributes
        self._recorder: Recorder | None = None

    def __enter__(self) -> "span":
        current = self._recorder = recorder.get()
        if current is not None and len(current.spans) >= MOST_LIVE_SPANS and not current.offline:
            if current.spans[-1].name != _MORE:
                current.spans.append(Span(name=_MORE))
            current = self._recorder = None
        if current is not None:
            self._started = monotonic()
            # The place is taken now, so that a parent stands before its children; it is looked up afterwards, since
            # another thread of the application may take one at the same time.
            taken = Span(name=self.name, kind=self.kind)
            current.spans.append(taken)
            last = len(current.spans) - 1
            self._place = next(place for place in range(last, -1, -1) if current.spans[place] is taken)
            above = _parent.get()
            self._above = above[1] if above is not None and above[0] is current else None
            self._token = _parent.set((current, self._place))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recorder is None:
            return
        with suppress(ValueError):  # left in another context than it was entered in, as a stream may be
            _parent.reset(self._token)
        took = monotonic() - self._started
        flaws, here = self._recorder.flaws, f"$.spans[{self._place}]"
        self._recorder.spans[self._place] = Span(
            name=self.name,
            kind=self.kind,
            parent=self._above,
            input=copied(self.input, flaws, f"{here}.input"),
            output=copied(self.output, flaws, f"{here}.output"),
            error=None if error is None else Fault(said_by(error)),
            started_s=self._started - self._recorder.started,
            latency_s=took if _finite(self.latency_s) is None else self.latency_s,
            model=self.model,
            usage=self.usage,
            cost=_finite(self.cost),
            attributes=copied(self.attributes, flaws, f"{here}.attributes"),
        )


def _finite(amount: float | None) -> float | None:
    """An amount that can be added up; NaN, infinity, less than nothing and what is no number are as good as unknown."""
    try:
        return amount if amount is not None and isfinite(amount) and amount >= 0 else None
    except Exception:  # an object of the application's may raise anything
        return None


def _spare(current: Recorder, name: str, error: Exception) -> None:
    """Keep a live application from the error of its note, and tell of it in the trace; in a run it is to be seen."""
    if current.offline:
        raise error
    flaw = f"{name} could not be noted: {type(error).__name__}"
    if flaw not in current.flaws:
        current.flaws.append(flaw)


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
        current.context = copied(context, current.flaws, "$.context")
    if usage is not None:
        try:
            current.usage = usage if current.usage is None else current.usage + usage
        except Exception as error:
            _spare(current, "usage", error)
    if cost is not None:
        paid = Cost(unknown=1) if _finite(cost) is None else Cost(cost)
        try:
            current.cost = paid if current.cost is None else current.cost + paid
        except Exception as error:
            _spare(current, "cost", error)
    if versions is not None:
        try:
            current.versions.update({str(key): str(value) for key, value in versions.items()})
        except Exception as error:
            _spare(current, "versions", error)
