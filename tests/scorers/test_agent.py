from collections import Counter
from typing import Any

import msgspec
import pytest

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.scorers.agent import Made, fitting, tool_calls
from gatewatch.scorers.apply import apply_inline
from real_data import bfcl_cases, bfcl_replay, bfcl_results

CATEGORIES = ("simple", "multiple_function", "parallel_function")
PARIS = ToolCall("weather", {"city": "Paris"})
ROME = ToolCall("weather", {"city": "Rome"})
DAY = ToolCall("weather", {"city": "Paris", "day": 1})
NOW = ToolCall("clock")
PARIS_CALL = {"id": "1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


def called(*calls: ToolCall) -> Trace:
    return Trace(output={"tool_calls": [{"name": call.name, "arguments": call.arguments} for call in calls]})


def score(expected: tuple[ToolCall, ...], trace: Trace, **options: Any) -> Score:
    found = apply_inline(tool_calls(**options), trace, Case(input="?", expected=Expected(tool_calls=expected)))
    assert found.status == "scored", found.explanation
    return found


def right(value: Any, given: Any, **options: Any) -> bool:
    """Whether an argument given as `given` is right where `value` is expected."""
    return score((ToolCall("f", {"x": value}),), called(ToolCall("f", {"x": given})), **options).value == 1.0


def test_a_case_that_states_no_calls_is_skipped_even_when_its_task_failed() -> None:
    scorer = tool_calls()
    assert scorer.reference_based
    failed = Trace(error=Fault("boom"))
    for case in (None, Case(input="?"), Case(input="?", expected="text"), Case(input="?", expected=Expected("text"))):
        assert apply_inline(scorer, called(PARIS), case).status == "skipped"
        assert apply_inline(scorer, failed, case).status == "skipped"
    stated = Case(input="?", expected=Expected(tool_calls=()))
    assert apply_inline(scorer, failed, stated).status == "task_error"


@pytest.mark.parametrize(
    "output",
    [
        {"tool_calls": [{"name": "weather", "arguments": {"city": "Paris"}}]},
        {"tool_calls": [{"name": "weather", "arguments": '{"city": "Paris"}'}]},
        {
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
            ],
        },
        [{"name": "weather", "arguments": {"city": "Paris"}}],
        [{"type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}],
        [{"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [PARIS_CALL]}, {"role": "assistant"}],
        {"messages": [{"role": "assistant", "tool_calls": [PARIS_CALL]}, "?", {"role": "tool", "tool_calls": 5}]},
    ],
)
def test_calls_are_read_from_the_output(output: Any) -> None:
    spans = (Span(name="other", kind="tool"),)
    assert score((PARIS,), Trace(output=output, spans=spans)).value == 1.0


@pytest.mark.parametrize("output", ["Sunny.", None, {"answer": "Sunny."}, {"tool_calls": None}, [], [{"name": "Jane"}]])
def test_calls_are_read_from_spans_where_the_output_tells_of_none(output: Any) -> None:
    spans = (
        Span(name="plan", kind="step"),
        Span(name="weather", kind="tool", input={"city": "Paris"}),
        Span(name="clock", kind="tool"),
        Span(name="gpt", kind="llm", input="clock"),
    )
    assert score((PARIS, NOW), Trace(output=output, spans=spans), order="strict").value == 1.0
    assert score((), Trace(output=output)).value == 1.0


def test_no_call_in_the_output_counts_though_spans_tell_of_one() -> None:
    trace = Trace(output={"tool_calls": []}, spans=(Span(name="clock", kind="tool"),))
    assert score((), trace).value == 1.0


@pytest.mark.parametrize("arguments", [None, "", " \n", {}, "{}"])
def test_no_arguments(arguments: Any) -> None:
    assert score((NOW,), Trace(output=[{"name": "clock", "arguments": arguments}])).value == 1.0


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"name": "clock", "arguments": "{'a': 1}"}, "the arguments of clock are not JSON"),
        ({"name": "clock", "arguments": '{"a": 1, "a": 2}'}, "given twice"),
        ({"name": "clock", "arguments": '{"a": NaN}'}, "NaN"),
        ({"name": "clock", "arguments": "[1]"}, "not an object: [1]"),
        ({"name": "clock", "arguments": 5}, "not an object: 5"),
        ({"name": 5, "arguments": {}}, "is not a call"),
        ("clock()", "is not a call"),
        (None, "is not a call"),
    ],
)
def test_a_call_that_cannot_be_read_fails_and_is_not_an_error(call: Any, why: str) -> None:
    found = score((NOW,), Trace(output={"tool_calls": [call]}))
    assert (found.value, found.label) == (0.0, "unreadable call")
    assert why in found.explanation
    assert score((), Trace(output={"tool_calls": [call]})).label == "wrong count"
    assert score((NOW,), Trace(output={"tool_calls": [call, {"name": "clock"}]}), order="subset").value == 1.0


def test_tool_calls_that_are_no_list_are_one_call() -> None:
    assert score((NOW,), Trace(output={"tool_calls": {"name": "clock"}})).value == 1.0
    assert score((NOW,), Trace(output={"tool_calls": "clock"})).label == "unreadable call"


@pytest.mark.parametrize(
    ("made", "values"),
    [
        ((PARIS, NOW, ROME), {"strict": 1.0, "any": 1.0, "subset": 1.0}),
        ((ROME, NOW, PARIS), {"strict": 0.0, "any": 1.0, "subset": 1.0}),
        ((ROME, NOW, NOW, PARIS), {"strict": 0.0, "any": 0.0, "subset": 1.0}),
        ((PARIS, NOW), {"strict": 0.0, "any": 0.0, "subset": 0.0}),
        ((PARIS, NOW, PARIS), {"strict": 0.0, "any": 0.0, "subset": 0.0}),
        ((), {"strict": 0.0, "any": 0.0, "subset": 0.0}),
    ],
)
def test_orders(made: tuple[ToolCall, ...], values: dict[str, float]) -> None:
    assert {order: score((PARIS, NOW, ROME), called(*made), order=order).value for order in values} == values


@pytest.mark.parametrize("order", ["any", "strict", "subset"])
def test_an_empty_list_says_that_no_call_may_be_made(order: str) -> None:
    assert score((), Trace(output="Hello."), order=order).value == 1.0
    found = score((), called(NOW), order=order)
    assert (found.value, found.label, found.explanation) == (0.0, "wrong count", "no call expected, 1 made: clock")


def test_calls_are_matched_as_a_whole_not_one_after_the_other() -> None:
    either = ToolCall("weather", accept={"city": ["Paris", "Rome"]})
    for made in ((PARIS, ROME), (ROME, PARIS)):
        assert score((either, PARIS), called(*made)).value == 1.0
        assert score((either, PARIS), called(NOW, *made), order="subset").value == 1.0
    chain = (*(ToolCall("f", accept={"x": [n, n + 1]}) for n in range(50)), ToolCall("f", {"x": 0}))
    assert score(chain, called(*(ToolCall("f", {"x": n}) for n in range(51)))).value == 1.0


@pytest.mark.parametrize(
    ("expected", "given", "same"),
    [
        (5, 5.0, True),
        (5.0, 5, True),
        (5, "5", False),
        ("5", 5, False),
        (1, True, False),
        (True, 1, False),
        (True, True, True),
        (0, False, False),
        (None, None, True),
        (None, 0, False),
        (0, None, False),
        (None, "", False),
        (0.1, 0.1, True),
        (2**60, 2**60 + 1, False),
        ([1, "a"], [1.0, "a"], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ((1, 2), [1, 2], True),
        ([], None, False),
        ({"a": [True]}, {"a": [1]}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, [["a", 1]], False),
        ("Paris", "paris", False),
        ("caf\u00e9", "cafe\u0301", True),
    ],
)
def test_values_are_compared_by_type(expected: Any, given: Any, same: bool) -> None:
    assert right(expected, given) is same


def test_loose_strings_at_any_depth_but_not_in_keys() -> None:
    for given in ("new york", "New-York", " NEW_YORK.", '"New York"', "\u201cNew York\u201d", "New\u00a0York"):
        assert right("New York", given, strings="loose")
        assert not right("New York", given)
        assert right([{"to": "New York"}], [{"to": given}], strings="loose")
    assert not right({"to": 1}, {"To": 1}, strings="loose")
    assert not right("5", 5, strings="loose")
    assert right("3x^2", "3x**2", strings="loose")
    assert not right("New York", "New Jersey", strings="loose")


def test_accept_optional_and_what_is_not_expected() -> None:
    call = ToolCall(
        "f", {"a": 1, "free": "x"}, accept={"a": [2, "two"], "b": [[3], {"c": 4}]}, optional=("free", "any")
    )
    for arguments in ({"a": 1, "b": [3]}, {"a": "two", "b": {"c": 4.0}}, {"a": 2, "b": [3], "free": "x", "any": [9]}):
        assert score((call,), called(ToolCall("f", arguments))).value == 1.0
    differences: dict[str, dict[str, Any]] = {
        "f was called without b": {"a": 1},
        "f was called without a": {"b": [3]},
        "f was called with c, which is not expected": {"a": 1, "b": [3], "c": 1},
        "a of f: expected 1 or 2 or two, got 3": {"a": 3, "b": [3]},
        'b of f: expected [3] or {"c":4}, got [4]': {"a": 1, "b": [4]},
        "free of f: expected x, got y": {"a": 1, "b": [3], "free": "y"},
    }
    for why, arguments in differences.items():
        assert score((call,), called(ToolCall("f", arguments))).explanation == why
    nothing = ToolCall("f", accept={"a": []}, optional=("a",))
    assert score((nothing,), called(ToolCall("f", {"a": 1}))).explanation == "a of f: expected it left out, got 1"


@pytest.mark.parametrize(
    ("made", "label", "explanation"),
    [
        ((), "wrong count", "1 call expected, 0 made: none"),
        ((PARIS, ROME), "wrong count", "1 call expected, 2 made: weather, weather"),
        ((NOW,), "wrong name", "expected a call of weather, got one of clock"),
        ((ToolCall("weather"),), "missing argument", "weather was called without city"),
        ((DAY,), "unexpected argument", "weather was called with day, which is not expected"),
        ((ROME,), "wrong value", "city of weather: expected Paris, got Rome"),
    ],
)
@pytest.mark.parametrize("order", ["any", "strict"])
def test_the_first_difference_is_named(made: tuple[ToolCall, ...], label: str, explanation: str, order: str) -> None:
    found = score((PARIS,), called(*made), order=order)
    assert (found.label, found.explanation) == (label, explanation)


def test_the_nearest_call_is_named() -> None:
    assert score((PARIS, NOW), called(NOW, ROME)).explanation == "city of weather: expected Paris, got Rome"
    assert score((PARIS, PARIS), called(PARIS), order="subset").explanation.startswith("the call of weather")
    long = score((PARIS,), called(ToolCall("weather", {"city": "x" * 10_000})))
    assert len(long.explanation) < 500


def test_every_text_is_read_once_however_many_calls_there_are() -> None:
    read: list[str] = []

    def text(value: str) -> str:
        read.append(value)
        return value

    expected = [ToolCall("lookup", {"sku": ["X1", "X2"], "n": n}) for n in range(100)]
    made = [Made("lookup", {"sku": ["X1", "X2"], "n": n}) for n in range(100)]
    assert fitting(expected, made, text) == [[n] for n in range(100)]
    assert len(read) == 400


def test_too_many_calls_are_unknown() -> None:
    calls = tuple(ToolCall("lookup", {"n": n}) for n in range(320))
    found = apply_inline(tool_calls(), called(*calls), Case(input="?", expected=Expected(tool_calls=calls)))
    assert (found.value, found.status) == (None, "scorer_error")
    assert found.explanation == "320 calls expected and 320 made are more than the 100,000 pairs compared"
    assert score(calls, called(*calls), order="strict").value == 1.0
    assert score(calls, called(*calls, NOW)).label == "wrong count"


def test_options() -> None:
    with pytest.raises(ValueError, match="order must be"):
        tool_calls(order="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="strings must be"):
        tool_calls(strings="fuzzy")  # type: ignore[arg-type]
    made = [tool_calls(), tool_calls(order="strict"), tool_calls(strings="loose")]
    assert len({scorer.fingerprint for scorer in made}) == 3


def runs_of(suffix: str) -> list[tuple[str, str]]:
    return sorted({(row["run"], row["model"]) for row in bfcl_results() if row["model"].endswith(suffix)})


def test_agreement_with_the_recorded_verdicts_on_function_calls() -> None:
    """At least 98 % for every model with function calling on every date.

    What is left are the benchmark's own rules (a whole number in a list of fractions is wrong there), answers that it
    mended between the dates, and quotation marks within text, which our loose comparison leaves out.
    """
    cases = {line["id"]: msgspec.convert(line, Case) for line in bfcl_cases()}
    valid = {(row["run"], row["model"], row["source_id"]): row["valid"] for row in bfcl_results()}
    scorer = tool_calls(strings="loose")
    runs = runs_of("-FC")
    assert runs
    for run, model in runs:
        agreed: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for line in bfcl_replay(model, run):
            case = cases[line["id"]]
            found = apply_inline(scorer, Trace(output=line["output"]), case)
            assert found.status == "scored"
            total[case.slice] += 1
            agreed[case.slice] += (found.value == 1.0) == valid[run, model, line["id"]]
        assert sum(agreed[name] for name in CATEGORIES) >= 0.98 * sum(total[name] for name in CATEGORIES), (run, model)
        if model == "gpt-4o-2024-08-06-FC":
            assert all(agreed[name] >= 0.98 * total[name] for name in CATEGORIES), (run, agreed, total)
            assert agreed["relevance"] >= 0.98 * total["relevance"]
