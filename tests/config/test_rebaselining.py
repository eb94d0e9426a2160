"""`rebaseline`: what is locked, what is pinned, what is refused, and that the gate then guards it."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.building import gatewatch, one, opened, problems, suite, write
from gatewatch.config.baselines import pin
from gatewatch.config.gates import gate_suite
from gatewatch.config.monitors import store_of
from gatewatch.config.rebaselining import Ask, Rebaselined, rebaseline
from gatewatch.core.change import Change
from gatewatch.core.failure import Failure, FailureState
from gatewatch.loop.pull import apply
from gatewatch.offline.baseline import header_of, read_baseline
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.verdict import Verdict
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined

CASES = "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}"}}\n' for n in range(20))
OPEN = (
    '{"id": "x1", "input": "low please", "expected": "low please", "open": {"until": "2999-01-01", "owner": "mia"}, '
    '"provenance": {"failure": "F1", "trace": "t1"}}\n'
)
BUG = "def answer(question):\n    return question.upper()\n"
FIX = "def answer(question):\n    return question if 'please' in question else question.upper()\n"
WORSE = "def answer(question):\n    return question\n"
FLAKY = """
from pathlib import Path
COUNT = Path(__file__).with_name("count")

def answer(question):
    if "please" not in question:
        return question.upper()
    asked = len(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text("x" * (asked + 1))
    return question if asked % 3 < 2 else "no"
"""

KILLED = """
import os
from pathlib import Path
COUNT = Path(__file__).with_name("count")

def answer(question):
    if "please" not in question:
        return question.upper()
    asked = len(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text("x" * (asked + 1))
    if asked == 1:
        os.kill(os.getpid(), 9)
    return question
"""


def project(folder: Path, more: str = "", *, cases: str = CASES, app: str = BUG, pinned: bool = True) -> Path:
    """A project with a baseline, whose dataset has one open case more since."""
    write(folder, suite(more), app_py=app, cases_jsonl=cases)
    if pinned:
        pin(opened(folder), one(folder).id)
    (folder / "cases.jsonl").write_text(cases + OPEN)
    return folder


def version(folder: Path, app: str) -> Path:
    (folder / "app.py").write_text(app)
    return folder


def made(folder: Path, **ask: Any) -> Rebaselined:
    return rebaseline(opened(folder), "main", Ask(by="mia", **{"reason": "fixed", **ask}))


def gated(folder: Path) -> Verdict:
    return gate_suite(opened(folder), "main").verdict


def case(folder: Path, name: str = "x1") -> dict[str, Any]:
    lines = map(json.loads, (folder / "cases.jsonl").read_text().splitlines())
    found: dict[str, Any] = next(each for each in lines if each["id"] == name)
    return found


def said(folder: Path) -> str:
    """The reason that the baseline has."""
    path = folder / "baselines" / "main.jsonl"
    return header_of(path, path.read_bytes()).reason


def failing(folder: Path, state: FailureState = "promoted", *, brings: tuple[str, ...] = ("x1",)) -> None:
    """The failure F1 in the project's store, and the cases that were promoted from it."""
    store = store_of(opened(folder))
    failure = Failure(flow="support", sign="thumbs_down", name="shouts", first=1.0, last=2.0, opened=3.0, updated=3.0)
    kept = store.keep_mined([Mined(failure=failure)], 3.0, read_at=store.mined_at())
    assert kept is not None
    assert kept[0].id == 1
    store.turn_failure(1, state, who="mia", reason="", now=4.0)
    brought(store, *brings)
    store.close()


def brought(store: Store, *names: str, path: str = "cases.jsonl", failure: int = 1) -> None:
    """Cases that were promoted from a failure, and are in a dataset."""
    changes = [
        Change(
            key=f"{path} {name} {failure}",
            kind="case",
            suite="main",
            path=path,
            body={"case": {"id": name}},
            failure=failure,
            by="mia",
            at=3.0,
        )
        for name in names
    ]
    for change, _ in store.propose(changes, 3.0):
        store.turn_change(change.id, "pulled", 3.0)


def state(folder: Path) -> tuple[str, bool]:
    store = store_of(opened(folder))
    found = store.failure(1)
    store.close()
    assert found is not None
    return found.state, found.fixed is not None


class TestTheWholeTurn:
    def test_open_then_fixed_then_guarded(self, tmp_path: Path) -> None:
        folder = project(tmp_path)
        failing(folder)
        before = gated(folder)
        assert (before.exit_code, [(each.id, each.passes) for each in before.open]) == (0, [("x1", False)])
        mended = gated(version(folder, FIX))
        assert (mended.exit_code, [(each.id, each.passes) for each in mended.open]) == (0, [("x1", True)])
        assert mended.next[-1].startswith("gatewatch rebaseline main --run main-")
        found = made(folder)
        assert (found.refused, found.failures, found.waiting) == ("", (1,), ())
        (place,) = found.locked.values()
        assert place.endswith("cases.jsonl:21")
        line = case(folder)
        assert (line["must_pass"], "open" in line) == (True, False)
        assert line["provenance"]["run"] == found.run
        assert {"failure", "trace", "fixed"} < set(line["provenance"])
        assert (folder / "cases.jsonl").read_text().startswith(CASES)
        baseline = read_baseline(folder / "baselines" / "main.jsonl")
        assert baseline.dataset.version == open_dataset(folder / "cases.jsonl").version
        assert baseline.cases["x1"].history["exact"] == (1.0,) * 4  # that of the gate, too
        assert (baseline.cases["x1"].must_pass, len(baseline.cases["x1"].trials)) == (True, 1)
        assert state(folder) == ("fixed", True)
        again = gated(version(folder, BUG))
        assert (again.verdict, again.exit_code) == ("REGRESSED", 1)
        assert again.reasons == ("must-pass case x1 failed three times of three (exact)",)

    def test_the_baseline_alone_locks(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        before = (folder / "cases.jsonl").read_bytes()
        made(folder)
        (folder / "cases.jsonl").write_bytes(before)  # as where the dataset's change was not merged
        again = gated(version(folder, BUG))
        assert (again.exit_code, [each.state for each in again.open]) == (1, ["locked"])
        assert again.reasons == ("must-pass case x1 failed three times of three (exact)",)

    def test_while_the_bug_is_there_nothing_is_locked(self, tmp_path: Path) -> None:
        folder = project(tmp_path)
        failing(folder)
        found = made(folder, reason="the dataset has grown")
        assert (found.refused, found.locked, found.waiting, found.failures) == ("", {}, ("x1",), ())
        assert case(folder)["open"] == {"until": "2999-01-01", "owner": "mia"}
        assert state(folder) == ("promoted", False)

    def test_a_fix_that_holds_two_times_of_three_is_none(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FLAKY)
        found = made(folder)
        assert (found.refused, found.locked, found.waiting) == ("", {}, ("x1",))
        assert "open" in case(folder)
        after = gated(version(folder, BUG))
        assert (after.exit_code, [each.state for each in after.open]) == (0, ["open"])

    def test_all_cases_of_a_failure_have_to_pass(self, tmp_path: Path) -> None:
        folder = project(tmp_path)
        other = OPEN.replace("x1", "x2").replace('"input": "low please"', '"input": "still"')
        (folder / "cases.jsonl").write_text(CASES + OPEN + other)
        failing(folder)
        store = store_of(opened(folder))
        brought(store, "x2")
        store.close()
        found = made(version(folder, FIX))
        assert (list(found.locked), found.waiting, found.failures) == (["x1"], ("x2",), ())
        assert state(folder) == ("promoted", False)

    @pytest.mark.parametrize("before", ["regressed", "ignored", "new"])
    def test_only_what_was_promoted_is_closed(self, tmp_path: Path, before: FailureState) -> None:
        folder = version(project(tmp_path), FIX)
        failing(folder, before)
        assert made(folder).failures == ()
        assert state(folder)[0] == before

    def test_no_store_is_made(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        assert made(folder).failures == ()
        assert not (folder / ".gatewatch" / "gatewatch.db").exists()


class TestRuns:
    def test_a_run_that_was_made(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        run = one(folder).id
        found = made(folder, run=run)
        assert (found.run, list(found.locked)) == (run, ["x1"])

    def test_one_of_another_version_is_not_tried_again(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        run = one(folder).id
        found = made(version(folder, BUG), run=run)
        assert (found.locked, found.waiting) == ({}, ("x1",))
        assert found.notes[0].startswith("1 open case passes, and cannot be tried three times, which locking takes: ")

    def test_trials(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        found = made(folder, trials=3)
        assert (list(found.locked), found.pinned and found.pinned.header.trials) == (["x1"], 3)
        other = made(version(folder, FIX + "# again\n"), run=one(folder).id, trials=2)
        assert other.pinned is not None
        assert other.pinned.header.trials == 2

    def test_the_first_baseline(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path, pinned=False), FIX)
        found = made(folder, reason="the first")
        assert (found.gated, list(found.locked), said(folder)) == (None, ["x1"], "the first")
        assert gated(folder).exit_code == 0

    def test_early_stop_is_off(self, tmp_path: Path) -> None:
        cases = "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}"}}\n' for n in range(150))
        folder = version(project(tmp_path, "gate = { early_stop = true }", cases=cases), FIX)
        found = made(folder)
        assert found.pinned is not None
        assert len(found.pinned.lines) == 151


class TestOutbox:
    def test_the_files_stay_until_it_is_pulled_and_the_baseline_locks(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        failing(folder)
        was = (folder / "baselines" / "main.jsonl").read_bytes(), (folder / "cases.jsonl").read_bytes()
        found = made(folder, outbox=True)
        assert (found.refused, found.locked, found.failures) == ("", {"x1": ""}, ())
        assert ((folder / "baselines" / "main.jsonl").read_bytes(), (folder / "cases.jsonl").read_bytes()) == was
        assert found.change is not None
        assert (found.change.kind, found.change.path, found.change.state) == (
            "baseline",
            "baselines/main.jsonl",
            "pending",
        )
        assert apply(found.change, folder).what == "changed"
        assert apply(found.change, folder).what == "there"
        baseline = read_baseline(folder / "baselines" / "main.jsonl")
        assert (baseline.run, baseline.dataset.version) == (
            found.run,
            open_dataset(folder / "cases.jsonl").version,
        )
        again = gated(version(folder, BUG))
        assert again.reasons == ("must-pass case x1 failed three times of three (exact)",)

    def test_a_failure_of_which_a_case_waits_stays_promoted(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        failing(folder)
        store = store_of(opened(folder))
        body = {"case": {"id": "x2", "input": "other"}, "into": ""}
        change = Change(key="k", kind="case", path="cases.jsonl", body=body, failure=1, by="jon", at=7.0)
        store.propose([change], 7.0)
        store.close()
        assert made(folder).failures == ()
        assert state(folder) == ("promoted", False)


class TestRefused:
    def test_what_is_worse_is_not_pinned(self, tmp_path: Path) -> None:
        folder = project(tmp_path)
        was = (folder / "baselines" / "main.jsonl").read_bytes(), (folder / "cases.jsonl").read_bytes()
        found = made(version(folder, WORSE))
        assert (found.refused, found.pinned) == ("it is worse than the baseline so far", None)
        assert ((folder / "baselines" / "main.jsonl").read_bytes(), (folder / "cases.jsonl").read_bytes()) == was

    def test_even_so(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), WORSE)
        refused = made(folder)
        found = made(folder, run=refused.run, even_so=True, reason="lower case from now on")
        assert found.pinned is not None
        assert said(folder).startswith("lower case from now on (even so: REGRESSED, exact: the mean fell by 100.0 pp")

    def test_another_ruler(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        (folder / "gatewatch.toml").write_text(suite(scorers='["contains"]'))
        found = made(folder)
        assert (found.run, found.refused) == ("", "it cannot be compared with the baseline so far")
        again = made(folder, even_so=True, reason="another scorer")
        assert (again.refused, list(again.locked)) == ("", ["x1"])
        assert said(folder).startswith("another scorer (even so: NOT_COMPARABLE, ")

    def test_a_run_that_is_not_whole(self, tmp_path: Path) -> None:
        folder = project(tmp_path)
        run = one(folder, limit=3).id
        assert "--limit" in problems(lambda: made(folder, run=run, even_so=True))[0]


class TestAgain:
    def test_stopped_between_the_dataset_and_the_baseline(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path, pinned=False), FIX)
        failing(folder)
        (folder / "baselines").write_text("in the way")
        assert "cannot be written" in problems(lambda: made(folder))[0]
        assert case(folder)["must_pass"]
        (folder / "baselines").unlink()
        found = made(folder)
        assert (found.refused, found.failures, state(folder)) == ("", (1,), ("fixed", True))
        assert read_baseline(folder / "baselines" / "main.jsonl").cases["x1"].must_pass

    def test_the_same_run_twice_ends_up_the_same(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        run = made(folder).run
        was = read_baseline(folder / "baselines" / "main.jsonl")
        lines = (folder / "cases.jsonl").read_bytes()
        failing(folder)
        again = made(folder, run=run)
        now = read_baseline(folder / "baselines" / "main.jsonl")
        assert again.notes == (f"{run} is pinned already: it is not held against itself",)
        assert (folder / "cases.jsonl").read_bytes() == lines
        assert (now.dataset, now.cases["x1"].history, now.cases["x1"].must_pass) == (
            was.dataset,
            was.cases["x1"].history,
            True,
        )
        assert state(folder) == ("fixed", True)

    def test_a_case_that_was_edited_meanwhile_stays_open(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), FIX)
        run = one(folder).id
        edited = OPEN.replace('"expected": "low please"', '"expected": "LOW"')
        (folder / "cases.jsonl").write_text(CASES + edited)
        found = made(folder, run=run)
        assert "open" in case(folder)
        assert any("cannot be tried three times" in note for note in found.notes)

    def test_killed_while_it_tries_again(self, tmp_path: Path) -> None:
        folder = version(project(tmp_path), KILLED)
        failing(folder)
        words = ("rebaseline", "main", "--reason", "fixed", "--by", "mia", "--plain")
        assert gatewatch(folder, *words).returncode == -9
        assert "open" in case(folder)
        done = gatewatch(folder, *words)
        assert done.returncode == 0, done.stderr
        assert (case(folder)["must_pass"], state(folder)) == (True, ("fixed", True))
        assert read_baseline(folder / "baselines" / "main.jsonl").cases["x1"].must_pass
