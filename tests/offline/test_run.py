"""Running: every cell ends as something, whatever the application does."""

import asyncio
import enum
import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.errors import RunBroken
from gatewatch.core.run import Row
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.result import summarise
from offline.making import EXACT, rows_of, run, text_cases

NO_COST: Any = 0.5
SHORT = 0.1
LATE = Fault(f"no answer within {SHORT:g} s", "timeout")


def trace_of(row: Row) -> Trace:
    assert row.trace is not None
    return row.trace


def outcome(row: Row) -> Any:
    """What came of a row: its output, or its error."""
    trace = trace_of(row)
    return trace.output if trace.error is None else trace.error


def first(result: Any) -> Row:
    row: Row = next(iter(result.rows()))
    return row


class TestHonesty:
    """A crash never raises a score."""

    def test_a_hundred_cases_of_which_thirty_crash_and_seventy_are_right(self, tmp_path: Path) -> None:
        async def answer(question: str) -> str:
            if int(question[1:]) < 30:
                raise ValueError("no stock")
            return "right"

        summary = run(tmp_path, answer, text_cases(100, expected="right"), [EXACT], concurrency=16).summary
        figure = summary.scorers["exact"].figure
        assert (figure.mean, figure.n) == (0.7, 100)
        assert figure.states == summary.states == {"scored": 70, "task_error": 30}
        assert summary.errors == {"ValueError: no stock": 30}
        assert (summary.state, summary.rows, summary.failed) == ("complete", 100, 30)
        assert not summary.all_failed

    def test_nothing_but_errors(self, tmp_path: Path) -> None:
        def answer(question: str) -> str:
            raise ValueError("no stock")

        summary = run(tmp_path, answer, text_cases(3), [EXACT]).summary
        assert (summary.state, summary.all_failed) == ("complete", True)
        assert summary.states == {"skipped": 3}, "nothing was expected, and so nothing is scored"

    def test_every_trial_of_every_case_has_a_row(self, tmp_path: Path) -> None:
        result = run(tmp_path, lambda question: question, text_cases(7), trials=3)
        assert sorted(row.key for row in result.rows()) == [(f"c{n}", t) for n in range(7) for t in range(3)]


class Fruit(enum.Enum):
    APPLE = "apple"


class Panic(BaseException):
    """Some libraries' errors are no Exception."""


@dataclass
class Answer:
    text: str
    sure: float


class TestWhatTasksDo:
    @pytest.mark.parametrize(
        ("raised", "message"),
        [
            (KeyError("order"), "KeyError: 'order'"),
            (SystemExit(3), "SystemExit: 3"),
            (RecursionError("deep"), "RecursionError: deep"),
            (Panic("tokenizer"), "Panic: tokenizer"),
            (asyncio.CancelledError("inside"), "CancelledError: inside"),
            (TimeoutError("its own"), "TimeoutError: its own"),
            (StopIteration("end"), "StopIteration: end"),
            (ExceptionGroup("two", [ValueError("a"), KeyError("b")]), "ExceptionGroup: two (2 sub-exceptions)"),
            (ValueError("\ud800\x00"), "ValueError: \ud800\x00"),
        ],
    )
    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_raise(self, tmp_path: Path, raised: BaseException, message: str, kind: str) -> None:
        def fail(question: str) -> str:
            if question == "q1":
                raise raised
            return question

        async def fail_later(question: str) -> str:
            await asyncio.sleep(0)
            return fail(question)

        if kind == "async" and isinstance(raised, StopIteration):
            message = "RuntimeError: coroutine raised StopIteration"
        result = run(tmp_path, fail if kind == "sync" else fail_later, text_cases(3), [EXACT], concurrency=1)
        found = rows_of(result)
        assert [outcome(found[f"c{n}", 0]) for n in (0, 2)] == ["q0", "q2"]
        error = trace_of(found["c1", 0]).error
        assert error is not None
        assert (error.message, error.kind) == (message, "error")
        assert "fail" in error.detail
        assert result.summary.state == "complete"

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            ({1, 2}, [1, 2]),
            (Answer("x", 0.5), {"text": "x", "sure": 0.5}),
            ("\ud800", "\ud800"),
            (None, None),
            (2**80, 2**80),
            (math.nan, Fault("the output cannot be kept: nan at $ has no place in JSON")),
            ({"a": [math.inf]}, Fault("the output cannot be kept: inf at $.a[0] has no place in JSON")),
            (Fruit.APPLE, Fault("the output cannot be kept: a value of type Fruit at $ has no place in JSON")),
            (
                Trace(output="x", cost=NO_COST),
                Fault("the trace cannot be kept: Expected `object | null`, got `float` - at `$.cost`"),
            ),
            (Trace(output="x", error=Fault("half")), Fault("half")),
        ],
    )
    def test_return(self, tmp_path: Path, value: Any, kept: Any) -> None:
        result = run(tmp_path, lambda question: value, text_cases(2), [EXACT])
        assert [outcome(row) for row in result.rows()] == [kept, kept]

    def test_return_a_cycle(self, tmp_path: Path) -> None:
        cycle: list[Any] = []
        cycle.append(cycle)
        found = outcome(first(run(tmp_path, lambda question: cycle, text_cases(1))))
        assert found.message.startswith("the output cannot be kept: nested more than 100 deep, or a cycle, at $[0][0]")

    def test_cancel_themselves(self, tmp_path: Path) -> None:
        async def answer(question: str) -> str:
            if question == "q0":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            return question

        result = run(tmp_path, answer, text_cases(4), concurrency=1)
        assert sorted(str(outcome(row)) for row in result.rows() if trace_of(row).error is None) == ["q1", "q2", "q3"]
        assert result.summary.errors == {"CancelledError: ": 1}


class TestDeadlines:
    @pytest.fixture(autouse=True)
    def hardly_any_grace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gatewatch.offline.run._GRACE_S", SHORT)

    def late(
        self, tmp_path: Path, answer: Callable[..., Any], *, concurrency: int = 1, cases: int = 3
    ) -> dict[str, Any]:
        """A run in which q1 is late: what came of each case."""
        result = run(
            tmp_path, answer, text_cases(cases, expected="q0"), [EXACT], concurrency=concurrency, timeout=SHORT
        )
        assert result.summary.state == "complete"
        return {row.case: outcome(row) for row in result.rows()}

    def test_an_async_task_that_waits_for_ever(self, tmp_path: Path) -> None:
        async def answer(question: str) -> str:
            if question == "q1":
                await asyncio.Event().wait()
            return question

        assert self.late(tmp_path, answer) == {"c0": "q0", "c1": LATE, "c2": "q2"}
        summary = summarise(tmp_path / "run.jsonl")
        assert summary.states == {"scored": 2, "timeout": 1}
        assert summary.scorers["exact"].figure.mean == pytest.approx(1 / 3)
        assert summary.timed == 2, "the time of one that was ended is not how long it takes"

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_one_that_will_not_be_cancelled(self, tmp_path: Path, concurrency: int) -> None:
        async def answer(question: str) -> str:
            while question == "q1":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
            return question

        assert self.late(tmp_path, answer, concurrency=concurrency, cases=5) == {
            "c0": "q0", "c1": LATE, "c2": "q2", "c3": "q3", "c4": "q4"
        }  # fmt: skip

    def test_one_that_answers_after_it_was_cancelled(self, tmp_path: Path) -> None:
        async def answer(question: str) -> str:
            if question == "q1":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    return "too late"
            return question

        assert self.late(tmp_path, answer) == {"c0": "q0", "c1": LATE, "c2": "q2"}

    def test_one_that_makes_an_error_of_the_cancellation(self, tmp_path: Path) -> None:
        async def answer(question: str) -> str:
            if question == "q1":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise RuntimeError("was interrupted") from None
            return question

        assert self.late(tmp_path, answer) == {"c0": "q0", "c1": LATE, "c2": "q2"}

    def test_the_case_after_a_late_one_starts_anew(self, tmp_path: Path) -> None:
        cancellations: list[int] = []

        async def answer(question: str) -> str:
            task = asyncio.current_task()
            assert task is not None
            cancellations.append(task.cancelling())  # task groups and timeouts go by it
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "swallowed"
            return question

        assert set(self.late(tmp_path, answer).values()) == {LATE}
        assert cancellations == [0, 0, 0]

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_a_sync_task_that_does_not_come_back(self, tmp_path: Path, concurrency: int) -> None:
        never = threading.Event()

        def answer(question: str) -> str:
            if question == "q1":
                never.wait()
            return question

        try:
            assert self.late(tmp_path, answer, concurrency=concurrency) == {"c0": "q0", "c1": LATE, "c2": "q2"}
        finally:
            never.set()

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_four_that_hang_for_good_break_the_run_which_can_be_resumed(self, tmp_path: Path, kind: str) -> None:
        never = threading.Event()
        hanging = {f"q{number}" for number in range(6)}

        def answer(question: str) -> str:
            if question in hanging:
                never.wait()
            return question

        async def answer_later(question: str) -> str:
            while question in hanging:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
            return question

        task = answer if kind == "sync" else answer_later
        cases = text_cases(30, expected="x")
        said = "4 calls did not come back after their deadline and cannot be ended (4 of the task); "
        said += "what was done is kept: --resume goes on with it"
        with pytest.raises(RunBroken, match=f"^{re.escape(said)}$"):
            run(tmp_path, task, cases, [EXACT], concurrency=1, timeout=SHORT)
        never.set()
        before = summarise(tmp_path / "run.jsonl")
        assert (before.state, before.states["timeout"]) == ("broken", 4)
        assert before.end is not None
        assert before.end.reason == said
        hanging.clear()
        summary = run(tmp_path, task, cases, [EXACT], resume=True).summary
        assert (summary.state, summary.rows) == ("complete", 30)
        assert summary.states["timeout"] == 4, "what was late stays late"
