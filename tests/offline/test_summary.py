import random
from typing import Any

import numpy as np
import pytest

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.run import Row, RunEnd, ScorerRef
from gatewatch.core.score import Score, Status
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.offline.report import as_json
from gatewatch.offline.summary import Summary, Tally, percentiles
from gatewatch.stats.intervals import cluster_t, pass_at_k, pass_hat_k, t_mean, wilson
from offline.making import header

JUDGE = ScorerRef("f" * 12, "judge", pass_at=0.75)


def near(value: Any) -> Any:
    return pytest.approx(value)


def row(
    case: str,
    *values: float | None,
    trial: int = 0,
    status: Status = "scored",
    trace: Trace | None = None,
    **fields: Any,
) -> Row:
    """A row with a score to each value, named s0, s1 ..."""
    scores = {f"s{n}": Score(value, status=status) for n, value in enumerate(values)}
    return Row(case=case, trial=trial, trace=trace or Trace(output="x"), scores=scores, **fields)


def counted(rows: list[Row], *, end: RunEnd | None = None, damaged: int = 0, **head: Any) -> Summary:
    names = sorted({name for each in rows for name in (*each.scores, *each.awaits)})
    cases = len({each.case for each in rows})
    tally = Tally(header(**{"scorers": names, "cases": cases, **head}))
    for each in rows:
        tally.add(each)
    return tally.summary(end, damaged)


def lost(case: str, **fields: Any) -> Row:
    return row(case, None, status="scorer_error", **fields)


class TestMeans:
    def test_right_and_wrong_have_wilsons_interval(self) -> None:
        figure = counted([row(f"c{n}", float(n < 7)) for n in range(10)]).scorers["s0"].figure
        expected = wilson(7, 10)
        assert (figure.mean, figure.n, figure.method) == (0.7, 10, "wilson")
        assert figure.interval == (expected.low, expected.high)

    def test_graded_values_have_students(self) -> None:
        values = [0.1, 0.5, 0.5, 0.9, 0.3]
        figure = counted([row(f"c{n}", value) for n, value in enumerate(values)]).scorers["s0"].figure
        expected = t_mean(values, bounds=(0, 1))
        assert figure.interval is not None
        assert (figure.mean, figure.method) == (near(np.mean(values)), "t")
        assert figure.interval == pytest.approx((expected.low, expected.high))

    def test_cases_of_one_origin_are_not_counted_as_independent(self) -> None:
        values = [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
        clusters = ["a", "a", "a", "b", "b", "c", ""]
        rows = [row(f"c{n}", value, cluster=clusters[n]) for n, value in enumerate(values)]
        figure = counted(rows).scorers["s0"].figure
        expected = cluster_t(values, ["a", "a", "a", "b", "b", "c", "alone"], bounds=(0, 1))
        assert figure.interval is not None
        assert figure.method == "cluster t"
        assert figure.interval == pytest.approx((expected.low, expected.high))
        plain = wilson(4, 7)
        assert figure.interval[1] - figure.interval[0] > plain.high - plain.low

    def test_one_case_has_no_interval(self) -> None:
        figure = counted([row("c0", 1.0)]).scorers["s0"].figure
        assert (figure.mean, figure.interval, figure.n, figure.method) == (1.0, None, 1, "")

    def test_failures_are_nought(self) -> None:
        broken = Trace(error=Fault("no"))
        rows = [row("c0", 1.0), row("c1", 0.0, status="task_error", trace=broken), row("c2", 0.0, status="timeout")]
        figure = counted(rows).scorers["s0"].figure
        assert (figure.mean, figure.n) == (near(1 / 3), 3)
        assert figure.states == {"scored": 1, "task_error": 1, "timeout": 1}

    def test_what_is_skipped_is_not_in_the_mean(self) -> None:
        rows = [row("c0", 1.0), row("c1", 0.0), *(row(f"d{n}", None, status="skipped") for n in range(8))]
        figure = counted(rows).scorers["s0"].figure
        assert (figure.mean, figure.n) == (0.5, 2)
        assert (figure.low, figure.high) == (None, None)

    def test_a_scorer_that_has_nothing_to_say_at_all(self) -> None:
        summary = counted([row("c0", None, status="skipped")])
        assert summary.scorers["s0"].figure.mean is None
        assert summary.scorers["s0"].figure.n == 0
        assert not summary.all_failed


class TestScorerErrors:
    def test_leave_the_mean_and_bound_it(self) -> None:
        rows = [row("c0", 1.0), row("c1", 1.0), row("c2", 0.0), lost("c3"), row("c4", None, status="skipped")]
        figure = counted(rows).scorers["s0"].figure
        assert (figure.mean, figure.n) == (near(2 / 3), 3)
        assert (figure.low, figure.high) == (near(2 / 4), near(3 / 4))

    def test_scores_that_are_still_to_come_are_neither_lost_nor_there(self) -> None:
        waiting = Row(case="c9", trace=Trace(), awaits=("s0",))
        figure = counted([row("c0", 1.0), lost("c1"), waiting]).scorers["s0"].figure
        assert (figure.mean, figure.low, figure.high) == (1.0, 0.5, 1.0)
        assert figure.states == {"scored": 1, "scorer_error": 1, "not_scored": 1}

    def test_all_lost(self) -> None:
        summary = counted([lost("c0"), lost("c1")])
        figure = summary.scorers["s0"].figure
        assert (figure.mean, figure.n, figure.low, figure.high) == (None, 0, None, None)
        assert summary.all_failed

    def test_with_trials_the_bounds_go_over_cases(self) -> None:
        rows = [
            row("a", 1.0), lost("a", trial=1),  # 1; in truth 0.5 or 1
            row("b", 0.0), row("b", 0.0, trial=1),  # 0
            lost("c"), lost("c", trial=1),  # unknown; in truth 0 or 1
        ]  # fmt: skip
        figure = counted(rows, trials=2).scorers["s0"].figure
        assert (figure.mean, figure.n) == (0.5, 2)
        assert (figure.low, figure.high) == (near(0.5 / 3), near(2 / 3))


class TestTrials:
    def rows(self) -> list[Row]:
        passes = {"a": [1, 1, 1, 1], "b": [1, 0, 1, 0], "c": [0, 0, 0, 0]}
        return [row(case, float(value), trial=t) for case, values in passes.items() for t, value in enumerate(values)]

    def test_the_mean_is_over_cases_not_over_rows(self) -> None:
        summary = counted(self.rows(), trials=4)
        figure = summary.scorers["s0"].figure
        expected = t_mean([1.0, 0.5, 0.0], bounds=(0, 1))
        assert (figure.mean, figure.n, figure.states) == (0.5, 3, {"scored": 12})
        assert figure.interval == pytest.approx((expected.low, expected.high))
        assert (summary.rows, summary.expected_rows, summary.state) == (12, 12, "complete")

    def test_pass_hat_k_and_pass_at_k(self) -> None:
        found = counted(self.rows(), trials=4).scorers["s0"]
        assert found.pass_hat_k == pytest.approx(
            [sum(pass_hat_k(4, c, k) for c in (4, 2, 0)) / 3 for k in (1, 2, 3, 4)]
        )
        assert found.pass_at_k == pytest.approx([sum(pass_at_k(4, c, k) for c in (4, 2, 0)) / 3 for k in (1, 2, 3, 4)])
        assert found.pass_hat_k[0] == found.pass_at_k[0] == 0.5
        assert found.flaky == 1

    def test_crashes_are_failures_and_scorer_errors_are_unknown(self) -> None:
        rows = [
            row("a", 1.0), row("a", 0.0, trial=1, status="task_error"), row("a", 0.0, trial=2, status="timeout"),
            row("b", 1.0), row("b", 1.0, trial=1), lost("b", trial=2),
        ]  # fmt: skip
        found = counted(rows, trials=3).scorers["s0"]
        assert found.pass_hat_k == pytest.approx([(1 / 3 + 1) / 2, (0 + 1) / 2])
        assert found.flaky == 1

    def test_graded_values_need_a_pass_mark(self) -> None:
        rows = [row("a", 0.8), row("a", 0.6, trial=1), row("b", 0.75), row("b", 1.0, trial=1)]
        assert counted(rows, trials=2).scorers["s0"].pass_hat_k == ()
        found = counted(rows, trials=2, scorers={"s0": JUDGE}).scorers["s0"]
        assert found.pass_hat_k == pytest.approx([0.75, 0.5])
        assert found.passed is not None
        assert (found.passed.mean, found.passed.n) == (0.75, 2)

    def test_one_trial_has_none(self) -> None:
        assert counted([row("a", 1.0)]).scorers["s0"].pass_hat_k == ()


class TestPassed:
    def test_a_value_at_the_mark_passes(self) -> None:
        rows = [row("a", 0.75), row("b", 0.7499), row("c", 1.0), row("d", 0.0, status="task_error"), lost("e")]
        found = counted(rows, scorers={"s0": JUDGE}).scorers["s0"]
        assert found.passed is not None
        assert (found.passed.mean, found.passed.n, found.pass_at) == (0.5, 4, 0.75)
        assert found.passed.method == "wilson"

    def test_without_a_mark_nothing_is_called_passed(self) -> None:
        assert counted([row("a", 0.9)]).scorers["s0"].passed is None


class TestSlices:
    def test_each_has_a_figure_of_its_own(self) -> None:
        rows = [row("a", 1.0, slice="x"), row("b", 0.0, slice="x"), row("c", 1.0, slice="y"), row("d", 0.0)]
        summary = counted(rows)
        slices = summary.scorers["s0"].slices
        assert {name: (figure.mean, figure.n) for name, figure in slices.items()} == {"x": (0.5, 2), "y": (1.0, 1)}
        assert summary.slices == {"x": 2, "y": 1}
        assert summary.scorers["s0"].figure.n == 4


class TestMoneyAndTokens:
    def test_what_is_not_stated_is_unknown(self) -> None:
        rows = [
            row("a", trace=Trace(cost=Cost(0.5), usage=Usage(10, 2))),
            row("b", trace=Trace(cost=Cost(0.25, unknown=2), usage=Usage(5))),
            row("c", trace=Trace(error=Fault("no"))),
        ]
        summary = counted(rows)
        assert summary.task_cost == Cost(0.75, unknown=3)
        assert summary.task_cost.total is None
        tokens = summary.task_tokens
        assert (tokens.input_tokens, tokens.output_tokens, tokens.unknown) == (15, 2, 1)

    def test_nothing_known(self) -> None:
        summary = counted([row("a"), row("b", trace=Trace(usage=Usage(reasoning_tokens=3)))])
        assert summary.task_cost == Cost(0.0, unknown=2)
        tokens = summary.task_tokens
        assert (tokens.input_tokens, tokens.output_tokens, tokens.unknown) == (None, None, 2)

    def test_nought_is_known(self) -> None:
        summary = counted([row("a", trace=Trace(cost=Cost(0.0), usage=Usage(0, 0)))])
        assert summary.task_cost.total == 0.0
        assert (summary.task_tokens.input_tokens, summary.task_tokens.unknown) == (0, 0)

    def test_judges_apart_from_the_task_and_when_they_fail_too(self) -> None:
        scores = {
            "s0": Score(1.0),
            "s1": Score(0.5, cost=Cost(0.25), usage=Usage(100, 10)),
            "s2": Score(None, status="scorer_error", cost=Cost(0.0, unknown=1), usage=None),
        }
        summary = counted([Row(case="a", trace=Trace(cost=Cost(1.0)), scores=scores)])
        assert (summary.task_cost, summary.judge_cost) == (Cost(1.0), Cost(0.25, unknown=1))
        tokens = summary.judge_tokens
        assert (tokens.input_tokens, tokens.output_tokens, tokens.unknown) == (100, 10, 1)


class TestLatency:
    @pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
    def test_percentiles_are_numpys(self, n: int) -> None:
        chance = random.Random(n)
        values = [chance.expovariate(1.0) for _ in range(n)]
        expected = dict(zip(("p50", "p95", "p99"), np.percentile(values, [50, 95, 99]), strict=True))
        assert percentiles(values) == pytest.approx(expected)

    def test_of_nothing(self) -> None:
        assert percentiles([]) == {"p50": None, "p95": None, "p99": None}

    def test_only_answers_are_timed(self) -> None:
        rows = [
            row("a", trace=Trace(latency_s=1.0)),
            row("b", trace=Trace(latency_s=99.0, error=Fault("no"))),
            row("c", trace=Trace()),
            row("d", trace=Trace(latency_s=3.0)),
        ]
        summary = counted(rows)
        assert (summary.timed, summary.latency_s["p50"]) == (2, 2.0)


class TestState:
    END = RunEnd("partial", "interrupted")

    def test_complete(self) -> None:
        assert counted([row("a", 1.0)], end=RunEnd("complete")).state == "complete"
        assert counted([row("a", 1.0)]).state == "complete", "all is there, whether or not its end was written"

    def test_rows_are_missing(self) -> None:
        summary = counted([row("a", 1.0, 1.0)], cases=4, trials=2, end=self.END)
        assert (summary.state, summary.rows, summary.expected_rows) == ("partial", 1, 8)
        assert summary.states == {"scored": 2, "not_run": 14}

    def test_scores_are_missing(self) -> None:
        summary = counted([row("a", 1.0), Row(case="b", trace=Trace(), awaits=("s0",))])
        assert (summary.state, summary.rows) == ("partial", 2)
        assert summary.states == {"scored": 1, "not_scored": 1}

    def test_broken(self) -> None:
        assert counted([row("a", 1.0)], cases=2, end=RunEnd("broken", "why")).state == "broken"
        assert counted([row("a", 1.0)], cases=1, end=RunEnd("broken", "why")).state == "complete"

    def test_no_rows(self) -> None:
        summary = counted([], scorers=["s0"], cases=3)
        assert (summary.state, summary.all_failed, summary.states) == ("partial", True, {"not_run": 3})
        assert summary.scorers["s0"].figure.mean is None

    def test_nothing_but_failures_where_nothing_is_scored(self) -> None:
        broken = Trace(error=Fault("no"))
        assert counted([row("a", trace=broken)], scorers=[]).all_failed
        assert counted([row("a", None, status="skipped", trace=broken)]).all_failed
        assert not counted([row("a", trace=broken), row("b")], scorers=[]).all_failed

    def test_errors_are_counted_by_their_first_line(self) -> None:
        rows = [row(f"c{n}", trace=Trace(error=Fault(f"no stock\nof {n}"))) for n in range(5)]
        rows += [row(f"d{n}", trace=Trace(error=Fault(f"error {n}" + "x" * 300))) for n in range(40)]
        summary = counted(rows)
        assert summary.errors["no stock"] == 5
        assert len(summary.errors) == 20
        assert max(map(len, summary.errors)) == 240
        assert summary.failed == 45
        (cut,) = counted([row("a", trace=Trace(error=Fault("word " * 60)))]).errors
        assert cut == "word " * 47 + "…"

    def test_notes(self) -> None:
        assert counted([row("a", notes=("x", "y")), row("b", notes=("x",))]).notes == {"x": 2, "y": 1}


def test_as_json() -> None:
    rows = [row("a", 0.5, slice="x", trace=Trace(cost=Cost(0.5), latency_s=1.0)), lost("b", slice="y")]
    found = codec.decode(
        codec.encode(as_json(counted(rows, end=RunEnd("complete"), scorers={"s0": JUDGE}))), dict[str, Any]
    )
    assert (found["kind"], found["version"], found["state"]) == ("gatewatch.summary", 1, "complete")
    assert found["states"] == {"scored": 1, "scorer_error": 1}
    scorer = found["scorers"]["s0"]
    assert (scorer["mean"], scorer["n"], scorer["if_errors_were"]) == (0.5, 1, [0.25, 0.75])
    assert (scorer["pass_at"], scorer["passed"]["mean"], sorted(scorer["slices"])) == (0.75, 0.0, ["x", "y"])
    assert found["cost"]["task"] is None
    assert found["cost"]["known"]["task"] == 0.5
    assert found["latency_s"] == {"p50": 1.0, "p95": 1.0, "p99": 1.0, "n": 1}
