from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.compare import Comparison
from gatewatch.offline.outcomes import Outcomes
from offline.pairs import FAILED, LOST, SKIPPED, Values, baseline, numbered, side

ONE, OTHER = "0" * 12, "1" * 12
HALF = pytest.approx(0.5)


def compared(before: Outcomes, after: Outcomes) -> Comparison:
    return Comparison(before, after)


def dataset(version: str = ONE, cases: int = 10, **chosen: Any) -> DatasetRef:
    return DatasetRef("d.jsonl", version, cases, **chosen)


class TestPairing:
    def test_by_id_and_hash(self) -> None:
        before = baseline(numbered(3))
        found = compared(before, side({**numbered(2), "z": 1.0, "new": 1.0}, hashes={"c001": "changed"}))
        assert found.paired == ["c000"]
        assert (found.altered, found.new, found.removed) == (["c001"], ["new", "z"], ["c002"])

    @pytest.mark.parametrize(
        ("before", "after", "share"),
        [
            # what was chosen by another tier is to pair
            (dataset(cases=10), dataset(cases=4, tier="pr"), 1.0),
            (dataset(OTHER, 10), dataset(cases=4, tier="pr"), 1.0),
            # a limit is for trying things out
            (dataset(cases=10), dataset(cases=4, limit=4), 0.4),
            (dataset(OTHER, 10), dataset(cases=4, limit=4), 0.4),
            # of the same dataset all that there is
            (dataset(cases=10), dataset(cases=4), 0.4),
            (dataset(cases=4, limit=4), dataset(cases=10), 0.4),
            # of another one what the baseline had; it may have grown
            (dataset(OTHER, 10), dataset(cases=4), 0.4),
            (dataset(OTHER, 4), dataset(cases=10), 1.0),
        ],
    )
    def test_the_share_that_pairs(self, before: DatasetRef, after: DatasetRef, share: float) -> None:
        found = compared(baseline(numbered(before.cases), dataset=before), side(numbered(after.cases), dataset=after))
        assert found.share == share
        assert (found.why_not() == []) is (share >= 0.8)

    def test_a_choice_does_not_excuse_cases_that_are_others(self) -> None:
        chosen = side(numbered(10, start=5), dataset=dataset(OTHER, tier="pr"))
        found = compared(baseline(numbered(15), dataset=dataset(cases=15)), chosen)
        assert found.share == 1.0
        strange = side(numbered(10, start=8), dataset=dataset(OTHER, tier="pr"))
        assert compared(baseline(numbered(15), dataset=dataset(cases=15)), strange).share == 0.7

    def test_the_same_choice_on_both_sides_excuses_nothing(self) -> None:
        before = baseline(numbered(20), dataset=dataset(OTHER, 20, tier="pr"))
        after = side(numbered(2), dataset=dataset(ONE, 2, tier="pr"))
        assert compared(before, after).share == 0.1

    def test_an_early_stop_is_a_choice(self) -> None:
        after = side(numbered(4), dataset=dataset(ONE, 10))
        before = baseline(numbered(10), dataset=dataset(OTHER, 10))
        assert compared(before, after).share == 0.4
        after.stopped = "stopped early: exact fell"
        assert compared(before, after).share == 1.0

    def test_why_two_runs_cannot_be_compared(self) -> None:
        before = baseline(numbered(20), dataset=dataset(OTHER, 20))
        assert compared(before, side(numbered(15), dataset=dataset())).why_not() == [
            "another dataset: only 15 cases are the same on both sides, of 20 in the baseline and 15 in the candidate "
            "(at least 80% must be)"
        ]
        assert compared(before, side(numbered(16), dataset=dataset())).why_not() == []
        assert compared(before, side(numbered(20), scorer="other")).why_not() == ["the two have no scorer in common"]
        assert compared(before, side({})).why_not() == ["the candidate has no rows"]
        assert compared(baseline({}), side({})).why_not() == [
            "the candidate has no rows",
            "the baseline has no rows",
        ]


class TestValues:
    def pairs(self, before: Mapping[str, Any], after: Mapping[str, Any], **about: Any) -> Any:
        return compared(baseline(before), side(after, **about)).pairs("exact")

    def test_one_trial_each(self) -> None:
        found = self.pairs({"a": 1.0, "b": 0.0, "c": 0.5}, {"a": 0.0, "b": 0.25, "c": 0.5})
        assert found.before.tolist() == [1.0, 0.0, 0.5]
        assert found.after.tolist() == [0.0, 0.25, 0.5]
        assert found.differences.tolist() == [-1.0, 0.25, 0.0]
        assert (found.n, found.lost, found.skipped, found.binary) == (3, 0, 0, False)

    def test_trials_are_averaged_and_may_differ_in_number(self) -> None:
        found = self.pairs({"a": [1.0, 0.0, 1.0, 1.0], "b": 1.0}, {"a": [0.0, 1.0], "b": [1.0, LOST]})
        assert (found.before.tolist(), found.after.tolist()) == ([0.75, 1.0], [0.5, 1.0])

    def test_a_crash_is_a_zero_and_a_judges_error_is_unknown(self) -> None:
        before: dict[str, Values] = {"a": 1.0, "b": 1.0, "c": 1.0, "d": LOST, "e": SKIPPED, "f": 1.0}
        after: dict[str, Values] = {"a": FAILED, "b": LOST, "c": SKIPPED, "d": 1.0, "e": SKIPPED}
        found = compared(baseline(before), side(after, more={"other": {"f": 1.0}})).pairs("exact")
        assert (found.before.tolist(), found.after.tolist()) == ([1.0], [0.0])
        assert (found.lost, found.skipped) == (2, 3), "f was never scored by it: nothing is known to be lost"

    def test_what_is_the_arithmetics_alone_is_no_difference(self) -> None:
        found = self.pairs({"a": 0.3, "b": 0.3}, {"a": 0.1 + 0.2, "b": 0.3 + 1e-9})
        assert found.differences[0] == 0.0
        assert found.differences[1] > 0.0

    @pytest.mark.parametrize(
        ("after", "pass_at", "mark", "bar"),
        [
            ({"a": 0.0, "b": 1.0}, None, 1.0, HALF),
            ({"a": [0.0, 1.0, 1.0], "b": [1.0, 1.0, 1.0]}, None, 1.0, HALF),
            ({"a": [0.0, 1.0], "b": 1.0}, 0.5, 0.5, HALF),
            ({"a": 0.5, "b": 1.0}, None, None, None),
            ({"a": [0.25, 0.75], "b": 1.0}, None, None, None),
            ({"a": 0.5, "b": 1.0}, 0.75, 0.75, 0.75),
            ({"a": LOST, "b": LOST}, None, None, None),
        ],
    )
    def test_from_where_on_a_value_passes(
        self, after: dict[str, Any], pass_at: float | None, mark: float | None, bar: float | None
    ) -> None:
        found = self.pairs(numbered(0) | {"a": 1.0, "b": 0.0}, after, pass_at=pass_at)
        assert (found.mark, found.bar) == (mark, bar)

    def test_some_cases_may_be_left_out(self) -> None:
        found = compared(baseline(numbered(4)), side(numbered(4)))
        pairs = found.pairs("exact")
        assert found.without(pairs, set()) is pairs
        assert found.without(pairs, {"c001", "c003", "x"}).places.tolist() == [0, 2]

    def test_clusters_are_told_apart_where_two_cases_share_one(self) -> None:
        found = compared(baseline(numbered(4)), side(numbered(4), clusters={"c000": "doc", "c002": "doc"}))
        numbers = found.clusters(found.pairs("exact"))
        assert numbers is not None
        assert numbers.tolist() == [0, 1, 0, 2]
        two = found.pairs("exact").where(np.array([True, True, False, False]))
        assert found.clusters(two) is None, "none of these two share one"
        alone = compared(baseline(numbered(2)), side(numbered(2)))
        assert alone.clusters(alone.pairs("exact")) is None

    def test_slices_are_those_of_the_candidate(self) -> None:
        slices = {"c000": "refund", "c001": "search", "c002": "refund"}
        found = compared(baseline(numbered(4)), side(numbered(4), slices=slices))
        parts = found.slices(found.pairs("exact"))
        assert {name: each.places.tolist() for name, each in parts.items()} == {"refund": [0, 2], "search": [1]}
        one = compared(baseline(numbered(2)), side(numbered(2), slices=dict.fromkeys(numbered(2), "all")))
        assert one.slices(one.pairs("exact")) == {}, "a slice of all is the whole"

    def test_a_slice_counts_what_was_lost_in_it(self) -> None:
        slices = {**dict.fromkeys(numbered(3), "a"), **dict.fromkeys(numbered(3, start=3), "b")}
        after = side({**numbered(5), "c005": LOST, "c004": SKIPPED}, slices=slices)
        found = compared(baseline(numbered(6)), after)
        parts = found.slices(found.pairs("exact"))
        assert {name: (each.lost, each.skipped) for name, each in parts.items()} == {"a": (0, 0), "b": (1, 1)}


class TestIdentical:
    def test_every_output_is_the_same(self) -> None:
        same: dict[str, Any] = {"outputs": "x"}
        assert compared(baseline(numbered(3), **same), side(numbered(3), **same)).identical
        assert not compared(baseline(numbered(3), **same), side(numbered(3))).identical
        assert compared(baseline(numbered(3), **same), side(numbered(4), **same)).identical, "of those that pair"
        assert not compared(baseline({}, **same), side({}, **same)).identical

    def test_trials(self) -> None:
        before = baseline({"a": [1.0, 1.0]}, outputs="x")
        assert compared(before, side({"a": [1.0, 1.0]}, outputs="x")).identical
        assert not compared(before, side({"a": [1.0, 1.0, 1.0]}, outputs="x")).identical
        after = side({"a": [1.0, 1.0, 1.0]})
        for trial in (*before.cases["a"].trials, *after.cases["a"].trials):
            trial.digest = "always the same"
        assert compared(before, after).identical, "however often it is asked"

    def test_the_order_in_which_trials_were_finished_does_not_count(self) -> None:
        before, after = (side({"a": [1.0, 1.0]}, outputs="x") for _ in range(2))
        after.cases["a"].trials.reverse()
        assert compared(before, after).identical

    def test_outputs_that_are_not_known_are_not_the_same(self) -> None:
        before, after = baseline({"a": 1.0}), side({"a": 1.0})
        for each in (before, after):
            each.cases["a"].trials[0].digest = ""
        assert not compared(before, after).identical


class TestRulers:
    def ruler(self, one: ScorerRef, other: ScorerRef, models: tuple[set[str], set[str]] = (set(), set())) -> str:
        before, after = (side({"a": 1.0}, refs={"exact": ref}) for ref in (one, other))
        before.judges, after.judges = {"exact": models[0]}, {"exact": models[1]}
        found = compared(before, after)
        assert ("exact" in found.scorers) is ("exact" not in found.rulers)
        return found.rulers.get("exact", "")

    def test_the_part_that_differs_is_named(self) -> None:
        one = ScorerRef("a" * 12, parts={"rubric": "1", "model": "m", "old": "x"})
        other = ScorerRef("b" * 12, parts={"rubric": "2", "model": "m", "new": "x"})
        assert self.ruler(one, other) == f"another ruler: new, old, rubric changed ({'a' * 12} → {'b' * 12})"
        bare = f"another ruler: version changed ({'a' * 12} → {'b' * 12})"
        assert self.ruler(ScorerRef("a" * 12), ScorerRef("b" * 12)) == bare

    def test_the_model_that_judged(self) -> None:
        ref = ScorerRef("a" * 12, "judge")
        assert self.ruler(ref, ref, ({"m1"}, {"m1"})) == ""
        assert self.ruler(ref, ref, ({"m1"}, {"m2", "m1"})) == "another ruler: judged by m1 → m1, m2"
        assert self.ruler(ref, ref, (set(), {"m1"})) == "", "where one side does not know it, the fingerprint has to do"

    def test_another_pass_mark_is_the_same_ruler(self) -> None:
        assert self.ruler(ScorerRef("a" * 12, pass_at=0.5), ScorerRef("a" * 12, pass_at=0.75)) == ""

    def test_a_scorer_that_is_not_in_the_baseline(self) -> None:
        found = compared(baseline({"a": 1.0}), side({"a": 1.0}, more={"new": {"a": 1.0}}))
        assert (found.scorers, found.rulers) == (["exact"], {"new": "the baseline has no such scorer"})
