from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.case import Open
from gatewatch.core.money import Cost
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.outcomes import Answer, Trial
from gatewatch.offline.verdict import OpenCase, Verdict
from offline.pairs import LOST, SKIPPED, Retries, Values, baseline, decided, numbered, side, with_last

GOOD = numbered(200)
TODAY = date(2026, 6, 1)
NOW = Exceptions(today=TODAY)
LATER, PAST = Open(date(2026, 6, 1), "mia"), Open(date(2026, 5, 31), "mia")


def judged(
    after: dict[str, Values], *, before: dict[str, Values] | None = None, until: Open = LATER, **about: object
) -> Verdict:
    """The gate's verdict on some cases, of which those named x... are open."""
    opened = {case: until for case in after if case.startswith("x")}
    past = about.pop("history", {})
    one = baseline(before or GOOD, history=past)
    return decided(one, side(after, open_cases=opened), exceptions=NOW, **about)  # type: ignore[arg-type]


class TestWhileItIsOpen:
    def test_it_is_reported_and_does_not_block(self) -> None:
        verdict = judged({**GOOD, "x1": 0.0, "x2": 1.0, "x3": SKIPPED})
        assert verdict.verdict == "PASS"
        assert verdict.open == (
            OpenCase(id="x2", until="2026-06-01", owner="mia", passes=True, tries=1),
            OpenCase(id="x1", until="2026-06-01", owner="mia", passes=False, tries=1),
            OpenCase(id="x3", until="2026-06-01", owner="mia", passes=None, tries=0),
        )

    def test_must_pass_beside_it_waits_for_the_fix(self) -> None:
        after = side({**GOOD, "x1": 0.0}, open_cases={"x1": LATER}, must_pass=["x1"])
        again = Retries()
        assert decided(baseline(GOOD), after, exceptions=NOW, again=again).verdict == "PASS"
        assert again.asked == []

    def test_it_is_in_no_layer(self) -> None:
        known = {**GOOD, **{f"x{n}": 1.0 for n in range(40)}}
        fallen = {case: 0.0 if case.startswith("x") else value for case, value in known.items()}
        past = {case: [0.0] + [1.0] * 9 if case.startswith("x") else [1.0] * 10 for case in known}
        # Of these 40 none is locked: each failed in the run that was pinned.
        before = {case: [1.0, 0.0] if case.startswith("x") else value for case, value in known.items()}
        again = Retries()
        verdict = judged(fallen, before=before, history=past, again=again)
        assert (verdict.verdict, again.asked) == ("PASS", [])
        assert (verdict.scorers["exact"].n, verdict.scorers["exact"].losses) == (200, 0)
        assert len([row for row in verdict.rows if row.accepted == "open (until 2026-06-01, mia)"]) == 40

    def test_a_change_does_not_open_what_must_pass(self) -> None:
        before = baseline({**GOOD, "x1": 1.0})
        before.cases["x1"].must_pass = True
        verdict = decided(before, side({**GOOD, "x1": 0.0}, open_cases={"x1": LATER}), exceptions=NOW, again=Retries())
        assert verdict.verdict == "REGRESSED"
        assert [each.state for each in verdict.open] == ["locked"]

    def test_it_is_under_no_ceiling(self) -> None:
        found = side({**GOOD})
        slow, dear = Answer(latency_s=99.0), Answer(cost=Cost(9.0))
        for number, answer in enumerate([slow, dear]):
            found.add(Trial(f"x{number}", open=LATER), answer)
        assert (len(found.costs), max(found.latencies, default=0.0)) == (0, 0.0)
        assert found.task_cost.amount == 9.0

    def test_it_is_under_no_floor(self) -> None:
        after: dict[str, Values] = {**GOOD, **{f"x{n}": 0.0 for n in range(45)}}
        assert judged(after, floors={"exact": 0.9}).verdict == "PASS"
        assert decided(baseline(GOOD), side(after), floors={"exact": 0.9}).verdict == "REGRESSED"

    def test_scores_that_were_lost_of_it_hide_no_floor(self) -> None:
        after: dict[str, Values] = {**GOOD, **{f"x{n}": LOST for n in range(45)}}
        assert judged(after, floors={"exact": 0.9}).verdict == "PASS"

    def test_one_that_rose_needs_no_acceptance(self) -> None:
        verdict = judged({**GOOD, "x1": 1.0}, before={**GOOD, "x1": 0.0})
        assert [(row.id, row.effect, row.accepted) for row in verdict.rows] == [("x1", "win", "")]


class TestPastItsDay:
    def test_the_gate_fails_and_says_what_to_do(self) -> None:
        verdict = judged({**GOOD, "x1": 0.0}, until=PAST)
        assert (verdict.verdict, verdict.exit_code) == ("REGRESSED", 1)
        assert verdict.reasons == (
            "open case x1 was to be fixed by 2026-05-31 (mia), and fails: fix it, give it more time (open.until in the "
            "dataset), or retire it",
        )
        assert [each.state for each in verdict.open] == ["expired"]

    def test_one_that_nothing_judges_blocks_too(self) -> None:
        verdict = judged({**GOOD, "x1": SKIPPED}, until=Open(date(2026, 5, 31)))
        assert verdict.verdict == "REGRESSED"
        assert verdict.reasons[0].startswith("open case x1 was to be fixed by 2026-05-31, and cannot be judged: ")

    def test_its_fix_passes(self) -> None:
        verdict = judged({**GOOD, "x1": 1.0}, until=PAST)
        assert (verdict.verdict, verdict.open[0].state, verdict.open[0].passes) == ("PASS", "expired", True)


class TestLocked:
    @pytest.mark.parametrize("until", [LATER, PAST])
    def test_what_the_baseline_shows_fixed_must_pass(self, until: Open) -> None:
        fixed: dict[str, Values] = {**GOOD, "x1": [1.0, 1.0, 1.0]}
        verdict = judged({**GOOD, "x1": 0.0}, before=fixed, until=until, again=Retries())
        assert (verdict.verdict, verdict.exit_code) == ("REGRESSED", 1)
        assert verdict.reasons == ("must-pass case x1 failed three times of three (exact)",)
        assert [(row.id, row.why, row.must_pass) for row in verdict.rows] == [("x1", "A", True)]
        assert [(each.state, each.passes, each.tries) for each in verdict.open] == [("locked", False, 3)]

    def test_one_trial_and_what_is_known_from_before_it(self) -> None:
        fixed, past = {**GOOD, "x1": 1.0}, {"x1": [0.0, 0.0, 1.0, 1.0, 1.0]}
        verdict = judged({**GOOD, "x1": 0.0}, before=fixed, history=past, again=Retries())
        assert verdict.reasons == ("must-pass case x1 failed three times of three (exact)",)

    @pytest.mark.parametrize(
        ("values", "past"),
        [
            ([1.0, 1.0], [1.0, 1.0]),
            ([1.0, 0.0, 1.0], [1.0, 0.0, 1.0]),
            ([1.0], [1.0, 1.0, 0.0, 1.0]),
            ([1.0, 1.0, 0.0], [1.0, 1.0, 1.0]),
            (SKIPPED, []),
        ],
        ids=["too few", "mixed", "failed lately", "failed in the run", "nothing"],
    )
    def test_what_is_not_sure_stays_open(self, values: Values, past: list[float]) -> None:
        before = {**GOOD, "x1": values}
        verdict = judged({**GOOD, "x1": 0.0}, before=before, history={"x1": past}, again=Retries())
        assert [each.state for each in verdict.open] == ["open"]
        assert not any(reason.startswith("must-pass") for reason in verdict.reasons)

    def test_under_every_scorer_that_has_a_value(self) -> None:
        three = [1.0, 1.0, 1.0]

        def state(kind: Values) -> str:
            before = baseline({**GOOD, "x1": three}, more={"kind": {**GOOD, "x1": kind}})
            after = side({**GOOD, "x1": 1.0}, more={"kind": {**GOOD, "x1": 1.0}}, open_cases={"x1": LATER})
            return decided(before, after, exceptions=NOW).open[0].state

        assert state([1.0, 1.0, 1.0]) == "locked"
        assert state([1.0, 0.0, 1.0]) == "open"
        assert state([SKIPPED, SKIPPED, SKIPPED]) == "locked"

    def test_another_question_under_its_name_is_another_case(self) -> None:
        before = baseline({**GOOD, "x1": [1.0, 1.0, 1.0]})
        after = side({**GOOD, "x1": 0.0}, hashes={"x1": "other"}, open_cases={"x1": LATER})
        assert decided(before, after, exceptions=NOW).open[0].state == "open"

    def test_only_a_pinned_baseline_locks(self) -> None:
        before = side({**GOOD, "x1": [1.0, 1.0, 1.0]}, name="another run")
        after = side({**GOOD, "x1": 0.0}, open_cases={"x1": LATER})
        assert decided(before, after, exceptions=NOW).open[0].state == "open"


@given(st.dictionaries(st.sampled_from([f"x{n}" for n in range(12)]), st.sampled_from([0.0, 1.0]), min_size=1))
def test_no_open_case_ever_moves_the_verdict(opened: dict[str, Values]) -> None:
    after = with_last(GOOD, 3, 0.0)
    without = decided(baseline(GOOD), side(after))
    verdict = judged({**after, **opened})
    assert (verdict.verdict, verdict.reasons) == (without.verdict, without.reasons)
    assert {each.id for each in verdict.open} == set(opened)
