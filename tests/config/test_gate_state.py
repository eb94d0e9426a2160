"""How gates stand: the last run of what is in use, what is blocked, and when a baseline is due to be pinned anew."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatewatch.config.dataset_state import promoted_at
from gatewatch.config.gate_state import GateState, GateStates
from gatewatch.config.joining import Joining
from gatewatch.config.mainline import Mainline
from gatewatch.config.project import Project
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core.case import Case
from gatewatch.offline.baseline import make_baseline, write_baseline
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.outcomes import read_run
from offline.joining import SCORERS, a_row, a_run

NOW = 1_795_000_000.0
TOML = """
[project]
name = "bot"
[suites.support]
dataset = "datasets/support.jsonl"
task = "app:answer"
scorers = ["exact", "helpful"]
gate = { primary = "helpful", max_drop = 0.05 }
"""
IDS = [f"c{number}" for number in range(12)]


def a_line(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "input": f"question of {name}", "expected": "yes", **more}


class Place:
    """A checkout with a dataset, runs and a baseline."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "gatewatch.toml").write_text(TOML)
        (root / "datasets").mkdir()
        (root / ".gatewatch" / "runs").mkdir(parents=True)
        self.lines(*(a_line(name) for name in IDS))

    def lines(self, *lines: dict[str, Any]) -> None:
        path = self.root / "datasets" / "support.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))

    def run(self, run: str, *, back: float = 0.0, helpful: float = 0.9, **about: Any) -> Path:
        hashes = {case.id: case.hash for case in open_dataset(self.root / "datasets" / "support.jsonl")}
        rows = [a_row(run, case, helpful=helpful, hash=hash_, must_pass=False) for case, hash_ in hashes.items()]
        path = a_run(self.root / ".gatewatch" / "runs", run, rows, **about)
        os.utime(path, (NOW - back, NOW - back))
        return path

    def pin(self, run: Path) -> None:
        write_baseline(self.root / "baselines" / "support.jsonl", *make_baseline(read_run(run)))

    def told(self) -> GateState:
        (found,) = GateStates(Joining(StoredRuns(Project.open(self.root)))).every(NOW)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_suite_that_never_ran_is_told_with_its_dataset(place: Place) -> None:
    found = place.told()
    assert (found.suite, found.scorer, found.last, found.pinned) == ("support", "helpful", None, None)
    assert found.dataset is not None
    assert (found.dataset.cases, found.dataset.saturated) == (12, None)


def test_the_last_run_of_what_is_in_use_is_held_against_the_baseline(place: Place) -> None:
    place.pin(place.run("first", back=500, helpful=0.9))
    place.run("second", back=400, helpful=0.95)
    place.run("candidate", back=300, helpful=0.1, task="app:other", name="other")
    found = place.told()
    assert found.last is not None and found.last.cell is not None
    assert (found.last.run, found.last.on, found.last.word) == ("second", "task", "UNDECIDED")
    assert found.last.cell.delta == pytest.approx(0.05)
    assert found.history == pytest.approx((0.9, 0.95))
    assert found.sizes == (12, 12)
    assert [(each.run, each.name) for each in found.blocked] == [("candidate", "other")]
    assert found.pinned is not None and found.pinned.due == ()


def test_a_candidate_that_was_mended_is_not_blocked_any_more(place: Place) -> None:
    place.pin(place.run("first", back=500))
    place.run("candidate", back=300, helpful=0.1, task="app:other", name="other")
    place.run("mended", back=200, helpful=0.9, task="app:other", name="other")
    place.run("forgotten", back=30 * 86_400, helpful=0.1, task="app:old", name="old")
    assert place.told().blocked == ()


def test_what_a_gate_said_comes_before_what_is_worked_out(place: Place) -> None:
    place.pin(place.run("first", back=500))
    place.run("second", back=400)
    (place.root / ".gatewatch" / "verdicts").mkdir()
    (place.root / ".gatewatch" / "verdicts" / "second.json").write_text('{"verdict": "UNDECIDED"}')
    last = place.told().last
    assert last is not None and last.word == "UNDECIDED"


def test_a_baseline_is_due_when_what_it_was_measured_on_is_another(place: Place) -> None:
    place.pin(place.run("first", back=500))
    place.lines(*(a_line(name) for name in IDS[1:-1]), {**a_line(IDS[-1]), "input": "another"}, a_line("new"))
    other = {**SCORERS, "helpful": SCORERS["exact"]}
    place.run("second", back=400, scorers=other)
    found = place.told()
    assert found.pinned is not None
    assert found.pinned.due == ("2 cases are new or changed", "1 case is gone", "helpful is another version")


def test_a_dataset_is_told_with_what_was_promoted_and_is_overdue(place: Place) -> None:
    place.pin(place.run("first", back=500))
    came = {"trace": "t" * 32, "at": "2026-11-10T00:00:00Z"}
    place.lines(
        *(a_line(name) for name in IDS),
        a_line("old", provenance={"trace": "a", "at": "2026-01-01T00:00:00Z"}),
        a_line("late", provenance=came, open={"until": "2026-11-01", "owner": "mia"}),
        a_line("open", provenance=came, open={"until": "2027-11-01"}),
        a_line("gone", retired="stale"),
    )
    dataset = place.told().dataset
    assert dataset is not None
    assert (dataset.cases, dataset.retired, dataset.promoted, dataset.open) == (15, 1, 2, 2)
    assert [(each.case, each.until, each.owner) for each in dataset.overdue] == [("late", "2026-11-01", "mia")]
    assert (dataset.new, dataset.saturated) == (3, 0)


def test_what_cannot_be_read_says_why(place: Place) -> None:
    place.pin(place.run("first"))
    (place.root / "datasets" / "support.jsonl").write_text("{torn")
    (place.root / "baselines" / "support.jsonl").write_text("{torn")
    found = place.told()
    assert found.flaw
    assert found.dataset is not None and found.dataset.flaw


def test_a_store_alone_tells_of_its_suites(tmp_path: Path) -> None:
    from config.test_joining import Store

    path = a_run(tmp_path, "pushed", [a_row("pushed", "a")])
    (found,) = GateStates(Joining(StoredRuns(None, Store(path), tmp_path / "copies"))).every(NOW)
    assert found.last is not None
    assert (found.suite, found.scorer, found.last.run, found.last.on) == ("support", "exact", "pushed", "newest")
    assert (found.dataset, found.pinned, found.last.word) == (None, None, "")


def test_commits_of_the_main_branch_are_known(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@t"]
        done = subprocess.run(["git", "-C", str(tmp_path), *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "one")
    first = git("rev-parse", "HEAD")
    git("checkout", "-q", "-b", "change")
    git("commit", "-q", "--allow-empty", "-m", "two")
    second = git("rev-parse", "HEAD")
    main = Mainline(tmp_path)
    assert main.has(first) and main.has(first[:12])
    assert not any(map(main.has, (second, f"{first}+changes", "", "--all", "f" * 40)))
    assert not Mainline(None).has(first)


def test_the_last_run_on_main_is_that_of_a_commit_of_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mainline, "has", lambda _, commit: commit == "a" * 40)
    place.run("on-main", back=300, components={"commit": "a" * 40})
    place.run("of-a-change", back=200, components={"commit": "b" * 40})
    last = place.told().last
    assert last is not None and (last.run, last.on) == ("on-main", "main")


def test_when_a_case_was_promoted_is_told_of_those_that_were() -> None:
    assert promoted_at({"trace": "t", "at": "2026-11-10T00:00:00Z"}) == 1794268800.0
    assert promoted_at({"at": "2026-11-10T00:00:00Z"}) is None
    assert promoted_at({"trace": "t", "at": "some day"}) is None
    assert Case(input="?").provenance == {}
