from collections.abc import Mapping, Sequence

import pytest

from gatewatch.offline.flips import (
    LEAST_HISTORY,
    TRIES,
    chances,
    failed_tries,
    flips,
    history_of,
    is_mixed,
    to_try,
)
from gatewatch.offline.outcomes import Outcomes
from gatewatch.stats.flips import all_fail, fewest, fit_beta, tail
from offline.pairs import FAILED, LOST, Values, baseline, numbered, side

ALPHA = 0.025


def stored(history: Mapping[str, Sequence[float]]) -> Outcomes:
    """A baseline with these outcomes of each case."""
    return baseline({case: past[-1] for case, past in history.items()}, history=history)


def tried(first: Mapping[str, Values], *more: Mapping[str, Values]) -> Outcomes:
    """What was tried: at first, then again and again."""
    found = side(first)
    for each in more:
        found.try_again(side(each, name="again"))
    return found


class TestEligible:
    def chances(self, before: Outcomes, mark: float = 1.0) -> dict[str, float]:
        return chances(before, before.cases, "exact", mark)

    def test_cases_that_passed_whenever_they_were_run_five_times_or_more(self) -> None:
        history = {
            "five": [1.0] * 5,
            "ten": [1.0] * 10,
            "four": [1.0] * 4,
            "flaky": [1.0] * 9 + [0.0],
            "never": [0.0] * 10,
        }
        found = self.chances(stored(history))
        assert sorted(found) == ["five", "ten"]
        assert 0.0 < found["ten"] < found["five"] < 0.05

    def test_none_where_no_case_was_run_so_often(self) -> None:
        assert LEAST_HISTORY == 5
        assert self.chances(stored({case: [1.0] * 4 for case in "abc"})) == {}
        assert self.chances(baseline({})) == {}

    def test_the_chances_are_those_of_the_whole_suites_history(self) -> None:
        history = {**{f"c{n}": [1.0] * 10 for n in range(20)}, "flaky": [1.0, 0.0] * 5}
        found = self.chances(stored(history))
        prior = fit_beta([(10, 10)] * 20 + [(5, 10)])
        assert found == {f"c{n}": all_fail(prior, 10, 10, TRIES) for n in range(20)}

    def test_flaky_cases_make_failures_of_the_others_less_surprising(self) -> None:
        steady = {f"c{n}": [1.0] * 5 for n in range(10)}
        flaky = {f"f{n}": [1.0, 0.0, 1.0, 1.0, 0.0] for n in range(10)}
        assert self.chances(stored({**steady, **flaky}))["c0"] > 3 * self.chances(stored(steady))["c0"]

    def test_only_the_cases_that_are_asked_for_count(self) -> None:
        before = stored({"a": [1.0] * 5, "b": [1.0] * 5, "c": [0.0] * 5})
        assert chances(before, ["a"], "exact", 1.0) == {"a": all_fail(fit_beta([(5, 5)]), 5, 5, TRIES)}
        assert chances(before, ["a"], "other", 1.0) == {}

    def test_the_pass_mark_is_the_one_that_holds_now(self) -> None:
        before = stored({"a": [0.75, 0.8, 0.75, 1.0, 0.9]})
        assert list(self.chances(before, 0.75)) == ["a"]
        assert self.chances(before, 0.8) == {}

    def test_the_trials_of_a_run_are_a_history_too(self) -> None:
        assert sorted(self.chances(side({"a": [1.0] * 5, "b": [1.0] * 4 + [FAILED], "c": [1.0] * 4}))) == ["a"]


class TestTries:
    @pytest.mark.parametrize(
        ("values", "failing"),
        [
            ([1.0], 0),
            ([0.0], 1),
            ([0.0, 0.0], 2),
            ([0.0, 0.0, 0.0], 3),
            ([0.0, 0.0, 1.0], 0),
            ([0.0, 0.0, 0.0, 1.0], 3),
            ([1.0, 0.0, 0.0, 0.0], 0),
            ([LOST], 0),
            ([FAILED, FAILED, FAILED], 3),
        ],
    )
    def test_the_first_three_decide(self, values: Values, failing: int) -> None:
        found = tried({"a": values})
        assert failed_tries(found.cases["a"], "exact", 1.0) == failing
        assert to_try(found, ["a"], "exact", 1.0) == ({"a"} if 0 < failing < 3 else set())

    def test_a_mark_is_a_pass(self) -> None:
        assert failed_tries(tried({"a": 0.75}).cases["a"], "exact", 0.75) == 0
        assert failed_tries(tried({"a": 0.74}).cases["a"], "exact", 0.75) == 1

    def test_what_was_tried_again_comes_behind_and_what_a_scorer_could_not_say_is_no_try(self) -> None:
        found = tried({"a": 0.0, "b": LOST, "c": [0.0, LOST]}, {"a": 0.0, "b": 0.0, "c": LOST}, {"a": 1.0, "c": 0.0})
        assert {case: failed_tries(found.cases[case], "exact", 1.0) for case in "abc"} == {"a": 0, "b": 1, "c": 2}
        assert to_try(found, "abc", "exact", 1.0) == {"b", "c"}


class TestFlips:
    def test_what_fell_and_stayed_down(self) -> None:
        before = baseline(numbered(40), history=10)
        found = chances(before, before.cases, "exact", 1.0)
        first = {**numbered(40), "c000": 0.0, "c001": 0.0, "c002": FAILED}
        some = tried(first, {"c000": 0.0, "c001": 1.0, "c002": 0.0}, {"c000": 0.0, "c002": 0.0})
        each = flips(some, found, "exact", 1.0, ALPHA)
        each_by_chance = list(found.values())
        assert (each.eligible, each.flipped, each.confirmed) == (40, 3, 2)
        assert each.p == tail(each_by_chance, 2) < ALPHA
        assert each.fewest == fewest(each_by_chance, ALPHA)

    def test_nothing_fell(self) -> None:
        before = baseline(numbered(40), history=10)
        each = flips(tried(numbered(40)), chances(before, before.cases, "exact", 1.0), "exact", 1.0, ALPHA)
        assert (each.flipped, each.confirmed, each.p) == (0, 0, 1.0)

    def test_what_was_not_tried_three_times_is_not_confirmed(self) -> None:
        before = baseline(numbered(5), history=10)
        found = chances(before, before.cases, "exact", 1.0)
        lost = tried({**numbered(4), "c004": 0.0}, {"c004": 0.0}, {"c004": LOST})
        each = flips(lost, found, "exact", 1.0, ALPHA)
        assert (each.flipped, each.confirmed, each.p) == (1, 0, 1.0)

    def test_cases_that_are_not_eligible_do_not_count(self) -> None:
        before = stored({"a": [1.0] * 5, "b": [1.0] * 4 + [0.0]})
        found = chances(before, before.cases, "exact", 1.0)
        each = flips(tried({"a": [0.0] * 3, "b": [0.0] * 3}), found, "exact", 1.0, ALPHA)
        assert (each.eligible, each.flipped, each.confirmed) == (1, 1, 1)


def test_mixed_is_what_both_passes_and_fails() -> None:
    assert is_mixed([0.0, 1.0], 1.0)
    assert is_mixed([0.7, 0.8], 0.75)
    assert not is_mixed([1.0, 1.0], 1.0)
    assert not is_mixed([0.5, 0.0], 1.0)
    assert not is_mixed([], 1.0)


def test_what_is_known_of_a_case_is_its_history_or_else_its_trials() -> None:
    before = baseline({"a": [1.0, 0.0], "b": 1.0}, history={"b": [0.0, 1.0]})
    assert list(history_of(before.cases["a"], "exact")) == [1.0, 0.0]
    assert list(history_of(before.cases["b"], "exact")) == [0.0, 1.0]
    assert list(history_of(before.cases["b"], "other")) == []
