"""Applying a scorer to a trace. Both modes go through here; a failure is a value, not a raise."""

import asyncio
import traceback
from collections.abc import Mapping
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.errors import said_by
from gatewatch.core.score import Score
from gatewatch.core.threads import Abandoned, DaemonPool
from gatewatch.scorers.base import MISSING, Scorer

if TYPE_CHECKING:
    from gatewatch.core.case import Case
    from gatewatch.core.trace import Trace

_GRACE_S = 1.0
_NOTHING: Mapping[str, Any] = {}
_PASSED, _FAILED = Score(1.0), Score(0.0)
_SKIPPED = Score(status="skipped")
_TASK_ERROR, _TASK_TIMEOUT = Score(0.0, status="task_error"), Score(0.0, status="timeout")


def verdict_without_call(
    scorer: Scorer, trace: "Trace", case: "Case | None", beside: Mapping[str, Any] = _NOTHING
) -> tuple[Score | None, dict[str, Any]]:
    """What can be said before the scorer is called: its arguments, or the score when there is no need to call it.

    A trace that failed scores 0 whatever the scorer would have said; a scorer with nothing to go by is skipped.
    """
    failed = trace.error is not None
    arguments: dict[str, Any] = {}
    for name, get in scorer.getters:
        value = beside[name] if name in beside else get(trace, case)
        if value is not MISSING:
            arguments[name] = value
        elif failed and name == "context":  # a failure leaves none
            continue
        elif name not in scorer.optional and not scorer.parts:
            return Score(status="skipped", explanation=f"no {name}"), arguments
    silent = [part.name for part in scorer.parts if _is_silent(part, trace, case, beside)]
    if silent and (scorer.needs_all or len(silent) == len(scorer.parts)):
        return Score(status="skipped", explanation=f"nothing to say: {', '.join(silent)}"), arguments
    if trace.error is not None:
        return (_TASK_TIMEOUT if trace.error.kind == "timeout" else _TASK_ERROR), arguments
    return None, arguments


def _is_silent(part: Scorer, trace: "Trace", case: "Case | None", beside: Mapping[str, Any]) -> bool:
    early, _ = verdict_without_call(part, trace, case, beside)
    return early is not None and early.status == "skipped"


def apply_inline(
    scorer: Scorer, trace: "Trace", case: "Case | None" = None, *, beside: Mapping[str, Any] = _NOTHING
) -> Score:
    """Apply a synchronous scorer here and now, on the calling thread; `beside` as in `apply`."""
    early, arguments = verdict_without_call(scorer, trace, case, beside)
    return call_inline(scorer, arguments) if early is None else early


def call_inline(scorer: Scorer, arguments: dict[str, Any]) -> Score:
    """Call a synchronous scorer with its arguments, and make a score of whatever comes of it."""
    try:
        return to_score(scorer.fn(**arguments), scorer)
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        return scorer_error(error)


async def apply(
    scorer: Scorer,
    trace: "Trace",
    case: "Case | None" = None,
    *,
    beside: Mapping[str, Any] = _NOTHING,
    timeout: float | None = None,
    threads: DaemonPool | None = None,
    patient: bool = False,
) -> Score:
    """Apply any scorer to a trace; of a composite, each part by itself, with a time of its own.

    Args:
        scorer: the scorer; models it names must have been bound.
        trace: what is scored.
        case: the case the trace answers, where there is one.
        beside: what neither of them tells: the traces of its `session`, the `other` trace it is held against.
        timeout: seconds after which the scorer is given up; its score is then a `scorer_error`.
        threads: where synchronous scorers of the user's run; without it they run on the calling thread.
        patient: whether a scorer that asks models is never given up: they have deadlines of their own, and that it
            waits for its turn is nobody's fault.
    """
    early, arguments = verdict_without_call(scorer, trace, case, beside)
    if early is not None:
        return early
    if scorer.parts and not scorer.inline:
        score: Score = await scorer.fn(**arguments, timeout=timeout, threads=threads, patient=patient)
        return score
    if patient and scorer.models:
        timeout = None
    if scorer.is_async:
        return await _call_async(scorer, arguments, timeout, threads)
    if scorer.inline or threads is None:
        return call_inline(scorer, arguments)
    try:
        return await threads.call(call_inline, scorer, arguments, timeout=timeout, what=_named(scorer))
    except Abandoned as error:
        return Score(status="scorer_error", explanation=str(error))


def _named(scorer: Scorer) -> str:
    code = getattr(scorer.fn, "__code__", None)
    return f"the scorer {scorer.name}" + (f", {code.co_filename}:{code.co_firstlineno}" if code is not None else "")


async def _call_async(
    scorer: Scorer, arguments: dict[str, Any], timeout: float | None, threads: DaemonPool | None
) -> Score:
    """Call an asynchronous scorer as a task of its own, which is left behind if it does not let itself be cancelled."""

    async def attempt() -> Score:
        try:
            return to_score(await scorer.fn(**arguments), scorer)
        except (Exception, SystemExit) as error:
            return scorer_error(error)

    call = asyncio.ensure_future(attempt())
    try:
        await asyncio.wait([call], timeout=timeout)
    except asyncio.CancelledError:
        call.cancel()
        raise
    if not call.done():
        call.cancel()
        await asyncio.wait([call], timeout=_GRACE_S)
        if not call.done() and threads is not None:
            threads.left[_named(scorer)] += 1  # counted with the threads: it, too, is busy for ever
        return Score(status="scorer_error", explanation=f"no answer within {timeout:g} s")
    return scorer_error(asyncio.CancelledError()) if call.cancelled() else call.result()


def to_score(result: Any, scorer: Scorer) -> Score:
    """Make a score of what a scorer returned: bool, number in 0..1, Score, or None for nothing to say."""
    if result is True:
        return _PASSED
    if result is False:
        return _FAILED
    if result is None:
        return _SKIPPED
    if isinstance(result, Score):
        flaw = _flaw(result)
        if flaw:
            return Score(
                status="scorer_error", explanation=f"{scorer.name} returned a score that cannot be kept: {flaw}"
            )
        score = result
        if score.value is None:
            return replace(score, status="skipped") if score.status == "scored" else score
        if score.status in ("skipped", "scorer_error"):
            return replace(score, value=None)
        value = score.value
    elif isinstance(result, Real) or hasattr(result, "__float__"):
        score, value = Score(), result
    else:
        wanted = "expected bool, a number in 0..1, Score or None"
        said = f"{scorer.name} returned {type(result).__name__}; {wanted}"
        return Score(status="scorer_error", explanation=said)
    number = float(value)
    if not isfinite(number) or not 0.0 <= number <= 1.0:
        return Score(status="scorer_error", explanation=f"{scorer.name} returned {number:g}; a score is in 0..1")
    return replace(score, value=number)


def _flaw(score: Score) -> str:
    """Why a score that a scorer filled in cannot be kept, or nothing."""
    if score.status not in ("scored", "skipped", "scorer_error"):
        return f"the status {score.status!r} is not a scorer's to give"
    try:
        given = msgspec.to_builtins(replace(score, value=None))
        codec.plain(given)
        msgspec.convert(given, Score)
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def scorer_error(error: BaseException) -> Score:
    """The score of a scorer that failed: unknown, with what went wrong and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return Score(status="scorer_error", explanation=f"{said_by(error)}{where}"[:2000])
