import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.config.pulling import pull, waiting
from gatewatch.core.change import Change
from gatewatch.loop.pull import exception_change
from gatewatch.offline.accept import Entry
from gatewatch.store.base import Store
from loop.failing import DATASET, NOW, TOML, a_project, cases


def a_case(number: int, path: str = "datasets/support.jsonl") -> Change:
    body = {"case": {"id": f"c{number}", "input": f"question {number}", "expected": "x"}, "into": ""}
    return Change(key=f"{path}{number}", kind="case", path=path, body=body, by="mia", at=NOW)


def an_exception(number: int) -> Change:
    entry = Entry(case=f"c{number}", reason="on purpose", until=date(2099, 1, 1), owner="mia")
    return exception_change(entry, by="mia", at=NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    a_project(tmp_path)
    with closing(store_of(Project.open(tmp_path))) as found:
        yield found


PULL = """
import os, signal, sys
from pathlib import Path
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
from gatewatch.config import pulling
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.store.sql import SQLStore
folder, at = Path(sys.argv[1]), int(sys.argv[2])
real, calls = SQLStore.turn_change, []
def turned(self, *given, **named):
    calls.append(1)
    len(calls) == at and die()
    found = real(self, *given, **named)
    len(calls) == -at and die()
    return found
SQLStore.turn_change = turned
pulling.pull(Project.open(folder), store_of(Project.open(folder)), 2e9)
"""


@pytest.mark.parametrize("at", [1, -1, 3, -4])
def test_killed_half_way_it_is_made_whole(tmp_path: Path, store: Store, at: int) -> None:
    store.propose([a_case(1), an_exception(1), a_case(2), an_exception(2)], NOW)
    killed = subprocess.run([sys.executable, "-c", PULL, str(tmp_path), str(at)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    pull(Project.open(tmp_path), store, NOW)
    assert [case.id for case in cases(tmp_path / "datasets" / "support.jsonl")] == ["greet", "c1", "c2"]
    assert (tmp_path / "accepted.toml").read_text().count("[[accepted]]") == 2
    assert [each.state for each in store.changes()] == ["pulled"] * 4


def test_many_at_once_write_each_once(tmp_path: Path, store: Store) -> None:
    store.propose([each for number in range(30) for each in (a_case(number), an_exception(number))], NOW)
    running = [subprocess.Popen([sys.executable, "-c", PULL, str(tmp_path), "999"]) for _ in range(3)]
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert [case.id for case in cases(tmp_path / "datasets" / "support.jsonl")] == [
        "greet",
        *(f"c{number}" for number in range(30)),
    ]
    assert (tmp_path / "accepted.toml").read_text().count("[[accepted]]") == 30
    assert {each.state for each in store.changes()} == {"pulled"}


def test_one_that_cannot_be_applied_waits_on_and_the_others_do_not(tmp_path: Path, store: Store) -> None:
    toml = TOML + TOML[TOML.index("[suites") :].replace("support", "gone")
    (tmp_path / "gatewatch.toml").write_text(toml)
    store.propose([a_case(1, "datasets/gone.jsonl"), a_case(2, "datasets/other.jsonl"), a_case(3)], NOW)
    done, _ = pull(Project.open(tmp_path), store, NOW)
    assert [(each.change.state, len(each.problems)) for each in done] == [("pending", 1), ("pending", 1), ("pulled", 0)]
    assert [each.problems[0].what for each in done[:2]] == ["no such file", "is no dataset of this project"]
    assert [each.id for each in waiting(store)] == [1, 2]


def test_there_may_be_many(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewatch.config.pulling._EVERY", 2)
    store.propose([a_case(number) for number in range(5)], NOW)
    assert [each.id for each in waiting(store)] == [1, 2, 3, 4, 5]
    done, _ = pull(Project.open(tmp_path), store, NOW, dry=True)
    assert [each.applied for each in done] == [None] * 5
    assert (tmp_path / "datasets" / "support.jsonl").read_text() == DATASET


def test_what_a_branch_had_that_was_thrown_away_is_pulled_again(tmp_path: Path, store: Store) -> None:
    store.propose([a_case(1), a_case(2)], NOW)
    project, path = Project.open(tmp_path), tmp_path / "datasets" / "support.jsonl"
    before = path.read_bytes()
    assert len(pull(project, store, NOW)[0]) == 2
    path.write_bytes(before)
    assert pull(project, store, NOW)[0] == []
    assert [each.change.id for each in pull(project, store, NOW, dry=True, again=True)[0]] == [1, 2]
    done, _ = pull(project, store, NOW, again=True)
    assert [(each.applied and each.applied.what, each.change.state) for each in done] == [("added", "pulled")] * 2
    assert pull(project, store, NOW, again=True)[0] == []
    assert {"c1", "c2"} <= {case.id for case in cases(path)}
