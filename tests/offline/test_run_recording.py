"""What an application records while it is run ends in its trace, and in no other's."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.spans import note, recorder, span
from gatewatch.core.trace import Trace, Usage
from gatewatch.offline.result import RunResult
from offline.making import EXACT, run, text_cases

SHORT = 0.1


def trace_of(row: Row) -> Trace:
    assert row.trace is not None
    return row.trace


def only(result: RunResult) -> Trace:
    (row,) = result.rows()
    return trace_of(row)


def test_what_the_application_says_is_in_its_trace(tmp_path: Path) -> None:
    def answer(question: str) -> str:
        with span("agent", input=question) as outer:
            with span("search", kind="retrieval", k=3) as step:
                step.output = ["d1"]
            with span("llm", kind="llm") as step:
                step.model, step.usage, step.cost = "m", Usage(10, 2), 0.25
            outer.output = "done"
        note(context=["p1"], versions={"prompt": "v3"})
        return question

    trace = only(run(tmp_path, answer, text_cases(1)))
    assert [(each.name, each.kind, each.parent) for each in trace.spans] == [
        ("agent", "step", None),
        ("search", "retrieval", 0),
        ("llm", "llm", 0),
    ]
    assert (trace.usage, trace.cost, trace.context, trace.versions) == (
        Usage(10, 2), Cost(0.25), ("p1",), {"prompt": "v3"}
    )  # fmt: skip
    assert trace.spans[1].attributes == {"k": 3}


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_cases_that_run_at_once_do_not_mix(tmp_path: Path, kind: str) -> None:
    together = threading.Barrier(4)

    def answer(question: str) -> str:
        with span(question):
            together.wait(timeout=10)
            with span(f"{question} inner"):
                note(usage=Usage(int(question[1:])), versions={"q": question})
        return question

    async def answer_later(question: str) -> str:
        with span(question):
            await asyncio.sleep(0)
            with span(f"{question} inner"):
                await asyncio.sleep(0)
                note(usage=Usage(int(question[1:])), versions={"q": question})
        return question

    result = run(tmp_path, answer if kind == "sync" else answer_later, text_cases(8), concurrency=4, timeout=60)
    for row in result.rows():
        trace, question = trace_of(row), f"q{row.case[1:]}"
        assert [(each.name, each.parent) for each in trace.spans] == [(question, None), (f"{question} inner", 0)]
        assert (trace.usage, trace.versions) == (Usage(int(question[1:])), {"q": question})


def test_what_a_failing_or_late_task_recorded_is_kept(tmp_path: Path) -> None:
    async def answer(question: str) -> str:
        with span("llm", kind="llm") as step:
            step.usage, step.cost = Usage(5, 1), 0.5
        if question == "q0":
            raise ValueError("after paying")
        with span("hangs"):
            await asyncio.Event().wait()
        return question

    result = run(tmp_path, answer, text_cases(2), [EXACT], timeout=SHORT)
    found = {row.case: trace_of(row) for row in result.rows()}
    assert [found[name].cost for name in ("c0", "c1")] == [Cost(0.5), Cost(0.5)]
    assert [each.name for each in found["c1"].spans] == ["llm", "hangs"]
    assert result.summary.task_cost == Cost(1.0)


def test_our_own_waiting_is_no_latency(tmp_path: Path) -> None:
    async def answer(question: str) -> str:
        current = recorder.get()
        assert current is not None
        current.waited_s = 1000.0
        return question

    trace = only(run(tmp_path, answer, text_cases(1)))
    assert (trace.latency_s, trace.waited_s) == (0.0, 1000.0)


def test_what_cannot_be_kept_fails_its_case_and_no_other(tmp_path: Path) -> None:
    wrong: Any = {"model": "m"}

    def answer(question: str) -> str:
        note(context=wrong if question == "q1" else "p")
        return question

    result = run(tmp_path, answer, text_cases(3))
    assert sorted(trace_of(row).output for row in result.rows() if trace_of(row).error is None) == ["q0", "q2"]
    (said,) = result.summary.errors
    assert said.startswith("the trace cannot be kept: Expected `str | array | null`, got `object` - at `$.context`")


def test_a_regenerated_conversation(tmp_path: Path) -> None:
    async def answer(messages: list[dict[str, Any]]) -> str:
        with span("think"), span("deeper"):
            return f"answer {len(messages)}"

    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "b"},
    ]
    case = Case(id="c", input={"messages": messages, "assistant": "regenerated"})
    trace = only(run(tmp_path, answer, [case]))
    assert trace.output == "answer 3"
    assert [(each.name, each.parent) for each in trace.spans] == [
        ("turn 1", None), ("turn 2", None), ("think", None), ("deeper", 2), ("think", None), ("deeper", 4)
    ]  # fmt: skip
    assert trace.latency_s is not None
    assert trace.input == case.input
