from typing import Any

import pytest

from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.stopping import Look
from gatewatch.offline.verdict import Layer, Verdict
from gatewatch.stats.paired import mid_p
from offline.pairs import FAILED, LOST, SKIPPED, Retries, Values, baseline, decided, numbered, side, with_last

GOOD = numbered(200)
RULED_OUT = "a fall of 5 pp or more is ruled out (95 % lower bound −1.3 pp, exact)"
OPEN = "exact: a fall of 5 pp cannot be ruled out"


def layer(verdict: Verdict, name: str) -> Layer:
    return next(each for each in verdict.layers if each.name == name)


def row(verdict: Verdict, case: str) -> tuple[str, str, bool | None, tuple[float, ...]]:
    found = next(each for each in verdict.rows if each.id == case)
    return found.effect, found.why, found.confirmed, found.outcomes


class TestWords:
    def test_pass(self) -> None:
        verdict = decided(baseline(GOOD), side(GOOD))
        assert (verdict.verdict, verdict.reasons, verdict.exit_code) == ("PASS", (RULED_OUT,), 0)
        assert (verdict.paired, verdict.rows, verdict.suite) == (200, (), "support")
        assert verdict.baseline is not None
        assert (verdict.baseline.run, verdict.baseline.cases, verdict.baseline.rows) == ("baseline", 200, 200)
        assert verdict.baseline.pinned == "2026-01-01T00:00:00Z"
        assert verdict.candidate is not None
        assert (verdict.candidate.label, verdict.candidate.task) == ("candidate", "app:answer")
        assert verdict.candidate.latency_s == {"p50": None, "p95": None, "p99": None}
        assert verdict.attribution == "One component changed: prompt: baseline → candidate."

    def test_names_are_left_as_they_are(self) -> None:
        verdict = decided(baseline(GOOD, scorer="states-window"), side(GOOD, scorer="states-window"))
        assert verdict.reasons == (RULED_OUT.replace("exact", "states-window"),)

    def test_undecided(self) -> None:
        verdict = decided(baseline(numbered(40)), side(numbered(40)))
        assert (verdict.verdict, verdict.reasons, verdict.exit_code) == ("UNDECIDED", (OPEN,), 0)
        assert verdict.mde == verdict.scorers["exact"].mde
        assert verdict.mde is not None
        assert verdict.mde > 0.05
        failing = decided(baseline(numbered(40)), side(numbered(40)), undecided="fail")
        assert (failing.verdict, failing.exit_code) == ("UNDECIDED", 3)

    def test_regressed(self) -> None:
        verdict = decided(baseline(numbered(40)), side(with_last(numbered(40), 4, 0.0)))
        assert (verdict.verdict, verdict.exit_code) == ("REGRESSED", 1)
        assert verdict.reasons == ("exact: the mean fell by 10.0 pp (4 down, 0 up; p = 0.031)",)
        assert [each.id for each in verdict.rows] == ["c036", "c037", "c038", "c039"]

    def test_the_same_outputs_pass_however_few(self) -> None:
        verdict = decided(baseline(numbered(5), outputs="x"), side(numbered(5), outputs="x"))
        assert (verdict.verdict, verdict.identical) == ("PASS", True)
        assert verdict.reasons == ("identical: every output is the same, byte for byte",)
        fails = with_last(numbered(5), 1, 0.0)
        must = side(fails, outputs="x", must_pass=["c004"])
        assert decided(baseline(fails, outputs="x"), must).verdict == "REGRESSED"

    def test_the_same_outputs_that_were_scored_otherwise_are_judged_as_any(self) -> None:
        after = side(with_last(numbered(40), 4, 0.0), outputs="x")
        assert decided(baseline(numbered(40), outputs="x"), after).verdict == "REGRESSED"
        one = decided(baseline(numbered(5), outputs="x"), side(with_last(numbered(5), 1, 0.0), outputs="x"))
        assert (one.verdict, one.identical) == ("UNDECIDED", True)

    def test_exit_codes(self) -> None:
        bare = {"reasons": (), "rule": ""}
        assert Verdict(verdict="PASS", **bare).exit_code == 0  # type: ignore[arg-type]
        assert Verdict(verdict="NOT_COMPARABLE", **bare).exit_code == 3  # type: ignore[arg-type]
        assert Verdict(verdict="UNDECIDED", refused=True, **bare).exit_code == 3  # type: ignore[arg-type]
        assert Verdict(verdict="UNDECIDED", undecided="spend", **bare).exit_code == 0  # type: ignore[arg-type]
        assert Verdict(verdict="NOT_COMPARABLE", broken=True, **bare).exit_code == 4  # type: ignore[arg-type]

    def test_the_rule_is_told(self) -> None:
        assert decided(baseline(GOOD), side(GOOD)).rule == (
            "REGRESSED if a must-pass case fails three times of three, or the mean fell (one-sided sign-flip test, α 5 "
            "%). PASS if the one-sided 95 % lower bound of the change is above −5 pp, or if nothing at all changed. "
            "UNDECIDED otherwise."
        )
        verdict = decided(
            baseline(GOOD, history=10, more={"kind": GOOD}),
            side(GOOD, more={"kind": GOOD}, slices={**dict.fromkeys(GOOD, "a"), "c000": "b"}),
            again=Retries(),
            min_effect=0.02,
            slices=("a",),
            max_drop=0.0,
            floors={"exact": 0.5},
            max_cost=0.5,
            max_latency=2.0,
            alpha=0.1,
        )
        assert verdict.rule == (
            "REGRESSED if a must-pass case fails three times of three, or more cases fell and stayed down in re-runs "
            "than chance allows (α 5 %), or the mean fell by at least 2 pp (one-sided sign-flip test, α 5 %), or a "
            "mean lies under its floor for sure (exact 0.5), or a ceiling is passed for sure (0.5 USD a row, p95 2 s); "
            "exact, kind gate in a too, by Holm. PASS if the one-sided 95 % lower bound of the change is above 0 pp, "
            "or if nothing at all changed. UNDECIDED otherwise."
        )


class TestNotComparable:
    def test_another_dataset(self) -> None:
        before = baseline(numbered(10), dataset=DatasetRef("d", "1" * 12, 10))
        verdict = decided(before, side(numbered(10, start=5)))
        assert (verdict.verdict, verdict.exit_code) == ("NOT_COMPARABLE", 3)
        assert verdict.reasons[0].startswith("another dataset: only 5 cases are the same on both sides")
        assert verdict.paired == 5

    def test_another_ruler(self) -> None:
        before, other = baseline(GOOD), {"exact": ScorerRef("e" * 12, parts={"source": "2"})}
        verdict = decided(before, side(GOOD, refs=other))
        assert verdict.verdict == "NOT_COMPARABLE"
        assert verdict.reasons == (f"exact: another ruler: source changed ({'f' * 12} → {'e' * 12})",)
        assert (verdict.scorers, verdict.rows, verdict.layers) == ({}, (), ())

    def test_a_scorer_that_gates_is_missing(self) -> None:
        verdict = decided(baseline(GOOD), side(GOOD), primary=("kind",))
        assert verdict.reasons == ("kind: the candidate was not scored by it",)
        new = decided(baseline(GOOD), side(GOOD, more={"kind": GOOD}), primary=("kind",))
        assert new.reasons == ("kind: the baseline has no such scorer",)

    def test_scorers_that_came_or_went_are_told(self) -> None:
        verdict = decided(baseline(GOOD, more={"old": GOOD}), side(GOOD, more={"new": GOOD}))
        assert verdict.verdict == "PASS"
        assert verdict.remarks == (
            "new is not in the baseline: it gates from the next baseline on.",
            "old is in the baseline, and the candidate was not scored by it.",
        )

    def test_a_slice_that_gates_is_not_there(self) -> None:
        slices = {case: ("refund", "search")[n % 2] for n, case in enumerate(GOOD)}
        verdict = decided(baseline(GOOD), side(GOOD, slices=slices), slices=("refunds", "search"))
        assert verdict.verdict == "NOT_COMPARABLE"
        assert verdict.reasons == ("slices: no case is in 'refunds' (did you mean \"refund\"?)",)

    def test_no_rows(self) -> None:
        verdict = decided(baseline(GOOD), side({}))
        assert (verdict.verdict, verdict.exit_code) == ("NOT_COMPARABLE", 4)
        assert verdict.reasons == ("the candidate's run has no rows", "the candidate has no rows")
        assert decided(baseline({}), side(GOOD)).reasons == ("the baseline has no rows",)

    def test_a_run_that_was_cut_off(self) -> None:
        whole, part = baseline(GOOD), side(numbered(190))
        part.dataset = whole.dataset
        verdict = decided(whole, part)
        assert (verdict.verdict, verdict.exit_code) == ("NOT_COMPARABLE", 4)
        assert verdict.reasons == ("the candidate's run is partial: 190 of 200 rows are done",)
        part.stopped = "stopped early: exact fell"
        assert decided(whole, part).verdict == "PASS"
        before, after = side(numbered(190)), side(GOOD)
        before.dataset = after.dataset
        old = decided(before, after)
        assert (old.reasons, old.exit_code) == (("the baseline's run is not complete",), 3)


class TestContract:
    MUST = ("c199",)

    def gate(self, value: Values, again: Retries | None = None, **about: Any) -> Verdict:
        return decided(baseline(GOOD), side(with_last(GOOD, 1, value), must_pass=self.MUST), again=again, **about)

    def test_a_failure_that_goes_away_does_not_block(self) -> None:
        again = Retries({"c199": 1.0})
        verdict = self.gate(0.0, again)
        assert (verdict.verdict, verdict.reruns, again.asked) == ("PASS", 1, [["c199"]])
        assert row(verdict, "c199") == ("loss", "", False, (0.0, 1.0))
        assert layer(verdict, "contract") == Layer(name="contract", on=True, said="1 must-pass case")
        assert verdict.rerun_cost == Cost()

    def test_three_failures_of_three_do(self) -> None:
        again = Retries(0.0)
        verdict = self.gate(FAILED, again)
        assert (verdict.verdict, again.asked) == ("REGRESSED", [["c199"], ["c199"]])
        assert verdict.reasons == ("must-pass case c199 failed three times of three (exact)",)
        assert row(verdict, "c199") == ("loss", "A", True, (0.0, 0.0, 0.0))
        assert layer(verdict, "contract").blocks

    def test_where_nothing_can_be_run_again_one_failure_does(self) -> None:
        verdict = self.gate(0.0)
        assert verdict.reasons == ("must-pass case c199 failed each time, and cannot be tried again (exact)",)
        assert self.gate([0.0, 1.0]).verdict == "PASS"
        assert self.gate([0.0, 0.0]).verdict == "REGRESSED"

    def test_a_new_case_and_one_that_always_failed_must_pass_too(self) -> None:
        new = side({**GOOD, "new": 0.0, "other": 0.0}, must_pass=["new"])
        verdict = decided(baseline(GOOD), new)
        assert verdict.reasons == ("must-pass case new failed each time, and cannot be tried again (exact)",)
        assert row(verdict, "new") == ("new", "A", None, ())
        assert verdict.remarks == (
            "2 new or changed cases have nothing to be compared with: of them only must-pass ones can block.",
        )
        standing = decided(baseline(with_last(GOOD, 1, 0.0)), side(with_last(GOOD, 1, 0.0), must_pass=self.MUST))
        assert row(standing, "c199") == ("tie", "A", None, ())

    def test_every_scorer_with_a_pass_mark_is_asked(self) -> None:
        kind = with_last(GOOD, 1, 0.5)
        after = side(GOOD, more={"kind": kind}, refs={"kind": ScorerRef("f" * 12, pass_at=0.75)}, must_pass=self.MUST)
        verdict = decided(baseline(GOOD, more={"kind": GOOD}), after, primary=("exact",))
        assert verdict.reasons == ("must-pass case c199 failed each time, and cannot be tried again (kind)",)
        new = decided(baseline(GOOD), after)
        assert new.verdict == "REGRESSED", "even one that is not in the baseline"

    def test_what_can_not_be_called_failed_does_not_block(self) -> None:
        graded = numbered(200, 0.75)
        after = side(with_last(graded, 1, 0.25), must_pass=self.MUST)
        assert decided(baseline(graded), after).verdict == "PASS"

    def test_the_layer_is_off_where_no_scorer_has_a_pass_mark(self) -> None:
        graded = numbered(200, 0.75)
        assert not layer(decided(baseline(graded), side(graded, must_pass=self.MUST)), "contract").on

    @pytest.mark.parametrize("more", [LOST, [0.0, LOST], SKIPPED])
    def test_a_failure_that_could_not_be_tried_again_is_no_pass(self, more: Values) -> None:
        verdict = self.gate(0.0, Retries({"c199": more}))
        assert (verdict.verdict, verdict.exit_code) == ("UNDECIDED", 3)
        assert verdict.reasons == ("must-pass case c199 failed (exact), and could not be tried three times",)


class TestFlips:
    def test_cases_that_broke_outright_block_where_the_mean_is_blind(self) -> None:
        again = Retries({"c037": 1.0, "c038": 0.0, "c039": 0.0})
        before = baseline(numbered(40), history=10)
        verdict = decided(before, side(with_last(numbered(40), 3, 0.0)), again=again)
        figures = verdict.scorers["exact"]
        assert figures.flips is not None
        assert (figures.flips.eligible, figures.flips.flipped, figures.flips.confirmed) == (40, 3, 2)
        assert again.asked == [["c037", "c038", "c039"], ["c038", "c039"]], "once more only what failed again"
        assert verdict.reasons == (
            "exact: 2 cases that always passed have now failed three times of three (p < 0.0001)",
        )
        assert [row(verdict, case) for case in ("c039", "c037")] == [
            ("loss", "B", True, (0.0, 0.0, 0.0)),
            ("loss", "", False, (0.0, 1.0)),
        ]
        assert layer(verdict, "flips") == Layer(
            name="flips", on=True, blocks=True, said="exact: of 40 cases that always passed 3 fell, 2 stayed down"
        )
        assert (verdict.reruns, layer(verdict, "mean").blocks) == (5, False)
        assert figures.p == pytest.approx(mid_p(0, 3)), "the mean is of the first results alone"

    def test_what_recovered_does_not_block(self) -> None:
        again = Retries(1.0)
        verdict = decided(baseline(numbered(40), history=10), side(with_last(numbered(40), 3, 0.0)), again=again)
        assert (verdict.verdict, again.asked) == ("UNDECIDED", [["c037", "c038", "c039"]])
        assert layer(verdict, "flips").said == "exact: of 40 cases that always passed 3 fell, 0 stayed down"

    def test_what_used_to_fail_now_and_then_is_not_tried(self) -> None:
        history = {case: [1.0] * 9 + [float(case < "c035")] for case in numbered(40)}
        again = Retries(0.0)
        decided(baseline(numbered(40), history=history), side(with_last(numbered(40), 3, 0.0)), again=again)
        assert again.asked == []

    @pytest.mark.parametrize(
        ("before", "after", "again", "said"),
        [
            (
                baseline(GOOD, history=4), side(GOOD), Retries(),
                "the baseline has 4 outcomes of a case, 5 are needed: gatewatch baseline pin baseline --trials 5",
            ),
            (
                baseline(GOOD), side(GOOD), Retries(),
                "the baseline has 1 outcome of a case, 5 are needed: gatewatch baseline pin baseline --trials 5",
            ),
            (
                baseline(GOOD, history={case: [0.0] + [1.0] * 5 for case in GOOD}), side(GOOD), Retries(),
                "no case passed in all of its last 5 outcomes or more",
            ),
            (baseline(GOOD, history=10), side(GOOD), None, "stored runs are compared"),
            (
                baseline(numbered(40, 0.5), history=10), side(numbered(40, 0.5)), Retries(),
                "no gating scorer has a pass mark (pass_at)",
            ),
        ],
    )  # fmt: skip
    def test_where_the_layer_is_off_it_says_why(
        self, before: object, after: object, again: Retries | None, said: str
    ) -> None:
        verdict = decided(before, after, again=again)  # type: ignore[arg-type]
        assert layer(verdict, "flips") == Layer(name="flips", on=False, said=said)
        assert verdict.scorers["exact"].flips is None
        assert "α 5 %" in verdict.rule, "the mean has the whole level then"

    def test_three_trials_of_its_own_are_tries_enough(self) -> None:
        after = side(with_last(numbered(40, [1.0, 1.0, 1.0]), 2, [0.0, 0.0, 0.0]))
        verdict = decided(baseline(numbered(40), history=10), after)
        assert layer(verdict, "flips").said == "exact: of 40 cases that always passed 2 fell, 2 stayed down"
        assert verdict.verdict == "REGRESSED"
        two = side(with_last(numbered(40, [1.0, 1.0]), 2, [0.0, 0.0]))
        assert not layer(decided(baseline(numbered(40), history=10), two), "flips").on

    def test_the_layer_blocks_where_what_broke_must_pass_too(self) -> None:
        after = side(with_last(numbered(40), 2, 0.0), must_pass=["c038", "c039"])
        verdict = decided(baseline(numbered(40), history=10), after, again=Retries())
        assert len(verdict.reasons) == 3
        assert layer(verdict, "flips").blocks


class TestSeveral:
    def test_scorers_share_the_level_and_the_first_named_is_primary(self) -> None:
        fell = with_last(numbered(40), 4, 0.0)
        before = baseline(numbered(40), more={"kind": numbered(40)})
        both = decided(before, side(fell, more={"kind": numbered(40)}))
        assert (both.verdict, both.reasons) == ("UNDECIDED", (OPEN, OPEN.replace("exact", "kind")))
        alone = decided(before, side(fell, more={"kind": numbered(40)}), primary=("exact",))
        assert alone.verdict == "REGRESSED"
        warned = decided(before, side(numbered(40), more={"kind": fell}), primary=("exact",))
        assert (warned.verdict, warned.scorers["kind"].verdict) == ("UNDECIDED", "REGRESSED")

    def test_a_slice_blocks_where_it_is_declared(self) -> None:
        slices = {case: "ab"[n % 2] for n, case in enumerate(GOOD)}
        after: dict[str, Values] = {case: float(slices[case] == "b" or n > 10) for n, case in enumerate(GOOD)}
        before = baseline({case: float(n not in {101, 103}) for n, case in enumerate(GOOD)})
        warned = decided(before, side(after, slices=slices), max_drop=0.1)
        assert (warned.verdict, warned.slices["a"]["exact"].verdict) == ("PASS", "REGRESSED")
        assert sorted(warned.slices) == ["a", "b"]
        verdict = decided(before, side(after, slices=slices), slices=("a",), max_drop=0.1)
        assert verdict.verdict == "REGRESSED"
        assert verdict.reasons == ("exact in a: the mean fell by 6.0 pp (6 down, 0 up; p = 0.0078)",)

    def test_the_mean_layer_blocks_where_a_declared_slice_fell(self) -> None:
        slices = {case: "ab"[n % 2] for n, case in enumerate(GOOD)}
        after: dict[str, Values] = {case: float(slices[case] == "b" or n > 10) for n, case in enumerate(GOOD)}
        before = baseline({case: float(n not in {101, 103, 105}) for n, case in enumerate(GOOD)})
        verdict = decided(before, side(after, slices=slices), slices=("a",))
        assert verdict.reasons == ("exact in a: the mean fell by 6.0 pp (6 down, 0 up; p = 0.0078)",)
        assert layer(verdict, "mean").blocks

    def test_as_many_up_as_down_is_churn(self) -> None:
        before, after = with_last(GOOD, 8, 0.0), {**GOOD, **numbered(8, 0.0)}
        assert decided(baseline(before), side(after)).remarks == (
            "exact: 8 cases broke and 8 were fixed (churn 8%). So many both ways look like flaky cases rather than a "
            "change; several trials of each would tell.",
        )
        same = {"prompt": "p"}
        unchanged = decided(baseline(before, components=same), side(after, components=same))
        assert unchanged.remarks == (
            "exact: 16 cases that moved are flaky: one and the same version both passes and fails.",
        )


def test_what_was_stopped_early_says_so() -> None:
    look = Look(information=(0.2, 0.4, 0.6, 0.8, 1.0), number=4, said={"exact": "no drop"})
    after = side(numbered(20))
    after.stopped = "stopped early: no fall that matters is to be expected"
    verdict = decided(baseline(numbered(40)), after, look=look)
    assert (verdict.verdict, verdict.reasons) == (
        "PASS",
        ("stopped early: a fall of 5 pp is not to be expected any more",),
    )
    fell = Look(information=look.information, number=4, said={"exact": "regressed"})
    assert decided(baseline(numbered(20)), side(numbered(20, 0.0)), look=fell).verdict == "REGRESSED"
