from datetime import date
from typing import Any

import pytest

from gatewatch.offline import selftest as module
from gatewatch.offline.accept import Entry, Exceptions
from gatewatch.offline.compare import Comparison
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.rule import Rule
from gatewatch.offline.selftest import LEAST_TRIALS, SelfTest, selftest
from gatewatch.offline.verdict import Verdict
from gatewatch.stats.intervals import wilson
from offline.pairs import Values, numbered, side


def found(cases: dict[str, Values], *, deals: int = 20, rule: Rule | None = None, **about: Any) -> SelfTest:
    return selftest(side(cases, **about), rule or Rule(), deals=deals)


def test_at_least_three_trials_of_a_case_are_needed() -> None:
    with pytest.raises(ValueError, match=f"no case has {LEAST_TRIALS} trials"):
        found(numbered(5, [1.0, 1.0]))
    with pytest.raises(ValueError, match="no case has 3 trials"):
        found({})
    some = found({**numbered(5, [1.0] * 3), **numbered(5, [1.0] * 2, start=5), **numbered(2, [1.0] * 6, start=10)})
    assert (some.cases, some.trials) == (7, (3, 6)), "those with fewer are left out"


def test_a_suite_that_never_fails_is_never_blocked() -> None:
    each = found(numbered(200, [1.0] * 3))
    assert (each.deals, each.blocked, each.passed, each.undecided, each.reruns) == (20, 0, 20, 0, 0.0)
    assert each.interval == wilson(0, 20)
    few = found(numbered(10, [1.0] * 3))
    assert (few.blocked, few.passed, few.undecided) == (0, 0, 20)


def test_a_must_pass_case_that_mostly_fails_blocks_what_changed_nothing() -> None:
    cases = {**numbered(199, [1.0] * 3), "c199": [0.0] * 3}
    each = found(cases, must_pass=["c199"])
    assert (each.blocked, each.interval) == (20, wilson(20, 20))
    assert each.reruns == 2 / 200


def test_the_same_deals_for_the_same_seed() -> None:
    run = side({f"c{n:02}": [float((n * k) % 7 != 1) for k in range(6)] for n in range(60)})
    one = selftest(run, Rule(), deals=30, seed=1)
    assert one == selftest(run, Rule(), deals=30, seed=1)
    assert one != selftest(run, Rule(), deals=30, seed=2)
    assert one.blocked + one.passed + one.undecided == 30


def test_the_run_is_left_as_it_was() -> None:
    run = side(numbered(5, [1.0, 0.0, 1.0]))
    before = {
        case: (outcome.values("exact"), [each.digest for each in outcome.trials]) for case, outcome in run.cases.items()
    }
    selftest(run, Rule(), deals=5)
    assert before == {
        case: (outcome.values("exact"), [each.digest for each in outcome.trials]) for case, outcome in run.cases.items()
    }


def spied(monkeypatch: pytest.MonkeyPatch, cases: dict[str, Values]) -> list[dict[str, list[set[float]]]]:
    """What is dealt, deal by deal: for each case the candidate's, the baseline's, past and further values."""
    deals: list[dict[str, list[set[float]]]] = []

    def decide(comparison: Comparison, rule: Rule, *, again: Any, exceptions: Any) -> Verdict:
        dealt: dict[str, list[set[float]]] = {}
        for case in comparison.paired:
            more: list[Outcomes] = [again([case], 1) for _ in range(200)]
            dealt[case] = [
                set(comparison.after.cases[case].values("exact")),
                set(comparison.before.cases[case].values("exact")),
                set(comparison.before.cases[case].history["exact"]),
                {value for each in more for value in each.cases[case].values("exact")},
            ]
        deals.append(dealt)
        return Verdict(verdict="PASS", reasons=(), rule="")

    monkeypatch.setattr(module, "decide", decide)
    selftest(side(cases), Rule(), deals=5)
    return deals


def test_no_trial_is_dealt_to_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    cases: dict[str, Values] = {"a": [n / 16 for n in range(10)], "b": [n / 16 for n in range(3)]}
    for deal in spied(monkeypatch, cases):
        for case, (mine, theirs, past, more) in deal.items():
            assert len(mine) == len(theirs) == 1
            assert theirs <= past
            assert not mine & past
            assert more == set(side(cases).cases[case].values("exact")), "what fell may fail again"


def test_the_history_is_as_long_as_a_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: set[int] = set()

    def decide(comparison: Comparison, rule: Rule, *, again: Any, exceptions: Any) -> Verdict:
        lengths.update(len(each.history["exact"]) for each in comparison.before.cases.values())
        return Verdict(verdict="PASS", reasons=(), rule="")

    monkeypatch.setattr(module, "decide", decide)
    for trials, expected in ((3, 3), (10, 10), (14, 10)):
        lengths.clear()
        selftest(side(numbered(2, [1.0] * trials)), Rule(), deals=2)
        assert lengths == {expected}


def test_the_flip_layer_is_put_to_the_test() -> None:
    each = selftest(side(numbered(60, [1.0] * 7 + [0.0])), Rule(), deals=60)
    assert each.reruns > 0.0, "what fell from a history without a failure was tried again"


def test_what_is_accepted_is_left_out() -> None:
    cases = {**numbered(199, [1.0] * 3), "c199": [0.0] * 3}
    entry = Entry(case="c199", reason="r", owner="mia", until=date(2026, 6, 30))
    exceptions = Exceptions([("accepted.toml:1", entry)], today=date(2026, 6, 1))
    run = side(cases, must_pass=["c199"])
    assert selftest(run, Rule(), deals=5, exceptions=exceptions).blocked == 0


def test_a_rule_that_cannot_be_held_is_no_clean_bill() -> None:
    with pytest.raises(ValueError, match="other: the candidate was not scored by it"):
        found(numbered(10, [1.0] * 3), rule=Rule(primary=("other",)))
