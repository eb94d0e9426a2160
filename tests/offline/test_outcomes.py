import gc
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.run import Row, RunEnd, ScorerRef
from gatewatch.core.score import Score, Status
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.journal import row_at
from gatewatch.offline.outcomes import CaseOutcome, Mark, Outcomes, Trial, digest_of, read_run
from offline.making import append_rows, header, problems, write_journal
from offline.pairs import LOST, SKIPPED, numbered, side

V1 = Path(__file__).parent / "data" / "run-v1.jsonl"


def row(case: str, *, trial: int = 0, output: object = "x", awaits: tuple[str, ...] = (), **scores: float) -> Row:
    return Row(
        case=case,
        trial=trial,
        hash=f"h-{case}",
        trace=Trace(output=output),
        scores={name: Score(value) for name, value in scores.items()},
        awaits=awaits,
    )


def piece(case: str, *, trial: int = 0, cost: float | None = None, model: str = "", **scores: float) -> Row:
    paid = None if cost is None else Cost(cost)
    given = {name: Score(value, source="judge", cost=paid, model=model) for name, value in scores.items()}
    return Row(case=case, trial=trial, scores=given)


def read(folder: Path, *rows: Row, cases: int = 1, trials: int = 1) -> Outcomes:
    names = {name: ScorerRef("f" * 12) for each in rows for name in (*each.scores, *each.awaits)}
    return read_run(write_journal(folder / "r.jsonl", header(names, cases=cases, trials=trials), rows))


def damage(path: Path, line: int, *, cut: int = 0) -> None:
    """Turn one letter of a line into another, or cut off the end of the file behind it."""
    lines = path.read_bytes().splitlines(keepends=True)
    spoilt = bytearray(lines[line])
    spoilt[-8] ^= 1
    lines[line] = bytes(spoilt)
    path.write_bytes(b"".join(lines)[: -cut or None])


class TestReading:
    def test_what_a_comparison_looks_at(self, tmp_path: Path) -> None:
        whole = Row(
            case="a",
            hash="abc",
            slice="refund",
            cluster="doc1",
            must_pass=True,
            trace=Trace(input="q", output="x", cost=Cost(0.5), latency_s=1.5, versions={"model": "m-2026"}),
            scores={"exact": Score(1.0), "judge": Score(0.5, cost=Cost(0.25), model="j-2026")},
        )
        head = header(["exact", "judge"], name="v2", suite="support", components={"prompt": "p2"})
        found = read_run(write_journal(tmp_path / "r.jsonl", head, [whole]))
        outcome = found.cases["a"]
        assert (outcome.hash, outcome.slice, outcome.cluster, outcome.must_pass) == ("abc", "refund", "doc1", True)
        assert (outcome.value("exact"), outcome.value("judge"), outcome.value("other")) == (1.0, 0.5, None)
        assert (found.label, found.run, found.suite, found.task) == ("v2", "demo-1", "support", "app:answer")
        assert (found.components, found.runs, found.planned) == ({"prompt": "p2"}, ("demo-1",), False)
        assert (found.versions, found.judges) == ({"model": {"m-2026"}}, {"judge": {"j-2026"}})
        assert (found.task_cost, found.judge_cost) == (Cost(0.5), Cost(0.25))
        assert (list(found.latencies), found.rows, found.failed) == ([1.5], 1, 0)
        assert found.complete
        assert found.independent
        assert outcome.trials[0].trace is None, "of an output only the digest stays"

    def test_a_run_is_called_by_its_id_where_it_has_no_name(self) -> None:
        assert Outcomes.of(header()).label == "demo-1"
        assert not Outcomes.of(header(prices={"m": {}})).independent
        again = Outcomes.of(header(purpose="rescore", of="first"))
        assert (again.runs, again.made_for) == (("demo-1", "first"), "first"), "its outcomes are those of the first"
        assert Outcomes.of(header(purpose="trials", of="first")).runs == ("demo-1",)
        assert Outcomes.of(header(prices={"m": {}}, fresh=True)).independent

    def test_of_cost_and_time_what_is_not_stated_is_unknown_and_failures_have_no_latency(self, tmp_path: Path) -> None:
        found = read(
            tmp_path,
            Row(case="a", trace=Trace(cost=Cost(0.5), latency_s=1.0)),
            Row(case="b", trace=Trace(cost=Cost(0.25, unknown=2), latency_s=2.0)),
            Row(case="c", trace=Trace(latency_s=9.0, error=Fault("no"))),
            cases=3,
        )
        assert found.task_cost == Cost(0.75, unknown=3)
        assert (list(found.costs), list(found.latencies), found.failed) == ([0.5], [1.0, 2.0], 1)

    def test_of_stated_versions_twenty_are_kept(self, tmp_path: Path) -> None:
        rows = [Row(case=f"c{n}", trace=Trace(versions={"model": f"m{n:02}"})) for n in range(30)]
        assert read(tmp_path, *rows).versions == {"model": {f"m{n:02}" for n in range(20)}}

    def test_the_oldest_format_is_read_as_the_reader_of_rows_reads_it(self) -> None:
        found = read_run(V1)
        assert {case: outcome.value("helpful") for case, outcome in found.cases.items()} == {
            "c1": 0.75,
            "c2": None,
            "c3": 0.0,
            "c4": 0.0,
            "c5": None,
        }
        assert (found.rows, found.failed, found.judges) == (5, 2, {"helpful": {"judge-2026"}})
        assert found.judge_cost == Cost(0.002, unknown=1)
        assert not found.complete, "c5 awaits its judge"

    def test_what_is_no_journal_is_refused(self, tmp_path: Path) -> None:
        other = tmp_path / "x.jsonl"
        other.write_text("{}\n")
        assert problems(lambda: read_run(other)) == [f"{other}: not a run's journal, or its first line is damaged"]

    def test_the_garbage_collector_goes_on_as_it_did(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", header(), [row("a")])
        assert gc.isenabled()
        read_run(path)
        assert gc.isenabled()
        gc.disable()
        try:
            read_run(path)
            assert not gc.isenabled()
        finally:
            gc.enable()


class TestPieces:
    def test_scores_that_come_later_are_put_to_their_row(self, tmp_path: Path) -> None:
        first = [row(case, awaits=("judge",), exact=1.0) for case in "ab"]
        found = read(tmp_path, *first, piece("b", judge=0.25, cost=0.5, model="j"), piece("a", judge=0.75), cases=2)
        assert [found.cases[case].value("judge") for case in "ab"] == [0.75, 0.25]
        assert (found.judge_cost, found.judges) == (Cost(0.5), {"judge": {"j"}})
        assert found.complete
        assert found.rows == 2

    def test_a_run_that_waits_for_a_score_is_not_complete(self, tmp_path: Path) -> None:
        found = read(tmp_path, row("a", awaits=("judge",), exact=1.0))
        assert not found.complete
        assert found.cases["a"].lost("judge"), "what was cut off is unknown, not skipped"
        assert not found.cases["a"].lost("exact")

    def test_each_piece_finds_its_trial(self, tmp_path: Path) -> None:
        rows = [row("a", trial=n, awaits=("judge",)) for n in (1, 0)]
        found = read(tmp_path, *rows, piece("a", trial=0, judge=0.0), piece("a", trial=1, judge=1.0), trials=2)
        assert [(each.trial, each.scores["judge"].value) for each in found.cases["a"].trials] == [(1, 1.0), (0, 0.0)]

    def test_a_piece_without_its_row_says_nothing(self, tmp_path: Path) -> None:
        found = read(tmp_path, piece("a", judge=1.0), row("b"), piece("b", trial=1, judge=1.0), cases=2)
        assert list(found.cases) == ["b"]
        assert found.cases["b"].value("judge") is None
        assert (found.rows, found.complete) == (1, False)

    def test_rows_and_pieces_that_are_given_twice_count_once(self, tmp_path: Path) -> None:
        rows = [row("a", awaits=("judge",), exact=1.0), piece("a", judge=0.5, cost=0.25)]
        found = read(tmp_path, *rows, *rows, row("a", exact=0.0))
        assert (found.rows, len(found.cases["a"].trials)) == (1, 1)
        assert (found.cases["a"].value("exact"), found.cases["a"].value("judge")) == (1.0, 0.5)
        assert found.judge_cost == Cost(0.25)

    def test_the_whole_row_is_read_again_from_its_places(self, tmp_path: Path) -> None:
        rows = [row("a", awaits=("judge",), exact=1.0), row("b"), piece("a", judge=0.5)]
        found = read(tmp_path, *rows, cases=2)
        (trial,) = found.cases["a"].trials
        assert found.path is not None
        whole = row_at(found.path, trial.places)
        assert whole is not None
        assert (len(trial.places), whole.scores) == (2, {"exact": Score(1.0), "judge": Score(0.5, source="judge")})
        assert row_at(found.path, ()) is None


class TestDamage:
    def test_damaged_records_are_left_out_and_the_others_read(self, tmp_path: Path) -> None:
        rows = [row(case, exact=1.0) for case in "abc"]
        path = write_journal(tmp_path / "r.jsonl", header(["exact"], cases=3), rows)
        damage(path, 2)
        found = read_run(path)
        assert (list(found.cases), found.complete) == (["a", "c"], False)

    @pytest.mark.parametrize("value", [5.0, -0.1, 1e308])
    def test_a_score_out_of_range_is_damage(self, tmp_path: Path, value: float) -> None:
        rows = [row("a", exact=1.0), row("b", exact=value)]
        path = write_journal(tmp_path / "r.jsonl", header(["exact"], cases=2), rows)
        assert list(read_run(path).cases) == ["a"]

    def test_a_torn_end_is_left_out(self, tmp_path: Path) -> None:
        rows = [row(case, exact=1.0) for case in "ab"]
        path = write_journal(tmp_path / "r.jsonl", header(["exact"], cases=2), rows)
        path.write_bytes(path.read_bytes()[:-1])
        assert list(read_run(path).cases) == ["a"], "a line that was not ended may have been longer"

    def test_records_that_are_whole_but_no_rows_are_passed_over(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", header(["exact"], cases=1), [row("a", exact=1.0)])
        with path.open("ab") as file:
            file.write(codec.frame("row", b'{"case":5}'))
            file.write(codec.frame("row", b'{"case":"b","scores":{"exact":{"value":"high"}}}'))
            file.write(codec.frame("row", b"[\xff"))
            file.write(codec.frame("other", b'{"case":"c"}'))
            file.write(codec.frame("end", codec.encode(RunEnd("complete"))))
        found = read_run(path)
        assert (list(found.cases), found.complete) == (["a"], True)

    def test_a_row_whose_record_was_damaged_since_is_not_there(self, tmp_path: Path) -> None:
        found = read(tmp_path, row("a"), row("b"), cases=2)
        assert found.path is not None
        damage(found.path, 1)
        assert row_at(found.path, found.cases["a"].trials[0].places) is None
        assert row_at(found.path, found.cases["b"].trials[0].places) is not None

    @pytest.mark.parametrize(
        "strange",
        [
            Row(case="\ud800", trace=Trace(output="x"), scores={"exact": Score(1.0)}),
            Row(case="a", slice="\udc00", trace=Trace(output="x"), scores={"exact": Score(1.0)}),
            Row(case="a", trace=Trace(input="\ud800", output={"k": [1.5]}), scores={"exact": Score(1.0)}),
            Row(case="a", trace=Trace(output="\ud800"), scores={"exact": Score(1.0)}),
            Row(case="a", trace=Trace(output="x"), scores={"exact": Score(1.0, explanation="\ud800")}),
            Row(case="a", trace=Trace(output="x", error=Fault("\ud800")), scores={"exact": Score(1.0)}),
        ],
    )
    def test_lone_surrogates(self, tmp_path: Path, strange: Row) -> None:
        found = read(tmp_path, strange, row("b", exact=0.0), cases=2)
        assert sorted(found.cases, key=str) == sorted([strange.case, "b"])
        assert found.cases[strange.case].value("exact") == 1.0
        assert found.complete


class TestDigests:
    def digest(self, folder: Path, trace: Trace, **about: Any) -> str:
        folder.mkdir(exist_ok=True)
        path = folder / "d.jsonl"
        path.unlink(missing_ok=True)
        found = read_run(write_journal(path, header(["exact"]), [Row(case="a", trace=trace, **about)]))
        assert list(found.cases) == ["a"]
        return found.cases["a"].trials[0].digest

    def test_the_same_output_has_the_same_digest_and_no_other_has(self, tmp_path: Path) -> None:
        outputs: list[object] = ["x", "X", "", None, {}, {"a": 1}, {"a": 1.0}, ["x"], "\u00e9", "e\u0301", 1, "1", True]
        found = [self.digest(tmp_path, Trace(output=output)) for output in outputs]
        assert len(set(found)) == len(outputs)
        assert all(len(bytes.fromhex(each)) == 8 for each in found)
        assert found == [self.digest(tmp_path, Trace(output=output, latency_s=2.0)) for output in outputs]

    def test_what_went_wrong_is_part_of_it(self, tmp_path: Path) -> None:
        found = {self.digest(tmp_path, Trace(error=error)) for error in (None, Fault("a"), Fault("b"))}
        assert len(found) == 3
        assert digest_of(b"null", Fault("\ud800")) != digest_of(b"null", None)

    def test_it_is_of_the_output_alone(self, tmp_path: Path) -> None:
        plain = Trace(output={"wort": "\u00fc"})
        assert self.digest(tmp_path, plain) == self.digest(tmp_path, plain, slice="\ud800")


class TestValues:
    def case(self, *marks: Mark | float) -> CaseOutcome:
        return side({"a": list(marks)}).cases["a"]

    def test_a_case_is_worth_the_mean_of_its_trials(self) -> None:
        assert self.case(1.0, 0.0, 0.5).value("exact") == 0.5
        assert self.case(1.0, LOST, 0.0).value("exact") == 0.5
        assert self.case(SKIPPED, LOST).value("exact") is None
        assert self.case(1.0).value("other") is None
        assert self.case(1.0, LOST, 0.0).values("exact") == [1.0, 0.0]

    def test_lost_is_what_a_scorer_failed_at(self) -> None:
        assert [self.case(*marks).lost("exact") for marks in ((LOST,), (SKIPPED, LOST), (1.0, LOST, 0.0, 1.0))] == [
            1.0,
            0.5,
            0.25,
        ]
        assert self.case(SKIPPED).lost("exact") == 0.0
        assert self.case(1.0).lost("other") == 0.0, "a scorer that was never asked lost nothing"
        assert CaseOutcome("h", "", "", False, []).lost("exact") == 0.0

    def test_what_was_tried_is_what_was_run_and_what_was_tried_again(self) -> None:
        once, more = self.case(0.0, LOST, 0.5), self.case(0.0)
        assert once.tried("exact") == [0.0, 0.5]
        more.tries = [*more.trials, *self.case(1.0, LOST, 0.25).trials]
        assert (more.tried("exact"), more.values("exact"), more.tried("other")) == ([0.0, 1.0, 0.25], [0.0], [])


class TestAll:
    @pytest.mark.parametrize(
        ("status", "value", "failed"),
        [("scored", 0.0, False), ("skipped", None, False), ("scorer_error", None, True), ("task_error", 0.0, True)],
    )
    def test_nothing_but_errors(self, status: Status, value: float | None, failed: bool) -> None:
        assert side({"a": Mark(value, status), "b": Mark(value, status)}).all_failed is failed

    def test_one_answer_is_enough_and_no_answer_is_none(self, tmp_path: Path) -> None:
        assert not side({"a": LOST, "b": 0.0}).all_failed
        assert side({}).all_failed
        down = [Row(case=case, trace=Trace(error=Fault("down"))) for case in "ab"]
        assert read(tmp_path, *down, cases=2).all_failed
        append_rows(tmp_path / "r.jsonl", [row("c")])
        assert not read_run(tmp_path / "r.jsonl").all_failed, "without scorers an answer is all there is to have"

    def test_from_where_on_a_value_passes(self) -> None:
        assert side({"a": 1.0, "b": [0.0, LOST, 1.0]}).mark("exact") == 1.0
        assert side({"a": 1.0, "b": [0.0, 0.5]}).mark("exact") is None
        assert side({"a": 1.0, "b": 0.5}, pass_at=0.5).mark("exact") == 0.5
        assert side({"a": LOST}).mark("exact") is None
        assert side({"a": 1.0}).mark("other") is None

    def test_the_mean_over_all_cases(self) -> None:
        found = side({"a": [1.0, 0.0], "b": 1.0, "c": LOST}).estimate("exact")
        assert (found.mean, found.n) == (0.75, 2)
        assert side({"a": 1.0}).estimate("other").mean is None

    def test_how_many_outcomes_are_known_of_a_case(self) -> None:
        assert side({}).most_outcomes("exact") == 0
        assert side({"a": 1.0, "b": [1.0, 0.0]}).most_outcomes("exact") == 2
        stored = side({"a": 1.0, "b": 1.0}, history={"b": [1.0] * 7})
        assert [stored.most_outcomes(name) for name in ("exact", "other")] == [7, 1]


def test_trials_of_another_run_are_pooled_where_the_case_is_the_same() -> None:
    mine = side({"a": [1.0], "b": [1.0], "c": [1.0]}, name="one")
    other = side({"a": [0.0, 0.5], "b": [0.0], "d": [0.0]}, name="two", hashes={"b": "changed"})
    mine.pool(other)
    assert {case: outcome.values("exact") for case, outcome in mine.cases.items()} == {
        "a": [1.0, 0.0, 0.5],
        "b": [1.0],
        "c": [1.0],
    }
    assert mine.runs == ("one", "two")
    assert mine.rows == 7


def test_what_pooled_runs_cost_is_pooled() -> None:
    mine, other = side({"a": 1.0}), side({"a": 1.0})
    for each in (mine, other):
        each.costs.append(0.5)
        each.latencies.append(2.0)
        each.paid, each.unpriced, each.failed, each.judge_cost = 0.25, 1, 1, Cost(0.125, 2)
    mine.pool(other)
    assert (mine.task_cost, mine.judge_cost) == (Cost(1.5, 2), Cost(0.25, 4))
    assert (list(mine.costs), list(mine.latencies), mine.failed) == ([0.5, 0.5], [2.0, 2.0], 2)


def test_what_is_tried_again_is_no_part_of_any_mean() -> None:
    mine = side({"a": 0.0, "b": 1.0})
    for value in (0.25, 0.5):
        mine.try_again(side({"a": value}))
    assert (mine.cases["a"].value("exact"), mine.cases["b"].tries) == (0.0, [])
    assert [trial.scores["exact"].value for trial in mine.cases["a"].tries] == [0.0, 0.25, 0.5]
    mine.pool(side({"a": 1.0, "b": 1.0}))
    assert mine.cases["a"].values("exact") == [0.0, 1.0]
    assert [trial.scores["exact"].value for trial in mine.cases["a"].tries] == [0.0, 0.25, 0.5, 1.0]


def test_who_judged_pooled_runs_is_pooled() -> None:
    mine, other = side({"a": 1.0}), side({"a": 1.0})
    mine.judges, other.judges = {"exact": {"j1"}}, {"exact": {"j2"}}
    mine.pool(other)
    assert mine.judges == {"exact": {"j1", "j2"}}


def test_what_is_made_from_numbers_is_what_a_journal_holds(tmp_path: Path) -> None:
    found = read(tmp_path, *(row(case, exact=1.0) for case in numbered(3)), cases=3)
    made = side(numbered(3))
    assert found.rows == made.rows
    assert [
        (case, [Trial(each.case, each.trial, scores=each.scores) for each in outcome.trials])
        for case, outcome in found.cases.items()
    ] == [
        (case, [Trial(each.case, each.trial, scores=each.scores) for each in outcome.trials])
        for case, outcome in made.cases.items()
    ]
