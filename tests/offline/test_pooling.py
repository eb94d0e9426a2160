import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.run import DatasetRef, Row, RunHeader, ScorerRef
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import earlier_runs, one_version, pool_earlier, runs_of_version, same_version, trials_of
from offline.making import write_journal
from offline.pairs import baseline, decided, numbered, side

CLEAN = {"commit": "abc", "prompt": "p1"}
PRICED: Mapping[str, Any] = {"m": {"input": 1.0}}


def stored(folder: Path, name: str, values: Mapping[str, float], **fields: Any) -> Outcomes:
    """A run in a folder of runs, written after all that were written before it."""
    fields = {
        "suite": "support",
        "components": CLEAN,
        "started": f"2026-06-01T10:00:{len(list(folder.glob('*'))):02}Z",
        **fields,
    }
    cases = fields.pop("cases", len(values))
    version = fields.pop("version", "0" * 12)
    fingerprint = fields.pop("fingerprint", "f" * 12)
    head = RunHeader(
        run=name,
        task=fields.pop("task", "app:answer"),
        dataset=DatasetRef("d.jsonl", version, cases),
        scorers={"exact": ScorerRef(fingerprint)},
        **fields,
    )
    rows = [
        Row(case=case, hash="h", trace=Trace(output=case), scores={"exact": Score(value)})
        for case, value in values.items()
    ]
    path = write_journal(folder / f"{name}.jsonl", head, rows)
    at(path, len(list(folder.glob("*"))))
    return read_run(path)


def at(path: Path, second: int) -> None:
    """When a file was last written."""
    os.utime(path, (1_800_000_000 + second,) * 2)


def names(found: list[Outcomes]) -> list[str]:
    return [each.run for each in found]


class TestEarlierRuns:
    def test_runs_of_the_same_clean_commit(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 1.0})
        stored(tmp_path, "other-commit", {"a": 1.0}, components={"commit": "def", "prompt": "p1"})
        stored(tmp_path, "other-prompt", {"a": 1.0}, components={"commit": "abc", "prompt": "p2"})
        stored(tmp_path, "other-suite", {"a": 1.0}, suite="search")
        stored(tmp_path, "spelt-otherwise", {"a": 1.0}, task="app:other")
        stored(tmp_path, "other-ruler", {"a": 1.0}, fingerprint="e" * 12)
        stored(tmp_path, "other-dataset", {"a": 1.0}, version="1" * 12)
        stored(tmp_path, "scored-again", {"a": 1.0}, purpose="rescore")
        stored(tmp_path, "tried-again", {"a": 1.0}, purpose="flips")
        stored(tmp_path, "more", {"a": 1.0}, purpose="trials")
        (tmp_path / "foreign.jsonl").write_text("{}\n")
        at(tmp_path / "foreign.jsonl", 0)
        after = stored(tmp_path, "mine", {"a": 1.0})
        stored(tmp_path, "later", {"a": 1.0})
        assert names(earlier_runs(tmp_path, after)) == ["one", "spelt-otherwise", "tried-again", "more"]

    @pytest.mark.parametrize("components", [{}, {"prompt": "p1"}, {"commit": "abc+changes", "prompt": "p1"}])
    def test_a_tree_that_is_not_clean_has_no_earlier_runs(self, tmp_path: Path, components: dict[str, str]) -> None:
        stored(tmp_path, "one", {"a": 1.0}, components=components)
        after = stored(tmp_path, "mine", {"a": 1.0}, components=components)
        assert earlier_runs(tmp_path, after) == []

    def test_they_stand_in_the_order_in_which_they_were_started(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 0.0}, started="2026-06-01T08:00:00Z")
        stored(tmp_path, "two", {"a": 1.0}, started="2026-06-01T09:00:00Z")
        at(tmp_path / "one.jsonl", 3)
        at(tmp_path / "two.jsonl", 2)
        after = stored(tmp_path, "mine", {"a": 1.0}, started="2026-06-01T10:00:00Z")
        at(tmp_path / "mine.jsonl", 9)
        assert names(earlier_runs(tmp_path, after)) == ["one", "two"]

    def test_what_it_is_held_against_is_no_try_of_it(self, tmp_path: Path) -> None:
        stored(tmp_path, "pinned", {"a": 1.0})
        stored(tmp_path, "more", {"a": 1.0}, purpose="trials", of="pinned")
        stored(tmp_path, "one", {"a": 0.0})
        after = stored(tmp_path, "mine", {"a": 1.0})
        assert names(earlier_runs(tmp_path, after, besides=("pinned",))) == ["one"]

    def test_outputs_that_were_scored_again_count_once(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 0.0})
        after = stored(tmp_path, "mine", {"a": 0.0}, purpose="rescore", of="one")
        assert earlier_runs(tmp_path, after) == []

    def test_what_tells_two_versions_apart(self) -> None:
        one = side({"a": 1.0})
        assert same_version(one, side({"a": 1.0}))
        assert not same_version(one, side({"a": 1.0}, name="other"))
        assert not same_version(one, side({"a": 1.0}, more={"kind": {"a": 1.0}}))
        assert not same_version(one, side({"a": 1.0}, suite="other"))


class TestPooled:
    def pool(self, folder: Path, after: Outcomes) -> tuple[dict[str, list[float]], dict[str, list[float]], int]:
        """The values of each case's trials, of its tries, and how many runs there were before."""
        runs = pool_earlier(after, earlier_runs(folder, after))
        tries = {
            case: [trial.scores["exact"].value or 0.0 for trial in outcome.tries]
            for case, outcome in after.cases.items()
        }
        return {case: each.values("exact") for case, each in after.cases.items()}, tries, runs

    def test_alone(self, tmp_path: Path) -> None:
        after = stored(tmp_path, "mine", {"a": 1.0})
        assert self.pool(tmp_path, after) == ({"a": [1.0]}, {"a": []}, 0)

    def test_earlier_trials_come_first_and_what_was_tried_again_is_no_trial(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 0.0, "b": 0.5})
        stored(tmp_path, "again", {"a": 0.25}, purpose="flips")
        after = stored(tmp_path, "mine", {"a": 1.0, "b": 1.0, "c": 1.0})
        assert self.pool(tmp_path, after) == (
            {"a": [0.0, 1.0], "b": [0.5, 1.0], "c": [1.0]},
            {"a": [0.0, 0.25, 1.0], "b": [0.5, 1.0], "c": [1.0]},
            1,
        )

    def test_runs_that_were_cut_off_count_as_far_as_they_went(self, tmp_path: Path) -> None:
        stored(tmp_path, "partial", {"a": 0.0}, cases=2)
        after = stored(tmp_path, "mine", {"a": 1.0, "b": 1.0})
        assert self.pool(tmp_path, after) == ({"a": [0.0, 1.0], "b": [1.0]}, {"a": [0.0, 1.0], "b": [1.0]}, 1)

    def test_a_case_that_changed_is_another(self) -> None:
        earlier, after = side({"a": 0.0}, hashes={"a": "old"}), side({"a": 1.0})
        assert pool_earlier(after, [earlier]) == 1
        assert after.cases["a"].values("exact") == [1.0]

    def test_replies_that_may_come_from_the_cache_count_once(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 0.0}, prices=PRICED)
        stored(tmp_path, "two", {"a": 0.5}, prices=PRICED)
        stored(tmp_path, "fresh", {"a": 0.25}, prices=PRICED, fresh=True)
        after = stored(tmp_path, "mine", {"a": 1.0}, prices=PRICED)
        assert self.pool(tmp_path, after)[0] == {"a": [0.0, 0.25]}

    def test_a_first_run_that_may_be_cached_counts(self, tmp_path: Path) -> None:
        stored(tmp_path, "fresh", {"a": 0.25}, prices=PRICED, fresh=True)
        after = stored(tmp_path, "mine", {"a": 1.0}, prices=PRICED)
        assert self.pool(tmp_path, after)[0] == {"a": [0.25, 1.0]}

    def test_a_cached_run_over_fewer_cases_does_not_take_the_place_of_all(self, tmp_path: Path) -> None:
        stored(tmp_path, "few", {"a": 1.0}, prices=PRICED)
        after = stored(tmp_path, "mine", {"a": 1.0, "b": 1.0}, prices=PRICED)
        assert self.pool(tmp_path, after)[0] == {"a": [1.0], "b": [1.0]}

    def test_nor_does_it_let_pass_what_must_pass_and_fails(self) -> None:
        few, after = side(numbered(100)), side({**numbered(199), "c199": 0.0}, must_pass=["c199"])
        few.independent = after.independent = False
        pool_earlier(after, [few])
        assert decided(baseline(numbered(200)), after).verdict == "REGRESSED"

    def test_pressing_the_button_again_cannot_buy_a_pass(self, tmp_path: Path) -> None:
        must = {"c000": 0.0}
        for name, purpose in (("one", ""), ("again", "flips"), ("again2", "flips")):
            stored(tmp_path, name, must, purpose=purpose)
        after = stored(tmp_path, "mine", {"c000": 1.0})
        after.cases["c000"].must_pass = True
        assert decided(baseline({"c000": 1.0}), after).verdict != "REGRESSED"
        assert pool_earlier(after, earlier_runs(tmp_path, after)) == 1
        found = decided(baseline({"c000": 1.0}), after)
        assert (found.verdict, found.reasons) == (
            "REGRESSED",
            ("must-pass case c000 failed each time, and cannot be tried again (exact)",),
        )
        assert found.rows[0].outcomes == (0.0, 0.0, 0.0, 1.0)


class TestRunsOfAVersion:
    def found(self, folder: Path, run: Outcomes, **about: Any) -> list[str]:
        return names(runs_of_version(folder, run, **about))

    def test_whole_runs_of_the_version_whatever_their_dataset_and_ruler(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 1.0}, version="1" * 12, fingerprint="e" * 12)
        stored(tmp_path, "other-commit", {"a": 1.0}, components={"commit": "def", "prompt": "p1"})
        stored(tmp_path, "other-prompt", {"a": 1.0}, components={"commit": "abc", "prompt": "p2"})
        stored(tmp_path, "other-task", {"a": 1.0}, task="app:other")
        stored(tmp_path, "other-suite", {"a": 1.0}, suite="search")
        stored(tmp_path, "partial", {"a": 1.0}, cases=2)
        stored(tmp_path, "cached", {"a": 1.0}, prices=PRICED)
        stored(tmp_path, "tried-again", {"a": 1.0}, purpose="flips")
        stored(tmp_path, "scored-again", {"a": 1.0}, purpose="rescore")
        stored(tmp_path, "more", {"a": 1.0}, purpose="trials")
        run = stored(tmp_path, "mine", {"a": 1.0})
        assert self.found(tmp_path, run) == ["one", "more"]
        assert self.found(tmp_path, run, besides=("more",)) == ["one"]

    def test_where_nothing_but_the_commit_tells_versions_apart_it_does(self, tmp_path: Path) -> None:
        for name, commit in (("abc", "abc"), ("def", "def"), ("changes", "abc+changes")):
            stored(tmp_path, name, {"a": 1.0}, components={"commit": commit, "url": "https://x"})
        run = stored(tmp_path, "mine", {"a": 1.0}, components={"commit": "abc", "url": "https://x"})
        assert self.found(tmp_path, run) == ["abc"]
        dirty = stored(tmp_path, "dirty", {"a": 1.0}, components={"commit": "abc+changes", "url": "https://x"})
        assert self.found(tmp_path, dirty) == []

    def test_where_nothing_does_no_run_is_of_the_same_version(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 1.0}, components={"url": "https://x"})
        run = stored(tmp_path, "mine", {"a": 1.0}, components={"url": "https://x"})
        assert self.found(tmp_path, run) == []
        bare = stored(tmp_path, "bare", {"a": 1.0}, components={})
        assert self.found(tmp_path, bare) == []

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ({"prompt": "p"}, {"prompt": "p"}, True),
            ({"prompt": "p", "commit": "a"}, {"prompt": "p", "commit": "a"}, True),
            ({"prompt": "p", "commit": "a+changes"}, {"prompt": "p", "commit": "a+changes"}, True),
            ({"prompt": "p", "commit": "a"}, {"prompt": "p", "commit": "b"}, False),
            ({"prompt": "p"}, {"prompt": "p", "commit": "b+changes"}, False),
            ({"prompt": "p"}, {"prompt": "q"}, False),
            ({"commit": "a"}, {"commit": "a"}, True),
            ({"commit": "a"}, {"commit": "a", "prompt": "p"}, False),
            ({"commit": "a", "url": "x"}, {"commit": "a", "url": "y"}, False),
            ({"commit": "a+changes"}, {"commit": "a+changes"}, False),
            ({}, {}, False),
        ],
    )
    def test_what_tells_versions_apart(self, one: dict[str, str], other: dict[str, str], same: bool) -> None:
        assert one_version(one, other) is one_version(other, one) is same

    def test_of_the_newest_as_many_as_a_baseline_keeps(self, tmp_path: Path) -> None:
        for number in range(14):
            stored(tmp_path, f"r{number:02}", {"a": 1.0})
        run = stored(tmp_path, "mine", {"a": 1.0})
        assert self.found(tmp_path, run) == [f"r{number:02}" for number in range(4, 14)]
        grown = stored(tmp_path, "grown", {"a": 1.0, "new": 1.0})
        assert len(self.found(tmp_path, grown)) == 15, "of a case that is new there are fewer"

    def test_runs_without_a_suite_have_none(self, tmp_path: Path) -> None:
        stored(tmp_path, "one", {"a": 1.0}, suite="")
        run = stored(tmp_path, "mine", {"a": 1.0}, suite="")
        assert self.found(tmp_path, run) == []


def test_the_runs_that_gave_a_run_more_trials(tmp_path: Path) -> None:
    run = stored(tmp_path, "mine", {"a": 1.0, "b": 1.0})
    stored(tmp_path, "more", {"a": 1.0, "b": 1.0}, purpose="trials", of="mine")
    stored(tmp_path, "partial", {"a": 1.0}, cases=2, purpose="trials", of="mine")
    stored(tmp_path, "others", {"a": 1.0}, purpose="trials", of="other")
    stored(tmp_path, "tried-again", {"a": 1.0}, purpose="flips", of="mine")
    stored(tmp_path, "again", {"a": 1.0, "b": 1.0}, purpose="trials", of="mine")
    assert names(trials_of(tmp_path, run)) == ["more", "again"]
