"""The gate where scores are missing, or too few: what could not be seen is no pass."""

import pytest

from gatewatch.offline.stopping import Look
from offline.pairs import FAILED, LOST, SKIPPED, Retries, Values, baseline, decided, numbered, side, with_last

GOOD = numbered(200)


class TestLost:
    def test_too_many_lost_pairs_are_no_verdict(self) -> None:
        verdict = decided(baseline(GOOD), side(with_last(GOOD, 11, LOST)))
        assert (verdict.verdict, verdict.refused, verdict.exit_code) == ("UNDECIDED", True, 3)
        assert verdict.reasons == ("exact: 11 of 200 pairs were lost to scorer errors (5.5%)",)
        assert decided(baseline(GOOD), side(with_last(GOOD, 10, LOST))).exit_code == 0
        every = decided(baseline(GOOD), side(numbered(200, LOST)))
        assert (every.verdict, every.exit_code) == ("NOT_COMPARABLE", 4)
        assert every.reasons == ("the candidate's run has nothing but errors to show",)

    def test_a_scorer_that_only_warns_may_lose_what_it_will(self) -> None:
        more = {"kind": numbered(200, LOST)}
        verdict = decided(baseline(GOOD, more={"kind": GOOD}), side(GOOD, more=more), primary=("exact",))
        assert (verdict.verdict, verdict.refused) == ("PASS", False)

    def test_what_was_skipped_is_not_lost(self) -> None:
        verdict = decided(baseline(GOOD), side(with_last(GOOD, 10, SKIPPED)))
        assert (verdict.verdict, verdict.scorers["exact"].skipped) == ("PASS", 10)

    def test_what_a_scorer_has_nothing_to_say_of_any_more_is_no_pass(self) -> None:
        verdict = decided(baseline(GOOD), side(with_last(GOOD, 20, SKIPPED)))
        assert (verdict.verdict, verdict.scorers["exact"].dropped) == ("UNDECIDED", 20)
        assert verdict.reasons == ("exact: it has nothing to say of 20 cases any more, 180 are left to compare",)
        assert decided(baseline(GOOD), side({**numbered(160, 0.0), **numbered(40, SKIPPED, start=160)})).exit_code == 1
        more = decided(baseline(with_last(GOOD, 20, SKIPPED)), side(GOOD))
        assert more.verdict == "PASS", "what it says now, and did not then, is only more"

    def test_what_the_baseline_alone_has_nothing_to_say_of_is_no_loss(self) -> None:
        more = decided(baseline(GOOD), side(with_last(GOOD, 11, SKIPPED)))
        assert more.reasons == ("exact: it has nothing to say of 11 cases any more, 189 are left to compare",)
        assert decided(baseline(with_last(GOOD, 11, SKIPPED)), side(GOOD)).verdict == "PASS"

    def test_it_counts_by_trials(self) -> None:
        given: dict[str, Values] = {case: [1.0, SKIPPED, SKIPPED] for case in GOOD}
        verdict = decided(baseline(GOOD), side(given))
        assert (verdict.verdict, verdict.scorers["exact"].dropped) == ("UNDECIDED", 134)

    def test_skips_and_errors_count_together(self) -> None:
        some = with_last(with_last(GOOD, 12, LOST), 6, SKIPPED)
        verdict = decided(baseline(GOOD), side(some))
        assert verdict.reasons == (
            "exact: it has nothing to say of 6 cases any more and 6 were lost to scorer errors, 188 are left to "
            "compare",
        )

    def test_a_gating_slice_without_a_pair_is_no_pass(self) -> None:
        slices = {case: "legal" if number < 10 else "rest" for number, case in enumerate(GOOD)}
        after = side({**GOOD, **numbered(10, SKIPPED)}, slices=slices)
        verdict = decided(baseline(GOOD, slices=slices), after, slices=("legal",))
        assert (verdict.verdict, verdict.exit_code) == ("UNDECIDED", 3)
        assert "exact in legal: no pairs" in verdict.reasons

    def test_a_crash_is_a_failure(self) -> None:
        verdict = decided(baseline(GOOD), side(with_last(GOOD, 6, FAILED)))
        assert (verdict.verdict, verdict.scorers["exact"].losses) == ("REGRESSED", 6)

    def test_a_must_pass_case_that_was_not_scored_is_no_pass(self) -> None:
        verdict = decided(baseline(GOOD), side(with_last(GOOD, 1, LOST), must_pass=["c199"]))
        assert (verdict.verdict, verdict.exit_code) == ("UNDECIDED", 3)
        assert verdict.reasons == ("must-pass case c199 could not be judged: exact failed on it",)


def test_what_an_early_look_said_is_no_reason_of_a_run_that_went_on() -> None:
    look = Look(information=(0.2, 0.4, 0.6, 0.8, 1.0), number=4, said={"exact": "no drop"})
    verdict = decided(baseline(GOOD), side(GOOD), look=look)
    assert verdict.reasons == ("a fall of 5 pp or more is ruled out (95 % lower bound −1.3 pp, exact)",)


class TestTooFew:
    def test_a_bound_that_goes_by_the_spread_of_a_few_is_not_trusted(self) -> None:
        few = decided(baseline(numbered(2, 0.5)), side({"c000": 0.5, "c001": 0.5001}))
        assert few.reasons == ("exact: 2 cases are too few to rule a fall out (at least 20 are needed)",)
        graded = {case: 0.5 + number / 1000 for number, case in enumerate(numbered(20))}
        assert decided(baseline(numbered(20, 0.5)), side(graded)).verdict == "PASS"
        groups = {case: f"doc{number // 10}" for number, case in enumerate(numbered(100))}
        wide = {case: 0.5 + number / 1000 for number, case in enumerate(numbered(100))}
        some = decided(baseline(numbered(100, 0.5)), side(wide, clusters=groups))
        assert some.reasons == ("exact: 10 groups of cases are too few to rule a fall out (at least 20 are needed)",)

    @pytest.mark.parametrize("more", [LOST, SKIPPED])
    def test_what_fell_and_could_not_be_tried_again_is_no_pass(self, more: Values) -> None:
        verdict = decided(baseline(GOOD, history=5), side(with_last(GOOD, 1, 0.0)), again=Retries(more))
        assert (verdict.verdict, verdict.exit_code) == ("UNDECIDED", 3)
        assert "exact: 1 case that always passed fell, and could not be tried three times" in verdict.reasons

    def test_a_must_pass_case_is_judged_by_all_that_judged_it(self) -> None:
        more = {"kind": GOOD}
        after = side(with_last(GOOD, 1, SKIPPED), more=more, must_pass=["c199"])
        verdict = decided(baseline(GOOD, more=more), after, again=Retries(1.0))
        assert (verdict.verdict, verdict.exit_code) == ("UNDECIDED", 3)
        assert verdict.reasons == ("must-pass case c199 could not be judged: exact has nothing to say of it any more",)
        never = decided(baseline(with_last(GOOD, 1, SKIPPED), more=more), after, again=Retries(1.0))
        assert never.verdict == "PASS", "it never had anything to say of it"
