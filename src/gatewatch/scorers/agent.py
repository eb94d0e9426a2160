"""Scorers of what an agent did: the tools it called, and with which arguments."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import Scorer, built_in

Same = Callable[[str, str], bool]
_LOOSE = str.maketrans("", "", " ,./-_*^'\"")


def calls_made(trace: Trace) -> tuple[ToolCall, ...]:
    """The tool calls of a trace, in order.

    They are read from the output, when it is an object with `tool_calls` or a list of calls, else from the spans of
    kind "tool". A call is `{"name", "arguments"}` or, as in OpenAI's messages, `{"function": {"name", "arguments"}}`;
    arguments are an object, or JSON text.

    Raises:
        ValueError: for a call that is none of these; it says what is wrong.
    """
    output = trace.output
    given = output.get("tool_calls") if isinstance(output, dict) else output if isinstance(output, list) else None
    if given is None and not isinstance(output, list):
        return tuple(_call(span.name, span.input) for span in trace.spans if span.kind == "tool")
    calls = []
    for item in given or ():
        inner = item.get("function", item) if isinstance(item, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise ValueError(f"not a tool call: {json.dumps(item)[:200]}")
        calls.append(_call(inner["name"], inner.get("arguments")))
    return tuple(calls)


def _call(name: str, arguments: Any) -> ToolCall:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except ValueError as error:
            raise ValueError(f"the arguments of {name} are not JSON: {error}") from None
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {name} are not an object: {json.dumps(arguments)[:200]}")
    return ToolCall(name, arguments)


def tool_calls(
    *,
    name: str = "tool_calls",
    order: Literal["any", "strict", "subset"] = "any",
    strings: Literal["exact", "loose"] = "exact",
) -> Scorer:
    """Score 1 when the calls that were made are those that were expected, else 0; the label names the first difference.

    Arguments are compared by type: 5 equals 5.0 but not "5", true is not 1, lists go element by element, objects key by
    key. `accept` and `optional` of the expected call allow for more than one right value and for parameters left out.

    Ambiguous cases: no calls expected (an empty list) and none made is 1; a case that states no expected calls is
    skipped; a call whose arguments are not JSON is wrong, not an error of the scorer.

    Args:
        name: the scorer's name.
        order: "any": the same calls in any order; "strict": in the same order; "subset": all expected calls, and
            whatever more.
        strings: "loose" compares texts regardless of case, spaces and the characters ,./-_*^'".

    Raises:
        ValueError: for another order or strings.
    """
    if order not in ("any", "strict", "subset"):
        raise ValueError(f'order must be "any", "strict" or "subset", got {order!r}')
    if strings not in ("exact", "loose"):
        raise ValueError(f'strings must be "exact" or "loose", got {strings!r}')
    same = _exactly if strings == "exact" else _loosely

    def score(trace: Trace, case: Case) -> Score | bool | None:
        expected = case.expected.tool_calls if isinstance(case.expected, Expected) else None
        if expected is None:
            return None
        try:
            made = calls_made(trace)
        except ValueError as error:
            return Score(0.0, label="unreadable call", explanation=str(error))
        if order != "subset" and len(made) != len(expected):
            return Score(0.0, label="wrong count", explanation=f"{len(made)} calls made, {len(expected)} expected")
        if order == "strict":
            flaws = (_difference(wanted, got, same) for wanted, got in zip(expected, made, strict=True))
            return next((flaw for flaw in flaws if flaw is not None), True)
        return _matched(expected, made, same)

    return built_in(name, score, version="tool_calls 1", parameters={"order": order, "strings": strings}, binary=True)


def _matched(expected: Sequence[ToolCall], made: Sequence[ToolCall], same: Same) -> Score | bool:
    """Whether every expected call has a call of its own (a maximum bipartite matching, by augmenting paths)."""
    fits = [[place for place, got in enumerate(made) if _difference(wanted, got, same) is None] for wanted in expected]
    taken: dict[int, int] = {}

    def place(wanted: int, tried: set[int]) -> bool:
        for spot in fits[wanted]:
            if spot not in tried:
                tried.add(spot)
                if spot not in taken or place(taken[spot], tried):
                    taken[spot] = wanted
                    return True
        return False

    for wanted, call in enumerate(expected):
        if not place(wanted, set()):
            flaws = [_difference(call, got, same) for got in made if got.name == call.name]
            nearest = next((flaw for flaw in flaws if flaw is not None), None)
            return nearest or Score(0.0, label="missing call", explanation=f"{call.name} was not called as expected")
    return True


def _difference(wanted: ToolCall, got: ToolCall, same: Same) -> Score | None:
    """The first difference between an expected call and one that was made, as a score; None when they agree."""
    if wanted.name != got.name:
        return Score(0.0, label="wrong name", explanation=f"{got.name} was called, {wanted.name} expected")
    known = wanted.arguments.keys() | wanted.accept.keys() | set(wanted.optional)
    for key in got.arguments.keys() - known:
        return Score(0.0, label="unexpected argument", explanation=f"{got.name}({key}=...) was not expected")
    for key in (*wanted.arguments, *(key for key in wanted.accept if key not in wanted.arguments)):
        if key not in got.arguments:
            if key in wanted.optional:
                continue
            return Score(0.0, label="missing argument", explanation=f"{got.name} lacks {key}")
        accepted = [wanted.arguments[key]] if key in wanted.arguments else []
        accepted += wanted.accept.get(key, ())
        value = got.arguments[key]
        if not any(_agree(right, value, same) for right in accepted):
            shown = " or ".join(json.dumps(right)[:80] for right in accepted[:3])
            said = f"{got.name}({key}={json.dumps(value)[:80]}), expected {shown}"
            return Score(0.0, label="wrong value", explanation=said)
    return None


def _exactly(one: str, other: str) -> bool:
    return one == other


def _loosely(one: str, other: str) -> bool:
    return one == other or one.translate(_LOOSE).casefold() == other.translate(_LOOSE).casefold()


def _agree(right: Any, value: Any, same: Same) -> bool:
    """Whether two JSON values are the same, by type."""
    if isinstance(right, bool) or isinstance(value, bool):
        return right is value
    if isinstance(right, str) and isinstance(value, str):
        return same(right, value)
    if isinstance(right, Mapping) and isinstance(value, Mapping):
        return right.keys() == value.keys() and all(_agree(right[key], value[key], same) for key in right)
    if isinstance(right, list | tuple) and isinstance(value, list | tuple):
        return len(right) == len(value) and all(_agree(*pair, same) for pair in zip(right, value, strict=True))
    return (type(right) in (int, float) and type(value) in (int, float) and right == value) or right is value is None
