import asyncio
from pathlib import Path

import pytest

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.task import TaskFailed
from gatewatch.offline.tasks.recorded import RecordedTask
from offline.making import EXACT, header, rows_of, run, text_cases, write_journal

A, B = Case(id="a", input="qa", expected="A"), Case(id="b", input="qb")


def row(case: Case, trace: Trace, *, trial: int = 0, **scores: float) -> Row:
    given = {name: Score(value) for name, value in scores.items()}
    return Row(case=case.id, trial=trial, hash=case.hash, trace=trace, scores=given)


def recorded(folder: Path, *rows: Row, trials: int = 1) -> RecordedTask:
    head = header(["exact"], cases=len(rows) // trials, trials=trials, components={"prompt": "p1"})
    return RecordedTask([read_run(write_journal(folder / "r.jsonl", head, rows))])


def answered(task: RecordedTask, case: Case, trial: int = 0) -> Trace:
    return asyncio.run(task.answer(case, trial))


def test_it_is_the_version_that_the_run_was_of(tmp_path: Path) -> None:
    task = recorded(tmp_path, row(A, Trace(output="x")))
    assert (task.spec, task.versions, task.trials) == ("app:answer", {"prompt": "p1"}, 1)
    assert (task.timed, task.own_deadline, task.abandoned) == (False, False, 0)
    task.versions["prompt"] = "other"
    assert recorded(tmp_path / "two", row(A, Trace())).versions == {"prompt": "p1"}
    asyncio.run(task.close())


def test_the_traces_are_given_whole(tmp_path: Path) -> None:
    whole = Trace(input="qa", output={"k": ["\u00e9"]}, spans=(Span(name="s"),), latency_s=1.5, versions={"model": "m"})
    failed = Trace(input="qb", error=Fault("no"))
    task = recorded(tmp_path, row(A, whole), row(B, failed))
    assert (answered(task, A), answered(task, B)) == (whole, failed)


def test_a_trace_is_given_without_what_was_said_of_it_later(tmp_path: Path) -> None:
    late = Row(case="a", scores={"judge": Score(1.0)})
    task = recorded(tmp_path, row(A, Trace(output="x")), late)
    assert answered(task, A) == Trace(output="x")


def test_only_the_very_case_has_an_output(tmp_path: Path) -> None:
    task = recorded(tmp_path, row(A, Trace(output="x")))
    changed = Case(id="a", input="qa", expected="other")
    assert [task.has(case) for case in (A, B, changed)] == [True, False, False]
    assert task.flaw(A, 1) == ""
    said = "there is no stored output of this case as it is now"
    assert [task.flaw(case, 1) for case in (B, changed)] == [said, said]


def test_trials(tmp_path: Path) -> None:
    rows = [row(case, Trace(output=f"{case.id}{n}"), trial=n) for n in range(3) for case in (A, B)]
    task = recorded(tmp_path, *rows[:-1], trials=3)
    assert task.trials == 2, "as many as every case has"
    assert [answered(task, A, n).output for n in range(3)] == ["a0", "a1", "a2"]
    assert (task.flaw(A, 3), task.flaw(B, 2)) == ("", "")
    assert task.flaw(B, 3) == "there are 2 stored outputs of this case, not 3"


def test_the_trials_of_further_runs_come_after_those_of_the_first(tmp_path: Path) -> None:
    first = write_journal(tmp_path / "one.jsonl", header(cases=1), [row(A, Trace(output="a0"))])
    more = [row(A, Trace(output="a1")), row(A, Trace(output="a2"), trial=1), row(B, Trace(output="b0"))]
    changed = row(Case(id="a", input="other"), Trace(output="no"))
    paths = [first, write_journal(tmp_path / "two.jsonl", header(), more)]
    paths.append(write_journal(tmp_path / "three.jsonl", header(), [changed]))
    task = RecordedTask([read_run(path) for path in paths])
    assert (task.trials, task.has(B)) == (3, False)
    assert [answered(task, A, n).output for n in range(3)] == ["a0", "a1", "a2"]


def test_each_trial_keeps_its_number(tmp_path: Path) -> None:
    task = recorded(tmp_path, *(row(A, Trace(output=f"a{n}"), trial=n) for n in (2, 0, 1)), trials=3)
    assert [answered(task, A, n).output for n in range(3)] == ["a0", "a1", "a2"]


class TestDamage:
    def spoilt(self, folder: Path) -> tuple[RecordedTask, Path]:
        """A recording whose first record was damaged after it was opened."""
        task = recorded(folder, row(A, Trace(output="xxxx")), row(B, Trace(output="y")))
        path = folder / "r.jsonl"
        path.write_bytes(path.read_bytes().replace(b"xxxx", b"xxxy"))
        return task, path

    def test_a_damaged_record_is_said_to_be_damaged(self, tmp_path: Path) -> None:
        task, path = self.spoilt(tmp_path)
        with pytest.raises(TaskFailed) as caught:
            answered(task, A)
        assert str(caught.value) == f"{path}: the record of case a, trial 0 is damaged"
        assert answered(task, B).output == "y"

    def test_what_was_damaged_before_is_not_there(self, tmp_path: Path) -> None:
        _, path = self.spoilt(tmp_path)
        task = RecordedTask([read_run(path)])
        assert (task.has(A), task.has(B), task.trials) == (False, True, 1)

    def test_what_is_behind_the_end_of_the_file_too(self, tmp_path: Path) -> None:
        task = recorded(tmp_path, row(A, Trace(output="x")), row(B, Trace(output="y")))
        path = tmp_path / "r.jsonl"
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(TaskFailed, match=r"the record of case b, trial 0 is damaged"):
            answered(task, B)

    def test_a_record_that_is_whole_but_no_row(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", header(cases=1), [])
        with path.open("ab") as file:
            file.write(codec.frame("row", codec.encode({"case": "a", "hash": A.hash, "trace": {"spans": [{}]}})))
        with pytest.raises(TaskFailed):
            answered(RecordedTask([read_run(path)]), A)

    def test_an_empty_run_has_nothing(self, tmp_path: Path) -> None:
        task = recorded(tmp_path)
        assert (task.trials, task.has(A)) == (0, False)


def test_outputs_are_scored_again_without_calling_anything(tmp_path: Path) -> None:
    cases = text_cases(3, expected="q1")
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return question

    first = run(tmp_path, answer, cases, [], name="first")
    again = run(tmp_path, RecordedTask([read_run(first.path)]), cases, [EXACT], name="again")
    assert len(asked) == 3
    assert {key: row.scores["exact"].value for key, row in rows_of(again).items()} == {
        ("c0", 0): 0.0,
        ("c1", 0): 1.0,
        ("c2", 0): 0.0,
    }
    assert [outcome.trials[0].digest for _, outcome in sorted(read_run(again.path).cases.items())] == [
        outcome.trials[0].digest for _, outcome in sorted(read_run(first.path).cases.items())
    ]
