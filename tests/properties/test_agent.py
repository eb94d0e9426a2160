"""Invariants of the comparison of tool calls."""

import json
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.compose import composed
from gatewatch.core.trace import Trace
from gatewatch.scorers.agent import Made, _loose, fitting, tool_calls
from gatewatch.scorers.apply import apply_inline

calm = settings(deadline=None)  # this is no place to judge by the clock
# Few names and values, so that calls are often equal, or nearly.
names = st.sampled_from(["f", "g"])
values = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, "1", "a", "A", "a b", "\u00e9", "e\u0301"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=3,
)
arguments = st.dictionaries(st.sampled_from("xy"), values, max_size=2)
made_calls = st.lists(st.builds(ToolCall, names, arguments), max_size=4)
expected_calls = st.lists(
    st.builds(
        ToolCall,
        names,
        arguments,
        st.dictionaries(st.sampled_from("xy"), st.lists(values, max_size=2), max_size=2),
        st.lists(st.sampled_from("xy"), max_size=1).map(tuple),
    ),
    max_size=4,
)
orders = st.sampled_from(["any", "strict", "subset"])
strings = st.sampled_from(["exact", "loose"])


def value(expected: list[ToolCall], made: list[ToolCall], **options: Any) -> float:
    trace = Trace(output={"tool_calls": [{"name": call.name, "arguments": call.arguments} for call in made]})
    case = Case(input="?", expected=Expected(tool_calls=tuple(expected)))
    found = apply_inline(tool_calls(**options), trace, case)
    assert found.status == "scored", found
    assert found.value == 1.0 or (found.label and found.explanation)
    assert found.value is not None
    return found.value


@calm
@given(expected_calls, made_calls, strings)
def test_every_call_is_compared_as_it_would_be_alone(expected: list[ToolCall], made: list[ToolCall], how: str) -> None:
    calls = [Made(call.name, call.arguments) for call in made]
    for right, places in zip(expected, fitting(expected, calls, _loose if how == "loose" else composed), strict=True):
        alone = [value([right], [call], order="strict", strings=how) for call in made]
        assert places == [place for place, same in enumerate(alone) if same]


@calm
@given(expected_calls, made_calls, strings, st.randoms())
def test_any_order_and_subset_do_not_depend_on_the_order(
    expected: list[ToolCall], made: list[ToolCall], how: str, random: Any
) -> None:
    shuffled, turned = list(made), list(expected)
    random.shuffle(shuffled)
    random.shuffle(turned)
    for order in ("any", "subset"):
        assert value(expected, made, order=order, strings=how) == value(turned, shuffled, order=order, strings=how)


@calm
@given(expected_calls, made_calls, strings)
def test_any_order_is_right_where_some_order_is_strictly_right(
    expected: list[ToolCall], made: list[ToolCall], how: str
) -> None:
    strict = max(value(expected, list(each), order="strict", strings=how) for each in permutations(made))
    assert value(expected, made, order="any", strings=how) == strict


@calm
@given(expected_calls, made_calls, made_calls, strings)
def test_a_subset_stays_right_when_more_is_called(
    expected: list[ToolCall], made: list[ToolCall], more: list[ToolCall], how: str
) -> None:
    if expected:
        less = value(expected, made, order="subset", strings=how)
        assert value(expected, made + more, order="subset", strings=how) >= less
        assert less >= value(expected, made, order="any", strings=how)


@calm
@given(expected_calls, made_calls, orders)
def test_loose_is_never_stricter(expected: list[ToolCall], made: list[ToolCall], order: str) -> None:
    assert value(expected, made, order=order, strings="loose") >= value(expected, made, order=order, strings="exact")


@calm
@given(made_calls, orders, strings)
def test_calls_equal_themselves_and_their_json(made: list[ToolCall], order: str, how: str) -> None:
    assert value(made, made, order=order, strings=how) == 1.0
    written = [
        {"type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}} for call in made
    ]
    case = Case(input="?", expected=Expected(tool_calls=tuple(made)))
    for output in ({"tool_calls": written}, written):
        assert apply_inline(tool_calls(order=order, strings=how), Trace(output=output), case).value == 1.0  # type: ignore[arg-type]
    without = value(made, made[1:], order=order, strings=how)
    assert without == (0.0 if made else 1.0)
