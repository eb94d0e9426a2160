"""Scorers of what an agent did: the tools that it called."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.codec import text_of
from gatewatch.core.compose import composed
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import MISSING, Scorer, built_in, getters_named
from gatewatch.scorers.structure import parse

Text = Callable[[str], str]
Difference = tuple[str, str]
"""A label, and in words what differs."""

MOST_PAIRS = 100_000
"""How many pairs of a call expected and one made are compared: with more it would take too long."""

_SHOWN = 120
_UNHEARD = dict.fromkeys(map(ord, " \t\r\n\u00a0,./-_*^'\"‘’“”"))


class Made(NamedTuple):
    """A call as it was made; `flaw` says why it cannot be read, and is empty when it can."""

    name: str
    arguments: dict[str, Any]
    flaw: str = ""


def tool_calls(
    *,
    name: str = "tool_calls",
    order: Literal["any", "strict", "subset"] = "any",
    strings: Literal["exact", "loose"] = "exact",
) -> Scorer:
    """Make a scorer that gives 1 when the tools that should be called were called, with the right arguments, else 0.

    It needs `expected.tool_calls` and skips cases that have none; an empty list says that no call may be made, whatever
    the order. The calls made are those in the output's `tool_calls`, else the output itself when it is a list of calls,
    or those in its messages when it is a list of them or `{"messages": [...]}`, else the trace's spans of kind "tool"
    (name and input). A call is `{"name", "arguments"}`, or OpenAI's `{"function": {"name", "arguments"}}`; arguments
    are an object or its JSON text, and no text is no arguments. A call that cannot be read equals none, and is not an
    error.

    A call is right when it has the name, every argument that is not `optional`, none that is not expected, and each
    value is the one in `arguments` or one in `accept`. An optional argument for which neither has a value may be
    anything. Numbers are equal by value (5 and 5.0), but "5" is not 5, and true is not 1; lists are equal element by
    element, objects key by key; text in composed form (NFC). Where each call is compared with each, which is in any
    order and with subset, more than 100,000 pairs are an error of the scorer.

    Args:
        name: the scorer's name.
        order: "any": the same calls, in any order; "strict": in the same order; "subset": every expected call, others
            may be made beside.
        strings: "loose" lets case, white space, quotation marks and the signs , . / - _ * ^ in text count for nothing,
            at any depth, but not in keys. Then "-5" and "1.5" as text are "5" and "15".

    Raises:
        ValueError: for another order or kind of comparison.
    """
    if order not in ("any", "strict", "subset"):
        raise ValueError(f'order must be "any", "strict" or "subset", got {order!r}')
    if strings not in ("exact", "loose"):
        raise ValueError(f'strings must be "exact" or "loose", got {strings!r}')
    text: Text = _loose if strings == "loose" else composed

    def score(trace: Trace, expected: Sequence[ToolCall]) -> bool | Score:
        made = calls_made(trace)
        each_with_each = order == "subset" or (order == "any" and len(made) == len(expected))
        if each_with_each and (flaw := too_many(expected, made)):
            return flaw
        difference = _difference(expected, made, order, text)
        return True if difference is None else Score(0.0, *difference)

    options = {"order": order, "strings": strings}
    scorer = built_in(name, score, version="tool_calls 2", parameters=options, binary=True)
    # Bound to the expected calls, so that a case that states none is skipped even when its task failed.
    return replace(scorer, getters=(*getters_named(("trace",)), ("expected", expected_calls)))


def expected_calls(_trace: Trace, case: Case | None) -> Any:
    """Bind the calls that a case expects, where it states any (or that there are none)."""
    expected = None if case is None else case.expected
    calls = expected.tool_calls if isinstance(expected, Expected) else None
    return MISSING if calls is None else calls


def calls_made(trace: Trace) -> list[Made]:
    """The calls of tools that a trace tells of, in order."""
    output = trace.output
    if isinstance(output, dict) and output.get("tool_calls") is not None:
        calls = output["tool_calls"]
        return [_read(call) for call in calls] if isinstance(calls, list | tuple) else [_read(calls)]
    if isinstance(output, list | tuple) and output and all(map(_is_call, output)):
        return [_read(call) for call in output]
    if messages := messages_of(output):
        return [_read(call) for message in messages for call in _listed(message.get("tool_calls"))]
    return [_read({"name": span.name, "arguments": span.input}) for span in trace.spans if span.kind == "tool"]


def messages_of(output: Any) -> list[dict[str, Any]]:
    """The messages of an output that is a conversation, as a list or as `{"messages": [...]}`; none of any other."""
    listed = output.get("messages") if isinstance(output, dict) else output
    return [each for each in _listed(listed) if isinstance(each, dict) and isinstance(each.get("role"), str)]


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and (
        isinstance(value.get("function"), dict) or (isinstance(value.get("name"), str) and "arguments" in value)
    )


def _read(call: Any) -> Made:
    if isinstance(call, dict) and isinstance(call.get("function"), dict):
        call = call["function"]
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return Made("", {}, f"{_shown(call)} is not a call: it has no name")
    name, arguments = call["name"], call.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = parse(arguments) if arguments.strip() else None
        except ValueError as error:
            return Made(name, {}, f"the arguments of {name} are not JSON: {error}")
    if arguments is None:
        return Made(name, {})
    if not isinstance(arguments, dict):
        return Made(name, {}, f"the arguments of {name} are not an object: {_shown(arguments)}")
    return Made(name, arguments)


def _difference(expected: Sequence[ToolCall], made: Sequence[Made], order: str, text: Text) -> Difference | None:
    """The first difference between the calls expected and those made, or None when they agree."""
    if (order != "subset" or not expected) and len(made) != len(expected):
        names = ", ".join(_shown(call.name) for call in made) or "none"
        return "wrong count", f"{_calls(len(expected))} expected, {len(made)} made: {names}"
    if order == "strict":
        pairs = zip(expected, made, strict=True)
        return next((found for right, call in pairs if (found := _differs(right, call, text))), None)
    partner = matched(fitting(expected, made, text))
    for right, at in zip(expected, partner, strict=True):
        if at is None:
            free = [call for at, call in enumerate(made) if at not in partner]
            return _nearest(right, free, text)
    return None


def _calls(count: int) -> str:
    return "no call" if not count else "1 call" if count == 1 else f"{count} calls"


def _nearest(right: ToolCall, free: Sequence[Made], text: Text) -> Difference:
    """How the free call that is most like the expected one differs from it."""
    for call in sorted(free, key=lambda call: call.name != right.name):
        if found := _differs(right, call, text):
            return found
    return "wrong count", f"the call of {right.name} was expected once more than it was made"


def matched(edges: Sequence[Sequence[int]]) -> list[int | None]:
    """A largest matching: for each on the left its partner on the right, or None (augmenting paths, breadth first).

    Greedy would not do: where alternatives are accepted, the first call that fits may be the only one for another.
    """
    partner: list[int | None] = [None] * len(edges)
    owner: dict[int, int] = {}
    for start in range(len(edges)):
        reached: dict[int, int] = {}
        queue = [start]
        free: int | None = None
        for left in queue:  # it grows as we go
            for right in edges[left]:
                if right in reached:
                    continue
                reached[right] = left
                if right not in owner:
                    free = right
                    break
                queue.append(owner[right])
            if free is not None:
                break
        while free is not None:
            left = reached[free]
            owner[free] = left
            partner[left], free = free, partner[left]
    return partner


def too_many(expected: Sequence[ToolCall], made: Sequence[Made]) -> Score | None:
    """The score of more calls than can be compared each with each, or None."""
    if len(expected) * len(made) <= MOST_PAIRS:
        return None
    what = f"{len(expected):,} calls expected and {len(made):,} made are more than the {MOST_PAIRS:,} pairs compared"
    return Score(status="scorer_error", explanation=what)


def fitting(expected: Sequence[ToolCall], made: Sequence[Made], text: Text = composed) -> list[list[int]]:
    """For each expected call the places of those made that are right: from which it does not differ.

    Every value is read once and numbered, so that to compare two calls is to compare numbers.
    """
    numbers: dict[Any, int] = {}

    def number(value: Any) -> int:
        return numbers.setdefault(_comparable(value, text), len(numbers))

    by_name: dict[str, list[tuple[int, dict[str, int]]]] = {}
    for at, call in enumerate(made):
        if not call.flaw:
            given = {key: number(value) for key, value in call.arguments.items()}
            by_name.setdefault(call.name, []).append((at, given))
    edges = []
    for right in expected:
        accepted = {key: {number(value)} for key, value in right.arguments.items()}
        for key, values in right.accept.items():
            accepted.setdefault(key, set()).update(map(number, values))
        needed = accepted.keys() - set(right.optional)
        edges.append(
            [
                at
                for at, given in by_name.get(right.name, ())
                if needed <= given.keys()
                and all(
                    value in accepted[key] if key in accepted else key in right.optional for key, value in given.items()
                )
            ]
        )
    return edges


def _comparable(value: Any, text: Text) -> Any:
    """What is equal for two values, and has a hash, just when `_same` says that they are the same."""
    if isinstance(value, str):
        return "text", text(value)
    if isinstance(value, bool):
        return "truth", value
    if isinstance(value, list | tuple):
        return "list", *(_comparable(each, text) for each in value)
    if isinstance(value, dict):
        return "object", frozenset((key, _comparable(each, text)) for key, each in value.items())
    return value


def _differs(right: ToolCall, call: Made, text: Text) -> Difference | None:
    """How a call differs from the one expected, or None when it is right."""
    if call.flaw:
        return "unreadable call", call.flaw
    if call.name != right.name:
        return "wrong name", f"expected a call of {right.name}, got one of {_shown(call.name)}"
    known = {*right.arguments, *right.accept, *right.optional}
    for key in (*right.arguments, *right.accept):
        if key not in call.arguments and key not in right.optional:
            return "missing argument", f"{right.name} was called without {key}"
    for key, value in call.arguments.items():
        if key not in known:
            return "unexpected argument", f"{right.name} was called with {_shown(key)}, which is not expected"
        accepted = [*([right.arguments[key]] if key in right.arguments else []), *right.accept.get(key, ())]
        stated = key in right.arguments or key in right.accept
        if stated and not any(_same(value, each, text) for each in accepted):
            wanted = " or ".join(_shown(each) for each in accepted[:3]) or "it left out"
            return "wrong value", f"{key} of {right.name}: expected {wanted}, got {_shown(value)}"
    return None


def _same(value: Any, right: Any, text: Text) -> bool:
    if isinstance(right, str):
        return isinstance(value, str) and text(value) == text(right)
    if isinstance(right, bool) or isinstance(value, bool) or right is None:
        return value is right
    if isinstance(right, int | float):
        return isinstance(value, int | float) and value == right
    if isinstance(right, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(right)
            and all(_same(one, other, text) for one, other in zip(value, right, strict=True))
        )
    if isinstance(right, dict):
        return (
            isinstance(value, dict)
            and value.keys() == right.keys()
            and all(_same(value[key], each, text) for key, each in right.items())
        )
    return False


def _loose(text: str) -> str:
    return composed(composed(text).casefold().translate(_UNHEARD))


def _shown(value: Any) -> str:
    shown = value if isinstance(value, str) else text_of(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
