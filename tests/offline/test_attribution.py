from collections.abc import Mapping
from typing import Any

from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.attribution import attribution, causes, remarks
from gatewatch.offline.compare import Comparison
from gatewatch.offline.outcomes import Outcomes
from offline.pairs import LOST, SKIPPED, baseline, numbered, side

ONE, OTHER = "0" * 12, "1" * 12


def dataset(version: str = ONE, cases: int = 10, **chosen: Any) -> DatasetRef:
    return DatasetRef("d.jsonl", version, cases, **chosen)


class TestWhatChanged:
    def between(
        self, before: Mapping[str, str], after: Mapping[str, str], **stated: tuple[set[str], set[str]]
    ) -> Comparison:
        """A comparison of two versions, by components and by what the application stated."""
        one, other = baseline({"a": 1.0}, components=before), side({"a": 1.0}, components=after)
        one.versions = {name: each[0] for name, each in stated.items() if each[0]}
        other.versions = {name: each[1] for name, each in stated.items() if each[1]}
        return Comparison(one, other)

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
            attribution(alone)
            == "The commit changed (commit: abc → def); of the components that are recorded none did."
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

    def test_recordings_that_state_what_changed(self) -> None:
        found = self.between({"outputs": "abc"}, {"outputs": "def"}, prompt=({"v1"}, {"v2"}))
        assert attribution(found) == "One component changed: prompt: v1 → v2."

    def test_datasets_and_rulers_are_told_but_are_no_causes(self) -> None:
        before = baseline({"a": 1.0}, components={}, dataset=dataset(OTHER, 1))
        after = side({"a": 1.0}, components={}, refs={"exact": ScorerRef("e" * 12), "new": ScorerRef("n" * 12)})
        found = Comparison(before, after)
        assert found.changed == {
            "dataset": (OTHER, ONE),
            "scorer exact": ("f" * 12, "e" * 12),
            "scorer new": ("", "n" * 12),
        }
        assert causes(found) == []
        assert attribution(found) == "No component that is recorded changed; scorers did: exact, new."


class TestRemarks:
    def said(self, before: Outcomes, after: Outcomes) -> list[str]:
        return remarks(Comparison(before, after))

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
        chosen = side(numbered(18), dataset=dataset(tier="pr"))
        assert Comparison(before, chosen).removed == [], "what was not chosen is not gone"

    def test_cases_that_were_scored_on_one_side_only(self) -> None:
        before = baseline({"a": 1.0, "b": SKIPPED, "c": SKIPPED, "d": 1.0})
        after = side({"a": SKIPPED, "b": 1.0, "c": SKIPPED, "d": LOST})
        said = "exact: 2 cases were scored on one side only, and in neither mean."
        assert self.said(before, after) == [said]

    def test_what_was_changed_about_cases_and_scorers(self) -> None:
        before = baseline(numbered(9), must_pass=["c001"], pass_at=0.5, clusters={"c002": "doc"})
        slices = {"c003": "refund", "c004": "refund"}
        found = self.said(before, side(numbered(9), slices=slices))
        assert found[0] == "No longer must-pass: c001."
        assert found[1].startswith("2 cases are of another slice than in the baseline")
        assert [line for line in found if line.startswith("The pass mark")] == [
            "The pass mark of exact changed: 0.5 → none."
        ]

    def test_what_was_changed_about_cases_and_marks(self) -> None:
        before = baseline(numbered(5), must_pass=["c001", "c002"], slices={"c003": "refund"}, pass_at=0.75)
        after = side(numbered(5), must_pass=["c002", "c004"], clusters={"c000": "doc"}, pass_at=0.5)
        assert self.said(before, after) == [
            "No longer must-pass: c001.",
            "1 case is of another slice than in the baseline.",
            "1 case is of another cluster than in the baseline.",
            "The pass mark of exact changed: 0.75 → 0.5.",
        ]

    def test_uncommitted_changes(self) -> None:
        dirty, clean = {"commit": "abc+changes"}, {"commit": "def"}
        assert self.said(baseline({"a": 1.0}, components=dirty), side({"a": 1.0}, components=clean)) == [
            "The baseline was made from a tree with uncommitted changes: its commit does not tell what it is."
        ]
        assert self.said(baseline({"a": 1.0}, components=clean), side({"a": 1.0}, components=dirty)) == [
            "The candidate was made from a tree with uncommitted changes."
        ]
