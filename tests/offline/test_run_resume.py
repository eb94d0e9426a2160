"""Stopping and going on: what is done stays done, nothing is paid for twice, and the money is counted through."""

import asyncio
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.errors import RunBroken
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.journal import Journal, JournalReader
from gatewatch.offline.result import execute, progress_of, summarise
from gatewatch.offline.run import Runner
from gatewatch.scorers.base import Scorer, scorer
from offline.making import EXACT, append_rows, ended, prepare, run, text_cases


class App:
    """An application that counts its calls."""

    def __init__(self, cost: float | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.cost = cost

    async def __call__(self, question: str) -> Trace:
        self.calls[question] += 1
        await asyncio.sleep(0)
        return Trace(output=question, cost=None if self.cost is None else Cost(self.cost))


class Judge:
    """A judge that counts what it is asked, and costs."""

    def __init__(self, cost: float = 0.0) -> None:
        self.calls: Counter[str] = Counter()
        self.cost = cost

    @property
    def scorer(self) -> Scorer:
        async def judge(output: str) -> Score:
            self.calls[output] += 1
            await asyncio.sleep(0)
            return Score(0.5, cost=Cost(self.cost))

        return scorer(name="judge", version="1")(judge)


def said(path: Path) -> list[Any]:
    """A run's rows without times and order."""
    found = []
    for row in JournalReader(path).rows():
        assert row.trace is not None
        scores = sorted((name, score.value, score.status) for name, score in row.scores.items())
        found.append((row.key, row.hash, row.trace.output, row.trace.error, scores))
    return sorted(found)


class TestResume:
    @pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
    def test_from_any_cut_the_rows_are_those_of_an_uninterrupted_run(self, tmp_path: Path, share: float) -> None:
        cases, whole, cut = text_cases(12, expected="q3"), tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
        run(tmp_path, App(), cases, [EXACT, Judge().scorer], name="whole", trials=2)
        run(tmp_path, App(), cases, [EXACT, Judge().scorer], name="cut", trials=2)
        data = cut.read_bytes()
        head = data.index(b"\n") + 1
        cut.write_bytes(data[: head + int((len(data) - head) * share)])
        before = list(JournalReader(cut).rows())
        app, judge = App(), Judge()
        result = run(tmp_path, app, cases, [EXACT, judge.scorer], name="cut", trials=2, resume=True)
        assert said(cut) == said(whole)
        assert (result.summary.state, result.summary.damaged) == ("complete", 0)
        assert app.calls.total() == 24 - len(before)
        assert judge.calls.total() == 24 - sum(row.complete for row in before)
        assert result.summary.states == summarise(whole).states

    def test_only_the_scores_that_are_missing_are_made(self, tmp_path: Path) -> None:
        app, first, second = App(), Judge(), Judge()
        slow = scorer(name="slow", version="1")(second.scorer.fn)
        path = tmp_path / "run.jsonl"
        prepared = prepare(tmp_path, app, text_cases(3), [first.scorer, slow])
        Journal.create(path, prepared.header).close()
        trace = Trace(output="kept", cost=Cost(1.0))
        append_rows(
            path,
            [
                Row(case="c0", trace=trace, awaits=("judge", "slow")),
                Row(case="c0", scores={"judge": Score(0.25)}),
                Row(case="c1", trace=trace, scores={"judge": Score(1.0), "slow": Score(1.0)}),
            ],
        )
        run(tmp_path, app, text_cases(3), [first.scorer, slow], resume=True)
        assert app.calls == {"q2": 1}
        assert (first.calls, second.calls) == ({"q2": 1}, {"kept": 1, "q2": 1})
        found = {
            row.case: {name: score.value for name, score in row.scores.items()} for row in JournalReader(path).rows()
        }
        assert found == {
            "c0": {"judge": 0.25, "slow": 0.5},
            "c1": {"judge": 1.0, "slow": 1.0},
            "c2": {"judge": 0.5, "slow": 0.5},
        }
        assert summarise(path).state == "complete"

    def test_a_run_that_lacks_only_scores_is_not_complete(self, tmp_path: Path) -> None:
        path = tmp_path / "run.jsonl"
        Journal.create(path, prepare(tmp_path, App(), text_cases(1), [Judge().scorer]).header).close()
        append_rows(path, [Row(case="c0", trace=Trace(output="x"), awaits=("judge",))])
        assert summarise(path).state == "partial"
        assert run(tmp_path, App(), text_cases(1), [Judge().scorer], resume=True).summary.state == "complete"

    def test_a_damaged_row_is_made_again(self, tmp_path: Path) -> None:
        path = tmp_path / "run.jsonl"
        run(tmp_path, App(), text_cases(5), [EXACT])
        lines = path.read_bytes().splitlines(keepends=True)
        lost = codec.decode((codec.unframe(lines[2]) or ("", b""))[1], Row).trace
        assert lost is not None
        lines[2] = lines[2].replace(b'"output"', b'"outptu"')
        path.write_bytes(b"".join(lines))
        summary = summarise(path)
        assert (summary.state, summary.rows, summary.damaged) == ("partial", 4, 1)
        app = App()
        summary = run(tmp_path, app, text_cases(5), [EXACT], resume=True).summary
        assert app.calls == {lost.output: 1}
        assert (summary.state, summary.rows, summary.damaged) == ("complete", 5, 1)

    def test_a_complete_run_has_nothing_left_to_do(self, tmp_path: Path) -> None:
        run(tmp_path, App(), text_cases(5), [EXACT])
        app = App()
        assert run(tmp_path, app, text_cases(5), [EXACT], resume=True).summary.state == "complete"
        assert not app.calls

    def test_trials_and_order_are_the_same_on_every_stretch(self, tmp_path: Path) -> None:
        def order(name: str, **how: Any) -> list[tuple[str, int]]:
            result = run(tmp_path, App(), text_cases(10), name=name, trials=2, concurrency=1, **how)
            return [row.key for row in result.rows()]

        assert order("a", seed=5) == order("b", seed=5)
        assert order("c", seed=6) != order("a2", seed=5)
        assert [trial for _, trial in order("d")] == [0] * 10 + [1] * 10


class TestBudget:
    def test_it_stops_cleanly_and_can_be_gone_on_with(self, tmp_path: Path) -> None:
        app = App(cost=0.5)
        result = run(tmp_path, app, text_cases(10), [EXACT], concurrency=1, budget=2.0)
        assert (result.summary.state, result.summary.rows) == ("partial", 4)
        assert result.summary.end is not None
        assert result.summary.end.reason == "the budget of 2 USD is used up"
        again = run(tmp_path, app, text_cases(10), [EXACT], concurrency=1, budget=2.0, resume=True)
        assert again.summary.rows == 4, "what was spent before counts"
        more = run(tmp_path, app, text_cases(10), [EXACT], concurrency=1, budget=3.5, resume=True)
        assert (more.summary.rows, more.summary.task_cost) == (7, Cost(3.5))
        assert set(app.calls.values()) == {1}
        last = run(tmp_path, app, text_cases(10), [EXACT], resume=True)
        assert (last.summary.state, last.summary.task_cost) == ("complete", Cost(5.0))

    def test_cells_in_flight_are_expected_to_be_as_dear_as_the_dearest(self, tmp_path: Path) -> None:
        result = run(tmp_path, App(cost=0.5), text_cases(40), [EXACT], concurrency=4, budget=5.0)
        assert 4.0 <= result.summary.task_cost.amount <= 5.0

    def test_judges_are_paid_from_it_too(self, tmp_path: Path) -> None:
        judge = Judge(cost=0.25)
        result = run(tmp_path, App(cost=0.25), text_cases(10), [judge.scorer], concurrency=1, budget=2.0)
        assert (result.summary.rows, result.summary.judge_cost) == (4, Cost(1.0))

    def test_a_row_that_was_half_done_is_counted_once(self, tmp_path: Path) -> None:
        judge = Judge(cost=0.25)
        path = tmp_path / "run.jsonl"
        Journal.create(path, prepare(tmp_path, App(0.5), text_cases(3), [judge.scorer]).header).close()
        append_rows(path, [Row(case=f"c{n}", trace=Trace(cost=Cost(0.5)), awaits=("judge",)) for n in range(2)])
        # In all it is 2.25; before the last cell at most 2.00 is spent, and it is expected to cost 0.75.
        result = run(tmp_path, App(0.5), text_cases(3), [judge.scorer], concurrency=1, budget=2.75, resume=True)
        assert result.summary.state == "complete"
        assert (result.summary.task_cost, result.summary.judge_cost) == (Cost(1.5), Cost(0.75))

    def test_all_of_it_may_be_used(self, tmp_path: Path) -> None:
        result = run(tmp_path, App(cost=0.1), text_cases(10), concurrency=1, budget=1.0)
        assert (result.summary.state, result.summary.rows) == ("complete", 10)

    def test_how_dear_a_row_can_be_is_known_from_before(self, tmp_path: Path) -> None:
        run(tmp_path, App(cost=1.0), text_cases(20), concurrency=1, budget=3.0)
        result = run(tmp_path, App(cost=1.0), text_cases(20), concurrency=8, budget=8.0, resume=True)
        assert result.summary.task_cost.amount <= 8.0

    def test_what_a_resumed_run_knows(self, tmp_path: Path) -> None:
        done = progress_of(
            run(tmp_path, App(cost=0.5), text_cases(4), concurrency=1, budget=1.0).path,
            prepare(tmp_path, App(), text_cases(4)).header,
        )
        assert (len(done.finished), done.spent, done.dearest) == (2, 1.0, 0.5)


class TestInterruption:
    def test_what_is_done_is_kept(self, tmp_path: Path) -> None:
        async def work() -> None:
            prepared = prepare(tmp_path, answer, text_cases(10), [EXACT], concurrency=2)
            journal = Journal.create(prepared.path, prepared.header)
            running = asyncio.ensure_future(Runner(prepared.plan, journal).run())
            await stuck.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        stuck = asyncio.Event()
        answered: list[str] = []

        async def answer(question: str) -> str:
            if len(answered) == 5:
                stuck.set()
                await asyncio.Event().wait()
            answered.append(question)
            return question

        with ended():
            asyncio.run(work())
        summary = summarise(tmp_path / "run.jsonl")
        assert (summary.state, summary.rows, summary.damaged) == ("partial", 5, 0)
        assert summary.end is not None
        assert (summary.end.state, summary.end.reason) == ("partial", "interrupted")
        app = App()
        assert run(tmp_path, app, text_cases(10), [EXACT], resume=True).summary.rows == 10
        assert app.calls.total() == 5

    def test_a_task_that_will_not_be_cancelled_does_not_hold_it_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatewatch.offline.run._GRACE_S", 0.1)

        async def answer(question: str) -> str:
            begun.set()
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue

        async def work() -> None:
            prepared = prepare(tmp_path, answer, text_cases(2))
            journal = Journal.create(prepared.path, prepared.header)
            running = asyncio.ensure_future(Runner(prepared.plan, journal).run())
            await begun.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        begun = asyncio.Event()
        from gatewatch.offline.result import run_on_loop

        with ended():
            run_on_loop(work())
        assert summarise(tmp_path / "run.jsonl").state == "partial"

    @pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
    def test_by_a_signal(self, tmp_path: Path, number: signal.Signals, raised: type[BaseException]) -> None:
        def interrupt(row: Row) -> None:
            if row.case == "c0":
                os.kill(os.getpid(), number)

        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with pytest.raises(raised) as caught:
            run(tmp_path, App(), text_cases(300), [EXACT], watch=interrupt, concurrency=2)
        if isinstance(caught.value, SystemExit):
            assert caught.value.code == 143
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
        summary = summarise(tmp_path / "run.jsonl")
        assert summary.state == "partial"
        assert summary.end is not None
        assert summary.end.reason == "interrupted"

    def test_sync_calls_that_are_cut_off_are_no_broken_run(self, tmp_path: Path) -> None:
        never, begun = threading.Event(), threading.Barrier(6)

        def answer(question: str) -> str:
            begun.wait(timeout=10)
            never.wait()
            return question

        async def setup(case: Case) -> None:
            if case.id == "c7":  # one that takes its time to go, so that the deadlines are looked after once more
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    await asyncio.sleep(0.2)
                    raise

        async def work() -> None:
            prepared = prepare(tmp_path, answer, text_cases(8), concurrency=8, timeout=1.0, setup=setup)
            journal = Journal.create(prepared.path, prepared.header)
            running = asyncio.ensure_future(Runner(prepared.plan, journal).run())
            await asyncio.to_thread(begun.wait, 10)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        try:
            with ended():
                asyncio.run(work())
        finally:
            never.set()
            begun.abort()
        summary = summarise(tmp_path / "run.jsonl")
        assert (summary.state, summary.end and summary.end.reason) == ("partial", "interrupted")


class TestWatching:
    def test_each_whole_row_once(self, tmp_path: Path) -> None:
        seen: list[Row] = []
        run(tmp_path, App(), text_cases(5, expected="q1"), [EXACT, Judge().scorer], watch=seen.append, trials=2)
        assert sorted(row.key for row in seen) == sorted((f"c{n}", trial) for n in range(5) for trial in (0, 1))
        assert all(set(row.scores) == {"exact", "judge"} for row in seen)

    def test_one_that_fails_breaks_the_run(self, tmp_path: Path) -> None:
        def fail(row: Row) -> None:
            raise ValueError("no terminal")

        with pytest.raises(RunBroken, match=r"^ValueError: no terminal$"):
            run(tmp_path, App(), text_cases(5), watch=fail)
        summary = summarise(tmp_path / "run.jsonl")
        assert summary.end is not None
        assert (summary.end.state, summary.end.reason) == ("broken", "ValueError: no terminal")
        assert run(tmp_path, App(), text_cases(5), resume=True).summary.state == "complete"

    def test_a_heart_that_fails_breaks_the_run_and_does_not_leave_it_without_deadlines(self, tmp_path: Path) -> None:
        async def answer(question: str) -> str:
            await asyncio.Event().wait()
            return question

        def fail() -> None:
            raise OSError("no heart")

        with ended(), pytest.raises(RunBroken, match=r"^OSError: no heart$"):
            execute(prepare(tmp_path, answer, text_cases(2)), beat=fail)

    def test_no_more_cells_at_once_than_there_are_seats(self, tmp_path: Path) -> None:
        at_once: list[int] = []
        now = 0

        async def answer(question: str) -> str:
            nonlocal now
            now += 1
            at_once.append(now)
            await asyncio.sleep(0)
            now -= 1
            return question

        run(tmp_path, answer, text_cases(20), concurrency=3)
        assert max(at_once) == 3

    def test_the_pace_of_models_is_in_the_end(self, tmp_path: Path) -> None:
        result = run(tmp_path, App(), text_cases(1), pace=lambda: {"m": {"limit": 4}})
        assert result.summary.end is not None
        assert result.summary.end.pace == {"m": {"limit": 4}}

    def test_a_dataset_that_is_written_into_breaks_the_run(self, tmp_path: Path) -> None:
        from gatewatch.core.errors import DatasetError
        from gatewatch.offline.dataset import open_dataset
        from offline.making import write

        file = write(tmp_path / "d.jsonl", *(f'{{"id": "c{n}", "input": "q{n}"}}' for n in range(20)))

        async def answer(case: Case) -> str:
            os.utime(file, ns=(1, 1))
            return "x"

        with pytest.raises(DatasetError, match="was written to while it was in use"):
            run(tmp_path, answer, open_dataset(file), concurrency=1)
        summary = summarise(tmp_path / "run.jsonl")
        assert (summary.state, summary.rows) == ("broken", 1)
        assert Fault("x").kind == "error"
