"""Where promoting writes, what it does when it is killed half-way, and what an erasure finds of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from config.building import problems
from gatewatch.core import codec
from gatewatch.core.erasure import Subject
from gatewatch.loop.label import score_of
from gatewatch.store.base import Store
from loop.failing import (
    NOW,
    TOML,
    a_project,
    arrive,
    cases,
    mined,
    promoted,
    said,
    trace,
)
from store.making import a_store, backend

__all__ = ["backend"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return a_store(tmp_path / "store")


KILLED = """
import os, signal, sys
from pathlib import Path
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.store.sql import SQLStore
from loop.failing import promoted
where, step, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if where == "replace":
    real = Path.replace
    def renamed(*given):
        step == "before" and die()
        real(*given)
        die()
    Path.replace = renamed
elif where != "whole":
    real = getattr(SQLStore, where)
    def called(self, *given, **named):
        step == "before" and die()
        real(self, *given, **named)
        die()
    setattr(SQLStore, where, called)
promoted(folder, store_of(Project.open(folder)), "F1")
"""


@pytest.mark.parametrize("step", ["before", "after"])
@pytest.mark.parametrize("where", ["propose", "replace", "turn_change", "note", "turn_failure"])
def test_killed_half_way_nothing_is_lost_and_nothing_doubled(tmp_path: Path, where: str, step: str) -> None:
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project

    path = a_project(tmp_path)
    store = store_of(Project.open(tmp_path))
    mined(store, trace(1))
    said(store, 1, expected="Yes.")
    words = [sys.executable, "-c", KILLED, where, step, str(tmp_path)]
    killed = subprocess.run(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(cases(path)) in (1, 2)
    outcome = promoted(tmp_path, store, "F1")
    assert outcome.refused == ()
    assert len(cases(path)) == 2
    (change,) = store.changes()
    assert change.state == "pulled"
    failure = store.failure(1)
    assert failure is not None
    assert failure.state == "promoted"
    assert [each.name for each in path.parent.iterdir()] == ["support.jsonl"]
    store.close()


def test_an_erasure_finds_the_case_by_where_it_came_from(tmp_path: Path) -> None:
    from gatewatch.config.erasing import erase
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project

    path = a_project(tmp_path)
    project = Project.open(tmp_path)
    store = store_of(project)
    other = trace(2, "can i return shoes after 30 days", user="u-7")
    arrive(store, trace(1, user="u-1"), other, trace(3, "Where is it?", user="u-7", external_id="m3"))
    promoted(tmp_path, store, f"{1:032x}", expected="Yes.")
    promoted(tmp_path, store, other.id, expected="Yes.", way="merge")
    promoted(tmp_path, store, "m3", expected="Here.", outbox=True)
    receipt = erase(project, store, Subject("user", ("u-7",)), who="dpo", now=NOW)
    assert [(each.file, each.line) for each in receipt.look_at] == [("datasets/support.jsonl", 2)]
    assert [change.trace for change in store.changes()] == [f"{1:032x}"]
    assert codec.encode(cases(path)[1].provenance).count(other.id.encode()) == 1
    store.close()


def test_a_request_named_by_its_id_is_kept_so_that_an_erasure_finds_it(tmp_path: Path, store: Store) -> None:
    a_project(tmp_path)
    arrive(store, trace(1, user="u-7"))
    for _ in range(2):
        promoted(tmp_path, store, f"{1:032x}", expected="Yes.")
    (item,) = store.items_of(Subject("user", ("u-7",)))
    assert (item.trace, item.state, item.queue) == (f"{1:032x}", "settled", "failures")
    assert store.claim("eve", NOW, NOW + 9) is None
    (label,) = store.labels([item.id])
    assert (label.value, label.expected, score_of(item, label).status) == (None, "Yes.", "skipped")


class TestWhere:
    def test_which_suite_is_meant(self, tmp_path: Path, store: Store) -> None:
        other = TOML[TOML.index("[suites") :].replace("support", "other")
        a_project(tmp_path, TOML + other)
        arrive(store, trace(1), replace(trace(2), flow="search"))
        assert promoted(tmp_path, store, f"{1:032x}", expected="x", dry=True).suite == "support"
        (told,) = problems(lambda: promoted(tmp_path, store, f"{2:032x}", expected="x", dry=True))
        assert told == "--suite: which suite is meant for search is not known (give one of support, other)"
        (told,) = problems(lambda: promoted(tmp_path, store, f"{2:032x}", expected="x", suite="suport"))
        assert told == "--suite: there is no suite 'suport' (did you mean \"support\"?)"
        assert problems(lambda: promoted(tmp_path, store, f"{2:032x}", expected="x", suite="other"), tmp_path) == [
            "DIR/datasets/other.jsonl: no such file (make it with a first case, or give another --suite)"
        ]

    def test_a_table_is_refused(self, tmp_path: Path, store: Store) -> None:
        a_project(tmp_path, TOML.replace("support.jsonl", "support.csv"))
        (tmp_path / "datasets" / "support.csv").write_text("input,expected\na,b\n")
        arrive(store, trace(1))
        (told,) = problems(lambda: promoted(tmp_path, store, f"{1:032x}", expected="x"), tmp_path)
        assert told.startswith("DIR/datasets/support.csv: is a CSV file: cases are promoted into JSON lines (write it")
