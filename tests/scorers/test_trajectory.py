from collections import Counter, defaultdict
from math import fsum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.scorers.agent import calls_made
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.ops import cost
from gatewatch.scorers.trajectory import efficiency, repeats, steps, tool_errors, trajectory
from gatewatch.stats.intervals import pass_at_k, pass_hat_k
from shared import known_answers, rows


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def scored(scorer: Scorer, made: list[dict[str, Any]], expected: list[str] | None = None) -> Score:
    calls = None if expected is None else tuple(ToolCall(name) for name in expected)
    case = Case(input="?", expected=Expected(tool_calls=calls))
    return apply_inline(scorer, Trace(output={"tool_calls": made}), case)


A, B, C = call("a"), call("b"), call("c")
MODES: tuple[Any, ...] = ("exact", "in_order", "any_order", "precision", "recall")


@pytest.mark.parametrize(
    ("mode", "made", "expected", "value"),
    [
        ("exact", [A, B], ["a", "b"], 1.0),
        ("exact", [B, A], ["a", "b"], 0.0),
        ("exact", [], [], 1.0),
        ("in_order", [A, C, B], ["a", "b"], 1.0),
        ("in_order", [B, A], ["a", "b"], 0.5),
        ("in_order", [], ["a"], 0.0),
        ("any_order", [B, C, A], ["a", "b"], 1.0),
        ("any_order", [A], ["a", "a"], 0.0),
        ("precision", [A, C, C, B], ["a", "b"], 0.5),
        ("precision", [], ["a"], 0.0),
        ("precision", [A], [], 0.0),
        ("recall", [A, C], ["a", "b"], 0.5),
        ("recall", [A, A], ["a", "b"], 0.5),
    ],
)
def test_modes(mode: Any, made: list[dict[str, Any]], expected: list[str], value: float) -> None:
    assert scored(trajectory(mode=mode), made, expected).value == value


def test_arguments_count_unless_told_otherwise() -> None:
    assert scored(trajectory(), [call("a", x=1)], ["a"]).value == 0.0
    assert scored(trajectory(arguments=False), [call("a", x=1)], ["a"]).value == 1.0


def test_alternatives_are_given_to_whom_they_fit() -> None:
    expected = Expected(tool_calls=(ToolCall("a", accept={"x": [1, 2]}), ToolCall("a", {"x": 1})))
    trace = Trace(output={"tool_calls": [call("a", x=1), call("a", x=2)]})
    assert apply_inline(trajectory(mode="any_order"), trace, Case(input="?", expected=expected)).value == 1.0


def test_what_is_too_long_is_unknown() -> None:
    assert scored(trajectory(), [A] * 5_000, ["a"] * 20).value == 1.0
    score = scored(trajectory(), [A] * 5_001, ["a"] * 20)
    assert score.status == "scorer_error"
    assert score.explanation == "20 calls expected and 5,001 made are more than the 100,000 pairs compared"


def test_without_expected_calls_there_is_nothing_to_say() -> None:
    assert scored(trajectory(), [A]).status == "skipped"
    with pytest.raises(ValueError, match=r"mode must be one of exact, in_order, .*, got 'fast'"):
        trajectory(mode="fast")  # type: ignore[arg-type]


def test_efficiency() -> None:
    assert scored(efficiency(), [A, B, C, A], ["a", "b"]).value == 0.5
    assert scored(efficiency(), [A], ["a", "b"]).value == 1.0
    assert scored(efficiency(most=1), [A, B]).value == 0.5
    with pytest.raises(ValueError, match="most must be 1 or more, got 0"):
        efficiency(most=0)


def test_steps() -> None:
    spans = tuple(Span(name=str(n), kind="tool") for n in range(3))
    assert apply_inline(steps(most=3), Trace(output="x", spans=spans)).value == 1.0
    assert apply_inline(steps(most=2), Trace(output="x", spans=spans)).label == "3 steps"
    assert scored(steps(most=1), [A, B]).value == 0.0


def test_tool_errors() -> None:
    def worked(*outputs: Any, error: Fault | None = None) -> Score:
        spans = tuple(Span(name="t", kind="tool", output=each, error=error) for each in outputs)
        return apply_inline(tool_errors(), Trace(output="x", spans=spans))

    assert worked("fine", {"count": 3}).value == 1.0
    assert worked("fine", "Error: no such flight").label == "1 of 2 failed"
    assert worked({"error": "none left"}).value == 0.0
    assert worked({"error": None}, '{"error": null}', "Errors found: 0", '{"error":').value == 1.0
    assert worked('{"error": "no such flight"}').value == worked('\n{"isError": true}').value == 0.0
    assert worked("fine", error=Fault("boom")).value == 0.0
    assert worked().status == "skipped"
    graded = Trace(output="x", spans=(Span(name="t", kind="tool", output="Error"), Span(name="t", kind="tool")))
    assert apply_inline(tool_errors(graded=True), graded).value == 0.5


def test_repeats() -> None:
    assert scored(repeats(), [A, A, B]).value == 1.0
    score = scored(repeats(), [A, A, A])
    assert (score.value, score.explanation) == (0.0, "a was called 3 times alike")
    assert scored(repeats(), [call("a", x=n) for n in range(5)]).value == 1.0
    unreadable = [{"name": "a", "arguments": [n]} for n in range(5)]
    assert scored(repeats(), unreadable).value == 1.0
    assert scored(repeats(), unreadable[:1] * 3).value == 0.0


def test_messages_are_looked_at_wherever_they_are() -> None:
    messages = [{"role": "tool", "content": "Error: no such flight"}, {"role": "assistant", "content": "Sorry."}]
    for output in (messages, {"messages": messages}):
        assert apply_inline(tool_errors(), Trace(output=output)).label == "1 of 1 failed"


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_the_modes_agree_with_each_other(made: list[str], expected: list[str]) -> None:
    calls = [call(each) for each in made]
    value = {mode: scored(trajectory(mode=mode), calls, expected).value or 0.0 for mode in MODES}
    assert value["in_order"] <= value["recall"]
    assert (value["recall"] == 1.0) == (value["any_order"] == 1.0)
    assert (value["exact"] == 1.0) == (made == expected)
    if value["exact"] == 1.0:
        assert set(value.values()) == {1.0}
    shared = sum((Counter(made) & Counter(expected)).values())
    if made and expected:
        assert (value["precision"], value["recall"]) == (shared / len(made), shared / len(expected))


# Recorded trials of an agent


def test_every_recorded_call_is_read_and_counted_task_by_task() -> None:
    """Steps, errors and costs as the scorers' labels state them, against a count of the rows as they are."""
    told: defaultdict[str, list[int]] = defaultdict(list)
    found: defaultdict[str, list[int]] = defaultdict(list)
    failed: Counter[str] = Counter()
    found_failed: Counter[str] = Counter()
    costs: defaultdict[str, list[float | None]] = defaultdict(list)
    summed: dict[str, Cost] = {}
    for row in rows("agent_trials_tau", "trials.jsonl.gz"):
        task, messages, paid = row["source_id"], row["trajectory"], row["user_cost"]
        told[task].append(sum(len(message.get("tool_calls") or []) for message in messages))
        answers = [message["content"] for message in messages if message["role"] == "tool"]
        failed[task] += sum(answer.startswith("Error") for answer in answers)
        costs[task].append(paid)

        trace = Trace(output=messages, cost=Cost(unknown=1) if paid is None else Cost(paid))
        assert not [each.flaw for each in calls_made(trace) if each.flaw]
        found[task].append(int(apply_inline(steps(), trace).label.split()[0]))
        errors = apply_inline(tool_errors(), trace)
        assert errors.status == ("scored" if answers else "skipped")
        found_failed[task] += int(errors.label.split()[0]) if errors.label else 0
        priced = apply_inline(cost(), trace)
        assert priced.label == ("" if paid is None else f"{paid:.6f} USD")
        assert trace.cost is not None
        summed[task] = summed.get(task, Cost()) + trace.cost
    assert found == told
    assert sum(map(sum, told.values())) == 1011
    assert found_failed == failed
    assert failed.total() > 50
    for task, amounts in costs.items():
        assert summed[task].amount == pytest.approx(fsum(amount for amount in amounts if amount is not None), abs=1e-12)
        assert summed[task].unknown == amounts.count(None)


def test_pass_hat_k_of_the_recorded_trials() -> None:
    by_task: defaultdict[str, list[bool]] = defaultdict(list)
    for row in rows("agent_trials_tau", "trials.jsonl.gz"):
        by_task[row["source_id"]].append(row["reward"] == 1.0)
    known = known_answers("agent_trials_tau")
    counts = [(len(trials), sum(trials)) for trials in by_task.values()]
    assert len(counts) == known["tasks"]
    for k in range(1, 5):
        assert round(sum(pass_hat_k(n, c, k) for n, c in counts) / len(counts), 4) == known[f"pass^{k}"]
    assert round(sum(pass_at_k(n, c, 4) for n, c in counts) / len(counts), 4) == known["pass@4"]
    assert sum(0 < c < n for n, c in counts) == known["flaky tasks (neither 0/4 nor 4/4)"]
