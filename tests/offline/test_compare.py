from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.attribution import attribution, causes, remarks
from gatewatch.offline.compare import Comparison
from gatewatch.offline.outcomes import Outcomes
from offline.pairs import FAILED, LOST, SKIPPED, Values, baseline, numbered, side

ONE, OTHER = "0" * 12, "1" * 12


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
            # what was chosen by a limit or a tier is to pair
            (dataset(cases=10), dataset(cases=4, limit=4), 1.0),
            (dataset(OTHER, 10), dataset(cases=4, limit=4), 1.0),
            (dataset(OTHER, 10), dataset(cases=4, tier="pr"), 1.0),
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
        chosen = side(numbered(10, start=5), dataset=dataset(OTHER, limit=10))
        found = compared(baseline(numbered(15), dataset=dataset(cases=15)), chosen)
        assert found.share == 1.0
        strange = side(numbered(10, start=8), dataset=dataset(OTHER, limit=10))
        assert compared(baseline(numbered(15), dataset=dataset(cases=15)), strange).share == 0.7

    # BUG compare.py, `share`: a tier that the suite always runs in is no choice of this candidate's. With it, nine of
    # ten cases may be taken out of the dataset and what is left is compared.
    @pytest.mark.xfail(
        strict=True, raises=AssertionError, reason="a tier on both sides excuses any cases that are gone"
    )
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
            ({"a": 0.0, "b": 1.0}, None, 1.0, 0.5),
            ({"a": [0.0, 1.0, 1.0], "b": [1.0, 1.0, 1.0]}, None, 1.0, 0.5),
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
        assert found.clusters(found.pairs("exact").at(np.array([0, 1]))) is None, "none of these two share one"
        alone = compared(baseline(numbered(2)), side(numbered(2)))
        assert alone.clusters(alone.pairs("exact")) is None

    def test_slices_are_those_of_the_candidate(self) -> None:
        slices = {"c000": "refund", "c001": "search", "c002": "refund"}
        found = compared(baseline(numbered(4)), side(numbered(4), slices=slices))
        parts = found.slices(found.pairs("exact"))
        assert {name: each.places.tolist() for name, each in parts.items()} == {"refund": [0, 2], "search": [1]}
        one = compared(baseline(numbered(2)), side(numbered(2), slices=dict.fromkeys(numbered(2), "all")))
        assert one.slices(one.pairs("exact")) == {}, "a slice of all is the whole"

    # BUG compare.py, `Pairs.at`: it keeps `lost` and `skipped` of all pairs, so that a slice shows (and may be refused
    # a verdict for) what was lost elsewhere. `without` too, for exceptions.
    @pytest.mark.xfail(strict=True, raises=AssertionError, reason="a slice is charged with what was lost elsewhere")
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

    # BUG compare.py, `_same_outputs`: trials lie in the order in which they were finished, another one in every run.
    @pytest.mark.xfail(strict=True, raises=AssertionError, reason="the order in which trials were finished counts")
    def test_the_order_in_which_trials_were_finished_does_not_count(self) -> None:
        before, after = (side({"a": [1.0, 1.0]}, outputs="x") for _ in range(2))
        after.cases["a"].trials.reverse()
        assert compared(before, after).identical

    def test_outputs_that_are_not_known_are_not_the_same(self) -> None:
        before, after = baseline({"a": 1.0}), side({"a": 1.0})
        for each in (before, after):
            each.cases["a"].trials[0].digest = ""
        assert not compared(before, after).identical


class TestWhatChanged:
    def between(
        self, before: Mapping[str, str], after: Mapping[str, str], **stated: tuple[set[str], set[str]]
    ) -> Comparison:
        """A comparison of two versions, by components and by what the application stated."""
        one, other = baseline({"a": 1.0}, components=before), side({"a": 1.0}, components=after)
        one.versions = {name: each[0] for name, each in stated.items() if each[0]}
        other.versions = {name: each[1] for name, each in stated.items() if each[1]}
        return compared(one, other)

    def test_nothing(self) -> None:
        found = self.between({"prompt": "v1"}, {"prompt": "v1"})
        assert (found.changed, causes(found)) == ({}, [])
        assert (
            attribution(found)
            == "Nothing that is recorded changed: what differs is noise, or comes from what is not recorded."
        )

    def test_one_component(self) -> None:
        found = self.between({"prompt": "v1", "model": "m"}, {"prompt": "v2", "model": "m"})
        assert found.changed == {"prompt": ("v1", "v2")}
        assert attribution(found) == "One component changed: prompt: v1 → v2."
        gone = self.between({"tools": "t" * 90}, {})
        assert attribution(gone) == f"One component changed: tools: {'t' * 59}… → (none)."

    def test_two_components(self) -> None:
        found = self.between({"prompt": "v1", "model": "m"}, {"prompt": "v2", "model": "n", "tools": "t"})
        assert found.changed == {"prompt": ("v1", "v2"), "model": ("m", "n"), "tools": ("", "t")}
        assert (
            attribution(found)
            == "3 components changed (prompt, model and tools): the difference cannot be put down to one of them."
        )

    def test_a_commit_alone_and_with_a_component_that_it_holds(self) -> None:
        alone = self.between({"commit": "abc", "prompt": "v1"}, {"commit": "def", "prompt": "v1"})
        assert (
            attribution(alone) == "The code changed (commit: abc → def), and no component that is recorded apart did."
        )
        both = self.between({"commit": "abc", "prompt": "v1"}, {"commit": "def", "prompt": "v2"})
        assert both.changed == {"commit": ("abc", "def"), "prompt": ("v1", "v2")}
        assert attribution(both) == "One component changed: prompt: v1 → v2."

    def test_what_the_application_states_of_itself(self) -> None:
        found = self.between({}, {}, model=({"m1", "m0"}, {"m2"}))
        assert found.changed == {"model": ("m0, m1", "m2")}
        named = self.between({"model": "m"}, {"model": "m"}, model=({"m1"}, {"m2"}))
        assert named.changed == {"model (as stated with the answers)": ("m1", "m2")}
        assert self.between({}, {}, model=({"m1"}, set())).changed == {}, "one side alone says nothing of a change"
        many = self.between({}, {}, model=({f"m{n}" for n in range(7)}, {"x"}))
        assert many.changed == {"model": ("m0, m1, m2, m3, m4, ...", "x")}

    def test_another_recording_of_what_is_the_same_by_its_own_word(self) -> None:
        same = self.between({"outputs": "abc"}, {"outputs": "def"}, prompt=({"v1"}, {"v1"}))
        assert (same.changed, causes(same)) == ({"outputs": ("abc", "def")}, [])
        unknown = self.between({"outputs": "abc"}, {"outputs": "def"})
        assert attribution(unknown) == "One component changed: outputs: abc → def."

    # BUG compare.py, `causes`: a recording is another file whenever anything changed. As a commit is, it is no cause
    # beside what both sides say that they were made by.
    @pytest.mark.xfail(
        strict=True,
        raises=AssertionError,
        reason="the file of a recording counts as a component beside those that it states",
    )
    def test_recordings_that_state_what_changed(self) -> None:
        found = self.between({"outputs": "abc"}, {"outputs": "def"}, prompt=({"v1"}, {"v2"}))
        assert attribution(found) == "One component changed: prompt: v1 → v2."

    def test_datasets_and_rulers_are_told_but_are_no_causes(self) -> None:
        before = baseline({"a": 1.0}, components={}, dataset=dataset(OTHER, 1))
        after = side({"a": 1.0}, components={}, refs={"exact": ScorerRef("e" * 12), "new": ScorerRef("n" * 12)})
        found = compared(before, after)
        assert found.changed == {
            "dataset": (OTHER, ONE),
            "scorer exact": ("f" * 12, "e" * 12),
            "scorer new": ("", "n" * 12),
        }
        assert causes(found) == []
        assert attribution(found) == "No component that is recorded changed; scorers did: exact, new."


class TestRemarks:
    def said(self, before: Outcomes, after: Outcomes) -> list[str]:
        return remarks(compared(before, after))

    def test_nothing_to_be_remarked(self) -> None:
        assert self.said(baseline(numbered(5)), side(numbered(5))) == []

    def test_a_dataset_that_grew(self) -> None:
        before = baseline(numbered(10), dataset=dataset(OTHER, 10))
        after = side({**numbered(9), "n": 1.0}, hashes={"c000": "x"}, dataset=dataset())
        (said,) = self.said(before, after)
        assert said == (
            "The baseline is older than the dataset (1 new, 1 changed, 1 gone): the 8 cases that are the same in both "
            "are compared."
        )
        (other,) = self.said(side(numbered(5), dataset=dataset(OTHER, 5)), side(numbered(5), dataset=dataset()))
        assert other == (
            "The two ran over different datasets (other than in its cases): the 5 cases that are the same in both are "
            "compared."
        )

    def test_cases_that_must_pass_and_are_gone(self) -> None:
        before = baseline(numbered(20), must_pass=["c018", "c019"], dataset=dataset(OTHER, 20))
        found = self.said(before, side(numbered(18), dataset=dataset()))
        assert found[-1] == "Must-pass cases of the baseline are gone: c018, c019."
        chosen = side(numbered(18), dataset=dataset(limit=18))
        assert compared(before, chosen).removed == [], "what was not chosen is not gone"

    def test_uncommitted_changes(self) -> None:
        dirty, clean = {"commit": "abc+changes"}, {"commit": "def"}
        assert self.said(baseline({"a": 1.0}, components=dirty), side({"a": 1.0}, components=clean)) == [
            "The baseline was made from a tree with uncommitted changes: its commit does not tell what it is."
        ]
        assert self.said(baseline({"a": 1.0}, components=clean), side({"a": 1.0}, components=dirty)) == [
            "The candidate was made from a tree with uncommitted changes."
        ]


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
