"""Scorers of how an agent went about it: the calls it made against those expected, their number, errors and
repetitions."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.case import ToolCall
from gatewatch.core.score import Score
from gatewatch.core.trace import Span, Trace
from gatewatch.scorers.agent import (
    Made,
    calls_made,
    expected_calls,
    fitting,
    matched,
    messages_of,
    too_many,
)
from gatewatch.scorers.base import Scorer, built_in, getters_named
from gatewatch.scorers.structure import parse

Mode = Literal["exact", "in_order", "any_order", "precision", "recall"]
_MODES = ("exact", "in_order", "any_order", "precision", "recall")
_SAYS_ERROR = re.compile(r"\s*error\b", re.IGNORECASE)


def trajectory(*, name: str = "trajectory", mode: Mode = "in_order", arguments: bool = True) -> Scorer:
    """Make a scorer of whether the calls that an agent made are those expected, as a sequence.

    exact: the same calls in the same order and no others, 0 or 1. in_order: the share of the expected calls that were
    made in their order, others between them allowed (the longest common subsequence over the expected). any_order: 1
    when every expected call was made, whatever else was. precision and recall: the share of the calls made that were
    expected, and of those expected that were made; each call counts once. Where no call was made but some are expected,
    precision is 0; where none is expected, exact and precision are 1 when none was made, the others always. It needs
    `expected.tool_calls`; what was called, and when two calls are the same, is as for `tool_calls`. More than
    100,000 pairs of a call expected and one made are an error of the scorer.

    Args:
        name: the scorer's name.
        mode: what is compared.
        arguments: whether arguments count, or only the tools' names.

    Raises:
        ValueError: for another mode.
    """
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(_MODES)}, got {mode!r}")

    def score(trace: Trace, expected: Sequence[ToolCall]) -> Score:
        made = calls_made(trace)
        if flaw := too_many(expected, made):
            return flaw
        edges = fitting(expected, made) if arguments else _named_alike(expected, made)
        value, said = _measured(mode, edges, len(made))
        return Score(value, said, f"made: {', '.join(call.name or '?' for call in made[:20]) or 'no call'}")

    options = {"mode": mode, "arguments": arguments}
    binary = mode in ("exact", "any_order")
    scorer = built_in(name, score, version="trajectory 1", parameters=options, binary=binary)
    return replace(scorer, getters=(*getters_named(("trace",)), ("expected", expected_calls)))


def _measured(mode: str, edges: list[list[int]], made: int) -> tuple[float, str]:
    """A mode's value, and what it counts, from the places of the calls made that each expected call fits."""
    wanted = len(edges)
    if mode == "exact":
        right = wanted == made and all(place in places for place, places in enumerate(edges))
        return float(right), "same" if right else "different"
    if not wanted:
        return float(not made or mode in ("any_order", "in_order", "recall")), "no call expected"
    if mode == "in_order":
        found = _common(edges, made)
    else:
        found = sum(partner is not None for partner in matched(edges))
    if mode == "any_order":
        return float(found == wanted), f"{found} of {wanted}"
    if mode == "precision":
        return (found / made if made else 0.0), f"{found} of {made} made"
    return found / wanted, f"{found} of {wanted}"


def _common(edges: list[list[int]], made: int) -> int:
    """The length of the longest sequence of expected calls that were made in order."""
    best = [0] * (made + 1)
    for places in edges:
        alike, before = set(places), 0
        for place in range(made):
            here = best[place + 1]
            best[place + 1] = before + 1 if place in alike else max(here, best[place])
            before = here
    return best[-1]


def _named_alike(expected: Sequence[ToolCall], made: Sequence[Made]) -> list[list[int]]:
    return [[place for place, call in enumerate(made) if call.name == right.name] for right in expected]


def efficiency(*, name: str = "efficiency", most: int | None = None) -> Scorer:
    """Make a scorer of how few calls an agent needed: those expected over those made, at most 1.

    With `most` no reference is needed: it is 1 up to so many calls, then most over those made. An agent that made no
    call where some were expected has 1: whether it did what was asked is not looked at here.

    Args:
        name: the scorer's name.
        most: how many calls are no waste; by default as many as the case expects.

    Raises:
        ValueError: for a number below 1.
    """
    if most is not None and most < 1:
        raise ValueError(f"most must be 1 or more, got {most}")

    def share(trace: Trace, wanted: int) -> Score:
        made = len(calls_made(trace))
        return Score(min(1.0, wanted / made) if made else 1.0, f"{made} made, {wanted} needed")

    def score(trace: Trace, expected: Sequence[ToolCall]) -> Score:
        return share(trace, len(expected))

    def score_alone(trace: Trace) -> Score:
        assert most is not None
        return share(trace, most)

    if most is not None:
        return built_in(name, score_alone, version="efficiency 1", parameters={"most": most})
    scorer = built_in(name, score, version="efficiency 1")
    return replace(scorer, getters=(*getters_named(("trace",)), ("expected", expected_calls)))


def steps(*, name: str = "steps", most: int = 20) -> Scorer:
    """Make a scorer that gives 1 when an agent took no more than so many steps, else 0; the label counts them.

    A step is a call of a tool or of a model, or a retrieval, that the trace tells of; calls in the output's messages
    count where the trace has no steps.

    Args:
        name: the scorer's name.
        most: how many steps are allowed.

    Raises:
        ValueError: for a number below 0.
    """
    if most < 0:
        raise ValueError(f"most must be 0 or more, got {most}")

    def score(trace: Trace) -> Score:
        count = sum(span.kind in ("tool", "llm", "retrieval") for span in trace.spans) or len(calls_made(trace))
        return Score(float(count <= most), f"{count} steps")

    return built_in(name, score, version="steps 1", parameters={"most": most}, binary=True)


def tool_errors(*, name: str = "tool_errors", graded: bool = False) -> Scorer:
    """Make a detector of tool calls that failed: 1 when none did, else 0. A trace without a tool call is skipped.

    A call failed when its step has an error, or when what it gave says so: an object, or the JSON of one, with a true
    `error`, `is_error` or `isError`, or text that begins with the word "error". Where the trace has no such steps, the
    tools' messages in its output are looked at.

    Args:
        name: the scorer's name.
        graded: whether the share of calls that worked is the score.
    """

    def score(trace: Trace) -> Score | None:
        results = _results(trace)
        if not results:
            return None
        failed = [tool for tool, bad in results if bad]
        names = ", ".join(f"{count} x {tool}" for tool, count in Counter(failed).most_common(5))
        value = 1 - len(failed) / len(results) if graded else float(not failed)
        return Score(value, f"{len(failed)} of {len(results)} failed" if failed else "", names)

    return built_in(name, score, version="tool_errors 1", parameters={"graded": graded}, binary=not graded)


def _results(trace: Trace) -> list[tuple[str, bool]]:
    spans = [(span.name, _failed(span)) for span in trace.spans if span.kind == "tool"]
    if spans:
        return spans
    tools = [message for message in messages_of(trace.output) if message["role"] == "tool"]
    return [(str(each.get("name", "tool")), says_error(each.get("content"))) for each in tools]


def _failed(span: Span) -> bool:
    return span.error is not None or says_error(span.output)


def says_error(value: Any) -> bool:
    """Whether what a tool gave says that it failed."""
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return _SAYS_ERROR.match(value) is not None
        try:
            value = parse(value)
        except ValueError:
            return False
    return isinstance(value, dict) and any(bool(value.get(key)) for key in ("error", "is_error", "isError"))


def repeats(*, name: str = "repeats", most: int = 2) -> Scorer:
    """Make a detector of loops: 1 when no call was made more than so often with the same arguments, else 0.

    Calls that cannot be read are the same when they are of one tool and flawed in the same words.

    Args:
        name: the scorer's name.
        most: how often the same call may be made.

    Raises:
        ValueError: for a number below 1.
    """
    if most < 1:
        raise ValueError(f"most must be 1 or more, got {most}")

    def score(trace: Trace) -> bool | Score:
        counts = Counter((call.name, call.flaw or codec.text_of(call.arguments)) for call in calls_made(trace))
        worst = [(tool or "?", count) for (tool, _), count in counts.most_common(1) if count > most]
        return Score(0.0, "repeated", f"{worst[0][0]} was called {worst[0][1]} times alike") if worst else True

    return built_in(name, score, version="repeats 1", parameters={"most": most}, binary=True)
