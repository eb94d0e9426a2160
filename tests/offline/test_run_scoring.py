"""Scoring within a run: whatever a scorer does, its cell says so, and no other cell is touched."""

import asyncio
import math
import threading
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.errors import RunBroken
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.offline.result import RunResult, summarise
from gatewatch.scorers.base import Scorer, built_in, scorer
from offline.making import EXACT, run, text_cases

SHORT = 0.1


def echo(question: str) -> str:
    return question


def scores(result: RunResult) -> dict[str, Score]:
    """The scores of a run with one row."""
    (row,) = result.rows()
    return row.scores


@pytest.fixture(autouse=True)
def hardly_any_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewatch.offline.run._GRACE_S", SHORT)
    monkeypatch.setattr("gatewatch.scorers.apply._GRACE_S", SHORT)


class Panic(BaseException):
    """Some libraries' errors are no Exception."""


def test_kinds_of_scorers_and_where_they_run(tmp_path: Path) -> None:
    where: dict[str, str] = {}

    def seen(name: str) -> float:
        where[name] = threading.current_thread().name
        return 0.5

    ours = built_in("ours", lambda output: seen("ours"), version="1")

    @scorer(version="1")
    def theirs(output: str) -> float:
        return seen("theirs")

    @scorer(version="1")
    async def later(output: str) -> float:
        await asyncio.sleep(0)
        return seen("later")

    found = scores(run(tmp_path, echo, text_cases(1), [ours, theirs, later]))
    assert {name: score.value for name, score in found.items()} == {"ours": 0.5, "theirs": 0.5, "later": 0.5}
    main = threading.current_thread().name
    assert where == {"ours": main, "theirs": "gatewatch-worker", "later": main}


RETURNS: list[tuple[Any, str, float | None]] = [
    (True, "scored", 1.0),
    (0, "scored", 0.0),
    (0.25, "scored", 0.25),
    (None, "skipped", None),
    (Score(0.5, "half", "because"), "scored", 0.5),
    (Score(), "skipped", None),
    (math.nan, "scorer_error", None),
    (math.inf, "scorer_error", None),
    (1.5, "scorer_error", None),
    (-1, "scorer_error", None),
    ("good", "scorer_error", None),
    ([1.0], "scorer_error", None),
    (object(), "scorer_error", None),
]


@pytest.mark.parametrize("kind", ["inline", "sync", "async"])
@pytest.mark.parametrize(("returned", "status", "value"), RETURNS)
def test_what_scorers_return(tmp_path: Path, returned: Any, status: str, value: float | None, kind: str) -> None:
    async def later(output: str) -> Any:
        return returned

    each = {
        "inline": built_in("it", lambda output: returned, version="1"),
        "sync": scorer(name="it", version="1")(lambda output: returned),
        "async": scorer(name="it", version="1")(later),
    }[kind]
    found = scores(run(tmp_path, echo, text_cases(1), [each]))["it"]
    assert (found.status, found.value) == (status, value)
    assert bool(found.explanation) == (status == "scorer_error" or (isinstance(returned, Score) and value is not None))


@pytest.mark.parametrize("kind", ["inline", "sync", "async"])
@pytest.mark.parametrize(
    "raised",
    [
        KeyError("field"),
        SystemExit(1),
        RecursionError("x"),
        TimeoutError("own"),
        asyncio.CancelledError("x"),
        Panic("x"),
    ],
)
def test_what_scorers_raise(tmp_path: Path, raised: BaseException, kind: str) -> None:
    def fail(output: str) -> bool:
        if output == "q1":
            raise raised
        return True

    async def fail_later(output: str) -> bool:
        await asyncio.sleep(0)
        return fail(output)

    if kind == "inline" and not isinstance(raised, Exception | SystemExit):
        return  # our own scorers do not raise such things
    each = {
        "inline": built_in("it", fail, version="1"),
        "sync": scorer(name="it", version="1")(fail),
        "async": scorer(name="it", version="1")(fail_later),
    }[kind]
    result = run(tmp_path, echo, text_cases(3), [each, EXACT], concurrency=1)
    found = {row.case: row.scores["it"] for row in result.rows()}
    assert [found[name].value for name in ("c0", "c2")] == [1.0, 1.0]
    assert (found["c1"].status, found["c1"].value) == ("scorer_error", None)
    assert result.summary.state == "complete"
    assert result.summary.states == {"scored": 2, "scorer_error": 1, "skipped": 3}


class TestDeadlines:
    def test_a_sync_scorer_that_does_not_come_back(self, tmp_path: Path) -> None:
        never = threading.Event()

        @scorer(version="1")
        def hangs(output: str) -> bool:
            return never.wait() if output == "q1" else True

        try:
            result = run(tmp_path, echo, text_cases(3), [hangs], scorer_timeout=SHORT)
            found = {row.case: row.scores["hangs"] for row in result.rows()}
            assert found["c1"] == Score(status="scorer_error", explanation="no answer within 0.1 s")
            assert found["c0"].value == found["c2"].value == 1.0
            assert result.summary.state == "complete"
        finally:
            never.set()

    @pytest.mark.parametrize("stubborn", [False, True])
    def test_an_async_scorer_that_waits_for_ever(self, tmp_path: Path, stubborn: bool) -> None:
        async def hangs(output: str) -> bool:
            while output == "q1":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if not stubborn:
                        raise
            return True

        result = run(tmp_path, echo, text_cases(3), [scorer(name="hangs", version="1")(hangs)], scorer_timeout=SHORT)
        found = {row.case: row.scores["hangs"] for row in result.rows()}
        assert found["c1"].status == "scorer_error"
        assert found["c1"].explanation == "no answer within 0.1 s"
        assert found["c0"].value == found["c2"].value == 1.0
        assert result.summary.state == "complete"

    def test_four_that_hang_for_good_break_the_run(self, tmp_path: Path) -> None:
        never = threading.Event()
        hangs = scorer(name="hangs", version="1")(lambda output: never.wait())
        try:
            with pytest.raises(
                RunBroken,
                match=r"^4 calls did not come back .* \(4 of the scorer hangs, .*test_run_scoring.py:\d+\); what",
            ):
                run(tmp_path, echo, text_cases(20), [hangs], concurrency=2, scorer_timeout=SHORT)
            assert summarise(tmp_path / "run.jsonl").state == "broken"
        finally:
            never.set()

    def test_a_model_has_deadlines_of_its_own(self, tmp_path: Path) -> None:
        from msgspec.structs import replace

        async def judge(output: str) -> float:
            await asyncio.sleep(3 * SHORT)
            return 0.5

        slow = replace(scorer(name="judge", version="1")(judge), models=("judge",))
        found = scores(run(tmp_path, echo, text_cases(1), [slow], scorer_timeout=SHORT))
        assert found["judge"] == Score(0.5)


class TestWhatIsScored:
    def test_failures_are_nought_whatever_the_scorer_would_have_said(self, tmp_path: Path) -> None:
        calls: list[str] = []

        def fail(question: str) -> str:
            raise ValueError("no")

        def count(output: str) -> bool:
            calls.append(output)
            return True

        async def count_later(output: str) -> bool:
            return count(output)

        each: list[Scorer] = [
            built_in("ours", count, version="1"),
            scorer(name="sync", version="1")(count),
            scorer(name="async", version="1")(count_later),
        ]
        found = scores(run(tmp_path, fail, text_cases(1), each))
        assert {(score.value, score.status) for score in found.values()} == {(0.0, "task_error")}
        assert not calls

    def test_what_has_nothing_to_go_by_is_skipped(self, tmp_path: Path) -> None:
        @scorer(version="1")
        def cites(output: str, context: Any) -> bool:
            return True

        found = scores(run(tmp_path, echo, text_cases(1), [EXACT, cites]))
        assert found == {
            "exact": Score(status="skipped", explanation="no expected"),
            "cites": Score(status="skipped", explanation="no context"),
        }

    def test_a_case_may_name_its_scorers(self, tmp_path: Path) -> None:
        ours = built_in("ours", lambda output: 1.0, version="1")
        theirs = scorer(name="theirs", version="1")(lambda output: 0.5)
        cases: list[dict[str, Any]] = [
            {"id": "all", "input": "a"},
            {"id": "one", "input": "b", "scorers": ["theirs"]},
            {"id": "none", "input": "c", "scorers": []},
        ]
        result = run(tmp_path, echo, cases, [ours, theirs])
        assert {row.case: sorted(row.scores) for row in result.rows()} == {
            "all": ["ours", "theirs"], "one": ["theirs"], "none": []
        }  # fmt: skip
        summary = result.summary
        assert (summary.state, summary.states) == ("complete", {"scored": 3})
        assert summary.scorers["ours"].figure.n == 1

    def test_what_a_judge_cost_is_counted_apart(self, tmp_path: Path) -> None:
        async def judge(output: str) -> Score:
            return Score(0.5, cost=Cost(0.25))

        answer = Trace(output="x", cost=Cost(1.0))
        summary = run(
            tmp_path, lambda question: answer, text_cases(4), [scorer(name="judge", version="1")(judge)]
        ).summary
        assert (summary.task_cost, summary.judge_cost) == (Cost(4.0), Cost(1.0))

    def test_rows_have_what_the_case_says(self, tmp_path: Path) -> None:
        case = Case(id="a", input="x", expected="x", slice="s", cluster="doc", must_pass=True)
        (row,) = run(tmp_path, echo, [case], [EXACT]).rows()
        assert (row.hash, row.slice, row.cluster, row.must_pass, row.expected) == (case.hash, "s", "doc", True, "x")


class TestSlices:
    def test_a_cases_own_slice_wins(self, tmp_path: Path) -> None:
        def slice_of(given: Any) -> Any:
            if given == "q2":
                raise KeyError("topic")
            if given == "q3":
                raise SystemExit(1)
            return 7

        cases = [{"id": "own", "input": "q0", "slice": "mine"}, *({"id": f"q{n}", "input": f"q{n}"} for n in (1, 2, 3))]
        result = run(tmp_path, echo, cases, [EXACT], slice_of=slice_of)
        assert {row.case: row.slice for row in result.rows()} == {
            "own": "mine", "q1": "7", "q2": "(no slice: KeyError)", "q3": "(no slice: SystemExit)"
        }  # fmt: skip
        assert result.summary.slices == {"(no slice: KeyError)": 1, "(no slice: SystemExit)": 1, "7": 1, "mine": 1}

    def test_without_a_function_there_are_none(self, tmp_path: Path) -> None:
        assert run(tmp_path, echo, text_cases(2), [EXACT]).summary.slices == {}
