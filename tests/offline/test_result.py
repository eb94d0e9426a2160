import asyncio
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.errors import RunBroken
from gatewatch.core.money import Cost
from gatewatch.core.run import Row, RunEnd, ScorerRef
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.offline.journal import Journal
from gatewatch.offline.result import (
    NAME,
    RunResult,
    execute,
    find_run,
    new_run_id,
    progress_of,
    run_on_loop,
    run_paths,
    summarise,
    unfinished,
)
from gatewatch.offline.task import Task
from offline.making import EXACT, header, prepare, problems, rows_of, run, text_cases, write_journal


def journal(folder: Path, run: str, *, at: int, rows: int = 1, **fields: Any) -> Path:
    """The journal of a run of one case, complete or without its row, last written at a moment."""
    done = [Row(case="a", trace=Trace(output="x"))][:rows]
    path = write_journal(folder / f"{run}.jsonl", header(run=run, **fields), done)
    os.utime(path, (at, at))
    return path


def echo(question: str) -> str:
    return question


class TestNames:
    def test_an_id_says_what_it_is_a_run_of_and_when_it_began(self) -> None:
        found = new_run_id("Support Bot (v2)")
        assert re.fullmatch(r"support-bot-v2-\d{8}-\d{6}-[0-9a-f]{4}", found)
        assert NAME.fullmatch(found)

    @pytest.mark.parametrize("stem", ["", "../../etc/passwd", "---", "é", "a" * 300, ".hidden", "x/y\\z:w", "\u202e"])
    def test_whatever_it_is_called_it_is_a_good_name(self, stem: str) -> None:
        found = new_run_id(stem)
        assert NAME.fullmatch(found), found
        assert Path(found).name == found
        assert not found.startswith(".")

    def test_no_two_are_alike(self) -> None:
        assert len({new_run_id("x") for _ in range(50)}) > 45


class TestFinding:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        journal(tmp_path, "support-1", at=100, name="good", suite="support")
        journal(tmp_path, "support-2", at=300, name="worse", suite="support")
        journal(tmp_path, "search-1", at=200, name="good", suite="search")
        (tmp_path / "foreign.jsonl").write_text('{"id": "a"}\n')
        os.utime(tmp_path / "foreign.jsonl", (50, 50))
        (tmp_path / "notes.txt").write_text("no run")
        return tmp_path

    def test_newest_first(self, folder: Path) -> None:
        assert [path.stem for path in run_paths(folder)] == ["support-2", "search-1", "support-1", "foreign"]

    @pytest.mark.parametrize(
        ("reference", "found"),
        [
            ("support-1", "support-1"),
            ("latest", "support-2"),
            ("good", "search-1"),
            ("worse", "support-2"),
            ("sea", "search-1"),
        ],
    )
    def test_by_id_name_or_the_start_of_an_id(self, folder: Path, reference: str, found: str) -> None:
        assert find_run(folder, reference).stem == found

    def test_by_file(self, folder: Path) -> None:
        path = folder / "support-1.jsonl"
        assert find_run(folder / "elsewhere", str(path)) == path

    def test_an_id_that_begins_another_is_itself(self, folder: Path) -> None:
        journal(folder, "support-11", at=400)
        assert find_run(folder, "support-1").stem == "support-1"

    def test_none_or_too_many(self, folder: Path, tmp_path: Path) -> None:
        assert problems(lambda: find_run(folder, "supp")) == [
            "supp: 2 runs start so: support-2, support-1 (give the whole id, or a run's name)"
        ]
        assert problems(lambda: find_run(folder, "other")) == [
            f"other: no such run in {folder} (the newest: support-2, search-1, support-1)"
        ]
        nowhere = tmp_path / "nowhere"
        assert problems(lambda: find_run(nowhere, "latest")) == [
            f"latest: there are no runs in {nowhere} (make one with `gatewatch run SUITE`)"
        ]

    def test_what_can_be_gone_on_with(self, folder: Path) -> None:
        assert unfinished(folder, "support", "") is None, "the newest is complete"
        path = journal(folder, "support-3", at=500, rows=0, suite="support", name="good")
        assert unfinished(folder, "support", "") == path
        assert unfinished(folder, "support", "good") == path
        assert unfinished(folder, "support", "support-3") == path
        assert unfinished(folder, "support", "worse") is None
        assert unfinished(folder, "search", "") is None
        assert unfinished(folder, "other", "") is None

    def test_a_run_that_lacks_scores_can_be_gone_on_with(self, tmp_path: Path) -> None:
        head = header(["judge"], suite="support")
        path = write_journal(tmp_path / "r.jsonl", head, [Row(case="a", trace=Trace(), awaits=("judge",))])
        assert unfinished(tmp_path, "support", "") == path


class TestProgress:
    def head(self, **fields: Any) -> Any:
        refs = {"exact": ScorerRef("aaa", parts={"source": "1", "version": "1"}), "old": ScorerRef("bbb")}
        return header(refs, cases=3, components={"prompt": "v1", "model": "m"}, **fields)

    def test_what_was_done(self, tmp_path: Path) -> None:
        rows = [
            Row(case="a", trace=Trace(cost=Cost(0.5)), scores={"exact": Score(1.0)}),
            Row(case="b", trace=Trace(cost=Cost(0.25)), awaits=("exact", "old")),
            Row(case="b", scores={"exact": Score(1.0, cost=Cost(0.5))}),
            Row(case="c", scores={"exact": Score(1.0)}),
        ]
        done = progress_of(write_journal(tmp_path / "r.jsonl", self.head(), rows), self.head())
        assert done.finished == {("a", 0)}
        assert {key: row.missing for key, row in done.started.items()} == {("b", 0): ("old",)}
        assert (done.spent, done.dearest) == (1.25, 0.75)

    def test_nothing_was(self, tmp_path: Path) -> None:
        done = progress_of(write_journal(tmp_path / "r.jsonl", self.head(), []), self.head())
        assert (done.finished, done.started, done.spent, done.dearest) == (frozenset(), {}, 0.0, 0.0)

    def test_everything_that_differs_is_told(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", self.head(), [])
        now = self.head(task="app:other")
        now = replace(
            now,
            dataset=replace(now.dataset, version="1" * 12),
            components={"prompt": "v2", "index": "i"},
            scorers={"exact": ScorerRef("ccc", parts={"source": "2", "version": "1"}), "new": ScorerRef("ddd")},
        )
        begins, ends = f"{path}: cannot be resumed: the ", " now (start a new run)"
        said = problems(lambda: progress_of(path, now))
        assert [line.removeprefix(begins).removesuffix(ends) for line in said] == [
            "dataset was 000000000000 when the run began and 111111111111",
            "task was app:answer when the run began and app:other",
            "component index was None when the run began and i",
            "component model was m when the run began and None",
            "component prompt was v1 when the run began and v2",
            "scorer exact (source) was aaa when the run began and ccc",
            "scorer new was not in use when the run began and in use",
            "scorer old was in use when the run began and not in use",
        ]

    def test_a_pass_mark_or_a_name_may_change(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", self.head(), [])
        refs = {name: replace(ref, pass_at=0.5) for name, ref in self.head().scorers.items()}
        progress_of(path, replace(self.head(name="other", started="later"), scorers=refs))

    def test_another_dataset_is_refused_before_anything_is_run(self, tmp_path: Path) -> None:
        run(tmp_path, echo, text_cases(2), [EXACT])
        (said,) = problems(lambda: prepare(tmp_path, echo, text_cases(3), [EXACT], resume=True))
        assert "cannot be resumed: the dataset was " in said


class Closing:
    """A task that says when it was closed."""

    spec, timed, own_deadline, abandoned = "closing", True, False, 0

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.events: list[str] = []

    def flaw(self, case: Case, trials: int) -> str:
        return ""

    async def answer(self, case: Case, trial: int) -> Trace:
        return Trace(output="x")

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.events.append("task closed")


class TestExecuting:
    def test_the_result_is_what_the_journal_says(self, tmp_path: Path) -> None:
        result = run(tmp_path, echo, text_cases(2, expected="q1"), [EXACT], name="mine")
        assert isinstance(result, RunResult)
        assert (result.id, result.path) == ("mine", tmp_path / "mine.jsonl")
        assert sorted(rows_of(result)) == [("c0", 0), ("c1", 0)]
        assert result.summary is result.summary
        assert str(result).splitlines()[0] == "mine"
        assert repr(result) == str(result)
        assert summarise(result.path).scorers["exact"].figure.mean == 0.5

    def test_what_was_open_is_closed_in_the_end(self, tmp_path: Path) -> None:
        task = Closing()
        made: Task = task

        async def closing() -> None:
            task.events.append("the rest closed")

        execute(prepare(tmp_path, made, text_cases(2)), closing=closing)
        assert task.events == ["task closed", "the rest closed"]

    def test_and_when_the_run_broke(self, tmp_path: Path) -> None:
        task = Closing()

        def fail(row: Row) -> None:
            raise ValueError("no")

        with pytest.raises(RunBroken):
            execute(prepare(tmp_path, task, text_cases(2)), watch=fail)
        assert task.events == ["task closed"]
        Journal.resume(tmp_path / "run.jsonl").close()  # the lock was given up

    def test_a_run_that_is_there_already_is_not_overwritten(self, tmp_path: Path) -> None:
        run(tmp_path, echo, text_cases(1))
        with pytest.raises(RunBroken, match="cannot be written: File exists"):
            run(tmp_path, echo, text_cases(1))

    def test_two_processes_cannot_work_on_one_run(self, tmp_path: Path) -> None:
        prepared = prepare(tmp_path, echo, text_cases(2))
        held = Journal.create(prepared.path, prepared.header)
        with pytest.raises(RunBroken, match="another process is working on this run"):
            execute(prepare(tmp_path, echo, text_cases(2), resume=True))
        held.end(RunEnd("partial"))
        assert run(tmp_path, echo, text_cases(2), resume=True).summary.rows == 2

    def test_from_within_a_running_loop_as_in_a_notebook(self, tmp_path: Path) -> None:
        threads: list[str] = []

        async def answer(question: str) -> str:
            threads.append(threading.current_thread().name)
            return question

        async def cell() -> RunResult:
            return run(tmp_path, answer, text_cases(2), [EXACT])

        assert asyncio.run(cell()).summary.state == "complete"
        assert set(threads) == {"gatewatch-run"}

    def test_and_its_failures_come_through(self, tmp_path: Path) -> None:
        async def cell() -> None:
            run_on_loop(fail())

        async def fail() -> None:
            raise RunBroken("it broke")

        with pytest.raises(RunBroken, match="it broke"):
            asyncio.run(cell())

    def test_what_the_application_leaves_running_does_not_hold_it_up(self, tmp_path: Path) -> None:
        left: list[asyncio.Task[None]] = []

        async def background() -> None:
            await asyncio.Event().wait()

        async def answer(question: str) -> str:
            left.append(asyncio.create_task(background()))
            return question

        assert run(tmp_path, answer, text_cases(3)).summary.state == "complete"
        assert all(task.cancelled() for task in left)
