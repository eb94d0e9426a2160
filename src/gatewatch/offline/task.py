"""What a task is to a run: something that answers a case with a trace.

The kinds are in `offline/tasks`: a Python function, a command, an HTTP endpoint, a prompt with a model, or a file of
recorded outputs. A failure of the application is raised; the run makes it a trace with an error.
"""

import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gatewatch.core import codec, shape
from gatewatch.core.case import Case
from gatewatch.core.errors import GatewatchError, said_by
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder
from gatewatch.core.trace import Fault, Price, Span, Trace, Usage, cost_of_spans, moved, total_usage

_PACKAGE = Path(__file__).resolve().parents[1]


class Task(Protocol):
    """Something that answers cases.

    `spec` is the task as a user would name it; `versions` names the component versions it is made of. `timed` says
    whether the time it takes is the application's (a recording's is not); `own_deadline` that it gives up by itself.
    """

    spec: str
    versions: dict[str, str]
    timed: bool
    own_deadline: bool

    @property
    def abandoned(self) -> int:
        """How many calls could not be ended."""
        ...

    def flaw(self, case: Case, trials: int) -> str:
        """Why this case cannot be given to this task, or nothing: asked of every case before any is run."""
        ...

    async def answer(self, case: Case, trial: int) -> Trace:
        """Answer a case. What the trace leaves open (input, latency, spans) the run fills in."""
        ...

    async def close(self) -> None:
        """Let go of whatever is held."""
        ...


class TaskFailed(Exception):  # noqa: N818 - what happened, as a user reads it
    """The application failed in a way that has a message for people; `detail` has what more there is to read."""

    detail = ""


class Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a command or an endpoint answers, and a line of recorded outputs: the output and all that is known of it."""

    output: Any = UNSET
    context: str | tuple[str | dict[str, Any], ...] | None = None
    usage: Usage | None = None
    cost: float | None = None
    latency_s: float | None = None
    spans: tuple[Span, ...] = ()
    error: str | Fault | None = None
    versions: dict[str, str] = {}


def trace_of(reply: Reply) -> Trace:
    """The trace that a reply tells of. Usage and cost that it does not state are summed from its spans."""
    error = Fault(reply.error) if isinstance(reply.error, str) else reply.error
    return Trace(
        output=None if reply.output is UNSET else reply.output,
        context=reply.context,
        spans=reply.spans,
        usage=reply.usage or total_usage(span.usage for span in reply.spans),
        cost=cost_of_spans(reply.spans) if reply.cost is None else Cost(reply.cost),
        latency_s=reply.latency_s,
        error=error,
        versions=reply.versions,
    )


def reply_of(value: Any) -> Reply:
    """A reply from a JSON object that has an `output` or an `error`.

    Raises:
        TaskFailed: when the value is something else; the message says what.
    """
    if not isinstance(value, dict) or not value.keys() & {"output", "error"}:
        raise TaskFailed('expected a JSON object with "output" or "error", got ' + codec.text_of(value)[:200])
    try:
        reply = shape.convert(codec.plain(value), Reply)
    except ValueError as error:
        raise TaskFailed(f"the reply cannot be kept: {error}") from None
    if isinstance(reply, list):
        raise TaskFailed("the reply is not as it should be: " + "; ".join(f"{path}: {what}" for path, what, _ in reply))
    if reply.output is UNSET and reply.error is None:
        raise TaskFailed("the reply has neither an output nor an error")
    return reply


def traced(value: Any) -> Trace:
    """What a Python task returned, as a trace: a `Trace` as it is, anything else as the output.

    Raises:
        TaskFailed: for an output that JSON has no word for, NaN included, and for a trace whose fields are not as they
            should be.
    """
    if type(value) is str:
        return Trace(output=value)
    try:
        if isinstance(value, Trace):
            return checked(replace(value, output=codec.plain(value.output)))
        return Trace(output=codec.plain(value))
    except ValueError as error:
        raise TaskFailed(f"the output cannot be kept: {error}") from None


def checked(trace: Trace) -> Trace:
    """A trace that somebody filled in, after checking that it can be written and read back.

    Raises:
        TaskFailed: naming the first field that is not as it should be.
    """
    try:
        given = msgspec.to_builtins(trace)
        codec.plain(given)  # NaN and infinity have no place in a cost or a latency either
        return msgspec.convert(given, Trace)
    except (ValueError, TypeError) as error:
        raise TaskFailed(f"the trace cannot be kept: {error}") from None


def fields_at(value: Any, paths: Mapping[str, str]) -> dict[str, Any]:
    """The values at some JSON paths (`choices[0].message.content`); paths that lead nowhere are left out."""
    found = {}
    for name, path in paths.items():
        here = value
        for step in path.removeprefix("$").removeprefix(".").replace("[", ".[").split("."):
            if step.startswith("[") and isinstance(here, list) and step[1:-1].lstrip("-").isdigit():
                position = int(step[1:-1])
                here = here[position] if -len(here) <= position < len(here) else UNSET
            elif step and isinstance(here, dict):
                here = here.get(step, UNSET)
            elif step:
                here = UNSET
            if isinstance(here, UnsetType):
                break
        if not isinstance(here, UnsetType):
            found[name] = here
    return found


def fault_of(error: BaseException) -> Fault:
    """Why a task gave no answer: a message for people, and the traceback where it is the application's own."""
    if isinstance(error, TaskFailed | GatewatchError):
        return Fault(str(error), detail=getattr(error, "detail", ""))
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and _is_ours(frames):
        frames = frames.tb_next
    detail = "".join(traceback.format_exception(type(error), error, frames))
    return Fault(said_by(error)[:2000], detail=detail[-6000:])


def _is_ours(frame: TracebackType) -> bool:
    """Whether a frame is the runner's: what is of interest begins behind it."""
    return Path(frame.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE)


def filled(given: Trace, case: Case, current: Recorder, latency: float | None, price: Price | None = None) -> Trace:
    """What the task gave, with what it left open: what the application recorded, and the time it took.

    Raises:
        TaskFailed: when the application recorded what cannot be kept.
    """
    waited = current.waited_s or given.waited_s
    if latency is not None:
        latency = max(0.0, latency - waited)
    if not (current.spans or current.versions or current.usage or current.cost or current.context is not None):
        # The usual case of a small task, made short: this is done for every row.
        return replace(
            given, input=case.input, latency_s=latency if given.latency_s is None else given.latency_s, waited_s=waited
        )
    whole = checked(
        replace(
            given,
            input=case.input,
            context=current.context if given.context is None else given.context,
            spans=given.spans + moved(current.spans, len(given.spans)),
            usage=given.usage or current.usage,
            cost=given.cost or current.cost,
            latency_s=latency if given.latency_s is None else given.latency_s,
            waited_s=waited,
            versions={**given.versions, **current.versions},
        )
    )
    return replace(
        whole,
        usage=whole.usage or total_usage(span.usage for span in whole.spans),
        cost=whole.cost or cost_of_spans(whole.spans, price),
    )
