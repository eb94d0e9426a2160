from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from time import sleep

import pytest

from gatewatch.config.deciding import accept_baseline, accept_change, last_day, written
from gatewatch.config.project import Project
from gatewatch.config.writable import alone, may_write
from gatewatch.core.errors import InputError
from gatewatch.offline.accept import FILE, Entry
from gatewatch.offline.baseline import read_baseline
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from offline.joining import a_row, a_run

NOW = 1_790_000_000.0
TOML = """
[project]
name = "bot"

[suites.support]
dataset = "cases.jsonl"
task = "replay:answers.jsonl"
scorers = ["exact"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "gatewatch.toml").write_text(TOML)
    (tmp_path / "cases.jsonl").write_text('{"id": "fell", "input": "q", "expected": "a"}\n')
    found = Project.open(tmp_path)
    found.runs.mkdir(parents=True)
    a_run(found.runs, "two", [a_row("two", "fell")])
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/store.db")


def entry(**changes: object) -> Entry:
    fields = {"case": "fell", "reason": "right now", "owner": "mia", "until": date(2999, 1, 1), "suite": "support"}
    return Entry(**(fields | changes))  # type: ignore[arg-type]


def test_a_change_is_written_where_that_may_be_done(project: Project, store: Store) -> None:
    assert accept_change(project, store, entry(), by="mia", now=NOW) == FILE
    assert 'case = "fell"' in (project.root / FILE).read_text()
    assert [(each.who, each.action) for each in store.audit(0, 9)] == [("mia", "accept")]


def test_elsewhere_it_waits_in_the_outbox(project: Project, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewatch.config.deciding.may_write", lambda _: False)
    assert accept_change(project, store, entry(), by="mia", now=NOW) == "C1"
    assert accept_baseline(project, store, project.runs / "two.jsonl", reason="good", by="mia", now=NOW) == "C2"
    assert not (project.root / FILE).exists() and not (project.root / "baselines").exists()
    kinds = [(change.kind, change.by) for change in store.changes((), after=0, most=9)]
    assert kinds == [("accept", "mia"), ("baseline", "mia")]


def test_what_was_written_can_be_told_and_nothing_else(project: Project, store: Store) -> None:
    assert written(project, store, "accepted.toml") == "accepted.toml"
    assert written(None, store, "accepted.toml") == ""
    assert written(project, store, "C1") == written(project, store, "whatever a link says") == ""
    accept_change(None, store, entry(), by="mia", now=NOW)
    assert written(None, store, "C1") == "C1"


def test_without_a_checkout_it_waits_too(store: Store) -> None:
    assert accept_change(None, store, entry(case="whatever"), by="mia", now=NOW) == "C1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "reason: is empty"),
        ({"owner": ""}, "owner: is empty"),
        ({"until": date(2020, 1, 1)}, "has passed already"),
        ({"case": "zzz"}, "is neither a case nor a scorer"),
    ],
)
def test_what_is_wrong_is_said(project: Project, store: Store, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        accept_change(project, store, entry(**changes), by="mia", now=NOW)
    assert said in str(caught.value) and not (project.root / FILE).exists()


def test_a_baseline_says_who_pinned_it_and_why(project: Project, store: Store) -> None:
    assert (
        accept_baseline(project, store, project.runs / "two.jsonl", reason="it is good", by="mia", now=NOW)
        == "baselines/support.jsonl"
    )
    path = project.root / "baselines" / "support.jsonl"
    assert read_baseline(path).run == "two" and '"reason":"it is good (mia)"' in path.read_text()
    with pytest.raises(InputError, match="reason: is empty"):
        accept_baseline(project, store, project.runs / "two.jsonl", reason=" ", by="mia", now=NOW)


def test_a_day_is_a_day() -> None:
    assert last_day("2026-12-31") == date(2026, 12, 31)
    with pytest.raises(InputError, match="expected a day"):
        last_day("tomorrow")


def test_whether_a_file_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert may_write(tmp_path / "there" / "is" / "none") and not may_write(tmp_path)
    (tmp_path / "file").write_text("")
    assert may_write(tmp_path / "file") and not may_write(tmp_path / "file" / "below")
    # A file is replaced by renaming, which takes its folder.
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path)
    assert not may_write(tmp_path / "file")


def test_who_changes_a_file_of_the_checkout_is_alone(tmp_path: Path) -> None:
    within: list[int] = []

    def change() -> None:
        with alone(tmp_path):
            within.append(1)
            assert len(within) == 1
            sleep(0.01)
            within.pop()

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(change) for _ in range(16)]:
            each.result()
