import pytest

from gatewatch.core.money import Cost
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.reach import (
    Noise,
    Reach,
    Step,
    cost_of_row,
    fewest_flips,
    in_words,
    noise_of,
    reach,
    reach_of,
    trials_of,
)
from gatewatch.offline.rule import Rule
from gatewatch.stats.flips import all_fail, fewest, fit_beta
from gatewatch.stats.power import cases_to_decide, components, sd_of_difference, smallest_detectable
from offline.pairs import Retries, baseline, numbered, side, with_last

NOISE = Noise(variance=0.0648, source="the noise is assumed")
HISTORY = {"a": [1.0, 0.0, 1.0, 1.0], "b": [1.0] * 4, "c": [0.0, 1.0, 0.0, 0.0]}


class TestNoise:
    def test_what_a_comparison_saw_comes_first(self) -> None:
        before = baseline(numbered(40, [1.0, 1.0]), history=5)
        verdict = decide(Comparison(before, side(with_last(numbered(40), 4, 0.0))), Rule())
        sd = verdict.scorers["exact"].sd
        assert sd is not None
        found = noise_of(before, "exact", verdict)
        assert found.source == "the differences in this comparison are taken for noise"
        assert sd_of_difference(found.variance, trials_before=2, trials_after=1) == pytest.approx(sd)

    def test_then_stored_outcomes_of_the_same_cases(self) -> None:
        found = noise_of(baseline({"a": 1.0, "b": 1.0, "c": 0.0}, history=HISTORY), "exact")
        assert found.variance == components(list(HISTORY.values())).within
        assert found.source == "the noise is from 4 stored outcomes of each case"

    def test_that_nothing_ever_varied_does_not_say_that_nothing_will(self) -> None:
        few, many = (noise_of(baseline(numbered(count), history=5), "exact").variance for count in (10, 200))
        assert 0.005 < many < few < 0.25

    def test_cases_without_an_outcome_say_nothing(self) -> None:
        few = baseline(numbered(10), history=5)
        some = baseline(numbered(10), history=5, more={"other": numbered(200)})
        assert noise_of(some, "exact") == noise_of(few, "exact")

    def test_where_no_two_trials_ever_differed_more_of_them_are_not_offered(self) -> None:
        found = noise_of(baseline(numbered(40), history=5), "exact")
        assert found.steady
        assert found.source.endswith("which never differed: more trials would tell nothing")
        steps = reach(cases=40, noise=found, trials_before=5, alpha=0.05, max_drop=0.05, cost=None).steps
        assert [(step.cases, step.trials) for step in steps] == [(40, 1), (120, 1), (400, 1)]

    def test_else_it_is_assumed(self) -> None:
        assumed = noise_of(None, "exact")
        assert assumed.variance == 0.36**2 / 2
        assert assumed.source == "the noise is assumed: a noisy pass-or-fail suite, no case was run twice yet"
        assert noise_of(baseline(numbered(40)), "exact") == assumed
        assert noise_of(baseline(numbered(40), history=5), "other") == assumed
        one = baseline({"a": [1.0, 0.0], "b": 1.0})
        assert noise_of(one, "exact") == assumed, "one case that was run twice says too little"


class TestReach:
    def found(self, **about: float | int | None) -> Reach:
        usual = {"cases": 40, "trials_before": 1, "alpha": 0.05, "max_drop": 0.05, "cost": 0.01}
        return reach(noise=NOISE, **{**usual, **about})  # type: ignore[arg-type]

    def fall(self, cases: int, before: int, after: int) -> float:
        sd = sd_of_difference(NOISE.variance, trials_before=before, trials_after=after)
        return smallest_detectable(sd, cases, alpha=0.05)

    def test_now_with_more_trials_and_with_more_cases(self) -> None:
        assert self.found().steps == (
            Step(cases=40, trials=1, fall=self.fall(40, 1, 1), cost=0.0),
            Step(cases=40, trials=3, fall=self.fall(40, 3, 3), cost=0.8),
            Step(cases=40, trials=5, fall=self.fall(40, 5, 5), cost=1.6),
            Step(cases=120, trials=1, fall=self.fall(120, 1, 1), cost=0.8),
            Step(cases=400, trials=1, fall=self.fall(400, 1, 1), cost=3.6),
        )
        assert self.found().needed == cases_to_decide(0.36, 0.05)

    def test_the_baseline_has_the_trials_that_it_has(self) -> None:
        steps = self.found(trials_before=4, cost=None).steps
        falls = [self.fall(40, *trials) for trials in ((4, 1), (4, 3), (5, 5))]
        assert [step.fall for step in steps[:3]] == falls
        assert {step.cost for step in steps} == {None}

    def test_in_words(self) -> None:
        found = self.found(fewest_flips=2)
        falls = [f"{step.fall * 100:.1f} pp" for step in found.steps]
        assert in_words(found) == [
            f"40 cases x 1 trial: a fall of {falls[0]}",
            f"40 cases x 3 trials: a fall of {falls[1]}, +$0.800 a change",
            f"40 cases x 5 trials: a fall of {falls[2]}, +$1.60 a change",
            f"120 cases x 1 trial: a fall of {falls[3]}, +$0.800 a change",
            f"400 cases x 1 trial: a fall of {falls[4]}, +$3.60 a change",
            f"to rule out a fall of 5 pp when nothing changed: {found.needed} cases x 1 trial",
            "flip layer: blocks at 2 cases that break outright, whatever the mean does",
            "(80 % power; the noise is assumed)",
        ]

    def test_what_is_not_known_is_left_out(self) -> None:
        lines = in_words(self.found(cost=None, max_drop=0.0))
        assert not any("$" in line or "rule out" in line for line in lines)
        assert lines[-2] == (
            "flip layer: off until the baseline has 5 outcomes of a case (gatewatch baseline pin RUN --trials 5)"
        )
        one = in_words(self.found(fewest_flips=1))
        assert one[-2] == "flip layer: blocks at 1 case that breaks outright, whatever the mean does"

    def test_nothing_falls_by_more_than_all(self) -> None:
        assert self.found(cases=1).steps[0].fall == pytest.approx(self.fall(1, 1, 1), abs=1.0)
        wide = reach(
            cases=2, noise=Noise(variance=0.5, source=""), trials_before=1, alpha=0.05, max_drop=0.0, cost=None
        )
        assert wide.steps[0].fall == 1.0


def test_how_many_trials_a_baseline_has() -> None:
    assert trials_of(None) == trials_of(baseline({})) == 1
    assert trials_of(baseline({"a": [1.0] * 3, "b": [1.0] * 3, "c": 1.0})) == 3


class TestCost:
    def spent(self, paid: float, judge: Cost, *, unpriced: int = 0) -> Outcomes:
        found = side(numbered(4))
        found.paid, found.unpriced, found.judge_cost = paid, unpriced, judge
        return found

    def test_task_and_judges_together(self) -> None:
        assert cost_of_row(self.spent(1.0, Cost(0.5))) == 0.375

    def test_what_is_not_known_is_not_nothing(self) -> None:
        assert cost_of_row(self.spent(1.0, Cost(0.5), unpriced=1)) is None
        assert cost_of_row(self.spent(1.0, Cost(0.5, 1))) is None
        assert cost_of_row(side({})) is None


def test_how_many_cases_have_to_break() -> None:
    chance = all_fail(fit_beta([(10, 10)] * 40), 10, 10, 3)
    before = baseline(numbered(40), history=10)
    assert fewest_flips(before, "exact", 0.025) == fewest([chance] * 40, 0.025) == 1
    assert fewest_flips(baseline(numbered(40), history=4), "exact", 0.025) is None
    assert fewest_flips(baseline(numbered(40, 0.8), history=10, pass_at=0.75), "exact", 0.025) == 1
    assert fewest_flips(baseline(numbered(40, 0.8), history=10), "exact", 0.025) is None


class TestOfAVerdict:
    def lines(self, before: Outcomes, after: Outcomes, again: Retries | None = None) -> tuple[str, ...]:
        return reach_of(before, after, Rule(), decide(Comparison(before, after), Rule(), again=again))

    def test_it_is_of_the_first_scorer_that_gates_and_the_level_of_its_mean_layer(self) -> None:
        before, after = baseline(numbered(30)), side(numbered(30))
        sd = decide(Comparison(before, after), Rule()).scorers["exact"].sd
        assert sd is not None
        fall = smallest_detectable(sd, 30, alpha=0.05)
        assert self.lines(before, after)[0] == f"30 cases x 1 trial: a fall of {fall * 100:.1f} pp"
        first, *rest = self.lines(baseline(numbered(30), history=10), after, Retries())
        half = smallest_detectable(sd, 30, alpha=0.025)
        assert first == f"30 cases x 1 trial: a fall of {half * 100:.1f} pp"
        assert "flip layer: blocks at 1 case that breaks outright, whatever the mean does" in rest

    def test_without_a_scorer_that_gates_there_is_nothing_to_say(self) -> None:
        before, after = baseline(numbered(40)), side(numbered(40), scorer="other")
        assert self.lines(before, after) == ()

    def test_a_layer_that_cannot_block_is_not_off(self) -> None:
        history = {**{f"c{n:03}": [1.0, 0.0, 1.0, 0.0, 0.0] for n in range(39)}, "c039": [1.0] * 5}
        before, after = baseline(numbered(40), history=history), side(numbered(40))
        flips = decide(Comparison(before, after), Rule(), again=Retries()).scorers["exact"].flips
        assert flips is not None
        assert (flips.eligible, flips.fewest) == (1, None)
        assert not any("off until" in line for line in self.lines(before, after, Retries()))
